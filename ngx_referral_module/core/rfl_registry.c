/*
 * The registry: what a link needs to be found by people (records, keys,
 * sources) and by requests (slots), kept equal in one transaction.
 *
 * A slot is addressed by the low half of its hash and confirmed by the high
 * half: no string is stored or compared on the request path.  Its value is a
 * list of entries of 16 bytes, nearly always one, or two where it is a host's
 * with its bounds (rfl_registry_parts.h).
 *
 * When a second link joins a slot, a group takes it: an id, a record, and a
 * row in members for each link.  When the last but one leaves, the slot is
 * the remaining link's again; the group sleeps with its id, found by its key
 * when another link comes.  The remaining link keeps its row in members
 * until it leaves too.
 *
 * An add is about nine B-tree probes, and allocates nothing.  In bulk, all but
 * the record and one read of the key waits, is put in order (rfl_bulk.h) and
 * written in one walk through each table.
 */

#include "rfl_registry_parts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "rfl_bulk.h"
#include "rfl_counters.h"
#include "rfl_pattern.h"


#define RFL_REGISTRY_VERSION  4
#define RFL_GROUP_VERSION     1

/* An add may take five ids: the link's and those of four new groups. */

#define RFL_ADD_IDS_MAX       5

/* A page link's slots that are its host's; they are the first. */

#define RFL_PAGE_SLOTS        3

/* Group keys that hit another key try the next ones. */

#define RFL_GROUP_KEY_TRIES   8

#define RFL_GROUP_PREFIX      "group"
#define RFL_GROUP_PREFIX_LEN  (sizeof(RFL_GROUP_PREFIX) - 1)

#define RFL_NUMBERS_SIZE      16         /* next id, links, groups, domains */
#define RFL_GROUP_HEAD        16         /* bytes before a group's text */

#define RFL_SOURCE_HASH       32
#define RFL_SOURCE_SURT_MAX   (RFL_STORE_KEY_MAX - RFL_SOURCE_TAIL)

#define RFL_PATTERNS_SIZE     (4 * RFL_PATTERNS_PER_HOST)

/* So much may be put in bulk before what was written leaves memory. */

#define RFL_BULK_DIRTY_MAX    ((size_t) 32 << 20)

/* Of a removal, in turns between which it is asked whether to go on. */

#define RFL_REMOVAL_TURN      1024

/* Behind a source that is removed: its link's match type, its host's length. */

#define RFL_REMOVAL_TAIL      3

/* Keys, those of removed links too, that are looked at for the next links. */

#define RFL_REGISTRY_LOOKED   256

/* What LMDB needs for a key and its value beside these. */

#define RFL_NODE_SIZE         10
#define RFL_MEMBER_SIZE       (RFL_NODE_SIZE + 16)

/* What of a text an error message shows. */

#define RFL_SHOWN_MAX         200


typedef struct {
    rfl_slot_entry_t  entries[RFL_SLOT_ENTRIES_MAX];
    size_t            n;
    size_t            found;             /* == n: the slot has no entry */
} rfl_slot_list_t;


typedef struct {
    uint32_t         id;
    u_char           state;
} rfl_key_value_t;


/* Keys of links that are read together. */

typedef struct {
    size_t           n;
    uint64_t         end;                /* keys below it were looked at */
    uint64_t         keys[RFL_PAGES_MANY];
    uint64_t         ids[RFL_PAGES_MANY];
} registry_ahead_t;


/*
 * Links that are removed together.  What a table loses is put into its order
 * first: a slot of bulk's is a link's that leaves it, with the group it may
 * have there (0: none) as info; without an id it is a host without pages.
 */

typedef struct {
    const rfl_registry_others_t
                    *others;
    rfl_bulk_t      *bulk;
    u_char          *members;            /* a bit for each id; NULL: there are
                                            none in any group */
    size_t           ids;                /* that it has bits for */
    unsigned         turns;
    uint64_t         removed;

    /* of sources: whether the last host is to be looked at, and its SURT */

    unsigned         is_swept:1;
    size_t           host_len;
    u_char           host[RFL_STORE_KEY_MAX];
} registry_removal_t;


struct rfl_registry_s {
    rfl_store_t            *store;
    rfl_registry_meta_t     meta;
    uint64_t                meta_txn;    /* the snapshot meta is of */
    unsigned                meta_valid:1;
    unsigned                meta_dirty:1;
    unsigned                writing:1;
    unsigned                pass_max_links:1;
    unsigned                depth;       /* of nested begins */
    rfl_rc_t                failed;      /* of a write that was half done */
    uint32_t                floor;
    rfl_registry_clicks_pt  clicks;
    void                   *clicks_data;
    rfl_bulk_t             *bulk;        /* or NULL */
    rfl_cursor_t           *cursor;      /* of what is written in bulk */
    size_t                  bulk_dirty;  /* bytes put since the last spill */
    char                    dir[PATH_MAX];

    /* Work space: too large for a stack, too hot for the heap. */

    rfl_identity_t          identity;
    rfl_identity_t          stored;
    size_t                  text_len;    /* without group prefix and kind */
    u_char                  text[RFL_GROUP_PREFIX_LEN + 1
                                 + RFL_SLOT_TEXT_MAX + 1];
    u_char                  last[RFL_STORE_KEY_MAX];
    u_char                  record[RFL_GROUP_HEAD + RFL_LINK_RECORD_MAX
                                   + RFL_SLOT_TEXT_MAX + 1];
};


_Static_assert(RFL_SURT_MAX + RFL_SURT_MAX + RFL_HOST_MAX + 16
               <= RFL_SLOT_TEXT_MAX, "a slot's text holds source and target");
_Static_assert(RFL_SLOT_KINDS <= RFL_SLOT_BOUNDS,
               "a slot's kind has four bits");
_Static_assert(RFL_SURT_MAX + RFL_HOST_MAX + 16 <= UINT16_MAX,
               "bounds have two bytes for a source and for a target");
_Static_assert(RFL_SLOT_ENTRY_SIZE == sizeof(uint64_t) + sizeof(rfl_slot_t),
               "a slot's entry is read as it is stored");
_Static_assert(RFL_LINK_GROUPS_MAX == RFL_LINK_SLOTS_MAX - 1,
               "a link's groups fit where they are asked for");


static rfl_rc_t registry_check_version(rfl_registry_t *r, rfl_error_t *err);
static rfl_rc_t registry_read_version(rfl_registry_t *r, rfl_error_t *err);
static rfl_rc_t registry_create(rfl_registry_t *r, rfl_error_t *err);
static rfl_rc_t registry_put_meta(rfl_registry_t *r, rfl_error_t *err);
static rfl_rc_t registry_put_numbers(rfl_registry_t *r, rfl_error_t *err);
static inline rfl_rc_t registry_find(rfl_registry_t *r, rfl_hash_t key,
    rfl_slot_t *slot, rfl_str_t *behind);
static inline rfl_rc_t registry_need_meta(rfl_registry_t *r);
static rfl_rc_t registry_load_meta(rfl_registry_t *r);
static rfl_rc_t registry_get_meta(rfl_registry_t *r, const char *name,
    void *out, size_t size);
static rfl_rc_t registry_new_uuid(u_char uuid[16], rfl_error_t *err);

static rfl_rc_t registry_read_keys(rfl_registry_t *r, uint64_t key,
    size_t max, registry_ahead_t *ahead);
static rfl_rc_t registry_read_links(rfl_registry_t *r,
    const registry_ahead_t *ahead, rfl_link_t *links);
static rfl_rc_t registry_get_key(rfl_registry_t *r, uint64_t key,
    rfl_key_value_t *value);
static rfl_rc_t registry_link_of_key(rfl_registry_t *r, uint64_t key,
    uint32_t id, rfl_link_t *link);
static rfl_rc_t registry_parse_key(rfl_str_t stored, rfl_key_value_t *value);
static rfl_rc_t registry_put_key(rfl_registry_t *r, uint64_t key, uint32_t id,
    u_char state, rfl_error_t *err);
static void registry_key_value(u_char *out, uint32_t id, u_char state);
static rfl_rc_t registry_record(rfl_registry_t *r, uint32_t id, u_char state,
    rfl_link_t *link);
static rfl_rc_t registry_decode(rfl_str_t record, u_char state,
    rfl_link_t *link);
static int registry_is_link(const rfl_key_value_t *value);

static rfl_rc_t registry_put_directive(rfl_registry_t *r, uint32_t max_links,
    rfl_str_t source, rfl_error_t *err);
static rfl_rc_t registry_may_write(rfl_registry_t *r, rfl_error_t *err);
static rfl_rc_t registry_known(rfl_registry_t *r, rfl_link_t *link,
    uint32_t *id, uint32_t *revision, rfl_error_t *err);
static int registry_same_identity(rfl_registry_t *r, const rfl_link_t *link,
    const rfl_link_t *known);
static rfl_rc_t registry_check_room(rfl_registry_t *r, rfl_error_t *err);
static rfl_rc_t registry_check_ids(rfl_registry_t *r, rfl_error_t *err);
static rfl_rc_t registry_check_pattern(rfl_registry_t *r,
    const rfl_link_t *link, rfl_error_t *err);
static uint32_t registry_next_id(rfl_registry_t *r);
static uint32_t registry_issue_id(rfl_registry_t *r);
static rfl_rc_t registry_encode(rfl_registry_t *r, const rfl_link_t *link,
    size_t *len, rfl_error_t *err);
static rfl_rc_t registry_insert(rfl_registry_t *r, const rfl_link_t *link,
    size_t record_len, int is_new, rfl_error_t *err);
static rfl_rc_t registry_put_off(rfl_registry_t *r, const rfl_link_t *link,
    rfl_error_t *err);
static rfl_rc_t registry_put_index(rfl_registry_t *r, const rfl_link_t *link,
    rfl_error_t *err);
static rfl_rc_t registry_write_bulk(rfl_registry_t *r, rfl_error_t *err);
static rfl_rc_t registry_write_slots(rfl_registry_t *r, rfl_error_t *err);
static rfl_rc_t registry_collect_slots(rfl_registry_t *r, uint64_t low,
    int is_new, rfl_slot_list_t *list, rfl_error_t *err);
static rfl_rc_t registry_collect_slot(rfl_registry_t *r,
    rfl_slot_list_t *list, rfl_error_t *err);
static rfl_rc_t removal_find_members(rfl_registry_t *r,
    registry_removal_t *x, rfl_error_t *err);
static rfl_rc_t removal_note_member(void *data, uint32_t group,
    uint32_t link_id);
static rfl_rc_t removal_run(rfl_registry_t *r, registry_removal_t *x,
    rfl_error_t *err);
static rfl_rc_t removal_pass(rfl_registry_t *r, registry_removal_t *x,
    unsigned dbi,
    rfl_rc_t (*pass)(rfl_registry_t *r, registry_removal_t *x,
                     rfl_error_t *err),
    rfl_error_t *err);
static rfl_rc_t removal_turn(registry_removal_t *x, rfl_error_t *err);
static rfl_rc_t removal_may_go_on(registry_removal_t *x, rfl_error_t *err);
static rfl_rc_t removal_records(rfl_registry_t *r, registry_removal_t *x,
    rfl_error_t *err);
static rfl_rc_t removal_record(rfl_registry_t *r, registry_removal_t *x,
    uint32_t id, rfl_str_t record, rfl_error_t *err);
static rfl_rc_t removal_source(rfl_registry_t *r, registry_removal_t *x,
    const rfl_link_t *link, rfl_error_t *err);
static rfl_rc_t removal_slots_of(rfl_registry_t *r, registry_removal_t *x,
    const rfl_link_t *link, rfl_error_t *err);
static rfl_rc_t removal_sources(rfl_registry_t *r, registry_removal_t *x,
    rfl_error_t *err);
static rfl_rc_t removal_drop_source(rfl_registry_t *r, registry_removal_t *x,
    rfl_str_t item, rfl_error_t *err);
static rfl_rc_t removal_sweep(rfl_registry_t *r, registry_removal_t *x,
    rfl_error_t *err);
static rfl_rc_t removal_slots(rfl_registry_t *r, registry_removal_t *x,
    rfl_error_t *err);
static rfl_rc_t removal_slot(rfl_registry_t *r, registry_removal_t *x,
    rfl_slot_list_t *list, rfl_error_t *err);
static rfl_rc_t removal_leave(rfl_registry_t *r, registry_removal_t *x,
    rfl_slot_entry_t *entry, int *is_swept, rfl_error_t *err);
static rfl_rc_t removal_forget(rfl_registry_t *r, uint32_t group_id,
    uint32_t link_id, rfl_error_t *err);
static rfl_rc_t removal_group(rfl_registry_t *r, rfl_slot_entry_t *entry,
    uint32_t left, rfl_error_t *err);
static rfl_rc_t removal_keys(rfl_registry_t *r, registry_removal_t *x,
    rfl_error_t *err);
static int registry_bulk_is_at(const rfl_bulk_t *b,
    const rfl_bulk_slot_t *slot);
static rfl_rc_t registry_collect_group(rfl_registry_t *r,
    const rfl_bulk_slot_t *first, rfl_slot_entry_t *entry, rfl_error_t *err);
static rfl_rc_t registry_collect_members(rfl_registry_t *r,
    const rfl_bulk_slot_t *first, uint32_t group, uint32_t *n,
    rfl_error_t *err);
static rfl_rc_t registry_name_slot(rfl_registry_t *r,
    const rfl_bulk_slot_t *slot, rfl_error_t *err);
static rfl_rc_t registry_write_sources(rfl_registry_t *r, rfl_error_t *err);
static rfl_rc_t registry_write_keys(rfl_registry_t *r, rfl_error_t *err);
static rfl_rc_t registry_last(rfl_registry_t *r, rfl_str_t *last,
    rfl_error_t *err);
static rfl_rc_t registry_last_number(rfl_registry_t *r, uint64_t *last,
    unsigned *is_empty, rfl_error_t *err);
static rfl_rc_t registry_put_in_order(rfl_registry_t *r, rfl_str_t key,
    rfl_str_t value, int append, rfl_error_t *err);
static rfl_rc_t registry_dirtied(rfl_registry_t *r, size_t size,
    rfl_error_t *err);
static void registry_end_bulk(rfl_registry_t *r);
static rfl_rc_t registry_retire(rfl_registry_t *r, const rfl_link_t *link,
    size_t record_len, rfl_error_t *err);
static rfl_rc_t registry_move_tag(rfl_registry_t *r, uint32_t id,
    rfl_error_t *err);
static rfl_str_t registry_source_text(const rfl_identity_t *identity,
    rfl_match_type_t type, u_char *buf);
static size_t registry_source_names(const rfl_identity_t *identity,
    rfl_match_type_t type, rfl_slot_name_t *names);
static size_t registry_tag_names(const rfl_identity_t *identity,
    rfl_slot_name_t *names);
static rfl_hash_t registry_host_hash(rfl_str_t host);
static void registry_longest(const rfl_identity_t *identity,
    rfl_match_type_t type, rfl_bounds_t *bounds);
static rfl_rc_t registry_mark_host(rfl_registry_t *r, rfl_hash_t hash,
    uint32_t flags, const rfl_bounds_t *bounds, rfl_error_t *err);
static rfl_rc_t registry_sweep_host(rfl_registry_t *r, rfl_str_t host,
    rfl_error_t *err);
static rfl_rc_t registry_host_has_pages(rfl_registry_t *r, rfl_str_t host);
static rfl_rc_t registry_patterns(rfl_registry_t *r, rfl_hash_t hash,
    rfl_registry_ids_t *ids);
static rfl_rc_t registry_put_pattern(rfl_registry_t *r, rfl_str_t host,
    uint32_t id, rfl_error_t *err);
static rfl_rc_t registry_drop_pattern(rfl_registry_t *r, rfl_str_t host,
    uint32_t id, rfl_error_t *err);
static rfl_rc_t registry_save_patterns(rfl_registry_t *r, rfl_hash_t hash,
    const u_char *ids, size_t n, rfl_error_t *err);

static rfl_rc_t slot_load(rfl_registry_t *r, rfl_hash_t hash,
    rfl_slot_list_t *list);
static rfl_rc_t slot_parse(rfl_str_t value, uint64_t high,
    rfl_slot_list_t *list);
static size_t slot_index(const rfl_slot_list_t *list, uint64_t high);
static rfl_rc_t slot_save(rfl_registry_t *r, rfl_hash_t hash,
    const rfl_slot_list_t *list, rfl_error_t *err);
static rfl_rc_t slot_add(rfl_registry_t *r, rfl_hash_t hash,
    rfl_slot_entry_t entry, rfl_error_t *err);
static rfl_rc_t slot_widen(rfl_slot_list_t *list, size_t host,
    const rfl_bounds_t *bounds);
static rfl_rc_t slot_drop(rfl_registry_t *r, rfl_hash_t hash,
    rfl_slot_list_t *list, rfl_error_t *err);
