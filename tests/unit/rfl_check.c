/*
 * The check of the registry: a sound one has no fault, and each way in which a
 * row of each table can be wrong is named, and nothing else.
 */

#include "damage.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "rfl_registry_parts.h"


#define MAP_SIZE  ((size_t) 64 << 20)
#define NOW       1700000000u
#define GONE_KEY  0x1234u                /* of no link */
#define GONE_ID   9999u


/* Links of each kind: ONE and TWO, three of them, share a landing. */

typedef enum {
    ONE = 0,
    TWO,
    HOST,
    DOMAIN,
    PREFIX,
    REGEX,
    REGEX_TOO,
    TAG,
    REMOVED,
    LINKS
} which_t;


typedef struct {
    char              root[64];
    rfl_registry_t   *registry;
    rfl_store_t      *store;
    uint32_t          ids[LINKS];
    uint64_t          keys[LINKS];
    rfl_group_t       group;             /* of ONE and TWO; without text */
    rfl_check_t       check;
    damage_faults_t   faults;
    rfl_error_t       err;
} fixture_t;


typedef struct {
    rfl_match_type_t  type;
    const char       *source;
    const char       *target;
    const char       *tag;
} spec_t;


typedef struct {
    const char   *name;
    void        (*damage)(fixture_t *f);
    const char   *wanted[DAMAGE_WANTED_MAX];
} row_t;


static const spec_t  specs[LINKS] = {
    [ONE]       = { RFL_MATCH_EXACT, "https://blog.example/1", "/p", "" },
    [TWO]       = { RFL_MATCH_EXACT, "https://blog.example/2", "/p", "" },
    [HOST]      = { RFL_MATCH_HOST, "news.example", "", "" },
    [DOMAIN]    = { RFL_MATCH_DOMAIN, "dom.example", "", "" },
    [PREFIX]    = { RFL_MATCH_PREFIX, "https://pre.example/a/b", "", "" },
    [REGEX]     = { RFL_MATCH_REGEX, "rx.example/x+", "", "" },
    [REGEX_TOO] = { RFL_MATCH_REGEX, "rx.example/y+", "/t", "" },
    [TAG]       = { RFL_MATCH_TAG, "", "", "mail" },
    [REMOVED]   = { RFL_MATCH_EXACT, "https://gone.example/", "", "" }
};


static rfl_link_t
link_of(which_t which)
{
    rfl_link_t  link;

    memset(&link, 0, sizeof(rfl_link_t));

    link.match_type = specs[which].type;
    link.source = rfl_cstr(specs[which].source);
    link.target = rfl_cstr(specs[which].target);
    link.tag = rfl_cstr(specs[which].tag);

    return link;
}


static int
setup(void **state)
{
    size_t             i, n;
    fixture_t         *f;
    rfl_link_t         link;
    rfl_membership_t   members[RFL_LINK_GROUPS_MAX];

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    strcpy(f->root, "/tmp/rfl-XXXXXX");
    assert_non_null(mkdtemp(f->root));

    if (rfl_registry_open(&f->registry, f->root, RFL_STORE_CREATE, MAP_SIZE,
                          &f->err) != RFL_OK)
    {
        fail_msg("%s", f->err.text);
    }

    f->store = rfl_registry_store(f->registry);

    assert_int_equal(rfl_registry_begin(f->registry, 1, &f->err), RFL_OK);

    for (i = 0; i < LINKS; i++) {
        link = link_of(i);

        if (rfl_registry_add(f->registry, &link, NOW, &f->err) != RFL_OK) {
            fail_msg("%s", f->err.text);
        }

        f->ids[i] = link.id;
        f->keys[i] = link.key;
    }

    assert_int_equal(rfl_registry_remove(f->registry, f->keys[REMOVED],
                                         &f->err), RFL_OK);

    assert_int_equal(rfl_registry_by_key(f->registry, f->keys[ONE], &link),
                     RFL_OK);
    assert_int_equal(rfl_registry_groups(f->registry, &link, members, &n),
                     RFL_OK);
    assert_int_equal(n, 1);
    f->group = members[0].group;

    assert_int_equal(rfl_registry_commit(f->registry, &f->err), RFL_OK);

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    char        command[96];
    fixture_t  *f = *state;

    rfl_registry_close(f->registry);

    (void) snprintf(command, sizeof(command), "rm -rf %s", f->root);
    assert_int_equal(system(command), 0);

    free(f);

    return 0;
}


