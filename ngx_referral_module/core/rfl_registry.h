/*
 * The registry: the links of a site, in an LMDB environment of their own
 * (PATH/registry), written by the command and the status API, read by every
 * worker.
 *
 *     meta     name            -> version, uuid, next id, numbers
 *     records  id              -> link record, or group record
 *     keys     key             -> id, and whether the link is retired
 *     sources  SURT, 0, id     -> (empty) people's order: by host and page
 *     slots    hash of a slot  -> entries of 16 bytes: the request path
 *     members  group, link     -> clicks of the group when the link joined
 *     patterns hash of a host  -> ids of its regex links, ascending
 *
 * A slot is what a request can ask for in one probe: this host, this page,
 * this prefix, this landing on this host.  It holds one link, or, when
 * several share it, their group, which has an id and a cell of its own: a
 * request that cannot tell them apart costs the same for 2 and for 50,000.
 *
 * Ids are dense and never reused, neither is a removed link's: added again it
 * has its old id, hence its old totals.
 */

#ifndef RFL_REGISTRY_H
#define RFL_REGISTRY_H

#include "rfl_hash.h"
#include "rfl_identity.h"
#include "rfl_store.h"


/*
 * Slot kinds.  Every link stands in the slot of its match type and in the
 * _TARGET slot of its match type (with an empty target if it has none: that
 * one holds one link, never a group, but for TAG_TARGET); a page link (exact,
 * prefix or regex) also stands in LANDING, or in BLANK if it has no target;
 * a link with a tag, whatever its match type, stands in TAG and TAG_TARGET.
 * The numbers are stored.
 */

typedef enum {
    RFL_SLOT_HOST = 1,           /* host SURT; also tells what the host has */
    RFL_SLOT_DOMAIN,             /* host SURT */
    RFL_SLOT_PAGE,               /* SURT */
    RFL_SLOT_PREFIX,             /* SURT */
    RFL_SLOT_LANDING,            /* host SURT, target: page links */
    RFL_SLOT_BLANK,              /* host SURT: page links without target */
    RFL_SLOT_HOST_TARGET,        /* host SURT, target */
    RFL_SLOT_DOMAIN_TARGET,
    RFL_SLOT_PAGE_TARGET,        /* SURT, target */
    RFL_SLOT_PREFIX_TARGET,
    RFL_SLOT_TAG,                /* tag */
    RFL_SLOT_TAG_TARGET,         /* tag, target */
    RFL_SLOT_PATTERN,            /* host SURT, ")", pattern */
    RFL_SLOT_PATTERN_TARGET,
    RFL_SLOT_KINDS
} rfl_slot_kind_t;


/*
 * What a host has, beside a host link: which probes can succeed at all.
 * Set when a link is added, cleared when the host's last link goes; a flag
 * that is set too long costs a probe, never an answer.  DEPTH(n): there is
 * a prefix link of n path segments.
 */

#define RFL_HOST_PAGES           0x01        /* exact links */
#define RFL_HOST_TARGETS         0x02        /* page links with a target */
#define RFL_HOST_BLANKS          0x04        /* page links without one */
#define RFL_HOST_TARGET_HOSTS    0x08        /* targets that name a host */
#define RFL_HOST_TARGET_QUERIES  0x10        /* targets with a query */
#define RFL_HOST_REGEX           0x20        /* regex links */
#define RFL_HOST_DEPTH(n)        (0x80u << (n))      /* n: 0 .. 16 */


/* As it is stored, behind what confirms it. */

typedef struct {
    uint32_t  id;                /* link or group; 0: none (a host's flags) */
    uint32_t  host_flags:24;     /* RFL_SLOT_HOST only */
    uint32_t  kind:4;
    uint32_t  spare:2;
    uint32_t  is_group:1;
    uint32_t  has_target:1;      /* one link, and it has a target */
} rfl_slot_t;


/*
 * A slot's hash is made of those of its texts, so that each text is hashed
 * once for all slots that are asked for.  The first bits are the host's: its
 * slots lie side by side, as a rule in one page, which the first probe brings
 * for the others.  The next bit sets its pages apart: of a host with 50,000 of
 * them what is asked for besides lies near the host's own slot all the same.
 * 24 bits of the host part 16 million hosts; 39 part the pages of a host: of 4
 * million 16 times two share a low half, three nowhere.
 *
 * source: the hash of a host or tag, or rfl_slot_page().  target: NULL for the
 * kinds that have none.
 */

#define RFL_SLOT_HOST_BITS  0xffffff0000000000u
#define RFL_SLOT_PAGE_BIT   0x0000008000000000u

