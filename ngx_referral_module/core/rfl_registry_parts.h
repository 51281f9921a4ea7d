/*
 * How the registry stores what it has: for the registry itself, and for who
 * looks whether its tables agree (rfl_check.h).
 *
 * A slot is addressed by the low half of its hash, which is made of those of
 * its texts (rfl_slot_key()), and confirmed by the high half.  Its value is a
 * list of entries:
 *
 *     high half    8 bytes
 *     id           4 bytes; link, group, or 0: a host that has pages only
 *     info         4 bytes; bits 0-23 host flags, 24-27 kind, 30 the id is a
 *                  group's, 31 the link has a target
 *
 * Right behind the entry of a host with page links stand its bounds:
 *
 *     bits         8 bytes; see rfl_bounds_t
 *     longest      2 bytes each; source, target
 *     info         4 bytes; RFL_SLOT_BOUNDS as kind
 */

#ifndef RFL_REGISTRY_PARTS_H
#define RFL_REGISTRY_PARTS_H

#include "rfl_hash.h"
#include "rfl_registry.h"


/* Bounds count; two slots with one low half are rare, eight are damage. */

#define RFL_SLOT_ENTRIES_MAX  8
#define RFL_SLOT_ENTRY_SIZE   16

#define RFL_SLOT_FLAGS        0x00ffffffu
#define RFL_SLOT_KIND_SHIFT   24
#define RFL_SLOT_KIND_MASK    0x0f
#define RFL_SLOT_BOUNDS       15         /* as kind: no slot, a host's bounds */
#define RFL_SLOT_GROUP        0x40000000u
#define RFL_SLOT_HAS_TARGET   0x80000000u

/*
 * A link stands in at most five slots, beside its host's entry; one of them
 * never forms a group.
 */

#define RFL_LINK_SLOTS_MAX    5

/* First byte of a record; a state in keys. */

#define RFL_STATE_LINK        1
#define RFL_STATE_RETIRED     2
#define RFL_STATE_GROUP       3

#define RFL_KEY_VALUE_SIZE    5          /* id, state */

/* sources: SURT, a zero byte, id; a longer SURT ends in its hash, in hex. */

#define RFL_SOURCE_TAIL       5


enum {
    RFL_DBI_META = 0,
    RFL_DBI_RECORDS,
    RFL_DBI_KEYS,
    RFL_DBI_SOURCES,
    RFL_DBI_SLOTS,
    RFL_DBI_MEMBERS,
    RFL_DBI_PATTERNS,
    RFL_DBIS
};


typedef struct {
    uint64_t         high;
    uint32_t         id;
    uint32_t         info;
} rfl_slot_entry_t;


typedef struct {
    rfl_slot_kind_t  kind;
    rfl_str_t        a;
    rfl_str_t        b;
} rfl_slot_name_t;


static inline void
rfl_slot_read_entry(const u_char *p, rfl_slot_entry_t *entry)
{
    memcpy(&entry->high, p, 8);
    memcpy(&entry->id, p + 8, 4);
    memcpy(&entry->info, p + 12, 4);
}


static inline int
rfl_slot_is_bounds(const rfl_slot_entry_t *entry)
{
    return (entry->info >> RFL_SLOT_KIND_SHIFT & RFL_SLOT_KIND_MASK)
           == RFL_SLOT_BOUNDS;
}


static inline rfl_bounds_t
rfl_slot_read_bounds(const rfl_slot_entry_t *entry)
{
    rfl_bounds_t  bounds;

    bounds.bits = entry->high;
    bounds.source = (uint16_t) entry->id;
    bounds.target = (uint16_t) (entry->id >> 16);

    return bounds;
}


static inline uint64_t
rfl_member_key(uint32_t group, uint32_t link_id)
{
    return (uint64_t) group << 32 | link_id;
}


static inline int
rfl_registry_is_page(rfl_match_type_t type)
{
    return type == RFL_MATCH_EXACT || type == RFL_MATCH_PREFIX
           || type == RFL_MATCH_REGEX;
}


/* The slots a link stands in; their slices are identity's. */

size_t rfl_registry_slot_names(const rfl_identity_t *identity,
    rfl_match_type_t type, rfl_slot_name_t *names);

/* Its row in sources; key holds RFL_STORE_KEY_MAX bytes. */

size_t rfl_registry_source_key(const rfl_identity_t *identity,
    const rfl_link_t *link, u_char *key);

/* What the host's entry has to say for a page link. */

uint32_t rfl_registry_host_flags(const rfl_identity_t *identity,
    rfl_match_type_t type);

/* What the host's bounds have to cover for it. */

rfl_bounds_t rfl_registry_bounds(const rfl_identity_t *identity,
    rfl_match_type_t type);

rfl_hash_t rfl_registry_slot_hash(const rfl_slot_name_t *name);


#endif /* RFL_REGISTRY_PARTS_H */