static void
check(fixture_t *f)
{
    memset(&f->check, 0, sizeof(rfl_check_t));
    f->faults.n = 0;

    f->check.fault = damage_fault;
    f->check.data = &f->faults;

    if (rfl_check_registry(&f->check, f->registry, &f->err) != RFL_OK) {
        fail_msg("%s", f->err.text);
    }

    assert_int_equal(f->check.faults, f->faults.n);
}


/* -- rows ---------------------------------------------------------------- */

static rfl_str_t
u32(uint32_t n)
{
    static uint32_t  key;

    key = n;

    return rfl_str(&key, sizeof(key));
}


static rfl_str_t
u64(uint64_t n)
{
    static uint64_t  key;

    key = n;

    return rfl_str(&key, sizeof(key));
}


static void
put_key(fixture_t *f, uint64_t key, uint32_t id, u_char state)
{
    u_char  value[RFL_KEY_VALUE_SIZE];

    memcpy(value, &id, 4);
    value[4] = state;

    damage_put(f->store, RFL_DBI_KEYS, u64(key), rfl_str(value, 5));
}


static void
put_record(fixture_t *f, which_t which, const char *bytes, size_t len)
{
    damage_put(f->store, RFL_DBI_RECORDS, u32(f->ids[which]),
               rfl_str(bytes, len));
}


static rfl_str_t
source_key(fixture_t *f, which_t which, u_char *key)
{
    rfl_link_t      link;
    rfl_identity_t  identity;

    link = link_of(which);
    link.id = f->ids[which];

    assert_int_equal(rfl_identity(&link, &identity, &f->err), RFL_OK);

    return rfl_str(key, rfl_registry_source_key(&identity, &link, key));
}


static void
put_source(fixture_t *f, const char *surt, uint32_t id)
{
    u_char  key[64];
    size_t  len;

    len = strlen(surt) + 1;

    memcpy(key, surt, len);
    key[len++] = (u_char) (id >> 24);
    key[len++] = (u_char) (id >> 16);
    key[len++] = (u_char) (id >> 8);
    key[len++] = (u_char) id;

    damage_put(f->store, RFL_DBI_SOURCES, rfl_str(key, len),
               rfl_str(NULL, 0));
}


/* The slot of a kind in which a link stands; HOST of a page: its host's. */

static uint64_t
slot_key(fixture_t *f, which_t which, rfl_slot_kind_t kind)
{
    size_t           i, n;
    rfl_link_t       link;
    rfl_identity_t   identity;
    rfl_slot_name_t  names[RFL_LINK_SLOTS_MAX + 1];

    link = link_of(which);

    assert_int_equal(rfl_identity(&link, &identity, &f->err), RFL_OK);

    n = rfl_registry_slot_names(&identity, link.match_type, names);

    if (rfl_registry_is_page(link.match_type)) {
        names[n].kind = RFL_SLOT_HOST;
        names[n].a = rfl_str(identity.source.buf, identity.source.host_len);
        names[n].b = rfl_str(NULL, 0);
        n++;
    }

    for (i = 0; i < n; i++) {
        if (names[i].kind == kind) {
            return rfl_registry_slot_hash(&names[i]).low;
        }
    }

    fail_msg("link %u has no slot of the kind %u", which, kind);

    return 0;
}


/* Changes the id and the info of a slot's first entry. */

static void
edit_slot(fixture_t *f, which_t which, rfl_slot_kind_t kind, uint32_t id,
    uint32_t clear, uint32_t set)
{
    u_char            value[RFL_SLOT_ENTRIES_MAX * RFL_SLOT_ENTRY_SIZE];
    uint64_t          key;
    rfl_str_t         old;
    rfl_slot_entry_t  entry;

    key = slot_key(f, which, kind);
    old = damage_get(f->store, RFL_DBI_SLOTS, u64(key));

    assert_in_range(old.len, RFL_SLOT_ENTRY_SIZE, sizeof(value));
    memcpy(value, old.data, old.len);

    rfl_slot_read_entry(value, &entry);

    entry.info = (entry.info & ~clear) | set;

    if (id != 0) {
        entry.id = id;
    }

    memcpy(value + 8, &entry.id, 4);
    memcpy(value + 12, &entry.info, 4);

    damage_put(f->store, RFL_DBI_SLOTS, u64(key), rfl_str(value, old.len));
}