/* The kinds whose source is more than a host. */

#define RFL_SLOT_PAGES                                                        \
    (1u << RFL_SLOT_PAGE | 1u << RFL_SLOT_PAGE_TARGET                         \
     | 1u << RFL_SLOT_PREFIX | 1u << RFL_SLOT_PREFIX_TARGET                   \
     | 1u << RFL_SLOT_PATTERN | 1u << RFL_SLOT_PATTERN_TARGET)

/* Odd, with as many bits of either kind: the golden ratio's, and XXH64's. */

#define RFL_SLOT_LOW        0x9e3779b97f4a7c15u
#define RFL_SLOT_HIGH       0xc2b2ae3d27d4eb4fu


/* What follows ")" in a SURT, or a pattern, on a host. */

static inline rfl_hash_t
rfl_slot_page(rfl_hash_t host, rfl_hash_t rest)
{
    rfl_hash_t  page;

    page.low = host.low * RFL_SLOT_LOW + rest.low;
    page.high = host.high * RFL_SLOT_HIGH + rest.high;

    return page;
}


static inline int
rfl_slot_has_page(rfl_slot_kind_t kind)
{
    return (RFL_SLOT_PAGES >> kind & 1) != 0;
}


static inline rfl_hash_t
rfl_slot_key(rfl_slot_kind_t kind, rfl_hash_t host, rfl_hash_t source,
    const rfl_hash_t *target)
{
    rfl_hash_t  key;

    key = target != NULL ? rfl_slot_page(source, *target) : source;

    key.low += kind * RFL_SLOT_HIGH;
    key.high += kind * RFL_SLOT_LOW;

    key.low = (host.low & RFL_SLOT_HOST_BITS)
              | (key.low & ~(RFL_SLOT_HOST_BITS | RFL_SLOT_PAGE_BIT))
              | (rfl_slot_has_page(kind) ? RFL_SLOT_PAGE_BIT : 0);

    return key;
}


/*
 * What stands under a host: the slots of its page links, by a bit each, and
 * what the longest of these links have.  What is not covered is not there, and
 * who asks for it needs no probe, and for what is too long no hash.
 *
 * They only grow until the host's last link goes: where they cover more than
 * there is, that costs a probe, never an answer.
 */

typedef struct {
    uint64_t  bits;
    uint16_t  source;            /* bytes of a SURT: exact and prefix links */
    uint16_t  target;            /* bytes of a target */
} rfl_bounds_t;


static inline uint64_t
rfl_slot_bit(rfl_hash_t key)
{
    return (uint64_t) 1 << (key.high >> 58);
}


#define RFL_SLOT_TEXT_MAX  (2 * RFL_SURT_MAX + RFL_HOST_MAX + 32)

typedef struct {
    uint32_t         id;
    uint64_t         key;
    rfl_slot_kind_t  kind;
    uint32_t         links;      /* members now; 0 or 1: dormant */
    rfl_str_t        text;       /* SURT, host or tag, '\n', target: for
                                    people; at most RFL_SLOT_TEXT_MAX bytes */
} rfl_group_t;


typedef struct rfl_registry_s  rfl_registry_t;

typedef struct {
    u_char    uuid[16];
    uint32_t  next_id;           /* ids below it are taken; first id is 1 */
    uint32_t  links;             /* registered now */
    uint32_t  groups;            /* with two members or more */
    uint32_t  domain_links;
    uint32_t  max_links;         /* add refuses more; 0: no limit was set */
    uint64_t  source;            /* of the file it follows, a hash; 0: none */
    uint64_t  created;           /* seconds */
} rfl_registry_meta_t;


/*
 * path is the registry's PATH (the environment is PATH/registry).  Flags and
 * errors are rfl_store_open()'s; also RFL_BAD_VERSION.  CREATE makes what is
 * missing, also a new uuid.
 */

rfl_rc_t rfl_registry_open(rfl_registry_t **rp, const char *path,
    unsigned flags, size_t map_size, rfl_error_t *err);
void rfl_registry_close(rfl_registry_t *r);

/* See rfl_store_begin(), _end(), _commit(). */

rfl_rc_t rfl_registry_begin(rfl_registry_t *r, int write, rfl_error_t *err);
void rfl_registry_end(rfl_registry_t *r);
rfl_rc_t rfl_registry_commit(rfl_registry_t *r, rfl_error_t *err);

rfl_store_t *rfl_registry_store(rfl_registry_t *r);

/* See rfl_store_newest(). */

uint64_t rfl_registry_newest(rfl_registry_t *r);


