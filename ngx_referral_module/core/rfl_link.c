/*
 * The fields of a link: what each may hold, how people may write it, and the
 * record the registry stores.
 *
 * A record:
 *
 *     version    1 byte
 *     key        8 bytes, little-endian
 *     id         varint (7 bits a byte, low bits first, in shortest form)
 *     revision   varint
 *     created    varint, seconds
 *     match type 1 byte
 *     fields     { number varint, length varint, bytes } in table order
 *
 * Empty fields are left out, so a typical link takes about 100 bytes.
 */

#include "rfl_link.h"
#include "rfl_utf8.h"

#include <stdarg.h>
#include <stdio.h>

#undef rfl_link_invalid              /* see the header */


#define RFL_LINK_VERSION  1

#define RFL_DATE_MAX  40                 /* a time with fraction and offset */
#define RFL_COST_WHOLE_MAX  12           /* digits before the point */
#define RFL_COST_PART_MAX  4             /* and behind it */
#define RFL_COST_MAX  (RFL_COST_WHOLE_MAX + 1 + RFL_COST_PART_MAX)
#define RFL_AUTHORITY_MAX  100

/* Each label takes a byte and a comma at least. */

#define RFL_LABELS_COUNT_MAX  ((RFL_LABELS_TEXT_MAX + 1) / 2)


/* What people write, in lower case with "-" between words, and the word. */

typedef struct {
    size_t     offset;                   /* of the field */
    rfl_str_t  text;
    rfl_str_t  word;                     /* empty clears the field */
} rfl_link_synonym_t;


typedef struct {
    rfl_str_t  channel;
    rfl_str_t  origin;
} rfl_link_channel_origin_t;


typedef struct {
    rfl_str_t  items[RFL_LABELS_COUNT_MAX];
    size_t     n;
    size_t     text_len;                 /* with the commas */
} rfl_link_labels_t;


typedef struct {
    u_char  *pos;
    u_char  *end;
} rfl_link_writer_t;


typedef struct {
    const u_char  *pos;
    const u_char  *end;
} rfl_link_reader_t;


static rfl_rc_t rfl_link_text(const rfl_link_field_t *field, rfl_str_t value,
    rfl_error_t *err);
static rfl_rc_t rfl_link_word(const rfl_link_field_t *field, rfl_str_t *value,
    rfl_error_t *err);
static const rfl_str_t *rfl_link_known_word(const rfl_link_field_t *field,
    rfl_str_t word);
static size_t rfl_link_plain_word(rfl_str_t value, u_char *out);
static int rfl_link_is_word(rfl_str_t value);
static rfl_rc_t rfl_link_bad_word(const rfl_link_field_t *field,
    rfl_str_t value, rfl_error_t *err);

static rfl_rc_t rfl_link_labels(const rfl_link_field_t *field,
    rfl_str_t *value, u_char *scratch, rfl_error_t *err);
static rfl_rc_t rfl_link_labels_add(const rfl_link_field_t *field,
    rfl_link_labels_t *labels, rfl_str_t label, rfl_error_t *err);
static size_t rfl_link_labels_find(const rfl_link_labels_t *labels,
    rfl_str_t label, int *found);

static rfl_str_t rfl_link_trim(rfl_str_t value);
static size_t rfl_link_blank(rfl_str_t value, size_t pos);
static const char *rfl_link_check_line(rfl_str_t value);
static const char *rfl_link_check_note(rfl_str_t value);
static const char *rfl_link_check_tag(rfl_str_t value);
static const char *rfl_link_check_authority(rfl_str_t value);
static const char *rfl_link_check_cost(rfl_str_t value);
static const char *rfl_link_check_date(rfl_str_t value);
static int rfl_date_time(rfl_str_t time);
static int rfl_date_zone(rfl_str_t zone, int *offset);
static int rfl_number(rfl_str_t s, size_t pos, size_t len, int *n);
static size_t rfl_digits(rfl_str_t s, size_t pos);

static int rfl_link_write_field(rfl_link_writer_t *w,
    const rfl_link_field_t *field, rfl_str_t value);
static int rfl_link_write(rfl_link_writer_t *w, const void *data, size_t len);
static int rfl_link_write_varint(rfl_link_writer_t *w, uint64_t n);
static rfl_rc_t rfl_link_read_head(rfl_link_reader_t *r, rfl_link_t *link);
static rfl_rc_t rfl_link_read_field(rfl_link_reader_t *r, rfl_link_t *link,
    size_t *row);
static const rfl_link_field_t *rfl_link_field_number(uint64_t number);
static inline int rfl_link_read_varint(rfl_link_reader_t *r, uint64_t max,
    uint64_t *n);
static int rfl_link_read_long(rfl_link_reader_t *r, uint64_t max,
    uint64_t *n);