/* Takes from the bounds of a page link's host. */

static void
edit_bounds(fixture_t *f, which_t which, uint64_t bits, uint32_t longest)
{
    u_char            value[2 * RFL_SLOT_ENTRY_SIZE];
    uint64_t          key;
    rfl_str_t         old;
    rfl_slot_entry_t  entry;

    key = slot_key(f, which, RFL_SLOT_HOST);
    old = damage_get(f->store, RFL_DBI_SLOTS, u64(key));

    assert_int_equal(old.len, sizeof(value));
    memcpy(value, old.data, old.len);

    rfl_slot_read_entry(value + RFL_SLOT_ENTRY_SIZE, &entry);
    assert_true(rfl_slot_is_bounds(&entry));

    entry.high &= ~bits;
    entry.id -= longest;

    memcpy(value + RFL_SLOT_ENTRY_SIZE, &entry.high, 8);
    memcpy(value + RFL_SLOT_ENTRY_SIZE + 8, &entry.id, 4);

    damage_put(f->store, RFL_DBI_SLOTS, u64(key), rfl_str(value, old.len));
}


static void
put_slot(fixture_t *f, uint64_t low, uint32_t id, uint32_t info)
{
    u_char    value[RFL_SLOT_ENTRY_SIZE];
    uint64_t  high;

    high = 5;

    memcpy(value, &high, 8);
    memcpy(value + 8, &id, 4);
    memcpy(value + 12, &info, 4);

    damage_put(f->store, RFL_DBI_SLOTS, u64(low),
               rfl_str(value, sizeof(value)));
}


static void
put_member(fixture_t *f, uint32_t group, uint32_t id)
{
    uint64_t  clicks;

    clicks = 0;

    damage_put(f->store, RFL_DBI_MEMBERS, u64(rfl_member_key(group, id)),
               rfl_str(&clicks, sizeof(clicks)));
}


/* The one list of patterns, that of rx.example. */

static void
put_patterns(fixture_t *f, const uint32_t *ids, size_t n)
{
    u_char     key[RFL_STORE_KEY_MAX];
    rfl_str_t  found, value;

    assert_true(damage_seek(f->store, RFL_DBI_PATTERNS, rfl_str(NULL, 0),
                            &found, &value));

    memcpy(key, found.data, found.len);

    damage_put(f->store, RFL_DBI_PATTERNS, rfl_str(key, found.len),
               rfl_str(ids, n * sizeof(uint32_t)));
}


static void
edit_number(fixture_t *f, size_t i, uint32_t n)
{
    u_char     numbers[16];
    rfl_str_t  value;

    value = damage_get(f->store, RFL_DBI_META, rfl_cstr("numbers"));

    assert_int_equal(value.len, sizeof(numbers));
    memcpy(numbers, value.data, value.len);
    memcpy(numbers + 4 * i, &n, 4);

    damage_put(f->store, RFL_DBI_META, rfl_cstr("numbers"),
               rfl_str(numbers, sizeof(numbers)));
}


/* -- damages ------------------------------------------------------------- */

static void
no_record(fixture_t *f)
{
    damage_del(f->store, RFL_DBI_RECORDS, u32(f->ids[TAG]));
}


static void
no_record_of_removed(fixture_t *f)
{
    damage_del(f->store, RFL_DBI_RECORDS, u32(f->ids[REMOVED]));
}


static void
no_record_of_group(fixture_t *f)
{
    damage_del(f->store, RFL_DBI_RECORDS, u32(f->group.id));
}


static void
empty_record(fixture_t *f)
{
    put_record(f, REMOVED, "", 0);
}


static void
record_of_no_kind(fixture_t *f)
{
    put_record(f, REMOVED, "\x09", 1);
}


