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
#define WANTED_MAX      5
#define COLUMNS_KNOWN   24
#define PREAMBLE_MAX    16           /* lines a header is looked for in */
#define ROWS_LOOKED_AT  16           /* of a list that may be a table */

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


/* The header that was recognised best. */

typedef struct {
    import_t           *im;
    const signature_t  *found;           /* NULL: ours */
    size_t              most;
} recognised_t;


static size_t recognise(void *data, const rfl_str_t *names, size_t n);
static const signature_t *find_signature(const rfl_str_t *names, size_t n);
static int has_signature(const signature_t *s, const rfl_str_t *names,
    size_t n);
static int has_name(const rfl_str_t *names, size_t n, const char *name);
static int is_name(rfl_str_t name, const char *plain);
static const signature_t *signature_of(import_format_t format);
static int is_word(rfl_str_t line);
static int has_two_urls(rfl_str_t line);
static u_char table_delimiter(import_t *im, const import_file_t *file);
static size_t count_cells(import_t *im, const import_file_t *file,
    u_char delimiter);
static rfl_rc_t cells_of(import_t *im, rfl_str_t line, u_char delimiter,
    size_t *n);
static int is_disavow(const import_file_t *file);
static int begins_with(rfl_str_t text, const char *word);
static int has_too_many(import_t *im, rfl_str_t line);
static rfl_rc_t unknown_header(import_t *im, import_file_t *file,
    rfl_str_t line, rfl_error_t *err);
static int header_below(import_t *im, const import_file_t *file,
    unsigned *number);
static size_t is_of_own_pages(void *data, const rfl_str_t *names, size_t n);
static size_t count_names(void *data, const rfl_str_t *names, size_t n);
static void hint(import_t *im, import_file_t *file, rfl_str_t line);

static int find_column(import_t *im, const signature_t *s, rfl_str_t name,
    rfl_column_t *column);
static int find_mapped(import_t *im, rfl_str_t name, rfl_column_t *column);
static unsigned lenient(const rfl_column_t *column);
static int find_known(const signature_t *s, rfl_str_t name,
    rfl_column_t *column);
static int number_of(size_t offset);
static rfl_rc_t check_ours(const rfl_str_t *names,
    const rfl_columns_t *columns, rfl_error_t *err);
static rfl_rc_t check_export(import_t *im, import_format_t format,
    const rfl_str_t *names, rfl_columns_t *columns, rfl_error_t *err);
static rfl_rc_t take_one(import_t *im, const rfl_str_t *names,
    rfl_columns_t *columns, size_t k, size_t i, rfl_error_t *err);