/*
 * All below need a begun transaction; slices they return end with it, in a
 * write transaction with the next write.
 */

/* Copies the meta data; cached by snapshot, so it costs nothing twice. */

rfl_rc_t rfl_registry_meta(rfl_registry_t *r, rfl_registry_meta_t *meta);

/* The same for one question: RFL_NOT_FOUND, there are no domain links. */

rfl_rc_t rfl_registry_has_domains(rfl_registry_t *r);


/* One probe: RFL_NOT_FOUND, or *slot. */

rfl_rc_t rfl_registry_find(rfl_registry_t *r, rfl_hash_t key,
    rfl_slot_t *slot);

/* Of a host: bounds cover all if none are stored. */

rfl_rc_t rfl_registry_find_host(rfl_registry_t *r, rfl_hash_t key,
    rfl_slot_t *slot, rfl_bounds_t *bounds);

/*
 * The same by text: a, and b for the kinds that have a target, where it may be
 * empty.
 */

rfl_rc_t rfl_registry_slot(rfl_registry_t *r, rfl_slot_kind_t kind,
    rfl_str_t a, rfl_str_t b, rfl_slot_t *slot);


/*
 * The regex links of a host (its SURT) in the order of their ids, which is
 * that of their registration.  RFL_NOT_FOUND: it has none.
 */

typedef struct {
    const u_char  *data;
    size_t         n;            /* at most RFL_PATTERNS_PER_HOST */
} rfl_registry_ids_t;

rfl_rc_t rfl_registry_patterns(rfl_registry_t *r, rfl_str_t host,
    rfl_registry_ids_t *ids);

static inline uint32_t
rfl_registry_id(const rfl_registry_ids_t *ids, size_t i)
{
    uint32_t  id;

    memcpy(&id, ids->data + 4 * i, 4);

    return id;
}


/* A registered link by id; RFL_NOT_FOUND if retired or no link. */

rfl_rc_t rfl_registry_link(rfl_registry_t *r, uint32_t id, rfl_link_t *link);
rfl_rc_t rfl_registry_group(rfl_registry_t *r, uint32_t id,
    rfl_group_t *group);

/* A link that has been removed; RFL_NOT_FOUND if it is none. */

rfl_rc_t rfl_registry_retired(rfl_registry_t *r, uint32_t id,
    rfl_link_t *link);

/*
 * By key; a retired link is RFL_NOT_FOUND.  by_prefix: 1 to 16 hex digits that
 * name one link only; RFL_INVALID when none or several, saying so.
 */

rfl_rc_t rfl_registry_by_key(rfl_registry_t *r, uint64_t key,
    rfl_link_t *link);
rfl_rc_t rfl_registry_by_prefix(rfl_registry_t *r, rfl_str_t hex,
    rfl_link_t *link, rfl_error_t *err);

/* The first registered link whose key is >= key. */

rfl_rc_t rfl_registry_next_key(rfl_registry_t *r, uint64_t key,
    rfl_link_t *link);

/*
 * Several of them in the order of their keys, max or RFL_PAGES_MANY at most,
 * from *key on, which moves behind what was looked at: so many keys, and of
 * them all may be those of removed links.  RFL_NOT_FOUND: none is left.
 */

rfl_rc_t rfl_registry_next_links(rfl_registry_t *r, uint64_t *key,
    rfl_link_t *links, size_t max, size_t *n);

/*
 * Links in the order of their sources.  Start with place->len = 0; each call
 * moves place behind the link it returned.
 */

typedef struct {
    size_t  len;
    u_char  key[RFL_STORE_KEY_MAX];
} rfl_registry_place_t;

rfl_rc_t rfl_registry_next_source(rfl_registry_t *r,
    rfl_registry_place_t *place, rfl_link_t *link);


/* The groups a link belongs to now; at most RFL_LINK_GROUPS_MAX. */

#define RFL_LINK_GROUPS_MAX  4

typedef struct {
    rfl_group_t  group;
    uint64_t     clicks_at_join;
} rfl_membership_t;

rfl_rc_t rfl_registry_groups(rfl_registry_t *r, const rfl_link_t *link,
    rfl_membership_t *out, size_t *n);

/*
 * The first id at or behind *id that has a record: a link, one that was
 * removed, a group.  RFL_NOT_FOUND behind the last one.
 */

rfl_rc_t rfl_registry_next_id(rfl_registry_t *r, uint32_t *id);

/*
 * A group by its key.  Its members: the first link whose id is >= *link_id;
 * RFL_NOT_FOUND behind the last one.  A dormant group may have one still.
 */