static void
record_of_another_version(fixture_t *f)
{
    put_record(f, REMOVED, "\x02\xff", 2);
}


static void
record_of_noise(fixture_t *f)
{
    rfl_str_t  record;

    record = damage_get(f->store, RFL_DBI_RECORDS, u32(f->ids[REMOVED]));
    put_record(f, REMOVED, (const char *) record.data, 6);
}


static void
record_twice(fixture_t *f)
{
    rfl_str_t  record;

    record = damage_get(f->store, RFL_DBI_RECORDS, u32(f->ids[REMOVED]));

    damage_put(f->store, RFL_DBI_RECORDS, u32(GONE_ID), record);
}


static void
record_zero(fixture_t *f)
{
    damage_put(f->store, RFL_DBI_RECORDS, u32(0), rfl_str("\x02", 1));
}


static void
group_of_another_version(fixture_t *f)
{
    rfl_str_t  record;

    record = damage_get(f->store, RFL_DBI_RECORDS, u32(f->group.id));
    ((u_char *) record.data)[1] = 0xff;

    damage_put(f->store, RFL_DBI_RECORDS, u32(f->group.id), record);
}


static void
no_key(fixture_t *f)
{
    damage_del(f->store, RFL_DBI_KEYS, u64(f->keys[HOST]));
}


static void
no_key_of_group(fixture_t *f)
{
    damage_del(f->store, RFL_DBI_KEYS, u64(f->group.key));
}


static void
key_of_another_length(fixture_t *f)
{
    damage_put(f->store, RFL_DBI_KEYS, u64(f->keys[HOST]),
               rfl_str("\x01", 1));
}


static void
key_of_another_record(fixture_t *f)
{
    put_key(f, f->keys[HOST], f->ids[TAG], RFL_STATE_LINK);
}


static void
key_of_another_state(fixture_t *f)
{
    put_key(f, f->keys[HOST], f->ids[HOST], RFL_STATE_RETIRED);
}


static void
key_of_a_state_unknown(fixture_t *f)
{
    put_key(f, GONE_KEY, f->ids[HOST], 7);
}


static void
key_of_no_record(fixture_t *f)
{
    put_key(f, GONE_KEY, GONE_ID, RFL_STATE_LINK);
}


static void
second_key(fixture_t *f)
{
    put_key(f, GONE_KEY, f->ids[HOST], RFL_STATE_LINK);
}


static void
no_source(fixture_t *f)
{
    u_char  key[RFL_STORE_KEY_MAX];

    damage_del(f->store, RFL_DBI_SOURCES, source_key(f, HOST, key));
}


static void
no_source_of_page(fixture_t *f)
{
    u_char  key[RFL_STORE_KEY_MAX];

    damage_del(f->store, RFL_DBI_SOURCES, source_key(f, PREFIX, key));
}


static void
second_source(fixture_t *f)
{
    put_source(f, "example,news)/zzz", f->ids[HOST]);
}


static void
source_of_removed(fixture_t *f)
{
    put_source(f, "example,gone)/", f->ids[REMOVED]);
}


static void
source_of_group(fixture_t *f)
{
    put_source(f, "example,blog)/", f->group.id);
}


static void
short_source(fixture_t *f)
{
    damage_put(f->store, RFL_DBI_SOURCES, rfl_str("abc", 3),
               rfl_str(NULL, 0));
}


static void
no_slot(fixture_t *f)
{
    damage_del(f->store, RFL_DBI_SLOTS, u64(slot_key(f, HOST, RFL_SLOT_HOST)));
}


static void
no_slot_of_host(fixture_t *f)
{
    damage_del(f->store, RFL_DBI_SLOTS,
               u64(slot_key(f, PREFIX, RFL_SLOT_HOST)));
}


static void
no_slot_of_group(fixture_t *f)
{
    damage_del(f->store, RFL_DBI_SLOTS,
               u64(slot_key(f, ONE, RFL_SLOT_LANDING)));
}


static void
slot_of_another_length(fixture_t *f)
{
    damage_put(f->store, RFL_DBI_SLOTS, u64(77), rfl_str("ab", 2));
}