static const rfl_str_t  rfl_link_channels[] = {
    rfl_string("natural"),
    rfl_string("outreach"),
    rfl_string("guest-post"),
    rfl_string("resource"),
    rfl_string("broken-link"),
    rfl_string("influencer"),
    rfl_string("social"),
    rfl_string("press"),
    rfl_string("email"),
    rfl_string("search"),
    rfl_string("directory"),
    rfl_string("word-of-mouth"),
    rfl_string("partner"),
    rfl_string("paid"),
    rfl_string("ai"),
    rfl_string("artificial"),
    rfl_string("other")
};


static const rfl_str_t  rfl_link_origins[] = {
    rfl_string("earned"),
    rfl_string("built"),
    rfl_string("created"),
    rfl_string("paid"),
    rfl_string("other")
};


static const rfl_str_t  rfl_link_placements[] = {
    rfl_string("content"),
    rfl_string("header"),
    rfl_string("footer"),
    rfl_string("sidebar"),
    rfl_string("comment"),
    rfl_string("bio"),
    rfl_string("other")
};


static const rfl_str_t  rfl_link_rels[] = {
    rfl_string("follow"),
    rfl_string("nofollow"),
    rfl_string("sponsored"),
    rfl_string("ugc")
};


/* Channels that are not listed are of origin "other". */

static const rfl_link_channel_origin_t  rfl_link_channel_origins[] = {
    { rfl_string("natural"),     rfl_string("earned") },
    { rfl_string("outreach"),    rfl_string("built") },
    { rfl_string("resource"),    rfl_string("built") },
    { rfl_string("broken-link"), rfl_string("built") },
    { rfl_string("influencer"),  rfl_string("built") },
    { rfl_string("press"),       rfl_string("built") },
    { rfl_string("guest-post"),  rfl_string("created") },
    { rfl_string("directory"),   rfl_string("created") },
    { rfl_string("partner"),     rfl_string("paid") },
    { rfl_string("paid"),        rfl_string("paid") },
    { rfl_string("artificial"),  rfl_string("paid") }
};


#define rfl_channel(text, word)                                               \
    { offsetof(rfl_link_t, channel), rfl_string(text), rfl_string(word) }

static const rfl_link_synonym_t  rfl_link_synonyms[] = {
    rfl_channel("unassigned", ""),
    rfl_channel("none", ""),
    rfl_channel("natural-link", "natural"),
    rfl_channel("natural-links", "natural"),
    rfl_channel("editorial", "natural"),
    rfl_channel("manual-outreach", "outreach"),
    rfl_channel("email-outreach", "outreach"),
    rfl_channel("blogger-outreach", "outreach"),
    rfl_channel("guest-posts", "guest-post"),
    rfl_channel("guest-posting", "guest-post"),
    rfl_channel("guest-blog", "guest-post"),
    rfl_channel("guest-blogging", "guest-post"),
    rfl_channel("guest-article", "guest-post"),
    rfl_channel("resources", "resource"),
    rfl_channel("resource-page", "resource"),
    rfl_channel("resource-pages", "resource"),
    rfl_channel("resource-link", "resource"),
    rfl_channel("resource-links", "resource"),
    rfl_channel("broken-links", "broken-link"),
    rfl_channel("broken-link-building", "broken-link"),
    rfl_channel("influencers", "influencer"),
    rfl_channel("influencer-marketing", "influencer"),
    rfl_channel("social-share", "social"),
    rfl_channel("social-shares", "social"),
    rfl_channel("social-media", "social"),
    rfl_channel("social-network", "social"),
    rfl_channel("social-networks", "social"),
    rfl_channel("pr", "press"),
    rfl_channel("digital-pr", "press"),
    rfl_channel("public-relations", "press"),
    rfl_channel("press-release", "press"),
    rfl_channel("press-releases", "press"),
    rfl_channel("e-mail", "email"),
    rfl_channel("emails", "email"),
    rfl_channel("email-marketing", "email"),
    rfl_channel("newsletter", "email"),
    rfl_channel("newsletters", "email"),
    rfl_channel("search-engine", "search"),
    rfl_channel("search-engines", "search"),
    rfl_channel("organic-search", "search"),
    rfl_channel("directories", "directory"),
    rfl_channel("directory-listing", "directory"),
    rfl_channel("directory-listings", "directory"),
    rfl_channel("web-directory", "directory"),
    rfl_channel("partners", "partner"),
    rfl_channel("partnership", "partner"),
    rfl_channel("affiliate", "partner"),
    rfl_channel("affiliates", "partner"),
    rfl_channel("ads", "paid"),
    rfl_channel("advertising", "paid"),
    rfl_channel("paid-link", "paid"),
    rfl_channel("paid-links", "paid"),
    rfl_channel("sponsored", "paid"),
    rfl_channel("artificial-intelligence", "ai"),
    rfl_channel("ai-assistant", "ai"),
    rfl_channel("ai-assistants", "ai"),
    rfl_channel("pbn", "artificial"),
    rfl_channel("link-farm", "artificial"),

    { offsetof(rfl_link_t, rel), rfl_string("dofollow"),
      rfl_string("follow") },
    { offsetof(rfl_link_t, rel), rfl_string("do-follow"),
      rfl_string("follow") },
    { offsetof(rfl_link_t, rel), rfl_string("no-follow"),
      rfl_string("nofollow") },
    { offsetof(rfl_link_t, rel), rfl_string("user-generated"),
      rfl_string("ugc") },

    { offsetof(rfl_link_t, placement), rfl_string("comments"),
      rfl_string("comment") },
    { offsetof(rfl_link_t, placement), rfl_string("author-bio"),
      rfl_string("bio") }
};


