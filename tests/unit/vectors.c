/*
 * The vectors of tests/vectors against core: requests with the outcome,
 * evidence, class and link they must have, and why.  The command and a real
 * nginx answer the same rows.
 *
 * links.csv is the registry.  A row's link is a link's name; of an ambiguous
 * request it is the names of the group's links, joined by "+".  Empty fields:
 * no such header; no own hosts or further server names; tags: the argument
 * "ref"; bot: the built-in rules; status 200; class, evidence and link: none.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>
#include <cmocka.h>

#include "rfl_agent.h"
#include "rfl_attribution.h"
#include "rfl_class.h"
#include "rfl_csv.h"


#define DIRECTORY     "tests/vectors"
#define MAP_SIZE      (64u << 20)
#define HOSTS_MAX     16
#define LINKS_MAX     256
#define PATTERNS_MAX  64
#define LINK_NAME     64
#define NAMES_TEXT    512
#define VECTORS_MIN   150


typedef enum {
    C_NAME = 0,
    C_METHOD,
    C_HOST,
    C_LANDING,
    C_REFERER,
    C_USER_AGENT,
    C_SEC_FETCH_SITE,
    C_SEC_FETCH_MODE,
    C_SEC_FETCH_DEST,
    C_SEC_FETCH_USER,
    C_SEC_PURPOSE,
    C_HEADERS,
    C_STATUS,
    C_LOCATION,
    C_OWN_HOSTS,
    C_SERVER_NAMES,
    C_TAGS,
    C_BOT,
    C_OUTCOME,
    C_EVIDENCE,
    C_CLASS,
    C_LINK,
    C_WHY,
    C_COLUMNS
} column_t;


static const char *const  columns[C_COLUMNS] = {
    "name", "method", "host", "landing", "referer", "user_agent",
    "sec_fetch_site", "sec_fetch_mode", "sec_fetch_dest", "sec_fetch_user",
    "sec_purpose", "headers", "status", "location", "own_hosts",
    "server_names", "tags", "bot", "outcome", "evidence", "class", "link",
    "why"
};

static const char *const  link_columns[] = {
    "name", "match_type", "source", "target", "tag"
};


typedef struct {
    rfl_own_host_t   hosts[HOSTS_MAX];
    u_char           names[HOSTS_MAX][RFL_HOST_MAX];
    rfl_own_hosts_t  list;
} hosts_t;

typedef struct {
    char                 dir[64];
    rfl_registry_t      *registry;
    rfl_patterns_t      *patterns;
    rfl_agent_cache_t   *agents;
    uint32_t             ids[LINKS_MAX];
    size_t               nlinks;
    size_t               nvectors;
    size_t               nwrong;
    unsigned             outcomes[RFL_OUTCOMES];
    unsigned             evidences[RFL_EVIDENCES + 1];
    unsigned             classes[RFL_CLASSES + 1];
} site_t;

typedef struct {
    rfl_attribution_t  attribution;
    rfl_class_t        class;
    const char        *why;
    char               link[NAMES_TEXT];
} answer_t;


static site_t            site;
static rfl_csv_reader_t  reader;


static ssize_t
read_file(void *data, u_char *buf, size_t size)
{
    return read(*(int *) data, buf, size);
}


/* Opens a file of vectors and checks its first row. */

static int
open_csv(const char *file, int *fd, const char *const *names, size_t n)
{
    char              path[256];
    size_t            i, found;
    uint64_t          line;
    rfl_error_t       err;
    const rfl_str_t  *fields;

    (void) snprintf(path, sizeof(path), "%s/%s.csv", DIRECTORY, file);

    *fd = open(path, O_RDONLY);

    if (*fd == -1) {
        fail_msg("%s cannot be opened; run this where the project is", path);
    }

    rfl_csv_init(&reader, ',', read_file, fd);

    assert_int_equal(rfl_csv_next(&reader, &fields, &found, &line, &err),
                     RFL_OK);
    assert_int_equal(found, n);

    for (i = 0; i < n; i++) {
        assert_true(rfl_str_eq(fields[i], rfl_cstr(names[i])));
    }

    return 1;
}