static void
slot_of_no_kind(fixture_t *f)
{
    put_slot(f, 77, f->ids[ONE], 0);
}


static void
slot_of_another_kind(fixture_t *f)
{
    edit_slot(f, HOST, RFL_SLOT_HOST, 0,
              RFL_SLOT_KIND_MASK << RFL_SLOT_KIND_SHIFT,
              RFL_SLOT_PAGE << RFL_SLOT_KIND_SHIFT);
}


static void
slot_of_another_link(fixture_t *f)
{
    edit_slot(f, HOST, RFL_SLOT_HOST, f->ids[TAG], 0, 0);
}


static void
slot_of_no_link(fixture_t *f)
{
    put_slot(f, 77, f->ids[REMOVED], RFL_SLOT_PAGE << RFL_SLOT_KIND_SHIFT);
}


static void
slot_that_is_not_its_own(fixture_t *f)
{
    put_slot(f, 77, f->ids[ONE], RFL_SLOT_PAGE << RFL_SLOT_KIND_SHIFT);
}


static void
slot_with_a_target(fixture_t *f)
{
    edit_slot(f, HOST, RFL_SLOT_HOST, 0, 0, RFL_SLOT_HAS_TARGET);
}


static void
slot_without_its_target(fixture_t *f)
{
    edit_slot(f, ONE, RFL_SLOT_PAGE, 0, RFL_SLOT_HAS_TARGET, 0);
}


static void
slot_of_host_without_flags(fixture_t *f)
{
    edit_slot(f, PREFIX, RFL_SLOT_HOST, 0, RFL_SLOT_FLAGS, 0);
}


static void
host_without_bounds(fixture_t *f)
{
    u_char     value[RFL_SLOT_ENTRY_SIZE];
    uint64_t   key;
    rfl_str_t  old;

    key = slot_key(f, PREFIX, RFL_SLOT_HOST);
    old = damage_get(f->store, RFL_DBI_SLOTS, u64(key));

    assert_int_equal(old.len, 2 * sizeof(value));
    memcpy(value, old.data, sizeof(value));

    damage_put(f->store, RFL_DBI_SLOTS, u64(key),
               rfl_str(value, sizeof(value)));
}


static void
bounds_without_a_bit(fixture_t *f)
{
    rfl_link_t      link;
    rfl_identity_t  identity;

    link = link_of(PREFIX);
    assert_int_equal(rfl_identity(&link, &identity, &f->err), RFL_OK);

    edit_bounds(f, PREFIX, rfl_registry_bounds(&identity,
                                               RFL_MATCH_PREFIX).bits, 0);
}


static void
bounds_of_a_shorter_source(fixture_t *f)
{
    edit_bounds(f, PREFIX, 0, 1);
}


static void
bounds_of_a_shorter_target(fixture_t *f)
{
    edit_bounds(f, ONE, 0, 1 << 16);
}


static void
bounds_of_no_host(fixture_t *f)
{
    put_slot(f, 77, 0, RFL_SLOT_BOUNDS << RFL_SLOT_KIND_SHIFT);
}


static void
slot_of_host_without_links(fixture_t *f)
{
    put_slot(f, 77, 0, RFL_SLOT_HOST << RFL_SLOT_KIND_SHIFT);
}


static void
slot_of_no_group(fixture_t *f)
{
    put_slot(f, 77, f->ids[ONE], RFL_SLOT_GROUP
             | RFL_SLOT_LANDING << RFL_SLOT_KIND_SHIFT);
}


static void
slot_of_another_group(fixture_t *f)
{
    put_slot(f, 77, f->group.id, RFL_SLOT_GROUP
             | RFL_SLOT_LANDING << RFL_SLOT_KIND_SHIFT);
}


static void
slot_of_a_group_that_is_a_link(fixture_t *f)
{
    edit_slot(f, ONE, RFL_SLOT_LANDING, f->ids[ONE], RFL_SLOT_GROUP,
              RFL_SLOT_HAS_TARGET);
}


static void
no_member(fixture_t *f)
{
    damage_del(f->store, RFL_DBI_MEMBERS,
               u64(rfl_member_key(f->group.id, f->ids[TWO])));
}


