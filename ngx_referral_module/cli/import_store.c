/*
 * From a row to a link of the registry: added, merged with an earlier row of
 * this import, updated, or left as it is.
 */

#include "import.h"

#include "rfl_hash.h"

#include <stdlib.h>


#define SEEN_MIN   4096              /* bytes */
#define SEEN       1                 /* a row has named the link */
#define OURS       2                 /* and this import may change it */
#define HOSTS_MIN  1024              /* places */


static rfl_rc_t make_link(import_t *im, const import_row_t *row,
    rfl_link_t *link, u_char *scratch, rfl_error_t *err);
static rfl_rc_t added(import_t *im, const rfl_link_t *link, rfl_error_t *err);
static rfl_rc_t known(import_t *im, const import_row_t *row, rfl_link_t *link,
    rfl_error_t *err);
static rfl_rc_t change(import_t *im, const import_row_t *row,
    const rfl_link_t *link, int merge, int *changed, rfl_error_t *err);
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
        return added(im, &link, err);
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

        rc = rfl_link_set(link, field, value, scratch, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (guess) {
        link->match_type = rfl_identity_guess(link->source, link->tag);
    }

    if (link->source.len == 0 && link->match_type != RFL_MATCH_TAG) {
        return rfl_fail(err, RFL_INVALID, "source is empty");
    }

    return RFL_OK;
}


static rfl_rc_t
added(import_t *im, const rfl_link_t *link, rfl_error_t *err)
{
    rfl_rc_t  rc;

    rc = rfl_identity(link, &im->identity, err);
    if (rc != RFL_OK) {
        return rc;
    }

    im->counts.added++;

    if (im->identity.source.host_len == 0) {
        return see(im, link->id, SEEN|OURS, err);
    }

    rc = add_host(im, rfl_hash(im->identity.source.buf,
                               im->identity.source.host_len).low, err);
    if (rc != RFL_OK) {
        return rc;
    }

    return see(im, link->id, SEEN|OURS, err);
}


static rfl_rc_t
known(import_t *im, const import_row_t *row, rfl_link_t *link,
    rfl_error_t *err)
{
    int       changed;
    rfl_rc_t  rc;
    unsigned  bits;

    changed = 0;
    bits = seen(im, link->id);

    if (bits != 0) {
        im->counts.merged++;

        return (bits & OURS) ? change(im, row, link, 1, &changed, err)
                             : RFL_OK;
    }

    if (!im->update) {
        im->counts.registered++;
        return see(im, link->id, SEEN, err);
    }

    rc = change(im, row, link, 0, &changed, err);
    if (rc != RFL_OK) {
        return rc;
    }

    if (changed) {
        im->counts.updated++;

    } else {
        im->counts.registered++;
    }

    return see(im, link->id, SEEN|OURS, err);
}


/*
 * merge: fills what earlier rows left empty.  Else takes over each field the
 * file has a column for, or that has a default: an empty cell clears.
 */

static rfl_rc_t
change(import_t *im, const import_row_t *row, const rfl_link_t *link,
    int merge, int *changed, rfl_error_t *err)
{
    size_t                   i;
    rfl_rc_t                 rc;
    rfl_str_t               *have, want;
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

        if (merge ? have->len != 0
                  : !row->given[i] && im->defaults[i].len == 0)
        {
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
seen(const import_t *im, uint32_t id)
{
    size_t  byte;

    byte = id / 4;

    return byte < im->seen_size ? (im->seen[byte] >> (2 * (id % 4))) & 3 : 0;
}


static rfl_rc_t
see(import_t *im, uint32_t id, unsigned bits, rfl_error_t *err)
{
    size_t   byte, size;
    u_char  *bytes;

    byte = id / 4;

    if (byte >= im->seen_size) {
        size = 2 * byte > SEEN_MIN ? 2 * byte : SEEN_MIN;

        bytes = realloc(im->seen, size);
        if (bytes == NULL) {
            return rfl_fail(err, RFL_NO_MEMORY, "no memory");
        }

        memset(bytes + im->seen_size, 0, size - im->seen_size);
        im->seen = bytes;
        im->seen_size = size;
    }

    im->seen[byte] = (u_char) (im->seen[byte] | (bits << (2 * (id % 4))));

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