rfl_rc_t rfl_registry_by_group_key(rfl_registry_t *r, uint64_t key,
    rfl_group_t *group);
rfl_rc_t rfl_registry_next_member(rfl_registry_t *r, uint32_t group,
    uint32_t *link_id);

/* All members of all groups, by group; stops at what is not RFL_OK. */

typedef rfl_rc_t (*rfl_registry_member_pt)(void *data, uint32_t group,
    uint32_t link_id);

rfl_rc_t rfl_registry_walk_members(rfl_registry_t *r,
    rfl_registry_member_pt handler, void *data);


/*
 * Writes; they need a write transaction.
 *
 * set_floor: ids below floor are taken elsewhere (ledger, counter file); a
 * registry restored from a backup must not issue them again.
 * set_clicks: how to read a group's clicks when a link joins it; without it
 * they are taken as 0.  Where they cannot be read the link does not join:
 * RFL_CLICKS_UNKNOWN makes the write fail.
 */

typedef uint64_t (*rfl_registry_clicks_pt)(void *data, uint32_t id);

#define RFL_CLICKS_UNKNOWN  UINT64_MAX

/*
 * What nginx's directive says is stored, so that whoever adds keeps to it: the
 * limit, and the file the links are those of, "" for none.  It begins and ends
 * its own transactions, the writing one only where something is to change, and
 * may wait for another writer.
 *
 * source_hash: what the meta data have of a file's name; 0 for "".
 */

rfl_rc_t rfl_registry_set_directive(rfl_registry_t *r, uint32_t max_links,
    rfl_str_t source, rfl_error_t *err);
uint64_t rfl_registry_source_hash(rfl_str_t source);

/* RFL_DENIED: its links are those of a file, and err says of which and what to
 * do. */

rfl_rc_t rfl_registry_may_edit(rfl_registry_t *r, rfl_error_t *err);

/* In this transaction add does not look at max_links: the caller does. */

void rfl_registry_pass_max_links(rfl_registry_t *r);

void rfl_registry_set_floor(rfl_registry_t *r, uint32_t floor);
void rfl_registry_set_clicks(rfl_registry_t *r, rfl_registry_clicks_pt clicks,
    void *data);

/*
 * add: fills link's key, id, revision, created (now, unless it is non-zero
 * already).  RFL_EXISTS when it is registered (key and id are filled with the
 * registered one's), RFL_INVALID as rfl_identity() and for a pattern that does
 * not compile, RFL_FULL beyond max_links or RFL_PATTERNS_PER_HOST.
 * added: what add has just found the link to be (also if it was registered),
 * until the next call.
 * update: stores the editable fields of a link that is registered, by its id;
 * identity fields are taken from the stored record.  A new tag may form
 * groups, so this issues ids, too.
 * remove: RFL_NOT_FOUND when it is not registered.
 */


rfl_rc_t rfl_registry_add(rfl_registry_t *r, rfl_link_t *link, uint64_t now,
    rfl_error_t *err);
/*
 * For many adds in one transaction: what they have to write is kept, in part
 * on disk, beside data.mdb, and written in order.  Until settle, or the commit,
 * only add, added, link and update may be called; an error of an earlier add
 * may come with a later call.  Memory: 100 MB, and about 20 bytes a link.
 */

rfl_rc_t rfl_registry_bulk(rfl_registry_t *r, rfl_error_t *err);
rfl_rc_t rfl_registry_settle(rfl_registry_t *r, rfl_error_t *err);

const rfl_identity_t *rfl_registry_added(rfl_registry_t *r);
rfl_rc_t rfl_registry_update(rfl_registry_t *r, rfl_link_t *link,
    rfl_error_t *err);
rfl_rc_t rfl_registry_remove(rfl_registry_t *r, uint64_t key,
    rfl_error_t *err);


/*
 * Removes all links but those that are kept, as remove does with each, for a
 * fraction of its cost: each table is gone through once, in its order.  What is
 * in bulk is settled first.  may_go_on is asked before each link and now and
 * then behind the last one; what it says if it is not RFL_OK is returned.  It
 * needs memory as bulk does.
 */

typedef struct {
    int       (*keeps)(void *data, uint32_t id);
    rfl_rc_t  (*may_go_on)(void *data, rfl_error_t *err);    /* or NULL */
    void       *data;
} rfl_registry_others_t;

rfl_rc_t rfl_registry_remove_others(rfl_registry_t *r,
    const rfl_registry_others_t *others, uint64_t *removed, rfl_error_t *err);


#endif /* RFL_REGISTRY_H */
