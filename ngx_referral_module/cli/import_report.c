/*
 * What an import did, and the command to go on with: said in full, so that it
 * can be copied.
 */

#include "import.h"

#include "rfl_json.h"

#include <stdlib.h>
#include <unistd.h>


#define BAR_WIDTH   40
#define BAR_TEXT    30               /* beside it, less than a screen */
#define HINT_MAX    1600             /* bytes of a command that is worth it */


typedef struct {
    const char  *extra;              /* an option, or NULL */
    unsigned     bad_files:1;        /* FILE.bad.csv instead of FILE */
} retry_t;


static void report_text(import_t *im, rfl_buf_t *b);
static void report_known(const import_t *im, rfl_buf_t *b);
static void report_targets(const import_t *im, rfl_buf_t *b);
static void report_json(import_t *im, int imported, rfl_buf_t *b);
static void json_targets(const import_t *im, rfl_buf_t *b);
static void json_files(const import_t *im, rfl_buf_t *b);
static void json_text(rfl_buf_t *b, const char *text);
static void json_number(rfl_buf_t *b, const char *name, uint64_t n);
static int by_links(const void *a, const void *b);
static void next_step(const import_t *im, rfl_buf_t *b);
static void command_line(const import_t *im, retry_t retry, rfl_buf_t *b);
static void command(const import_t *im, retry_t retry, rfl_buf_t *b);
static void command_begin(const import_t *im, rfl_buf_t *b);
static void argument(rfl_buf_t *b, const char *prefix, const char *text);
static int is_plain(const char *text);
static void say(rfl_buf_t *b);
static int is_address(import_t *im, rfl_str_t text);
static int is_date(rfl_str_t text);
static int says_first(rfl_str_t name);
static void count(rfl_buf_t *b, uint64_t n, const char *one,
    const char *many);
static void thousands(rfl_buf_t *b, uint64_t n);
static void bad_files(const import_t *im, rfl_buf_t *b);


int
import_report(import_t *im, int imported)
{
    int        status;
    rfl_buf_t  b = rfl_buf_init;

    qsort(im->targets, im->ntargets, sizeof(import_target_t), by_links);

    if (im->cli->json) {
        report_json(im, imported, &b);

    } else {
        report_text(im, &b);
    }

    status = cli_write(im->cli, &b);
    rfl_buf_free(&b);

    return status;
}


/* Rows are links, merged and bad ones; links are nameable or in groups. */

static void
report_text(import_t *im, rfl_buf_t *b)
{
    const import_counts_t      *n;
    const rfl_import_counts_t  *l;

    n = &im->counts;
    l = &im->import.counts;

    if (im->dry_run) {
        rfl_buf_text(b, "dry run: ");
    }

    count(b, n->rows, " row", " rows");
    rfl_buf_text(b, " \xe2\x86\x92 ");
    count(b, l->links, " link", " links");
    rfl_buf_text(b, " on ");
    count(b, n->hosts, " host", " hosts");

    report_known(im, b);

    rfl_buf_text(b, ", ");
    thousands(b, l->merged);
    rfl_buf_text(b, " merged, ");
    thousands(b, n->bad);
    rfl_buf_text(b, " bad");

    if (im->sync) {
        rfl_buf_text(b, ", ");
        thousands(b, l->removed);
        rfl_buf_text(b, " removed");
    }

    if (l->links != 0) {
        rfl_buf_text(b, "; ");
        thousands(b, l->links - n->grouped);
        rfl_buf_text(b, " nameable one by one, ");
        thousands(b, n->grouped);
        rfl_buf_text(b, " in groups");
    }

    report_targets(im, b);

    rfl_buf_char(b, '\n');

    next_step(im, b);
}


/* How many of the links are new, unless all are. */

static void
report_known(const import_t *im, rfl_buf_t *b)
{
    const rfl_import_counts_t  *l;

    l = &im->import.counts;

    if (l->added == l->links) {
        return;
    }

    rfl_buf_text(b, " (");
    thousands(b, l->added);
    rfl_buf_text(b, " new, ");

    if (im->import.update) {
        thousands(b, l->updated);
        rfl_buf_text(b, " updated, ");
    }

    thousands(b, l->registered);
    rfl_buf_text(b, " registered before)");
}


/* More than one host is worth a look: the export may be of another site. */

