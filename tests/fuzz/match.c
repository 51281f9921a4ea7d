/*
 * The decision against a naive one: random registries of links that share
 * hosts, pages, targets and tags, some removed and added again, then requests.
 * The naive one looks at every link, by the rules of rfl_attribution.h's
 * design, and knows no index, no host's flags, no cache.
 *
 * Input: bytes that choose operations and words of small alphabets.  All is
 * done in one write transaction that never commits.
 */

#include "fuzz.h"
#include "rfl_attribution.h"

#include <stdio.h>


#define LINKS_MAX  48
#define FORMS_MAX  6
#define TEXT_MAX   (RFL_SURT_MAX + RFL_HOST_MAX + 32)

#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))


/* A link as the naive one sees it; texts are canonical. */

typedef struct {
    rfl_match_type_t  type;
    uint32_t          id;
    uint64_t          key;
    unsigned          there:1;           /* registered now */
    unsigned          is_address:1;
    rfl_str_t         host;
    rfl_str_t         page;              /* the SURT, or host and pattern */
    rfl_str_t         pattern;
    rfl_str_t         target;
    rfl_str_t         tag;
} entry_t;


typedef struct {
    size_t         n;
    const entry_t *links[LINKS_MAX];
} set_t;


/* What both say.  AMBIGUOUS: the members of the group. */

typedef struct {
    rfl_outcome_t   outcome;
    rfl_evidence_t  evidence;
    uint32_t        id;
    unsigned        other_landing;
    set_t           group;
} answer_t;


typedef struct {
    const rfl_request_t  *request;
    rfl_referrer_kind_t   kind;
    rfl_surt_t            surt;
    rfl_str_t             referer;
    size_t                nforms;
    rfl_str_t             forms[FORMS_MAX];      /* best first */
    u_char                texts[FORMS_MAX][TEXT_MAX];
} view_t;


static void open_registry(void);
static void add_link(fuzz_input_t *in);
static void remove_link(fuzz_input_t *in);
static void ask(fuzz_input_t *in);
static void compare(const rfl_request_t *request);
static void compare_group(uint32_t id, const set_t *group);

static void naive(const rfl_request_t *request, answer_t *answer);
static int naive_tag(const view_t *v, answer_t *answer);
static int naive_referer(const view_t *v, answer_t *answer);
static int naive_regex(const view_t *v, answer_t *answer);
static int naive_prefix(const view_t *v, answer_t *answer);
static int naive_landing(const view_t *v, answer_t *answer);
static int naive_domain(const view_t *v, answer_t *answer);
static int naive_resolve(const view_t *v, const set_t *set,
    rfl_evidence_t evidence, answer_t *answer);
static int naive_by_target(const view_t *v, const set_t *set,
    rfl_evidence_t evidence, answer_t *answer);
static int naive_found(const set_t *set, rfl_evidence_t evidence,
    answer_t *answer);

static void find_forms(view_t *v);
static void add_form(view_t *v, const rfl_url_t *landing,
    const rfl_names_t *without, int with_host, int with_query);
static int next_tag(const rfl_names_t *names, rfl_str_t *query, u_char *buf,
    rfl_str_t *tag);
static size_t decode(rfl_str_t s, u_char *out);
static int is_page(const entry_t *e);
static int is_below(rfl_str_t host, rfl_str_t domain);
static rfl_str_t pick(fuzz_input_t *in, const char *const *words, size_t n);
static rfl_str_t join(rfl_str_t a, rfl_str_t b);


static const char *const  hosts[] = {
    "blog.example", "www.blog.example", "a.blog.example", "b.a.blog.example",
    "BLOG.example.", "example", "other.example", "192.0.2.1", "[2001:db8::1]",
    "a.b.c.d.e.f.g.h.i.example", "x.c.d.e.f.g.h.i.example"
};

static const char *const  paths[] = {
    "", "/", "/p", "/p/", "/p/q", "/p/q/r", "/pq", "/p?x=1",
    "/p?x=1&utm_source=z", "/%70", "/o/../p/./q", "/p/q?x=1#f", "/P", "//p"
};

static const char *const  targets[] = {
    "", "", "/", "/t", "/t/", "/t?id=1", "/t?id=1&x=2", "/t?ref=solo",
    "https://shop.example/t", "https://shop.example/t?id=1",
    "https://www.other.example/t", "/u"
};