#define rfl_link_nitems(a)  (sizeof(a) / sizeof((a)[0]))

#define rfl_link_words(a)  a, rfl_link_nitems(a)

#define rfl_link_name(name)  rfl_string(name), rfl_json_member(name)

const rfl_link_field_t  rfl_link_fields[] = {

    { rfl_link_name("source"), RFL_FIELD_URL,
      offsetof(rfl_link_t, source), RFL_URL_MAX, 1, NULL, 0, 0,
      "the page, host or domain that carries the link; a tag link has none",
      1, rfl_link_check_line },

    { rfl_link_name("match_type"), RFL_FIELD_MATCH_TYPE,
      offsetof(rfl_link_t, match_type), RFL_WORD_MAX, 1, NULL, 0, 0,
      "how much of the source must match",
      2, NULL },

    { rfl_link_name("target"), RFL_FIELD_URL,
      offsetof(rfl_link_t, target), RFL_URL_MAX, 1, NULL, 0, 0,
      "the page of this site the link leads to, a path or a URL",
      3, rfl_link_check_line },

    { rfl_link_name("tag"), RFL_FIELD_TEXT,
      offsetof(rfl_link_t, tag), RFL_TAG_MAX, 0, NULL, 0, 0,
      "the value of a query argument that marks the link's visitors",
      4, rfl_link_check_tag },

    { rfl_link_name("name"), RFL_FIELD_TEXT,
      offsetof(rfl_link_t, name), RFL_NAME_MAX, 0, NULL, 0, 0,
      "what people call the link",
      5, rfl_link_check_line },

    { rfl_link_name("channel"), RFL_FIELD_WORD,
      offsetof(rfl_link_t, channel), RFL_WORD_MAX, 0,
      rfl_link_words(rfl_link_channels), 1,
      "how the link was obtained, a known channel or a word of your own",
      6, NULL },

    { rfl_link_name("origin"), RFL_FIELD_WORD,
      offsetof(rfl_link_t, origin), RFL_WORD_MAX, 0,
      rfl_link_words(rfl_link_origins), 0,
      "the kind of effort behind it; follows from the channel unless set",
      7, NULL },

    { rfl_link_name("partner"), RFL_FIELD_TEXT,
      offsetof(rfl_link_t, partner), RFL_PARTNER_MAX, 0, NULL, 0, 0,
      "who placed the link",
      8, rfl_link_check_line },

    { rfl_link_name("placement"), RFL_FIELD_WORD,
      offsetof(rfl_link_t, placement), RFL_WORD_MAX, 0,
      rfl_link_words(rfl_link_placements), 0,
      "where on the page the link stands",
      9, NULL },

    { rfl_link_name("rel"), RFL_FIELD_WORD,
      offsetof(rfl_link_t, rel), RFL_WORD_MAX, 0,
      rfl_link_words(rfl_link_rels), 0,
      "what the link's rel attribute tells search engines",
      10, NULL },

    { rfl_link_name("authority"), RFL_FIELD_NUMBER,
      offsetof(rfl_link_t, authority), 3, 0, NULL, 0, 0,
      "a rating of the source, 0 to 100",
      11, rfl_link_check_authority },

    { rfl_link_name("anchor"), RFL_FIELD_TEXT,
      offsetof(rfl_link_t, anchor), RFL_ANCHOR_MAX, 0, NULL, 0, 0,
      "the text of the link",
      12, rfl_link_check_line },

    { rfl_link_name("labels"), RFL_FIELD_LABELS,
      offsetof(rfl_link_t, labels), RFL_LABELS_TEXT_MAX, 0, NULL, 0, 0,
      "words of your own, separated by commas",
      13, NULL },

    { rfl_link_name("note"), RFL_FIELD_TEXT,
      offsetof(rfl_link_t, note), RFL_NOTE_MAX, 0, NULL, 0, 0,
      "anything else, also in several lines",
      14, rfl_link_check_note },

    { rfl_link_name("cost"), RFL_FIELD_NUMBER,
      offsetof(rfl_link_t, cost), RFL_COST_MAX, 0, NULL, 0, 0,
      "what the link cost, a decimal number",
      15, rfl_link_check_cost },

    { rfl_link_name("listed_first"), RFL_FIELD_DATE,
      offsetof(rfl_link_t, listed_first), RFL_DATE_MAX, 0, NULL, 0, 0,
      "when a backlink tool first listed the link",
      16, rfl_link_check_date },

    { rfl_link_name("listed_last"), RFL_FIELD_DATE,
      offsetof(rfl_link_t, listed_last), RFL_DATE_MAX, 0, NULL, 0, 0,
      "when a backlink tool last listed the link",
      17, rfl_link_check_date }
};