static int
next_row(const rfl_str_t **fields, size_t wanted, uint64_t *line)
{
    size_t       n;
    rfl_rc_t     rc;
    rfl_error_t  err;

    rc = rfl_csv_next(&reader, fields, &n, line, &err);

    if (rc == RFL_NOT_FOUND) {
        return 0;
    }

    if (rc != RFL_OK) {
        fail_msg("line %llu: %s", (unsigned long long) *line, err.text);
    }

    if (n != wanted) {
        fail_msg("line %llu: %zu fields, wanted %zu",
                 (unsigned long long) *line, n, wanted);
    }

    return 1;
}


static void
add_link(const rfl_str_t *fields)
{
    rfl_rc_t     rc;
    rfl_link_t   link;
    rfl_error_t  err;

    memset(&link, 0, sizeof(rfl_link_t));

    assert_int_equal(rfl_match_type_parse(fields[1], &link.match_type, &err),
                     RFL_OK);

    link.name = fields[0];
    link.source = fields[2];
    link.target = fields[3];
    link.tag = fields[4];

    rc = rfl_registry_add(site.registry, &link, 1, &err);

    if (rc != RFL_OK) {
        fail_msg("%.*s: %s", (int) link.name.len, link.name.data, err.text);
    }

    assert_in_range(site.nlinks, 0, LINKS_MAX - 1);
    site.ids[site.nlinks++] = link.id;
}


static int
setup(void **state)
{
    int               fd;
    uint64_t          line;
    rfl_error_t       err;
    const rfl_str_t  *fields;

    (void) snprintf(site.dir, sizeof(site.dir), "/tmp/rfl-XXXXXX");
    assert_non_null(mkdtemp(site.dir));

    if (rfl_registry_open(&site.registry, site.dir,
                          RFL_STORE_WRITE | RFL_STORE_CREATE, MAP_SIZE, &err)
        != RFL_OK)
    {
        fail_msg("%s", err.text);
    }

    site.patterns = rfl_patterns_create(PATTERNS_MAX);
    assert_non_null(site.patterns);

    site.agents = rfl_agent_cache_create();
    assert_non_null(site.agents);

    open_csv("links", &fd, link_columns, 5);

    assert_int_equal(rfl_registry_begin(site.registry, 1, &err), RFL_OK);

    while (next_row(&fields, 5, &line)) {
        add_link(fields);
    }

    assert_int_equal(rfl_registry_commit(site.registry, &err), RFL_OK);

    (void) close(fd);

    return 0;
}


static int
teardown(void **state)
{
    char  command[80];

    rfl_agent_cache_free(site.agents);
    rfl_patterns_free(site.patterns);
    rfl_registry_close(site.registry);

    (void) snprintf(command, sizeof(command), "rm -rf %s", site.dir);

    return system(command);
}


/* Cuts the part before c off text. */

static rfl_str_t
cut(rfl_str_t *text, u_char c)
{
    size_t     i;
    rfl_str_t  head;

    for (i = 0; i < text->len && text->data[i] != c; i++) {
        /* void */
    }

    head = rfl_str(text->data, i);

    if (i < text->len) {
        i++;
    }

    text->data += i;
    text->len -= i;

    return head;
}


static void
read_hosts(rfl_str_t text, hosts_t *hosts)
{
    size_t       n;
    rfl_str_t    host;
    rfl_error_t  err;

    n = 0;

    while (text.len != 0) {
        host = cut(&text, ' ');
        assert_in_range(n, 0, HOSTS_MAX - 1);

        if (rfl_own_host_parse(host, hosts->names[n], &hosts->hosts[n], &err)
            != RFL_OK)
        {
            fail_msg("%s", err.text);
        }

        n++;
    }

    hosts->list.hosts = hosts->hosts;
    hosts->list.n = n;
}


static void
read_tags(rfl_str_t text, rfl_str_t *names, rfl_names_t *list)
{
    list->names = names;
    list->n = 0;

    if (text.len == 0) {
        text = rfl_cstr("ref");
    }

    if (rfl_str_eq(text, rfl_cstr("off"))) {
        return;
    }

    while (text.len != 0) {
        assert_in_range(list->n, 0, HOSTS_MAX - 1);
        names[list->n++] = cut(&text, ' ');
    }
}


/* "Name: value|Name: value"; headers nobody reads are passed over. */

