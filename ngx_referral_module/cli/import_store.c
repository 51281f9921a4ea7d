/*
 * From a row to a link of the registry: added, merged with an earlier row of
 * this import, updated, or left as it is.
 */

#include "import.h"

#include "rfl_hash.h"
#include "rfl_period.h"

#include <stdlib.h>


#define SEEN_MIN   4096              /* ids */
#define HOSTS_MIN  1024              /* places */

/* What the rows said of a link. */

#define SEEN     0x01                /* one has named it */
#define OURS     0x02                /* and this import may change it */
#define LOST     0x04
#define LIVE     0x08
#define GROUPED  0x10                /* only its group can be named */

#define LABELS_ROOM  (RFL_LABELS_TEXT_MAX + IMPORT_MARKS_ROOM)

#define LABEL_LOST       "lost"
#define LABEL_DISAVOWED  "disavowed"


/* Of import_count_groups(): the group that is walked. */

typedef struct {
    import_t  *im;
    uint32_t   group;
    unsigned   counts:1;             /* its links can only be named together */
} grouping_t;


static rfl_rc_t make_link(import_t *im, const import_row_t *row,
    rfl_link_t *link, u_char *scratch, rfl_error_t *err);
static rfl_rc_t set_created(const import_row_t *row, rfl_link_t *link,
    rfl_error_t *err);
static rfl_rc_t first_seen(import_t *im, const import_row_t *row,
    const rfl_link_t *link, unsigned bits, rfl_error_t *err);
static rfl_rc_t count_target(import_t *im, rfl_error_t *err);
static size_t plain_host(rfl_str_t surt, u_char *out);
static rfl_rc_t known(import_t *im, const import_row_t *row, rfl_link_t *link,
    rfl_error_t *err);
static rfl_rc_t change(import_t *im, const import_row_t *row,
    const rfl_link_t *link, unsigned before, int *changed, rfl_error_t *err);
static rfl_rc_t change_labels(import_t *im, const import_row_t *row,
    rfl_str_t want, unsigned before, rfl_error_t *err);
static rfl_str_t marked(rfl_str_t labels, unsigned marks, u_char *out);
static void put_label(u_char *out, size_t *len, rfl_str_t label);
static rfl_rc_t count_member(void *data, uint32_t group, uint32_t link_id);
static unsigned mark_bits(unsigned marks);
static unsigned seen(const import_t *im, uint32_t id);
static rfl_rc_t see(import_t *im, uint32_t id, unsigned bits,
    rfl_error_t *err);
static rfl_rc_t add_host(import_t *im, uint64_t hash, rfl_error_t *err);
static rfl_rc_t grow_hosts(import_set_t *set, rfl_error_t *err);
static int put_host(import_set_t *set, uint64_t hash);