const size_t  rfl_link_nfields = rfl_link_nitems(rfl_link_fields);


/* The head takes 40 bytes at most, number and length of a field 4 each. */

_Static_assert(40 + 17 * 4 + 2 * RFL_URL_MAX + RFL_TAG_MAX + RFL_NAME_MAX
               + 4 * RFL_WORD_MAX + RFL_PARTNER_MAX + 3 + RFL_ANCHOR_MAX
               + RFL_LABELS_TEXT_MAX + RFL_NOTE_MAX + RFL_COST_MAX
               + 2 * RFL_DATE_MAX <= RFL_LINK_RECORD_MAX,
               "RFL_LINK_RECORD_MAX is too small");


const rfl_link_field_t *
rfl_link_field(rfl_str_t name)
{
    size_t  i;

    for (i = 0; i < rfl_link_nfields; i++) {
        if (rfl_str_eq(rfl_link_fields[i].name, name)) {
            return &rfl_link_fields[i];
        }
    }

    return NULL;
}


rfl_rc_t
rfl_link_set(rfl_link_t *link, const rfl_link_field_t *field, rfl_str_t value,
    u_char *scratch, rfl_error_t *err)
{
    rfl_rc_t  rc;

    value = field->type == RFL_FIELD_URL ? rfl_link_trim(value)
                                         : rfl_str_trim(value);

    if (field->type == RFL_FIELD_MATCH_TYPE) {
        if (value.len == 0) {
            link->match_type = RFL_MATCH_EXACT;
            return RFL_OK;
        }

        return rfl_match_type_parse(value, &link->match_type, err);
    }

    rc = RFL_OK;

    if (value.len != 0) {
        switch (field->type) {

        case RFL_FIELD_WORD:
            rc = rfl_link_word(field, &value, err);
            break;

        case RFL_FIELD_LABELS:
            rc = rfl_link_labels(field, &value, scratch, err);
            break;

        default:
            rc = rfl_link_text(field, value, err);
            break;
        }
    }

    if (rc != RFL_OK) {
        return rc;
    }

    *rfl_link_slice(link, field) = value;

    return RFL_OK;
}


/*
 * What spreadsheets and web pages leave at the ends of a URL that is copied out
 * of them looks like nothing, and would make another page of it.
 */

static rfl_str_t
rfl_link_trim(rfl_str_t value)
{
    size_t  n;

    value = rfl_str_trim(value);

    while ((n = rfl_link_blank(value, 0)) != 0) {
        value = rfl_str_trim(rfl_str(value.data + n, value.len - n));
    }

    for ( ;; ) {
        n = value.len >= 3 && rfl_link_blank(value, value.len - 3) == 3 ? 3
            : value.len >= 2 ? rfl_link_blank(value, value.len - 2) : 0;

        if (n == 0) {
            return value;
        }

        value = rfl_str_trim(rfl_str(value.data, value.len - n));
    }
}


/*
 * The length of a character at pos that is White_Space, or of no width, by the
 * Unicode standard: U+00A0, U+2000 to U+200F, U+2028 to U+202F, U+205F to
 * U+206F, U+3000, U+FEFF; else 0.
 */

static size_t
rfl_link_blank(rfl_str_t value, size_t pos)
{
    size_t         len;
    const u_char  *p;

    len = value.len - pos;

    if (len < 2) {
        return 0;                        /* there may be no bytes at all */
    }

    p = value.data + pos;

    if (p[0] == 0xc2 && p[1] == 0xa0) {
        return 2;
    }

    if (len < 3) {
        return 0;
    }

    return (p[0] == 0xe2 && p[1] == 0x80
            && ((p[2] >= 0x80 && p[2] <= 0x8f)
                || (p[2] >= 0xa8 && p[2] <= 0xaf)))
           || (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0x9f && p[2] <= 0xaf)
           || (p[0] == 0xe3 && p[1] == 0x80 && p[2] == 0x80)
           || (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf) ? 3 : 0;
}


rfl_rc_t
rfl_link_invalid(rfl_error_t *err, rfl_str_t field, rfl_str_t value,
    const char *fmt, ...)
{
    int      valid;
    char     shown[RFL_LINK_SHOWN + 1], fault[512];
    size_t   i, n, len;
    va_list  args;

    len = 0;

    /* whole characters; what is none is "?", as rfl_fail() has it */

    for (i = 0; i < value.len; i += n) {
        n = rfl_utf8_sequence(value, i, &valid);
        valid = valid && value.data[i] != '\0';

        if (len + (valid ? n : 1) > RFL_LINK_SHOWN) {
            break;
        }

        if (valid) {
            memcpy(shown + len, value.data + i, n);
            len += n;

        } else {
            shown[len++] = '?';
        }
    }

    shown[len] = '\0';

    va_start(args, fmt);
    (void) vsnprintf(fault, sizeof(fault), fmt, args);
    va_end(args);

    return rfl_fail(err, RFL_INVALID, "%.*s \"%s%s\": %s", (int) field.len,
                    (const char *) field.data, shown,
                    i < value.len ? "..." : "", fault);
}


