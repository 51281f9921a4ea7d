/*
 * Which format a file has, and which field each of its columns is.
 *
 * An export is known by its header, whatever the order of its columns: names
 * are compared by their letters and digits alone, so that "Source URL",
 * "SourceURL" and "source_url" are one.  Columns of such an export that we
 * have no use for are passed over (tools add some every year); in a CSV of
 * ours they are refused, since they are misspelt most likely.
 *
 * Headers: Ahrefs site explorer 2024 and 2019, Semrush backlink analytics,
 * Majestic's DownloadBackLinks, Search Console's Links report, Bing Webmaster
 * Tools' Backlinks, Linkody's import.
 */

#include "import.h"


#define NAME_MAX_LEN    64           /* of a column, letters and digits */
#define SHOWN_MAX       300          /* of a header, in a message */
#define WANTED_MAX      3
#define COLUMNS_KNOWN   24

#define field_of(member)  offsetof(rfl_link_t, member)


typedef struct {
    const char     *name;
    import_role_t   role;
    size_t          offset;          /* of the field's slice in rfl_link_t */
} known_t;


/* All of "all" are there, and one of "any" unless it is empty. */

typedef struct {
    import_format_t  format;
    const char      *shown;
    const char      *all[WANTED_MAX];
    const char      *any[WANTED_MAX];
    known_t          columns[COLUMNS_KNOWN];
} signature_t;


static const signature_t *recognise(import_t *im, rfl_str_t line,
    u_char delimiter, size_t *known);
static const signature_t *find_signature(const rfl_str_t *names, size_t n);
static int has_signature(const signature_t *s, const rfl_str_t *names,
    size_t n);
static int has_name(const rfl_str_t *names, size_t n, const char *name);
static int is_name(rfl_str_t name, const char *plain);
static const signature_t *signature_of(import_format_t format);
static int is_disavow(const import_file_t *file);
static int begins_with(rfl_str_t text, const char *word);
static rfl_rc_t unknown_header(import_t *im, import_file_t *file,
    rfl_str_t line, rfl_error_t *err);
static int lists_own_pages(const rfl_str_t *names, size_t n);
static void hint(import_t *im, import_file_t *file, rfl_str_t line);

static int find_column(import_t *im, const signature_t *s, rfl_str_t name,
    import_column_t *column);
static int find_mapped(import_t *im, rfl_str_t name, import_column_t *column);
static import_role_t lenient(const import_column_t *column);
static int find_known(const signature_t *s, rfl_str_t name,
    import_column_t *column);
static int find_ours(rfl_str_t name, import_column_t *column);
static int is_own_column(rfl_str_t name);
static int number_of(size_t offset);
static rfl_rc_t check_unknown(import_t *im, const rfl_str_t *names,
    const import_columns_t *columns, const int *known, rfl_error_t *err);
static rfl_rc_t check_twice(import_t *im, const rfl_str_t *names,
    import_columns_t *columns, rfl_error_t *err);
static rfl_rc_t check_needed(import_t *im, const rfl_str_t *names,
    const import_columns_t *columns, rfl_error_t *err);
static int has_field(const import_columns_t *columns, size_t offset);


const char *const  import_format_names[IMPORT_FORMATS] = {
    [IMPORT_AUTO]           = "auto",
    [IMPORT_CSV]            = "csv",
    [IMPORT_JSON]           = "json",
    [IMPORT_URLS]           = "urls",
    [IMPORT_DISAVOW]        = "disavow",
    [IMPORT_AHREFS]         = "ahrefs",
    [IMPORT_SEMRUSH]        = "semrush",
    [IMPORT_MAJESTIC]       = "majestic",
    [IMPORT_SEARCH_CONSOLE] = "search-console",
    [IMPORT_BING]           = "bing",
    [IMPORT_LINKODY]        = "linkody"
};


/* In the order in which they are tried: Bing's header is a part of others. */

