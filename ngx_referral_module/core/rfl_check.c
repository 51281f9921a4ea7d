/*
 * The registry's tables against each other.
 *
 * What a link should have in the other tables follows from its record alone,
 * by the functions that put it there.  So records are walked and everything
 * they call for is looked up; then each other table is walked, and each row
 * has to be one that a record calls for.
 */

#include "rfl_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "rfl_ignored.h"
#include "rfl_registry_parts.h"


#define SHOWN_MAX  120               /* bytes of a source in a message */


typedef struct walk_s  walk_t;

typedef rfl_rc_t (*row_pt)(walk_t *w, rfl_str_t key, rfl_str_t value);


struct walk_s {
    rfl_check_t          *check;
    rfl_registry_t       *registry;
    rfl_store_t          *store;
    rfl_registry_meta_t   meta;
    uint32_t              last_id;
    uint64_t              active_groups;
    uint64_t              domain_links;

    uint64_t             *hosts;         /* slots of hosts with page links */
    size_t                nhosts;
    size_t                hosts_size;

    rfl_identity_t        identity;
};


/* What of a slot the check wants to know. */

typedef struct {
    rfl_slot_entry_t  entry;
    rfl_slot_kind_t   kind;
    int               found;
    int               has_bounds;
    rfl_bounds_t      bounds;
} slot_t;


static rfl_rc_t check_tables(walk_t *w);
static rfl_rc_t walk_table(walk_t *w, unsigned dbi, const char *table,
    row_pt row);
static rfl_rc_t check_meta(walk_t *w);
static void check_ignored(walk_t *w);

static rfl_rc_t record_row(walk_t *w, rfl_str_t key, rfl_str_t value);
static rfl_rc_t link_record(walk_t *w, uint32_t id, u_char state,
    rfl_str_t record);
static rfl_rc_t link_key(walk_t *w, uint32_t id, uint64_t key, u_char state);
static rfl_rc_t link_source(walk_t *w, const rfl_link_t *link);
static rfl_rc_t link_slots(walk_t *w, const rfl_link_t *link);
static rfl_rc_t link_slot(walk_t *w, const rfl_link_t *link,
    const rfl_slot_name_t *name);
static rfl_rc_t link_host(walk_t *w, const rfl_link_t *link);
static void link_bounds(walk_t *w, const rfl_link_t *link,
    const slot_t *slot);
static rfl_rc_t link_pattern(walk_t *w, const rfl_link_t *link);
static rfl_rc_t group_record(walk_t *w, uint32_t id);
static rfl_rc_t group_members(walk_t *w, const rfl_group_t *group);
static rfl_rc_t group_slot(walk_t *w, const rfl_group_t *group);

static rfl_rc_t key_row(walk_t *w, rfl_str_t key, rfl_str_t value);
static rfl_rc_t source_row(walk_t *w, rfl_str_t key, rfl_str_t value);
static rfl_rc_t slot_row(walk_t *w, rfl_str_t key, rfl_str_t value);
static rfl_rc_t slot_of_host(walk_t *w, uint64_t low,
    const rfl_slot_entry_t *entry);
static rfl_rc_t slot_of_group(walk_t *w, uint64_t low,
    const rfl_slot_entry_t *entry);
static rfl_rc_t slot_of_link(walk_t *w, uint64_t low,
    const rfl_slot_entry_t *entry);
static rfl_rc_t member_row(walk_t *w, rfl_str_t key, rfl_str_t value);
static rfl_rc_t pattern_row(walk_t *w, rfl_str_t key, rfl_str_t value);
static rfl_rc_t pattern_id(walk_t *w, uint64_t host, rfl_hash_t hash,
    uint32_t id);

static rfl_rc_t load_link(walk_t *w, uint32_t id, rfl_link_t *link);
static rfl_rc_t find_slot(walk_t *w, rfl_hash_t hash, slot_t *slot);
static rfl_rc_t find_name(walk_t *w, const rfl_link_t *link, unsigned kind,
    rfl_hash_t hash, int *found);
static int group_hash(walk_t *w, const rfl_group_t *group, rfl_hash_t *hash);
static rfl_rc_t note_host(walk_t *w, const rfl_link_t *link);
static int compare_hosts(const void *one, const void *two);
static const char *why(rfl_rc_t rc);
static rfl_str_t shown(const rfl_link_t *link);


#define fault  rfl_check_fault

/* For messages: a link's key, and what people know it by. */

#define LINK      "link %016llx (%.*s)"
#define LINK_OF(l)  (unsigned long long) (l)->key, (int) shown(l).len,        \
                    (const char *) shown(l).data


/* Kinds of slots, in messages. */