static const char *const  tags[] = {
    "", "", "", "solo", "pair", "a b", "pair2"
};

static const char *const  patterns[] = {
    "/p", "/p/q$", "/[pq]+", "/(?i)P", "/x|y", "/(a+)+$", "/q.*[?]x", "/"
};

static const char *const  landings[] = {
    "/t", "/t/", "/t?id=1", "/t?id=1&x=2", "/t?ref=solo", "/t?ref=pair",
    "/t?id=1&ref=pair", "/?ref=a%20b", "/u?ref=none&ref=pair", "/", "/u",
    "/t?id=1&utm_medium=x", "/t?%72ef=pair2&id=1", "http://shop.example/t", "*",
    "/t?ref=&x&ref=pair", "/p?REF=pair"
};

static const char *const  sites[] = {
    "shop.example", "SHOP.example:8080", "www.other.example", "192.0.2.9", ""
};

static const char *const  schemes[] = { "https://", "http://", "HTTPS://u@" };

static const rfl_str_t    tag_name = rfl_string("ref");
static const rfl_names_t  tag_names = { &tag_name, 1 };


static rfl_registry_t  *registry;
static rfl_patterns_t  *cache;
static entry_t          entries[LINKS_MAX];
static size_t           nentries;
static rfl_identity_t   identity;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rfl_error_t   err;
    fuzz_input_t  in;

    if (registry == NULL) {
        open_registry();
    }

    in = fuzz_input(data, size);
    nentries = 0;

    cache = rfl_patterns_create(4);
    fuzz_check(cache != NULL);
    fuzz_check(rfl_registry_begin(registry, 1, &err) == RFL_OK);

    while (in.p < in.end) {

        switch (fuzz_byte(&in) % 8) {

        case 0:
        case 1:
        case 2:
            add_link(&in);
            break;

        case 3:
            remove_link(&in);
            break;

        default:
            ask(&in);
        }
    }

    rfl_registry_end(registry);
    rfl_patterns_free(cache);

    fuzz_free();

    return 0;
}


static void
open_registry(void)
{
    rfl_error_t  err;

    if (rfl_registry_open(&registry, fuzz_dir(), RFL_STORE_CREATE,
                          (size_t) 64 << 20, &err)
        != RFL_OK)
    {
        fuzz_finding(__FILE__, __LINE__, err.text);
    }
}


static void
add_link(fuzz_input_t *in)
{
    size_t       i;
    rfl_rc_t     rc;
    uint8_t      type;
    entry_t     *e;
    rfl_str_t    host;
    rfl_link_t   link;
    rfl_error_t  err;

    if (nentries == LINKS_MAX) {
        return;
    }

    memset(&link, 0, sizeof(rfl_link_t));

    type = fuzz_byte(in);
    link.match_type = type % RFL_MATCH_TYPES;

    host = (type & 64) ? rfl_cstr("android-app://com.example.App")
                       : pick(in, hosts, COUNT(hosts));

    switch (link.match_type) {

    case RFL_MATCH_EXACT:
    case RFL_MATCH_PREFIX:
        link.source = join(host, pick(in, paths, COUNT(paths)));
        break;

    case RFL_MATCH_REGEX:
        link.source = join(host, pick(in, patterns, COUNT(patterns)));
        break;

    case RFL_MATCH_TAG:
        break;

    default:
        link.source = host;
    }

    link.target = pick(in, targets, COUNT(targets));
    link.tag = pick(in, tags, COUNT(tags));

    rc = rfl_registry_add(registry, &link, 1, &err);

    if (rc == RFL_INVALID) {
        return;
    }

    fuzz_check(rc == RFL_OK || rc == RFL_EXISTS);
    fuzz_check(rfl_identity(&link, &identity, &err) == RFL_OK);

    for (i = 0; i < nentries; i++) {
        if (entries[i].key == link.key) {
            break;
        }
    }

    fuzz_check((rc == RFL_EXISTS) == (i < nentries && entries[i].there));
    fuzz_check(i == nentries || entries[i].id == link.id);

    if (rc == RFL_EXISTS) {
        return;
    }

    e = &entries[i];
    nentries += (i == nentries);

    e->type = link.match_type;
    e->id = link.id;
    e->key = link.key;
    e->there = 1;
    e->is_address = identity.source.is_address;
    e->host = fuzz_copy(rfl_str(identity.source.buf,
                                identity.source.host_len));
    e->page = fuzz_copy(rfl_str(identity.source.buf, identity.source.len));
    e->target = fuzz_copy(rfl_str(identity.target, identity.target_len));
    e->tag = fuzz_copy(rfl_str(identity.tag, identity.tag_len));
    e->pattern = rfl_identity_pattern(link.source);
}