rfl_rc_t
import_row(import_t *im, const import_row_t *row, rfl_error_t *err)
{
    u_char      scratch[RFL_LABELS_TEXT_MAX];
    rfl_rc_t    rc;
    rfl_link_t  link;

    rc = make_link(im, row, &link, scratch, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_registry_add(im->env.registry, &link, im->now, err);

    if (rc == RFL_OK) {
        im->counts.added++;
        return first_seen(im, row, &link, SEEN|OURS, err);
    }

    if (rc == RFL_EXISTS) {
        return known(im, row, &link, err);
    }

    return rc;
}


/* An empty cell takes the default of --set. */

static rfl_rc_t
make_link(import_t *im, const import_row_t *row, rfl_link_t *link,
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


/* So that an export that is read back is the same again. */

static rfl_rc_t
set_created(const import_row_t *row, rfl_link_t *link, rfl_error_t *err)
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


/* A link the rows have not named before.  It is in rfl_registry_added(). */

static rfl_rc_t
first_seen(import_t *im, const import_row_t *row, const rfl_link_t *link,
    unsigned bits, rfl_error_t *err)
{
    rfl_rc_t               rc;
    const rfl_identity_t  *identity;

    identity = rfl_registry_added(im->env.registry);

    im->counts.links++;

    if (identity->source.host_len != 0) {
        rc = add_host(im, rfl_hash(identity->source.buf,
                                   identity->source.host_len).low, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (identity->target_has_host) {
        rc = count_target(im, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return see(im, link->id, bits | mark_bits(row->marks), err);
}


static rfl_rc_t
count_target(import_t *im, rfl_error_t *err)
{
    size_t                 i, len;
    u_char                 host[RFL_HOST_MAX + 16];
    const u_char          *end;
    const rfl_identity_t  *identity;

    identity = rfl_registry_added(im->env.registry);

    end = memchr(identity->target, ')', identity->target_len);

    if (end == NULL || (size_t) (end - identity->target) > sizeof(host)) {
        return rfl_fail(err, RFL_ERROR, "a target has no host");
    }

    len = plain_host(rfl_str(identity->target,
                             (size_t) (end - identity->target)), host);

    for (i = 0; i < im->ntargets; i++) {
        if (im->targets[i].len == len
            && memcmp(im->targets[i].host, host, len) == 0)
        {
            im->targets[i].links++;
            return RFL_OK;
        }
    }

    if (im->ntargets == IMPORT_TARGETS_MAX) {
        im->other_targets++;
        return RFL_OK;
    }

    memcpy(im->targets[i].host, host, len);
    im->targets[i].len = len;
    im->targets[i].links = 1;
    im->ntargets++;

    return RFL_OK;
}


/* "example,shop" as people write it; addresses have no commas. */

static size_t
plain_host(rfl_str_t surt, u_char *out)
{
    size_t         len, end;
    const u_char  *comma;

    len = 0;
    end = surt.len;

    for ( ;; ) {
        comma = memrchr(surt.data, ',', end);

        if (comma == NULL) {
            memcpy(out + len, surt.data, end);
            return len + end;
        }

        comma++;
        memcpy(out + len, comma, (size_t) (surt.data + end - comma));
        len += (size_t) (surt.data + end - comma);
        out[len++] = '.';

        end = (size_t) (comma - 1 - surt.data);
    }
}


static rfl_rc_t
known(import_t *im, const import_row_t *row, rfl_link_t *link,
    rfl_error_t *err)
{
    int       changed;
    rfl_rc_t  rc;
    unsigned  before;

    changed = 0;
    before = seen(im, link->id);

    if (before != 0) {
        im->counts.merged++;

        rc = (before & OURS) ? change(im, row, link, before, &changed, err)
                             : RFL_OK;

        return rc == RFL_OK ? see(im, link->id, mark_bits(row->marks), err)
                            : rc;
    }

    rc = first_seen(im, row, link, im->update ? SEEN|OURS : SEEN, err);

    if (rc == RFL_OK && im->update) {
        rc = change(im, row, link, 0, &changed, err);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    if (changed) {
        im->counts.updated++;

    } else {
        im->counts.registered++;
    }

    return RFL_OK;
}


/*
 * before: what earlier rows said of the link.  If there were some, this row
 * fills what they left empty.  Else it takes over each field the file has a
 * column for, or that has a default: an empty cell clears.
 */

static rfl_rc_t
change(import_t *im, const import_row_t *row, const rfl_link_t *link,
    unsigned before, int *changed, rfl_error_t *err)
{
    size_t                   i;
    rfl_rc_t                 rc;
    rfl_str_t               *have, want, labels;
    rfl_link_t               stored, wanted;
    const rfl_link_field_t  *field;

    wanted = *link;

    rc = rfl_registry_link(im->env.registry, link->id, &stored);

    if (rc == RFL_OK) {
        rc = cli_link_keep(&im->kept, &stored);
    }

    if (rc != RFL_OK) {
        return rfl_fail(err, RFL_DAMAGED, "a registered link cannot be read");
    }

    for (i = 0; i < rfl_link_nfields; i++) {
        field = &rfl_link_fields[i];

        if (field->identity || field->type == RFL_FIELD_MATCH_TYPE) {
            continue;
        }

        have = rfl_link_slice(&im->kept.link, field);
        want = *rfl_link_slice(&wanted, field);

        if (before != 0 ? have->len != 0
                        : !row->given[i] && im->defaults[i].len == 0)
        {
            want = *have;
        }

        if (field->type == RFL_FIELD_LABELS && row->marks != 0) {
            labels = *have;

            rc = change_labels(im, row, want, before, err);
            if (rc != RFL_OK) {
                return rc;
            }

            *changed |= !rfl_str_eq(labels, *have);
            continue;
        }

        if (!rfl_str_eq(*have, want)) {
            *have = want;
            *changed = 1;
        }
    }

    if (!*changed) {
        return RFL_OK;
    }

    return rfl_registry_update(im->env.registry, &im->kept.link, err);
}


/* Sets the labels of im->kept. */

static rfl_rc_t
change_labels(import_t *im, const import_row_t *row, rfl_str_t want,
    unsigned before, rfl_error_t *err)
{
    u_char      labels[LABELS_ROOM], *scratch;
    rfl_rc_t    rc;
    unsigned    marks;
    rfl_link_t  link;

    scratch = im->labels;
    marks = row->marks;

    if ((before & LIVE) || (marks & IMPORT_MARK_LIVE)) {
        marks &= ~(unsigned) IMPORT_MARK_LOST;
        marks |= IMPORT_MARK_LIVE;
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
    size_t         len, n;
    rfl_str_t      label;
    const u_char  *comma;

    len = 0;

    while (labels.len != 0) {
        comma = memchr(labels.data, ',', labels.len);
        n = comma != NULL ? (size_t) (comma - labels.data) : labels.len;

        label = rfl_str_trim(rfl_str(labels.data, n));

        if (!(marks & IMPORT_MARK_LIVE)
            || !rfl_str_eq(label, rfl_cstr(LABEL_LOST)))
        {
            put_label(out, &len, label);
        }

        n += comma != NULL;
        labels = rfl_str(labels.data + n, labels.len - n);
    }

    if (marks & IMPORT_MARK_LOST) {
        put_label(out, &len, rfl_cstr(LABEL_LOST));
    }

    if (marks & IMPORT_MARK_DISAVOWED) {
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


/*
 * Links that a Referer without a path, which is what browsers send, cannot
 * tell apart: page links of a host with the same target, or with none, and
 * tag links alike.  Other groups are not in the way: the landing decides.
 */

rfl_rc_t
import_count_groups(import_t *im, rfl_error_t *err)
{
    rfl_rc_t    rc;
    grouping_t  grouping;

    grouping.im = im;
    grouping.group = 0;
    grouping.counts = 0;

    rc = rfl_registry_walk_members(im->env.registry, count_member, &grouping);

    return rc == RFL_OK ? RFL_OK
                        : rfl_fail(err, rc, "the groups cannot be read");
}


static rfl_rc_t
count_member(void *data, uint32_t group_id, uint32_t link_id)
{
    grouping_t *grouping = data;

    unsigned      bits;
    rfl_rc_t      rc;
    import_t     *im;
    rfl_group_t   group;

    im = grouping->im;

    if (group_id != grouping->group) {
        rc = rfl_registry_group(im->env.registry, group_id, &group);
        if (rc != RFL_OK) {
            return rc;
        }

        grouping->group = group_id;
        grouping->counts = group.links > 1
                           && (group.kind == RFL_SLOT_LANDING
                               || group.kind == RFL_SLOT_BLANK
                               || group.kind == RFL_SLOT_TAG_TARGET);
    }

    bits = seen(im, link_id);

    if (grouping->counts && (bits & SEEN) && !(bits & GROUPED)) {
        im->seen[link_id] |= GROUPED;
        im->counts.grouped++;
    }

    return RFL_OK;
}


rfl_rc_t
import_retire(import_t *im, rfl_error_t *err)
{
    rfl_rc_t    rc;
    uint64_t    key;
    rfl_link_t  link;

    key = 0;

    for ( ;; ) {
        rc = rfl_registry_next_key(im->env.registry, key, &link);

        if (rc == RFL_NOT_FOUND) {
            return RFL_OK;
        }

        if (rc != RFL_OK) {
            return rfl_fail(err, rc, "a registered link cannot be read");
        }

        key = link.key;

        if (seen(im, link.id) == 0) {
            rc = rfl_registry_remove(im->env.registry, key, err);
            if (rc != RFL_OK) {
                return rc;
            }

            im->counts.retired++;
        }

        if (key == UINT64_MAX) {
            return RFL_OK;
        }

        key++;
    }
}


static unsigned
mark_bits(unsigned marks)
{
    return ((marks & IMPORT_MARK_LOST) ? LOST : 0)
           | ((marks & IMPORT_MARK_LIVE) ? LIVE : 0);
}


static unsigned
seen(const import_t *im, uint32_t id)
{
    return id < im->seen_size ? im->seen[id] : 0;
}


static rfl_rc_t
see(import_t *im, uint32_t id, unsigned bits, rfl_error_t *err)
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


static rfl_rc_t
add_host(import_t *im, uint64_t hash, rfl_error_t *err)
{
    rfl_rc_t  rc;

    if (im->hosts.n * 2 >= im->hosts.size) {
        rc = grow_hosts(&im->hosts, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (put_host(&im->hosts, hash != 0 ? hash : 1)) {
        im->counts.hosts++;
    }

    return RFL_OK;
}


static rfl_rc_t
grow_hosts(import_set_t *set, rfl_error_t *err)
{
    size_t        i;
    import_set_t  bigger;

    bigger.n = 0;
    bigger.size = set->size != 0 ? 2 * set->size : HOSTS_MIN;
    bigger.places = calloc(bigger.size, sizeof(uint64_t));

    if (bigger.places == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "no memory");
    }

    for (i = 0; i < set->size; i++) {
        if (set->places[i] != 0) {
            (void) put_host(&bigger, set->places[i]);
        }
    }

    free(set->places);
    *set = bigger;

    return RFL_OK;
}


/* Whether it was not there. */

static int
put_host(import_set_t *set, uint64_t hash)
{
    size_t  i;

    for (i = hash & (set->size - 1); set->places[i] != 0;
         i = (i + 1) & (set->size - 1))
    {
        if (set->places[i] == hash) {
            return 0;
        }
    }

    set->places[i] = hash;
    set->n++;

    return 1;
}


void
import_free(import_t *im)
{
    free(im->seen);
    free(im->hosts.places);
    rfl_buf_free(&im->bad_header);
}
