/*
 * JSON in: the body of a write, as links to be.  jansson reads it (RFC 8259;
 * strict: UTF-8, no name twice in an object, nothing behind the end); no other
 * file includes jansson.h.
 *
 * Of an array one item at a time is read.  So memory is for one link, not for
 * what some million brackets would make of it, and an item is refused by its
 * size and depth before jansson sees it.
 */

#ifndef RFL_JSON_IN_H
#define RFL_JSON_IN_H

#include "rfl_link.h"


#define RFL_JSON_IN_LINKS  10000         /* items of an array */
#define RFL_JSON_IN_SIZE   131072        /* bytes of one link: all its fields
                                            at their limits, each byte written
                                            as \u00XX, take 95,000 */
#define RFL_JSON_IN_DEPTH  8             /* of one link; one that is shown has
                                            a depth of 3 */
#define RFL_JSON_IN_FIELDS 24


/*
 * What a body sets.  An empty value clears the field: null and "" are the
 * same.  A number may be written as a string, too: 12.50 has a zero less.
 */

typedef struct {
    const rfl_link_field_t  *field;
    rfl_str_t                value;
} rfl_json_change_t;


typedef struct {
    rfl_json_change_t  changes[RFL_JSON_IN_FIELDS];      /* in the order of
                                                            rfl_link_fields */
    size_t             nchanges;
    rfl_str_t          created;          /* as it was shown, or empty: it is
                                            taken up by nobody but imports */
    size_t             n;                /* links read so far */
    unsigned           is_array:1;
    unsigned           shown:1;          /* members that only answers have are
                                            passed over: a link may be sent
                                            back as it was shown */

    /* the reader's own */
    rfl_str_t          body;
    size_t             pos;
    unsigned           ended:1;
    void              *value;            /* jansson's, of this link */
    char               where[32];
    char               numbers[RFL_JSON_IN_FIELDS][40];
    u_char             labels[2 * RFL_LABELS_TEXT_MAX];
} rfl_json_in_t;


/*
 * body is an object, or an array of objects, and outlives in.  Nothing is
 * read yet; "shown" may be set after it.
 */

void rfl_json_in_open(rfl_json_in_t *in, rfl_str_t body);
void rfl_json_in_close(rfl_json_in_t *in);

/*
 * The next link: fills changes, whose values are valid until the next call.
 * RFL_NOT_FOUND: that was all, and the body ended as it should.  Errors, with
 * a text: RFL_DAMAGED (no JSON, or no object where one is wanted),
 * RFL_INVALID (a member, which the text names), RFL_FULL (more links, a larger
 * or a deeper one than the limits say), RFL_NO_MEMORY.
 */

rfl_rc_t rfl_json_in_next(rfl_json_in_t *in, rfl_error_t *err);

/*
 * "" for an object, "links[3]" for an item: of the link read last.  What an
 * error text of a field begins with ends in ".", of a link in ": ".
 */

const char *rfl_json_in_where(const rfl_json_in_t *in);

/*
 * What stands around the items of a list: {"links":[],"next":null}.
 * *is_page: it has a "next", there are more links than these.  RFL_DAMAGED: no
 * JSON; RFL_NO_MEMORY.
 */

rfl_rc_t rfl_json_in_frame(rfl_str_t text, int *is_page, rfl_error_t *err);


#endif /* RFL_JSON_IN_H */
