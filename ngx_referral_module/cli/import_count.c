/*
 * What the report says of the links that the rows name: hosts, target hosts,
 * and how many of them only their group can name.
 */

#include "import.h"

#include "rfl_hash.h"

#include <stdlib.h>


#define HOSTS_MIN  1024              /* places */


/* The group that is walked. */

typedef struct {
    import_t  *im;
    uint32_t   group;
    unsigned   counts:1;             /* its links can only be named together */
} grouping_t;


static rfl_rc_t count_target(import_t *im, const rfl_identity_t *identity,
    rfl_error_t *err);
static size_t plain_host(rfl_str_t surt, u_char *out);
static rfl_rc_t count_member(void *data, uint32_t group_id, uint32_t link_id);
static rfl_rc_t add_host(import_t *im, uint64_t hash, rfl_error_t *err);
static rfl_rc_t grow_hosts(import_set_t *set, rfl_error_t *err);
static int put_host(import_set_t *set, uint64_t hash);


rfl_rc_t
import_named(void *data, const rfl_identity_t *identity, rfl_error_t *err)
{
    import_t *im = data;

    rfl_rc_t  rc;

    if (identity->source.host_len != 0) {
        rc = add_host(im, rfl_hash(identity->source.buf,
                                   identity->source.host_len).low, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return identity->target_has_host ? count_target(im, identity, err)
                                     : RFL_OK;
}


static rfl_rc_t
count_target(import_t *im, const rfl_identity_t *identity, rfl_error_t *err)
{
    size_t         i, len;
    u_char         host[RFL_HOST_MAX + 16];
    const u_char  *end;

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

    if (grouping->counts
        && rfl_import_has_named_first(&im->import, link_id))
    {
        im->counts.grouped++;
    }

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