static void
report_targets(const import_t *im, rfl_buf_t *b)
{
    size_t    i;
    uint64_t  rest;

    if (im->ntargets == 0) {
        return;
    }

    rfl_buf_text(b, "; target hosts: ");

    rest = im->other_targets;

    for (i = 0; i < im->ntargets; i++) {

        if (i >= IMPORT_TARGETS_SHOWN) {
            rest += im->targets[i].links;
            continue;
        }

        rfl_buf_text(b, i != 0 ? ", " : "");
        (void) cli_safe(b, rfl_str(im->targets[i].host, im->targets[i].len));
        rfl_buf_char(b, ' ');
        thousands(b, im->targets[i].links);
    }

    if (rest != 0) {
        rfl_buf_text(b, ", others ");
        thousands(b, rest);
    }
}


static void
report_json(import_t *im, int imported, rfl_buf_t *b)
{
    const import_counts_t      *n;
    const rfl_import_counts_t  *l;

    n = &im->counts;
    l = &im->import.counts;

    rfl_buf_fmt(b, "{\"imported\":%s,\"dry_run\":%s",
                imported ? "true" : "false", im->dry_run ? "true" : "false");

    json_number(b, "rows", n->rows);
    json_number(b, "links", l->links);
    json_number(b, "hosts", n->hosts);
    json_number(b, "merged", l->merged);
    json_number(b, "bad", n->bad);
    json_number(b, "added", l->added);
    json_number(b, "updated", l->updated);
    json_number(b, "registered", l->registered);
    json_number(b, "removed", l->removed);
    json_number(b, "nameable", l->links - n->grouped);
    json_number(b, "grouped", n->grouped);

    json_targets(im, b);
    json_files(im, b);

    rfl_buf_text(b, "}\n");
}


static void
json_targets(const import_t *im, rfl_buf_t *b)
{
    size_t  i;

    rfl_json_name(b, "target_hosts");
    rfl_buf_char(b, '[');

    for (i = 0; i < im->ntargets; i++) {
        rfl_json_item(b);
        rfl_buf_char(b, '{');
        rfl_json_name(b, "host");
        rfl_json_string(b, rfl_str(im->targets[i].host, im->targets[i].len));
        json_number(b, "links", im->targets[i].links);
        rfl_buf_char(b, '}');
    }

    rfl_buf_char(b, ']');
}


static void
json_files(const import_t *im, rfl_buf_t *b)
{
    size_t  i;

    rfl_json_name(b, "files");
    rfl_buf_char(b, '[');

    for (i = 0; i < im->nfiles; i++) {
        rfl_json_item(b);
        rfl_buf_char(b, '{');
        rfl_json_name(b, "file");
        rfl_json_string(b, rfl_cstr(im->files[i].name));
        rfl_json_name(b, "format");
        rfl_json_string(b, rfl_cstr(import_format_names[
                                        im->files[i].format]));
        rfl_json_name(b, "bad_file");
        json_text(b, im->files[i].bad_path);
        rfl_json_name(b, "bad_error");
        json_text(b, im->files[i].bad_error != 0
                     ? strerror(im->files[i].bad_error) : NULL);
        rfl_buf_char(b, '}');
    }

    rfl_buf_char(b, ']');
}


static void
json_text(rfl_buf_t *b, const char *text)
{
    if (text == NULL) {
        rfl_buf_text(b, "null");
        return;
    }

    rfl_json_string(b, rfl_cstr(text));
}


static void
json_number(rfl_buf_t *b, const char *name, uint64_t n)
{
    rfl_json_name(b, name);
    rfl_buf_u64(b, n);
}


static int
by_links(const void *a, const void *b)
{
    const import_target_t *one = a;
    const import_target_t *two = b;

    int     order;
    size_t  len;

    if (one->links != two->links) {
        return one->links < two->links ? 1 : -1;
    }

    len = one->len < two->len ? one->len : two->len;
    order = memcmp(one->host, two->host, len);

    return order != 0 ? order : (int) one->len - (int) two->len;
}


/* A command, if there is one that is the next to do. */

static void
next_step(const import_t *im, rfl_buf_t *b)
{
    retry_t  retry;

    retry.extra = NULL;
    retry.bad_files = 0;

    if (im->dry_run) {
        rfl_buf_text(b, "to do it: ");
        command_line(im, retry, b);
        return;
    }

    if (im->bad_files == 0) {
        return;
    }

    rfl_buf_text(b, "the bad rows are in ");
    bad_files(im, b);
    rfl_buf_text(b, "; mended there: ");

    retry.bad_files = 1;
    command_line(im, retry, b);
}


/* No file's name drives the terminal. */

static void
command_line(const import_t *im, retry_t retry, rfl_buf_t *b)
{
    rfl_buf_t  line = rfl_buf_init;

    command(im, retry, &line);

    b->failed |= line.failed;

    (void) cli_safe(b, rfl_str(line.data, line.len));
    rfl_buf_char(b, '\n');

    rfl_buf_free(&line);
}