static void
member_of_no_group(fixture_t *f)
{
    put_member(f, f->ids[HOST], f->ids[ONE]);
}


static void
member_that_is_no_link(fixture_t *f)
{
    put_member(f, f->group.id, f->ids[REMOVED]);
}


static void
member_that_does_not_belong(fixture_t *f)
{
    put_member(f, f->group.id, f->ids[HOST]);
}


static void
member_of_another_length(fixture_t *f)
{
    damage_put(f->store, RFL_DBI_MEMBERS,
               u64(rfl_member_key(f->group.id, f->ids[TWO])),
               rfl_str("ab", 2));
}


static void
no_pattern(fixture_t *f)
{
    put_patterns(f, &f->ids[REGEX], 1);
}


static void
no_patterns(fixture_t *f)
{
    rfl_str_t  key, value;

    assert_true(damage_seek(f->store, RFL_DBI_PATTERNS, rfl_str(NULL, 0), &key,
                            &value));
    damage_del(f->store, RFL_DBI_PATTERNS, key);
}


static void
patterns_out_of_order(fixture_t *f)
{
    uint32_t  ids[2];

    ids[0] = f->ids[REGEX_TOO];
    ids[1] = f->ids[REGEX];

    put_patterns(f, ids, 2);
}


static void
pattern_of_no_regex(fixture_t *f)
{
    uint32_t  ids[3];

    ids[0] = f->ids[ONE];
    ids[1] = f->ids[REGEX];
    ids[2] = f->ids[REGEX_TOO];

    put_patterns(f, ids, 3);
}


static void
pattern_of_another_host(fixture_t *f)
{
    u_char  host[16];

    memset(host, 7, sizeof(host));

    damage_put(f->store, RFL_DBI_PATTERNS, rfl_str(host, sizeof(host)),
               u32(f->ids[REGEX]));
}


static void
patterns_of_another_length(fixture_t *f)
{
    damage_put(f->store, RFL_DBI_PATTERNS, rfl_str("abc", 3),
               rfl_str("ab", 2));
}


static void
no_numbers(fixture_t *f)
{
    damage_del(f->store, RFL_DBI_META, rfl_cstr("numbers"));
}


static void
numbers_of_another_length(fixture_t *f)
{
    damage_put(f->store, RFL_DBI_META, rfl_cstr("numbers"), rfl_str("ab", 2));
}


static void
next_id_is_taken(fixture_t *f)
{
    edit_number(f, 0, 2);
}


static void
next_id_behind_the_last(fixture_t *f)
{
    edit_number(f, 0, 1u << 26);
}


static void
next_id_that_nobody_gave(fixture_t *f)
{
    edit_number(f, 0, (1u << 26) + 1);
}


static void
another_number_of_links(fixture_t *f)
{
    edit_number(f, 1, 80);
}


static void
another_number_of_groups(fixture_t *f)
{
    edit_number(f, 2, 80);
}


static void
another_number_of_domains(fixture_t *f)
{
    edit_number(f, 3, 80);
}


#define row(damage, ...)  { #damage, damage, { __VA_ARGS__ } }