static const signature_t  signatures[] = {

    { IMPORT_AHREFS, "Ahrefs", { "referringpageurl" }, { NULL }, {
        { "referringpageurl", IMPORT_FIELD,     field_of(source) },
        { "targeturl",        IMPORT_FIELD,     field_of(target) },
        { "linkurl",          IMPORT_FIELD,     field_of(target) },
        { "anchor",           IMPORT_TEXT,      field_of(anchor) },
        { "linkanchor",       IMPORT_TEXT,      field_of(anchor) },
        { "domainrating",     IMPORT_RATING,    field_of(authority) },
        { "nofollow",         IMPORT_NOFOLLOW,  field_of(rel) },
        { "ugc",              IMPORT_UGC,       field_of(rel) },
        { "sponsored",        IMPORT_SPONSORED, field_of(rel) },
        { "type",             IMPORT_REL,       field_of(rel) },
        { "firstseen",        IMPORT_DATE,      field_of(listed_first) },
        { "lastseen",         IMPORT_DATE,      field_of(listed_last) },
        { "lastcheck",        IMPORT_DATE,      field_of(listed_last) },
        { "lost",             IMPORT_LOST,      field_of(labels) },
        { "daylost",          IMPORT_LOST,      field_of(labels) } } },

    { IMPORT_SEMRUSH, "Semrush", { "sourceurl", "targeturl" },
      { "pageascore", "lostlink", "sitewide" }, {
        { "sourceurl",        IMPORT_FIELD,     field_of(source) },
        { "targeturl",        IMPORT_FIELD,     field_of(target) },
        { "anchor",           IMPORT_TEXT,      field_of(anchor) },
        { "pageascore",       IMPORT_RATING,    field_of(authority) },
        { "nofollow",         IMPORT_NOFOLLOW,  field_of(rel) },
        { "ugc",              IMPORT_UGC,       field_of(rel) },
        { "sponsored",        IMPORT_SPONSORED, field_of(rel) },
        { "firstseen",        IMPORT_DATE,      field_of(listed_first) },
        { "lastseen",         IMPORT_DATE,      field_of(listed_last) },
        { "lostlink",         IMPORT_LOST,      field_of(labels) } } },

    { IMPORT_MAJESTIC, "Majestic", { "sourceurl", "targeturl" },
      { "flagnofollow", "sourcetrustflow", "sourcecrawldate" }, {
        { "sourceurl",            IMPORT_FIELD,    field_of(source) },
        { "targeturl",            IMPORT_FIELD,    field_of(target) },
        { "anchortext",           IMPORT_TEXT,     field_of(anchor) },
        { "sourcetrustflow",      IMPORT_RATING,   field_of(authority) },
        { "flagnofollow",         IMPORT_NOFOLLOW, field_of(rel) },
        { "sourcefirstfounddate", IMPORT_DATE,     field_of(listed_first) },
        { "firstindexeddate",     IMPORT_DATE,     field_of(listed_first) },
        { "sourcecrawldate",      IMPORT_DATE,     field_of(listed_last) },
        { "lastseendate",         IMPORT_DATE,     field_of(listed_last) },
        { "datelost",             IMPORT_LOST,     field_of(labels) },
        { "flagdeleted",          IMPORT_LOST,     field_of(labels) } } },

    { IMPORT_SEARCH_CONSOLE, "Search Console", { "linkingpage" }, { NULL }, {
        { "linkingpage",      IMPORT_FIELD,     field_of(source) },
        { "lastcrawled",      IMPORT_DATE,      field_of(listed_last) } } },

    { IMPORT_SEARCH_CONSOLE, "Search Console", { "site", "linkingpages" },
      { NULL }, {
        { "site",             IMPORT_FIELD,     field_of(source) } } },

    { IMPORT_LINKODY, "Linkody", { "urlfrom" }, { NULL }, {
        { "urlfrom",                IMPORT_FIELD,  field_of(source) },
        { "expectedlandingpageurl", IMPORT_FIELD,  field_of(target) },
        { "expectedanchor",         IMPORT_TEXT,   field_of(anchor) },
        { "expectedfollow",         IMPORT_FOLLOW, field_of(rel) },
        { "tags",                   IMPORT_FIELD,  field_of(labels) },
        { "notes",                  IMPORT_FIELD,  field_of(note) },
        { "cost",                   IMPORT_COST,   field_of(cost) },
        { "added",                  IMPORT_DATE,   field_of(listed_first) } } },

    { IMPORT_BING, "Bing", { "sourceurl" }, { "targeturl", "anchortext" }, {
        { "sourceurl",        IMPORT_FIELD,     field_of(source) },
        { "targeturl",        IMPORT_FIELD,     field_of(target) },
        { "anchortext",       IMPORT_TEXT,      field_of(anchor) } } }
};