rfl_str_t
rfl_link_origin(const rfl_link_t *link)
{
    size_t                            i;
    const rfl_link_channel_origin_t  *row;

    if (link->origin.len != 0) {
        return link->origin;
    }

    for (i = 0; i < rfl_link_nitems(rfl_link_channel_origins); i++) {
        row = &rfl_link_channel_origins[i];

        if (rfl_str_eq(row->channel, link->channel)) {
            return row->origin;
        }
    }

    return rfl_cstr("other");
}


rfl_str_t
rfl_link_channel(const rfl_link_t *link)
{
    return link->channel.len != 0 ? link->channel : rfl_cstr("unassigned");
}


static rfl_rc_t
rfl_link_text(const rfl_link_field_t *field, rfl_str_t value, rfl_error_t *err)
{
    const char  *fault;

    /* of a number, its range says more than its length */

    if (value.len > field->max && field->type != RFL_FIELD_NUMBER) {
        return rfl_link_invalid(err, field->name, value,
                                "is longer than %zu bytes", field->max);
    }

    fault = field->check(value);

    if (fault != NULL) {
        return rfl_link_invalid(err, field->name, value, "%s", fault);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_link_word(const rfl_link_field_t *field, rfl_str_t *value,
    rfl_error_t *err)
{
    u_char            buf[RFL_WORD_MAX];
    const rfl_str_t  *word;

    if (value->len > field->max) {
        return rfl_link_invalid(err, field->name, *value,
                                "is longer than %zu bytes", field->max);
    }

    word = rfl_link_known_word(field,
                               rfl_str(buf, rfl_link_plain_word(*value, buf)));

    if (word != NULL) {
        *value = *word;
        return RFL_OK;
    }

    if (field->open_words && rfl_link_is_word(*value)) {
        return RFL_OK;
    }

    return rfl_link_bad_word(field, *value, err);
}


static const rfl_str_t *
rfl_link_known_word(const rfl_link_field_t *field, rfl_str_t word)
{
    size_t                     i;
    const rfl_link_synonym_t  *synonym;

    for (i = 0; i < field->nwords; i++) {
        if (rfl_str_eq(field->words[i], word)) {
            return &field->words[i];
        }
    }

    for (i = 0; i < rfl_link_nitems(rfl_link_synonyms); i++) {
        synonym = &rfl_link_synonyms[i];

        if (synonym->offset == field->offset
            && rfl_str_eq(synonym->text, word))
        {
            return &synonym->word;
        }
    }

    return NULL;
}


/* Lower case; one "-" for each run of spaces, "_" and "-".  Never grows. */

static size_t
rfl_link_plain_word(rfl_str_t value, u_char *out)
{
    size_t  i, len;
    u_char  c;

    len = 0;

    for (i = 0; i < value.len; i++) {
        c = rfl_lower(value.data[i]);

        if (c == ' ' || c == '_' || c == '-') {
            if (len == 0 || out[len - 1] != '-') {
                out[len++] = '-';
            }

            continue;
        }

        out[len++] = c;
    }

    return len;
}


static int
rfl_link_is_word(rfl_str_t value)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < value.len; i++) {
        c = value.data[i];

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            continue;
        }

        if (c == '-' && i != 0) {
            continue;
        }

        return 0;
    }

    return 1;
}


static rfl_rc_t
rfl_link_bad_word(const rfl_link_field_t *field, rfl_str_t value,
    rfl_error_t *err)
{
    int     n;
    char    list[256];
    size_t  i, len;

    len = 0;
    list[0] = '\0';

    for (i = 0; i < field->nwords && len < sizeof(list); i++) {
        n = snprintf(list + len, sizeof(list) - len, "%s%.*s",
                     i == 0 ? "" : ", ", (int) field->words[i].len,
                     (const char *) field->words[i].data);

        len += (size_t) n;
    }

    return rfl_link_invalid(err, field->name, value,
                            field->open_words
                            ? "must be one of %s, or a word of a-z, 0-9 "
                              "and \"-\""
                            : "must be one of %s",
                            list);
}


/* In local memory first: value may stand in scratch. */