static void
read_headers(rfl_str_t text, rfl_class_input_t *in)
{
    size_t     i;
    rfl_str_t  name, value;

    struct {
        const char  *name;
        rfl_str_t   *field;
    } known[] = {
        { "Accept", &in->accept },
        { "Cache-Control", &in->cache_control },
        { "Range", &in->range },
        { "Purpose", &in->purpose },
        { "X-Purpose", &in->x_purpose },
        { "X-Moz", &in->x_moz }
    };

    while (text.len != 0) {
        value = cut(&text, '|');
        name = cut(&value, ':');
        value = rfl_str_trim(value);

        if (rfl_str_caseeq(name, rfl_cstr("Upgrade"))) {
            in->has_upgrade = 1;
        }

        for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            if (rfl_str_caseeq(name, rfl_cstr(known[i].name))) {
                *known[i].field = value;
            }
        }
    }
}


/* The name of a link, or those of a group's links, as links.csv orders them. */

static void
name_links(const rfl_attribution_t *a, char *out, size_t size)
{
    size_t            i, k, n, len, members;
    rfl_link_t        link;
    rfl_group_t       group;
    rfl_membership_t  groups[RFL_LINK_GROUPS_MAX];

    out[0] = '\0';
    len = 0;
    members = 0;

    if (a->id == 0) {
        return;
    }

    assert_int_equal(rfl_registry_begin(site.registry, 0, NULL), RFL_OK);

    for (i = 0; i < site.nlinks; i++) {
        assert_int_equal(rfl_registry_link(site.registry, site.ids[i], &link),
                         RFL_OK);

        n = 0;

        if (a->outcome == RFL_OUTCOME_AMBIGUOUS) {
            assert_int_equal(rfl_registry_groups(site.registry, &link, groups,
                                                 &n),
                             RFL_OK);
        }

        for (k = 0; k < n && groups[k].group.id != a->id; k++) {
            /* void */
        }

        if (a->outcome == RFL_OUTCOME_AMBIGUOUS ? k < n : link.id == a->id) {
            len += (size_t) snprintf(out + len, size - len, "%s%.*s",
                                     len == 0 ? "" : "+", (int) link.name.len,
                                     link.name.data);
            members++;
        }
    }

    if (a->outcome == RFL_OUTCOME_AMBIGUOUS) {
        assert_int_equal(rfl_registry_group(site.registry, a->id, &group),
                         RFL_OK);
        assert_int_equal(group.links, members);
    }

    rfl_registry_end(site.registry);
}


static unsigned
read_status(rfl_str_t text)
{
    size_t    i;
    unsigned  status;

    status = 0;

    for (i = 0; i < text.len; i++) {
        assert_in_range(text.data[i], '0', '9');
        status = status * 10 + text.data[i] - '0';
    }

    return status;
}


static void
decide(const rfl_str_t *row, answer_t *answer)
{
    int                bot;
    hosts_t            own, servers;
    rfl_str_t          tags[HOSTS_MAX];
    rfl_names_t        names;
    rfl_request_t      request;
    rfl_class_input_t  in;

    memset(&request, 0, sizeof(rfl_request_t));
    memset(&in, 0, sizeof(rfl_class_input_t));

    read_hosts(row[C_OWN_HOSTS], &own);
    read_hosts(row[C_SERVER_NAMES], &servers);
    read_tags(row[C_TAGS], tags, &names);
    read_headers(row[C_HEADERS], &in);

    request.referer = row[C_REFERER];
    request.sec_fetch_site = rfl_class_site(row[C_SEC_FETCH_SITE],
                                            row[C_SEC_FETCH_DEST],
                                            row[C_SEC_FETCH_MODE]);
    request.landing = row[C_LANDING];
    request.host = row[C_HOST];
    request.own_hosts = &own.list;
    request.tag_names = &names;
    request.patterns = site.patterns;

    bot = 0;

    if (!rfl_str_eq(row[C_BOT], rfl_cstr("off"))) {
        assert_int_equal(row[C_BOT].len, 0);
        bot = rfl_agent_is_bot(site.agents, row[C_USER_AGENT]);
    }

    in.method = row[C_METHOD];
    in.sec_purpose = row[C_SEC_PURPOSE];
    in.sec_fetch_dest = row[C_SEC_FETCH_DEST];
    in.sec_fetch_mode = row[C_SEC_FETCH_MODE];
    in.status = read_status(row[C_STATUS]);
    in.is_bot = bot & 1;

    rfl_attribute(site.registry, &request, &answer->attribution, NULL);

    if (in.status >= 300 && in.status < 400 && row[C_LOCATION].len != 0) {
        in.follow_up_matches = rfl_follow_up(site.registry, &request,
                                             row[C_LOCATION], &servers.list)
                               & 1;
    }

    answer->class = RFL_CLASS_NONE;
    answer->why = "this outcome has no class";

    if (rfl_outcome_has_class(answer->attribution.outcome)) {
        answer->class = rfl_classify(&in, &answer->why);
    }

    name_links(&answer->attribution, answer->link, sizeof(answer->link));
}