static void
remove_link(fuzz_input_t *in)
{
    size_t       i;
    rfl_error_t  err;

    if (nentries == 0) {
        return;
    }

    i = fuzz_byte(in) % nentries;

    fuzz_check(rfl_registry_remove(registry, entries[i].key, &err)
               == (entries[i].there ? RFL_OK : RFL_NOT_FOUND));

    entries[i].there = 0;
}


static void
ask(fuzz_input_t *in)
{
    uint8_t        how;
    rfl_str_t      host;
    rfl_request_t  request;

    memset(&request, 0, sizeof(rfl_request_t));

    how = fuzz_byte(in);

    if (how & 32) {
        request.referer = rfl_cstr("android-app://com.example.app/x");

    } else if (!(how & 16)) {
        host = join(pick(in, schemes, COUNT(schemes)),
                    pick(in, hosts, COUNT(hosts)));
        request.referer = join(host, pick(in, paths, COUNT(paths)));
    }

    request.landing = pick(in, landings, COUNT(landings));
    request.host = pick(in, sites, COUNT(sites));
    request.tag_names = (how & 8) ? NULL : &tag_names;

    request.patterns = cache;
    compare(&request);

    request.patterns = NULL;
    compare(&request);
}


static void
compare(const rfl_request_t *request)
{
    answer_t           wanted;
    rfl_attribution_t  a;

    rfl_attribute(registry, request, &a, NULL);
    naive(request, &wanted);

    fuzz_check(!a.lookup_failed);

    if (a.outcome != wanted.outcome || a.evidence != wanted.evidence
        || (a.outcome == RFL_OUTCOME_MATCHED && a.id != wanted.id)
        || a.other_landing != wanted.other_landing)
    {
        fuzz_show("referer", request->referer);
        fuzz_show("landing", request->landing);
        fuzz_show("host", request->host);
        (void) fprintf(stderr, "%s %s %u %u, naive: %s %s %u %u\n",
                       rfl_outcome_names[a.outcome].data,
                       rfl_evidence_names[a.evidence].data, a.id,
                       a.other_landing,
                       rfl_outcome_names[wanted.outcome].data,
                       rfl_evidence_names[wanted.evidence].data, wanted.id,
                       wanted.other_landing);
    }

    fuzz_check(a.outcome == wanted.outcome);
    fuzz_check(a.evidence == wanted.evidence);
    fuzz_check(a.other_landing == wanted.other_landing);

    if (a.outcome == RFL_OUTCOME_MATCHED) {
        fuzz_check(a.id == wanted.id);

    } else if (a.outcome == RFL_OUTCOME_AMBIGUOUS) {
        compare_group(a.id, &wanted.group);
    }
}


static void
compare_group(uint32_t id, const set_t *group)
{
    size_t       i, n;
    uint32_t     link_id;
    rfl_group_t  g;

    fuzz_check(rfl_registry_group(registry, id, &g) == RFL_OK);
    fuzz_check(g.links == group->n);

    n = 0;

    for (link_id = 0;
         rfl_registry_next_member(registry, id, &link_id) == RFL_OK;
         link_id++)
    {
        for (i = 0; i < group->n; i++) {
            if (group->links[i]->id == link_id) {
                break;
            }
        }

        fuzz_check(i < group->n);
        n++;
    }

    fuzz_check(n == group->n);
}


static void
naive(const rfl_request_t *request, answer_t *answer)
{
    rfl_url_t      url;
    static view_t  v;

    memset(answer, 0, sizeof(answer_t));
    answer->evidence = RFL_EVIDENCE_NONE;

    v.request = request;
    v.referer = rfl_str_trim(request->referer);
    v.kind = rfl_referrer(request->referer, request->host, NULL, &url);

    find_forms(&v);

    if (v.kind == RFL_REFERRER_INTERNAL) {
        answer->outcome = RFL_OUTCOME_INTERNAL;
        return;
    }

    answer->outcome = v.kind == RFL_REFERRER_NONE ? RFL_OUTCOME_DIRECT
                      : v.kind == RFL_REFERRER_MALFORMED
                        ? RFL_OUTCOME_MALFORMED : RFL_OUTCOME_UNREGISTERED;

    v.surt.len = 0;

    if (answer->outcome == RFL_OUTCOME_UNREGISTERED) {
        rfl_surt(&url, &v.surt);
    }

    if (!naive_tag(&v, answer) && v.surt.len != 0) {
        (void) naive_referer(&v, answer);
    }
}