static const row_t  rows[] = {

    row(no_record,
        "registry/records: record * is missing: the key * names it",
        "registry/sources: \"*\" names record *, which is no link",
        "registry/slots: slot * (tag) names record *, which is no link",
        "registry/slots: slot * (tag and target) names record *, which is no*",
        "registry/meta: it says 8 links, there are 7"),
    row(no_record_of_removed,
        "registry/records: record * is missing: the key * names it"),
    row(no_record_of_group,
        "registry/records: record * is missing: the key * names it",
        "registry/slots: slot * (landing) names record *, which is no group",
        "registry/members: record * is in group *, which is none",
        "registry/meta: it says 1 groups with several links, there are 0"),
    row(empty_record,
        "registry/records: record *: it is empty",
        "registry/records: record * is missing: the key * names it"),
    row(record_of_no_kind,
        "registry/records: record *: it is neither a link nor a group",
        "registry/keys: * says that record * is a removed link"),
    row(record_of_another_version,
        "registry/records: record *: it was written by another version *"),
    row(record_of_noise,
        "registry/records: record *: its bytes make no sense"),
    row(record_twice,
        "registry/records: record 9999: link * says its id is *",
        "registry/meta: the next id would be *, but 9999 is taken"),
    row(record_zero,
        "registry/records: record 0: no link has this id"),
    row(group_of_another_version,
        "registry/records: group *: *another version of this program",
        "registry/meta: it says 1 groups with several links, there are 0"),

    row(no_key,
        "registry/keys: * is missing: record * has this key"),
    row(no_key_of_group,
        "registry/keys: * is missing: record * has this key"),
    row(key_of_another_length,
        "registry/keys: * has a value of 1 bytes"),
    row(key_of_another_record,
        "registry/keys: * names record *, but record * has this key",
        "registry/keys: * names record *, which has the key *"),
    row(key_of_another_state,
        "registry/keys: * names record *, but record * has this key and is *",
        "registry/keys: * says that record * is a removed link"),
    row(key_of_a_state_unknown,
        "registry/keys: * says that record * is a thing unknown here"),
    row(key_of_no_record,
        "registry/records: record 9999 is missing: the key *1234 names it"),
    row(second_key,
        "registry/keys: *1234 names record *, which has the key *"),

    row(no_source,
        "registry/sources: link * (news.example) is missing"),
    row(no_source_of_page,
        "registry/sources: link * (https://pre.example/a/b) is missing",
        "registry/slots: slot * is that of a host without links"),
    row(second_source,
        "registry/sources: link * has a second row, under \"*zzz\""),
    row(source_of_removed,
        "registry/sources: \"example,gone)/\" names record *, which is no*"),
    row(source_of_group,
        "registry/sources: \"example,blog)/\" names record *, which is no*"),
    row(short_source,
        "registry/sources: a row is of 3 bytes only"),

    row(no_slot,
        "registry/slots: link * (news.example): its slot (host) is missing"),
    row(no_slot_of_host,
        "registry/slots: link * (*pre.example/a/b): the slot of its host is *"),
    row(no_slot_of_group,
        "registry/slots: link *: its slot (landing) is missing",
        "registry/slots: group * (landing) has 2 links, but its slot is mis*"),
    row(slot_of_another_length,
        "registry/slots: slot *4d has a value of 2 bytes"),
    row(slot_of_no_kind,
        "registry/slots: slot *4d is of the kind 0"),
    row(slot_of_another_kind,
        "registry/slots: link *: its slot (host) is of another kind, 3",
        "registry/slots: slot * (page) names link *, which does not stand *"),
    row(slot_of_another_link,
        "registry/slots: link *: its slot (host) is that of record *",
        "registry/slots: slot * (host) names link *, which does not stand *"),
    row(slot_of_no_link,
        "registry/slots: slot *4d (page) names record *, which is no link"),
    row(slot_that_is_not_its_own,
        "registry/slots: slot *4d (page) names link *, which does not stand*"),
    row(slot_with_a_target,
        "registry/slots: link *: its slot (host) says it has a target"),
    row(slot_without_its_target,
        "registry/slots: link *: its slot (page) says it has no target"),
    row(slot_of_host_without_flags,
        "registry/slots: link *: the slot of its host does not say that *"),
    row(host_without_bounds,
        "registry/slots: link *: its host has no bounds"),
    row(bounds_without_a_bit,
        "registry/slots: link *: its host's bounds do not cover it (*)"),
    row(bounds_of_a_shorter_source,
        "registry/slots: link *: its host's bounds do not cover it (*)"),
    row(bounds_of_a_shorter_target,
        "registry/slots: link *: its host's bounds do not cover it (*)"),
    row(bounds_of_no_host,
        "registry/slots: slot *4d is of the kind 15"),
    row(slot_of_host_without_links,
        "registry/slots: slot *4d is that of a host without links"),
    row(slot_of_no_group,
        "registry/slots: slot *4d (landing) names record *, which is no gr*"),
    row(slot_of_another_group,
        "registry/slots: slot *4d (landing) names group *, whose slot is a*"),
    row(slot_of_a_group_that_is_a_link,
        "registry/slots: link * (*/2): its slot (landing) is that of record *",
        "registry/slots: group * (landing) has 2 links, but its slot is not*"),

    row(no_member,
        "registry/members: link * (*/2) is missing in group * (landing)",
        "registry/members: group * (landing) has 1 rows, its record says 2 *"),
    row(member_of_no_group,
        "registry/members: record * is in group *, which is none"),
    row(member_that_is_no_link,
        "registry/members: group * (landing) has 3 rows, its record says 2 *",
        "registry/members: record * is in group *, but no link"),
    row(member_that_does_not_belong,
        "registry/members: group * (landing) has 3 rows, its record says 2 *",
        "registry/members: link * is in group * (landing), where it does no*"),
    row(member_of_another_length,
        "registry/members: record * in group * has a value of 2 bytes"),

    row(no_pattern,
        "registry/patterns: link * (rx.example/y+) is missing"),
    row(no_patterns,
        "registry/patterns: link * (rx.example/x+) is missing",
        "registry/patterns: link * (rx.example/y+) is missing"),
    row(patterns_out_of_order,
        "registry/patterns: host *: record * follows record *"),
    row(pattern_of_no_regex,
        "registry/patterns: host * names record *, which is no regex link"),
    row(pattern_of_another_host,
        "registry/patterns: host * names link * (rx.example/x+), which is *"),
    row(patterns_of_another_length,
        "registry/patterns: a row has a key of 3 bytes and a value of 2"),

    row(no_numbers,
        "registry/meta: uuid, created or numbers are missing"),
    row(numbers_of_another_length,
        "registry/meta: uuid, created or numbers have another length"),
    row(next_id_is_taken,
        "registry/meta: the next id would be 2, but * is taken"),
    row(next_id_that_nobody_gave,
        "registry/meta: the next id would be 67108865, the last one there can "
        "be is 67108863"),
    row(another_number_of_links,
        "registry/meta: it says 80 links, there are 8"),
    row(another_number_of_groups,
        "registry/meta: it says 80 groups with several links, there are 1"),
    row(another_number_of_domains,
        "registry/meta: it says 80 domain links, there are 1")
};