static rfl_rc_t
rfl_link_labels(const rfl_link_field_t *field, rfl_str_t *value,
    u_char *scratch, rfl_error_t *err)
{
    size_t             i;
    u_char             text[RFL_LABELS_TEXT_MAX], *p;
    rfl_rc_t           rc;
    rfl_str_t          rest, label;
    rfl_link_labels_t  labels;

    labels.n = 0;
    labels.text_len = 0;
    rest = *value;

    while (rest.len != 0) {
        label = rfl_str_trim(rfl_str_item(&rest));

        rc = rfl_link_labels_add(field, &labels, label, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    p = text;

    for (i = 0; i < labels.n; i++) {
        if (i != 0) {
            *p++ = ',';
        }

        memcpy(p, labels.items[i].data, labels.items[i].len);
        p += labels.items[i].len;
    }

    if (!rfl_str_eq(*value, rfl_str(text, labels.text_len))) {
        memcpy(scratch, text, labels.text_len);
        *value = rfl_str(scratch, labels.text_len);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_link_labels_add(const rfl_link_field_t *field, rfl_link_labels_t *labels,
    rfl_str_t label, rfl_error_t *err)
{
    int          found;
    size_t       at, len;
    const char  *fault;

    if (label.len == 0) {
        return RFL_OK;
    }

    if (label.len > RFL_WORD_MAX) {
        return rfl_link_invalid(err, field->name, label,
                                "a label is longer than %d bytes",
                                RFL_WORD_MAX);
    }

    fault = rfl_link_check_line(label);

    if (fault != NULL) {
        return rfl_link_invalid(err, field->name, label, "%s", fault);
    }

    at = rfl_link_labels_find(labels, label, &found);

    if (found) {
        return RFL_OK;
    }

    len = labels->text_len + (labels->n != 0) + label.len;

    if (len > field->max) {
        return rfl_link_invalid(err, field->name, label,
                                "all labels together are longer than %zu "
                                "bytes", field->max);
    }

    memmove(&labels->items[at + 1], &labels->items[at],
            (labels->n - at) * sizeof(rfl_str_t));
    labels->items[at] = label;
    labels->n++;
    labels->text_len = len;

    return RFL_OK;
}


/* Where the label stands, or belongs. */

static size_t
rfl_link_labels_find(const rfl_link_labels_t *labels, rfl_str_t label,
    int *found)
{
    int     order;
    size_t  low, high, middle;

    low = 0;
    high = labels->n;

    while (low < high) {
        middle = low + (high - low) / 2;
        order = rfl_str_cmp(labels->items[middle], label);

        if (order == 0) {
            *found = 1;
            return middle;
        }

        if (order < 0) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    *found = 0;

    return low;
}


static const char *
rfl_link_check_line(rfl_str_t value)
{
    size_t  i;

    for (i = 0; i < value.len; i++) {
        if (value.data[i] < ' ') {
            return "holds a control character";
        }
    }

    return NULL;
}


static const char *
rfl_link_check_note(rfl_str_t value)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < value.len; i++) {
        c = value.data[i];

        if (c < ' ' && c != '\t' && c != '\n') {
            return "holds a control character other than tab and newline";
        }
    }

    return NULL;
}


/* It must survive in a query: "?ref=TAG&...#...". */

static const char *
rfl_link_check_tag(rfl_str_t value)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < value.len; i++) {
        c = value.data[i];

        if (c <= ' ' || c == 0x7f) {
            return "holds a space or a control character";
        }

        if (c == '&' || c == '=' || c == '#') {
            return "holds \"&\", \"=\" or \"#\"";
        }
    }

    return NULL;
}


/* No leading zero: the text becomes a JSON number as it is. */

static const char *
rfl_link_check_authority(rfl_str_t value)
{
    int  n;

    if (value.len > sizeof("100") - 1
        || !rfl_number(value, 0, value.len, &n)
        || (value.data[0] == '0' && value.len > 1)
        || n > RFL_AUTHORITY_MAX)
    {
        return "must be a whole number from 0 to 100";
    }

    return NULL;
}


static const char *
rfl_link_check_cost(rfl_str_t value)
{
    size_t       whole, part;
    const char  *fault;

    fault = "must be a number such as 120 or 120.50, of at most 12 digits "
            "before the point and 4 behind it";

    whole = rfl_digits(value, 0);

    if (whole == 0 || whole > RFL_COST_WHOLE_MAX
        || (value.data[0] == '0' && whole > 1))
    {
        return fault;
    }

    if (whole == value.len) {
        return NULL;
    }

    if (value.data[whole] != '.') {
        return fault;
    }

    part = rfl_digits(value, whole + 1);

    if (part == 0 || part > RFL_COST_PART_MAX
        || whole + 1 + part != value.len)
    {
        return fault;
    }

    return NULL;
}


static const char *
rfl_link_check_date(rfl_str_t value)
{
    int               year, month, day, days;
    static const int  month_days[] = { 31, 28, 31, 30, 31, 30,
                                       31, 31, 30, 31, 30, 31 };

    if (value.len < 10
        || !rfl_number(value, 0, 4, &year) || value.data[4] != '-'
        || !rfl_number(value, 5, 2, &month) || value.data[7] != '-'
        || !rfl_number(value, 8, 2, &day))
    {
        return "must be a date, YYYY-MM-DD, or a time as in RFC 3339, "
               "2026-11-20T22:48:00Z";
    }

    if (month < 1 || month > 12) {
        return "there is no such month";
    }

    days = month_days[month - 1];

    if (month == 2
        && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0))
    {
        days++;
    }

    if (day < 1 || day > days) {
        return "there is no such day";
    }

    if (value.len != 10
        && !rfl_date_time(rfl_str(value.data + 10, value.len - 10)))
    {
        return "the time is not as in RFC 3339, 2026-11-20T22:48:00Z";
    }

    return NULL;
}