int
import_refused(import_t *im)
{
    int        status;
    retry_t    retry;
    rfl_buf_t  b = rfl_buf_init;

    status = im->cli->json ? import_report(im, 0) : CLI_OK;

    if (status != CLI_OK) {
        return status;
    }

    thousands(&b, im->counts.bad);
    rfl_buf_text(&b, " of ");
    count(&b, im->counts.rows, " row", " rows");
    rfl_buf_text(&b, im->counts.bad == 1 ? " is" : " are");
    rfl_buf_text(&b, " bad, nothing was imported");

    if (im->bad_files != 0) {
        rfl_buf_text(&b, "; the bad ones are in ");
        bad_files(im, &b);
    }

    say(&b);

    retry.extra = NULL;
    retry.bad_files = 0;

    rfl_buf_text(&b, "once they are mended: ");
    command(im, retry, &b);
    say(&b);

    if (!im->sync) {
        retry.extra = "--skip-bad";

        rfl_buf_text(&b, "or without them: ");
        command(im, retry, &b);
        say(&b);
    }

    rfl_buf_free(&b);

    return CLI_FAILED;
}


static void
bad_files(const import_t *im, rfl_buf_t *b)
{
    size_t       i;
    const char  *before;

    before = "";

    for (i = 0; i < im->nfiles; i++) {
        if (im->files[i].bad_path != NULL) {
            rfl_buf_text(b, before);
            (void) cli_safe(b, rfl_cstr(im->files[i].bad_path));
            before = ", ";
        }
    }
}


/*
 * This command again.  With lists of bad rows: they are CSV, whatever the
 * files were, and not all that is to be registered.
 */

static void
command(const import_t *im, retry_t retry, rfl_buf_t *b)
{
    size_t  i;

    command_begin(im, b);

    for (i = 0; i < im->nfiles; i++) {
        if (!retry.bad_files) {
            argument(b, im->files[i].name[0] == '-'
                        && im->files[i].name[1] != '\0' ? "./" : "",
                     im->files[i].name);

        } else if (im->files[i].bad_path != NULL) {
            argument(b, im->files[i].bad_path[0] == '-' ? "./" : "",
                     im->files[i].bad_path);
        }
    }

    if (im->format != IMPORT_AUTO && !retry.bad_files) {
        argument(b, "", "--format");
        argument(b, "", import_format_names[im->format]);
    }

    for (i = 0; i < im->nmaps; i++) {
        argument(b, "", "--map");
        argument(b, "", im->map_texts[i]);
    }

    for (i = 0; i < rfl_link_nfields; i++) {
        if (im->set_texts[i] != NULL) {
            argument(b, "", "--set");
            argument(b, "", im->set_texts[i]);
        }
    }

    if (im->import.update) {
        argument(b, "", "--update");
    }

    if (im->sync && !retry.bad_files) {
        argument(b, "", "--sync");
    }

    if (im->skip_bad && !retry.bad_files && retry.extra == NULL) {
        argument(b, "", "--skip-bad");
    }

    if (retry.extra != NULL) {
        argument(b, "", retry.extra);
    }
}


/* sudo(8) is needed again then, and keeps no $REFERRALCTL_DIR. */

static void
command_begin(const import_t *im, rfl_buf_t *b)
{
    int          is_sudo;
    const char  *dir;

    is_sudo = getuid() == 0 && getenv("SUDO_UID") != NULL;

    rfl_buf_text(b, is_sudo ? "sudo referralctl" : "referralctl");
    rfl_buf_text(b, im->cli->json ? " --json" : "");

    dir = is_sudo ? NULL : getenv("REFERRALCTL_DIR");

    if (strcmp(im->cli->dir, dir != NULL ? dir : CLI_DIR) != 0) {
        argument(b, "", "-d");
        argument(b, "", im->cli->dir);
    }

    argument(b, "", "import");
}


/* As a shell takes it. */

static void
argument(rfl_buf_t *b, const char *prefix, const char *text)
{
    const char  *p;

    rfl_buf_char(b, ' ');

    if (is_plain(text)) {
        rfl_buf_text(b, prefix);
        rfl_buf_text(b, text);
        return;
    }

    rfl_buf_char(b, '\'');
    rfl_buf_text(b, prefix);

    for (p = text; *p != '\0'; p++) {
        if (*p == '\'') {
            rfl_buf_text(b, "'\\''");

        } else {
            rfl_buf_char(b, (u_char) *p);
        }
    }

    rfl_buf_char(b, '\'');
}


