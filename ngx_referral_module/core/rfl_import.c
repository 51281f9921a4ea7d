/*
 * See rfl_import.h.  A byte of bits for each id says what the rows said of its
 * link: that is all that grows with the list, but for 8 bytes more where fields
 * wait to be cleared.
 */

#include "rfl_import.h"

#include <stdlib.h>

#include "rfl_period.h"
#include "rfl_utf8.h"


#define SEEN_MIN   4096              /* ids */

/* What the rows said of a link. */

#define SEEN     0x01                /* one has named it */
#define OURS     0x02                /* and this import may change it */
#define LOST     0x04
#define LIVE     0x08
#define ASKED    0x10                /* rfl_import_has_named_first() */
#define COUNTED  0x20                /* as added or updated */
#define GAPS     0x40                /* there is something in gaps */

#define LABELS_ROOM  (RFL_LABELS_TEXT_MAX + RFL_IMPORT_MARKS_ROOM)

#define LABEL_LOST       "lost"
#define LABEL_DISAVOWED  "disavowed"


static rfl_rc_t make_link(rfl_import_t *im, const rfl_row_t *row,
    rfl_link_t *link, u_char *scratch, rfl_error_t *err);
static int is_utf8(rfl_str_t s);
static rfl_rc_t set_created(const rfl_row_t *row, rfl_link_t *link,
    rfl_error_t *err);
static rfl_rc_t first_seen(rfl_import_t *im, const rfl_row_t *row,
    const rfl_link_t *link, unsigned bits, rfl_error_t *err);
static rfl_rc_t known(rfl_import_t *im, const rfl_row_t *row, rfl_link_t *link,
    rfl_error_t *err);
static rfl_rc_t change(rfl_import_t *im, const rfl_row_t *row,
    const rfl_link_t *link, unsigned before, rfl_error_t *err);
static rfl_rc_t keep_link(rfl_import_t *im, uint32_t id, rfl_error_t *err);
static rfl_str_t decide(rfl_import_t *im, const rfl_row_t *row, size_t i,
    rfl_str_t want, unsigned before, rfl_import_gap_t *gap);
static int is_said(const rfl_import_t *im, const rfl_row_t *row, size_t i);
static rfl_rc_t set_gap(rfl_import_t *im, uint32_t id,
    const rfl_import_gap_t *gap, rfl_error_t *err);
static rfl_rc_t update(rfl_import_t *im, rfl_error_t *err);
static rfl_rc_t clear(rfl_import_t *im, uint32_t id, rfl_error_t *err);
static rfl_rc_t change_labels(rfl_import_t *im, const rfl_row_t *row,
    rfl_str_t want, unsigned before, rfl_error_t *err);
static rfl_str_t marked(rfl_str_t labels, unsigned marks, u_char *out);
static void put_label(u_char *out, size_t *len, rfl_str_t label);
static int is_named(void *data, uint32_t id);
static rfl_rc_t may_go_on(void *data, rfl_error_t *err);
static unsigned mark_bits(unsigned marks);
static unsigned seen(const rfl_import_t *im, uint32_t id);
static rfl_rc_t see(rfl_import_t *im, uint32_t id, unsigned bits,
    rfl_error_t *err);