/* "T22:48:00.5+01:00" (RFC 3339, 5.6).  A leap second ends a day in UTC. */

static int
rfl_date_time(rfl_str_t time)
{
    int     hour, minute, second, offset;
    size_t  fraction, zone;

    if (time.len < 10
        || (time.data[0] != 'T' && time.data[0] != 't')
        || !rfl_number(time, 1, 2, &hour) || time.data[3] != ':'
        || !rfl_number(time, 4, 2, &minute) || time.data[6] != ':'
        || !rfl_number(time, 7, 2, &second))
    {
        return 0;
    }

    zone = 9;

    if (time.data[zone] == '.') {
        fraction = rfl_digits(time, zone + 1);

        if (fraction == 0) {
            return 0;
        }

        zone += 1 + fraction;
    }

    if (!rfl_date_zone(rfl_str(time.data + zone, time.len - zone), &offset)
        || hour > 23 || minute > 59 || second > 60)
    {
        return 0;
    }

    if (second == 60) {
        return (hour * 60 + minute - offset + 2 * 1440) % 1440 == 1439;
    }

    return 1;
}


/* "Z" or "+01:00"; *offset in minutes. */

static int
rfl_date_zone(rfl_str_t zone, int *offset)
{
    int  hour, minute;

    if (zone.len == 1 && (zone.data[0] == 'Z' || zone.data[0] == 'z')) {
        *offset = 0;
        return 1;
    }

    if (zone.len != 6
        || (zone.data[0] != '+' && zone.data[0] != '-')
        || !rfl_number(zone, 1, 2, &hour) || zone.data[3] != ':'
        || !rfl_number(zone, 4, 2, &minute)
        || hour > 23 || minute > 59)
    {
        return 0;
    }

    *offset = hour * 60 + minute;

    if (zone.data[0] == '-') {
        *offset = -*offset;
    }

    return 1;
}


/* Exactly len digits, 4 at most: no overflow. */

static int
rfl_number(rfl_str_t s, size_t pos, size_t len, int *n)
{
    size_t  i;

    *n = 0;

    for (i = pos; i < pos + len; i++) {
        if (i >= s.len || s.data[i] < '0' || s.data[i] > '9') {
            return 0;
        }

        *n = *n * 10 + (s.data[i] - '0');
    }

    return 1;
}


static size_t
rfl_digits(rfl_str_t s, size_t pos)
{
    size_t  i;

    i = pos;

    while (i < s.len && s.data[i] >= '0' && s.data[i] <= '9') {
        i++;
    }

    return i - pos;
}


size_t
rfl_link_encode(const rfl_link_t *link, u_char *out, size_t size)
{
    size_t                   i;
    u_char                   version, match_type;
    rfl_link_writer_t        w;
    const rfl_link_field_t  *field;

    w.pos = out;
    w.end = out + size;

    version = RFL_LINK_VERSION;
    match_type = (u_char) link->match_type;

    if (!rfl_link_write(&w, &version, 1)
        || !rfl_link_write(&w, &link->key, 8)
        || !rfl_link_write_varint(&w, link->id)
        || !rfl_link_write_varint(&w, link->revision)
        || !rfl_link_write_varint(&w, link->created)
        || !rfl_link_write(&w, &match_type, 1))
    {
        return 0;
    }

    for (i = 0; i < rfl_link_nfields; i++) {
        field = &rfl_link_fields[i];

        if (field->type != RFL_FIELD_MATCH_TYPE
            && !rfl_link_write_field(&w, field,
                                *rfl_link_slice((rfl_link_t *) link, field)))
        {
            return 0;
        }
    }

    return (size_t) (w.pos - out);
}


static int
rfl_link_write_field(rfl_link_writer_t *w, const rfl_link_field_t *field,
    rfl_str_t value)
{
    if (value.len == 0) {
        return 1;
    }

    return value.len <= field->max
           && rfl_link_write_varint(w, field->number)
           && rfl_link_write_varint(w, value.len)
           && rfl_link_write(w, value.data, value.len);
}


static int
rfl_link_write(rfl_link_writer_t *w, const void *data, size_t len)
{
    if (len > (size_t) (w->end - w->pos)) {
        return 0;
    }

    memcpy(w->pos, data, len);
    w->pos += len;

    return 1;
}