static void slot_cut(rfl_slot_list_t *list);
static rfl_rc_t slot_put_new(rfl_registry_t *r, rfl_hash_t hash,
    const rfl_slot_entry_t *entry, rfl_error_t *err);
static void slot_text(rfl_registry_t *r, const rfl_slot_name_t *name);
static rfl_str_t slot_write(const rfl_slot_list_t *list, u_char *value);
static void slot_write_entry(u_char *p, const rfl_slot_entry_t *entry);
static void slot_join_bounds(rfl_bounds_t *bounds, uint64_t bits,
    uint32_t longest);
static uint32_t slot_longest(const rfl_bounds_t *bounds);
static uint32_t slot_info(rfl_slot_kind_t kind, int has_target);
static rfl_rc_t slot_join(rfl_registry_t *r, const rfl_slot_name_t *name,
    uint32_t id, int has_target, rfl_error_t *err);
static rfl_rc_t slot_leave(rfl_registry_t *r, const rfl_slot_name_t *name,
    uint32_t id, rfl_error_t *err);

static rfl_rc_t group_load(rfl_registry_t *r, uint32_t id,
    rfl_group_t *group);
static rfl_rc_t group_save(rfl_registry_t *r, const rfl_group_t *group,
    unsigned flags, rfl_error_t *err);
static rfl_rc_t group_find(rfl_registry_t *r, rfl_slot_kind_t kind,
    rfl_group_t *group, rfl_error_t *err);
static rfl_rc_t group_open(rfl_registry_t *r, rfl_slot_kind_t kind,
    rfl_group_t *group, unsigned *flags, rfl_error_t *err);
static rfl_rc_t group_found(rfl_registry_t *r, rfl_slot_kind_t kind,
    uint32_t first, uint32_t second, uint32_t *id, rfl_error_t *err);
static rfl_rc_t group_join(rfl_registry_t *r, uint32_t id, uint32_t link_id,
    rfl_error_t *err);
static rfl_rc_t group_leave(rfl_registry_t *r, rfl_slot_entry_t *entry,
    uint32_t link_id, rfl_error_t *err);
static rfl_rc_t group_forget(rfl_registry_t *r, rfl_slot_kind_t kind,
    uint32_t link_id, rfl_error_t *err);
static rfl_rc_t group_end(rfl_registry_t *r, rfl_slot_entry_t *entry,
    rfl_error_t *err);
static rfl_rc_t group_put_to_sleep(rfl_registry_t *r, rfl_group_t *group,
    uint32_t link_id, rfl_error_t *err);
static rfl_rc_t group_put_member(rfl_registry_t *r, uint32_t id,
    uint32_t link_id, rfl_error_t *err);

static rfl_rc_t registry_damaged(rfl_registry_t *r, rfl_error_t *err,
    rfl_rc_t rc, const char *what, uint64_t which);
static int registry_shown(rfl_str_t text);
static rfl_str_t registry_name(const rfl_link_t *link);
static int slot_kind_has_target(rfl_slot_kind_t kind);


static const rfl_store_dbi_t  registry_dbis[RFL_DBIS] = {
    { "meta",    RFL_KEY_BYTES },
    { "records", RFL_KEY_U32 },
    { "keys",    RFL_KEY_U64 },
    { "sources", RFL_KEY_BYTES },
    { "slots",   RFL_KEY_U64 },
    { "members", RFL_KEY_U64 },
    { "patterns", RFL_KEY_BYTES }
};


static const struct {
    rfl_slot_kind_t  source;
    rfl_slot_kind_t  target;
} registry_kinds[RFL_MATCH_TYPES] = {
    [RFL_MATCH_EXACT]  = { RFL_SLOT_PAGE,    RFL_SLOT_PAGE_TARGET },
    [RFL_MATCH_PREFIX] = { RFL_SLOT_PREFIX,  RFL_SLOT_PREFIX_TARGET },
    [RFL_MATCH_HOST]   = { RFL_SLOT_HOST,    RFL_SLOT_HOST_TARGET },
    [RFL_MATCH_DOMAIN] = { RFL_SLOT_DOMAIN,  RFL_SLOT_DOMAIN_TARGET },
    [RFL_MATCH_REGEX]  = { RFL_SLOT_PATTERN, RFL_SLOT_PATTERN_TARGET },
    [RFL_MATCH_TAG]    = { RFL_SLOT_TAG,     RFL_SLOT_TAG_TARGET }
};


rfl_rc_t
rfl_registry_open(rfl_registry_t **rp, const char *path, unsigned flags,
    size_t map_size, rfl_error_t *err)
{
    int              len;
    rfl_rc_t         rc;
    rfl_registry_t  *r;

    *rp = NULL;

    r = calloc(1, sizeof(rfl_registry_t));
    if (r == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "%s: out of memory", path);
    }

    len = snprintf(r->dir, sizeof(r->dir), "%s/registry", path);
    if (len < 0 || (size_t) len >= sizeof(r->dir)) {
        rc = rfl_fail(err, RFL_INVALID, "%.64s...: the path is too long",
                      path);
        goto failed;
    }

    memcpy(r->text, RFL_GROUP_PREFIX, RFL_GROUP_PREFIX_LEN);

    rc = rfl_store_open(&r->store, r->dir, registry_dbis, RFL_DBIS, flags,
                        map_size, err);
    if (rc != RFL_OK) {
        goto failed;
    }

    rc = registry_check_version(r, err);

    if (rc == RFL_NOT_FOUND && (flags & RFL_STORE_CREATE)) {
        rc = registry_create(r, err);
    }

    if (rc != RFL_OK) {
        goto failed;
    }

    *rp = r;

    return RFL_OK;

failed:

    rfl_registry_close(r);

    return rc;
}


void
rfl_registry_close(rfl_registry_t *r)
{
    if (r == NULL) {
        return;
    }

    registry_end_bulk(r);
    rfl_store_close(r->store);
    free(r);
}