static int
naive_tag(const view_t *v, answer_t *answer)
{
    set_t      set;
    size_t     i;
    u_char     buf[RFL_TAG_MAX];
    unsigned   tried;
    answer_t   other;
    rfl_str_t  query, tag;
    rfl_url_t  url;

    if (v->request->tag_names == NULL) {
        return 0;
    }

    rfl_url_parse_target(v->request->landing, &url);
    query = url.query;

    for (tried = 0; tried < RFL_TAGS_TRIED; tried++) {

        if (!next_tag(v->request->tag_names, &query, buf, &tag)) {
            return 0;
        }

        set.n = 0;

        for (i = 0; i < nentries; i++) {
            if (entries[i].there && rfl_str_eq(entries[i].tag, tag)) {
                set.links[set.n++] = &entries[i];
            }
        }

        if (set.n == 0) {
            continue;
        }

        if (set.n > 1 && v->surt.len != 0) {
            memset(&other, 0, sizeof(answer_t));

            if (naive_referer(v, &other)
                && other.outcome == RFL_OUTCOME_MATCHED)
            {
                for (i = 0; i < set.n; i++) {
                    if (set.links[i]->id == other.id) {
                        other.evidence = RFL_EVIDENCE_TAG;
                        other.other_landing = 0;
                        *answer = other;
                        return 1;
                    }
                }
            }
        }

        if (set.n == 1) {
            return naive_found(&set, RFL_EVIDENCE_TAG, answer);
        }

        return naive_by_target(v, &set, RFL_EVIDENCE_TAG, answer)
               || naive_found(&set, RFL_EVIDENCE_TAG, answer);
    }

    return 0;
}


static int
naive_referer(const view_t *v, answer_t *answer)
{
    set_t      set;
    size_t     i;
    rfl_str_t  host, page;

    host = rfl_str(v->surt.buf, v->surt.host_len);
    page = rfl_str(v->surt.buf, v->surt.len);

    if (v->kind == RFL_REFERRER_ORIGIN && !v->surt.is_app) {

        if (naive_landing(v, answer)) {
            return 1;
        }

    } else {
        set.n = 0;

        for (i = 0; i < nentries; i++) {
            if (entries[i].there && entries[i].type == RFL_MATCH_EXACT
                && !v->surt.is_cut && rfl_str_eq(entries[i].page, page))
            {
                set.links[set.n++] = &entries[i];
            }
        }

        if (naive_resolve(v, &set, RFL_EVIDENCE_EXACT, answer)
            || naive_regex(v, answer) || naive_prefix(v, answer))
        {
            return 1;
        }
    }

    set.n = 0;

    for (i = 0; i < nentries; i++) {
        if (entries[i].there && entries[i].type == RFL_MATCH_HOST
            && rfl_str_eq(entries[i].host, host))
        {
            set.links[set.n++] = &entries[i];
        }
    }

    return naive_resolve(v, &set, RFL_EVIDENCE_HOST, answer)
           || naive_domain(v, answer);
}


/* Of the patterns that match, the one registered first; its equals with it. */

static int
naive_regex(const view_t *v, answer_t *answer)
{
    set_t           set;
    size_t          i;
    unsigned        faults;
    rfl_rc_t        rc;
    uint32_t        after;
    const entry_t  *e;
    rfl_pattern_t  *p;

    faults = 0;
    after = 0;

    for ( ;; ) {
        e = NULL;

        for (i = 0; i < nentries; i++) {
            if (entries[i].there && entries[i].type == RFL_MATCH_REGEX
                && rfl_str_eq(entries[i].host, rfl_str(v->surt.buf,
                                                       v->surt.host_len))
                && entries[i].id > after
                && (e == NULL || entries[i].id < e->id))
            {
                e = &entries[i];
            }
        }

        if (e == NULL || faults == RFL_PATTERN_FAULTS_MAX) {
            return 0;
        }

        after = e->id;

        fuzz_check(rfl_pattern_compile(&p, e->pattern, NULL) == RFL_OK);
        rc = rfl_pattern_match(p, v->referer);
        rfl_pattern_free(p);

        faults += (rc == RFL_FULL);

        if (rc == RFL_OK) {
            break;
        }
    }

    set.n = 0;

    for (i = 0; i < nentries; i++) {
        if (entries[i].there && entries[i].type == RFL_MATCH_REGEX
            && rfl_str_eq(entries[i].page, e->page))
        {
            set.links[set.n++] = &entries[i];
        }
    }

    return naive_resolve(v, &set, RFL_EVIDENCE_REGEX, answer);
}