static int
rfl_link_write_varint(rfl_link_writer_t *w, uint64_t n)
{
    size_t  len;
    u_char  buf[10];

    len = 0;

    while (n >= 0x80) {
        buf[len++] = (u_char) (n | 0x80);
        n >>= 7;
    }

    buf[len++] = (u_char) n;

    return rfl_link_write(w, buf, len);
}


rfl_rc_t
rfl_link_decode(rfl_str_t record, rfl_link_t *link)
{
    size_t             row;
    rfl_rc_t           rc;
    rfl_link_reader_t  r;

    memset(link, 0, sizeof(rfl_link_t));

    if (record.len == 0) {
        return RFL_DAMAGED;
    }

    r.pos = record.data;
    r.end = record.data + record.len;

    rc = rfl_link_read_head(&r, link);
    if (rc != RFL_OK) {
        return rc;
    }

    row = 0;

    while (r.pos < r.end) {
        rc = rfl_link_read_field(&r, link, &row);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_link_read_head(rfl_link_reader_t *r, rfl_link_t *link)
{
    uint64_t  id, revision;

    if (*r->pos++ != RFL_LINK_VERSION) {
        return RFL_BAD_VERSION;
    }

    if (r->end - r->pos < 8) {
        return RFL_DAMAGED;
    }

    memcpy(&link->key, r->pos, 8);
    r->pos += 8;

    if (!rfl_link_read_varint(r, UINT32_MAX, &id)
        || !rfl_link_read_varint(r, UINT32_MAX, &revision)
        || !rfl_link_read_varint(r, UINT64_MAX, &link->created)
        || r->pos == r->end)
    {
        return RFL_DAMAGED;
    }

    link->id = (uint32_t) id;
    link->revision = (uint32_t) revision;

    if (*r->pos >= RFL_MATCH_TYPES) {
        return RFL_BAD_VERSION;
    }

    link->match_type = (rfl_match_type_t) *r->pos++;

    return RFL_OK;
}


/* *row: the first row of the table that may still follow. */

static rfl_rc_t
rfl_link_read_field(rfl_link_reader_t *r, rfl_link_t *link, size_t *row)
{
    size_t                   i;
    uint64_t                 number, len;
    const rfl_link_field_t  *field;

    if (!rfl_link_read_varint(r, UINT64_MAX, &number)) {
        return RFL_DAMAGED;
    }

    field = rfl_link_field_number(number);

    if (field == NULL) {
        return RFL_BAD_VERSION;
    }

    i = (size_t) (field - rfl_link_fields);

    if (i < *row
        || !rfl_link_read_varint(r, field->max, &len)
        || len == 0 || len > (uint64_t) (r->end - r->pos))
    {
        return RFL_DAMAGED;
    }

    *rfl_link_slice(link, field) = rfl_str(r->pos, (size_t) len);

    r->pos += len;
    *row = i + 1;

    return RFL_OK;
}


/*
 * A match type has no field of its own in a record.  Numbers were given in the
 * order of the table so far.
 */

static const rfl_link_field_t *
rfl_link_field_number(uint64_t number)
{
    size_t                   i;
    const rfl_link_field_t  *field;

    if (number - 1 < rfl_link_nitems(rfl_link_fields)) {
        field = &rfl_link_fields[number - 1];

        if (field->number == number && field->type != RFL_FIELD_MATCH_TYPE) {
            return field;
        }
    }

    for (i = 0; i < rfl_link_nfields; i++) {
        if (rfl_link_fields[i].number == number
            && rfl_link_fields[i].type != RFL_FIELD_MATCH_TYPE)
        {
            return &rfl_link_fields[i];
        }
    }

    return NULL;
}


/* Shortest form only: one record has one form. */

static inline int
rfl_link_read_varint(rfl_link_reader_t *r, uint64_t max, uint64_t *n)
{
    if (r->pos != r->end && *r->pos < 0x80) {
        *n = *r->pos++;
        return *n <= max;
    }

    return rfl_link_read_long(r, max, n);
}


static int
rfl_link_read_long(rfl_link_reader_t *r, uint64_t max, uint64_t *n)
{
    u_char    c;
    unsigned  shift;

    *n = 0;

    for (shift = 0; shift < 64; shift += 7) {

        if (r->pos == r->end) {
            return 0;
        }

        c = *r->pos++;

        if (shift == 63 && c > 1) {
            return 0;
        }

        *n |= (uint64_t) (c & 0x7f) << shift;

        if (c < 0x80) {
            return *n <= max && (c != 0 || shift == 0);
        }
    }

    return 0;
}


rfl_rc_t
rfl_link_copy(rfl_link_copy_t *copy, const rfl_link_t *link)
{
    size_t  len;

    len = rfl_link_encode(link, copy->record, sizeof(copy->record));
    if (len == 0) {
        return RFL_FULL;
    }

    return rfl_link_decode(rfl_str(copy->record, len), &copy->link);
}