rfl_rc_t
rfl_import_row(rfl_import_t *im, const rfl_row_t *row, rfl_error_t *err)
{
    u_char      scratch[RFL_LABELS_TEXT_MAX];
    rfl_rc_t    rc;
    rfl_link_t  link;

    rc = make_link(im, row, &link, scratch, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_registry_add(im->registry, &link, im->now, err);

    if (rc == RFL_OK) {
        im->counts.added++;
        im->changed = 1;
        return first_seen(im, row, &link, SEEN|OURS|COUNTED, err);
    }

    if (rc == RFL_EXISTS) {
        return known(im, row, &link, err);
    }

    return rc;
}


/* An empty cell takes the default. */

static rfl_rc_t
make_link(rfl_import_t *im, const rfl_row_t *row, rfl_link_t *link,
    u_char *scratch, rfl_error_t *err)
{
    int                      guess;
    u_char                   labels[LABELS_ROOM];
    size_t                   i;
    rfl_rc_t                 rc;
    rfl_str_t                value;
    const rfl_link_field_t  *field;

    memset(link, 0, sizeof(rfl_link_t));
    guess = 0;

    for (i = 0; i < rfl_link_nfields; i++) {
        field = &rfl_link_fields[i];

        value = rfl_str_trim(row->values[i]);

        if (value.len == 0) {
            value = im->defaults[i];
        }

        if (im->utf8 && !is_utf8(value)) {
            return rfl_link_invalid(err, field->name, value, "it is not "
                                    "UTF-8");
        }

        if (field->type == RFL_FIELD_MATCH_TYPE && value.len == 0) {
            guess = 1;
            continue;
        }

        if (field->type == RFL_FIELD_LABELS && row->marks != 0
            && value.len <= RFL_LABELS_TEXT_MAX)
        {
            value = marked(value, row->marks, labels);
        }

        rc = rfl_link_set(link, field, value, scratch, err);
        if (rc != RFL_OK) {
            return rc;
        }

        /* labels in order are a slice of what they were set from */

        if (field->type == RFL_FIELD_LABELS && link->labels.len != 0
            && link->labels.data != scratch)
        {
            memcpy(scratch, link->labels.data, link->labels.len);
            link->labels.data = scratch;
        }
    }

    if (guess) {
        link->match_type = rfl_identity_guess(link->source, link->tag);
    }

    if (link->source.len == 0 && link->match_type != RFL_MATCH_TAG) {
        return rfl_fail(err, RFL_INVALID, "source is empty");
    }

    return set_created(row, link, err);
}


static int
is_utf8(rfl_str_t s)
{
    int     valid;
    size_t  pos;

    valid = 1;

    for (pos = 0; pos < s.len && valid; /* void */ ) {
        pos += rfl_utf8_sequence(s, pos, &valid);
    }

    return valid;
}


/* So that an export that is read back is the same again. */

static rfl_rc_t
set_created(const rfl_row_t *row, rfl_link_t *link, rfl_error_t *err)
{
    rfl_str_t  value;

    value = rfl_str_trim(row->created);

    if (value.len == 0
        || rfl_time_parse(value, &link->created) == RFL_OK)
    {
        return RFL_OK;
    }

    return rfl_link_invalid(err, rfl_cstr("created"), value, "it is no time "
                            "as in 2026-11-20T22:48:00Z");
}


/* A link the rows have not named before. */

static rfl_rc_t
first_seen(rfl_import_t *im, const rfl_row_t *row, const rfl_link_t *link,
    unsigned bits, rfl_error_t *err)
{
    rfl_rc_t  rc;

    im->counts.links++;

    if (im->max_links != 0 && im->counts.links > im->max_links) {
        return rfl_fail(err, RFL_FULL, "more than %u links, which is "
                        "max_links", im->max_links);
    }

    if (im->named != NULL) {
        rc = im->named(im->data, rfl_registry_added(im->registry), err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return see(im, link->id, bits | mark_bits(row->marks), err);
}


static rfl_rc_t
known(rfl_import_t *im, const rfl_row_t *row, rfl_link_t *link,
    rfl_error_t *err)
{
    rfl_rc_t  rc;
    unsigned  before;

    before = seen(im, link->id);

    if (before != 0) {
        im->counts.merged++;

        rc = (before & OURS) ? change(im, row, link, before, err) : RFL_OK;

        return rc == RFL_OK ? see(im, link->id, mark_bits(row->marks), err)
                            : rc;
    }

    im->counts.registered++;

    rc = first_seen(im, row, link, im->update ? SEEN|OURS : SEEN, err);

    return rc == RFL_OK && im->update ? change(im, row, link, 0, err) : rc;
}


/*
 * before: what earlier rows said of the link.  If there were some, this row
 * fills what they left empty.  Else it takes over each field the file has a
 * column for, or that has a default; an empty cell leaves a gap.
 */

static rfl_rc_t
change(rfl_import_t *im, const rfl_row_t *row, const rfl_link_t *link,
    unsigned before, rfl_error_t *err)
{
    int                      changed;
    size_t                   i;
    rfl_rc_t                 rc;
    rfl_str_t               *have, want, labels;
    rfl_link_t               wanted;
    rfl_import_gap_t         gap;
    const rfl_link_field_t  *field;

    wanted = *link;
    changed = 0;

    rc = keep_link(im, link->id, err);
    if (rc != RFL_OK) {
        return rc;
    }

    memset(&gap, 0, sizeof(rfl_import_gap_t));

    if (before & GAPS) {
        gap = im->gaps[link->id];
    }

    for (i = 0; i < rfl_link_nfields; i++) {
        field = &rfl_link_fields[i];

        if (field->identity || field->type == RFL_FIELD_MATCH_TYPE) {
            continue;
        }

        have = rfl_link_slice(&im->kept.link, field);
        want = decide(im, row, i, *rfl_link_slice(&wanted, field), before,
                      &gap);

        if (field->type == RFL_FIELD_LABELS && row->marks != 0) {
            labels = *have;

            rc = change_labels(im, row, want, before, err);
            if (rc != RFL_OK) {
                return rc;
            }

            changed |= !rfl_str_eq(labels, *have);
            continue;
        }

        if (!rfl_str_eq(*have, want)) {
            *have = want;
            changed = 1;
        }
    }

    if ((before & GAPS) || gap.empty != 0) {
        rc = set_gap(im, link->id, &gap, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return changed ? update(im, err) : RFL_OK;
}


/* The registered link, as im->kept. */

static rfl_rc_t
keep_link(rfl_import_t *im, uint32_t id, rfl_error_t *err)
{
    rfl_rc_t    rc;
    rfl_link_t  stored;

    rc = rfl_registry_link(im->registry, id, &stored);

    if (rc == RFL_OK) {
        rc = rfl_link_copy(&im->kept, &stored);
    }

    return rc == RFL_OK ? RFL_OK
                        : rfl_fail(err, RFL_DAMAGED, "a registered link "
                                   "cannot be read");
}


/*
 * What field i of im->kept is to be, as far as this row and those before it
 * say.  want: what the row says, with the labels of its marks.
 */

static rfl_str_t
decide(rfl_import_t *im, const rfl_row_t *row, size_t i, rfl_str_t want,
    unsigned before, rfl_import_gap_t *gap)
{
    int                      said;
    uint32_t                 bit;
    rfl_str_t                have;
    const rfl_link_field_t  *field;

    field = &rfl_link_fields[i];
    have = *rfl_link_slice(&im->kept.link, field);
    bit = (uint32_t) 1 << i;

    if (before != 0 && (gap->empty & bit) == 0) {
        return have.len != 0 ? have : want;
    }

    said = is_said(im, row, i);

    /* labels of marks fill it, beside others or alone */

    if (said || (field->type == RFL_FIELD_LABELS && row->marks != 0)) {

        if (!said && !row->given[i] && (gap->cleared & bit) == 0) {
            want = have;
        }

        gap->empty &= ~bit;
        gap->cleared &= ~bit;

        return want;
    }

    if (have.len != 0) {
        gap->empty |= bit;
        gap->cleared |= row->given[i] ? bit : 0;
    }

    return have;
}


/* Whether the row, or a default, has a value for the field. */

static int
is_said(const rfl_import_t *im, const rfl_row_t *row, size_t i)
{
    return im->defaults[i].len != 0 || rfl_str_trim(row->values[i]).len != 0;
}


/* Of a link that was seen. */

static rfl_rc_t
set_gap(rfl_import_t *im, uint32_t id, const rfl_import_gap_t *gap,
    rfl_error_t *err)
{
    rfl_import_gap_t  *gaps;

    if (id >= im->gaps_size) {
        gaps = realloc(im->gaps, im->seen_size * sizeof(rfl_import_gap_t));
        if (gaps == NULL) {
            return rfl_fail(err, RFL_NO_MEMORY, "no memory");
        }

        im->gaps = gaps;
        im->gaps_size = im->seen_size;
    }

    im->gaps[id] = *gap;
    im->seen[id] |= GAPS;

    return RFL_OK;
}


/* Writes im->kept. */

static rfl_rc_t
update(rfl_import_t *im, rfl_error_t *err)
{
    uint32_t  id;

    id = im->kept.link.id;
    im->changed = 1;

    if ((im->seen[id] & COUNTED) == 0) {
        im->seen[id] |= COUNTED;
        im->counts.registered--;
        im->counts.updated++;
    }

    return rfl_registry_update(im->registry, &im->kept.link, err);
}


rfl_rc_t
rfl_import_clear(rfl_import_t *im, rfl_error_t *err)
{
    rfl_rc_t  rc;
    uint32_t  id;

    for (id = 0; id < im->gaps_size; id++) {

        if ((im->seen[id] & GAPS) == 0 || im->gaps[id].cleared == 0) {
            continue;
        }

        rc = im->may_go_on != NULL ? im->may_go_on(im->data, err) : RFL_OK;

        if (rc == RFL_OK) {
            rc = clear(im, id, err);
        }

        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
clear(rfl_import_t *im, uint32_t id, rfl_error_t *err)
{
    size_t    i;
    rfl_rc_t  rc;

    rc = keep_link(im, id, err);
    if (rc != RFL_OK) {
        return rc;
    }

    for (i = 0; i < rfl_link_nfields; i++) {
        if (im->gaps[id].cleared & ((uint32_t) 1 << i)) {
            *rfl_link_slice(&im->kept.link, &rfl_link_fields[i]) =
                                                              rfl_str(NULL, 0);
        }
    }

    im->gaps[id].cleared = 0;

    return update(im, err);
}


/* Sets the labels of im->kept. */

static rfl_rc_t
change_labels(rfl_import_t *im, const rfl_row_t *row, rfl_str_t want,
    unsigned before, rfl_error_t *err)
{
    u_char      labels[LABELS_ROOM], *scratch;
    rfl_rc_t    rc;
    unsigned    marks;
    rfl_link_t  link;

    scratch = im->labels;
    marks = row->marks;

    if ((before & LIVE) || (marks & RFL_IMPORT_LIVE)) {
        marks &= ~(unsigned) RFL_IMPORT_LOST;
        marks |= RFL_IMPORT_LIVE;
    }

    memset(&link, 0, sizeof(rfl_link_t));

    rc = rfl_link_set(&link, rfl_link_field(rfl_cstr("labels")),
                      marked(want, marks, labels), scratch, err);
    if (rc != RFL_OK) {
        return rc;
    }

    memmove(scratch, link.labels.data, link.labels.len);
    im->kept.link.labels = rfl_str(scratch, link.labels.len);

    return RFL_OK;
}


/* The labels with those of the marks, and without "lost" of what lives. */

static rfl_str_t
marked(rfl_str_t labels, unsigned marks, u_char *out)
{
    size_t     len;
    rfl_str_t  label;

    len = 0;

    while (labels.len != 0) {
        label = rfl_str_trim(rfl_str_item(&labels));

        if (!(marks & RFL_IMPORT_LIVE)
            || !rfl_str_eq(label, rfl_cstr(LABEL_LOST)))
        {
            put_label(out, &len, label);
        }
    }

    if (marks & RFL_IMPORT_LOST) {
        put_label(out, &len, rfl_cstr(LABEL_LOST));
    }

    if (marks & RFL_IMPORT_DISAVOWED) {
        put_label(out, &len, rfl_cstr(LABEL_DISAVOWED));
    }

    return rfl_str(out, len);
}


static void
put_label(u_char *out, size_t *len, rfl_str_t label)
{
    if (*len != 0) {
        out[(*len)++] = ',';
    }

    memcpy(out + *len, label.data, label.len);
    *len += label.len;
}


rfl_rc_t
rfl_import_remove_others(rfl_import_t *im, rfl_error_t *err)
{
    rfl_rc_t                rc;
    uint64_t                removed;
    rfl_registry_others_t   others;

    others.keeps = is_named;
    others.may_go_on = im->may_go_on != NULL ? may_go_on : NULL;
    others.data = im;

    rc = rfl_registry_remove_others(im->registry, &others, &removed, err);

    im->counts.removed += removed;
    im->changed |= removed != 0;

    return rc;
}


static int
is_named(void *data, uint32_t id)
{
    return seen(data, id) != 0;
}


static rfl_rc_t
may_go_on(void *data, rfl_error_t *err)
{
    rfl_import_t *im = data;

    return im->may_go_on(im->data, err);
}


int
rfl_import_has_named(const rfl_import_t *im, uint32_t id)
{
    return (seen(im, id) & SEEN) != 0;
}


int
rfl_import_has_named_first(rfl_import_t *im, uint32_t id)
{
    if ((seen(im, id) & (SEEN|ASKED)) != SEEN) {
        return 0;
    }

    im->seen[id] |= ASKED;

    return 1;
}


static unsigned
mark_bits(unsigned marks)
{
    return ((marks & RFL_IMPORT_LOST) ? LOST : 0)
           | ((marks & RFL_IMPORT_LIVE) ? LIVE : 0);
}


static unsigned
seen(const rfl_import_t *im, uint32_t id)
{
    return id < im->seen_size ? im->seen[id] : 0;
}


static rfl_rc_t
see(rfl_import_t *im, uint32_t id, unsigned bits, rfl_error_t *err)
{
    size_t   size;
    u_char  *bytes;

    if (id >= im->seen_size) {
        size = 2 * (size_t) id > SEEN_MIN ? 2 * (size_t) id : SEEN_MIN;

        bytes = realloc(im->seen, size);
        if (bytes == NULL) {
            return rfl_fail(err, RFL_NO_MEMORY, "no memory");
        }

        memset(bytes + im->seen_size, 0, size - im->seen_size);
        im->seen = bytes;
        im->seen_size = size;
    }

    im->seen[id] |= (u_char) bits;

    return RFL_OK;
}


void
rfl_import_free(rfl_import_t *im)
{
    free(im->seen);
    im->seen = NULL;
    im->seen_size = 0;

    free(im->gaps);
    im->gaps = NULL;
    im->gaps_size = 0;
}