static int
naive_prefix(const view_t *v, answer_t *answer)
{
    set_t      set;
    size_t     i, len, longest;
    rfl_str_t  page, prefix;

    page = rfl_str(v->surt.buf, v->surt.path_start + v->surt.path_len);
    longest = 0;
    set.n = 0;

    for (i = 0; i < nentries; i++) {

        if (!entries[i].there || entries[i].type != RFL_MATCH_PREFIX) {
            continue;
        }

        prefix = entries[i].page;
        len = prefix.len - (prefix.data[prefix.len - 1] == '/');

        if (len > page.len || memcmp(prefix.data, page.data, len) != 0
            || (len < page.len && page.data[len] != '/'))
        {
            continue;
        }

        if (prefix.len > longest) {
            longest = prefix.len;
            set.n = 0;
        }

        if (prefix.len == longest) {
            set.links[set.n++] = &entries[i];
        }
    }

    return naive_resolve(v, &set, RFL_EVIDENCE_PREFIX, answer);
}


/* An origin: the host's page links by their targets. */

static int
naive_landing(const view_t *v, answer_t *answer)
{
    set_t   set;
    size_t  i;

    set.n = 0;

    for (i = 0; i < nentries; i++) {
        if (entries[i].there && is_page(&entries[i])
            && rfl_str_eq(entries[i].host, rfl_str(v->surt.buf,
                                                   v->surt.host_len)))
        {
            set.links[set.n++] = &entries[i];
        }
    }

    return naive_by_target(v, &set, RFL_EVIDENCE_LANDING, answer);
}


static int
naive_domain(const view_t *v, answer_t *answer)
{
    set_t      set;
    size_t     i, longest;
    rfl_str_t  host;

    if (v->surt.is_address || v->surt.is_app) {
        return 0;
    }

    host = rfl_str(v->surt.buf, v->surt.host_len);
    longest = 0;
    set.n = 0;

    for (i = 0; i < nentries; i++) {

        if (!entries[i].there || entries[i].type != RFL_MATCH_DOMAIN
            || !is_below(host, entries[i].host)
            || entries[i].host.len < longest)
        {
            continue;
        }

        if (entries[i].host.len > longest) {
            longest = entries[i].host.len;
            set.n = 0;
        }

        set.links[set.n++] = &entries[i];
    }

    return naive_resolve(v, &set, RFL_EVIDENCE_DOMAIN, answer);
}


/* Links with one source. */

static int
naive_resolve(const view_t *v, const set_t *set, rfl_evidence_t evidence,
    answer_t *answer)
{
    if (set->n == 0) {
        return 0;
    }

    if (set->n == 1 && (set->links[0]->target.len == 0
                        || !is_page(set->links[0])))
    {
        return naive_found(set, evidence, answer);
    }

    if (naive_by_target(v, set, evidence, answer)) {
        return 1;
    }

    (void) naive_found(set, evidence, answer);
    answer->other_landing = (set->n == 1);

    return 1;
}


/* The best form of the landing that is a target; else those without one. */

static int
naive_by_target(const view_t *v, const set_t *set, rfl_evidence_t evidence,
    answer_t *answer)
{
    size_t     i, form;
    set_t      part;
    rfl_str_t  target;

    for (form = 0; form <= v->nforms; form++) {
        target = form < v->nforms ? v->forms[form] : rfl_str(NULL, 0);
        part.n = 0;

        for (i = 0; i < set->n; i++) {
            if (rfl_str_eq(set->links[i]->target, target)) {
                part.links[part.n++] = set->links[i];
            }
        }

        if (part.n != 0) {
            return naive_found(&part, evidence, answer);
        }
    }

    return 0;
}