static int
is_plain(const char *text)
{
    const char  *p;

    for (p = text; *p != '\0'; p++) {
        if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z')
            && !(*p >= '0' && *p <= '9') && strchr("_./:=,@%+-", *p) == NULL)
        {
            return 0;
        }
    }

    return p != text;
}


/* A message of the import's, which empties the buffer. */

static void
say(rfl_buf_t *b)
{
    cli_warn_text("import", b->failed ? rfl_cstr("no memory")
                                      : rfl_str(b->data, b->len));

    b->len = 0;
}


/*
 * The column whose first cell is a URL is the source, the next such one the
 * target, the first date when the link was seen last, as in Search Console's,
 * if its name does not say "first", as in Moz's; the others are ignored until
 * somebody says better.
 */

void
import_map_hint(import_t *im, const import_file_t *file,
    const rfl_str_t *names, size_t n, const rfl_str_t *values, size_t nvalues)
{
    char         map[256];
    size_t       i;
    rfl_buf_t    b = rfl_buf_init;
    const char  *field, *next, *seen, *first;

    next = "source";
    seen = "listed_last";
    first = "listed_first";

    rfl_buf_text(&b, "if it is CSV: ");
    command_begin(im, &b);
    argument(&b, "", file->name);

    for (i = 0; i < n; i++) {
        field = "";

        if (names[i].len > sizeof(map) / 2) {   /* no name of a column */
            goto done;
        }

        if (next != NULL
            && (i < nvalues ? is_address(im, rfl_str_trim(values[i]))
                            : nvalues == 0))
        {
            field = next;
            next = strcmp(next, "source") == 0 && nvalues != 0 ? "target"
                                                               : NULL;

        } else if (i < nvalues && is_date(values[i])) {

            if (says_first(names[i])) {
                field = first;
                first = "";

            } else {
                field = seen;
                seen = "";
            }
        }

        (void) snprintf(map, sizeof(map), "%.*s=%s", (int) names[i].len,
                        (const char *) names[i].data, field);

        argument(&b, "", "--map");
        argument(&b, "", map);
    }

    if (b.len <= HINT_MAX && (next == NULL || strcmp(next, "target") == 0)) {
        say(&b);
    }

done:

    rfl_buf_free(&b);
}


/* A word or a date may be a host; one that is linked has a dot. */

static int
is_address(import_t *im, rfl_str_t text)
{
    return text.len != 0 && memchr(text.data, '.', text.len) != NULL
           && import_is_url(im, text);
}


/* As every field takes it: more is read where the tool is known. */

static int
is_date(rfl_str_t text)
{
    uint64_t  seconds;

    return rfl_time_parse(rfl_str_trim(text), &seconds) == RFL_OK;
}


static int
says_first(rfl_str_t name)
{
    size_t     i;
    rfl_str_t  first;

    first = rfl_cstr("first");

    for (i = 0; i + first.len <= name.len; i++) {
        if (rfl_str_caseeq(rfl_str(name.data + i, first.len), first)) {
            return 1;
        }
    }

    return 0;
}


static void
count(rfl_buf_t *b, uint64_t n, const char *one, const char *many)
{
    thousands(b, n);
    rfl_buf_text(b, n == 1 ? one : many);
}


/* 1,234,567 */

static void
thousands(rfl_buf_t *b, uint64_t n)
{
    if (n >= 1000) {
        thousands(b, n / 1000);
        rfl_buf_fmt(b, ",%03u", (unsigned) (n % 1000));
        return;
    }

    rfl_buf_u64(b, n);
}


/* On a terminal, where the file's size is known; drawn when it changes. */

void
import_progress(import_t *im, const import_file_t *file, int end)
{
    char      bar[BAR_WIDTH + 1];
    size_t    screen, width;
    unsigned  done;

    if (!im->progress || file->size == 0) {
        return;
    }

    screen = cli_screen_width();

    if (end) {
        if (im->shown != 0) {
            fprintf(stderr, "\r%*s\r", (int) screen - 1, "");
        }

        im->shown = 0;
        return;
    }

    done = file->input.done >= file->size
           ? 100 : (unsigned) (file->input.done * 100 / file->size);

    if (done + 1 == im->shown) {
        return;
    }

    im->shown = done + 1;

    /* a line that is too long would stand there a hundred times */

    width = screen < BAR_WIDTH + BAR_TEXT ? screen - BAR_TEXT : BAR_WIDTH;

    memset(bar, '.', width);
    memset(bar, '#', done * width / 100);
    bar[width] = '\0';

    fprintf(stderr, "\r[%s] %3u %%  %llu rows", bar, done,
            (unsigned long long) im->counts.rows);
}