static rfl_rc_t
registry_check_version(rfl_registry_t *r, rfl_error_t *err)
{
    rfl_rc_t  rc;

    rc = rfl_store_begin(r->store, 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = registry_read_version(r, err);

    rfl_store_end(r->store);

    return rc;
}


static rfl_rc_t
registry_read_version(rfl_registry_t *r, rfl_error_t *err)
{
    rfl_rc_t  rc;
    uint32_t  version;

    rc = registry_get_meta(r, "version", &version, sizeof(version));

    if (rc == RFL_NOT_FOUND) {
        return rfl_fail(err, rc, "%s has no version yet: it is being made, "
                        "or its maker was killed", r->dir);
    }

    if (rc != RFL_OK) {
        return rfl_fail(err, rc, "%s: its version cannot be read", r->dir);
    }

    if (version > RFL_REGISTRY_VERSION) {
        return rfl_fail(err, RFL_BAD_VERSION, "%s has version %u, this "
                        "program knows version %u; use the newer program, or "
                        "a backup from before", r->dir, version,
                        RFL_REGISTRY_VERSION);
    }

    if (version < RFL_REGISTRY_VERSION) {
        return rfl_fail(err, RFL_BAD_VERSION, "%s has version %u, this "
                        "program knows version %u; export its links with the "
                        "older program, and import them into a new directory",
                        r->dir, version, RFL_REGISTRY_VERSION);
    }

    return RFL_OK;
}


static rfl_rc_t
registry_create(rfl_registry_t *r, rfl_error_t *err)
{
    rfl_rc_t  rc;

    rc = rfl_store_begin(r->store, 1, err);
    if (rc != RFL_OK) {
        return rc;
    }

    /* Another process may have been faster. */

    rc = registry_read_version(r, err);
    if (rc != RFL_NOT_FOUND) {
        goto done;
    }

    memset(&r->meta, 0, sizeof(rfl_registry_meta_t));

    r->meta.next_id = 1;
    r->meta.created = (uint64_t) time(NULL);

    rc = registry_new_uuid(r->meta.uuid, err);
    if (rc != RFL_OK) {
        goto done;
    }

    rc = registry_put_meta(r, err);
    if (rc != RFL_OK) {
        goto done;
    }

    return rfl_store_commit(r->store, err);

done:

    rfl_store_end(r->store);

    return rc;
}


static rfl_rc_t
registry_put_meta(rfl_registry_t *r, rfl_error_t *err)
{
    rfl_rc_t  rc;
    uint32_t  version;

    version = RFL_REGISTRY_VERSION;

    rc = rfl_store_put(r->store, RFL_DBI_META, rfl_cstr("version"),
                       rfl_str(&version, sizeof(version)), 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_store_put(r->store, RFL_DBI_META, rfl_cstr("uuid"),
                       rfl_str(r->meta.uuid, sizeof(r->meta.uuid)), 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_store_put(r->store, RFL_DBI_META, rfl_cstr("created"),
                       rfl_str(&r->meta.created, sizeof(r->meta.created)), 0,
                       err);
    if (rc != RFL_OK) {
        return rc;
    }

    return registry_put_numbers(r, err);
}


static rfl_rc_t
registry_put_numbers(rfl_registry_t *r, rfl_error_t *err)
{
    u_char  numbers[RFL_NUMBERS_SIZE];

    memcpy(numbers, &r->meta.next_id, 4);
    memcpy(numbers + 4, &r->meta.links, 4);
    memcpy(numbers + 8, &r->meta.groups, 4);
    memcpy(numbers + 12, &r->meta.domain_links, 4);

    return rfl_store_put(r->store, RFL_DBI_META, rfl_cstr("numbers"),
                         rfl_str(numbers, sizeof(numbers)), 0, err);
}


static rfl_rc_t
registry_load_meta(rfl_registry_t *r)
{
    u_char     numbers[RFL_NUMBERS_SIZE];
    rfl_rc_t   rc;
    rfl_str_t  source;

    r->meta_valid = 0;

    rc = registry_get_meta(r, "uuid", r->meta.uuid, sizeof(r->meta.uuid));
    if (rc != RFL_OK) {
        return rc;
    }

    rc = registry_get_meta(r, "created", &r->meta.created,
                           sizeof(r->meta.created));
    if (rc != RFL_OK) {
        return rc;
    }

    rc = registry_get_meta(r, "numbers", numbers, sizeof(numbers));
    if (rc != RFL_OK) {
        return rc;
    }

    r->meta.max_links = 0;

    rc = registry_get_meta(r, "max_links", &r->meta.max_links,
                           sizeof(r->meta.max_links));
    if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
        return rc;
    }

    rc = rfl_store_get(r->store, RFL_DBI_META, rfl_cstr("source"), &source);

    if (rc == RFL_NOT_FOUND) {
        source.len = 0;

    } else if (rc != RFL_OK) {
        return rc;
    }

    r->meta.source = rfl_registry_source_hash(source);

    memcpy(&r->meta.next_id, numbers, 4);
    memcpy(&r->meta.links, numbers + 4, 4);
    memcpy(&r->meta.groups, numbers + 8, 4);
    memcpy(&r->meta.domain_links, numbers + 12, 4);

    r->meta_txn = rfl_store_txn_id(r->store);
    r->meta_valid = 1;

    return RFL_OK;
}


static rfl_rc_t
registry_get_meta(rfl_registry_t *r, const char *name, void *out, size_t size)
{
    rfl_rc_t   rc;
    rfl_str_t  value;

    rc = rfl_store_get(r->store, RFL_DBI_META, rfl_cstr(name), &value);
    if (rc != RFL_OK) {
        return rc;
    }

    if (value.len != size) {
        return RFL_DAMAGED;
    }

    memcpy(out, value.data, size);

    return RFL_OK;
}


/* RFC 9562, 5.4: version 4, the variant's two bits. */

static rfl_rc_t
registry_new_uuid(u_char uuid[16], rfl_error_t *err)
{
    ssize_t  n;

    do {
        n = getrandom(uuid, 16, 0);
    } while (n == -1 && errno == EINTR);

    if (n != 16) {
        return rfl_fail(err, RFL_ERROR, "getrandom: %s", strerror(errno));
    }

    uuid[6] = (u_char) ((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (u_char) ((uuid[8] & 0x3f) | 0x80);

    return RFL_OK;
}


rfl_rc_t
rfl_registry_begin(rfl_registry_t *r, int write, rfl_error_t *err)
{
    rfl_rc_t  rc;

    rc = rfl_store_begin(r->store, write, err);
    if (rc != RFL_OK) {
        return rc;
    }

    r->depth++;

    if (!write) {
        return RFL_OK;
    }

    rc = registry_load_meta(r);
    if (rc != RFL_OK) {
        rfl_registry_end(r);
        return rfl_fail(err, rc, "%s: its meta data cannot be read", r->dir);
    }

    r->writing = 1;
    r->pass_max_links = 0;
    r->meta_dirty = 0;
    r->failed = RFL_OK;

    return RFL_OK;
}


void
rfl_registry_end(rfl_registry_t *r)
{
    if (r->depth == 0) {
        return;
    }

    if (r->depth == 1) {
        registry_end_bulk(r);
    }

    rfl_store_end(r->store);

    r->depth--;

    if (r->depth == 0 && r->writing) {
        r->writing = 0;
        r->meta_valid = 0;
    }
}


rfl_rc_t
rfl_registry_commit(rfl_registry_t *r, rfl_error_t *err)
{
    rfl_rc_t  rc;

    if (!r->writing || r->depth != 1) {
        return rfl_fail(err, RFL_ERROR, "%s: there is no write transaction to "
                        "commit here", r->dir);
    }

    if (r->failed != RFL_OK) {
        rc = rfl_fail(err, r->failed, "%s: an earlier change in this "
                      "transaction failed half-way: nothing is committed",
                      r->dir);
        rfl_registry_end(r);
        return rc;
    }

    rc = rfl_registry_settle(r, err);
    if (rc != RFL_OK) {
        rfl_registry_end(r);
        return rc;
    }

    registry_end_bulk(r);

    if (r->meta_dirty) {
        rc = registry_put_numbers(r, err);
        if (rc != RFL_OK) {
            rfl_registry_end(r);
            return rc;
        }
    }

    /*
     * A transaction without changes leaves its id to the next one, which may
     * be another process's: what is cached for this id is dropped.
     */

    r->depth = 0;
    r->writing = 0;
    r->meta_valid = 0;

    return rfl_store_commit(r->store, err);
}


rfl_store_t *
rfl_registry_store(rfl_registry_t *r)
{
    return r->store;
}


uint64_t
rfl_registry_newest(rfl_registry_t *r)
{
    return rfl_store_newest(r->store);
}


rfl_rc_t
rfl_registry_meta(rfl_registry_t *r, rfl_registry_meta_t *meta)
{
    rfl_rc_t  rc;

    rc = registry_need_meta(r);

    if (rc == RFL_OK) {
        *meta = r->meta;
    }

    return rc;
}


rfl_rc_t
rfl_registry_has_domains(rfl_registry_t *r)
{
    rfl_rc_t  rc;

    rc = registry_need_meta(r);

    return rc == RFL_OK && r->meta.domain_links == 0 ? RFL_NOT_FOUND : rc;
}


static inline rfl_rc_t
registry_need_meta(rfl_registry_t *r)
{
    return r->writing || (r->meta_valid
                          && r->meta_txn == rfl_store_txn_id(r->store))
           ? RFL_OK : registry_load_meta(r);
}


rfl_rc_t
rfl_registry_find(rfl_registry_t *r, rfl_hash_t key, rfl_slot_t *slot)
{
    rfl_str_t  behind;

    return registry_find(r, key, slot, &behind);
}


rfl_rc_t
rfl_registry_find_host(rfl_registry_t *r, rfl_hash_t key, rfl_slot_t *slot,
    rfl_bounds_t *bounds)
{
    rfl_rc_t          rc;
    rfl_str_t         behind;
    rfl_slot_entry_t  entry;

    bounds->bits = UINT64_MAX;
    bounds->source = UINT16_MAX;
    bounds->target = UINT16_MAX;

    rc = registry_find(r, key, slot, &behind);

    if (rc == RFL_OK && behind.len >= RFL_SLOT_ENTRY_SIZE) {
        rfl_slot_read_entry(behind.data, &entry);

        if (rfl_slot_is_bounds(&entry)) {
            *bounds = rfl_slot_read_bounds(&entry);
        }
    }

    return rc;
}


/* behind: what follows its entry. */

static inline rfl_rc_t
registry_find(rfl_registry_t *r, rfl_hash_t key, rfl_slot_t *slot,
    rfl_str_t *behind)
{
    uint64_t       high;
    rfl_rc_t       rc;
    rfl_str_t      value;
    const u_char  *p, *end;

    rc = rfl_store_get_u64(r->store, RFL_DBI_SLOTS, key.low, &value);
    if (rc != RFL_OK) {
        return rc;
    }

    end = value.data + value.len;

    for (p = value.data; (size_t) (end - p) >= RFL_SLOT_ENTRY_SIZE;
         p += RFL_SLOT_ENTRY_SIZE)
    {
        memcpy(&high, p, sizeof(high));
        memcpy(slot, p + sizeof(high), sizeof(rfl_slot_t));

        if (high == key.high && slot->kind != RFL_SLOT_BOUNDS) {
            p += RFL_SLOT_ENTRY_SIZE;
            *behind = rfl_str(p, (size_t) (end - p));
            return RFL_OK;
        }
    }

    return RFL_NOT_FOUND;
}


rfl_rc_t
rfl_registry_slot(rfl_registry_t *r, rfl_slot_kind_t kind, rfl_str_t a,
    rfl_str_t b, rfl_slot_t *slot)
{
    rfl_slot_name_t  name;

    name.kind = kind;
    name.a = a;
    name.b = b;

    return rfl_registry_find(r, rfl_registry_slot_hash(&name), slot);
}


rfl_rc_t
rfl_registry_patterns(rfl_registry_t *r, rfl_str_t host,
    rfl_registry_ids_t *ids)
{
    return registry_patterns(r, rfl_hash(host.data, host.len), ids);
}


rfl_rc_t
rfl_registry_link(rfl_registry_t *r, uint32_t id, rfl_link_t *link)
{
    return registry_record(r, id, RFL_STATE_LINK, link);
}


rfl_rc_t
rfl_registry_group(rfl_registry_t *r, uint32_t id, rfl_group_t *group)
{
    return group_load(r, id, group);
}


rfl_rc_t
rfl_registry_retired(rfl_registry_t *r, uint32_t id, rfl_link_t *link)
{
    return registry_record(r, id, RFL_STATE_RETIRED, link);
}


rfl_rc_t
rfl_registry_by_key(rfl_registry_t *r, uint64_t key, rfl_link_t *link)
{
    rfl_rc_t         rc;
    rfl_key_value_t  value;

    rc = registry_get_key(r, key, &value);
    if (rc != RFL_OK) {
        return rc;
    }

    if (!registry_is_link(&value)) {
        return RFL_NOT_FOUND;
    }

    return registry_link_of_key(r, key, value.id, link);
}


/* As registry_read_links() does. */

static rfl_rc_t
registry_link_of_key(rfl_registry_t *r, uint64_t key, uint32_t id,
    rfl_link_t *link)
{
    rfl_rc_t  rc;

    rc = rfl_registry_link(r, id, link);

    if (rc == RFL_NOT_FOUND || (rc == RFL_OK && link->key != key)) {
        return RFL_DAMAGED;
    }

    return rc;
}


rfl_rc_t
rfl_registry_by_prefix(rfl_registry_t *r, rfl_str_t hex, rfl_link_t *link,
    rfl_error_t *err)
{
    u_char      c;
    size_t      i;
    uint64_t    first, last;
    rfl_rc_t    rc;
    rfl_link_t  second;

    if (hex.len == 0 || hex.len > RFL_KEY_LEN) {
        return rfl_fail(err, RFL_INVALID, "a key has 1 to %d hex digits, this "
                        "one has %zu characters", RFL_KEY_LEN, hex.len);
    }

    first = 0;

    for (i = 0; i < hex.len; i++) {
        c = rfl_lower(hex.data[i]);

        if (c >= '0' && c <= '9') {
            first = first << 4 | (uint64_t) (c - '0');

        } else if (c >= 'a' && c <= 'f') {
            first = first << 4 | (uint64_t) (c - 'a' + 10);

        } else {
            return rfl_fail(err, RFL_INVALID, "key \"%.*s\": only hex digits "
                            "are allowed", (int) hex.len, hex.data);
        }
    }

    last = first;

    for (i = hex.len; i < RFL_KEY_LEN; i++) {
        first <<= 4;
        last = last << 4 | 0xf;
    }

    rc = rfl_registry_next_key(r, first, link);

    if (rc == RFL_NOT_FOUND || (rc == RFL_OK && link->key > last)) {
        return rfl_fail(err, RFL_INVALID, "no link has the key \"%.*s\"",
                        (int) hex.len, hex.data);
    }

    if (rc != RFL_OK) {
        return rfl_fail(err, rc, "%s: its keys cannot be read", r->dir);
    }

    if (link->key == last) {
        return RFL_OK;
    }

    rc = rfl_registry_next_key(r, link->key + 1, &second);

    if (rc == RFL_NOT_FOUND || (rc == RFL_OK && second.key > last)) {
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rfl_fail(err, rc, "%s: its keys cannot be read", r->dir);
    }

    return rfl_fail(err, RFL_INVALID, "several links have keys that start "
                    "with \"%.*s\"; give more digits", (int) hex.len,
                    hex.data);
}


rfl_rc_t
rfl_registry_next_key(rfl_registry_t *r, uint64_t key, rfl_link_t *link)
{
    size_t    n;
    rfl_rc_t  rc;

    do {
        rc = rfl_registry_next_links(r, &key, link, 1, &n);
    } while (rc == RFL_OK && n == 0);

    return rc;
}


rfl_rc_t
rfl_registry_next_links(rfl_registry_t *r, uint64_t *key, rfl_link_t *links,
    size_t max, size_t *n)
{
    rfl_rc_t            rc;
    registry_ahead_t    ahead;

    *n = 0;

    if (max > RFL_PAGES_MANY) {
        max = RFL_PAGES_MANY;
    }

    rc = registry_read_keys(r, *key, max, &ahead);

    if (rc == RFL_OK) {
        rc = registry_read_links(r, &ahead, links);
    }

    if (rc == RFL_OK) {
        *n = ahead.n;
        *key = ahead.end;
    }

    return rc;
}


/* RFL_NOT_FOUND: no key is left. */

static rfl_rc_t
registry_read_keys(rfl_registry_t *r, uint64_t key, size_t max,
    registry_ahead_t *ahead)
{
    size_t            looked;
    rfl_rc_t          rc;
    rfl_str_t         found, stored;
    rfl_cursor_t     *cursor;
    rfl_key_value_t   value;

    ahead->n = 0;
    ahead->end = key;

    rc = rfl_cursor_open(r->store, RFL_DBI_KEYS, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_cursor_seek(cursor, rfl_str(&key, sizeof(key)), &found, &stored);

    for (looked = 0; rc == RFL_OK; /* void */ ) {

        rc = found.len == sizeof(key) ? registry_parse_key(stored, &value)
                                      : RFL_DAMAGED;
        if (rc != RFL_OK) {
            break;
        }

        memcpy(&key, found.data, sizeof(key));
        ahead->end = key + 1;

        if (registry_is_link(&value)) {
            ahead->keys[ahead->n] = key;
            ahead->ids[ahead->n++] = value.id;
        }

        if (ahead->n == max || ++looked == RFL_REGISTRY_LOOKED
            || key == UINT64_MAX)
        {
            break;
        }

        rc = rfl_cursor_next(cursor, &found, &stored);
    }

    rfl_cursor_close(cursor);

    return rc == RFL_NOT_FOUND && ahead->n != 0 ? RFL_OK : rc;
}


/*
 * The link a key leads to has that key: who goes from key to key would
 * otherwise come back to where it was, for ever.
 */

static rfl_rc_t
registry_read_links(rfl_registry_t *r, const registry_ahead_t *ahead,
    rfl_link_t *links)
{
    size_t     i;
    rfl_rc_t   rc;
    rfl_str_t  records[RFL_PAGES_MANY];

    rc = rfl_store_get_many(r->store, RFL_DBI_RECORDS, ahead->ids, ahead->n,
                            records);

    for (i = 0; rc == RFL_OK && i < ahead->n; i++) {

        rc = registry_decode(records[i], RFL_STATE_LINK, &links[i]);

        if (rc == RFL_NOT_FOUND
            || (rc == RFL_OK && links[i].key != ahead->keys[i]))
        {
            rc = RFL_DAMAGED;
        }
    }

    return rc;
}


rfl_rc_t
rfl_registry_next_source(rfl_registry_t *r, rfl_registry_place_t *place,
    rfl_link_t *link)
{
    const u_char  *p;
    uint32_t       id;
    rfl_rc_t       rc;
    rfl_str_t      last, found, value;
    rfl_cursor_t  *cursor;

    rc = rfl_cursor_open(r->store, RFL_DBI_SOURCES, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    last = rfl_str(place->key, place->len);

    rc = rfl_cursor_seek(cursor, last, &found, &value);

    if (rc == RFL_OK && last.len != 0 && rfl_str_eq(found, last)) {
        rc = rfl_cursor_next(cursor, &found, &value);
    }

    rfl_cursor_close(cursor);

    if (rc != RFL_OK) {
        return rc;
    }

    if (found.len <= RFL_SOURCE_TAIL || found.len > sizeof(place->key)) {
        return RFL_DAMAGED;
    }

    p = found.data + found.len - 4;
    id = (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
         | (uint32_t) p[2] << 8 | p[3];

    place->len = found.len;
    memcpy(place->key, found.data, found.len);

    rc = rfl_registry_link(r, id, link);

    return rc == RFL_NOT_FOUND ? RFL_DAMAGED : rc;
}


rfl_rc_t
rfl_registry_groups(rfl_registry_t *r, const rfl_link_t *link,
    rfl_membership_t *out, size_t *n)
{
    size_t               i, nnames;
    rfl_rc_t             rc;
    rfl_str_t            clicks;
    rfl_slot_t           slot;
    rfl_slot_name_t      names[RFL_LINK_SLOTS_MAX];
    rfl_registry_meta_t  meta;

    *n = 0;

    rc = rfl_registry_meta(r, &meta);

    if (rc != RFL_OK || meta.groups == 0) {
        return rc;
    }

    rc = rfl_identity(link, &r->identity, NULL);
    if (rc != RFL_OK) {
        return rc;
    }

    nnames = rfl_registry_slot_names(&r->identity, link->match_type, names);

    for (i = 0; i < nnames; i++) {

        rc = rfl_registry_slot(r, names[i].kind, names[i].a, names[i].b,
                               &slot);

        if (rc == RFL_NOT_FOUND || (rc == RFL_OK && !slot.is_group)) {
            continue;
        }

        if (rc != RFL_OK) {
            return rc;
        }

        rc = rfl_store_get_u64(r->store, RFL_DBI_MEMBERS,
                               rfl_member_key(slot.id, link->id), &clicks);

        if (rc == RFL_NOT_FOUND) {       /* not registered itself */
            continue;
        }

        if (rc != RFL_OK) {
            return rc;
        }

        if (clicks.len != sizeof(uint64_t)) {
            return RFL_DAMAGED;
        }

        rc = group_load(r, slot.id, &out[*n].group);
        if (rc != RFL_OK) {
            return rc;
        }

        memcpy(&out[*n].clicks_at_join, clicks.data, sizeof(uint64_t));
        (*n)++;
    }

    return RFL_OK;
}


rfl_rc_t
rfl_registry_by_group_key(rfl_registry_t *r, uint64_t key,
    rfl_group_t *group)
{
    rfl_rc_t         rc;
    rfl_key_value_t  value;

    rc = registry_get_key(r, key, &value);
    if (rc != RFL_OK) {
        return rc;
    }

    if (value.state != RFL_STATE_GROUP) {
        return RFL_NOT_FOUND;
    }

    return group_load(r, value.id, group);
}


rfl_rc_t
rfl_registry_next_id(rfl_registry_t *r, uint32_t *id)
{
    uint64_t  key;
    rfl_rc_t  rc;

    key = *id;

    rc = rfl_store_next(r->store, RFL_DBI_RECORDS, &key);

    if (rc == RFL_OK) {
        *id = (uint32_t) key;
    }

    return rc;
}


rfl_rc_t
rfl_registry_next_member(rfl_registry_t *r, uint32_t group,
    uint32_t *link_id)
{
    uint64_t  key;
    rfl_rc_t  rc;

    key = rfl_member_key(group, *link_id);

    rc = rfl_store_next(r->store, RFL_DBI_MEMBERS, &key);
    if (rc != RFL_OK) {
        return rc;
    }

    if (key >> 32 != group) {
        return RFL_NOT_FOUND;
    }

    *link_id = (uint32_t) key;

    return RFL_OK;
}


rfl_rc_t
rfl_registry_walk_members(rfl_registry_t *r, rfl_registry_member_pt handler,
    void *data)
{
    uint64_t       key;
    rfl_rc_t       rc;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    rc = rfl_cursor_open(r->store, RFL_DBI_MEMBERS, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value);

    while (rc == RFL_OK) {
        memcpy(&key, found.data, sizeof(key));

        rc = handler(data, (uint32_t) (key >> 32), (uint32_t) key);

        if (rc == RFL_OK) {
            rc = rfl_cursor_next(cursor, &found, &value);
        }
    }

    rfl_cursor_close(cursor);

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


void
rfl_registry_set_floor(rfl_registry_t *r, uint32_t floor)
{
    r->floor = floor;
}


void
rfl_registry_set_clicks(rfl_registry_t *r, rfl_registry_clicks_pt clicks,
    void *data)
{
    r->clicks = clicks;
    r->clicks_data = data;
}


rfl_rc_t
rfl_registry_set_directive(rfl_registry_t *r, uint32_t max_links,
    rfl_str_t source, rfl_error_t *err)
{
    rfl_rc_t             rc;
    rfl_registry_meta_t  meta;

    rc = rfl_registry_begin(r, 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_registry_meta(r, &meta);
    rfl_registry_end(r);

    /* a write transaction waits for other writers: only where there is need */

    if (rc != RFL_OK) {
        return rfl_fail(err, rc, "%s: its meta data cannot be read", r->dir);
    }

    if (meta.max_links == max_links
        && meta.source == rfl_registry_source_hash(source))
    {
        return RFL_OK;
    }

    rc = rfl_registry_begin(r, 1, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = registry_put_directive(r, max_links, source, err);
    if (rc != RFL_OK) {
        rfl_registry_end(r);
        return rc;
    }

    return rfl_registry_commit(r, err);
}


static rfl_rc_t
registry_put_directive(rfl_registry_t *r, uint32_t max_links,
    rfl_str_t source, rfl_error_t *err)
{
    rfl_rc_t  rc;

    rc = rfl_store_put(r->store, RFL_DBI_META, rfl_cstr("max_links"),
                       rfl_str(&max_links, sizeof(max_links)), 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    if (source.len != 0) {
        return rfl_store_put(r->store, RFL_DBI_META, rfl_cstr("source"),
                             source, 0, err);
    }

    rc = rfl_store_del(r->store, RFL_DBI_META, rfl_cstr("source"), err);

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


uint64_t
rfl_registry_source_hash(rfl_str_t source)
{
    return source.len != 0 ? rfl_hash(source.data, source.len).low | 1 : 0;
}


rfl_rc_t
rfl_registry_may_edit(rfl_registry_t *r, rfl_error_t *err)
{
    rfl_rc_t   rc;
    rfl_str_t  source;

    rc = rfl_store_get(r->store, RFL_DBI_META, rfl_cstr("source"), &source);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "source", 0);
    }

    return rfl_fail(err, RFL_DENIED, "nginx keeps these links equal to %.*s: "
                    "change them there, or take source= out of "
                    "referral_registry and reload nginx",
                    registry_shown(source), (const char *) source.data);
}


void
rfl_registry_pass_max_links(rfl_registry_t *r)
{
    r->pass_max_links = 1;
}


rfl_rc_t
rfl_registry_add(rfl_registry_t *r, rfl_link_t *link, uint64_t now,
    rfl_error_t *err)
{
    int       is_new;
    size_t    len;
    uint32_t  id, revision;
    rfl_rc_t  rc;

    rc = registry_may_write(r, err);
    if (rc != RFL_OK) {
        return rc;
    }

    /* how many ids their groups take is known once they are written */

    if (r->bulk != NULL && r->bulk->nkeys != 0
        && registry_check_ids(r, NULL) != RFL_OK)
    {
        rc = rfl_registry_settle(r, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    rc = rfl_identity(link, &r->identity, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = registry_known(r, link, &id, &revision, err);

    is_new = (rc == RFL_NOT_FOUND);

    if (rc != RFL_OK && !is_new) {
        return rc;
    }

    rc = is_new ? rfl_identity_slip(link, err) : RFL_OK;

    if (rc == RFL_OK) {
        rc = registry_check_room(r, err);
    }

    if (rc == RFL_OK && link->match_type == RFL_MATCH_REGEX) {
        rc = registry_check_pattern(r, link, err);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    link->key = r->identity.key;
    link->id = is_new ? registry_next_id(r) : id;
    link->revision = is_new ? 1 : revision + 1;

    if (link->created == 0) {
        link->created = now;
    }

    rc = registry_encode(r, link, &len, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = registry_insert(r, link, len, is_new, err);
    if (rc != RFL_OK) {
        r->failed = rc;
    }

    return rc;
}


const rfl_identity_t *
rfl_registry_added(rfl_registry_t *r)
{
    return &r->identity;
}


rfl_rc_t
rfl_registry_update(rfl_registry_t *r, rfl_link_t *link, rfl_error_t *err)
{
    int         new_tag;
    size_t      len;
    rfl_rc_t    rc;
    rfl_link_t  old, new;

    rc = registry_may_write(r, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_registry_link(r, link->id, &old);

    /* its slots must be there before they can change */

    if (rc == RFL_OK && r->bulk != NULL && !rfl_str_eq(link->tag, old.tag)) {
        rc = rfl_registry_settle(r, err);
        if (rc != RFL_OK) {
            return rc;
        }

        rc = rfl_registry_link(r, link->id, &old);
    }

    if (rc == RFL_NOT_FOUND) {
        return rfl_fail(err, rc, "no link is registered with id %u", link->id);
    }

    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "record", link->id);
    }

    new = *link;

    new.key = old.key;
    new.revision = old.revision + 1;
    new.created = old.created;
    new.match_type = old.match_type;
    new.source = old.source;
    new.target = old.target;

    if (old.match_type == RFL_MATCH_TAG) {
        new.tag = old.tag;
    }

    new_tag = !rfl_str_eq(new.tag, old.tag);

    if (new_tag) {
        rc = registry_check_ids(r, err);

        if (rc == RFL_OK) {
            rc = rfl_identity(&old, &r->stored, err);
        }

        if (rc == RFL_OK) {
            rc = rfl_identity(&new, &r->identity, err);
        }

        if (rc != RFL_OK) {
            return rc;
        }
    }

    rc = registry_encode(r, &new, &len, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_store_put_u32(r->store, RFL_DBI_RECORDS, new.id,
                           rfl_str(r->record, len), 0, err);

    /* the slices of old, and of new what it has of old, end here */

    if (rc == RFL_OK && new_tag) {
        rc = registry_move_tag(r, new.id, err);
    }

    if (rc != RFL_OK) {
        r->failed = rc;
        return rc;
    }

    link->key = new.key;
    link->revision = new.revision;
    link->created = new.created;

    return RFL_OK;
}


rfl_rc_t
rfl_registry_remove(rfl_registry_t *r, uint64_t key, rfl_error_t *err)
{
    size_t      len;
    u_char      text[RFL_KEY_LEN];
    rfl_rc_t    rc;
    rfl_link_t  link;

    rc = registry_may_write(r, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_registry_by_key(r, key, &link);

    if (rc == RFL_NOT_FOUND) {
        rfl_key_text(key, text);
        return rfl_fail(err, rc, "no link is registered with the key %.*s",
                        RFL_KEY_LEN, text);
    }

    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "key", key);
    }

    rc = rfl_identity(&link, &r->identity, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = registry_encode(r, &link, &len, err);
    if (rc != RFL_OK) {
        return rc;
    }

    r->record[0] = RFL_STATE_RETIRED;

    rc = registry_retire(r, &link, len, err);
    if (rc != RFL_OK) {
        r->failed = rc;
    }

    return rc;
}


static rfl_rc_t
registry_may_write(rfl_registry_t *r, rfl_error_t *err)
{
    if (!r->writing) {
        return rfl_fail(err, RFL_ERROR, "%s: a change outside of a write "
                        "transaction", r->dir);
    }

    if (r->failed != RFL_OK) {
        return rfl_fail(err, r->failed, "%s: an earlier change in this "
                        "transaction failed half-way: end it", r->dir);
    }

    return RFL_OK;
}


/*
 * RFL_NOT_FOUND: never registered.  RFL_OK: retired, with *id and *revision.
 * RFL_EXISTS: registered.  RFL_INVALID: another link has its key.
 */

static rfl_rc_t
registry_known(rfl_registry_t *r, rfl_link_t *link, uint32_t *id,
    uint32_t *revision, rfl_error_t *err)
{
    u_char           key[RFL_KEY_LEN];
    rfl_rc_t         rc;
    rfl_str_t        name;
    rfl_link_t       known;
    rfl_key_value_t  value;

    name = registry_name(link);

    rc = registry_get_key(r, r->identity.key, &value);

    if (rc == RFL_NOT_FOUND) {
        return rc;
    }

    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "key", r->identity.key);
    }

    rfl_key_text(r->identity.key, key);

    if (value.state == RFL_STATE_GROUP) {
        return rfl_fail(err, RFL_INVALID, "%.*s: its key %.*s is that of a "
                        "group already; it cannot be registered here",
                        registry_shown(name), name.data, RFL_KEY_LEN, key);
    }

    rc = registry_record(r, value.id, value.state, &known);
    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "record", value.id);
    }

    if (!registry_same_identity(r, link, &known)) {
        return rfl_fail(err, RFL_INVALID, "%.*s: its key %.*s is that of "
                        "another link, %.*s; both cannot be registered",
                        registry_shown(name), name.data, RFL_KEY_LEN, key,
                        registry_shown(registry_name(&known)),
                        registry_name(&known).data);
    }

    *id = value.id;
    *revision = known.revision;

    if (value.state == RFL_STATE_RETIRED) {
        return RFL_OK;
    }

    link->key = r->identity.key;
    link->id = value.id;

    return rfl_fail(err, RFL_EXISTS, "%.*s: it is registered already, with "
                    "the key %.*s", registry_shown(name), name.data,
                    RFL_KEY_LEN, key);
}


/* link's identity is in r->identity. */

static int
registry_same_identity(rfl_registry_t *r, const rfl_link_t *link,
    const rfl_link_t *known)
{
    rfl_str_t  a, b;

    if (link->match_type != known->match_type) {
        return 0;
    }

    if (rfl_str_eq(link->source, known->source)
        && rfl_str_eq(link->target, known->target)
        && rfl_str_eq(link->tag, known->tag))
    {
        return 1;
    }

    if (rfl_identity(known, &r->stored, NULL) != RFL_OK) {
        return 0;
    }

    a = rfl_str(r->identity.source.buf, r->identity.source.len);
    b = rfl_str(r->stored.source.buf, r->stored.source.len);

    if (!rfl_str_eq(a, b)) {
        return 0;
    }

    a = rfl_str(r->identity.target, r->identity.target_len);
    b = rfl_str(r->stored.target, r->stored.target_len);

    if (!rfl_str_eq(a, b)) {
        return 0;
    }

    a = rfl_str(r->identity.tag, r->identity.tag_len);
    b = rfl_str(r->stored.tag, r->stored.tag_len);

    return link->match_type != RFL_MATCH_TAG || rfl_str_eq(a, b);
}


static rfl_rc_t
registry_check_room(rfl_registry_t *r, rfl_error_t *err)
{
    if (r->meta.max_links != 0 && r->meta.links >= r->meta.max_links
        && !r->pass_max_links)
    {
        return rfl_fail(err, RFL_FULL, "%u links are registered and max_links "
                        "is %u; raise it or remove links", r->meta.links,
                        r->meta.max_links);
    }

    return registry_check_ids(r, err);
}


static rfl_rc_t
registry_check_ids(rfl_registry_t *r, rfl_error_t *err)
{
    uint64_t  adds;

    adds = 1 + (r->bulk != NULL ? r->bulk->nkeys : 0);

    if (registry_next_id(r) + adds * RFL_ADD_IDS_MAX > RFL_COUNTERS_MAX_IDS) {
        return rfl_fail(err, RFL_FULL, "the ids are used up: the next one "
                        "would be %u and the last one is %u, and ids are "
                        "never reused; begin a new registry",
                        registry_next_id(r), RFL_COUNTERS_MAX_IDS - 1);
    }

    return RFL_OK;
}


/*
 * Whether the pattern compiles, and whether the host has room for it.  Asked
 * before anything is written: a bad row of an import spoils nothing.
 */

static rfl_rc_t
registry_check_pattern(rfl_registry_t *r, const rfl_link_t *link,
    rfl_error_t *err)
{
    rfl_rc_t             rc;
    rfl_str_t            host, text;
    rfl_error_t          why;
    rfl_pattern_t       *pattern;
    rfl_registry_ids_t   ids;

    host = rfl_str(r->identity.source.buf, r->identity.source.host_len);
    text = rfl_str(r->identity.source.buf + r->identity.source.path_start,
                   r->identity.source.path_len);

    rc = rfl_pattern_compile(&pattern, text, &why);
    rfl_pattern_free(pattern);

    if (rc == RFL_INVALID) {
        return rfl_link_invalid(err, rfl_cstr("source"), link->source, "%s",
                                why.text);
    }

    if (rc != RFL_OK) {
        return rfl_fail(err, rc, "%s", why.text);
    }

    rc = rfl_registry_patterns(r, host, &ids);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "patterns of the host",
                                rfl_hash(host.data, host.len).low);
    }

    if (ids.n >= RFL_PATTERNS_PER_HOST) {
        return rfl_fail(err, RFL_FULL, "%.*s: its host has %d regex links, "
                        "that is the limit", registry_shown(link->source),
                        link->source.data, RFL_PATTERNS_PER_HOST);
    }

    return RFL_OK;
}


static uint32_t
registry_next_id(rfl_registry_t *r)
{
    return r->meta.next_id > r->floor ? r->meta.next_id : r->floor;
}


static uint32_t
registry_issue_id(rfl_registry_t *r)
{
    uint32_t  id;

    id = registry_next_id(r);

    r->meta.next_id = id + 1;
    r->meta_dirty = 1;

    return id;
}


static rfl_rc_t
registry_encode(rfl_registry_t *r, const rfl_link_t *link, size_t *len,
    rfl_error_t *err)
{
    size_t  n;

    r->record[0] = RFL_STATE_LINK;

    n = rfl_link_encode(link, r->record + 1, RFL_LINK_RECORD_MAX);

    *len = n + 1;

    if (n == 0) {
        return rfl_fail(err, RFL_INVALID, "%.*s: its fields together exceed "
                        "%d bytes", registry_shown(registry_name(link)),
                        registry_name(link).data, RFL_LINK_RECORD_MAX);
    }

    return RFL_OK;
}


/* The record is in r->record, the identity in r->identity. */

static rfl_rc_t
registry_insert(rfl_registry_t *r, const rfl_link_t *link, size_t record_len,
    int is_new, rfl_error_t *err)
{
    rfl_rc_t   rc;
    rfl_str_t  host;

    if (is_new) {
        (void) registry_issue_id(r);     /* it is link->id */
    }

    /* A new id is beyond all others: appending fills pages to the brim. */

    rc = rfl_store_put_u32(r->store, RFL_DBI_RECORDS, link->id,
                           rfl_str(r->record, record_len),
                           is_new ? RFL_PUT_APPEND : 0, err);

    if (rc == RFL_EXISTS) {
        return registry_damaged(r, err, RFL_DAMAGED, "record", link->id);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    if (r->bulk != NULL) {
        rc = registry_dirtied(r, record_len, err);

        if (rc == RFL_OK) {
            rc = registry_put_off(r, link, err);
        }

    } else {
        rc = registry_put_index(r, link, err);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    if (link->match_type == RFL_MATCH_REGEX) {
        host = rfl_str(r->identity.source.buf, r->identity.source.host_len);

        rc = registry_put_pattern(r, host, link->id, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    r->meta.links++;
    r->meta.domain_links += (link->match_type == RFL_MATCH_DOMAIN);
    r->meta_dirty = 1;

    return RFL_OK;
}


/* Key, source and slots. */

static rfl_rc_t
registry_put_index(rfl_registry_t *r, const rfl_link_t *link, rfl_error_t *err)
{
    u_char           key[RFL_STORE_KEY_MAX];
    size_t           i, n, len;
    rfl_rc_t         rc;
    rfl_str_t        host;
    rfl_bounds_t     bounds;
    rfl_slot_name_t  names[RFL_LINK_SLOTS_MAX];

    rc = registry_put_key(r, link->key, link->id, RFL_STATE_LINK, err);
    if (rc != RFL_OK) {
        return rc;
    }

    len = rfl_registry_source_key(&r->identity, link, key);

    rc = rfl_store_put(r->store, RFL_DBI_SOURCES, rfl_str(key, len),
                       rfl_str("", 0), 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    n = rfl_registry_slot_names(&r->identity, link->match_type, names);

    for (i = 0; i < n; i++) {
        rc = slot_join(r, &names[i], link->id, r->identity.target_len != 0,
                       err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (!rfl_registry_is_page(link->match_type)) {
        return RFL_OK;
    }

    host = rfl_str(r->identity.source.buf, r->identity.source.host_len);
    bounds = rfl_registry_bounds(&r->identity, link->match_type);

    return registry_mark_host(r, registry_host_hash(host),
                              rfl_registry_host_flags(&r->identity,
                                                      link->match_type),
                              &bounds, err);
}


static rfl_rc_t
registry_put_off(rfl_registry_t *r, const rfl_link_t *link, rfl_error_t *err)
{
    u_char            key[RFL_STORE_KEY_MAX];
    size_t            i, n, len;
    rfl_rc_t          rc;
    rfl_str_t         host;
    rfl_hash_t        hash;
    rfl_bounds_t      bounds;
    rfl_bulk_slot_t   slot;
    rfl_slot_name_t   names[RFL_LINK_SLOTS_MAX];

    rc = rfl_bulk_key(r->bulk, link->key, link->id, err);
    if (rc != RFL_OK) {
        return rc;
    }

    len = rfl_registry_source_key(&r->identity, link, key);

    rc = rfl_bulk_source(r->bulk, rfl_str(key, len), err);
    if (rc != RFL_OK) {
        return rc;
    }

    n = rfl_registry_slot_names(&r->identity, link->match_type, names);

    slot.bits = 0;
    bounds.bits = 0;

    for (i = 0; i < n; i++) {
        hash = rfl_registry_slot_hash(&names[i]);

        slot.low = hash.low;
        slot.high = hash.high;
        slot.id = link->id;
        slot.info = slot_info(names[i].kind, r->identity.target_len != 0);

        if (i < RFL_PAGE_SLOTS) {
            bounds.bits |= rfl_slot_bit(hash);
        }

        rc = rfl_bulk_slot(r->bulk, &slot, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (!rfl_registry_is_page(link->match_type)) {
        return RFL_OK;
    }

    host = rfl_str(r->identity.source.buf, r->identity.source.host_len);
    hash = registry_host_hash(host);

    slot.low = hash.low;
    slot.high = hash.high;
    slot.id = 0;
    slot.info = slot_info(RFL_SLOT_HOST, 0)
                | rfl_registry_host_flags(&r->identity, link->match_type);

    registry_longest(&r->identity, link->match_type, &bounds);

    slot.bits = bounds.bits;
    slot.longest = slot_longest(&bounds);

    return rfl_bulk_slot(r->bulk, &slot, err);
}


rfl_rc_t
rfl_registry_bulk(rfl_registry_t *r, rfl_error_t *err)
{
    rfl_rc_t  rc;

    rc = registry_may_write(r, err);
    if (rc != RFL_OK) {
        return rc;
    }

    if (r->bulk == NULL) {
        r->bulk = rfl_bulk_create(r->dir);
        r->bulk_dirty = 0;
    }

    return r->bulk != NULL ? RFL_OK : rfl_fail(err, RFL_NO_MEMORY,
                                               "out of memory");
}


rfl_rc_t
rfl_registry_settle(rfl_registry_t *r, rfl_error_t *err)
{
    rfl_rc_t  rc;

    if (r->bulk == NULL || r->bulk->nkeys == 0 || r->failed != RFL_OK) {
        return r->failed == RFL_OK ? RFL_OK : registry_may_write(r, err);
    }

    rc = registry_write_bulk(r, err);
    if (rc != RFL_OK) {
        r->failed = rc;
    }

    rfl_bulk_reset(r->bulk);

    return rc;
}


/* Slots come first: the keys of their groups are written with the others. */

static rfl_rc_t
registry_write_bulk(rfl_registry_t *r, rfl_error_t *err)
{
    size_t    i;
    rfl_rc_t  rc;

    static const struct {
        unsigned    dbi;
        rfl_rc_t  (*write)(rfl_registry_t *r, rfl_error_t *err);
    } tables[] = {
        { RFL_DBI_SLOTS,   registry_write_slots },
        { RFL_DBI_SOURCES, registry_write_sources },
        { RFL_DBI_KEYS,    registry_write_keys }
    };

    rc = rfl_bulk_begin(r->bulk, err);

    for (i = 0; rc == RFL_OK && i < sizeof(tables) / sizeof(tables[0]); i++) {

        rc = rfl_cursor_open(r->store, tables[i].dbi, &r->cursor);
        if (rc != RFL_OK) {
            return rfl_fail(err, rc, "%s: no cursor can be had", r->dir);
        }

        rc = tables[i].write(r, err);

        rfl_cursor_close(r->cursor);
        r->cursor = NULL;
    }

    return rc;
}


/*
 * The slots of one low half are one row of the table.  Behind the last row it
 * had, rows are appended, and nothing is looked for.
 */

static rfl_rc_t
registry_write_slots(rfl_registry_t *r, rfl_error_t *err)
{
    u_char           value[RFL_SLOT_ENTRIES_MAX * RFL_SLOT_ENTRY_SIZE];
    uint64_t         low, end;
    rfl_rc_t         rc;
    unsigned         append, is_empty;
    rfl_slot_list_t  list;

    rc = registry_last_number(r, &end, &is_empty, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_bulk_next_slot(r->bulk, err);

    while (rc == RFL_OK && !r->bulk->at_end) {
        low = r->bulk->slot.low;
        append = is_empty || low > end;

        rc = registry_collect_slots(r, low, append, &list, err);
        if (rc != RFL_OK) {
            return rc;
        }

        rc = registry_put_in_order(r, rfl_str(&low, sizeof(low)),
                                   slot_write(&list, value), append, err);
    }

    return rc;
}


static rfl_rc_t
registry_collect_slots(rfl_registry_t *r, uint64_t low, int is_new,
    rfl_slot_list_t *list, rfl_error_t *err)
{
    rfl_rc_t    rc;
    rfl_hash_t  hash;

    list->n = 0;

    if (!is_new) {
        hash.low = low;
        hash.high = 0;

        rc = slot_load(r, hash, list);
        if (rc != RFL_OK) {
            return registry_damaged(r, err, rc, "slot", low);
        }
    }

    while (!r->bulk->at_end && r->bulk->slot.low == low) {
        rc = registry_collect_slot(r, list, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


/* What the bulk has for one slot: a host's flags, then links. */

static rfl_rc_t
registry_collect_slot(rfl_registry_t *r, rfl_slot_list_t *list,
    rfl_error_t *err)
{
    size_t             i;
    rfl_rc_t           rc;
    rfl_bulk_t        *b;
    rfl_bounds_t       bounds;
    rfl_bulk_slot_t    first;
    rfl_slot_entry_t  *entry;

    b = r->bulk;
    first = b->slot;
    bounds.bits = 0;
    bounds.source = 0;
    bounds.target = 0;

    i = slot_index(list, first.high);

    if (i == RFL_SLOT_ENTRIES_MAX) {
        return registry_damaged(r, err, RFL_DAMAGED, "slot", first.low);
    }

    entry = &list->entries[i];

    if (i == list->n) {
        entry->high = first.high;
        entry->id = 0;
        entry->info = 0;
        list->n++;
    }

    while (registry_bulk_is_at(b, &first)
           && (b->slot.id == 0 || entry->id == 0))
    {
        entry->id |= b->slot.id;         /* one of them is 0 */
        entry->info |= b->slot.info;

        slot_join_bounds(&bounds, b->slot.bits, b->slot.longest);

        rc = rfl_bulk_next_slot(b, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (bounds.bits != 0 && slot_widen(list, i, &bounds) == RFL_FULL) {
        return registry_damaged(r, err, RFL_DAMAGED, "slot", first.low);
    }

    return registry_bulk_is_at(b, &first)
           ? registry_collect_group(r, &first, entry, err) : RFL_OK;
}


static int
registry_bulk_is_at(const rfl_bulk_t *b, const rfl_bulk_slot_t *slot)
{
    return !b->at_end && b->slot.low == slot->low
           && b->slot.high == slot->high;
}


/* The slot is a link's or a group's, and more links come to it. */

static rfl_rc_t
registry_collect_group(rfl_registry_t *r, const rfl_bulk_slot_t *first,
    rfl_slot_entry_t *entry, rfl_error_t *err)
{
    uint32_t     n;
    rfl_rc_t     rc;
    unsigned     flags;
    rfl_group_t  group;

    if (entry->info & RFL_SLOT_GROUP) {
        rc = registry_collect_members(r, first, entry->id, &n, err);
        if (rc != RFL_OK) {
            return rc;
        }

        rc = group_load(r, entry->id, &group);
        if (rc != RFL_OK) {
            return registry_damaged(r, err, rc, "group", entry->id);
        }

        group.links += n;

        return group_save(r, &group, 0, err);
    }

    rc = registry_name_slot(r, &r->bulk->slot, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = group_open(r, (rfl_slot_kind_t) (entry->info >> RFL_SLOT_KIND_SHIFT
                                          & RFL_SLOT_KIND_MASK),
                    &group, &flags, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = group_put_member(r, group.id, entry->id, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = registry_collect_members(r, first, group.id, &n, err);
    if (rc != RFL_OK) {
        return rc;
    }

    group.links = n + 1;

    entry->id = group.id;
    entry->info |= RFL_SLOT_GROUP;
    entry->info &= ~RFL_SLOT_HAS_TARGET;

    return group_save(r, &group, flags, err);
}


static rfl_rc_t
registry_collect_members(rfl_registry_t *r, const rfl_bulk_slot_t *first,
    uint32_t group, uint32_t *n, rfl_error_t *err)
{
    rfl_rc_t  rc;

    *n = 0;

    while (registry_bulk_is_at(r->bulk, first)) {

        rc = group_put_member(r, group, r->bulk->slot.id, err);

        if (rc == RFL_OK) {
            rc = registry_dirtied(r, RFL_MEMBER_SIZE, err);
        }

        if (rc == RFL_OK) {
            rc = rfl_bulk_next_slot(r->bulk, err);
        }

        if (rc != RFL_OK) {
            return rc;
        }

        (*n)++;
    }

    return RFL_OK;
}


/* Leaves the slot's text in r->text, for its group: the link has it. */

static rfl_rc_t
registry_name_slot(rfl_registry_t *r, const rfl_bulk_slot_t *slot,
    rfl_error_t *err)
{
    size_t           i, n;
    rfl_rc_t         rc;
    rfl_hash_t       hash;
    rfl_link_t       link;
    rfl_slot_name_t  names[RFL_LINK_SLOTS_MAX];

    rc = rfl_registry_link(r, slot->id, &link);
    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "record", slot->id);
    }

    rc = rfl_identity(&link, &r->stored, err);
    if (rc != RFL_OK) {
        return rc;
    }

    n = rfl_registry_slot_names(&r->stored, link.match_type, names);

    for (i = 0; i < n; i++) {
        hash = rfl_registry_slot_hash(&names[i]);

        if (hash.low == slot->low && hash.high == slot->high) {
            slot_text(r, &names[i]);
            return RFL_OK;
        }
    }

    return registry_damaged(r, err, RFL_DAMAGED, "record", slot->id);
}


static rfl_rc_t
registry_write_sources(rfl_registry_t *r, rfl_error_t *err)
{
    rfl_rc_t   rc;
    unsigned   append;
    rfl_str_t  source, last;

    rc = registry_last(r, &last, err);
    if (rc != RFL_OK) {
        return rc;
    }

    append = last.len == 0;

    for ( ;; ) {
        rc = rfl_bulk_next_source(r->bulk, &source, err);

        if (rc != RFL_OK) {
            return rc == RFL_NOT_FOUND ? RFL_OK : rc;
        }

        append = append || rfl_str_cmp(source, last) > 0;

        rc = registry_put_in_order(r, source, rfl_str("", 0), append, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }
}


static rfl_rc_t
registry_write_keys(rfl_registry_t *r, rfl_error_t *err)
{
    u_char                 value[RFL_KEY_VALUE_SIZE];
    size_t                 i;
    uint64_t               key, end;
    rfl_rc_t               rc;
    unsigned               is_empty;
    const rfl_bulk_key_t  *place;

    rc = registry_last_number(r, &end, &is_empty, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rfl_bulk_sort_keys(r->bulk);

    for (i = 0; i < r->bulk->nkeys; i++) {
        place = &r->bulk->keys[i];
        key = rfl_bulk_key_of(place);

        registry_key_value(value, place->id & ~RFL_BULK_GROUP,
                           (place->id & RFL_BULK_GROUP) ? RFL_STATE_GROUP
                                                        : RFL_STATE_LINK);

        rc = registry_put_in_order(r, rfl_str(&key, sizeof(key)),
                                   rfl_str(value, sizeof(value)),
                                   is_empty || key > end, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


/* The last key of r->cursor's table; empty: it has none.  In r->last. */

static rfl_rc_t
registry_last(rfl_registry_t *r, rfl_str_t *last, rfl_error_t *err)
{
    rfl_rc_t   rc;
    rfl_str_t  found, value;

    *last = rfl_str(r->last, 0);

    rc = rfl_cursor_last(r->cursor, &found, &value);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rfl_fail(err, rc, "%s: a table cannot be read", r->dir);
    }

    memcpy(r->last, found.data, found.len);
    *last = rfl_str(r->last, found.len);

    return RFL_OK;
}


static rfl_rc_t
registry_last_number(rfl_registry_t *r, uint64_t *last, unsigned *is_empty,
    rfl_error_t *err)
{
    rfl_rc_t   rc;
    rfl_str_t  key;

    rc = registry_last(r, &key, err);

    *is_empty = (key.len == 0);
    *last = 0;

    if (rc == RFL_OK && key.len == sizeof(uint64_t)) {
        memcpy(last, key.data, sizeof(uint64_t));
    }

    return rc;
}


static rfl_rc_t
registry_put_in_order(rfl_registry_t *r, rfl_str_t key, rfl_str_t value,
    int append, rfl_error_t *err)
{
    rfl_rc_t  rc;

    rc = rfl_cursor_put(r->cursor, key, value, append ? RFL_PUT_APPEND : 0,
                        err);

    if (rc == RFL_EXISTS) {
        return rfl_fail(err, RFL_DAMAGED, "%s is damaged: a table is not in "
                        "its order; restore a backup", r->dir);
    }

    return rc == RFL_OK ? registry_dirtied(r, key.len + value.len
                                              + RFL_NODE_SIZE, err)
                        : rc;
}


static rfl_rc_t
registry_dirtied(rfl_registry_t *r, size_t size, rfl_error_t *err)
{
    r->bulk_dirty += size;

    if (r->bulk_dirty < RFL_BULK_DIRTY_MAX) {
        return RFL_OK;
    }

    r->bulk_dirty = 0;

    return rfl_store_spill(r->store, err);
}


static void
registry_end_bulk(rfl_registry_t *r)
{
    rfl_bulk_free(r->bulk);
    r->bulk = NULL;
}


/*
 * The retired record is in r->record, the identity in r->identity.  link's
 * slices end with the first write.
 */

static rfl_rc_t
registry_retire(rfl_registry_t *r, const rfl_link_t *link, size_t record_len,
    rfl_error_t *err)
{
    u_char           key[RFL_STORE_KEY_MAX];
    size_t           i, n, len;
    rfl_rc_t         rc;
    rfl_str_t        host;
    rfl_slot_name_t  names[RFL_LINK_SLOTS_MAX];

    rc = rfl_store_put_u32(r->store, RFL_DBI_RECORDS, link->id,
                           rfl_str(r->record, record_len), 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = registry_put_key(r, link->key, link->id, RFL_STATE_RETIRED, err);
    if (rc != RFL_OK) {
        return rc;
    }

    len = rfl_registry_source_key(&r->identity, link, key);

    rc = rfl_store_del(r->store, RFL_DBI_SOURCES, rfl_str(key, len), err);
    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "source of link", link->id);
    }

    n = rfl_registry_slot_names(&r->identity, link->match_type, names);

    for (i = 0; i < n; i++) {
        rc = slot_leave(r, &names[i], link->id, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    host = rfl_str(r->identity.source.buf, r->identity.source.host_len);

    if (link->match_type == RFL_MATCH_REGEX) {
        rc = registry_drop_pattern(r, host, link->id, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (link->match_type == RFL_MATCH_HOST
        || rfl_registry_is_page(link->match_type))
    {
        rc = registry_sweep_host(r, host, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    r->meta.links--;
    r->meta.domain_links -= (link->match_type == RFL_MATCH_DOMAIN);
    r->meta_dirty = 1;

    return RFL_OK;
}


/*
 * The records come first: they say what the other tables have to lose.  Whose
 * removal failed half-way is not to be committed.
 */

rfl_rc_t
rfl_registry_remove_others(rfl_registry_t *r,
    const rfl_registry_others_t *others, uint64_t *removed, rfl_error_t *err)
{
    rfl_rc_t             rc;
    registry_removal_t  *x;

    *removed = 0;

    rc = registry_may_write(r, err);

    if (rc == RFL_OK) {
        rc = rfl_registry_settle(r, err);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    x = calloc(1, sizeof(registry_removal_t));
    if (x == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "out of memory");
    }

    x->others = others;
    x->bulk = rfl_bulk_create(r->dir);

    rc = x->bulk != NULL ? removal_find_members(r, x, err)
                         : rfl_fail(err, RFL_NO_MEMORY, "out of memory");

    if (rc == RFL_OK) {
        rc = removal_run(r, x, err);

        if (rc != RFL_OK) {
            r->failed = rc;
        }
    }

    *removed = x->removed;

    rfl_bulk_free(x->bulk);
    free(x->members);
    free(x);

    return rc;
}


/* Who is in no group has none to be forgotten by: most links are in none. */

static rfl_rc_t
removal_find_members(rfl_registry_t *r, registry_removal_t *x,
    rfl_error_t *err)
{
    rfl_rc_t  rc;

    x->ids = r->meta.next_id;

    rc = rfl_registry_walk_members(r, removal_note_member, x);

    if (rc == RFL_NO_MEMORY) {
        return rfl_fail(err, rc, "out of memory");
    }

    return rc == RFL_OK ? RFL_OK : registry_damaged(r, err, rc, "members", 0);
}


static rfl_rc_t
removal_note_member(void *data, uint32_t group, uint32_t link_id)
{
    registry_removal_t *x = data;

    if (x->members == NULL) {
        x->members = calloc(1, x->ids / 8 + 1);
        if (x->members == NULL) {
            return RFL_NO_MEMORY;
        }
    }

    if (link_id >= x->ids) {
        return RFL_DAMAGED;
    }

    x->members[link_id / 8] |= (u_char) (1u << link_id % 8);

    return RFL_OK;
}


/* A host without pages is known behind its sources, and leaves its slot. */

static rfl_rc_t
removal_run(rfl_registry_t *r, registry_removal_t *x, rfl_error_t *err)
{
    size_t    i;
    rfl_rc_t  rc;

    static const struct {
        unsigned    dbi;
        rfl_rc_t  (*pass)(rfl_registry_t *r, registry_removal_t *x,
                          rfl_error_t *err);
    } passes[] = {
        { RFL_DBI_RECORDS, removal_records },
        { RFL_DBI_SOURCES, removal_sources },
        { RFL_DBI_SLOTS,   removal_slots },
        { RFL_DBI_KEYS,    removal_keys }
    };

    rc = RFL_OK;

    for (i = 0; rc == RFL_OK && i < sizeof(passes) / sizeof(passes[0]); i++) {

        rc = removal_pass(r, x, passes[i].dbi, passes[i].pass, err);

        if (x->removed == 0) {
            break;
        }
    }

    return rc;
}


static rfl_rc_t
removal_pass(rfl_registry_t *r, registry_removal_t *x, unsigned dbi,
    rfl_rc_t (*pass)(rfl_registry_t *r, registry_removal_t *x,
                     rfl_error_t *err),
    rfl_error_t *err)
{
    rfl_rc_t  rc;

    rc = rfl_cursor_open(r->store, dbi, &r->cursor);
    if (rc != RFL_OK) {
        return rfl_fail(err, rc, "%s: no cursor can be had", r->dir);
    }

    rc = pass(r, x, err);

    rfl_cursor_close(r->cursor);
    r->cursor = NULL;

    return rc;
}


static rfl_rc_t
removal_turn(registry_removal_t *x, rfl_error_t *err)
{
    return x->turns++ % RFL_REMOVAL_TURN == 0 ? removal_may_go_on(x, err)
                                              : RFL_OK;
}


static rfl_rc_t
removal_may_go_on(registry_removal_t *x, rfl_error_t *err)
{
    return x->others->may_go_on != NULL
           ? x->others->may_go_on(x->others->data, err) : RFL_OK;
}


static rfl_rc_t
removal_records(rfl_registry_t *r, registry_removal_t *x, rfl_error_t *err)
{
    uint32_t   id;
    rfl_rc_t   rc;
    rfl_str_t  found, record;

    rc = rfl_cursor_seek(r->cursor, rfl_str(NULL, 0), &found, &record);

    while (rc == RFL_OK) {

        if (found.len != sizeof(id) || record.len == 0) {
            return registry_damaged(r, err, RFL_DAMAGED, "record", 0);
        }

        memcpy(&id, found.data, sizeof(id));

        rc = RFL_OK;

        if (record.data[0] == RFL_STATE_LINK
            && !x->others->keeps(x->others->data, id))
        {
            rc = removal_record(r, x, id, record, err);
        }

        if (rc != RFL_OK) {
            return rc;
        }

        rc = rfl_cursor_next(r->cursor, &found, &record);
    }

    return rc == RFL_NOT_FOUND ? RFL_OK
                               : registry_damaged(r, err, rc, "records", 0);
}


/* A removed link's record is the same, but for its state. */

static rfl_rc_t
removal_record(rfl_registry_t *r, registry_removal_t *x, uint32_t id,
    rfl_str_t record, rfl_error_t *err)
{
    rfl_rc_t    rc;
    rfl_str_t   host;
    rfl_link_t  link;

    if (record.len > RFL_LINK_RECORD_MAX + 1) {
        return registry_damaged(r, err, RFL_DAMAGED, "record", id);
    }

    memcpy(r->record, record.data, record.len);
    r->record[0] = RFL_STATE_RETIRED;

    rc = rfl_link_decode(rfl_str(r->record + 1, record.len - 1), &link);

    if (rc != RFL_OK || link.id != id) {
        return registry_damaged(r, err, rc != RFL_OK ? rc : RFL_DAMAGED,
                                "record", id);
    }

    rc = removal_may_go_on(x, err);

    if (rc == RFL_OK) {
        rc = rfl_identity(&link, &r->identity, err);
    }

    if (rc == RFL_OK) {
        rc = registry_put_in_order(r, rfl_str(&id, sizeof(id)),
                                   rfl_str(r->record, record.len), 0, err);
    }

    if (rc == RFL_OK) {
        rc = rfl_bulk_key(x->bulk, link.key, id, err);
    }

    if (rc == RFL_OK) {
        rc = removal_source(r, x, &link, err);
    }

    if (rc == RFL_OK) {
        rc = removal_slots_of(r, x, &link, err);
    }

    if (rc == RFL_OK && link.match_type == RFL_MATCH_REGEX) {
        host = rfl_str(r->identity.source.buf, r->identity.source.host_len);
        rc = registry_drop_pattern(r, host, id, err);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    x->removed++;

    r->meta.links--;
    r->meta.domain_links -= (link.match_type == RFL_MATCH_DOMAIN);
    r->meta_dirty = 1;

    return RFL_OK;
}


/* The length of its host: 0 where that has no flags. */

static rfl_rc_t
removal_source(rfl_registry_t *r, registry_removal_t *x,
    const rfl_link_t *link, rfl_error_t *err)
{
    size_t  len, host_len;
    u_char  item[RFL_STORE_KEY_MAX + RFL_REMOVAL_TAIL];

    len = rfl_registry_source_key(&r->identity, link, item);

    host_len = link->match_type != RFL_MATCH_TAG ? r->identity.source.host_len
                                                 : 0;

    item[len] = (u_char) link->match_type;
    item[len + 1] = (u_char) (host_len >> 8);
    item[len + 2] = (u_char) host_len;

    return rfl_bulk_source(x->bulk, rfl_str(item, len + RFL_REMOVAL_TAIL),
                           err);
}


static rfl_rc_t
removal_slots_of(rfl_registry_t *r, registry_removal_t *x,
    const rfl_link_t *link, rfl_error_t *err)
{
    size_t           i, n;
    rfl_rc_t         rc;
    rfl_hash_t       hash;
    rfl_group_t      group;
    rfl_bulk_slot_t  slot;
    rfl_slot_name_t  names[RFL_LINK_SLOTS_MAX];

    n = rfl_registry_slot_names(&r->identity, link->match_type, names);

    for (i = 0; i < n; i++) {
        hash = rfl_registry_slot_hash(&names[i]);

        slot.low = hash.low;
        slot.high = hash.high;
        slot.id = link->id;
        slot.info = 0;
        slot.bits = 0;
        slot.longest = 0;

        if (x->members != NULL
            && (x->members[link->id / 8] >> link->id % 8 & 1) != 0)
        {
            slot_text(r, &names[i]);

            rc = group_find(r, names[i].kind, &group, err);

            if (rc == RFL_OK) {
                slot.info = group.id;    /* NOLINT: group is found */

            } else if (rc != RFL_NOT_FOUND) {
                return rc;
            }
        }

        rc = rfl_bulk_slot(x->bulk, &slot, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
removal_sources(rfl_registry_t *r, registry_removal_t *x, rfl_error_t *err)
{
    rfl_rc_t   rc;
    rfl_str_t  item;

    rc = rfl_bulk_begin_sources(x->bulk, err);

    while (rc == RFL_OK) {
        rc = rfl_bulk_next_source(x->bulk, &item, err);

        if (rc == RFL_NOT_FOUND) {
            return removal_sweep(r, x, err);
        }

        if (rc == RFL_OK) {
            rc = removal_turn(x, err);
        }

        if (rc == RFL_OK) {
            rc = removal_drop_source(r, x, item, err);
        }
    }

    return rc;
}


/* A host's sources lie side by side. */

static rfl_rc_t
removal_drop_source(rfl_registry_t *r, registry_removal_t *x, rfl_str_t item,
    rfl_error_t *err)
{
    size_t            host_len;
    rfl_rc_t          rc;
    rfl_str_t         found, value, source;
    rfl_match_type_t  type;

    source = rfl_str(item.data, item.len - RFL_REMOVAL_TAIL);
    type = (rfl_match_type_t) item.data[source.len];
    host_len = (size_t) item.data[source.len + 1] << 8
               | item.data[source.len + 2];

    if (host_len != x->host_len
        || memcmp(x->host, source.data, host_len) != 0)
    {
        rc = removal_sweep(r, x, err);
        if (rc != RFL_OK) {
            return rc;
        }

        memcpy(x->host, source.data, host_len);
        x->host_len = host_len;
    }

    x->is_swept |= (type == RFL_MATCH_HOST || rfl_registry_is_page(type));

    rc = rfl_cursor_seek(r->cursor, source, &found, &value);

    if (rc == RFL_OK && !rfl_str_eq(found, source)) {
        rc = RFL_NOT_FOUND;
    }

    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "source of a link of", 0);
    }

    rc = rfl_cursor_del(r->cursor, err);

    return rc == RFL_OK ? registry_dirtied(r, source.len + RFL_NODE_SIZE, err)
                        : rc;
}


/* As registry_sweep_host(): what is left is for the pass over the slots. */

static rfl_rc_t
removal_sweep(rfl_registry_t *r, registry_removal_t *x, rfl_error_t *err)
{
    rfl_rc_t         rc;
    rfl_str_t        host;
    rfl_hash_t       hash;
    rfl_bulk_slot_t  slot;

    if (!x->is_swept) {
        return RFL_OK;
    }

    x->is_swept = 0;
    host = rfl_str(x->host, x->host_len);

    rc = registry_host_has_pages(r, host);

    if (rc != RFL_NOT_FOUND) {
        return rc == RFL_OK ? RFL_OK
                            : registry_damaged(r, err, rc, "sources", 0);
    }

    hash = registry_host_hash(host);

    slot.low = hash.low;
    slot.high = hash.high;
    slot.id = 0;
    slot.info = 0;
    slot.bits = 0;
    slot.longest = 0;

    return rfl_bulk_slot(x->bulk, &slot, err);
}


/* The slots of one low half are one row of the table. */

static rfl_rc_t
removal_slots(rfl_registry_t *r, registry_removal_t *x, rfl_error_t *err)
{
    u_char           value[RFL_SLOT_ENTRIES_MAX * RFL_SLOT_ENTRY_SIZE];
    uint64_t         low;
    rfl_rc_t         rc;
    rfl_str_t        key, found, stored;
    rfl_slot_list_t  list;

    rc = rfl_bulk_begin_slots(x->bulk, err);

    if (rc == RFL_OK) {
        rc = rfl_bulk_next_slot(x->bulk, err);
    }

    while (rc == RFL_OK && !x->bulk->at_end) {

        low = x->bulk->slot.low;
        key = rfl_str(&low, sizeof(low));

        rc = rfl_cursor_seek(r->cursor, key, &found, &stored);

        if (rc == RFL_OK) {
            rc = rfl_str_eq(found, key) ? slot_parse(stored, 0, &list)
                                        : RFL_DAMAGED;
        }

        if (rc != RFL_OK) {
            return registry_damaged(r, err, rc, "slot", low);
        }

        rc = removal_turn(x, err);

        while (rc == RFL_OK && !x->bulk->at_end && x->bulk->slot.low == low) {
            rc = removal_slot(r, x, &list, err);
        }

        if (rc != RFL_OK) {
            return rc;
        }

        if (list.n != 0) {
            rc = registry_put_in_order(r, key, slot_write(&list, value), 0,
                                       err);
            continue;
        }

        rc = rfl_cursor_del(r->cursor, err);

        if (rc == RFL_OK) {
            rc = registry_dirtied(r, stored.len + RFL_NODE_SIZE, err);
        }
    }

    return rc;
}


/* A host's entry stays for its pages, and goes when it is swept. */

static rfl_rc_t
removal_slot(rfl_registry_t *r, registry_removal_t *x, rfl_slot_list_t *list,
    rfl_error_t *err)
{
    int                is_swept;
    rfl_rc_t           rc;
    rfl_slot_kind_t    kind;
    rfl_slot_entry_t  *entry;

    list->found = slot_index(list, x->bulk->slot.high);

    if (list->found == list->n) {
        return registry_damaged(r, err, RFL_DAMAGED, "slot",
                                x->bulk->slot.low);
    }

    entry = &list->entries[list->found];

    rc = removal_leave(r, x, entry, &is_swept, err);
    if (rc != RFL_OK) {
        return rc;
    }

    kind = (rfl_slot_kind_t) (entry->info >> RFL_SLOT_KIND_SHIFT
                              & RFL_SLOT_KIND_MASK);

    if (entry->id == 0 && (is_swept || kind != RFL_SLOT_HOST)) {
        slot_cut(list);
    }

    return RFL_OK;
}


/* All that leave one slot. */

static rfl_rc_t
removal_leave(rfl_registry_t *r, registry_removal_t *x,
    rfl_slot_entry_t *entry, int *is_swept, rfl_error_t *err)
{
    uint32_t         left;
    rfl_rc_t         rc;
    rfl_bulk_slot_t  slot;

    left = 0;
    *is_swept = 0;
    slot = x->bulk->slot;

    while (registry_bulk_is_at(x->bulk, &slot)) {

        slot = x->bulk->slot;
        rc = RFL_OK;

        if (slot.id == 0) {
            *is_swept = 1;

        } else if (entry->info & RFL_SLOT_GROUP) {
            left++;
            rc = rfl_store_del_u64(r->store, RFL_DBI_MEMBERS,
                                   rfl_member_key(entry->id, slot.id), err);

        } else if (entry->id == slot.id) {
            entry->id = 0;
            entry->info &= ~RFL_SLOT_HAS_TARGET;
            rc = slot.info != 0 ? removal_forget(r, slot.info, slot.id, err)
                                : RFL_OK;

        } else {
            rc = RFL_DAMAGED;
        }

        if (rc == RFL_NOT_FOUND || rc == RFL_DAMAGED) {
            return registry_damaged(r, err, rc, "slot", slot.low);
        }

        if (rc == RFL_OK) {
            rc = rfl_bulk_next_slot(x->bulk, err);
        }

        if (rc != RFL_OK) {
            return rc;
        }
    }

    return left != 0 ? removal_group(r, entry, left, err) : RFL_OK;
}


/* As group_forget(), of a group that is known. */

static rfl_rc_t
removal_forget(rfl_registry_t *r, uint32_t group_id, uint32_t link_id,
    rfl_error_t *err)
{
    rfl_rc_t     rc;
    rfl_group_t  group;

    rc = group_load(r, group_id, &group);

    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "group", group_id);
    }

    return group.links != 0 ? group_put_to_sleep(r, &group, link_id, err)
                            : RFL_OK;
}


/* As group_leave(), of so many at once; all of them may be gone. */

static rfl_rc_t
removal_group(rfl_registry_t *r, rfl_slot_entry_t *entry, uint32_t left,
    rfl_error_t *err)
{
    rfl_rc_t     rc;
    rfl_group_t  group;

    rc = group_load(r, entry->id, &group);

    if (rc != RFL_OK || group.links < 2 || group.links < left) {
        return registry_damaged(r, err, rc != RFL_OK ? rc : RFL_DAMAGED,
                                "group", entry->id);
    }

    group.links -= left;

    rc = group_save(r, &group, 0, err);

    if (rc != RFL_OK || group.links > 1) {
        return rc;
    }

    if (group.links == 1) {
        return group_end(r, entry, err);
    }

    entry->id = 0;
    entry->info &= ~RFL_SLOT_GROUP;

    r->meta.groups--;

    return RFL_OK;
}


static rfl_rc_t
removal_keys(rfl_registry_t *r, registry_removal_t *x, rfl_error_t *err)
{
    u_char                 value[RFL_KEY_VALUE_SIZE];
    size_t                 i;
    uint64_t               key;
    rfl_rc_t               rc;
    const rfl_bulk_key_t  *place;

    rfl_bulk_sort_keys(x->bulk);

    for (i = 0; i < x->bulk->nkeys; i++) {
        place = &x->bulk->keys[i];
        key = rfl_bulk_key_of(place);

        registry_key_value(value, place->id, RFL_STATE_RETIRED);

        rc = removal_turn(x, err);

        if (rc == RFL_OK) {
            rc = registry_put_in_order(r, rfl_str(&key, sizeof(key)),
                                       rfl_str(value, sizeof(value)), 0, err);
        }

        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


/* The slots of the old tag (r->stored) for those of the new (r->identity). */

static rfl_rc_t
registry_move_tag(rfl_registry_t *r, uint32_t id, rfl_error_t *err)
{
    size_t           i, n;
    rfl_rc_t         rc;
    rfl_slot_name_t  names[RFL_LINK_SLOTS_MAX];

    n = registry_tag_names(&r->stored, names);

    for (i = 0; i < n; i++) {
        rc = slot_leave(r, &names[i], id, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    n = registry_tag_names(&r->identity, names);

    for (i = 0; i < n; i++) {
        rc = slot_join(r, &names[i], id, r->identity.target_len != 0, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


/*
 * "host)" of a host or domain link sorts before "host)/...", and ")tag" of a
 * tag link before all hosts.
 */

static rfl_str_t
registry_source_text(const rfl_identity_t *identity, rfl_match_type_t type,
    u_char *buf)
{
    const rfl_surt_t  *surt;

    surt = &identity->source;

    if (type == RFL_MATCH_TAG) {
        buf[0] = ')';
        memcpy(buf + 1, identity->tag, identity->tag_len);

        return rfl_str(buf, identity->tag_len + 1);
    }

    return rfl_str(surt->buf, rfl_registry_is_page(type)
                              ? surt->len : surt->host_len + 1);
}


/* A cut SURT keeps its host, 253 bytes at most, so scans by host find it. */

size_t
rfl_registry_source_key(const rfl_identity_t *identity, const rfl_link_t *link,
    u_char *key)
{
    u_char      *p, buf[RFL_TAG_MAX + 1];
    size_t       len;
    rfl_str_t    text;
    rfl_hash_t   hash;

    text = registry_source_text(identity, link->match_type, buf);
    len = text.len;

    if (len <= RFL_SOURCE_SURT_MAX) {
        memcpy(key, text.data, len);

    } else {
        hash = rfl_hash(text.data, len);
        len = RFL_SOURCE_SURT_MAX;

        memcpy(key, text.data, len - RFL_SOURCE_HASH);
        rfl_key_text(hash.high, key + len - RFL_SOURCE_HASH);
        rfl_key_text(hash.low, key + len - RFL_KEY_LEN);
    }

    p = key + len;

    *p++ = '\0';
    *p++ = (u_char) (link->id >> 24);
    *p++ = (u_char) (link->id >> 16);
    *p++ = (u_char) (link->id >> 8);
    *p++ = (u_char) link->id;

    return len + RFL_SOURCE_TAIL;
}


size_t
rfl_registry_slot_names(const rfl_identity_t *identity, rfl_match_type_t type,
    rfl_slot_name_t *names)
{
    size_t  n;

    n = type != RFL_MATCH_TAG ? registry_source_names(identity, type, names)
                              : 0;

    return n + registry_tag_names(identity, names + n);
}


static size_t
registry_source_names(const rfl_identity_t *identity, rfl_match_type_t type,
    rfl_slot_name_t *names)
{
    rfl_str_t  source, host, target;

    host = rfl_str(identity->source.buf, identity->source.host_len);
    target = rfl_str(identity->target, identity->target_len);

    source = rfl_registry_is_page(type)
             ? rfl_str(identity->source.buf, identity->source.len) : host;

    names[0].kind = registry_kinds[type].source;
    names[0].a = source;
    names[0].b = rfl_str(NULL, 0);

    names[1].kind = registry_kinds[type].target;
    names[1].a = source;
    names[1].b = target;

    if (!rfl_registry_is_page(type)) {
        return 2;
    }

    names[2].kind = target.len != 0 ? RFL_SLOT_LANDING : RFL_SLOT_BLANK;
    names[2].a = host;
    names[2].b = target;

    return 3;
}


static size_t
registry_tag_names(const rfl_identity_t *identity, rfl_slot_name_t *names)
{
    if (identity->tag_len == 0) {
        return 0;
    }

    names[0].kind = RFL_SLOT_TAG;
    names[0].a = rfl_str(identity->tag, identity->tag_len);
    names[0].b = rfl_str(NULL, 0);

    names[1].kind = RFL_SLOT_TAG_TARGET;
    names[1].a = names[0].a;
    names[1].b = rfl_str(identity->target, identity->target_len);

    return 2;
}


uint32_t
rfl_registry_host_flags(const rfl_identity_t *identity, rfl_match_type_t type)
{
    uint32_t  flags;

    switch (type) {

    case RFL_MATCH_EXACT:
        flags = RFL_HOST_PAGES;
        break;

    case RFL_MATCH_PREFIX:
        flags = RFL_HOST_DEPTH(identity->segments);
        break;

    default:
        flags = RFL_HOST_REGEX;
        break;
    }

    flags |= identity->target_len != 0 ? RFL_HOST_TARGETS : RFL_HOST_BLANKS;

    if (identity->target_has_host) {
        flags |= RFL_HOST_TARGET_HOSTS;
    }

    if (identity->target_has_query) {
        flags |= RFL_HOST_TARGET_QUERIES;
    }

    return flags;
}


rfl_bounds_t
rfl_registry_bounds(const rfl_identity_t *identity, rfl_match_type_t type)
{
    size_t           i;
    rfl_bounds_t     bounds;
    rfl_slot_name_t  names[RFL_PAGE_SLOTS];

    bounds.bits = 0;
    registry_longest(identity, type, &bounds);

    (void) registry_source_names(identity, type, names);

    for (i = 0; i < RFL_PAGE_SLOTS; i++) {
        bounds.bits |= rfl_slot_bit(rfl_registry_slot_hash(&names[i]));
    }

    return bounds;
}


/* A pattern is not looked for by the Referer's SURT. */

static void
registry_longest(const rfl_identity_t *identity, rfl_match_type_t type,
    rfl_bounds_t *bounds)
{
    bounds->source = type != RFL_MATCH_REGEX
                     ? (uint16_t) identity->source.len : 0;
    bounds->target = (uint16_t) identity->target_len;
}


static rfl_hash_t
registry_host_hash(rfl_str_t host)
{
    rfl_slot_name_t  name;

    name.kind = RFL_SLOT_HOST;
    name.a = host;
    name.b = rfl_str(NULL, 0);

    return rfl_registry_slot_hash(&name);
}


static rfl_rc_t
registry_mark_host(rfl_registry_t *r, rfl_hash_t hash, uint32_t flags,
    const rfl_bounds_t *bounds, rfl_error_t *err)
{
    rfl_rc_t           rc, widened;
    rfl_slot_list_t    list;
    rfl_slot_entry_t  *entry;

    rc = slot_load(r, hash, &list);

    if (rc != RFL_OK || list.found == RFL_SLOT_ENTRIES_MAX) {
        return registry_damaged(r, err, rc != RFL_OK ? rc : RFL_DAMAGED,
                                "slot", hash.low);
    }

    entry = &list.entries[list.found];

    if (list.found == list.n) {
        entry->high = hash.high;
        entry->id = 0;
        entry->info = slot_info(RFL_SLOT_HOST, 0);
        list.n++;
    }

    widened = slot_widen(&list, list.found, bounds);

    if (widened == RFL_FULL) {
        return registry_damaged(r, err, RFL_DAMAGED, "slot", hash.low);
    }

    if (widened == RFL_EXISTS && (entry->info & flags) == flags) {
        return RFL_OK;
    }

    entry->info |= flags;

    return slot_save(r, hash, &list, err);
}


/* The host's entry goes with the host's last link. */

static rfl_rc_t
registry_sweep_host(rfl_registry_t *r, rfl_str_t host, rfl_error_t *err)
{
    rfl_rc_t         rc;
    rfl_hash_t       hash;
    rfl_slot_list_t  list;

    hash = registry_host_hash(host);

    rc = slot_load(r, hash, &list);

    if (rc != RFL_OK || list.found == list.n) {
        return registry_damaged(r, err, rc != RFL_OK ? rc : RFL_DAMAGED,
                                "slot", hash.low);
    }

    if (list.entries[list.found].id != 0) {
        return RFL_OK;
    }

    rc = registry_host_has_pages(r, host);

    if (rc == RFL_OK) {
        return RFL_OK;
    }

    if (rc != RFL_NOT_FOUND) {
        return registry_damaged(r, err, rc, "sources of the host of slot",
                                hash.low);
    }

    return slot_drop(r, hash, &list, err);
}


static rfl_rc_t
registry_host_has_pages(rfl_registry_t *r, rfl_str_t host)
{
    u_char         prefix[RFL_HOST_MAX + 16 + 2];
    rfl_rc_t       rc;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    memcpy(prefix, host.data, host.len);
    prefix[host.len] = ')';
    prefix[host.len + 1] = '/';

    rc = rfl_cursor_open(r->store, RFL_DBI_SOURCES, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_cursor_seek(cursor, rfl_str(prefix, host.len + 2), &found,
                         &value);

    if (rc == RFL_OK
        && (found.len < host.len + 2
            || memcmp(found.data, prefix, host.len + 2) != 0))
    {
        rc = RFL_NOT_FOUND;
    }

    rfl_cursor_close(cursor);

    return rc;
}


static rfl_rc_t
registry_patterns(rfl_registry_t *r, rfl_hash_t hash, rfl_registry_ids_t *ids)
{
    rfl_rc_t   rc;
    rfl_str_t  value;

    rc = rfl_store_get(r->store, RFL_DBI_PATTERNS, rfl_str(&hash, sizeof(hash)),
                       &value);
    if (rc != RFL_OK) {
        return rc;
    }

    if (value.len == 0 || value.len > RFL_PATTERNS_SIZE || value.len % 4 != 0)
    {
        return RFL_DAMAGED;
    }

    ids->data = value.data;
    ids->n = value.len / 4;

    return RFL_OK;
}


/* In its place: a link that was removed and returns has its old, lower id. */

static rfl_rc_t
registry_put_pattern(rfl_registry_t *r, rfl_str_t host, uint32_t id,
    rfl_error_t *err)
{
    u_char              buf[RFL_PATTERNS_SIZE];
    size_t              i;
    rfl_rc_t            rc;
    rfl_hash_t          hash;
    rfl_registry_ids_t  ids;

    hash = rfl_hash(host.data, host.len);

    rc = registry_patterns(r, hash, &ids);

    if (rc == RFL_NOT_FOUND) {
        ids.n = 0;

    } else if (rc != RFL_OK || ids.n >= RFL_PATTERNS_PER_HOST) {
        return registry_damaged(r, err, rc != RFL_OK ? rc : RFL_DAMAGED,
                                "patterns of the host", hash.low);
    }

    for (i = 0; i < ids.n && rfl_registry_id(&ids, i) < id; i++) {
        /* void */
    }

    if (ids.n != 0) {
        memcpy(buf, ids.data, 4 * i);
        memcpy(buf + 4 * i + 4, ids.data + 4 * i, 4 * (ids.n - i));
    }

    memcpy(buf + 4 * i, &id, 4);

    return registry_save_patterns(r, hash, buf, ids.n + 1, err);
}


static rfl_rc_t
registry_drop_pattern(rfl_registry_t *r, rfl_str_t host, uint32_t id,
    rfl_error_t *err)
{
    u_char              buf[RFL_PATTERNS_SIZE];
    size_t              i;
    rfl_rc_t            rc;
    rfl_hash_t          hash;
    rfl_registry_ids_t  ids;

    hash = rfl_hash(host.data, host.len);

    rc = registry_patterns(r, hash, &ids);

    for (i = 0; rc == RFL_OK && rfl_registry_id(&ids, i) != id; /* void */ ) {
        if (++i == ids.n) {
            rc = RFL_DAMAGED;
        }
    }

    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "patterns of the host", hash.low);
    }

    memcpy(buf, ids.data, 4 * i);
    memcpy(buf + 4 * i, ids.data + 4 * i + 4, 4 * (ids.n - i - 1));

    return registry_save_patterns(r, hash, buf, ids.n - 1, err);
}


static rfl_rc_t
registry_save_patterns(rfl_registry_t *r, rfl_hash_t hash, const u_char *ids,
    size_t n, rfl_error_t *err)
{
    rfl_str_t  key;

    key = rfl_str(&hash, sizeof(hash));

    if (n == 0) {
        return rfl_store_del(r->store, RFL_DBI_PATTERNS, key, err);
    }

    return rfl_store_put(r->store, RFL_DBI_PATTERNS, key, rfl_str(ids, 4 * n),
                         0, err);
}


static rfl_rc_t
registry_get_key(rfl_registry_t *r, uint64_t key, rfl_key_value_t *value)
{
    uint32_t   id;
    rfl_rc_t   rc;
    rfl_str_t  stored;

    id = r->bulk != NULL ? rfl_bulk_find(r->bulk, key) : 0;

    if (id != 0) {
        value->id = id & ~RFL_BULK_GROUP;
        value->state = (id & RFL_BULK_GROUP) ? RFL_STATE_GROUP
                                             : RFL_STATE_LINK;
        return RFL_OK;
    }

    rc = rfl_store_get_u64(r->store, RFL_DBI_KEYS, key, &stored);

    return rc == RFL_OK ? registry_parse_key(stored, value) : rc;
}


static rfl_rc_t
registry_parse_key(rfl_str_t stored, rfl_key_value_t *value)
{
    if (stored.len != RFL_KEY_VALUE_SIZE) {
        return RFL_DAMAGED;
    }

    memcpy(&value->id, stored.data, 4);
    value->state = stored.data[4];

    return RFL_OK;
}


static rfl_rc_t
registry_put_key(rfl_registry_t *r, uint64_t key, uint32_t id, u_char state,
    rfl_error_t *err)
{
    u_char  value[RFL_KEY_VALUE_SIZE];

    registry_key_value(value, id, state);

    return rfl_store_put_u64(r->store, RFL_DBI_KEYS, key,
                             rfl_str(value, sizeof(value)), 0, err);
}


static void
registry_key_value(u_char *out, uint32_t id, u_char state)
{
    memcpy(out, &id, 4);
    out[4] = state;
}


static int
registry_is_link(const rfl_key_value_t *value)
{
    return value->state == RFL_STATE_LINK;
}


static rfl_rc_t
registry_record(rfl_registry_t *r, uint32_t id, u_char state,
    rfl_link_t *link)
{
    rfl_rc_t   rc;
    rfl_str_t  record;

    rc = rfl_store_get_u32(r->store, RFL_DBI_RECORDS, id, &record);

    return rc == RFL_OK ? registry_decode(record, state, link) : rc;
}


/* No record at all, and one of another state, are not found. */

static rfl_rc_t
registry_decode(rfl_str_t record, u_char state, rfl_link_t *link)
{
    if (record.data == NULL) {
        return RFL_NOT_FOUND;
    }

    if (record.len == 0) {
        return RFL_DAMAGED;
    }

    if (record.data[0] != state) {
        return RFL_NOT_FOUND;
    }

    return rfl_link_decode(rfl_str(record.data + 1, record.len - 1), link);
}


/* A SURT's host ends before ")"; a tag is no host but as good. */

rfl_hash_t
rfl_registry_slot_hash(const rfl_slot_name_t *name)
{
    size_t         len;
    rfl_hash_t     host, source, target;
    const u_char  *end;

    len = name->a.len;
    end = NULL;

    if (rfl_slot_has_page(name->kind) && len != 0) {
        end = memchr(name->a.data, ')', len);
    }

    if (end != NULL) {
        len = (size_t) (end - name->a.data);
        end++;
    }

    host = rfl_hash(name->a.data, len);
    source = host;

    if (end != NULL) {
        source = rfl_slot_page(host, rfl_hash(end, name->a.len - len - 1));
    }

    if (!slot_kind_has_target(name->kind)) {
        return rfl_slot_key(name->kind, host, source, NULL);
    }

    target = rfl_hash(name->b.data, name->b.len);

    return rfl_slot_key(name->kind, host, source, &target);
}


/* Leaves the name's text in r->text, for its group. */

static void
slot_text(rfl_registry_t *r, const rfl_slot_name_t *name)
{
    u_char  *p;

    p = r->text + RFL_GROUP_PREFIX_LEN;

    *p++ = (u_char) name->kind;

    if (name->a.len != 0) {
        memcpy(p, name->a.data, name->a.len);
        p += name->a.len;
    }

    if (slot_kind_has_target(name->kind)) {
        *p++ = '\n';

        if (name->b.len != 0) {
            memcpy(p, name->b.data, name->b.len);
            p += name->b.len;
        }
    }

    r->text_len = (size_t) (p - r->text) - RFL_GROUP_PREFIX_LEN - 1;
}


static rfl_rc_t
slot_load(rfl_registry_t *r, rfl_hash_t hash, rfl_slot_list_t *list)
{
    rfl_rc_t   rc;
    rfl_str_t  value;

    list->n = 0;
    list->found = 0;

    rc = rfl_store_get_u64(r->store, RFL_DBI_SLOTS, hash.low, &value);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    return rc == RFL_OK ? slot_parse(value, hash.high, list) : rc;
}


/* high: of the entry that is looked for. */

static rfl_rc_t
slot_parse(rfl_str_t value, uint64_t high, rfl_slot_list_t *list)
{
    size_t  i;

    list->n = value.len / RFL_SLOT_ENTRY_SIZE;

    if (value.len % RFL_SLOT_ENTRY_SIZE != 0
        || list->n > RFL_SLOT_ENTRIES_MAX)
    {
        return RFL_DAMAGED;
    }

    for (i = 0; i < list->n; i++) {
        rfl_slot_read_entry(value.data + i * RFL_SLOT_ENTRY_SIZE,
                            &list->entries[i]);
    }

    list->found = slot_index(list, high);

    return RFL_OK;
}


/* list->n: there is no such entry. */

static size_t
slot_index(const rfl_slot_list_t *list, uint64_t high)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        if (list->entries[i].high == high
            && !rfl_slot_is_bounds(&list->entries[i]))
        {
            break;
        }
    }

    return i;
}


static rfl_rc_t
slot_save(rfl_registry_t *r, rfl_hash_t hash, const rfl_slot_list_t *list,
    rfl_error_t *err)
{
    u_char  value[RFL_SLOT_ENTRIES_MAX * RFL_SLOT_ENTRY_SIZE];

    if (list->n == 0) {
        return rfl_store_del_u64(r->store, RFL_DBI_SLOTS, hash.low, err);
    }

    return rfl_store_put_u64(r->store, RFL_DBI_SLOTS, hash.low,
                             slot_write(list, value), 0, err);
}


/* value has room for RFL_SLOT_ENTRIES_MAX entries. */

static rfl_str_t
slot_write(const rfl_slot_list_t *list, u_char *value)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        slot_write_entry(value + i * RFL_SLOT_ENTRY_SIZE, &list->entries[i]);
    }

    return rfl_str(value, list->n * RFL_SLOT_ENTRY_SIZE);
}


static rfl_rc_t
slot_add(rfl_registry_t *r, rfl_hash_t hash, rfl_slot_entry_t entry,
    rfl_error_t *err)
{
    rfl_rc_t         rc;
    rfl_slot_list_t  list;

    rc = slot_put_new(r, hash, &entry, err);
    if (rc != RFL_EXISTS) {
        return rc;
    }

    rc = slot_load(r, hash, &list);

    if (rc != RFL_OK || list.n == RFL_SLOT_ENTRIES_MAX) {
        return registry_damaged(r, err, rc != RFL_OK ? rc : RFL_DAMAGED,
                                "slot", hash.low);
    }

    list.entries[list.n++] = entry;

    return slot_save(r, hash, &list, err);
}


/*
 * The bounds behind a host's entry, which may have none yet, cover these, too.
 * RFL_EXISTS: they did.  RFL_FULL: too many entries.
 */

static rfl_rc_t
slot_widen(rfl_slot_list_t *list, size_t host, const rfl_bounds_t *bounds)
{
    rfl_bounds_t       wider;
    rfl_slot_entry_t  *entry;

    entry = &list->entries[host + 1];

    if (host + 1 == list->n || !rfl_slot_is_bounds(entry)) {

        if (list->n == RFL_SLOT_ENTRIES_MAX) {
            return RFL_FULL;
        }

        memmove(entry + 1, entry, (list->n - host - 1)
                                  * sizeof(rfl_slot_entry_t));
        list->n++;

        entry->high = 0;
        entry->id = 0;
        entry->info = (uint32_t) RFL_SLOT_BOUNDS << RFL_SLOT_KIND_SHIFT;
    }

    wider = *bounds;
    slot_join_bounds(&wider, entry->high, entry->id);

    if (wider.bits == entry->high && slot_longest(&wider) == entry->id) {
        return RFL_EXISTS;
    }

    entry->high = wider.bits;
    entry->id = slot_longest(&wider);

    return RFL_OK;
}


static rfl_rc_t
slot_drop(rfl_registry_t *r, rfl_hash_t hash, rfl_slot_list_t *list,
    rfl_error_t *err)
{
    slot_cut(list);

    return slot_save(r, hash, list, err);
}


/* With the entry go the bounds behind it; others stay behind theirs. */

static void
slot_cut(rfl_slot_list_t *list)
{
    size_t             n;
    rfl_slot_entry_t  *entry;

    entry = &list->entries[list->found];

    n = list->found + 1 < list->n && rfl_slot_is_bounds(entry + 1) ? 2 : 1;

    list->n -= n;
    memmove(entry, entry + n, (list->n - list->found)
                              * sizeof(rfl_slot_entry_t));
}


/* RFL_EXISTS: the low half is taken, by the same slot or by another one. */

static rfl_rc_t
slot_put_new(rfl_registry_t *r, rfl_hash_t hash,
    const rfl_slot_entry_t *entry, rfl_error_t *err)
{
    u_char  value[RFL_SLOT_ENTRY_SIZE];

    slot_write_entry(value, entry);

    return rfl_store_put_u64(r->store, RFL_DBI_SLOTS, hash.low,
                             rfl_str(value, sizeof(value)), RFL_PUT_NEW, err);
}


static void
slot_write_entry(u_char *p, const rfl_slot_entry_t *entry)
{
    memcpy(p, &entry->high, 8);
    memcpy(p + 8, &entry->id, 4);
    memcpy(p + 12, &entry->info, 4);
}


/* longest: as an entry has it. */

static void
slot_join_bounds(rfl_bounds_t *bounds, uint64_t bits, uint32_t longest)
{
    uint16_t  source, target;

    source = (uint16_t) longest;
    target = (uint16_t) (longest >> 16);

    bounds->bits |= bits;

    if (bounds->source < source) {
        bounds->source = source;
    }

    if (bounds->target < target) {
        bounds->target = target;
    }
}


static uint32_t
slot_longest(const rfl_bounds_t *bounds)
{
    return bounds->source | (uint32_t) bounds->target << 16;
}


static uint32_t
slot_info(rfl_slot_kind_t kind, int has_target)
{
    return (uint32_t) kind << RFL_SLOT_KIND_SHIFT
           | (has_target ? RFL_SLOT_HAS_TARGET : 0);
}


static rfl_rc_t
slot_join(rfl_registry_t *r, const rfl_slot_name_t *name, uint32_t id,
    int has_target, rfl_error_t *err)
{
    uint32_t           group;
    rfl_rc_t           rc;
    rfl_hash_t         hash;
    rfl_slot_list_t    list;
    rfl_slot_entry_t  *entry, new;

    hash = rfl_registry_slot_hash(name);

    new.high = hash.high;
    new.id = id;
    new.info = slot_info(name->kind, has_target);

    rc = slot_put_new(r, hash, &new, err);
    if (rc != RFL_EXISTS) {
        return rc;
    }

    rc = slot_load(r, hash, &list);
    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "slot", hash.low);
    }

    if (list.found == list.n) {
        return slot_add(r, hash, new, err);
    }

    entry = &list.entries[list.found];

    if (entry->info & RFL_SLOT_GROUP) {
        return group_join(r, entry->id, id, err);
    }

    if (entry->id == 0) {                /* a host that had pages only */
        entry->id = id;
        entry->info |= new.info;
        return slot_save(r, hash, &list, err);
    }

    slot_text(r, name);

    rc = group_found(r, name->kind, entry->id, id, &group, err);
    if (rc != RFL_OK) {
        return rc;
    }

    entry->id = group;
    entry->info |= RFL_SLOT_GROUP;
    entry->info &= ~RFL_SLOT_HAS_TARGET;

    return slot_save(r, hash, &list, err);
}


static rfl_rc_t
slot_leave(rfl_registry_t *r, const rfl_slot_name_t *name, uint32_t id,
    rfl_error_t *err)
{
    rfl_rc_t           rc;
    rfl_hash_t         hash;
    rfl_slot_list_t    list;
    rfl_slot_entry_t  *entry;

    hash = rfl_registry_slot_hash(name);

    rc = slot_load(r, hash, &list);

    if (rc != RFL_OK || list.found == list.n) {
        return registry_damaged(r, err, rc != RFL_OK ? rc : RFL_DAMAGED,
                                "slot", hash.low);
    }

    entry = &list.entries[list.found];

    if (entry->info & RFL_SLOT_GROUP) {
        rc = group_leave(r, entry, id, err);
        if (rc != RFL_OK) {
            return rc;
        }

        /* still a group: nothing changes for requests */

        if (entry->info & RFL_SLOT_GROUP) {
            return RFL_OK;
        }

        return slot_save(r, hash, &list, err);
    }

    if (entry->id != id) {
        return registry_damaged(r, err, RFL_DAMAGED, "slot", hash.low);
    }

    slot_text(r, name);

    rc = group_forget(r, name->kind, id, err);
    if (rc != RFL_OK) {
        return rc;
    }

    if (name->kind == RFL_SLOT_HOST) {   /* registry_sweep_host() decides */
        entry->id = 0;
        entry->info &= ~RFL_SLOT_HAS_TARGET;
        return slot_save(r, hash, &list, err);
    }

    return slot_drop(r, hash, &list, err);
}


/* state, version, kind, 0, links (4), key (8), text */

static rfl_rc_t
group_load(rfl_registry_t *r, uint32_t id, rfl_group_t *group)
{
    rfl_rc_t   rc;
    rfl_str_t  record;

    rc = rfl_store_get_u32(r->store, RFL_DBI_RECORDS, id, &record);
    if (rc != RFL_OK) {
        return rc;
    }

    if (record.len == 0) {
        return RFL_DAMAGED;
    }

    if (record.data[0] != RFL_STATE_GROUP) {
        return RFL_NOT_FOUND;
    }

    if (record.len < RFL_GROUP_HEAD) {
        return RFL_DAMAGED;
    }

    if (record.data[1] != RFL_GROUP_VERSION) {
        return RFL_BAD_VERSION;
    }

    group->id = id;
    group->kind = (rfl_slot_kind_t) record.data[2];
    memcpy(&group->links, record.data + 4, 4);
    memcpy(&group->key, record.data + 8, 8);
    group->text = rfl_str(record.data + RFL_GROUP_HEAD,
                          record.len - RFL_GROUP_HEAD);

    return RFL_OK;
}


static rfl_rc_t
group_save(rfl_registry_t *r, const rfl_group_t *group, unsigned flags,
    rfl_error_t *err)
{
    rfl_rc_t  rc;

    r->record[0] = RFL_STATE_GROUP;
    r->record[1] = RFL_GROUP_VERSION;
    r->record[2] = (u_char) group->kind;
    r->record[3] = 0;
    memcpy(r->record + 4, &group->links, 4);
    memcpy(r->record + 8, &group->key, 8);
    memcpy(r->record + RFL_GROUP_HEAD, group->text.data, group->text.len);

    rc = rfl_store_put_u32(r->store, RFL_DBI_RECORDS, group->id,
                           rfl_str(r->record, RFL_GROUP_HEAD
                                              + group->text.len),
                           flags, err);

    if (rc == RFL_EXISTS) {
        return registry_damaged(r, err, RFL_DAMAGED, "record", group->id);
    }

    return rc;
}


/*
 * The group of the slot whose text is in r->text.  RFL_NOT_FOUND: there was
 * none yet; group->key is the key it would have.
 */

static rfl_rc_t
group_find(rfl_registry_t *r, rfl_slot_kind_t kind, rfl_group_t *group,
    rfl_error_t *err)
{
    unsigned         i;
    uint64_t         key;
    rfl_rc_t         rc;
    rfl_str_t        text;
    rfl_key_value_t  value;

    text = rfl_str(r->text + RFL_GROUP_PREFIX_LEN + 1, r->text_len);

    key = rfl_hash(r->text, RFL_GROUP_PREFIX_LEN + 1 + r->text_len).low;

    for (i = 0; i < RFL_GROUP_KEY_TRIES; i++, key++) {

        rc = registry_get_key(r, key, &value);

        if (rc == RFL_NOT_FOUND) {
            group->key = key;
            return rc;
        }

        if (rc != RFL_OK) {
            return registry_damaged(r, err, rc, "key", key);
        }

        if (value.state != RFL_STATE_GROUP) {
            continue;
        }

        rc = group_load(r, value.id, group);
        if (rc != RFL_OK) {
            return registry_damaged(r, err, rc, "record", value.id);
        }

        if (group->kind == kind && rfl_str_eq(group->text, text)) {
            return RFL_OK;
        }
    }

    return rfl_fail(err, RFL_INVALID, "%.*s: %d keys for its group are taken",
                    registry_shown(text), text.data, RFL_GROUP_KEY_TRIES);
}


/*
 * The group of the slot whose text is in r->text, which it was a link's alone:
 * it is made, or wakes up.  Its record is for the caller to save, with flags.
 */

static rfl_rc_t
group_open(rfl_registry_t *r, rfl_slot_kind_t kind, rfl_group_t *group,
    unsigned *flags, rfl_error_t *err)
{
    rfl_rc_t  rc;

    *flags = 0;

    rc = group_find(r, kind, group, err);

    if (rc == RFL_NOT_FOUND) {
        group->id = registry_issue_id(r);
        group->kind = kind;

        *flags = RFL_PUT_APPEND;

        rc = r->bulk != NULL
             ? rfl_bulk_key(r->bulk, group->key, group->id | RFL_BULK_GROUP,
                            err)
             : registry_put_key(r, group->key, group->id, RFL_STATE_GROUP,
                                err);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    /* text in the map has ended with a write, if there was one; r->text not */

    group->text = rfl_str(r->text + RFL_GROUP_PREFIX_LEN + 1, r->text_len);

    r->meta.groups++;
    r->meta_dirty = 1;

    return RFL_OK;
}


static rfl_rc_t
group_found(rfl_registry_t *r, rfl_slot_kind_t kind, uint32_t first,
    uint32_t second, uint32_t *id, rfl_error_t *err)
{
    unsigned     flags;
    rfl_rc_t     rc;
    rfl_group_t  group;

    rc = group_open(r, kind, &group, &flags, err);
    if (rc != RFL_OK) {
        return rc;
    }

    group.links = 2;

    rc = group_save(r, &group, flags, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = group_put_member(r, group.id, first, err);
    if (rc != RFL_OK) {
        return rc;
    }

    *id = group.id;

    return group_put_member(r, group.id, second, err);
}


static rfl_rc_t
group_join(rfl_registry_t *r, uint32_t id, uint32_t link_id,
    rfl_error_t *err)
{
    rfl_rc_t     rc;
    rfl_group_t  group;

    rc = group_load(r, id, &group);
    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "group", id);
    }

    group.links++;

    rc = group_save(r, &group, 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    return group_put_member(r, id, link_id, err);
}


/* When one member remains, *entry becomes its own. */

static rfl_rc_t
group_leave(rfl_registry_t *r, rfl_slot_entry_t *entry, uint32_t link_id,
    rfl_error_t *err)
{
    uint32_t     id;
    rfl_rc_t     rc;
    rfl_group_t  group;

    id = entry->id;

    rc = rfl_store_del_u64(r->store, RFL_DBI_MEMBERS,
                           rfl_member_key(id, link_id), err);
    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "member of group", id);
    }

    rc = group_load(r, id, &group);

    if (rc != RFL_OK || group.links < 2) {
        return registry_damaged(r, err, rc != RFL_OK ? rc : RFL_DAMAGED,
                                "group", id);
    }

    group.links--;

    rc = group_save(r, &group, 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    return group.links == 1 ? group_end(r, entry, err) : RFL_OK;
}


/* One member is left: the slot is its own. */

static rfl_rc_t
group_end(rfl_registry_t *r, rfl_slot_entry_t *entry, rfl_error_t *err)
{
    uint32_t    rest;
    rfl_rc_t    rc;
    rfl_link_t  link;

    rest = 0;

    rc = rfl_registry_next_member(r, entry->id, &rest);
    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "last member of group", entry->id);
    }

    rc = rfl_registry_link(r, rest, &link);
    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "record", rest);
    }

    entry->id = rest;
    entry->info &= ~RFL_SLOT_GROUP;
    entry->info |= link.target.len != 0 ? RFL_SLOT_HAS_TARGET : 0;

    r->meta.groups--;
    r->meta_dirty = 1;

    return RFL_OK;
}


/* The last link of a slot leaves: it is no member of the sleeping group. */

static rfl_rc_t
group_forget(rfl_registry_t *r, rfl_slot_kind_t kind, uint32_t link_id,
    rfl_error_t *err)
{
    rfl_rc_t     rc;
    rfl_group_t  group;

    rc = group_find(r, kind, &group, err);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    if (rc != RFL_OK || group.links == 0) {      /* NOLINT: group is found */
        return rc;
    }

    return group_put_to_sleep(r, &group, link_id, err);
}


static rfl_rc_t
group_put_to_sleep(rfl_registry_t *r, rfl_group_t *group, uint32_t link_id,
    rfl_error_t *err)
{
    rfl_rc_t  rc;

    group->links = 0;

    rc = group_save(r, group, 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_store_del_u64(r->store, RFL_DBI_MEMBERS,
                           rfl_member_key(group->id, link_id), err);
    if (rc != RFL_OK) {
        return registry_damaged(r, err, rc, "member of group", group->id);
    }

    return RFL_OK;
}


/* A link that waited in a sleeping group keeps what it joined at. */

static rfl_rc_t
group_put_member(rfl_registry_t *r, uint32_t id, uint32_t link_id,
    rfl_error_t *err)
{
    rfl_rc_t  rc;
    uint64_t  clicks;

    clicks = r->clicks != NULL ? r->clicks(r->clicks_data, id) : 0;

    if (clicks == RFL_CLICKS_UNKNOWN) {
        return rfl_fail(err, RFL_ERROR, "%s: the clicks of group %u cannot be "
                        "read from the ledger", r->dir, (unsigned) id);
    }

    /* of the newest group they come in order */

    rc = rfl_store_put_u64(r->store, RFL_DBI_MEMBERS,
                           rfl_member_key(id, link_id),
                           rfl_str(&clicks, sizeof(clicks)), RFL_PUT_APPEND,
                           err);
    if (rc != RFL_EXISTS) {
        return rc;
    }

    rc = rfl_store_put_u64(r->store, RFL_DBI_MEMBERS,
                           rfl_member_key(id, link_id),
                           rfl_str(&clicks, sizeof(clicks)), RFL_PUT_NEW,
                           err);

    return rc == RFL_EXISTS ? RFL_OK : rc;
}


/* What must be there and is not, is damage; other errors stay themselves. */

static rfl_rc_t
registry_damaged(rfl_registry_t *r, rfl_error_t *err, rfl_rc_t rc,
    const char *what, uint64_t which)
{
    if (rc == RFL_NOT_FOUND || rc == RFL_DAMAGED) {
        return rfl_fail(err, RFL_DAMAGED, "%s is damaged: %s %llx is missing "
                        "or makes no sense; restore a backup", r->dir, what,
                        (unsigned long long) which);
    }

    if (rc == RFL_BAD_VERSION) {
        return rfl_fail(err, rc, "%s: %s %llx was written by another version "
                        "of this program", r->dir, what,
                        (unsigned long long) which);
    }

    return rfl_fail(err, rc, "%s: %s %llx cannot be read", r->dir, what,
                    (unsigned long long) which);
}


static int
registry_shown(rfl_str_t text)
{
    return text.len < RFL_SHOWN_MAX ? (int) text.len : RFL_SHOWN_MAX;
}


/* What people know a link by, in messages. */

static rfl_str_t
registry_name(const rfl_link_t *link)
{
    return link->match_type == RFL_MATCH_TAG ? link->tag : link->source;
}


static int
slot_kind_has_target(rfl_slot_kind_t kind)
{
    switch (kind) {

    case RFL_SLOT_LANDING:
    case RFL_SLOT_HOST_TARGET:
    case RFL_SLOT_DOMAIN_TARGET:
    case RFL_SLOT_PAGE_TARGET:
    case RFL_SLOT_PREFIX_TARGET:
    case RFL_SLOT_TAG_TARGET:
    case RFL_SLOT_PATTERN_TARGET:
        return 1;

    default:
        return 0;
    }
}