#define NSIGNATURES  (sizeof(signatures) / sizeof(signatures[0]))


/*
 * Columns of our exports and lists that say nothing about what a link is,
 * beside those of the counters.
 */

static const rfl_str_t  own_columns[] = {
    rfl_string("key"),
    rfl_string("group"),
    rfl_string("groups"),
    rfl_string("first_seen"),
    rfl_string("last_seen"),
    rfl_string("state"),
    rfl_string("state_since"),
    rfl_string("errors")
};


static const u_char  delimiters[] = { ',', ';', '\t' };


rfl_rc_t
import_detect(import_t *im, import_file_t *file, u_char *delimiter,
    rfl_error_t *err)
{
    size_t              i, known, most;
    rfl_str_t           line, url;
    const signature_t  *s, *found;

    *delimiter = ',';
    file->format = im->format;

    if (file->format == IMPORT_URLS || file->format == IMPORT_DISAVOW
        || file->format == IMPORT_JSON)
    {
        return RFL_OK;
    }

    line = import_file_peek(file, "");
    found = NULL;
    most = 0;

    for (i = 0; i < sizeof(delimiters); i++) {
        s = recognise(im, line, delimiters[i], &known);

        if (known > most) {
            most = known;
            found = s;
            *delimiter = delimiters[i];
        }
    }

    if (file->format != IMPORT_AUTO) {
        return RFL_OK;
    }

    if (most != 0) {
        file->format = found != NULL ? found->format : IMPORT_CSV;
        return RFL_OK;
    }

    /* a list may begin with an address: [2001:db8::1] */

    if (line.len != 0
        && (line.data[0] == '{'
            || (line.data[0] == '[' && !import_is_url(im, line))))
    {
        file->format = IMPORT_JSON;
        return RFL_OK;
    }

    url = import_file_peek(file, "#");

    if (is_disavow(file)) {
        file->format = IMPORT_DISAVOW;
        return RFL_OK;
    }

    if (url.len == 0 || import_is_url(im, url)) {
        file->format = IMPORT_URLS;
        return RFL_OK;
    }

    return unknown_header(im, file, line, err);
}


/*
 * *known: how many columns of the line are known to the signature, or, without
 * one, to us.  A line that begins with a URL is no header.
 */

static const signature_t *
recognise(import_t *im, rfl_str_t line, u_char delimiter, size_t *known)
{
    size_t              i, n;
    uint64_t            number;
    import_column_t     column;
    const rfl_str_t    *names;
    const signature_t  *s;

    *known = 0;

    rfl_csv_init(&im->reader, delimiter, import_text_read, &line);

    if (rfl_csv_next(&im->reader, &names, &n, &number, NULL) != RFL_OK
        || memmem(names[0].data, names[0].len, "://", 3) != NULL)
    {
        return NULL;
    }

    s = im->format <= IMPORT_CSV ? find_signature(names, n)
                                 : signature_of(im->format);

    if (im->format == IMPORT_CSV) {
        s = NULL;
    }

    for (i = 0; i < n; i++) {
        *known += find_column(im, s, names[i], &column) != 0;
    }

    return s;
}


static const signature_t *
find_signature(const rfl_str_t *names, size_t n)
{
    size_t  i;

    for (i = 0; i < NSIGNATURES; i++) {
        if (has_signature(&signatures[i], names, n)) {
            return &signatures[i];
        }
    }

    return NULL;
}


static int
has_signature(const signature_t *s, const rfl_str_t *names, size_t n)
{
    size_t  i;

    for (i = 0; i < WANTED_MAX && s->all[i] != NULL; i++) {
        if (!has_name(names, n, s->all[i])) {
            return 0;
        }
    }

    if (s->any[0] == NULL) {
        return 1;
    }

    for (i = 0; i < WANTED_MAX && s->any[i] != NULL; i++) {
        if (has_name(names, n, s->any[i])) {
            return 1;
        }
    }

    return 0;
}


static int
has_name(const rfl_str_t *names, size_t n, const char *name)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (is_name(names[i], name)) {
            return 1;
        }
    }

    return 0;
}


/* By its letters and digits, and by all that is not ASCII. */