static void
a_sound_registry_has_no_fault(void **state)
{
    fixture_t  *f = *state;

    static const char *const  none[] = { NULL };

    check(f);
    damage_is("sound", &f->faults, none);

    next_id_behind_the_last(f);
    check(f);
    damage_is("all ids are used up", &f->faults, none);

    assert_int_equal(f->check.links, LINKS - 1);
    assert_int_equal(f->check.retired, 1);
    assert_int_equal(f->check.groups, 1);
    assert_true(f->check.rows > 4 * LINKS);
}


static void
each_damage_is_named_and_nothing_else(void **state)
{
    size_t  i;
    void   *fresh;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(setup(&fresh), 0);

        rows[i].damage(fresh);
        check(fresh);
        damage_is(rows[i].name, &((fixture_t *) fresh)->faults,
                  rows[i].wanted);

        assert_int_equal(teardown(&fresh), 0);
    }
}


static void
damaged_pages_are_an_error_and_nothing_is_read(void **state)
{
    char        path[128], noise[4096];
    FILE       *file;
    fixture_t  *f = *state;

    memset(noise, 'x', sizeof(noise));

    (void) snprintf(path, sizeof(path), "%s/registry/data.mdb", f->root);

    file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 2 * 4096, SEEK_SET), 0);

    while (ftell(file) < 12 * 4096) {
        assert_int_equal(fwrite(noise, 1, sizeof(noise), file), 4096);
    }

    assert_int_equal(fclose(file), 0);

    memset(&f->check, 0, sizeof(rfl_check_t));
    f->check.fault = damage_fault;
    f->check.data = &f->faults;

    assert_int_equal(rfl_check_registry(&f->check, f->registry, &f->err),
                     RFL_DAMAGED);
    assert_non_null(strstr(f->err.text, "damaged at page"));
    assert_int_equal(f->check.rows, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(a_sound_registry_has_no_fault, setup,
                                        teardown),
        cmocka_unit_test(each_damage_is_named_and_nothing_else),
        cmocka_unit_test_setup_teardown(
            damaged_pages_are_an_error_and_nothing_is_read, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