static int
is(rfl_str_t wanted, rfl_str_t found)
{
    return rfl_str_eq(wanted, found);
}


static void
check(const char *file, uint64_t line, const rfl_str_t *row)
{
    answer_t   answer;
    rfl_str_t  outcome, evidence, class;

    decide(row, &answer);

    outcome = rfl_outcome_names[answer.attribution.outcome];
    evidence = rfl_evidence_names[answer.attribution.evidence];
    class = rfl_class_names[answer.class];

    site.nvectors++;
    site.outcomes[answer.attribution.outcome]++;
    site.evidences[answer.attribution.evidence]++;
    site.classes[answer.class]++;

    assert_false(answer.attribution.lookup_failed);

    if (is(row[C_OUTCOME], outcome) && is(row[C_EVIDENCE], evidence)
        && is(row[C_CLASS], class)
        && is(row[C_LINK], rfl_cstr(answer.link)))
    {
        return;
    }

    site.nwrong++;

    print_error("%s.csv:%llu: %.*s: %.*s\n"
                "    wanted %.*s, %.*s, %.*s, %.*s\n"
                "    is     %s, %s, %s, %s (%s)\n",
                file, (unsigned long long) line,
                (int) row[C_NAME].len, row[C_NAME].data,
                (int) row[C_WHY].len, row[C_WHY].data,
                (int) row[C_OUTCOME].len, row[C_OUTCOME].data,
                (int) row[C_EVIDENCE].len, row[C_EVIDENCE].data,
                (int) row[C_CLASS].len, row[C_CLASS].data,
                (int) row[C_LINK].len, row[C_LINK].data,
                outcome.data, evidence.data, class.data, answer.link,
                answer.why);
}


static void
run(const char *file)
{
    int               fd;
    uint64_t          line;
    const rfl_str_t  *row;

    site.nwrong = 0;

    open_csv(file, &fd, columns, C_COLUMNS);

    while (next_row(&row, C_COLUMNS, &line)) {
        check(file, line, row);
    }

    (void) close(fd);

    assert_int_equal(site.nwrong, 0);
}


static void
outcomes(void **state)
{
    run("outcomes");
}


static void
evidence(void **state)
{
    run("evidence");
}


static void
hosts(void **state)
{
    run("hosts");
}


static void
tags(void **state)
{
    run("tags");
}


static void
browsers(void **state)
{
    run("browsers");
}


static void
classes(void **state)
{
    run("class");
}


static void
redirects(void **state)
{
    run("redirects");
}


/* Last: what the rows above have come to. */

static void
every_outcome_evidence_and_class_has_vectors(void **state)
{
    unsigned  i;

    assert_true(site.nvectors >= VECTORS_MIN);

    for (i = 0; i < RFL_OUTCOMES; i++) {
        if (i != RFL_OUTCOME_SKIPPED) {
            assert_true(site.outcomes[i] > 0);
        }
    }

    for (i = 0; i <= RFL_EVIDENCES; i++) {
        assert_true(site.evidences[i] > 0);
    }

    for (i = 0; i <= RFL_CLASSES; i++) {
        assert_true(site.classes[i] > 0);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(outcomes),
        cmocka_unit_test(evidence),
        cmocka_unit_test(hosts),
        cmocka_unit_test(tags),
        cmocka_unit_test(browsers),
        cmocka_unit_test(classes),
        cmocka_unit_test(redirects),
        cmocka_unit_test(every_outcome_evidence_and_class_has_vectors)
    };

    return cmocka_run_group_tests_name("vectors", tests, setup, teardown);
}