static rfl_rc_t check_maps(import_t *im, const rfl_str_t *names, size_t n,
    rfl_error_t *err);


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
      { "pageascore", "lostlink", "sitewide", "nofollow", "anchor" }, {
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


rfl_rc_t
import_detect(import_t *im, import_file_t *file, u_char *delimiter,
    rfl_error_t *err)
{
    u_char        found;
    rfl_str_t     line, url;
    recognised_t  header;

    *delimiter = ',';
    file->format = im->format;

    if (file->format == IMPORT_URLS || file->format == IMPORT_DISAVOW
        || file->format == IMPORT_JSON)
    {
        return RFL_OK;
    }

    line = rfl_input_peek(&file->input, "");

    header.im = im;
    header.found = NULL;
    header.most = 0;

    (void) rfl_rows_delimiter(&im->reader, line, recognise, &header,
                              delimiter);

    if (file->format != IMPORT_AUTO) {
        return RFL_OK;
    }

    if (header.most != 0) {
        file->format = header.found != NULL ? header.found->format
                                            : IMPORT_CSV;
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

    url = import_list_line(rfl_input_peek(&file->input, "#"));

    if (is_disavow(file)) {
        file->format = IMPORT_DISAVOW;
        return RFL_OK;
    }

    if (has_two_urls(url)) {
        return rfl_fail(err, RFL_INVALID, "its first line holds several URLs "
                        "and no names of columns: put a line such as "
                        "\"source,target\" before it");
    }

    if (url.len == 0 || (import_is_url(im, url) && !is_word(url))) {
        file->format = IMPORT_URLS;

        found = table_delimiter(im, file);

        return found == 0 ? RFL_OK
               : rfl_fail(err, RFL_INVALID, "each of its first lines has a "
                          "\"%c\" in it: put a line that names the columns "
                          "before it, such as \"source%cpartner\", or say "
                          "--format urls if it is a part of the URLs", found,
                          found);
    }

    return unknown_header(im, file, line, err);
}


/*
 * "URL" above a list is the name of its column, and would be a host; a host
 * that is linked from has a dot, or is this one.
 */

static int
is_word(rfl_str_t line)
{
    size_t  i;

    for (i = 0; i < line.len; i++) {
        if (strchr(".:/[%", line.data[i]) != NULL) {
            return 0;
        }
    }

    return !rfl_str_caseeq(line, rfl_cstr("localhost"));
}


/* Of a table without a header, which would be one URL with a comma in it. */

static int
has_two_urls(rfl_str_t line)
{
    const u_char  *p, *end;

    p = memmem(line.data, line.len, "://", 3);
    end = line.data + line.len;

    for (p = p != NULL ? p + 3 : end; p < end; p++) {

        if (*p != ',' && *p != ';' && *p != '\t') {
            continue;
        }

        p += p + 1 < end && p[1] == '"';

        if (begins_with(rfl_str(p + 1, (size_t) (end - p - 1)), "http://")
            || begins_with(rfl_str(p + 1, (size_t) (end - p - 1)), "https://"))
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Of a table without a header that has a URL in its first column alone: each
 * row has as many cells.  A URL may hold a comma or two; 0 where not all do.
 */

static u_char
table_delimiter(import_t *im, const import_file_t *file)
{
    return count_cells(im, file, ',') > 1 ? ','
           : count_cells(im, file, ';') > 1 ? ';' : 0;
}


/* Of each of the first rows, two at least, or 0. */

static size_t
count_cells(import_t *im, const import_file_t *file, u_char delimiter)
{
    size_t         n, cells;
    unsigned       rows;
    rfl_rc_t       rc;
    rfl_str_t      line;
    const u_char  *p, *end, *eol;

    n = 0;
    rows = 0;
    p = file->input.peek;
    end = p + file->input.peek_len;

    while (p < end && rows < ROWS_LOOKED_AT) {
        eol = memchr(p, '\n', (size_t) (end - p));
        eol = eol != NULL ? eol : end;
        line = import_list_line(rfl_str(p, (size_t) (eol - p)));
        p = eol + 1;

        rc = cells_of(im, line, delimiter, &cells);

        if (rc == RFL_NOT_FOUND) {           /* an empty row */
            continue;
        }

        if (rc != RFL_OK || (rows++ != 0 && cells != n)) {
            return 0;
        }

        n = cells;
    }

    return rows > 1 ? n : 0;
}


static rfl_rc_t
cells_of(import_t *im, rfl_str_t line, u_char delimiter, size_t *n)
{
    uint64_t          number;
    const rfl_str_t  *cells;

    rfl_csv_init(&im->reader, delimiter, rfl_input_slice, &line);

    return rfl_csv_next(&im->reader, &cells, n, &number, NULL);
}


/*
 * How many columns are known to the signature, or, without one, to us.  A line
 * that begins with a URL is no header.
 */

static size_t
recognise(void *data, const rfl_str_t *names, size_t n)
{
    recognised_t *header = data;

    size_t              i, known;
    import_t           *im;
    rfl_column_t        column;
    const signature_t  *s;

    im = header->im;

    if (memmem(names[0].data, names[0].len, "://", 3) != NULL) {
        return 0;
    }

    s = im->format == IMPORT_CSV ? NULL
        : im->format == IMPORT_AUTO ? find_signature(names, n)
                                    : signature_of(im->format);
    known = 0;

    for (i = 0; i < n; i++) {
        known += find_column(im, s, names[i], &column) != 0;
    }

    if (known > header->most) {
        header->most = known;
        header->found = s;
    }

    return known;
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

    p = file->input.peek;
    end = p + file->input.peek_len;

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
    u_char    delimiter;
    unsigned  number;

    if (rfl_rows_delimiter(&im->reader, line, is_of_own_pages, NULL,
                           &delimiter)
        != 0)
    {
        return rfl_fail(err, RFL_INVALID, "it lists your own pages, not "
                        "those that link to them: in Search Console's "
                        "Links report export \"Latest links\", \"More "
                        "sample links\" or \"Top linking sites\"");
    }

    if (header_below(im, file, &number)) {
        return rfl_fail(err, RFL_INVALID, "the names of its columns are in "
                        "line %u: remove the lines above it", number);
    }

    if (has_too_many(im, line)) {
        return rfl_fail(err, RFL_INVALID, "its first line has more than %d "
                        "columns, and no more are read", RFL_CSV_FIELDS_MAX);
    }

    if (memmem(line.data, line.len, "://", 3) == NULL) {
        hint(im, file, line);
    }

    if (is_word(line) && import_is_url(im, line)) {
        return rfl_fail(err, RFL_INVALID, "its first line is one word: say "
                        "with --map which field this column is or, if it is a "
                        "host, --format urls");
    }

    return rfl_fail(err, RFL_INVALID, "its first line is neither a URL nor "
                    "names columns that are known: say with --map which "
                    "column is which field");
}


static int
has_too_many(import_t *im, rfl_str_t line)
{
    size_t  i, n;

    for (i = 0; i < RFL_ROWS_DELIMITERS; i++) {
        if (cells_of(im, line, rfl_rows_delimiters[i], &n) == RFL_INVALID
            && im->reader.n == RFL_CSV_FIELDS_MAX)
        {
            return 1;
        }
    }

    return 0;
}


/* A title, or "sep=;" of a spreadsheet, is above the header of an export. */

static int
header_below(import_t *im, const import_file_t *file, unsigned *number)
{
    u_char         delimiter;
    rfl_str_t      line;
    recognised_t   header;
    const u_char  *p, *end, *eol;

    p = file->input.peek;
    end = p + file->input.peek_len;

    for (*number = 1; *number <= PREAMBLE_MAX && p < end; (*number)++) {
        eol = memchr(p, '\n', (size_t) (end - p));
        eol = eol != NULL ? eol : end;
        line = rfl_str_trim(rfl_str(p, (size_t) (eol - p)));

        header.im = im;
        header.found = NULL;
        header.most = 0;

        if (line.len != 0
            && rfl_rows_delimiter(&im->reader, line, recognise, &header,
                                  &delimiter) > 1)
        {
            return 1;
        }

        p = eol + 1;
    }

    return 0;
}


/* Search Console: "Top linked pages", or what a site links to. */

static size_t
is_of_own_pages(void *data, const rfl_str_t *names, size_t n)
{
    return has_name(names, n, "targetpage")
           && (has_name(names, n, "incominglinks")
               || has_name(names, n, "linkingpages")
               || has_name(names, n, "linkingsites"));
}


static size_t
count_names(void *data, const rfl_str_t *names, size_t n)
{
    return n;
}


/* The delimiter that makes most columns, and the first row's cells. */

static void
hint(import_t *im, import_file_t *file, rfl_str_t line)
{
    size_t            i, n, nvalues;
    u_char            delimiter;
    uint64_t          number;
    rfl_str_t         text, names[RFL_CSV_FIELDS_MAX];
    rfl_buf_t         header = rfl_buf_init;
    const rfl_str_t  *fields;

    if (rfl_rows_delimiter(&im->reader, line, count_names, NULL, &delimiter)
        == 0)
    {
        return;
    }

    /* the names must outlive the next row: they are read from a copy */

    text = rfl_str(file->input.peek, file->input.peek_len);
    rfl_csv_init(&im->reader, delimiter, rfl_input_slice, &text);

    if (rfl_csv_next(&im->reader, &fields, &n, &number, NULL) != RFL_OK) {
        return;
    }

    rfl_buf_add(&header, im->reader.row, im->reader.row_len);

    /* a row of one empty name has no bytes */

    if (header.len != 0 && !header.failed) {

        for (i = 0; i < n; i++) {
            names[i] = rfl_str(header.data + (fields[i].data - im->reader.row),
                               fields[i].len);
        }

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
import_columns(import_t *im, import_format_t format, const rfl_str_t *names,
    rfl_columns_t *columns, rfl_error_t *err)
{
    size_t              i;
    rfl_rc_t            rc;
    const signature_t  *s;

    s = NULL;

    if (format != IMPORT_CSV) {
        s = find_signature(names, columns->n);

        if (s == NULL || s->format != format) {
            s = signature_of(format);
        }
    }

    columns->is_ours = (s == NULL);

    for (i = 0; i < columns->n; i++) {
        (void) find_column(im, s, names[i], &columns->columns[i]);

        columns->is_ours |= (columns->columns[i].role == RFL_COLUMN_REASON);
    }

    rc = s == NULL ? check_ours(names, columns, err)
                   : check_export(im, format, names, columns, err);

    return rc == RFL_OK ? check_maps(im, names, columns->n, err) : rc;
}


/*
 * What --map says comes first, then the export's own names, then ours: who
 * adds a column "partner" to an export means the field.
 */

static int
find_column(import_t *im, const signature_t *s, rfl_str_t name,
    rfl_column_t *column)
{
    name = rfl_str_trim(name);

    if (find_mapped(im, name, column)) {
        column->role = s != NULL ? lenient(column) : column->role;
        return 1;
    }

    return (s != NULL && find_known(s, name, column))
           || rfl_column_find(name, column);
}


/* What a tool wrote under this name, too, it wrote for its own use. */

static unsigned
lenient(const rfl_column_t *column)
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
find_mapped(import_t *im, rfl_str_t name, rfl_column_t *column)
{
    size_t  i;

    for (i = 0; i < im->nmaps; i++) {

        if (!rfl_str_caseeq(name, im->maps[i].column)) {
            continue;
        }

        column->role = RFL_COLUMN_IGNORED;
        column->field = -1;
        column->known = 1;

        if (im->maps[i].field != NULL) {
            column->role = IMPORT_FIELD;
            column->field = (int) (im->maps[i].field - rfl_link_fields);
        }

        return 1;
    }

    return 0;
}


static int
find_known(const signature_t *s, rfl_str_t name, rfl_column_t *column)
{
    size_t  i;

    for (i = 0; i < COLUMNS_KNOWN && s->columns[i].name != NULL; i++) {

        if (is_name(name, s->columns[i].name)) {
            column->role = s->columns[i].role;
            column->field = number_of(s->columns[i].offset);
            column->known = 1;
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


static rfl_rc_t
check_ours(const rfl_str_t *names, const rfl_columns_t *columns,
    rfl_error_t *err)
{
    rfl_rc_t     rc;
    rfl_error_t  why;

    rc = rfl_columns_check_known(names, columns, &why);

    if (rc != RFL_OK) {
        return rfl_fail(err, rc, "%s: use --map COLUMN=FIELD, or --map "
                        "COLUMN= to ignore it", why.text);
    }

    return rfl_columns_check(columns, err);
}


/* Two columns of one field are no error where --map names at most one. */

static rfl_rc_t
check_export(import_t *im, import_format_t format, const rfl_str_t *names,
    rfl_columns_t *columns, rfl_error_t *err)
{
    size_t         i, k;
    rfl_rc_t       rc;
    rfl_column_t  *one, *two;

    for (i = 0; i < columns->n; i++) {
        for (k = 0; k < i; k++) {
            one = &columns->columns[k];
            two = &columns->columns[i];

            if (one->field == -1 || one->field != two->field
                || one->role > IMPORT_COST || two->role > IMPORT_COST)
            {
                continue;
            }

            rc = take_one(im, names, columns, k, i, err);
            if (rc != RFL_OK) {
                return rc;
            }
        }
    }

    if (!rfl_columns_have(columns, field_of(source))
        && !rfl_columns_have(columns, field_of(tag)))
    {
        return rfl_fail(err, RFL_INVALID, "it has not the columns of %s's "
                        "export: leave out --format, or use --map",
                        signature_of(format)->shown);
    }

    return RFL_OK;
}


/* Of k and i, which comes later: what is mapped, else what stands first. */

static rfl_rc_t
take_one(import_t *im, const rfl_str_t *names, rfl_columns_t *columns,
    size_t k, size_t i, rfl_error_t *err)
{
    int            a, b;
    rfl_column_t  *other, mapped;

    a = find_mapped(im, rfl_str_trim(names[k]), &mapped);
    b = find_mapped(im, rfl_str_trim(names[i]), &mapped);

    if (a && b) {
        return rfl_columns_twice(&columns->columns[i], err);
    }

    other = &columns->columns[b ? k : i];

    other->role = RFL_COLUMN_IGNORED;
    other->field = -1;

    return RFL_OK;
}


static rfl_rc_t
check_maps(import_t *im, const rfl_str_t *names, size_t n, rfl_error_t *err)
{
    size_t  i, k;

    for (k = 0; k < im->nmaps; k++) {

        for (i = 0; i < n; i++) {
            if (rfl_str_caseeq(rfl_str_trim(names[i]), im->maps[k].column)) {
                break;
            }
        }

        if (i == n) {
            return rfl_fail(err, RFL_INVALID, "there is no column \"%.*s\" "
                            "to map", (int) im->maps[k].column.len,
                            (const char *) im->maps[k].column.data);
        }
    }

    return RFL_OK;
}