static int
naive_found(const set_t *set, rfl_evidence_t evidence, answer_t *answer)
{
    answer->other_landing = 0;

    if (set->n == 1) {
        answer->outcome = RFL_OUTCOME_MATCHED;
        answer->evidence = evidence;
        answer->id = set->links[0]->id;
        return 1;
    }

    answer->outcome = RFL_OUTCOME_AMBIGUOUS;
    answer->evidence = RFL_EVIDENCE_NONE;
    answer->group = *set;

    return 1;
}


static void
find_forms(view_t *v)
{
    int        with_query;
    rfl_url_t  landing;

    v->nforms = 0;

    rfl_url_parse_target(v->request->landing, &landing);

    for (with_query = 2; with_query >= 0; with_query--) {
        add_form(v, &landing, with_query == 1 ? v->request->tag_names : NULL,
                 1, with_query);
        add_form(v, &landing, with_query == 1 ? v->request->tag_names : NULL,
                 0, with_query);
    }
}


static void
add_form(view_t *v, const rfl_url_t *landing, const rfl_names_t *without,
    int with_host, int with_query)
{
    size_t     n, path_len, len;
    u_char    *text;
    rfl_rc_t   rc;
    rfl_url_t  site;

    text = v->texts[v->nforms];
    n = 0;

    if (with_host) {
        if (rfl_url_parse_host(v->request->host, &site, NULL) != RFL_OK) {
            return;
        }

        n = rfl_surt_host(&site, text);
        text[n++] = ')';
    }

    rc = rfl_surt_landing(landing, without, SIZE_MAX, text + n, &path_len,
                          &len);

    if (path_len == 0 || (with_query && rc != RFL_OK)) {
        return;
    }

    if (!with_query) {
        len = path_len;

    } else if (len == path_len) {
        return;
    }

    v->forms[v->nforms++] = rfl_str(text, n + len);
}


static int
next_tag(const rfl_names_t *names, rfl_str_t *query, u_char *buf,
    rfl_str_t *tag)
{
    size_t     len, at;
    u_char     name[64], value[256];
    rfl_str_t  arg;

    while (query->len != 0) {

        for (len = 0; len < query->len && query->data[len] != '&'; len++) {
            /* to the argument's end */
        }

        arg = rfl_str(query->data, len);
        len += (len < query->len);
        *query = rfl_str(query->data + len, query->len - len);

        for (at = 0; at < arg.len && arg.data[at] != '='; at++) {
            /* to its name's end */
        }

        if (at == arg.len || arg.len > sizeof(name)) {
            continue;
        }

        len = decode(rfl_str(arg.data, at), name);

        if (!rfl_str_eq(rfl_str(name, len), names->names[0])) {
            continue;
        }

        len = decode(rfl_str(arg.data + at + 1, arg.len - at - 1), value);

        if (len != 0 && len <= RFL_TAG_MAX) {
            memcpy(buf, value, len);
            *tag = rfl_str(buf, len);
            return 1;
        }
    }

    return 0;
}


static size_t
decode(rfl_str_t s, u_char *out)
{
    size_t    i, n;
    unsigned  c;

    for (i = 0, n = 0; i < s.len; n++) {

        if (s.data[i] == '%' && s.len - i >= 3
            && sscanf((const char *) s.data + i + 1, "%2x",
                      &c) == 1)
        {
            out[n] = (u_char) c;
            i += 3;

        } else {
            out[n] = s.data[i++];
        }
    }

    return n;
}


static int
is_page(const entry_t *e)
{
    return e->type == RFL_MATCH_EXACT || e->type == RFL_MATCH_PREFIX
           || e->type == RFL_MATCH_REGEX;
}


static int
is_below(rfl_str_t host, rfl_str_t domain)
{
    return domain.len <= host.len
           && memcmp(host.data, domain.data, domain.len) == 0
           && (domain.len == host.len || host.data[domain.len] == ',');
}


static rfl_str_t
pick(fuzz_input_t *in, const char *const *words, size_t n)
{
    return rfl_cstr(words[fuzz_byte(in) % n]);
}


static rfl_str_t
join(rfl_str_t a, rfl_str_t b)
{
    u_char  text[256];

    memcpy(text, a.data, a.len);
    memcpy(text + a.len, b.data, b.len);

    return fuzz_copy(rfl_str(text, a.len + b.len));
}