static const char *const  kinds[RFL_SLOT_KINDS] = {
    [RFL_SLOT_HOST]           = "host",
    [RFL_SLOT_DOMAIN]         = "domain",
    [RFL_SLOT_PAGE]           = "page",
    [RFL_SLOT_PREFIX]         = "prefix",
    [RFL_SLOT_LANDING]        = "landing",
    [RFL_SLOT_BLANK]          = "pages without target",
    [RFL_SLOT_HOST_TARGET]    = "host and target",
    [RFL_SLOT_DOMAIN_TARGET]  = "domain and target",
    [RFL_SLOT_PAGE_TARGET]    = "page and target",
    [RFL_SLOT_PREFIX_TARGET]  = "prefix and target",
    [RFL_SLOT_TAG]            = "tag",
    [RFL_SLOT_TAG_TARGET]     = "tag and target",
    [RFL_SLOT_PATTERN]        = "pattern",
    [RFL_SLOT_PATTERN_TARGET] = "pattern and target"
};


rfl_rc_t
rfl_check_registry(rfl_check_t *c, rfl_registry_t *r, rfl_error_t *err)
{
    walk_t    *w;
    rfl_rc_t   rc;

    rc = rfl_store_check(rfl_registry_store(r), err);
    if (rc != RFL_OK) {
        return rc;
    }

    w = calloc(1, sizeof(walk_t));
    if (w == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "out of memory");
    }

    w->check = c;
    w->registry = r;
    w->store = rfl_registry_store(r);

    rc = rfl_registry_begin(r, 0, err);

    if (rc == RFL_OK) {
        rc = check_tables(w);
        rfl_registry_end(r);

        if (rc != RFL_OK) {
            (void) rfl_fail(err, rc, "%s", why(rc));
        }
    }

    free(w->hosts);
    free(w);

    return rc;
}


/* Hosts are collected from sources, before the slots are looked at. */

