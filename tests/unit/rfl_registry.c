/*
 * The registry: each match type, groups, ids, orders; then random operations
 * against a naive model that knows nothing of slots and groups but what the
 * header says of them.
 */

#include "rfl_registry_parts.h"
#include "rfl_counters.h"
#include "rfl_hash.h"
#include "rfl_pattern.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>


#define MAP_SIZE      ((size_t) 256 << 20)
#define NOW           1700000000u

#define MANY_LINKS    50000

/* Three runs of slots in bulk, of which a link of a page has four. */

#define BULK_LINKS    200000

#define MODEL_LINKS   256
#define MODEL_NAMES   512
#define MODEL_TEXT    160


/* Tables in the order of rfl_registry.h. */

enum { META = 0, RECORDS, KEYS, SOURCES, SLOTS, MEMBERS };


typedef struct {
    char             root[64];
    rfl_registry_t  *registry;
    rfl_error_t      err;
    uint64_t         clicks;             /* what any group has now */
} fixture_t;


typedef struct {
    rfl_match_type_t  type;
    const char       *source;
    const char       *target;
} spec_t;


typedef struct {
    spec_t            link;
    rfl_slot_kind_t   kind;
    const char       *a;
    const char       *b;
    unsigned          has_target;
} slot_row_t;


/* One slot as the header describes it: a kind and a text. */

typedef struct {
    rfl_slot_kind_t   kind;
    char              a[MODEL_TEXT];
    char              b[MODEL_TEXT];
    uint32_t          group_id;          /* once it had a group */
    unsigned          members;
    unsigned char     has_row[MODEL_LINKS];
    uint64_t          row[MODEL_LINKS];
} model_name_t;


typedef struct {
    char              source[MODEL_TEXT];
    char              target[MODEL_TEXT];
    char              canonical[MODEL_TEXT];     /* target */
    char              host[MODEL_TEXT];
    char              sorted_by[MODEL_TEXT];
    const char       *tag;
    rfl_match_type_t  type;
    uint64_t          key;
    unsigned          segments;
    unsigned          target_has_host;
    unsigned          target_has_query;
    unsigned          names[5];
    unsigned          nnames;
    unsigned          source_names;      /* without those of the tag */
    uint32_t          id;                /* 0: never registered */
    uint32_t          revision;
    unsigned          registered;
} model_link_t;


typedef struct {
    model_link_t      links[MODEL_LINKS];
    unsigned          nlinks;
    model_name_t      names[MODEL_NAMES];
    unsigned          nnames;
    uint32_t          max_id;
} model_t;


static const slot_row_t  slot_rows[] = {
    { { RFL_MATCH_EXACT, "https://www.blog.example/2024/post/", "/pricing" },
      RFL_SLOT_PAGE, "example,blog)/2024/post", "", 1 },
    { { RFL_MATCH_EXACT, "https://www.blog.example/2024/post/", "/pricing" },
      RFL_SLOT_PAGE_TARGET, "example,blog)/2024/post", "/pricing", 1 },
    { { RFL_MATCH_EXACT, "https://www.blog.example/2024/post/", "/pricing" },
      RFL_SLOT_LANDING, "example,blog", "/pricing", 1 },
    { { RFL_MATCH_EXACT, "https://blog.example/", "" },
      RFL_SLOT_PAGE, "example,blog)/", "", 0 },
    { { RFL_MATCH_EXACT, "https://blog.example/", "" },
      RFL_SLOT_PAGE_TARGET, "example,blog)/", "", 0 },
    { { RFL_MATCH_EXACT, "https://blog.example/", "" },
      RFL_SLOT_BLANK, "example,blog", "", 0 },
    { { RFL_MATCH_PREFIX, "https://blog.example/a/b", "/t?q=1" },
      RFL_SLOT_PREFIX, "example,blog)/a/b", "", 1 },
    { { RFL_MATCH_PREFIX, "https://blog.example/a/b", "/t?q=1" },
      RFL_SLOT_PREFIX_TARGET, "example,blog)/a/b", "/t?q=1", 1 },
    { { RFL_MATCH_PREFIX, "https://blog.example/a/b", "/t?q=1" },
      RFL_SLOT_LANDING, "example,blog", "/t?q=1", 1 },
    { { RFL_MATCH_PREFIX, "https://blog.example/", "" },
      RFL_SLOT_BLANK, "example,blog", "", 0 },
    { { RFL_MATCH_HOST, "news.example", "" },
      RFL_SLOT_HOST, "example,news", "", 0 },
    { { RFL_MATCH_HOST, "news.example", "/t" },
      RFL_SLOT_HOST, "example,news", "", 1 },
    { { RFL_MATCH_HOST, "news.example", "/t" },
      RFL_SLOT_HOST_TARGET, "example,news", "/t", 1 },
    { { RFL_MATCH_DOMAIN, "example.org", "" },
      RFL_SLOT_DOMAIN, "org,example", "", 0 },
    { { RFL_MATCH_DOMAIN, "example.org", "https://shop.example/t" },
      RFL_SLOT_DOMAIN_TARGET, "org,example", "example,shop)/t", 1 },
    { { RFL_MATCH_REGEX, "https://www.blog.example/20\\d\\d/", "" },
      RFL_SLOT_PATTERN, "example,blog)/20\\d\\d/", "", 0 },
    { { RFL_MATCH_REGEX, "https://www.blog.example/20\\d\\d/", "/t" },
      RFL_SLOT_PATTERN_TARGET, "example,blog)/20\\d\\d/", "/t", 1 },
    { { RFL_MATCH_REGEX, "https://www.blog.example/20\\d\\d/", "/t" },
      RFL_SLOT_LANDING, "example,blog", "/t", 1 },
    { { RFL_MATCH_REGEX, "https://www.blog.example/20\\d\\d/", "" },
      RFL_SLOT_BLANK, "example,blog", "", 0 }
};


static const char *const  model_hosts[] = {
    "a.example", "b.example", "sub.a.example"
};

static const char *const  model_targets[] = {
    "", "/t", "/t?q=1", "https://shop.example/t"
};

static const char *const  model_pages[] = { "/", "/p", "/p?x=1" };

static const char *const  model_prefixes[] = { "/", "/p/q" };

static const char *const  model_patterns[] = { "/p\\d+", "/[a-z]{3}$" };

static const char *const  model_tags[] = { "", "t1", "t2" };


static model_t   model, model_saved;
static int       model_in_bulk;          /* this transaction puts off */
static uint64_t  random_state;


static int
setup(void **state)
{
    fixture_t  *f;

    f = calloc(1, sizeof(fixture_t));
    if (f == NULL) {
        return -1;
    }

    strcpy(f->root, "/tmp/rfl-XXXXXX");

    if (mkdtemp(f->root) == NULL) {
        return -1;
    }

    if (rfl_registry_open(&f->registry, f->root, RFL_STORE_CREATE, MAP_SIZE,
                          &f->err) != RFL_OK)
    {
        print_error("%s\n", f->err.text);
        return -1;
    }

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    int         rc;
    char        command[128];
    fixture_t  *f;

    f = *state;

    rfl_registry_close(f->registry);

    snprintf(command, sizeof(command), "rm -rf %s", f->root);
    rc = system(command);

    free(f);

    return rc;
}


static void
reopen(fixture_t *f, unsigned flags)
{
    rfl_registry_close(f->registry);

    assert_int_equal(rfl_registry_open(&f->registry, f->root, flags, MAP_SIZE,
                                       &f->err), RFL_OK);
}


static void
begin(fixture_t *f, int write)
{
    assert_int_equal(rfl_registry_begin(f->registry, write, &f->err), RFL_OK);
}


static void
commit(fixture_t *f)
{
    assert_int_equal(rfl_registry_commit(f->registry, &f->err), RFL_OK);
}


static rfl_link_t
make_link(rfl_match_type_t type, const char *source, const char *target)
{
    rfl_link_t  link;

    memset(&link, 0, sizeof(link));

    link.match_type = type;
    link.source = rfl_cstr(source);
    link.target = rfl_cstr(target);

    return link;
}


static rfl_rc_t
add(fixture_t *f, rfl_match_type_t type, const char *source,
    const char *target, rfl_link_t *link)
{
    *link = make_link(type, source, target);

    return rfl_registry_add(f->registry, link, NOW, &f->err);
}


static rfl_link_t
must_add(fixture_t *f, rfl_match_type_t type, const char *source,
    const char *target)
{
    rfl_link_t  link;

    if (add(f, type, source, target, &link) != RFL_OK) {
        fail_msg("%s: %s", source, f->err.text);
    }

    return link;
}


static rfl_link_t
must_add_tagged(fixture_t *f, rfl_match_type_t type, const char *source,
    const char *target, const char *tag)
{
    rfl_link_t  link;

    link = make_link(type, source, target);
    link.tag = rfl_cstr(tag);

    if (rfl_registry_add(f->registry, &link, NOW, &f->err) != RFL_OK) {
        fail_msg("%s %s: %s", source, tag, f->err.text);
    }

    return link;
}


static rfl_rc_t
slot_of(fixture_t *f, rfl_slot_kind_t kind, const char *a, const char *b,
    rfl_slot_t *slot)
{
    return rfl_registry_slot(f->registry, kind, rfl_cstr(a), rfl_cstr(b),
                             slot);
}


static uint64_t
group_clicks(void *data, uint32_t id)
{
    fixture_t  *f;

    f = data;

    return f->clicks + id;
}


static void
a_new_registry_has_a_uuid_and_no_links(void **state)
{
    fixture_t            *f;
    rfl_link_t            link;
    rfl_registry_meta_t   meta, again;
    rfl_registry_place_t  place;

    f = *state;

    begin(f, 0);
    assert_int_equal(rfl_registry_meta(f->registry, &meta), RFL_OK);

    place.len = 0;
    assert_int_equal(rfl_registry_next_source(f->registry, &place, &link),
                     RFL_NOT_FOUND);
    assert_int_equal(rfl_registry_next_key(f->registry, 0, &link),
                     RFL_NOT_FOUND);
    assert_int_equal(rfl_registry_link(f->registry, 1, &link), RFL_NOT_FOUND);
    rfl_registry_end(f->registry);

    assert_int_equal(meta.links, 0);
    assert_int_equal(meta.groups, 0);
    assert_int_equal(meta.domain_links, 0);
    assert_int_equal(meta.next_id, 1);
    assert_true(meta.created > NOW);
    assert_int_equal(meta.uuid[6] & 0xf0, 0x40);
    assert_int_equal(meta.uuid[8] & 0xc0, 0x80);

    reopen(f, RFL_STORE_CREATE);

    begin(f, 0);
    assert_int_equal(rfl_registry_meta(f->registry, &again), RFL_OK);
    rfl_registry_end(f->registry);

    assert_memory_equal(&meta, &again, sizeof(meta));
}


static void
links_stand_in_the_slots_of_their_match_type(void **state)
{
    size_t             i;
    fixture_t         *f;
    rfl_link_t         link, found;
    rfl_slot_t         slot;
    const slot_row_t  *row;

    f = *state;

    for (i = 0; i < sizeof(slot_rows) / sizeof(slot_rows[0]); i++) {

        row = &slot_rows[i];

        begin(f, 1);
        link = must_add(f, row->link.type, row->link.source,
                        row->link.target);
        assert_int_equal(link.created, NOW);
        commit(f);

        begin(f, 0);
        assert_int_equal(slot_of(f, row->kind, row->a, row->b, &slot), RFL_OK);
        assert_int_equal(slot.id, link.id);
        assert_int_equal(slot.is_group, 0);
        assert_int_equal(slot.has_target, row->has_target);

        assert_int_equal(slot_of(f, row->kind, "none,at,all", row->b, &slot),
                         RFL_NOT_FOUND);

        assert_int_equal(rfl_registry_link(f->registry, link.id, &found),
                         RFL_OK);
        assert_int_equal(found.key, link.key);
        assert_int_equal(found.match_type, row->link.type);
        assert_true(rfl_str_eq(found.source, rfl_cstr(row->link.source)));

        assert_int_equal(rfl_registry_by_key(f->registry, link.key, &found),
                         RFL_OK);
        assert_int_equal(found.id, link.id);
        rfl_registry_end(f->registry);

        begin(f, 1);
        assert_int_equal(rfl_registry_remove(f->registry, link.key, &f->err),
                         RFL_OK);
        commit(f);

        begin(f, 0);
        assert_int_equal(slot_of(f, row->kind, row->a, row->b, &slot),
                         RFL_NOT_FOUND);
        assert_int_equal(rfl_registry_by_key(f->registry, link.key, &found),
                         RFL_NOT_FOUND);
        assert_int_equal(rfl_registry_link(f->registry, link.id, &found),
                         RFL_NOT_FOUND);
        rfl_registry_end(f->registry);
    }
}