static int
is_name(rfl_str_t name, const char *plain)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < name.len; i++) {
        c = rfl_lower(name.data[i]);

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c < 0x80) {
            continue;
        }

        if (c != (u_char) *plain) {
            return 0;
        }

        plain++;
    }

    return *plain == '\0';
}


/* The first one of a format; a header may ask for another. */

static const signature_t *
signature_of(import_format_t format)
{
    size_t  i;

    for (i = 0; i < NSIGNATURES; i++) {
        if (signatures[i].format == format) {
            return &signatures[i];
        }
    }

    return NULL;
}


/* A line of those that are seen begins with "domain:". */

static int
is_disavow(const import_file_t *file)
{
    rfl_str_t      line;
    const u_char  *p, *end, *eol;

    p = file->peek;
    end = p + file->peek_len;

    while (p < end) {
        eol = memchr(p, '\n', (size_t) (end - p));
        eol = eol != NULL ? eol : end;

        line = rfl_str_trim(rfl_str(p, (size_t) (eol - p)));

        if (begins_with(line, "domain:")) {
            return 1;
        }

        p = eol + 1;
    }

    return 0;
}


static int
begins_with(rfl_str_t text, const char *word)
{
    size_t  len;

    len = strlen(word);

    return text.len >= len && rfl_str_caseeq(rfl_str(text.data, len),
                                             rfl_cstr(word));
}


int
import_is_url(import_t *im, rfl_str_t text)
{
    rfl_link_t  link;

    memset(&link, 0, sizeof(rfl_link_t));
    link.match_type = rfl_identity_guess(text, link.tag);
    link.source = text;

    return rfl_identity(&link, &im->identity, NULL) == RFL_OK;
}


static rfl_rc_t
unknown_header(import_t *im, import_file_t *file, rfl_str_t line,
    rfl_error_t *err)
{
    size_t            i, n;
    uint64_t          number;
    rfl_str_t         text;
    const rfl_str_t  *names;

    for (i = 0; i < sizeof(delimiters); i++) {
        text = line;
        rfl_csv_init(&im->reader, delimiters[i], import_text_read, &text);

        if (rfl_csv_next(&im->reader, &names, &n, &number, NULL) == RFL_OK
            && lists_own_pages(names, n))
        {
            return rfl_fail(err, RFL_INVALID, "it lists your own pages, not "
                            "those that link to them: in Search Console's "
                            "Links report export \"Latest links\", \"More "
                            "sample links\" or \"Top linking sites\"");
        }
    }

    hint(im, file, line);

    return rfl_fail(err, RFL_INVALID, "its first line is neither a URL nor "
                    "names columns that are known: say with --map which "
                    "column is which field");
}


/* Search Console: "Top linked pages", or what a site links to. */

static int
lists_own_pages(const rfl_str_t *names, size_t n)
{
    return has_name(names, n, "targetpage")
           && (has_name(names, n, "incominglinks")
               || has_name(names, n, "linkingpages")
               || has_name(names, n, "linkingsites"));
}


/* The delimiter that makes most columns, and the first row's cells. */

static void
hint(import_t *im, import_file_t *file, rfl_str_t line)
{
    size_t            i, n, most, nvalues;
    u_char            delimiter;
    uint64_t          number;
    rfl_str_t         text, names[RFL_CSV_FIELDS_MAX];
    rfl_buf_t         header = rfl_buf_init;
    const rfl_str_t  *fields;

    most = 0;
    delimiter = ',';

    for (i = 0; i < sizeof(delimiters); i++) {
        text = line;
        rfl_csv_init(&im->reader, delimiters[i], import_text_read, &text);

        if (rfl_csv_next(&im->reader, &fields, &n, &number, NULL) == RFL_OK
            && n > most)
        {
            most = n;
            delimiter = delimiters[i];
        }
    }

    if (most == 0) {
        return;
    }

    /* the names must outlive the next row: they are read from a copy */

    text = rfl_str(file->peek, file->peek_len);
    rfl_csv_init(&im->reader, delimiter, import_text_read, &text);

    if (rfl_csv_next(&im->reader, &fields, &n, &number, NULL) != RFL_OK) {
        return;
    }

    rfl_buf_add(&header, im->reader.row, im->reader.row_len);

    for (i = 0; i < n && !header.failed; i++) {
        names[i] = rfl_str(header.data + (fields[i].data - im->reader.row),
                           fields[i].len);
    }

    if (!header.failed) {
        if (rfl_csv_next(&im->reader, &fields, &nvalues, &number, NULL)
            != RFL_OK)
        {
            nvalues = 0;
        }

        import_map_hint(im, file, names, n, fields, nvalues);
    }

    rfl_buf_free(&header);
}