static rfl_rc_t
check_tables(walk_t *w)
{
    size_t    i;
    rfl_rc_t  rc;

    static const struct {
        unsigned     dbi;
        const char  *name;
        row_pt       row;
    } tables[] = {
        { RFL_DBI_RECORDS,  "registry/records",  record_row },
        { RFL_DBI_KEYS,     "registry/keys",     key_row },
        { RFL_DBI_SOURCES,  "registry/sources",  source_row },
        { RFL_DBI_SLOTS,    "registry/slots",    slot_row },
        { RFL_DBI_MEMBERS,  "registry/members",  member_row },
        { RFL_DBI_PATTERNS, "registry/patterns", pattern_row }
    };

    rc = rfl_registry_meta(w->registry, &w->meta);

    if (rc == RFL_NOT_FOUND || rc == RFL_DAMAGED) {
        fault(w->check, "registry/meta", "%s", rc == RFL_NOT_FOUND
              ? "uuid, created or numbers are missing"
              : "uuid, created or numbers have another length");

        w->meta.next_id = UINT32_MAX;

    } else if (rc != RFL_OK) {
        return rc;
    }

    for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {

        if (tables[i].dbi == RFL_DBI_SLOTS && w->nhosts != 0) {
            qsort(w->hosts, w->nhosts, sizeof(uint64_t), compare_hosts);
        }

        rc = walk_table(w, tables[i].dbi, tables[i].name, tables[i].row);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return w->meta.next_id != UINT32_MAX ? check_meta(w) : RFL_OK;
}


static rfl_rc_t
walk_table(walk_t *w, unsigned dbi, const char *table, row_pt row)
{
    rfl_rc_t       rc;
    rfl_str_t      key, value;
    rfl_cursor_t  *cursor;

    rc = rfl_cursor_open(w->store, dbi, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &key, &value);

    while (rc == RFL_OK) {
        w->check->rows++;

        rc = row(w, key, value);
        if (rc == RFL_OK) {
            rc = rfl_cursor_next(cursor, &key, &value);
        }
    }

    rfl_cursor_close(cursor);

    if (rc == RFL_DAMAGED) {
        fault(w->check, table, "reading it ended in a damaged page");
        return RFL_OK;
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


static rfl_rc_t
check_meta(walk_t *w)
{
    rfl_check_t  *c = w->check;

    if (w->meta.links != c->links) {
        fault(c, "registry/meta", "it says %u links, there are %llu",
              w->meta.links, (unsigned long long) c->links);
    }

    if (w->meta.groups != w->active_groups) {
        fault(c, "registry/meta", "it says %u groups with several links, "
              "there are %llu", w->meta.groups,
              (unsigned long long) w->active_groups);
    }

    if (w->meta.domain_links != w->domain_links) {
        fault(c, "registry/meta", "it says %u domain links, there are %llu",
              w->meta.domain_links, (unsigned long long) w->domain_links);
    }

    check_ignored(w);

    if (w->meta.next_id > RFL_COUNTERS_MAX_IDS) {
        fault(c, "registry/meta", "the next id would be %u, the last one there "
              "can be is %u", w->meta.next_id, RFL_COUNTERS_MAX_IDS - 1);
    }

    if (w->meta.next_id <= w->last_id) {
        fault(c, "registry/meta", "the next id would be %u, but %u is taken",
              w->meta.next_id, w->last_id);
    }

    return RFL_OK;
}


/* Hosts that are ignored: none behind one that makes no sense is shown. */

static void
check_ignored(walk_t *w)
{
    rfl_rc_t             rc;
    rfl_ignored_place_t  place;

    place.len = 0;

    while ((rc = rfl_ignored_next(w->registry, &place)) == RFL_OK) {
        w->check->rows++;
    }

    if (rc != RFL_NOT_FOUND) {
        fault(w->check, "registry/meta", "the host that is ignored behind "
              "\"%.*s\" %s", (int) place.len, (const char *) place.surt,
              rc == RFL_BAD_VERSION ? "was written by another version"
                                    : "makes no sense");
    }
}


static rfl_rc_t
record_row(walk_t *w, rfl_str_t key, rfl_str_t value)
{
    uint32_t  id;

    memcpy(&id, key.data, sizeof(id));

    w->last_id = id;

    if (id == 0 || value.len == 0) {
        fault(w->check, "registry/records", "record %u: %s", id,
              id == 0 ? "no link has this id" : "it is empty");
        return RFL_OK;
    }

    switch (value.data[0]) {

    case RFL_STATE_LINK:
    case RFL_STATE_RETIRED:
        return link_record(w, id, value.data[0],
                           rfl_str(value.data + 1, value.len - 1));

    case RFL_STATE_GROUP:
        return group_record(w, id);

    default:
        fault(w->check, "registry/records", "record %u: it is neither a link "
              "nor a group", id);
        return RFL_OK;
    }
}


static rfl_rc_t
link_record(walk_t *w, uint32_t id, u_char state, rfl_str_t record)
{
    rfl_rc_t     rc;
    rfl_link_t   link;
    rfl_error_t  err;

    if (state == RFL_STATE_LINK) {
        w->check->links++;

    } else {
        w->check->retired++;
    }

    rc = rfl_link_decode(record, &link);

    if (rc != RFL_OK) {
        fault(w->check, "registry/records", "record %u: %s", id, why(rc));
        return RFL_OK;
    }

    if (state == RFL_STATE_LINK && link.match_type == RFL_MATCH_DOMAIN) {
        w->domain_links++;
    }

    if (link.id != id) {
        fault(w->check, "registry/records", "record %u: " LINK " says its id "
              "is %u", id, LINK_OF(&link), link.id);
        return RFL_OK;
    }

    rc = rfl_identity(&link, &w->identity, &err);

    if (rc != RFL_OK) {
        fault(w->check, "registry/records", LINK ": %s", LINK_OF(&link),
              err.text);
        return RFL_OK;
    }

    if (w->identity.key != link.key) {
        fault(w->check, "registry/records", LINK ": its key should be "
              "%016llx", LINK_OF(&link), (unsigned long long) w->identity.key);
    }

    rc = link_key(w, id, link.key, state);

    if (rc != RFL_OK || state != RFL_STATE_LINK) {
        return rc;
    }

    rc = link_source(w, &link);

    if (rc == RFL_OK) {
        rc = link_slots(w, &link);
    }

    if (rc == RFL_OK && rfl_registry_is_page(link.match_type)) {
        rc = link_host(w, &link);
    }

    if (rc == RFL_OK && link.match_type == RFL_MATCH_REGEX) {
        rc = link_pattern(w, &link);
    }

    return rc;
}


static rfl_rc_t
link_key(walk_t *w, uint32_t id, uint64_t key, u_char state)
{
    rfl_rc_t   rc;
    uint32_t   found;
    rfl_str_t  value;

    rc = rfl_store_get_u64(w->store, RFL_DBI_KEYS, key, &value);

    if (rc == RFL_NOT_FOUND) {
        fault(w->check, "registry/keys", "%016llx is missing: record %u has "
              "this key", (unsigned long long) key, id);
        return RFL_OK;
    }

    /* one of another length is named when keys are walked */

    if (rc != RFL_OK || value.len != RFL_KEY_VALUE_SIZE) {
        return rc;
    }

    memcpy(&found, value.data, sizeof(found));

    if (found != id || value.data[4] != state) {
        fault(w->check, "registry/keys", "%016llx names record %u, but record "
              "%u has this key%s", (unsigned long long) key, found, id,
              found == id ? " and is of another kind" : "");
    }

    return RFL_OK;
}


static rfl_rc_t
link_source(walk_t *w, const rfl_link_t *link)
{
    size_t     len;
    u_char     key[RFL_STORE_KEY_MAX];
    rfl_rc_t   rc;
    rfl_str_t  value;

    len = rfl_registry_source_key(&w->identity, link, key);

    rc = rfl_store_get(w->store, RFL_DBI_SOURCES, rfl_str(key, len), &value);

    if (rc == RFL_NOT_FOUND) {
        fault(w->check, "registry/sources", LINK " is missing", LINK_OF(link));
        return RFL_OK;
    }

    return rc;
}


static rfl_rc_t
link_slots(walk_t *w, const rfl_link_t *link)
{
    size_t           i, n;
    rfl_rc_t         rc;
    rfl_slot_name_t  names[RFL_LINK_SLOTS_MAX];

    n = rfl_registry_slot_names(&w->identity, link->match_type, names);

    for (i = 0; i < n; i++) {
        rc = link_slot(w, link, &names[i]);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
link_slot(walk_t *w, const rfl_link_t *link, const rfl_slot_name_t *slot_name)
{
    slot_t      slot;
    rfl_rc_t    rc;
    rfl_str_t   value;
    rfl_hash_t  hash;
    const char *kind;

    kind = kinds[slot_name->kind];
    hash = rfl_registry_slot_hash(slot_name);

    rc = find_slot(w, hash, &slot);
    if (rc != RFL_OK) {
        return rc;
    }

    if (!slot.found) {
        fault(w->check, "registry/slots", LINK ": its slot (%s) is missing",
              LINK_OF(link), kind);
        return RFL_OK;
    }

    if (slot.kind != slot_name->kind) {
        fault(w->check, "registry/slots", LINK ": its slot (%s) is of another "
              "kind, %u", LINK_OF(link), kind, (unsigned) slot.kind);
        return RFL_OK;
    }

    if (slot.entry.info & RFL_SLOT_GROUP) {

        rc = rfl_store_get_u64(w->store, RFL_DBI_MEMBERS,
                               rfl_member_key(slot.entry.id, link->id),
                               &value);

        if (rc == RFL_NOT_FOUND) {
            fault(w->check, "registry/members", LINK " is missing in group "
                  "%u (%s)", LINK_OF(link), slot.entry.id, kind);
            return RFL_OK;
        }

        return rc;
    }

    if (slot.entry.id != link->id) {
        fault(w->check, "registry/slots", LINK ": its slot (%s) is that of "
              "record %u", LINK_OF(link), kind, slot.entry.id);

    } else if (!(slot.entry.info & RFL_SLOT_HAS_TARGET)
               != (w->identity.target_len == 0))
    {
        fault(w->check, "registry/slots", LINK ": its slot (%s) says it has "
              "%s target", LINK_OF(link), kind,
              w->identity.target_len == 0 ? "a" : "no");
    }

    return RFL_OK;
}


/* Flags that are set too long cost a probe; one that is missing, an answer. */

static rfl_rc_t
link_host(walk_t *w, const rfl_link_t *link)
{
    slot_t           slot;
    rfl_rc_t         rc;
    uint32_t         flags;
    rfl_hash_t       hash;
    rfl_slot_name_t  host;

    host.kind = RFL_SLOT_HOST;
    host.a = rfl_str(w->identity.source.buf, w->identity.source.host_len);
    host.b = rfl_str(NULL, 0);

    hash = rfl_registry_slot_hash(&host);

    rc = find_slot(w, hash, &slot);
    if (rc != RFL_OK) {
        return rc;
    }

    flags = rfl_registry_host_flags(&w->identity, link->match_type);

    if (!slot.found) {
        fault(w->check, "registry/slots", LINK ": the slot of its host is "
              "missing", LINK_OF(link));

    } else if ((slot.entry.info & flags) != flags) {
        fault(w->check, "registry/slots", LINK ": the slot of its host does "
              "not say that there are such links (flags %06x, %06x are "
              "wanted)", LINK_OF(link), slot.entry.info & RFL_SLOT_FLAGS,
              flags);

    } else {
        link_bounds(w, link, &slot);
    }

    return RFL_OK;
}


/* What they do not cover is never found. */

static void
link_bounds(walk_t *w, const rfl_link_t *link, const slot_t *slot)
{
    rfl_bounds_t  wanted;

    if (!slot->has_bounds) {
        fault(w->check, "registry/slots", LINK ": its host has no bounds",
              LINK_OF(link));
        return;
    }

    wanted = rfl_registry_bounds(&w->identity, link->match_type);

    if ((wanted.bits & ~slot->bounds.bits) != 0
        || wanted.source > slot->bounds.source
        || wanted.target > slot->bounds.target)
    {
        fault(w->check, "registry/slots", LINK ": its host's bounds do not "
              "cover it (%016llx %u %u, %016llx %u %u are wanted)",
              LINK_OF(link), (unsigned long long) slot->bounds.bits,
              slot->bounds.source, slot->bounds.target,
              (unsigned long long) wanted.bits, wanted.source, wanted.target);
    }
}


static rfl_rc_t
link_pattern(walk_t *w, const rfl_link_t *link)
{
    size_t              i;
    rfl_rc_t            rc;
    rfl_registry_ids_t  ids;

    rc = rfl_registry_patterns(w->registry,
                               rfl_str(w->identity.source.buf,
                                       w->identity.source.host_len), &ids);

    if (rc == RFL_OK) {
        for (i = 0; i < ids.n; i++) {
            if (rfl_registry_id(&ids, i) == link->id) {
                return RFL_OK;
            }
        }
    }

    if (rc == RFL_OK || rc == RFL_NOT_FOUND) {
        fault(w->check, "registry/patterns", LINK " is missing", LINK_OF(link));
        return RFL_OK;
    }

    return rc == RFL_DAMAGED ? RFL_OK : rc;      /* named when walked */
}


static rfl_rc_t
group_record(walk_t *w, uint32_t id)
{
    rfl_rc_t     rc;
    rfl_group_t  group;

    w->check->groups++;

    rc = rfl_registry_group(w->registry, id, &group);

    if (rc == RFL_DAMAGED || rc == RFL_BAD_VERSION) {
        fault(w->check, "registry/records", "group %u: %s", id, why(rc));
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rc;
    }

    if (group.kind < RFL_SLOT_HOST || group.kind >= RFL_SLOT_KINDS
        || group.text.len > RFL_SLOT_TEXT_MAX)
    {
        fault(w->check, "registry/records", "group %u: there are no groups of "
              "its kind, %u", id, (unsigned) group.kind);
        return RFL_OK;
    }

    w->active_groups += group.links > 1;

    rc = link_key(w, id, group.key, RFL_STATE_GROUP);

    if (rc == RFL_OK) {
        rc = group_members(w, &group);
    }

    return rc == RFL_OK && group.links > 1 ? group_slot(w, &group) : rc;
}


static rfl_rc_t
group_members(walk_t *w, const rfl_group_t *group)
{
    rfl_rc_t       rc;
    uint32_t       n;
    uint64_t       key;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    rc = rfl_cursor_open(w->store, RFL_DBI_MEMBERS, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    n = 0;
    key = rfl_member_key(group->id, 0);

    rc = rfl_cursor_seek(cursor, rfl_str(&key, sizeof(key)), &found, &value);

    while (rc == RFL_OK) {
        memcpy(&key, found.data, sizeof(key));

        if (key >> 32 != group->id) {
            break;
        }

        n++;
        rc = rfl_cursor_next(cursor, &found, &value);
    }

    rfl_cursor_close(cursor);

    if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
        return rc;
    }

    if (n != group->links) {
        fault(w->check, "registry/members", "group %u (%s) has %u rows, its "
              "record says %u links", group->id, kinds[group->kind], n,
              group->links);
    }

    return RFL_OK;
}


static rfl_rc_t
group_slot(walk_t *w, const rfl_group_t *group)
{
    slot_t      slot;
    rfl_rc_t    rc;
    rfl_hash_t  hash;

    (void) group_hash(w, group, &hash);

    rc = find_slot(w, hash, &slot);
    if (rc != RFL_OK) {
        return rc;
    }

    if (!slot.found || !(slot.entry.info & RFL_SLOT_GROUP)
        || slot.entry.id != group->id)
    {
        fault(w->check, "registry/slots", "group %u (%s) has %u links, but "
              "its slot is %s", group->id, kinds[group->kind], group->links,
              slot.found ? "not its own" : "missing");
    }

    return RFL_OK;
}


static rfl_rc_t
key_row(walk_t *w, rfl_str_t key, rfl_str_t value)
{
    u_char       state;
    uint32_t     id;
    uint64_t     public, stored;
    rfl_rc_t     rc;
    rfl_str_t    record;
    rfl_link_t   link;
    rfl_group_t  group;

    memcpy(&public, key.data, sizeof(public));

    if (value.len != RFL_KEY_VALUE_SIZE) {
        fault(w->check, "registry/keys", "%016llx has a value of %zu bytes",
              (unsigned long long) public, value.len);
        return RFL_OK;
    }

    memcpy(&id, value.data, sizeof(id));
    state = value.data[4];

    rc = rfl_store_get_u32(w->store, RFL_DBI_RECORDS, id, &record);

    if (rc == RFL_NOT_FOUND || (rc == RFL_OK && record.len == 0)) {
        fault(w->check, "registry/records", "record %u is missing: the key "
              "%016llx names it", id, (unsigned long long) public);
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rc;
    }

    if (record.data[0] != state) {
        fault(w->check, "registry/keys", "%016llx says that record %u is a "
              "%s", (unsigned long long) public, id,
              state == RFL_STATE_LINK ? "link"
              : state == RFL_STATE_RETIRED ? "removed link"
              : state == RFL_STATE_GROUP ? "group" : "thing unknown here");
        return RFL_OK;
    }

    if (state == RFL_STATE_GROUP) {
        rc = rfl_registry_group(w->registry, id, &group);
        stored = group.key;

    } else {
        rc = rfl_link_decode(rfl_str(record.data + 1, record.len - 1), &link);
        stored = link.key;
    }

    /* what does not decode was named when records were walked */

    if (rc == RFL_OK && stored != public) {
        fault(w->check, "registry/keys", "%016llx names record %u, which has "
              "the key %016llx", (unsigned long long) public, id,
              (unsigned long long) stored);
    }

    return RFL_OK;
}


static rfl_rc_t
source_row(walk_t *w, rfl_str_t key, rfl_str_t value)
{
    size_t         len;
    u_char         wanted[RFL_STORE_KEY_MAX];
    uint32_t       id;
    rfl_rc_t       rc;
    rfl_link_t     link;
    const u_char  *p;

    if (key.len <= RFL_SOURCE_TAIL) {
        fault(w->check, "registry/sources", "a row is of %zu bytes only",
              key.len);
        return RFL_OK;
    }

    p = key.data + key.len - 4;
    id = (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8
         | p[3];

    rc = load_link(w, id, &link);

    if (rc == RFL_NOT_FOUND) {
        fault(w->check, "registry/sources", "\"%.*s\" names record %u, which "
              "is no link", (int) (key.len < SHOWN_MAX + RFL_SOURCE_TAIL
                                   ? key.len - RFL_SOURCE_TAIL : SHOWN_MAX),
              (const char *) key.data, id);
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rc == RFL_DAMAGED ? RFL_OK : rc;
    }

    len = rfl_registry_source_key(&w->identity, &link, wanted);

    if (!rfl_str_eq(key, rfl_str(wanted, len))) {
        fault(w->check, "registry/sources", LINK " has a second row, under "
              "\"%.*s\"", LINK_OF(&link),
              (int) (key.len < SHOWN_MAX + RFL_SOURCE_TAIL
                     ? key.len - RFL_SOURCE_TAIL : SHOWN_MAX),
              (const char *) key.data);
    }

    return rfl_registry_is_page(link.match_type) ? note_host(w, &link)
                                                 : RFL_OK;
}


static rfl_rc_t
slot_row(walk_t *w, rfl_str_t key, rfl_str_t value)
{
    size_t            i;
    uint64_t          low;
    rfl_rc_t          rc;
    unsigned          kind, before;
    rfl_slot_entry_t  entry;

    kind = 0;
    memcpy(&low, key.data, sizeof(low));

    if (value.len == 0 || value.len % RFL_SLOT_ENTRY_SIZE != 0
        || value.len > RFL_SLOT_ENTRIES_MAX * RFL_SLOT_ENTRY_SIZE)
    {
        fault(w->check, "registry/slots", "slot %016llx has a value of %zu "
              "bytes", (unsigned long long) low, value.len);
        return RFL_OK;
    }

    for (i = 0; i < value.len; i += RFL_SLOT_ENTRY_SIZE) {
        rfl_slot_read_entry(value.data + i, &entry);

        before = kind;
        kind = entry.info >> RFL_SLOT_KIND_SHIFT & RFL_SLOT_KIND_MASK;

        if (kind == RFL_SLOT_BOUNDS && before == RFL_SLOT_HOST) {
            continue;
        }

        if (kind < RFL_SLOT_HOST || kind >= RFL_SLOT_KINDS) {
            fault(w->check, "registry/slots", "slot %016llx is of the kind "
                  "%u", (unsigned long long) low, kind);
            continue;
        }

        if (kind == RFL_SLOT_HOST && entry.id == 0) {
            rc = slot_of_host(w, low, &entry);

        } else if (entry.info & RFL_SLOT_GROUP) {
            rc = slot_of_group(w, low, &entry);

        } else {
            rc = slot_of_link(w, low, &entry);
        }

        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
slot_of_host(walk_t *w, uint64_t low, const rfl_slot_entry_t *entry)
{
    if (w->nhosts == 0
        || bsearch(&low, w->hosts, w->nhosts, sizeof(uint64_t), compare_hosts)
           == NULL)
    {
        fault(w->check, "registry/slots", "slot %016llx is that of a host "
              "without links", (unsigned long long) low);
    }

    return RFL_OK;
}


static rfl_rc_t
slot_of_group(walk_t *w, uint64_t low, const rfl_slot_entry_t *entry)
{
    rfl_rc_t     rc;
    unsigned     kind;
    rfl_hash_t   hash;
    rfl_group_t  group;

    kind = entry->info >> RFL_SLOT_KIND_SHIFT & RFL_SLOT_KIND_MASK;

    rc = rfl_registry_group(w->registry, entry->id, &group);

    if (rc == RFL_NOT_FOUND) {
        fault(w->check, "registry/slots", "slot %016llx (%s) names record %u, "
              "which is no group", (unsigned long long) low, kinds[kind],
              entry->id);
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rc == RFL_DAMAGED || rc == RFL_BAD_VERSION ? RFL_OK : rc;
    }

    if (!group_hash(w, &group, &hash) || hash.low != low
        || hash.high != entry->high || group.kind != kind)
    {
        fault(w->check, "registry/slots", "slot %016llx (%s) names group %u, "
              "whose slot is another one", (unsigned long long) low,
              kinds[kind], entry->id);

    } else if (group.links < 2) {
        fault(w->check, "registry/slots", "slot %016llx (%s) names group %u, "
              "which has %u links", (unsigned long long) low, kinds[kind],
              entry->id, group.links);
    }

    return RFL_OK;
}


static rfl_rc_t
slot_of_link(walk_t *w, uint64_t low, const rfl_slot_entry_t *entry)
{
    int         found;
    rfl_rc_t    rc;
    unsigned    kind;
    rfl_hash_t  hash;
    rfl_link_t  link;

    kind = entry->info >> RFL_SLOT_KIND_SHIFT & RFL_SLOT_KIND_MASK;

    rc = load_link(w, entry->id, &link);

    if (rc == RFL_NOT_FOUND) {
        fault(w->check, "registry/slots", "slot %016llx (%s) names record %u, "
              "which is no link", (unsigned long long) low, kinds[kind],
              entry->id);
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rc == RFL_DAMAGED ? RFL_OK : rc;
    }

    hash.low = low;
    hash.high = entry->high;

    rc = find_name(w, &link, kind, hash, &found);

    if (rc == RFL_OK && !found) {
        fault(w->check, "registry/slots", "slot %016llx (%s) names " LINK
              ", which does not stand there", (unsigned long long) low,
              kinds[kind], LINK_OF(&link));
    }

    return rc;
}


static rfl_rc_t
member_row(walk_t *w, rfl_str_t key, rfl_str_t value)
{
    int          found;
    uint32_t     id;
    uint64_t     member;
    rfl_rc_t     rc;
    rfl_hash_t   hash;
    rfl_link_t   link;
    rfl_group_t  group;

    memcpy(&member, key.data, sizeof(member));

    id = (uint32_t) (member >> 32);

    if (value.len != sizeof(uint64_t)) {
        fault(w->check, "registry/members", "record %u in group %u has a "
              "value of %zu bytes", (uint32_t) member, id, value.len);
    }

    rc = rfl_registry_group(w->registry, id, &group);

    if (rc == RFL_NOT_FOUND) {
        fault(w->check, "registry/members", "record %u is in group %u, which "
              "is none", (uint32_t) member, id);
        return RFL_OK;
    }

    if (rc == RFL_OK) {
        rc = load_link(w, (uint32_t) member, &link);

        if (rc == RFL_NOT_FOUND) {
            fault(w->check, "registry/members", "record %u is in group %u, "
                  "but no link", (uint32_t) member, id);
            return RFL_OK;
        }
    }

    if (rc != RFL_OK) {
        return rc == RFL_DAMAGED || rc == RFL_BAD_VERSION ? RFL_OK : rc;
    }

    if (!group_hash(w, &group, &hash)) {
        return RFL_OK;
    }

    rc = find_name(w, &link, group.kind, hash, &found);

    if (rc == RFL_OK && !found) {
        fault(w->check, "registry/members", LINK " is in group %u (%s), where "
              "it does not belong", LINK_OF(&link), id, kinds[group.kind]);
    }

    return rc;
}


static rfl_rc_t
pattern_row(walk_t *w, rfl_str_t key, rfl_str_t value)
{
    size_t      i;
    uint32_t    id, last;
    rfl_rc_t    rc;
    rfl_hash_t  hash;

    if (key.len != sizeof(hash) || value.len == 0 || value.len % 4 != 0) {
        fault(w->check, "registry/patterns", "a row has a key of %zu bytes "
              "and a value of %zu", key.len, value.len);
        return RFL_OK;
    }

    memcpy(&hash, key.data, sizeof(hash));
    last = 0;

    for (i = 0; i < value.len; i += 4) {
        memcpy(&id, value.data + i, 4);

        if (id <= last) {
            fault(w->check, "registry/patterns", "host %016llx: record %u "
                  "follows record %u", (unsigned long long) hash.low, id,
                  last);
        }

        last = id;

        rc = pattern_id(w, hash.low, hash, id);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
pattern_id(walk_t *w, uint64_t host, rfl_hash_t hash, uint32_t id)
{
    rfl_rc_t    rc;
    rfl_hash_t  wanted;
    rfl_link_t  link;

    rc = load_link(w, id, &link);

    if (rc == RFL_NOT_FOUND
        || (rc == RFL_OK && link.match_type != RFL_MATCH_REGEX))
    {
        fault(w->check, "registry/patterns", "host %016llx names record %u, "
              "which is no regex link", (unsigned long long) host, id);
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rc == RFL_DAMAGED ? RFL_OK : rc;
    }

    wanted = rfl_hash(w->identity.source.buf, w->identity.source.host_len);

    if (wanted.low != hash.low || wanted.high != hash.high) {
        fault(w->check, "registry/patterns", "host %016llx names " LINK
              ", which is another host's", (unsigned long long) host,
              LINK_OF(&link));
    }

    return RFL_OK;
}


/*
 * Also its identity, in w->identity.  RFL_NOT_FOUND: no registered link.
 * RFL_DAMAGED: it was named when records were walked.
 */

static rfl_rc_t
load_link(walk_t *w, uint32_t id, rfl_link_t *link)
{
    rfl_rc_t  rc;

    rc = rfl_registry_link(w->registry, id, link);

    if (rc == RFL_OK && rfl_identity(link, &w->identity, NULL) != RFL_OK) {
        rc = RFL_DAMAGED;
    }

    return rc == RFL_BAD_VERSION ? RFL_DAMAGED : rc;
}


static rfl_rc_t
find_slot(walk_t *w, rfl_hash_t hash, slot_t *slot)
{
    size_t            i;
    rfl_rc_t          rc;
    rfl_str_t         value;
    rfl_slot_entry_t  entry;

    memset(slot, 0, sizeof(slot_t));

    rc = rfl_store_get_u64(w->store, RFL_DBI_SLOTS, hash.low, &value);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rc;
    }

    for (i = 0; i + RFL_SLOT_ENTRY_SIZE <= value.len;
         i += RFL_SLOT_ENTRY_SIZE)
    {
        rfl_slot_read_entry(value.data + i, &slot->entry);

        if (slot->entry.high == hash.high
            && !rfl_slot_is_bounds(&slot->entry))
        {
            slot->found = 1;
            slot->kind = slot->entry.info >> RFL_SLOT_KIND_SHIFT
                         & RFL_SLOT_KIND_MASK;
            break;
        }
    }

    i += RFL_SLOT_ENTRY_SIZE;

    if (slot->found && i + RFL_SLOT_ENTRY_SIZE <= value.len) {
        rfl_slot_read_entry(value.data + i, &entry);

        if (rfl_slot_is_bounds(&entry)) {
            slot->has_bounds = 1;
            slot->bounds = rfl_slot_read_bounds(&entry);
        }
    }

    return RFL_OK;
}


/* Whether a link, whose identity is in w->identity, has this slot. */

static rfl_rc_t
find_name(walk_t *w, const rfl_link_t *link, unsigned kind, rfl_hash_t hash,
    int *found)
{
    size_t           i, n;
    rfl_hash_t       one;
    rfl_slot_name_t  names[RFL_LINK_SLOTS_MAX];

    *found = 0;

    n = rfl_registry_slot_names(&w->identity, link->match_type, names);

    for (i = 0; i < n && !*found; i++) {

        if (names[i].kind != kind) {
            continue;
        }

        one = rfl_registry_slot_hash(&names[i]);
        *found = one.low == hash.low && one.high == hash.high;
    }

    return RFL_OK;
}


/* Its slot's; 0 if it cannot have one. */

static int
group_hash(walk_t *w, const rfl_group_t *group, rfl_hash_t *hash)
{
    rfl_str_t        text;
    const u_char    *end;
    rfl_slot_name_t  name;

    text = group->text;

    if (group->kind < RFL_SLOT_HOST || group->kind >= RFL_SLOT_KINDS
        || text.len > RFL_SLOT_TEXT_MAX)
    {
        return 0;
    }

    /* what has no target holds no line feed */

    end = text.len != 0 ? memchr(text.data, '\n', text.len) : NULL;

    name.kind = group->kind;
    name.a = text;
    name.b = rfl_str(NULL, 0);

    if (end != NULL) {
        name.a.len = (size_t) (end - text.data);
        name.b = rfl_str(end + 1, text.len - name.a.len - 1);
    }

    *hash = rfl_registry_slot_hash(&name);

    return 1;
}


/* Sources come host by host: most are the one before. */

static rfl_rc_t
note_host(walk_t *w, const rfl_link_t *link)
{
    size_t           size;
    uint64_t         low, *hosts;
    rfl_slot_name_t  host;

    host.kind = RFL_SLOT_HOST;
    host.a = rfl_str(w->identity.source.buf, w->identity.source.host_len);
    host.b = rfl_str(NULL, 0);

    low = rfl_registry_slot_hash(&host).low;

    if (w->nhosts != 0 && w->hosts[w->nhosts - 1] == low) {
        return RFL_OK;
    }

    if (w->nhosts == w->hosts_size) {
        size = w->hosts_size != 0 ? 2 * w->hosts_size : 1024;

        hosts = realloc(w->hosts, size * sizeof(uint64_t));
        if (hosts == NULL) {
            return RFL_NO_MEMORY;
        }

        w->hosts = hosts;
        w->hosts_size = size;
    }

    w->hosts[w->nhosts++] = low;

    return RFL_OK;
}


static int
compare_hosts(const void *one, const void *two)
{
    uint64_t  a, b;

    memcpy(&a, one, sizeof(a));
    memcpy(&b, two, sizeof(b));

    return a < b ? -1 : a > b;
}


static const char *
why(rfl_rc_t rc)
{
    switch (rc) {

    case RFL_BAD_VERSION:
        return "it was written by another version of this program";

    case RFL_DAMAGED:
        return "its bytes make no sense";

    case RFL_NO_MEMORY:
        return "out of memory";

    default:
        return "it cannot be read";
    }
}


static rfl_str_t
shown(const rfl_link_t *link)
{
    rfl_str_t  text;

    text = link->match_type == RFL_MATCH_TAG ? link->tag : link->source;

    return rfl_str(text.data, text.len < SHOWN_MAX ? text.len : SHOWN_MAX);
}


#undef fault

void
rfl_check_fault(rfl_check_t *c, const char *table, const char *fmt, ...)
{
    int      n;
    char     text[RFL_ERROR_TEXT];
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    if (n < 0) {
        n = 0;
    }

    c->faults++;

    c->fault(c->data, table, rfl_str(text, (size_t) n < sizeof(text)
                                           ? (size_t) n : sizeof(text) - 1));
}