static void
a_hosts_entry_tells_what_the_host_has(void **state)
{
    fixture_t   *f;
    rfl_link_t   links[4];
    rfl_slot_t   slot;

    f = *state;

    begin(f, 1);

    links[0] = must_add(f, RFL_MATCH_EXACT, "https://a.example/p", "/t");
    assert_int_equal(slot_of(f, RFL_SLOT_HOST, "example,a", "", &slot),
                     RFL_OK);
    assert_int_equal(slot.id, 0);
    assert_int_equal(slot.host_flags, RFL_HOST_PAGES|RFL_HOST_TARGETS);

    links[1] = must_add(f, RFL_MATCH_PREFIX, "https://a.example/x/y",
                        "https://shop.example/t?q=1");
    assert_int_equal(slot_of(f, RFL_SLOT_HOST, "example,a", "", &slot),
                     RFL_OK);
    assert_int_equal(slot.host_flags, RFL_HOST_PAGES|RFL_HOST_TARGETS
                                      |RFL_HOST_TARGET_HOSTS
                                      |RFL_HOST_TARGET_QUERIES
                                      |RFL_HOST_DEPTH(2));

    links[2] = must_add(f, RFL_MATCH_PREFIX, "https://a.example/"
                        "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", "");
    links[3] = must_add(f, RFL_MATCH_HOST, "a.example", "");
    assert_int_equal(slot_of(f, RFL_SLOT_HOST, "example,a", "", &slot),
                     RFL_OK);
    assert_int_equal(slot.id, links[3].id);
    assert_int_equal(slot.host_flags, RFL_HOST_PAGES|RFL_HOST_TARGETS
                                      |RFL_HOST_TARGET_HOSTS
                                      |RFL_HOST_TARGET_QUERIES
                                      |RFL_HOST_DEPTH(2)|RFL_HOST_DEPTH(16)
                                      |RFL_HOST_BLANKS);

    /* a domain link is none of the host's, a longer host is another one */

    (void) must_add(f, RFL_MATCH_DOMAIN, "a.example", "");
    (void) must_add(f, RFL_MATCH_EXACT, "https://b.a.example/p", "");

    assert_int_equal(rfl_registry_remove(f->registry, links[3].key, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_registry_remove(f->registry, links[0].key, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_registry_remove(f->registry, links[1].key, &f->err),
                     RFL_OK);

    assert_int_equal(slot_of(f, RFL_SLOT_HOST, "example,a", "", &slot),
                     RFL_OK);
    assert_int_equal(slot.id, 0);
    assert_true(slot.host_flags & RFL_HOST_DEPTH(16));

    assert_int_equal(rfl_registry_remove(f->registry, links[2].key, &f->err),
                     RFL_OK);
    assert_int_equal(slot_of(f, RFL_SLOT_HOST, "example,a", "", &slot),
                     RFL_NOT_FOUND);

    rfl_registry_end(f->registry);
}


static void
a_link_is_registered_once(void **state)
{
    fixture_t            *f;
    rfl_link_t            link, again;
    rfl_registry_meta_t   meta;

    f = *state;

    begin(f, 1);

    link = must_add(f, RFL_MATCH_EXACT, "https://a.example/p", "/t");
    assert_int_equal(link.revision, 1);

    assert_int_equal(add(f, RFL_MATCH_EXACT, "http://www.A.example:80/p/",
                         "/t", &again), RFL_EXISTS);
    assert_int_equal(again.key, link.key);
    assert_int_equal(again.id, link.id);
    assert_non_null(strstr(f->err.text, "registered already"));

    assert_int_equal(rfl_registry_meta(f->registry, &meta), RFL_OK);
    assert_int_equal(meta.links, 1);
    assert_int_equal(meta.next_id, 2);

    assert_int_equal(add(f, RFL_MATCH_EXACT, "https://a b/", "", &again),
                     RFL_INVALID);
    commit(f);                           /* a refused link spoils nothing */

    begin(f, 0);
    assert_int_equal(rfl_registry_by_key(f->registry, link.key, &again),
                     RFL_OK);
    rfl_registry_end(f->registry);
}


static void
two_links_form_a_group_and_the_last_one_gets_its_slot_back(void **state)
{
    size_t             n;
    uint32_t           group_id;
    fixture_t         *f;
    rfl_link_t         links[3], found;
    rfl_slot_t         slot;
    rfl_group_t        group;
    rfl_membership_t   in[RFL_LINK_GROUPS_MAX];

    f = *state;
    rfl_registry_set_clicks(f->registry, group_clicks, f);

    begin(f, 1);

    f->clicks = 1000;
    links[0] = must_add(f, RFL_MATCH_EXACT, "https://a.example/1", "/t");
    links[1] = must_add(f, RFL_MATCH_EXACT, "https://a.example/2", "/t");

    assert_int_equal(slot_of(f, RFL_SLOT_LANDING, "example,a", "/t", &slot),
                     RFL_OK);
    assert_int_equal(slot.is_group, 1);
    assert_int_equal(slot.has_target, 0);
    assert_int_not_equal(slot.id, links[0].id);
    assert_int_not_equal(slot.id, links[1].id);
    group_id = slot.id;

    assert_int_equal(rfl_registry_group(f->registry, group_id, &group),
                     RFL_OK);
    assert_int_equal(group.id, group_id);
    assert_int_equal(group.kind, RFL_SLOT_LANDING);
    assert_int_equal(group.links, 2);
    assert_true(rfl_str_eq(group.text, rfl_cstr("example,a\n/t")));

    /* a group is no link */

    assert_int_equal(rfl_registry_link(f->registry, group_id, &found),
                     RFL_NOT_FOUND);
    assert_int_equal(rfl_registry_by_key(f->registry, group.key, &found),
                     RFL_NOT_FOUND);
    assert_int_equal(rfl_registry_group(f->registry, links[0].id, &group),
                     RFL_NOT_FOUND);

    f->clicks = 2000;
    links[2] = must_add(f, RFL_MATCH_PREFIX, "https://a.example/3", "/t");

    assert_int_equal(slot_of(f, RFL_SLOT_LANDING, "example,a", "/t", &slot),
                     RFL_OK);
    assert_int_equal(slot.id, group_id);

    assert_int_equal(rfl_registry_groups(f->registry, &links[2], in, &n),
                     RFL_OK);
    assert_int_equal(n, 1);
    assert_int_equal(in[0].group.id, group_id);
    assert_int_equal(in[0].group.links, 3);
    assert_int_equal(in[0].clicks_at_join, 2000 + group_id);

    /* the pages themselves are told apart */

    assert_int_equal(slot_of(f, RFL_SLOT_PAGE, "example,a)/2", "", &slot),
                     RFL_OK);
    assert_int_equal(slot.id, links[1].id);
    assert_int_equal(slot.is_group, 0);

    assert_int_equal(rfl_registry_remove(f->registry, links[0].key, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_registry_remove(f->registry, links[2].key, &f->err),
                     RFL_OK);

    assert_int_equal(slot_of(f, RFL_SLOT_LANDING, "example,a", "/t", &slot),
                     RFL_OK);
    assert_int_equal(slot.id, links[1].id);
    assert_int_equal(slot.is_group, 0);
    assert_int_equal(slot.has_target, 1);

    assert_int_equal(rfl_registry_group(f->registry, group_id, &group),
                     RFL_OK);
    assert_int_equal(group.links, 1);

    assert_int_equal(rfl_registry_groups(f->registry, &links[1], in, &n),
                     RFL_OK);
    assert_int_equal(n, 0);

    /* the group wakes up with its id; who stayed keeps what it joined at */

    f->clicks = 3000;
    links[0] = must_add(f, RFL_MATCH_EXACT, "https://a.example/1", "/t");

    assert_int_equal(slot_of(f, RFL_SLOT_LANDING, "example,a", "/t", &slot),
                     RFL_OK);
    assert_int_equal(slot.id, group_id);

    assert_int_equal(rfl_registry_groups(f->registry, &links[1], in, &n),
                     RFL_OK);
    assert_int_equal(n, 1);
    assert_int_equal(in[0].clicks_at_join, 1000 + group_id);

    assert_int_equal(rfl_registry_groups(f->registry, &links[0], in, &n),
                     RFL_OK);
    assert_int_equal(n, 1);
    assert_int_equal(in[0].clicks_at_join, 3000 + group_id);

    rfl_registry_end(f->registry);
}


static rfl_hash_t
hash_of(fixture_t *f, rfl_slot_kind_t kind, const char *a, const char *b)
{
    rfl_slot_name_t  name;

    name.kind = kind;
    name.a = rfl_cstr(a);
    name.b = rfl_cstr(b);

    return rfl_registry_slot_hash(&name);
}


/* Hosts whose names begin alike are hosts of their own. */

static void
a_hosts_slots_lie_side_by_side(void **state)
{
    size_t      i;
    fixture_t  *f;
    uint64_t    host;

    static const struct {
        rfl_slot_kind_t  kind;
        const char      *a;
        const char      *b;
        int              is_its;
    } rows[] = {
        { RFL_SLOT_HOST,        "example,blog",         "",   1 },
        { RFL_SLOT_PAGE,        "example,blog)/",       "",   1 },
        { RFL_SLOT_PAGE,        "example,blog)/a)b",    "",   1 },
        { RFL_SLOT_PAGE_TARGET, "example,blog)/a?b=c",  "/x", 1 },
        { RFL_SLOT_LANDING,     "example,blog",         "/x", 1 },
        { RFL_SLOT_LANDING,     "example,blog", "shop)/x",    1 },
        { RFL_SLOT_PATTERN,     "example,blog)/(a|b)$", "",   1 },
        { RFL_SLOT_PAGE,        "example,blog,www)/",   "",   0 },
        { RFL_SLOT_PAGE,        "example,blo)/",        "",   0 },
        { RFL_SLOT_TAG,         "blog",                 "",   0 }
    };

    f = *state;
    host = hash_of(f, RFL_SLOT_DOMAIN, "example,blog", "").low >> 40;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if ((hash_of(f, rows[i].kind, rows[i].a, rows[i].b).low >> 40 == host)
            != rows[i].is_its)
        {
            fail_msg("slot %zu", i);
        }
    }
}


static void
fifty_thousand_links_are_answered_by_one_entry(void **state)
{
    char                  source[64];
    unsigned              i;
    fixture_t            *f;
    rfl_str_t             value;
    rfl_hash_t            hash;
    rfl_link_t            link;
    rfl_slot_t            two, many;
    rfl_group_t           group;
    rfl_registry_meta_t   meta;

    f = *state;
    memset(&two, 0, sizeof(two));

    begin(f, 1);

    for (i = 0; i < MANY_LINKS; i++) {
        snprintf(source, sizeof(source), "https://big.example/page/%u", i);
        link = must_add(f, RFL_MATCH_EXACT, source, "/x");

        if (i == 1) {
            assert_int_equal(slot_of(f, RFL_SLOT_LANDING, "example,big", "/x",
                                     &two), RFL_OK);
        }
    }

    commit(f);
    begin(f, 0);

    assert_int_equal(slot_of(f, RFL_SLOT_LANDING, "example,big", "/x", &many),
                     RFL_OK);
    assert_int_equal(many.id, two.id);
    assert_int_equal(many.is_group, 1);

    assert_int_equal(rfl_registry_group(f->registry, many.id, &group), RFL_OK);
    assert_int_equal(group.links, MANY_LINKS);

    hash = hash_of(f, RFL_SLOT_LANDING, "example,big", "/x");
    assert_int_equal(rfl_store_get_u64(rfl_registry_store(f->registry), SLOTS,
                                       hash.low, &value), RFL_OK);
    assert_int_equal(value.len, 16);

    assert_int_equal(rfl_registry_meta(f->registry, &meta), RFL_OK);
    assert_int_equal(meta.links, MANY_LINKS);
    assert_int_equal(meta.groups, 1);
    assert_int_equal(meta.next_id, MANY_LINKS + 2);
    rfl_registry_end(f->registry);

    begin(f, 1);
    assert_int_equal(rfl_registry_remove(f->registry, link.key, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_registry_group(f->registry, many.id, &group), RFL_OK);
    assert_int_equal(group.links, MANY_LINKS - 1);
    rfl_registry_end(f->registry);
}


static void
a_retired_link_returns_with_its_id_and_key(void **state)
{
    fixture_t   *f;
    rfl_link_t   link, other, again;

    f = *state;

    begin(f, 1);
    link = must_add(f, RFL_MATCH_EXACT, "https://a.example/p", "/t");
    assert_int_equal(rfl_registry_remove(f->registry, link.key, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_registry_remove(f->registry, link.key, &f->err),
                     RFL_NOT_FOUND);
    commit(f);

    reopen(f, RFL_STORE_WRITE);

    begin(f, 1);
    other = must_add(f, RFL_MATCH_EXACT, "https://a.example/q", "/t");
    assert_int_equal(other.id, link.id + 1);

    again = must_add(f, RFL_MATCH_EXACT, "https://a.example/p", "/t");
    assert_int_equal(again.id, link.id);
    assert_int_equal(again.key, link.key);
    assert_true(again.revision > link.revision);
    commit(f);
}


static void
ids_start_at_the_floor_and_are_never_reused(void **state)
{
    fixture_t            *f;
    rfl_link_t            link;
    rfl_registry_meta_t   meta;

    f = *state;

    rfl_registry_set_floor(f->registry, 100);

    begin(f, 1);
    link = must_add(f, RFL_MATCH_HOST, "a.example", "");
    assert_int_equal(link.id, 100);
    rfl_registry_end(f->registry);       /* nothing of it stands */

    begin(f, 1);
    link = must_add(f, RFL_MATCH_HOST, "b.example", "");
    assert_int_equal(link.id, 100);
    assert_int_equal(rfl_registry_remove(f->registry, link.key, &f->err),
                     RFL_OK);
    commit(f);

    rfl_registry_set_floor(f->registry, 50);

    begin(f, 1);
    link = must_add(f, RFL_MATCH_HOST, "c.example", "");
    assert_int_equal(link.id, 101);
    commit(f);

    begin(f, 0);
    assert_int_equal(rfl_registry_meta(f->registry, &meta), RFL_OK);
    assert_int_equal(meta.next_id, 102);
    assert_int_equal(meta.links, 1);
    rfl_registry_end(f->registry);
}


static void
ids_end_below_the_counter_files_limit(void **state)
{
    fixture_t   *f;
    rfl_link_t   link;

    f = *state;

    /* one link may need five ids: its own and those of four groups */

    rfl_registry_set_floor(f->registry, RFL_COUNTERS_MAX_IDS - 5);

    begin(f, 1);
    link = must_add(f, RFL_MATCH_HOST, "a.example", "");
    assert_int_equal(link.id, RFL_COUNTERS_MAX_IDS - 5);
    assert_int_equal(add(f, RFL_MATCH_HOST, "b.example", "", &link), RFL_FULL);
    assert_non_null(strstr(f->err.text, "67108863"));
    rfl_registry_end(f->registry);

    /* a new tag may need two: also of a link that is there */

    begin(f, 1);
    link = must_add(f, RFL_MATCH_HOST, "a.example", "");
    link.note = rfl_cstr("note");
    assert_int_equal(rfl_registry_update(f->registry, &link, &f->err),
                     RFL_OK);
    link.tag = rfl_cstr("tag");
    assert_int_equal(rfl_registry_update(f->registry, &link, &f->err),
                     RFL_FULL);
    commit(f);                           /* a refused tag spoils nothing */

    rfl_registry_set_floor(f->registry, UINT32_MAX);

    begin(f, 1);
    assert_int_equal(add(f, RFL_MATCH_HOST, "b.example", "", &link), RFL_FULL);
    rfl_registry_end(f->registry);
}


static void
max_links_counts_registered_links(void **state)
{
    fixture_t   *f;
    rfl_link_t   first, link;

    f = *state;

    assert_int_equal(rfl_registry_set_directive(f->registry, 2,
                                                rfl_cstr(""), &f->err),
                     RFL_OK);

    begin(f, 1);
    first = must_add(f, RFL_MATCH_HOST, "a.example", "");
    (void) must_add(f, RFL_MATCH_HOST, "b.example", "");

    assert_int_equal(add(f, RFL_MATCH_HOST, "c.example", "", &link), RFL_FULL);
    assert_non_null(strstr(f->err.text, "max_links is 2"));

    /* what is there is there, limit or not */

    assert_int_equal(add(f, RFL_MATCH_HOST, "a.example", "", &link),
                     RFL_EXISTS);

    assert_int_equal(rfl_registry_remove(f->registry, first.key, &f->err),
                     RFL_OK);
    (void) must_add(f, RFL_MATCH_HOST, "c.example", "");
    assert_int_equal(add(f, RFL_MATCH_HOST, "a.example", "", &link), RFL_FULL);
    commit(f);
}


static void
a_followed_registry_says_which_file(void **state)
{
    uint64_t              before;
    fixture_t            *f;
    rfl_registry_meta_t   meta;

    f = *state;

    begin(f, 0);
    assert_int_equal(rfl_registry_may_edit(f->registry, &f->err), RFL_OK);
    assert_int_equal(rfl_registry_meta(f->registry, &meta), RFL_OK);
    assert_int_equal(meta.source, 0);
    rfl_registry_end(f->registry);

    assert_int_equal(rfl_registry_set_directive(f->registry, 7,
                                                rfl_cstr("/etc/links.csv"),
                                                &f->err),
                     RFL_OK);

    begin(f, 0);
    before = rfl_store_txn_id(rfl_registry_store(f->registry));
    assert_int_equal(rfl_registry_may_edit(f->registry, &f->err), RFL_DENIED);
    assert_non_null(strstr(f->err.text, "equal to /etc/links.csv: "));
    assert_int_equal(rfl_registry_meta(f->registry, &meta), RFL_OK);
    assert_int_equal(meta.max_links, 7);
    assert_int_equal(meta.source,
                     rfl_registry_source_hash(rfl_cstr("/etc/links.csv")));
    rfl_registry_end(f->registry);

    /* once more, and it is not written */

    assert_int_equal(rfl_registry_set_directive(f->registry, 7,
                                                rfl_cstr("/etc/links.csv"),
                                                &f->err),
                     RFL_OK);
    begin(f, 0);
    assert_int_equal(rfl_store_txn_id(rfl_registry_store(f->registry)),
                     before);
    rfl_registry_end(f->registry);

    assert_int_equal(rfl_registry_set_directive(f->registry, 7, rfl_cstr(""),
                                                &f->err),
                     RFL_OK);
    begin(f, 0);
    assert_int_equal(rfl_registry_may_edit(f->registry, &f->err), RFL_OK);
    rfl_registry_end(f->registry);
}


static void
update_changes_all_but_the_identity(void **state)
{
    fixture_t   *f;
    rfl_link_t   link, stored;

    f = *state;

    begin(f, 1);
    link = must_add(f, RFL_MATCH_EXACT, "https://a.example/p", "/t");
    commit(f);

    begin(f, 1);
    assert_int_equal(rfl_registry_by_key(f->registry, link.key, &stored),
                     RFL_OK);

    stored.name = rfl_cstr("new name");
    stored.source = rfl_cstr("https://evil.example/");
    stored.target = rfl_cstr("/other");
    stored.match_type = RFL_MATCH_HOST;
    stored.key = 5;
    stored.created = 1;

    assert_int_equal(rfl_registry_update(f->registry, &stored, &f->err),
                     RFL_OK);
    assert_int_equal(stored.revision, 2);
    assert_int_equal(stored.key, link.key);
    commit(f);

    begin(f, 1);
    assert_int_equal(rfl_registry_link(f->registry, link.id, &stored), RFL_OK);
    assert_true(rfl_str_eq(stored.name, rfl_cstr("new name")));
    assert_true(rfl_str_eq(stored.source, rfl_cstr("https://a.example/p")));
    assert_true(rfl_str_eq(stored.target, rfl_cstr("/t")));
    assert_int_equal(stored.match_type, RFL_MATCH_EXACT);
    assert_int_equal(stored.key, link.key);
    assert_int_equal(stored.created, NOW);
    assert_int_equal(stored.revision, 2);

    assert_int_equal(rfl_registry_remove(f->registry, link.key, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_registry_update(f->registry, &link, &f->err),
                     RFL_NOT_FOUND);
    commit(f);
}


static void
a_tag_link_is_found_by_its_tag_alone(void **state)
{
    fixture_t             *f;
    rfl_link_t             link, other, found;
    rfl_slot_t             slot;
    rfl_registry_place_t   place;

    f = *state;

    begin(f, 1);

    (void) must_add(f, RFL_MATCH_HOST, "0.example", "");
    link = must_add_tagged(f, RFL_MATCH_TAG, "", "", "partner42");

    assert_int_equal(slot_of(f, RFL_SLOT_TAG, "partner42", "", &slot), RFL_OK);
    assert_int_equal(slot.id, link.id);
    assert_int_equal(slot_of(f, RFL_SLOT_TAG_TARGET, "partner42", "", &slot),
                     RFL_OK);
    assert_int_equal(slot.id, link.id);
    assert_int_equal(slot_of(f, RFL_SLOT_TAG, "partner4", "", &slot),
                     RFL_NOT_FOUND);

    /* it is no host's, and stands before all hosts */

    assert_int_equal(slot_of(f, RFL_SLOT_HOST, "", "", &slot), RFL_NOT_FOUND);

    place.len = 0;
    assert_int_equal(rfl_registry_next_source(f->registry, &place, &found),
                     RFL_OK);
    assert_int_equal(found.id, link.id);

    other = make_link(RFL_MATCH_TAG, "", "");
    other.tag = rfl_cstr("partner42");
    assert_int_equal(rfl_registry_add(f->registry, &other, NOW, &f->err),
                     RFL_EXISTS);
    assert_non_null(strstr(f->err.text, "partner42"));

    /* its tag is its identity: updates do not change it */

    link.tag = rfl_cstr("other");
    link.note = rfl_cstr("note");
    assert_int_equal(rfl_registry_update(f->registry, &link, &f->err), RFL_OK);
    assert_int_equal(rfl_registry_link(f->registry, link.id, &found), RFL_OK);
    assert_true(rfl_str_eq(found.tag, rfl_cstr("partner42")));
    assert_true(rfl_str_eq(found.note, rfl_cstr("note")));
    assert_int_equal(slot_of(f, RFL_SLOT_TAG, "other", "", &slot),
                     RFL_NOT_FOUND);

    other = make_link(RFL_MATCH_TAG, "", "");
    assert_int_equal(rfl_registry_add(f->registry, &other, NOW, &f->err),
                     RFL_INVALID);

    assert_int_equal(rfl_registry_remove(f->registry, link.key, &f->err),
                     RFL_OK);
    assert_int_equal(slot_of(f, RFL_SLOT_TAG, "partner42", "", &slot),
                     RFL_NOT_FOUND);
    assert_int_equal(slot_of(f, RFL_SLOT_TAG_TARGET, "partner42", "", &slot),
                     RFL_NOT_FOUND);
    commit(f);
}


static void
links_that_share_a_tag_form_groups(void **state)
{
    size_t             n;
    fixture_t         *f;
    rfl_link_t         links[3];
    rfl_slot_t         tag, target;
    rfl_group_t        group;
    rfl_membership_t   in[RFL_LINK_GROUPS_MAX];

    f = *state;

    begin(f, 1);

    links[0] = must_add_tagged(f, RFL_MATCH_TAG, "", "/t", "x");
    links[1] = must_add_tagged(f, RFL_MATCH_EXACT, "https://a.example/p", "/t",
                               "x");
    links[2] = must_add_tagged(f, RFL_MATCH_DOMAIN, "b.example", "", "x");

    assert_int_equal(slot_of(f, RFL_SLOT_TAG, "x", "", &tag), RFL_OK);
    assert_int_equal(tag.is_group, 1);
    assert_int_equal(rfl_registry_group(f->registry, tag.id, &group), RFL_OK);
    assert_int_equal(group.links, 3);
    assert_true(rfl_str_eq(group.text, rfl_cstr("x")));

    assert_int_equal(slot_of(f, RFL_SLOT_TAG_TARGET, "x", "/t", &target),
                     RFL_OK);
    assert_int_equal(target.is_group, 1);
    assert_int_equal(rfl_registry_group(f->registry, target.id, &group),
                     RFL_OK);
    assert_int_equal(group.links, 2);
    assert_true(rfl_str_eq(group.text, rfl_cstr("x\n/t")));

    /* at most four: of the page, its target on the host, tag, its target */

    (void) must_add(f, RFL_MATCH_EXACT, "https://a.example/p", "");
    (void) must_add(f, RFL_MATCH_EXACT, "https://a.example/q", "/t");

    assert_int_equal(rfl_registry_groups(f->registry, &links[1], in, &n),
                     RFL_OK);
    assert_int_equal(n, RFL_LINK_GROUPS_MAX);
    assert_int_equal(in[2].group.id, tag.id);
    assert_int_equal(in[3].group.id, target.id);

    /* a link that changes its tag leaves, and takes both slots with it */

    links[1].tag = rfl_cstr("y");
    assert_int_equal(rfl_registry_update(f->registry, &links[1], &f->err),
                     RFL_OK);

    assert_int_equal(slot_of(f, RFL_SLOT_TAG, "x", "", &tag), RFL_OK);
    assert_int_equal(rfl_registry_group(f->registry, tag.id, &group), RFL_OK);
    assert_int_equal(group.links, 2);
    assert_int_equal(slot_of(f, RFL_SLOT_TAG_TARGET, "x", "/t", &target),
                     RFL_OK);
    assert_int_equal(target.is_group, 0);
    assert_int_equal(target.id, links[0].id);
    assert_int_equal(slot_of(f, RFL_SLOT_TAG, "y", "", &tag), RFL_OK);
    assert_int_equal(tag.id, links[1].id);
    assert_int_equal(slot_of(f, RFL_SLOT_TAG_TARGET, "y", "/t", &tag), RFL_OK);
    assert_int_equal(tag.id, links[1].id);

    links[1].tag = rfl_cstr("");
    assert_int_equal(rfl_registry_update(f->registry, &links[1], &f->err),
                     RFL_OK);
    assert_int_equal(slot_of(f, RFL_SLOT_TAG, "y", "", &tag), RFL_NOT_FOUND);

    /* a tag that is none changes nothing */

    links[1].tag = rfl_cstr("a b");
    assert_int_equal(rfl_registry_update(f->registry, &links[1], &f->err),
                     RFL_INVALID);
    assert_int_equal(slot_of(f, RFL_SLOT_TAG, "a b", "", &tag),
                     RFL_NOT_FOUND);
    commit(f);
}


static void
regex_links_of_a_host_are_listed_by_id(void **state)
{
    fixture_t           *f;
    rfl_str_t            host;
    rfl_link_t           links[3], again;
    rfl_slot_t           slot;
    rfl_registry_ids_t   ids;

    f = *state;
    host = rfl_cstr("example,a");

    begin(f, 1);
    assert_int_equal(rfl_registry_patterns(f->registry, host, &ids),
                     RFL_NOT_FOUND);

    links[0] = must_add(f, RFL_MATCH_REGEX, "a.example/1", "");
    links[1] = must_add(f, RFL_MATCH_REGEX, "www.a.example/2", "");
    (void) must_add(f, RFL_MATCH_REGEX, "b.example/1", "");
    (void) must_add(f, RFL_MATCH_EXACT, "a.example/1", "");
    links[2] = must_add(f, RFL_MATCH_REGEX, "https://a.example:8080/1", "/t");

    assert_int_equal(slot_of(f, RFL_SLOT_HOST, "example,a", "", &slot),
                     RFL_OK);
    assert_int_equal(slot.host_flags, RFL_HOST_REGEX|RFL_HOST_PAGES
                                      |RFL_HOST_BLANKS|RFL_HOST_TARGETS);

    assert_int_equal(rfl_registry_remove(f->registry, links[0].key, &f->err),
                     RFL_OK);
    commit(f);

    begin(f, 1);
    assert_int_equal(rfl_registry_patterns(f->registry, host, &ids), RFL_OK);
    assert_int_equal(ids.n, 2);
    assert_int_equal(rfl_registry_id(&ids, 0), links[1].id);
    assert_int_equal(rfl_registry_id(&ids, 1), links[2].id);

    /* who returns has its old place */

    again = must_add(f, RFL_MATCH_REGEX, "a.example/1", "");
    assert_int_equal(again.id, links[0].id);

    assert_int_equal(rfl_registry_patterns(f->registry, host, &ids), RFL_OK);
    assert_int_equal(ids.n, 3);
    assert_int_equal(rfl_registry_id(&ids, 0), links[0].id);
    assert_int_equal(rfl_registry_id(&ids, 2), links[2].id);
    commit(f);
}


static void
a_pattern_that_does_not_compile_is_refused_with_its_position(void **state)
{
    fixture_t            *f;
    rfl_link_t            link;
    rfl_registry_ids_t    ids;
    rfl_registry_meta_t   meta;

    f = *state;

    begin(f, 1);
    assert_int_equal(add(f, RFL_MATCH_REGEX, "a.example/(x", "", &link),
                     RFL_INVALID);
    assert_non_null(strstr(f->err.text, "source \"a.example/(x\": "));
    assert_non_null(strstr(f->err.text, "at byte 3: missing closing"));

    assert_int_equal(rfl_registry_patterns(f->registry, rfl_cstr("example,a"),
                                           &ids), RFL_NOT_FOUND);

    (void) must_add(f, RFL_MATCH_REGEX, "a.example/(x)", "");
    commit(f);                           /* a refused link spoils nothing */

    begin(f, 0);
    assert_int_equal(rfl_registry_meta(f->registry, &meta), RFL_OK);
    assert_int_equal(meta.links, 1);
    rfl_registry_end(f->registry);
}


static void
a_host_has_up_to_1000_regex_links(void **state)
{
    char                 source[64];
    unsigned             i;
    fixture_t           *f;
    rfl_link_t           link, first;
    rfl_registry_ids_t   ids;

    f = *state;

    begin(f, 1);
    first = must_add(f, RFL_MATCH_REGEX, "a.example/first", "");

    for (i = 1; i < RFL_PATTERNS_PER_HOST; i++) {
        snprintf(source, sizeof(source), "a.example/%u", i);
        (void) must_add(f, RFL_MATCH_REGEX, source, "");
    }

    assert_int_equal(add(f, RFL_MATCH_REGEX, "a.example/last", "", &link),
                     RFL_FULL);
    assert_non_null(strstr(f->err.text, "1000 regex links"));

    (void) must_add(f, RFL_MATCH_REGEX, "b.example/last", "");
    assert_int_equal(rfl_registry_remove(f->registry, first.key, &f->err),
                     RFL_OK);
    (void) must_add(f, RFL_MATCH_REGEX, "a.example/last", "");

    assert_int_equal(add(f, RFL_MATCH_REGEX, "a.example/first", "", &link),
                     RFL_FULL);
    commit(f);

    begin(f, 0);
    assert_int_equal(rfl_registry_patterns(f->registry, rfl_cstr("example,a"),
                                           &ids), RFL_OK);
    assert_int_equal(ids.n, RFL_PATTERNS_PER_HOST);
    rfl_registry_end(f->registry);
}


static void
writes_need_a_write_transaction(void **state)
{
    fixture_t   *f;
    rfl_link_t   link;

    f = *state;

    assert_int_equal(add(f, RFL_MATCH_HOST, "a.example", "", &link),
                     RFL_ERROR);

    begin(f, 0);
    assert_int_equal(add(f, RFL_MATCH_HOST, "a.example", "", &link),
                     RFL_ERROR);
    assert_int_equal(rfl_registry_update(f->registry, &link, &f->err),
                     RFL_ERROR);
    assert_int_equal(rfl_registry_remove(f->registry, 1, &f->err), RFL_ERROR);
    assert_int_equal(rfl_registry_commit(f->registry, &f->err), RFL_ERROR);
    rfl_registry_end(f->registry);

    /* a read inside a write nests, and sees what was written */

    begin(f, 1);
    link = must_add(f, RFL_MATCH_HOST, "a.example", "");
    begin(f, 0);
    assert_int_equal(rfl_registry_link(f->registry, link.id, &link), RFL_OK);
    assert_int_equal(rfl_registry_commit(f->registry, &f->err), RFL_ERROR);
    rfl_registry_end(f->registry);
    commit(f);
}


static void
a_change_that_failed_half_way_is_never_committed(void **state)
{
    char                  source[64];
    unsigned              i, committed;
    rfl_rc_t              rc;
    fixture_t            *f;
    rfl_link_t            link;
    rfl_registry_meta_t   meta;

    f = *state;

    rfl_registry_close(f->registry);
    assert_int_equal(rfl_registry_open(&f->registry, f->root, RFL_STORE_WRITE,
                                       512 * 1024, &f->err), RFL_OK);

    begin(f, 1);
    (void) must_add(f, RFL_MATCH_HOST, "a.example", "");
    commit(f);
    committed = 1;

    begin(f, 1);

    for (i = 0, rc = RFL_OK; i < 100000 && rc == RFL_OK; i++) {
        snprintf(source, sizeof(source), "https://a.example/%u", i);
        rc = add(f, RFL_MATCH_EXACT, source, "/t", &link);
    }

    assert_int_equal(rc, RFL_FULL);
    assert_non_null(strstr(f->err.text, "map_size"));

    assert_int_equal(add(f, RFL_MATCH_HOST, "b.example", "", &link), RFL_FULL);
    assert_int_equal(rfl_registry_commit(f->registry, &f->err), RFL_FULL);

    begin(f, 0);
    assert_int_equal(rfl_registry_meta(f->registry, &meta), RFL_OK);
    assert_int_equal(meta.links, committed);
    assert_int_equal(meta.next_id, 2);
    rfl_registry_end(f->registry);

    begin(f, 1);
    (void) must_add(f, RFL_MATCH_HOST, "b.example", "");
    commit(f);
}


static void
another_version_is_refused_and_both_are_named(void **state)
{
    uint32_t      version;
    fixture_t    *f;
    rfl_store_t  *store;

    f = *state;
    store = rfl_registry_store(f->registry);
    version = 7;

    assert_int_equal(rfl_store_begin(store, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put(store, META, rfl_cstr("version"),
                                   rfl_str(&version, 4), 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_commit(store, &f->err), RFL_OK);

    rfl_registry_close(f->registry);

    assert_int_equal(rfl_registry_open(&f->registry, f->root, RFL_STORE_READ,
                                       MAP_SIZE, &f->err), RFL_BAD_VERSION);
    assert_non_null(strstr(f->err.text, "version 7"));
    assert_non_null(strstr(f->err.text, "version 4"));
    assert_non_null(strstr(f->err.text, f->root));

    assert_int_equal(rfl_registry_open(&f->registry, f->root, RFL_STORE_CREATE,
                                       MAP_SIZE, &f->err), RFL_BAD_VERSION);
    assert_null(f->registry);
}


static void
opening_names_what_is_missing(void **state)
{
    char         path[PATH_MAX + 16];
    fixture_t   *f;

    f = *state;

    rfl_registry_close(f->registry);

    snprintf(path, sizeof(path), "%s/none", f->root);
    assert_int_equal(rfl_registry_open(&f->registry, path, RFL_STORE_READ,
                                       MAP_SIZE, &f->err), RFL_NOT_FOUND);

    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(rfl_registry_open(&f->registry, path, RFL_STORE_READ,
                                       MAP_SIZE, &f->err), RFL_INVALID);
}


/*
 * Another slot under the same low half: a foreign entry is laid there by
 * hand, as 2^64 tries would.
 */

static void
slots_with_one_low_half_are_told_apart(void **state)
{
    u_char        value[16];
    uint32_t      id;
    fixture_t    *f;
    rfl_str_t     stored;
    rfl_link_t    links[2];
    rfl_slot_t    slot;
    rfl_hash_t    hash, foreign;
    rfl_store_t  *store;

    f = *state;
    store = rfl_registry_store(f->registry);

    hash = hash_of(f, RFL_SLOT_PAGE, "example,a)/p", "");
    foreign.high = ~hash.high;
    id = 4711;

    memset(value, 0, sizeof(value));
    memcpy(value, &foreign.high, 8);
    memcpy(value + 8, &id, 4);

    begin(f, 1);
    assert_int_equal(rfl_store_put_u64(store, SLOTS, hash.low,
                                       rfl_str(value, 16), 0, &f->err),
                     RFL_OK);

    assert_int_equal(slot_of(f, RFL_SLOT_PAGE, "example,a)/p", "", &slot),
                     RFL_NOT_FOUND);

    links[0] = must_add(f, RFL_MATCH_EXACT, "https://a.example/p", "/1");
    assert_int_equal(slot_of(f, RFL_SLOT_PAGE, "example,a)/p", "", &slot),
                     RFL_OK);
    assert_int_equal(slot.id, links[0].id);

    links[1] = must_add(f, RFL_MATCH_EXACT, "https://a.example/p", "/2");
    assert_int_equal(slot_of(f, RFL_SLOT_PAGE, "example,a)/p", "", &slot),
                     RFL_OK);
    assert_int_equal(slot.is_group, 1);

    assert_int_equal(rfl_store_get_u64(store, SLOTS, hash.low, &stored),
                     RFL_OK);
    assert_int_equal(stored.len, 32);

    assert_int_equal(rfl_registry_remove(f->registry, links[0].key, &f->err),
                     RFL_OK);
    assert_int_equal(slot_of(f, RFL_SLOT_PAGE, "example,a)/p", "", &slot),
                     RFL_OK);
    assert_int_equal(slot.id, links[1].id);

    assert_int_equal(rfl_registry_remove(f->registry, links[1].key, &f->err),
                     RFL_OK);
    assert_int_equal(slot_of(f, RFL_SLOT_PAGE, "example,a)/p", "", &slot),
                     RFL_NOT_FOUND);

    assert_int_equal(rfl_store_get_u64(store, SLOTS, hash.low, &stored),
                     RFL_OK);
    assert_int_equal(stored.len, 16);
    assert_memory_equal(stored.data, value, 16);

    rfl_registry_end(f->registry);
}


static void
assert_bounds(fixture_t *f, const char *host, uint64_t bits, size_t source,
    size_t target)
{
    rfl_slot_t    slot;
    rfl_bounds_t  bounds;

    assert_int_equal(rfl_registry_find_host(f->registry,
                                            hash_of(f, RFL_SLOT_HOST, host,
                                                    ""),
                                            &slot, &bounds), RFL_OK);
    assert_int_equal(bounds.bits, bits);
    assert_int_equal(bounds.source, source);
    assert_int_equal(bounds.target, target);
}


static uint64_t
bits_of_page(fixture_t *f, const char *host, const char *page,
    const char *target)
{
    return rfl_slot_bit(hash_of(f, RFL_SLOT_PAGE, page, ""))
           | rfl_slot_bit(hash_of(f, RFL_SLOT_PAGE_TARGET, page, target))
           | rfl_slot_bit(target[0] != '\0'
                          ? hash_of(f, RFL_SLOT_LANDING, host, target)
                          : hash_of(f, RFL_SLOT_BLANK, host, ""));
}


/* Added one by one, then in bulk. */

static void
a_host_knows_what_its_pages_have(void **state)
{
    unsigned     bulk;
    uint64_t     long_one, short_one, none;
    fixture_t   *f;
    rfl_link_t   page, other, host;

    f = *state;

    long_one = bits_of_page(f, "example,a", "example,a)/long?q=1", "/t");
    short_one = bits_of_page(f, "example,a", "example,a)/s",
                             "shop)/target?x=2");
    none = UINT64_MAX;

    begin(f, 1);

    for (bulk = 0; bulk < 2; bulk++) {

        if (bulk) {
            assert_int_equal(rfl_registry_bulk(f->registry, &f->err), RFL_OK);
        }

        host = must_add(f, RFL_MATCH_HOST, "a.example", "/whatever/it/is");
        assert_int_equal(rfl_registry_settle(f->registry, &f->err), RFL_OK);
        assert_bounds(f, "example,a", none, UINT16_MAX, UINT16_MAX);

        page = must_add(f, RFL_MATCH_EXACT, "https://a.example/long?q=1",
                        "/t");
        assert_int_equal(rfl_registry_settle(f->registry, &f->err), RFL_OK);
        assert_bounds(f, "example,a", long_one, 19, 2);

        other = must_add(f, RFL_MATCH_EXACT, "https://a.example/s",
                         "https://shop/target?x=2");
        assert_int_equal(rfl_registry_settle(f->registry, &f->err), RFL_OK);
        assert_bounds(f, "example,a", long_one | short_one, 19, 16);

        commit(f);
        begin(f, 1);

        /* they keep what they had until the host itself is gone */

        assert_int_equal(rfl_registry_remove(f->registry, page.key, &f->err),
                         RFL_OK);
        assert_int_equal(rfl_registry_remove(f->registry, host.key, &f->err),
                         RFL_OK);
        assert_bounds(f, "example,a", long_one | short_one, 19, 16);

        assert_int_equal(rfl_registry_remove(f->registry, other.key, &f->err),
                         RFL_OK);
        other = must_add(f, RFL_MATCH_EXACT, "https://a.example/s",
                         "https://shop/target?x=2");
        assert_bounds(f, "example,a", short_one, 12, 16);

        assert_int_equal(rfl_registry_remove(f->registry, other.key, &f->err),
                         RFL_OK);
    }

    rfl_registry_end(f->registry);
}


/* Another host in the same row keeps its entry, and its bounds behind it. */

static void
hosts_that_share_a_low_half_keep_their_bounds(void **state)
{
    u_char       value[32];
    unsigned     bulk;
    uint64_t     bits, high;
    uint32_t     info;
    fixture_t   *f;
    rfl_str_t    stored;
    rfl_hash_t   hash;
    rfl_link_t   page, host;
    rfl_store_t *store;

    f = *state;
    store = rfl_registry_store(f->registry);

    hash = hash_of(f, RFL_SLOT_HOST, "example,a", "");
    bits = bits_of_page(f, "example,a", "example,a)/p", "/t");

    /* its bounds look like the entry that is looked for */

    memset(value, 0, sizeof(value));
    high = ~hash.high;
    info = RFL_SLOT_HOST << RFL_SLOT_KIND_SHIFT | RFL_HOST_PAGES;
    memcpy(value, &high, 8);
    memcpy(value + 12, &info, 4);
    info = (uint32_t) RFL_SLOT_BOUNDS << RFL_SLOT_KIND_SHIFT;
    memcpy(value + 16, &hash.high, 8);
    memcpy(value + 28, &info, 4);

    begin(f, 1);
    assert_int_equal(rfl_store_put_u64(store, SLOTS, hash.low,
                                       rfl_str(value, 32), 0, &f->err),
                     RFL_OK);

    for (bulk = 0; bulk < 2; bulk++) {

        if (bulk) {
            assert_int_equal(rfl_registry_bulk(f->registry, &f->err), RFL_OK);
        }

        page = must_add(f, RFL_MATCH_EXACT, "https://a.example/p", "/t");
        assert_int_equal(rfl_registry_settle(f->registry, &f->err), RFL_OK);
        assert_bounds(f, "example,a", bits, 12, 2);

        host = must_add(f, RFL_MATCH_HOST, "a.example", "");

        commit(f);
        begin(f, 1);

        assert_bounds(f, "example,a", bits, 12, 2);

        assert_int_equal(rfl_store_get_u64(store, SLOTS, hash.low, &stored),
                         RFL_OK);
        assert_int_equal(stored.len, 64);
        assert_memory_equal(stored.data, value, 32);

        assert_int_equal(rfl_registry_remove(f->registry, host.key, &f->err),
                         RFL_OK);
        assert_int_equal(rfl_registry_remove(f->registry, page.key, &f->err),
                         RFL_OK);

        assert_int_equal(rfl_store_get_u64(store, SLOTS, hash.low, &stored),
                         RFL_OK);
        assert_int_equal(stored.len, 32);
        assert_memory_equal(stored.data, value, 32);
    }

    rfl_registry_end(f->registry);
}


static void
a_key_of_another_link_is_refused(void **state)
{
    u_char        value[5];
    uint64_t      key;
    fixture_t    *f;
    rfl_link_t    link, other;
    rfl_store_t  *store;

    f = *state;
    store = rfl_registry_store(f->registry);

    begin(f, 1);

    link = must_add(f, RFL_MATCH_HOST, "a.example", "");
    key = must_add(f, RFL_MATCH_HOST, "b.example", "").key;

    memcpy(value, &link.id, 4);
    value[4] = 1;

    assert_int_equal(rfl_store_put_u64(store, KEYS, key, rfl_str(value, 5), 0,
                                       &f->err), RFL_OK);

    assert_int_equal(add(f, RFL_MATCH_HOST, "b.example", "", &other),
                     RFL_INVALID);
    assert_non_null(strstr(f->err.text, "b.example"));
    assert_non_null(strstr(f->err.text, "a.example"));

    /* nor may it be a group's */

    value[4] = 3;
    assert_int_equal(rfl_store_put_u64(store, KEYS, key, rfl_str(value, 5), 0,
                                       &f->err), RFL_OK);
    assert_int_equal(add(f, RFL_MATCH_HOST, "b.example", "", &other),
                     RFL_INVALID);
    assert_non_null(strstr(f->err.text, "group"));

    rfl_registry_end(f->registry);
}


/* A link's key where the group's would be: the group takes the next one. */

static void
a_group_whose_key_is_taken_takes_the_next(void **state)
{
    u_char        value[5];
    uint64_t      key;
    fixture_t    *f;
    rfl_link_t    links[2];
    rfl_slot_t    slot;
    rfl_group_t   group;
    rfl_store_t  *store;

    static const char  text[] = "group" "\x01" "example,a";

    f = *state;
    store = rfl_registry_store(f->registry);
    key = rfl_hash(text, sizeof(text) - 1).low;

    begin(f, 1);

    links[0] = must_add(f, RFL_MATCH_HOST, "a.example", "");

    memcpy(value, &links[0].id, 4);
    value[4] = 1;
    assert_int_equal(rfl_store_put_u64(store, KEYS, key, rfl_str(value, 5), 0,
                                       &f->err), RFL_OK);

    links[1] = must_add(f, RFL_MATCH_HOST, "a.example", "/t");

    assert_int_equal(slot_of(f, RFL_SLOT_HOST, "example,a", "", &slot),
                     RFL_OK);
    assert_int_equal(slot.is_group, 1);
    assert_int_equal(rfl_registry_group(f->registry, slot.id, &group), RFL_OK);
    assert_int_equal(group.key, key + 1);

    /* and is found there again */

    assert_int_equal(rfl_registry_remove(f->registry, links[1].key, &f->err),
                     RFL_OK);
    (void) must_add(f, RFL_MATCH_HOST, "a.example", "/t");
    assert_int_equal(slot_of(f, RFL_SLOT_HOST, "example,a", "", &slot),
                     RFL_OK);
    assert_int_equal(slot.id, group.id);

    rfl_registry_end(f->registry);
}


static void
a_key_prefix_names_one_link_only(void **state)
{
    char         source[64];
    u_char       hex[RFL_KEY_LEN + 1];
    unsigned     i;
    fixture_t   *f;
    rfl_link_t   first, link;

    f = *state;

    begin(f, 1);

    first = must_add(f, RFL_MATCH_HOST, "a.example", "");
    rfl_key_text(first.key, hex);

    assert_int_equal(rfl_registry_by_prefix(f->registry, rfl_str(hex, 1),
                                            &link, &f->err), RFL_OK);
    assert_int_equal(link.id, first.id);
    assert_int_equal(rfl_registry_by_prefix(f->registry,
                                            rfl_str(hex, RFL_KEY_LEN), &link,
                                            &f->err), RFL_OK);
    assert_int_equal(link.id, first.id);

    /* with 17 links two share a first digit; add until first's is shared */

    for (i = 0; i < 1000; i++) {
        snprintf(source, sizeof(source), "h%u.example", i);
        link = must_add(f, RFL_MATCH_HOST, source, "");

        if (link.key >> 60 == first.key >> 60) {
            break;
        }
    }

    assert_int_equal(rfl_registry_by_prefix(f->registry, rfl_str(hex, 1),
                                            &link, &f->err), RFL_INVALID);
    assert_non_null(strstr(f->err.text, "several"));
    assert_int_equal(rfl_registry_by_prefix(f->registry,
                                            rfl_str(hex, RFL_KEY_LEN), &link,
                                            &f->err), RFL_OK);
    assert_int_equal(link.id, first.id);

    /* a retired link is out of the way */

    assert_int_equal(rfl_registry_remove(f->registry, first.key, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_registry_by_prefix(f->registry, rfl_str(hex, 1),
                                            &link, &f->err), RFL_OK);
    assert_int_not_equal(link.id, first.id);
    assert_int_equal(rfl_registry_by_prefix(f->registry,
                                            rfl_str(hex, RFL_KEY_LEN), &link,
                                            &f->err), RFL_INVALID);
    assert_non_null(strstr(f->err.text, "no link"));

    assert_int_equal(rfl_registry_by_prefix(f->registry, rfl_cstr(""), &link,
                                            &f->err), RFL_INVALID);
    assert_int_equal(rfl_registry_by_prefix(f->registry, rfl_cstr("xyz"),
                                            &link, &f->err), RFL_INVALID);
    assert_int_equal(rfl_registry_by_prefix(f->registry,
                                            rfl_cstr("00000000000000000"),
                                            &link, &f->err), RFL_INVALID);
    rfl_registry_end(f->registry);
}


/* Gives the link another key, in its record too where record is set. */

static void
forge_key(fixture_t *f, const rfl_link_t *link, uint64_t key, int record)
{
    u_char        value[5], bytes[RFL_LINK_RECORD_MAX], *p;
    rfl_str_t     stored;
    rfl_store_t  *store;

    store = rfl_registry_store(f->registry);

    memcpy(value, &link->id, 4);
    value[4] = 1;

    assert_int_equal(rfl_store_put_u64(store, KEYS, key, rfl_str(value, 5), 0,
                                       &f->err), RFL_OK);

    if (!record) {
        return;
    }

    assert_int_equal(rfl_store_get_u32(store, RECORDS, link->id,
                                       &stored), RFL_OK);
    memcpy(bytes, stored.data, stored.len);

    p = memmem(bytes, stored.len, &link->key, 8);
    assert_non_null(p);
    memcpy(p, &key, 8);

    assert_int_equal(rfl_store_put_u32(store, RECORDS, link->id,
                                       rfl_str(bytes, stored.len), 0, &f->err),
                     RFL_OK);
}


static void
the_highest_key_is_found_and_ends_the_walk(void **state)
{
    fixture_t   *f;
    rfl_link_t   link, found;

    f = *state;

    begin(f, 1);

    link = must_add(f, RFL_MATCH_HOST, "a.example", "");
    forge_key(f, &link, UINT64_MAX, 1);

    assert_int_equal(rfl_registry_next_key(f->registry, UINT64_MAX, &found),
                     RFL_OK);
    assert_int_equal(found.id, link.id);

    rfl_registry_end(f->registry);
}


/* A walk by keys would come back to the lower one, for ever. */

static void
a_key_that_leads_to_a_link_of_another_key_is_damage(void **state)
{
    fixture_t   *f;
    rfl_link_t   link, found;

    f = *state;

    begin(f, 1);

    link = must_add(f, RFL_MATCH_HOST, "a.example", "");
    forge_key(f, &link, link.key + 1, 0);

    assert_int_equal(rfl_registry_by_key(f->registry, link.key, &found),
                     RFL_OK);
    assert_int_equal(rfl_registry_by_key(f->registry, link.key + 1, &found),
                     RFL_DAMAGED);
    assert_int_equal(rfl_registry_next_key(f->registry, link.key + 1, &found),
                     RFL_DAMAGED);

    /* so is one that leads to none */

    assert_int_equal(rfl_store_del_u32(rfl_registry_store(f->registry),
                                       RECORDS, link.id, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_registry_by_key(f->registry, link.key, &found),
                     RFL_DAMAGED);
    assert_int_equal(rfl_registry_next_key(f->registry, 0, &found),
                     RFL_DAMAGED);

    rfl_registry_end(f->registry);
}


static void
sources_longer_than_a_key_are_cut_and_stay_apart(void **state)
{
    char                   source[700];
    size_t                 i, n;
    fixture_t             *f;
    rfl_link_t             links[4], link;
    rfl_slot_t             slot;
    rfl_registry_place_t   place;

    /* SURT lengths about the limit of 506: "example,a)" and the path */

    static const size_t  lengths[] = { 505, 506, 507, 600 };

    f = *state;

    begin(f, 1);

    for (i = 0; i < 4; i++) {
        n = (size_t) snprintf(source, sizeof(source), "https://a.example/");
        memset(source + n, 'p', sizeof(source) - n);
        source[n + lengths[i] - sizeof("example,a)/") + 1] = '\0';

        links[i] = must_add(f, RFL_MATCH_EXACT, source, "/t");
    }

    place.len = 0;

    for (i = 0; i < 4; i++) {
        assert_int_equal(rfl_registry_next_source(f->registry, &place, &link),
                         RFL_OK);
        assert_in_range(place.len, 1, RFL_STORE_KEY_MAX);
    }

    assert_int_equal(rfl_registry_next_source(f->registry, &place, &link),
                     RFL_NOT_FOUND);

    for (i = 0; i < 4; i++) {
        assert_int_equal(rfl_registry_remove(f->registry, links[i].key,
                                             &f->err), RFL_OK);
    }

    assert_int_equal(slot_of(f, RFL_SLOT_HOST, "example,a", "", &slot),
                     RFL_NOT_FOUND);

    place.len = 0;
    assert_int_equal(rfl_registry_next_source(f->registry, &place, &link),
                     RFL_NOT_FOUND);
    rfl_registry_end(f->registry);
}


static int
child_registers(fixture_t *f, int in, int out)
{
    char        c;
    rfl_link_t  link;

    if (rfl_registry_open(&f->registry, f->root, RFL_STORE_WRITE, MAP_SIZE,
                          &f->err) != RFL_OK
        || read(in, &c, 1) != 1
        || rfl_registry_begin(f->registry, 1, &f->err) != RFL_OK
        || add(f, RFL_MATCH_DOMAIN, "a.example", "", &link) != RFL_OK
        || rfl_registry_commit(f->registry, &f->err) != RFL_OK)
    {
        return 1;
    }

    rfl_registry_close(f->registry);

    return write(out, "x", 1) == 1 && read(in, &c, 1) == 0 ? 0 : 2;
}


static void
a_reader_sees_what_another_process_commits(void **state)
{
    int                   to[2], from[2], status;
    char                  c;
    pid_t                 pid;
    fixture_t            *f;
    rfl_slot_t            slot;
    rfl_registry_meta_t   meta;

    f = *state;

    rfl_registry_close(f->registry);
    f->registry = NULL;

    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        close(to[1]);
        close(from[0]);
        _exit(child_registers(f, to[0], from[1]));
    }

    close(to[0]);
    close(from[1]);

    assert_int_equal(rfl_registry_open(&f->registry, f->root, RFL_STORE_READ,
                                       MAP_SIZE, &f->err), RFL_OK);

    begin(f, 0);
    assert_int_equal(rfl_registry_meta(f->registry, &meta), RFL_OK);
    assert_int_equal(meta.domain_links, 0);

    assert_int_equal(write(to[1], "x", 1), 1);
    assert_int_equal(read(from[0], &c, 1), 1);

    /* the snapshot is one, meta data and slots alike */

    assert_int_equal(rfl_registry_meta(f->registry, &meta), RFL_OK);
    assert_int_equal(meta.domain_links, 0);
    assert_int_equal(slot_of(f, RFL_SLOT_DOMAIN, "example,a", "", &slot),
                     RFL_NOT_FOUND);
    rfl_registry_end(f->registry);

    begin(f, 0);
    assert_int_equal(rfl_registry_meta(f->registry, &meta), RFL_OK);
    assert_int_equal(meta.domain_links, 1);
    assert_int_equal(slot_of(f, RFL_SLOT_DOMAIN, "example,a", "", &slot),
                     RFL_OK);
    rfl_registry_end(f->registry);

    close(to[1]);
    close(from[0]);

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}


/* The naive model. */

static uint32_t
random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;

    return (uint32_t) ((random_state >> 11) % limit);
}


static void
copy_text(char *out, const void *data, size_t len)
{
    assert_in_range(len, 0, MODEL_TEXT - 1);
    memcpy(out, data, len);
    out[len] = '\0';
}


static unsigned
model_name(rfl_slot_kind_t kind, const char *a, const char *b)
{
    unsigned       i;
    model_name_t  *name;

    for (i = 0; i < model.nnames; i++) {
        name = &model.names[i];

        if (name->kind == kind && strcmp(name->a, a) == 0
            && strcmp(name->b, b) == 0)
        {
            return i;
        }
    }

    assert_in_range(model.nnames, 0, MODEL_NAMES - 1);

    name = &model.names[model.nnames];
    name->kind = kind;
    strcpy(name->a, a);
    strcpy(name->b, b);

    return model.nnames++;
}


/* The slots of the tag, behind those of the source. */

static void
model_tag(model_link_t *m, const char *tag)
{
    m->tag = tag;
    m->nnames = m->source_names;

    if (*tag != '\0') {
        m->names[m->nnames++] = model_name(RFL_SLOT_TAG, tag, "");
        m->names[m->nnames++] = model_name(RFL_SLOT_TAG_TARGET, tag,
                                           m->canonical);
    }
}


static void
model_add_tag_candidate(const char *tag, const char *target)
{
    rfl_link_t       link;
    model_link_t    *m;
    rfl_identity_t  *id;

    id = malloc(sizeof(rfl_identity_t));
    assert_non_null(id);
    assert_in_range(model.nlinks, 0, MODEL_LINKS - 1);

    m = &model.links[model.nlinks++];

    m->type = RFL_MATCH_TAG;
    strcpy(m->target, target);
    snprintf(m->sorted_by, sizeof(m->sorted_by), ")%s", tag);

    link = make_link(RFL_MATCH_TAG, "", target);
    link.tag = rfl_cstr(tag);
    assert_int_equal(rfl_identity(&link, id, NULL), RFL_OK);

    m->key = id->key;
    copy_text(m->canonical, id->target, id->target_len);
    model_tag(m, tag);

    free(id);
}


static void
model_add_candidate(rfl_match_type_t type, const char *host, const char *path,
    const char *target)
{
    char            surt[MODEL_TEXT], *canonical;
    rfl_link_t      link;
    model_link_t   *m;
    rfl_identity_t *id;

    id = malloc(sizeof(rfl_identity_t));
    assert_non_null(id);
    assert_in_range(model.nlinks, 0, MODEL_LINKS - 1);

    m = &model.links[model.nlinks++];

    m->type = type;
    snprintf(m->source, sizeof(m->source), "https://%s%s", host, path);
    strcpy(m->target, target);

    link = make_link(type, m->source, m->target);
    assert_int_equal(rfl_identity(&link, id, NULL), RFL_OK);

    m->key = id->key;
    m->segments = id->segments;
    m->target_has_host = id->target_has_host;
    m->target_has_query = id->target_has_query;

    copy_text(m->host, id->source.buf, id->source.host_len);
    copy_text(surt, id->source.buf, id->source.len);

    canonical = m->canonical;
    copy_text(canonical, id->target, id->target_len);

    switch (type) {

    case RFL_MATCH_EXACT:
        m->names[0] = model_name(RFL_SLOT_PAGE, surt, "");
        m->names[1] = model_name(RFL_SLOT_PAGE_TARGET, surt, canonical);
        break;

    case RFL_MATCH_PREFIX:
        m->names[0] = model_name(RFL_SLOT_PREFIX, surt, "");
        m->names[1] = model_name(RFL_SLOT_PREFIX_TARGET, surt, canonical);
        break;

    case RFL_MATCH_REGEX:
        m->names[0] = model_name(RFL_SLOT_PATTERN, surt, "");
        m->names[1] = model_name(RFL_SLOT_PATTERN_TARGET, surt, canonical);
        break;

    case RFL_MATCH_HOST:
        m->names[0] = model_name(RFL_SLOT_HOST, m->host, "");
        m->names[1] = model_name(RFL_SLOT_HOST_TARGET, m->host, canonical);
        break;

    default:
        m->names[0] = model_name(RFL_SLOT_DOMAIN, m->host, "");
        m->names[1] = model_name(RFL_SLOT_DOMAIN_TARGET, m->host, canonical);
        break;
    }

    m->nnames = 2;
    copy_text(m->sorted_by, id->source.buf, id->source.host_len + 1);

    if (type == RFL_MATCH_EXACT || type == RFL_MATCH_PREFIX
        || type == RFL_MATCH_REGEX)
    {
        m->names[m->nnames++] = model_name(*target == '\0' ? RFL_SLOT_BLANK
                                                           : RFL_SLOT_LANDING,
                                           m->host, canonical);
        strcpy(m->sorted_by, surt);
    }

    m->source_names = m->nnames;
    m->tag = "";

    free(id);
}


static void
model_init(void)
{
    size_t       h, t, p;
    const char  *host, *target;

    memset(&model, 0, sizeof(model));

    for (h = 0; h < sizeof(model_hosts) / sizeof(char *); h++) {
        host = model_hosts[h];

        for (t = 0; t < sizeof(model_targets) / sizeof(char *); t++) {
            target = model_targets[t];

            for (p = 0; p < sizeof(model_pages) / sizeof(char *); p++) {
                model_add_candidate(RFL_MATCH_EXACT, host, model_pages[p],
                                    target);
            }

            for (p = 0; p < sizeof(model_prefixes) / sizeof(char *); p++) {
                model_add_candidate(RFL_MATCH_PREFIX, host, model_prefixes[p],
                                    target);
            }

            for (p = 0; p < sizeof(model_patterns) / sizeof(char *); p++) {
                model_add_candidate(RFL_MATCH_REGEX, host, model_patterns[p],
                                    target);
            }

            model_add_candidate(RFL_MATCH_HOST, host, "/", target);
            model_add_candidate(RFL_MATCH_DOMAIN, host, "/", target);
        }
    }

    for (t = 0; t < sizeof(model_targets) / sizeof(char *); t++) {
        for (p = 1; p < sizeof(model_tags) / sizeof(char *); p++) {
            model_add_tag_candidate(model_tags[p], model_targets[t]);
        }
    }
}


static int
model_is_member(const model_link_t *m, unsigned name)
{
    unsigned  i;

    if (!m->registered) {
        return 0;
    }

    for (i = 0; i < m->nnames; i++) {
        if (m->names[i] == name) {
            return 1;
        }
    }

    return 0;
}


/* After each change: who shares a slot, and since how many clicks. */

static void
model_settle(fixture_t *f)
{
    unsigned       i, j;
    uint32_t       max_id;
    rfl_slot_t     slot;
    model_name_t  *name;

    max_id = model.max_id;

    for (i = 0; i < model.nnames; i++) {
        name = &model.names[i];
        name->members = 0;

        for (j = 0; j < model.nlinks; j++) {
            if (model_is_member(&model.links[j], i)) {
                name->members++;

            } else {
                name->has_row[j] = 0;
            }
        }

        if (name->members < 2) {
            continue;
        }

        if (name->group_id == 0) {
            assert_int_equal(slot_of(f, name->kind, name->a, name->b, &slot),
                             RFL_OK);
            name->group_id = slot.id;

            assert_true(slot.id > max_id);

            if (model.max_id < slot.id) {
                model.max_id = slot.id;
            }
        }

        for (j = 0; j < model.nlinks; j++) {
            if (model_is_member(&model.links[j], i) && !name->has_row[j]) {
                name->has_row[j] = 1;
                name->row[j] = f->clicks + name->group_id;
            }
        }
    }
}


/* What stands there is found by who looks at the bounds of its host first. */

static void
model_check_bounds(fixture_t *f, const model_name_t *name)
{
    char             host[MODEL_TEXT];
    rfl_slot_t       slot;
    rfl_bounds_t     bounds;

    switch (name->kind) {

    case RFL_SLOT_HOST:
    case RFL_SLOT_HOST_TARGET:
    case RFL_SLOT_DOMAIN:
    case RFL_SLOT_DOMAIN_TARGET:
    case RFL_SLOT_TAG:
    case RFL_SLOT_TAG_TARGET:
        return;

    default:
        break;
    }

    copy_text(host, (const u_char *) name->a, strcspn(name->a, ")"));

    assert_int_equal(rfl_registry_find_host(f->registry,
                                            hash_of(f, RFL_SLOT_HOST, host,
                                                    ""),
                                            &slot, &bounds), RFL_OK);

    assert_true(bounds.bits & rfl_slot_bit(hash_of(f, name->kind, name->a,
                                                   name->b)));
    assert_true(bounds.target >= strlen(name->b));

    if (name->kind == RFL_SLOT_PAGE || name->kind == RFL_SLOT_PREFIX) {
        assert_true(bounds.source >= strlen(name->a));
    }
}


static void
model_check_slots(fixture_t *f)
{
    unsigned             i, j, domains, groups, links, pages, on_host;
    uint32_t             flags;
    rfl_rc_t             rc;
    rfl_slot_t           slot;
    rfl_group_t          group;
    model_link_t        *m, *one;
    model_name_t        *name;
    rfl_registry_meta_t  meta;

    groups = 0;

    for (i = 0; i < model.nnames; i++) {
        name = &model.names[i];
        one = NULL;
        flags = 0;
        on_host = 0;

        for (j = 0; j < model.nlinks; j++) {
            m = &model.links[j];

            if (model_is_member(m, i)) {
                one = m;
            }

            if (!m->registered || strcmp(m->host, name->a) != 0
                || m->type == RFL_MATCH_DOMAIN)
            {
                continue;
            }

            on_host = 1;
            pages = 0;

            if (m->type == RFL_MATCH_EXACT) {
                flags |= RFL_HOST_PAGES;
                pages = 1;
            }

            if (m->type == RFL_MATCH_PREFIX) {
                flags |= RFL_HOST_DEPTH(m->segments);
                pages = 1;
            }

            if (m->type == RFL_MATCH_REGEX) {
                flags |= RFL_HOST_REGEX;
                pages = 1;
            }

            if (pages) {
                flags |= m->target[0] != '\0' ? RFL_HOST_TARGETS
                                              : RFL_HOST_BLANKS;
                flags |= m->target_has_host ? RFL_HOST_TARGET_HOSTS : 0;
                flags |= m->target_has_query ? RFL_HOST_TARGET_QUERIES : 0;
            }
        }

        groups += name->members > 1;

        rc = slot_of(f, name->kind, name->a, name->b, &slot);

        if (name->members == 0
            && !(name->kind == RFL_SLOT_HOST && on_host))
        {
            assert_int_equal(rc, RFL_NOT_FOUND);
            continue;
        }

        assert_int_equal(rc, RFL_OK);

        if (name->kind == RFL_SLOT_HOST) {
            assert_int_equal(slot.host_flags & flags, flags);

        } else {
            assert_int_equal(slot.host_flags, 0);
        }

        if (name->members != 0) {
            model_check_bounds(f, name);
        }

        if (name->members == 0) {
            assert_int_equal(slot.id, 0);
            assert_int_equal(slot.is_group, 0);
            assert_int_equal(slot.has_target, 0);

        } else if (name->members == 1) {
            assert_int_equal(slot.id, one->id);
            assert_int_equal(slot.is_group, 0);
            assert_int_equal(slot.has_target, one->target[0] != '\0');

        } else {
            assert_int_equal(slot.id, name->group_id);
            assert_int_equal(slot.is_group, 1);
            assert_int_equal(slot.has_target, 0);
            assert_int_equal(rfl_registry_group(f->registry, slot.id, &group),
                             RFL_OK);
            assert_int_equal(group.links, name->members);
            assert_int_equal(group.kind, name->kind);
        }
    }

    links = 0;
    domains = 0;

    for (j = 0; j < model.nlinks; j++) {
        m = &model.links[j];
        links += m->registered;
        domains += m->registered && m->type == RFL_MATCH_DOMAIN;
    }

    assert_int_equal(rfl_registry_meta(f->registry, &meta), RFL_OK);
    assert_int_equal(meta.links, links);
    assert_int_equal(meta.groups, groups);
    assert_int_equal(meta.domain_links, domains);
    assert_int_equal(meta.next_id, model.max_id + 1);
}


/* The regex links of each host, and nothing else, in the order of ids. */

static void
model_check_patterns(fixture_t *f)
{
    char                 surt[MODEL_TEXT];
    size_t               h, i, n;
    uint32_t             last;
    rfl_rc_t             rc;
    model_link_t        *m;
    rfl_registry_ids_t   ids;

    static const char *const  surts[] = {
        "example,a", "example,b", "example,a,sub"
    };

    for (h = 0; h < sizeof(surts) / sizeof(char *); h++) {
        strcpy(surt, surts[h]);
        n = 0;

        rc = rfl_registry_patterns(f->registry, rfl_cstr(surt), &ids);

        for (i = 0; i < model.nlinks; i++) {
            m = &model.links[i];

            if (m->registered && m->type == RFL_MATCH_REGEX
                && strcmp(m->host, surt) == 0)
            {
                n++;
            }
        }

        assert_int_equal(rc, n != 0 ? RFL_OK : RFL_NOT_FOUND);

        if (rc != RFL_OK) {
            continue;
        }

        assert_int_equal(ids.n, n);
        last = 0;

        for (n = 0; n < ids.n; n++) {
            assert_true(rfl_registry_id(&ids, n) > last);
            last = rfl_registry_id(&ids, n);

            for (i = 0; model.links[i].id != last; i++) {
                assert_in_range(i, 0, model.nlinks - 1);
            }

            m = &model.links[i];
            assert_true(m->registered && m->type == RFL_MATCH_REGEX
                        && strcmp(m->host, surt) == 0);
        }
    }
}


static void
model_check_groups(fixture_t *f)
{
    size_t            i, j, k, n, wanted;
    rfl_link_t        link;
    model_link_t     *m;
    model_name_t     *name;
    rfl_membership_t  in[RFL_LINK_GROUPS_MAX];

    for (i = 0; i < model.nlinks; i++) {
        m = &model.links[i];

        if (m->id == 0) {
            continue;
        }

        if (!m->registered) {
            assert_int_equal(rfl_registry_link(f->registry, m->id, &link),
                             RFL_NOT_FOUND);
            assert_int_equal(rfl_registry_by_key(f->registry, m->key, &link),
                             RFL_NOT_FOUND);
            continue;
        }

        assert_int_equal(rfl_registry_by_key(f->registry, m->key, &link),
                         RFL_OK);
        assert_int_equal(link.id, m->id);
        assert_int_equal(link.revision, m->revision);
        assert_true(rfl_str_eq(link.source, rfl_cstr(m->source)));
        assert_true(rfl_str_eq(link.tag, rfl_cstr(m->tag)));

        assert_int_equal(rfl_registry_groups(f->registry, &link, in, &n),
                         RFL_OK);
        wanted = 0;

        for (j = 0; j < m->nnames; j++) {
            name = &model.names[m->names[j]];

            if (name->members < 2) {
                continue;
            }

            wanted++;

            for (k = 0; k < n && in[k].group.id != name->group_id; k++) {
                /* void */
            }

            assert_true(k < n);
            assert_int_equal(in[k].clicks_at_join, name->row[i]);
        }

        assert_int_equal(n, wanted);
    }
}


/* Read together, those between two that were removed included. */

static void
check_links_together(fixture_t *f, unsigned registered)
{
    size_t       i, n, max;
    unsigned     seen;
    uint64_t     key, from;
    rfl_rc_t     rc;
    rfl_link_t   links[RFL_PAGES_MANY], one;

    key = 0;
    seen = 0;

    for ( ;; ) {
        max = 1 + random_below(RFL_PAGES_MANY);
        from = key;

        rc = rfl_registry_next_links(f->registry, &key, links, max, &n);

        if (rc == RFL_NOT_FOUND) {
            break;
        }

        assert_int_equal(rc, RFL_OK);
        assert_true(n <= max && key > from);

        for (i = 0; i < n; i++) {
            assert_int_equal(rfl_registry_next_key(f->registry, from, &one),
                             RFL_OK);
            assert_true(one.key == links[i].key && one.id == links[i].id
                        && rfl_str_eq(one.source, links[i].source));
            from = one.key + 1;
        }

        seen += (unsigned) n;
    }

    assert_int_equal(n, 0);
    assert_int_equal(seen, registered);
}


static void
model_check_orders(fixture_t *f)
{
    int                    order;
    unsigned               i, seen, registered;
    uint64_t               key, best;
    rfl_rc_t               rc;
    rfl_link_t             link;
    model_link_t          *m, *last;
    rfl_registry_place_t   place;

    key = (uint64_t) random_below(UINT32_MAX) << 32 | random_below(UINT32_MAX);
    best = 0;
    m = NULL;
    registered = 0;

    for (i = 0; i < model.nlinks; i++) {
        registered += model.links[i].registered;

        if (model.links[i].registered && model.links[i].key >= key
            && (m == NULL || model.links[i].key < best))
        {
            m = &model.links[i];
            best = m->key;
        }
    }

    rc = rfl_registry_next_key(f->registry, key, &link);
    assert_int_equal(rc, m == NULL ? RFL_NOT_FOUND : RFL_OK);

    if (m != NULL) {
        assert_int_equal(link.key, m->key);
        assert_int_equal(link.id, m->id);
    }

    /* all of them once, each behind the one before */

    key = 0;

    for (seen = 0; rfl_registry_next_key(f->registry, key, &link) == RFL_OK;
         seen++)
    {
        assert_true(link.key >= key);
        key = link.key + 1;
    }

    assert_int_equal(seen, registered);
    assert_int_equal(rfl_registry_next_key(f->registry, 0, &link),
                     registered != 0 ? RFL_OK : RFL_NOT_FOUND);

    check_links_together(f, registered);

    /* and by host and page, then by id */

    place.len = 0;
    last = NULL;

    for (seen = 0; /* void */ ; seen++) {

        rc = rfl_registry_next_source(f->registry, &place, &link);
        if (rc == RFL_NOT_FOUND) {
            break;
        }

        assert_int_equal(rc, RFL_OK);

        for (i = 0; model.links[i].key != link.key; i++) {
            assert_in_range(i, 0, model.nlinks - 1);
        }

        m = &model.links[i];
        assert_true(m->registered);

        if (last != NULL) {
            order = strcmp(last->sorted_by, m->sorted_by);
            assert_true(order < 0 || (order == 0 && last->id < m->id));
        }

        last = m;
    }

    assert_int_equal(seen, registered);
}


static void
model_step(fixture_t *f)
{
    unsigned       what;
    rfl_rc_t       rc;
    rfl_link_t     link;
    const char    *tag;
    model_link_t  *m;

    m = &model.links[random_below(model.nlinks)];
    tag = model_tags[random_below(3)];

    if (!model_in_bulk) {                /* a group is joined later */
        f->clicks += 1000;
    }

    link = make_link(m->type, m->source, m->target);
    link.tag = rfl_cstr(m->type == RFL_MATCH_TAG ? m->tag : tag);

    what = random_below(8);

    /* what was put off happens before a change of it */

    if (model_in_bulk && what > 3) {
        assert_int_equal(rfl_registry_settle(f->registry, &f->err), RFL_OK);
        model_settle(f);
    }

    switch (what) {

    case 0:
    case 1:
    case 2:
    case 3:
        rc = rfl_registry_add(f->registry, &link, NOW, &f->err);
        assert_int_equal(rc, m->registered ? RFL_EXISTS : RFL_OK);
        assert_int_equal(link.key, m->key);

        if (m->id == 0) {
            assert_true(link.id > model.max_id);
            m->id = link.id;
            model.max_id = link.id;
        }

        assert_int_equal(link.id, m->id);

        if (rc == RFL_OK) {
            m->revision++;
            m->registered = 1;

            if (m->type != RFL_MATCH_TAG) {
                model_tag(m, tag);
            }
        }

        break;

    case 4:
    case 5:
    case 6:
        rc = rfl_registry_remove(f->registry, m->key, &f->err);
        assert_int_equal(rc, m->registered ? RFL_OK : RFL_NOT_FOUND);
        m->registered = 0;
        break;

    default:
        link.id = m->id;
        link.tag = rfl_cstr(tag);
        link.note = rfl_cstr("changed");

        rc = rfl_registry_update(f->registry, &link, &f->err);
        assert_int_equal(rc, m->registered ? RFL_OK : RFL_NOT_FOUND);

        if (rc == RFL_OK) {
            m->revision++;

            if (m->type != RFL_MATCH_TAG) {
                model_tag(m, tag);
            }
        }

        break;
    }

    if (!model_in_bulk || what > 3) {
        model_settle(f);
    }
}


/* All but some at random, none or all included. */

typedef struct {
    uint64_t  salt;
    unsigned  kept;              /* of 8 */
    unsigned  asked;
} model_kept_t;


static int
model_keeps(void *data, uint32_t id)
{
    uint64_t       z;
    model_kept_t  *k = data;

    z = (id ^ k->salt) * 0xbf58476d1ce4e5b9u;

    return (z >> 32) % 8 < k->kept;
}


static rfl_rc_t
model_may_go_on(void *data, rfl_error_t *err)
{
    ((model_kept_t *) data)->asked++;

    return RFL_OK;
}


static void
model_remove_others(fixture_t *f)
{
    unsigned               i;
    uint64_t               removed, wanted;
    model_kept_t           kept;
    rfl_registry_others_t  others = { model_keeps, model_may_go_on, &kept };

    if (model_in_bulk) {
        assert_int_equal(rfl_registry_settle(f->registry, &f->err), RFL_OK);
        model_settle(f);
    }

    kept.salt = (uint64_t) random_below(UINT32_MAX) << 20;
    kept.kept = random_below(9);
    kept.asked = 0;
    wanted = 0;

    /* one after the other, as rfl_registry_remove() would */

    for (i = 0; i < model.nlinks; i++) {
        if (model.links[i].registered && !model_keeps(&kept, model.links[i].id))
        {
            model.links[i].registered = 0;
            model_settle(f);
            wanted++;
        }
    }

    if (rfl_registry_remove_others(f->registry, &others, &removed, &f->err)
        != RFL_OK)
    {
        fail_msg("%s", f->err.text);
    }

    assert_int_equal(removed, wanted);
    assert_true(kept.asked >= wanted);
}


static void
check_random_operations(void **state, int bulk)
{
    unsigned    seed, round, steps;
    uint64_t    clicks;
    fixture_t  *f;

    f = *state;

    for (seed = 1; seed <= 3; seed++) {

        teardown(state);
        assert_int_equal(setup(state), 0);
        f = *state;

        rfl_registry_set_clicks(f->registry, group_clicks, f);
        random_state = 0x9e3779b97f4a7c15u * seed;
        model_init();

        for (round = 0; round < 150; round++) {

            model_saved = model;
            clicks = f->clicks;

            begin(f, 1);

            model_in_bulk = bulk && random_below(4) != 0;

            if (model_in_bulk) {
                f->clicks += 1000;
                assert_int_equal(rfl_registry_bulk(f->registry, &f->err),
                                 RFL_OK);
            }

            for (steps = random_below(30); steps > 0; steps--) {
                model_step(f);
            }

            if (random_below(12) == 0) {
                model_remove_others(f);

                for (steps = random_below(4); steps > 0; steps--) {
                    model_step(f);
                }
            }

            if (model_in_bulk) {
                assert_int_equal(rfl_registry_settle(f->registry, &f->err),
                                 RFL_OK);
                model_settle(f);
            }

            if (random_below(4) == 0) {
                model_check_slots(f);
                model_check_patterns(f);
                model_check_groups(f);
                model_check_orders(f);
            }

            if (random_below(4) == 0) {
                rfl_registry_end(f->registry);
                model = model_saved;
                f->clicks = clicks;

            } else {
                commit(f);
            }

            begin(f, 0);
            model_check_slots(f);
            model_check_patterns(f);
            model_check_groups(f);
            model_check_orders(f);
            rfl_registry_end(f->registry);
        }
    }
}


static void
random_operations_agree_with_a_naive_model(void **state)
{
    check_random_operations(state, 0);
}


static void
random_operations_in_bulk_agree_with_it_too(void **state)
{
    check_random_operations(state, 1);
}


/* Of none, of those that stay, and of one that says no; then not committed. */

static rfl_rc_t
no_more(void *data, rfl_error_t *err)
{
    return rfl_fail(err, RFL_BUSY, "enough");
}


static int
keeps_all(void *data, uint32_t id)
{
    return 1;
}


static void
removing_others_that_is_stopped_is_not_committed(void **state)
{
    unsigned     i;
    uint64_t     removed;
    fixture_t   *f;
    rfl_link_t   link;
    model_kept_t           kept = { 0, 0, 0 };
    rfl_registry_others_t  others = { model_keeps, NULL, &kept };

    f = *state;

    begin(f, 1);
    assert_int_equal(rfl_registry_remove_others(f->registry, &others, &removed,
                                                &f->err), RFL_OK);
    assert_int_equal(removed, 0);

    link = must_add(f, RFL_MATCH_HOST, "one.example", "");
    commit(f);

    begin(f, 1);
    others.keeps = keeps_all;
    assert_int_equal(rfl_registry_remove_others(f->registry, &others, &removed,
                                                &f->err), RFL_OK);
    assert_int_equal(removed, 0);
    commit(f);

    others.keeps = model_keeps;
    others.may_go_on = no_more;

    begin(f, 1);
    assert_int_equal(rfl_registry_remove_others(f->registry, &others, &removed,
                                                &f->err), RFL_BUSY);
    assert_int_equal(rfl_registry_remove(f->registry, link.key, &f->err),
                     RFL_BUSY);
    assert_int_not_equal(rfl_registry_commit(f->registry, &f->err), RFL_OK);

    begin(f, 0);
    assert_int_equal(rfl_registry_by_key(f->registry, link.key, &link),
                     RFL_OK);
    assert_int_equal(rfl_registry_remove_others(f->registry, &others, &removed,
                                                &f->err), RFL_ERROR);
    rfl_registry_end(f->registry);

    /* removed and registered again, each has its id */

    others.may_go_on = NULL;

    for (i = 0; i < 2; i++) {
        begin(f, 1);
        assert_int_equal(rfl_registry_remove_others(f->registry, &others,
                                                    &removed, &f->err),
                         RFL_OK);
        assert_int_equal(removed, 1);
        assert_int_equal(must_add(f, RFL_MATCH_HOST, "one.example", "").id,
                         link.id);
        commit(f);
    }
}


/* Without a settle: the commit does it, and a new tag asks for it. */

static void
a_tag_that_changes_in_bulk_moves_its_slot(void **state)
{
    fixture_t   *f;
    rfl_slot_t   slot;
    rfl_link_t   one, two;

    f = *state;

    begin(f, 1);
    assert_int_equal(rfl_registry_bulk(f->registry, &f->err), RFL_OK);

    one = must_add_tagged(f, RFL_MATCH_HOST, "one.example", "", "t1");
    two = must_add_tagged(f, RFL_MATCH_HOST, "two.example", "", "t1");

    one.tag = rfl_cstr("t2");
    assert_int_equal(rfl_registry_update(f->registry, &one, &f->err), RFL_OK);
    commit(f);

    begin(f, 0);
    assert_int_equal(slot_of(f, RFL_SLOT_TAG, "t1", "", &slot), RFL_OK);
    assert_int_equal(slot.id, two.id);
    assert_int_equal(slot_of(f, RFL_SLOT_TAG, "t2", "", &slot), RFL_OK);
    assert_int_equal(slot.id, one.id);
    rfl_registry_end(f->registry);

    /* and nothing is left of a bulk that ends */

    begin(f, 1);
    assert_int_equal(rfl_registry_bulk(f->registry, &f->err), RFL_OK);
    (void) must_add(f, RFL_MATCH_HOST, "three.example", "");
    rfl_registry_end(f->registry);

    begin(f, 1);
    (void) must_add(f, RFL_MATCH_HOST, "three.example", "");
    commit(f);
}


/* More than are sorted in memory; half before, half behind what was there. */

static void
more_links_than_memory_sorts_are_all_there(void **state)
{
    char                  source[64];
    unsigned              i, n, members;
    fixture_t            *f;
    rfl_slot_t            slot;
    rfl_link_t            link;
    rfl_group_t           group;
    rfl_registry_meta_t   meta;

    static const char *const  hosts[] = { "h0", "h1", "m" };

    f = *state;
    n = BULK_LINKS;

    begin(f, 1);
    (void) must_add(f, RFL_MATCH_EXACT, "https://h0.example/a", "/p");
    (void) must_add(f, RFL_MATCH_HOST, "h1.example", "");
    (void) must_add(f, RFL_MATCH_EXACT, "https://m.example/a", "/p");
    (void) must_add(f, RFL_MATCH_EXACT, "https://m.example/b", "/p");
    commit(f);

    begin(f, 1);
    assert_int_equal(rfl_registry_bulk(f->registry, &f->err), RFL_OK);

    (void) must_add(f, RFL_MATCH_EXACT, "https://m.example/c", "/p");

    for (i = 0; i < n; i++) {
        (void) snprintf(source, sizeof(source), "https://h%u.example/%u",
                        i % 2, i);
        (void) must_add(f, RFL_MATCH_EXACT, source, "/p");

        assert_int_equal(add(f, RFL_MATCH_EXACT, source, "/p", &link),
                         RFL_EXISTS);
        assert_int_equal(rfl_registry_link(f->registry, link.id, &link),
                         RFL_OK);
    }

    commit(f);
    begin(f, 0);

    assert_int_equal(rfl_registry_meta(f->registry, &meta), RFL_OK);
    assert_int_equal(meta.links, n + 5);
    assert_int_equal(meta.groups, 3);

    members = 0;

    for (i = 0; i < 3; i++) {
        (void) snprintf(source, sizeof(source), "example,%s", hosts[i]);

        assert_int_equal(slot_of(f, RFL_SLOT_LANDING, source, "/p", &slot),
                         RFL_OK);
        assert_true(slot.is_group);
        assert_int_equal(rfl_registry_group(f->registry, slot.id, &group),
                         RFL_OK);
        members += group.links;
    }

    assert_int_equal(members, n + 4);

    assert_int_equal(slot_of(f, RFL_SLOT_HOST, "example,h1", "", &slot),
                     RFL_OK);
    assert_int_not_equal(slot.id, 0);
    assert_true(slot.host_flags & RFL_HOST_PAGES);

    rfl_registry_end(f->registry);
}


#define test(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(a_new_registry_has_a_uuid_and_no_links),
        test(links_stand_in_the_slots_of_their_match_type),
        test(a_hosts_entry_tells_what_the_host_has),
        test(a_link_is_registered_once),
        test(two_links_form_a_group_and_the_last_one_gets_its_slot_back),
        test(a_hosts_slots_lie_side_by_side),
        test(fifty_thousand_links_are_answered_by_one_entry),
        test(a_retired_link_returns_with_its_id_and_key),
        test(ids_start_at_the_floor_and_are_never_reused),
        test(ids_end_below_the_counter_files_limit),
        test(max_links_counts_registered_links),
        test(a_followed_registry_says_which_file),
        test(update_changes_all_but_the_identity),
        test(a_tag_link_is_found_by_its_tag_alone),
        test(links_that_share_a_tag_form_groups),
        test(regex_links_of_a_host_are_listed_by_id),
        test(a_pattern_that_does_not_compile_is_refused_with_its_position),
        test(a_host_has_up_to_1000_regex_links),
        test(writes_need_a_write_transaction),
        test(a_change_that_failed_half_way_is_never_committed),
        test(another_version_is_refused_and_both_are_named),
        test(opening_names_what_is_missing),
        test(slots_with_one_low_half_are_told_apart),
        test(a_host_knows_what_its_pages_have),
        test(hosts_that_share_a_low_half_keep_their_bounds),
        test(a_key_of_another_link_is_refused),
        test(a_group_whose_key_is_taken_takes_the_next),
        test(a_key_prefix_names_one_link_only),
        test(the_highest_key_is_found_and_ends_the_walk),
        test(a_key_that_leads_to_a_link_of_another_key_is_damage),
        test(sources_longer_than_a_key_are_cut_and_stay_apart),
        test(a_reader_sees_what_another_process_commits),
        test(random_operations_agree_with_a_naive_model),
        test(random_operations_in_bulk_agree_with_it_too),
        test(removing_others_that_is_stopped_is_not_committed),
        test(a_tag_that_changes_in_bulk_moves_its_slot),
        test(more_links_than_memory_sorts_are_all_there)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