rfl_rc_t
import_columns(import_t *im, const rfl_str_t *names, import_columns_t *columns,
    rfl_error_t *err)
{
    int                 known[RFL_CSV_FIELDS_MAX];
    size_t              i;
    rfl_rc_t            rc;
    const signature_t  *s;

    s = NULL;

    if (columns->format != IMPORT_CSV) {
        s = find_signature(names, columns->n);

        if (s == NULL || s->format != columns->format) {
            s = signature_of(columns->format);
        }
    }

    columns->is_ours = (s == NULL);

    for (i = 0; i < columns->n; i++) {
        known[i] = find_column(im, s, names[i], &columns->columns[i]);

        columns->is_ours |= (columns->columns[i].role == IMPORT_REASON);
    }

    if (s == NULL) {
        rc = check_unknown(im, names, columns, known, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    rc = check_twice(im, names, columns, err);
    if (rc != RFL_OK) {
        return rc;
    }

    return check_needed(im, names, columns, err);
}


/*
 * What --map says comes first, then the export's own names, then ours: who
 * adds a column "partner" to an export means the field.
 */

static int
find_column(import_t *im, const signature_t *s, rfl_str_t name,
    import_column_t *column)
{
    name = rfl_str_trim(name);

    column->role = IMPORT_IGNORED;
    column->field = -1;

    if (find_mapped(im, name, column)) {
        column->role = s != NULL ? lenient(column) : column->role;
        return 1;
    }

    return (s != NULL && find_known(s, name, column))
           || find_ours(name, column);
}


/* What a tool wrote under this name, too, it wrote for its own use. */

static import_role_t
lenient(const import_column_t *column)
{
    const rfl_link_field_t  *field;

    if (column->field == -1) {
        return column->role;
    }

    field = &rfl_link_fields[column->field];

    switch (field->type) {

    case RFL_FIELD_DATE:
        return IMPORT_DATE;

    case RFL_FIELD_NUMBER:
        return field->offset == field_of(cost) ? IMPORT_COST : IMPORT_RATING;

    case RFL_FIELD_TEXT:
        return field->offset == field_of(tag) || field->offset == field_of(note)
               ? IMPORT_FIELD : IMPORT_TEXT;

    default:
        return IMPORT_FIELD;
    }
}


static int
find_mapped(import_t *im, rfl_str_t name, import_column_t *column)
{
    size_t  i;

    for (i = 0; i < im->nmaps; i++) {

        if (!rfl_str_caseeq(name, im->maps[i].column)) {
            continue;
        }

        if (im->maps[i].field != NULL) {
            column->role = IMPORT_FIELD;
            column->field = (int) (im->maps[i].field - rfl_link_fields);
        }

        return 1;
    }

    return 0;
}


static int
find_known(const signature_t *s, rfl_str_t name, import_column_t *column)
{
    size_t  i;

    for (i = 0; i < COLUMNS_KNOWN && s->columns[i].name != NULL; i++) {

        if (is_name(name, s->columns[i].name)) {
            column->role = s->columns[i].role;
            column->field = number_of(s->columns[i].offset);
            return 1;
        }
    }

    return 0;
}


static int
find_ours(rfl_str_t name, import_column_t *column)
{
    size_t  i;

    for (i = 0; i < rfl_link_nfields; i++) {
        if (rfl_str_caseeq(name, rfl_link_fields[i].name)) {
            column->role = IMPORT_FIELD;
            column->field = (int) i;
            return 1;
        }
    }

    if (rfl_str_caseeq(name, rfl_cstr(IMPORT_BAD_COLUMN))) {
        column->role = IMPORT_REASON;
        return 1;
    }

    if (rfl_str_caseeq(name, rfl_cstr("created"))) {
        column->role = IMPORT_CREATED;
        return 1;
    }

    return is_own_column(name);
}


static int
is_own_column(rfl_str_t name)
{
    size_t  i;

    for (i = 0; i < sizeof(own_columns) / sizeof(own_columns[0]); i++) {
        if (rfl_str_caseeq(name, own_columns[i])) {
            return 1;
        }
    }

    for (i = 0; i < RFL_CELL_SUMS; i++) {
        if (rfl_str_caseeq(name, rfl_counter_table[i].name)) {
            return 1;
        }
    }

    return 0;
}


static int
number_of(size_t offset)
{
    size_t  i;

    for (i = 0; i < rfl_link_nfields; i++) {
        if (rfl_link_fields[i].offset == offset) {
            return (int) i;
        }
    }

    return -1;
}


/* All that is wrong at once: unknown columns are many. */

static rfl_rc_t
check_unknown(import_t *im, const rfl_str_t *names,
    const import_columns_t *columns, const int *known, rfl_error_t *err)
{
    size_t     i;
    rfl_rc_t   rc;
    rfl_buf_t  unknown = rfl_buf_init;

    for (i = 0; i < columns->n; i++) {
        if (!known[i]) {
            rfl_buf_fmt(&unknown, "%s\"%.*s\"", unknown.len != 0 ? ", " : "",
                        (int) names[i].len, (const char *) names[i].data);
        }
    }

    if (unknown.len == 0) {
        return RFL_OK;
    }

    rc = rfl_fail(err, RFL_INVALID, "no field for the column %.*s: use --map "
                  "COLUMN=FIELD, or --map COLUMN= to ignore it",
                  (int) (unknown.len < SHOWN_MAX ? unknown.len : SHOWN_MAX),
                  (const char *) unknown.data);

    rfl_buf_free(&unknown);

    return rc;
}


/*
 * Two columns of one field: of those --map names and a CSV of ours an error;
 * else what is mapped, or stands first, is taken.
 */

static rfl_rc_t
check_twice(import_t *im, const rfl_str_t *names, import_columns_t *columns,
    rfl_error_t *err)
{
    int                      a, b;
    size_t                   i, k;
    import_column_t         *one, *two, mapped;
    const rfl_link_field_t  *field;

    for (i = 0; i < columns->n; i++) {
        for (k = 0; k < i; k++) {
            one = &columns->columns[k];
            two = &columns->columns[i];

            if (one->field == -1 || one->field != two->field
                || one->role > IMPORT_COST || two->role > IMPORT_COST)
            {
                continue;
            }

            a = find_mapped(im, rfl_str_trim(names[k]), &mapped);
            b = find_mapped(im, rfl_str_trim(names[i]), &mapped);

            if ((a && b) || columns->format == IMPORT_CSV) {
                field = &rfl_link_fields[two->field];

                return rfl_fail(err, RFL_INVALID, "two columns are the field "
                                "\"%.*s\"", (int) field->name.len,
                                (const char *) field->name.data);
            }

            one = b ? one : two;
            one->role = IMPORT_IGNORED;
            one->field = -1;
        }
    }

    return RFL_OK;
}


/* The source (or the tag, where all are tag links), and what --map names. */

static rfl_rc_t
check_needed(import_t *im, const rfl_str_t *names,
    const import_columns_t *columns, rfl_error_t *err)
{
    size_t  i, k;

    if (!has_field(columns, field_of(source))
        && !has_field(columns, field_of(tag)))
    {
        return columns->format == IMPORT_CSV
               ? rfl_fail(err, RFL_INVALID, "there is no column \"source\"")
               : rfl_fail(err, RFL_INVALID, "it has not the columns of %s's "
                          "export: leave out --format, or use --map",
                          signature_of(columns->format)->shown);
    }

    for (k = 0; k < im->nmaps; k++) {

        for (i = 0; i < columns->n; i++) {
            if (rfl_str_caseeq(rfl_str_trim(names[i]), im->maps[k].column)) {
                break;
            }
        }

        if (i == columns->n) {
            return rfl_fail(err, RFL_INVALID, "there is no column \"%.*s\" "
                            "to map", (int) im->maps[k].column.len,
                            (const char *) im->maps[k].column.data);
        }
    }

    return RFL_OK;
}


static int
has_field(const import_columns_t *columns, size_t offset)
{
    size_t  i;

    for (i = 0; i < columns->n; i++) {
        if (columns->columns[i].field == number_of(offset)) {
            return 1;
        }
    }

    return 0;
}
