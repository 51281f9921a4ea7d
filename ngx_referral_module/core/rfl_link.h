/*
 * A registered link: its fields, the one table that describes them, and the
 * form in which the registry stores it.
 *
 * All fields are slices; numbers and dates are kept as the text they were
 * validated from.  source, match_type, target (and the tag, for match type
 * "tag") are the identity and never change; the tag of any other link may.
 */

#ifndef RFL_LINK_H
#define RFL_LINK_H

#include "rfl_json.h"
#include "rfl_terms.h"


typedef struct {
    uint64_t          key;               /* public: XXH3-128's low half */
    uint32_t          id;                /* dense: index of its cell */
    uint32_t          revision;          /* 1, then one more per change */
    uint64_t          created;           /* seconds since the epoch */
    rfl_match_type_t  match_type;

    rfl_str_t         source;            /* as given, trimmed; a tag link has
                                            none */
    rfl_str_t         target;            /* as given, trimmed, or empty */
    rfl_str_t         tag;
    rfl_str_t         name;
    rfl_str_t         channel;           /* empty: unassigned */
    rfl_str_t         origin;            /* empty: follows from channel */
    rfl_str_t         partner;
    rfl_str_t         placement;
    rfl_str_t         rel;
    rfl_str_t         authority;         /* digits, 0 to 100 */
    rfl_str_t         anchor;
    rfl_str_t         labels;            /* joined by ",", sorted, unique */
    rfl_str_t         note;
    rfl_str_t         cost;              /* decimal number */
    rfl_str_t         listed_first;      /* YYYY-MM-DD or RFC 3339 */
    rfl_str_t         listed_last;
} rfl_link_t;


typedef enum {
    RFL_FIELD_TEXT = 0,          /* valid UTF-8 is not required; no NUL */
    RFL_FIELD_URL,
    RFL_FIELD_MATCH_TYPE,
    RFL_FIELD_WORD,              /* one of a list, or any lower-case word */
    RFL_FIELD_NUMBER,
    RFL_FIELD_DATE,
    RFL_FIELD_LABELS
} rfl_link_field_type_t;


typedef struct {
    rfl_str_t               name;
    rfl_json_member_t       member;
    rfl_link_field_type_t   type;
    size_t                  offset;      /* of the slice in rfl_link_t */
    size_t                  max;         /* bytes */
    unsigned                identity;    /* 1: never changes */
    const rfl_str_t        *words;       /* WORD: the list */
    size_t                  nwords;
    unsigned                open_words;  /* WORD: other words are allowed */
    const char             *doc;         /* one line for the docs */
    unsigned                number;      /* in stored records; never reused */
    const char           *(*check)(rfl_str_t value);  /* the fault, or NULL */
} rfl_link_field_t;


/*
 * In the order in which JSON and CSV show them: source match_type target tag
 * name channel origin partner placement rel authority anchor labels note cost
 * listed_first listed_last.  match_type's offset is not a slice's.
 */

extern const rfl_link_field_t  rfl_link_fields[];
extern const size_t            rfl_link_nfields;

const rfl_link_field_t *rfl_link_field(rfl_str_t name);      /* or NULL */

static inline rfl_str_t *
rfl_link_slice(rfl_link_t *link, const rfl_link_field_t *field)
{
    return (rfl_str_t *) ((char *) link + field->offset);
}


/*
 * Validates value for the field and stores a slice: of the caller's bytes,
 * of a constant ("guest posting" becomes "guest-post"), or, for labels that
 * had to be sorted, of scratch, RFL_LABELS_TEXT_MAX bytes of the caller's
 * that live as long as the link.  White space around the value is cut, and
 * of a URL what is as invisible there (U+00A0, U+200B, U+FEFF and the like).
 * An empty value clears the field (a match type becomes "exact").  RFL_INVALID
 * names the field, the fault and the limit; the link is as it was.
 */

rfl_rc_t rfl_link_set(rfl_link_t *link, const rfl_link_field_t *field,
    rfl_str_t value, u_char *scratch, rfl_error_t *err);

/*
 * Fills err with: FIELD "VALUE": FAULT, and returns RFL_INVALID.  The value
 * is cut to RFL_LINK_SHOWN bytes; what is not printable ASCII becomes "?".
 */

#define RFL_LINK_SHOWN  60

rfl_rc_t rfl_link_invalid(rfl_error_t *err, rfl_str_t field, rfl_str_t value,
    const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#ifdef RFL_ANALYZE
#define rfl_link_invalid(err, field, value, ...)                              \
    (rfl_link_invalid(err, field, value, __VA_ARGS__), RFL_INVALID)
#endif


/* The origin set, or the one that follows from the channel. */

rfl_str_t rfl_link_origin(const rfl_link_t *link);

/* The channel, "unassigned" when empty. */

rfl_str_t rfl_link_channel(const rfl_link_t *link);


/*
 * The stored form: version byte, fixed part, then field number, length and
 * bytes of each non-empty field.  encode returns the length written, or 0 if
 * size is too small (RFL_LINK_RECORD_MAX always suffices) or a field exceeds
 * its limit.  decode's slices point into record; key and id are stored too.
 * RFL_BAD_VERSION for a version, match type or field this code does not know,
 * RFL_DAMAGED for bytes that make no sense.  What decodes encodes to the same
 * bytes.
 */

#define RFL_LINK_RECORD_MAX  (2 * RFL_URL_MAX + RFL_NOTE_MAX                  \
                              + RFL_LABELS_TEXT_MAX + RFL_ANCHOR_MAX + 2048)

size_t rfl_link_encode(const rfl_link_t *link, u_char *out, size_t size);
rfl_rc_t rfl_link_decode(rfl_str_t record, rfl_link_t *link);


/*
 * A link that outlives its transaction, and the next write.  RFL_FULL, or as
 * rfl_link_decode().
 */

typedef struct {
    rfl_link_t  link;
    u_char      record[RFL_LINK_RECORD_MAX];
} rfl_link_copy_t;

rfl_rc_t rfl_link_copy(rfl_link_copy_t *copy, const rfl_link_t *link);


#endif /* RFL_LINK_H */
