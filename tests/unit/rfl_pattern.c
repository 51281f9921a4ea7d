/*
 * Patterns: plain PCRE2 without surprises, answers within a bounded time, and
 * a cache that gives the pattern that was asked for.
 */

#include "rfl_pattern.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"


#define TRIES       20               /* the quickest counts */
#define LIMIT_NS    1000000          /* 1 ms */

#define CACHE_IDS   40
#define CACHE_STEPS 2000


typedef struct {
    const char  *pattern;
    const char  *subject;
    rfl_rc_t     wanted;
} match_row_t;

typedef struct {
    const char  *pattern;
    const char  *message;
} refuse_row_t;

typedef struct {
    const char  *pattern;
    const char  *unit;               /* repeated, then end */
    const char  *end;
    int          is_counted;         /* it hits the limit of steps */
} slow_row_t;


/* Each also with the interpreter: "(*NO_JIT)" in front. */

static const match_row_t  match_rows[] = {
    { "/20\\d\\d/", "https://a.example/2024/launch", RFL_OK },
    { "/20\\d\\d/", "https://a.example/x/1999/2024/", RFL_OK },
    { "/20\\d\\d/", "https://a.example/2024", RFL_NOT_FOUND },
    { "/20\\d\\d/", "", RFL_NOT_FOUND },
    { "/", "https://a.example", RFL_OK },
    { "", "", RFL_OK },
    { "", "x", RFL_OK },
    { "^https?://a\\.example/$", "https://a.example/", RFL_OK },
    { "^https?://a\\.example/$", "https://a.example/x", RFL_NOT_FOUND },
    { "/p\\.php\\?(.*&)?id=7(&|$)", "https://a.example/p.php?x=1&id=7",
      RFL_OK },
    { "/p\\.php\\?(.*&)?id=7(&|$)", "https://a.example/p.php?id=77",
      RFL_NOT_FOUND },

    /* case matters, unless the pattern says so */

    { "/Blog/", "https://a.example/blog/", RFL_NOT_FOUND },
    { "/(?i)Blog/", "https://a.example/bLOG/", RFL_OK },

    /* captures can be referred to */

    { "/(\\w+)/\\1/", "https://a.example/x/ab/ab/", RFL_OK },
    { "/(\\w+)/\\1/", "https://a.example/x/ab/ac/", RFL_NOT_FOUND },
    { "/(?<y>\\d+)-\\k<y>", "https://a.example/12-12", RFL_OK },

    /* bytes, valid UTF-8 or not */

    { "/caf\xc3\xa9$", "https://a.example/caf\xc3\xa9", RFL_OK },
    { "/caf..$", "https://a.example/caf\xc3\xa9", RFL_OK },
    { "/\\xff", "https://a.example/\xff\xfe", RFL_OK },
    { "/\xff", "https://a.example/\xff", RFL_OK },
    { "/.\\xe9", "https://a.example/\xe9\xe9", RFL_OK },
};


static const refuse_row_t  refuse_rows[] = {
    { "/(", "at byte 2: missing closing parenthesis" },
    { "/a)", "unmatched closing parenthesis" },
    { "/[a", "at byte 3: missing terminating ]" },
    { "/a{2,1}", "numbers out of order" },
    { "/(?:+)", "quantifier does not follow" },
    { "/\\", "\\ at end of pattern" },
    { "/(?<=a*)b", "lookbehind" },
    { "/\\1", "reference to non-existent subpattern" },
    { "(*UTF)/", "using UTF is disabled" },
    { "(*UCP)/", "using UCP is disabled" },
    { "/\\C", "using \\C is disabled" },
};


/* Subjects of the full length, on which each of these backtracks. */

static const slow_row_t  slow_rows[] = {
    { "^(a+)+$", "a", "!", 1 },
    { "(a+)+$", "a", "!", 1 },
    { "/(a+)+$", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "!", 1 },
    { "/(a|aa)+$", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "!", 1 },
    { "/(a|a?)+$", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "!", 1 },
    { "/(\\w+\\s?)*[!]$", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "-!", 1 },

    /* many short runs: each stays below a limit per place */

    { "(a+)+$", "aaaaaaaaaaaa!", "", 1 },
    { "/(a+)+$", "/aaaaaaaaaaa!", "", 1 },
    { "a{0,90}a{0,90}[!]$", "a", "-!", 1 },
    { "(x+x+)+[yz]", "xxxxxxxxxxxxx-", "", 1 },

    /* what a single character's repeat runs over is no step */

    { "/\\w{0,999}\\w{0,999}\\w{0,999}[-;]", "a", "!", 0 },
    { "/a{0,500}a{0,500}a{0,500}[bc]", "a", "!", 0 },
    { "/.*(?:a{0,60000})[bc]", "a", "!", 0 },
};


static int64_t nanoseconds(void);
static rfl_pattern_t *must_compile(const char *text);
static rfl_rc_t match_guarded(rfl_pattern_t *p, const char *text);


static void
a_pattern_is_searched_for_in_bytes(void **state)
{
    int                 jit;
    char                text[256];
    size_t              i;
    rfl_rc_t            rc;
    rfl_pattern_t      *p;
    const match_row_t  *row;

    for (i = 0; i < sizeof(match_rows) / sizeof(match_rows[0]); i++) {
        row = &match_rows[i];

        for (jit = 0; jit < 2; jit++) {
            snprintf(text, sizeof(text), "%s%s", jit ? "" : "(*NO_JIT)",
                     row->pattern);

            p = must_compile(text);
            rc = match_guarded(p, row->subject);
            rfl_pattern_free(p);

            if (rc != row->wanted) {
                fail_msg("%s on %s: %d", text, row->subject, rc);
            }
        }
    }
}


static void
a_pattern_that_is_none_is_refused_with_position_and_reason(void **state)
{
    size_t               i;
    rfl_error_t          err;
    rfl_pattern_t       *p;
    const refuse_row_t  *row;

    for (i = 0; i < sizeof(refuse_rows) / sizeof(refuse_rows[0]); i++) {
        row = &refuse_rows[i];

        assert_int_equal(rfl_pattern_compile(&p,
                             rfl_str(guard_copy(row->pattern,
                                                strlen(row->pattern)),
                                     strlen(row->pattern)), &err),
                         RFL_INVALID);
        assert_null(p);

        if (strstr(err.text, row->message) == NULL) {
            fail_msg("%s says: %s", row->pattern, err.text);
        }
    }

    assert_int_equal(rfl_pattern_compile(&p, rfl_cstr("/("), NULL),
                     RFL_INVALID);

    guard_free_all();
}


static void
a_pattern_has_up_to_1024_bytes(void **state)
{
    char            text[RFL_PATTERN_MAX + 1];
    rfl_error_t     err;
    rfl_pattern_t  *p;

    memset(text, 'a', sizeof(text));
    text[0] = '/';

    assert_int_equal(rfl_pattern_compile(&p, rfl_str(text, RFL_PATTERN_MAX),
                                         &err), RFL_OK);
    assert_int_equal(rfl_pattern_match(p, rfl_str(text, RFL_PATTERN_MAX)),
                     RFL_OK);
    assert_int_equal(rfl_pattern_match(p, rfl_str(text, RFL_PATTERN_MAX - 1)),
                     RFL_NOT_FOUND);
    rfl_pattern_free(p);

    assert_int_equal(rfl_pattern_compile(&p, rfl_str(text,
                                                     RFL_PATTERN_MAX + 1),
                                         &err), RFL_INVALID);
    assert_non_null(strstr(err.text, "1024 bytes"));
}


static void
where_a_subject_is_cut_is_no_end(void **state)
{
    char            subject[RFL_PATTERN_SUBJECT_MAX + 2];
    rfl_pattern_t  *p;

    memset(subject, 'a', sizeof(subject));
    subject[0] = '/';

    p = must_compile("/a+$");

    assert_int_equal(rfl_pattern_match(p, rfl_str(subject,
                                                  RFL_PATTERN_SUBJECT_MAX)),
                     RFL_OK);
    assert_int_not_equal(rfl_pattern_match(p,
                                           rfl_str(subject,
                                                   RFL_PATTERN_SUBJECT_MAX
                                                   + 1)),
                         RFL_OK);

    rfl_pattern_free(p);
}


static void
of_a_subject_the_first_bytes_count(void **state)
{
    char            subject[RFL_PATTERN_SUBJECT_MAX + 2];
    rfl_pattern_t  *p;

    memset(subject, 'a', sizeof(subject));

    p = must_compile("/b");

    memcpy(subject + RFL_PATTERN_SUBJECT_MAX - 2, "/b", 2);
    assert_int_equal(rfl_pattern_match(p, rfl_str(subject, sizeof(subject))),
                     RFL_OK);

    memcpy(subject + RFL_PATTERN_SUBJECT_MAX - 2, "a/b", 3);
    assert_int_equal(rfl_pattern_match(p, rfl_str(subject, sizeof(subject))),
                     RFL_NOT_FOUND);

    rfl_pattern_free(p);
}


/* valgrind runs PCRE2 twenty times slower, and not the processor's JIT. */

static void
catastrophic_backtracking_ends_within_a_millisecond(void **state)
{
    int                jit;
    char               text[256], subject[2 * RFL_PATTERN_SUBJECT_MAX];
    size_t             i, len;
    int64_t            start, took, best;
    rfl_rc_t           rc;
    unsigned           try;
    rfl_pattern_t     *p;
    const slow_row_t  *row;

    for (i = 0; i < sizeof(slow_rows) / sizeof(slow_rows[0]); i++) {
        row = &slow_rows[i];

        for (len = 0; len < RFL_PATTERN_SUBJECT_MAX - 60; /* void */ ) {
            len += (size_t) snprintf(subject + len, sizeof(subject) - len,
                                     "%s", row->unit);
        }

        len += (size_t) snprintf(subject + len, sizeof(subject) - len, "%s",
                                 row->end);

        for (jit = 0; jit < 2; jit++) {
            snprintf(text, sizeof(text), "%s%s", jit ? "" : "(*NO_JIT)",
                     row->pattern);

            p = must_compile(text);
            rc = RFL_OK;
            best = INT64_MAX;

            for (try = 0; try < TRIES; try++) {
                start = nanoseconds();
                rc = rfl_pattern_match(p, rfl_str(subject, len));
                took = nanoseconds() - start;

                if (took < best) {
                    best = took;
                }
            }

            rfl_pattern_free(p);

            if (rc != RFL_FULL && row->is_counted) {
                fail_msg("%s: %d, not its limit", text, rc);
            }

            if (rc == RFL_OK) {
                fail_msg("%s: it matches", text);
            }

            if (best >= LIMIT_NS && getenv("VALGRIND") == NULL) {
                fail_msg("%s: %lld ns", text, (long long) best);
            }
        }
    }
}


/* What ordinary patterns need on a long Referer is far below the limits. */

static void
ordinary_patterns_do_not_reach_the_limits(void **state)
{
    int             jit;
    char            text[256], subject[RFL_PATTERN_SUBJECT_MAX + 1];
    size_t          i, k, len;
    rfl_pattern_t  *p;

    static const char *const  patterns[] = {
        "/[^?]*\\?(.*&)?id=\\d+",
        "/(blog|news|press)/.*id=\\d+$",
        "/([a-z0-9-]+/)+[^/]*id=\\d+",
        "/.*/.*id=\\d+",
        "/(?:[^/?]+/)*[^?]*\\?\\S*id=\\d+",
    };

    for (k = 100; k <= RFL_PATTERN_SUBJECT_MAX; k *= 2) {

        len = (size_t) snprintf(subject, sizeof(subject),
                                "https://a.example/blog/");

        while (len < k - 10) {
            subject[len] = len % 97 == 0 ? '/' : 'a';
            len++;
        }

        len += (size_t) snprintf(subject + len, sizeof(subject) - len,
                                 "?id=5");

        for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
            for (jit = 0; jit < 2; jit++) {
                snprintf(text, sizeof(text), "%s%s", jit ? "" : "(*NO_JIT)",
                         patterns[i]);

                p = must_compile(text);

                if (rfl_pattern_match(p, rfl_str(subject, len)) != RFL_OK) {
                    fail_msg("%s on %zu bytes", text, len);
                }

                rfl_pattern_free(p);
            }
        }
    }
}


/* After a limit the same pattern, and its cache's others, match as before. */

static void
a_limit_that_was_hit_is_forgotten(void **state)
{
    char             subject[1024];
    rfl_pattern_t   *slow, *other;
    rfl_patterns_t  *cache;

    memset(subject, 'a', sizeof(subject));
    subject[sizeof(subject) - 1] = '!';

    cache = rfl_patterns_create(4);
    assert_non_null(cache);

    assert_int_equal(rfl_patterns_add(cache, 1, rfl_cstr("^(a+)+$"), &slow,
                                      NULL), RFL_OK);
    assert_int_equal(rfl_patterns_add(cache, 2, rfl_cstr("aaa!"), &other,
                                      NULL), RFL_OK);

    assert_int_equal(rfl_pattern_match(slow, rfl_str(subject,
                                                     sizeof(subject))),
                     RFL_FULL);
    assert_int_equal(rfl_pattern_match(other, rfl_str(subject,
                                                      sizeof(subject))),
                     RFL_OK);
    assert_int_equal(rfl_pattern_match(slow, rfl_cstr("aaaa")), RFL_OK);

    rfl_patterns_free(cache);
}


/* mmap() and mprotect() with PROT_EXEC fail, as under SELinux. */

static int
refuse_executable_memory(void)
{
    struct sock_filter  code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    };
    struct sock_fprog   program = { sizeof(code) / sizeof(code[0]), code };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
        || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    {
        return 0;
    }

    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}


static int
child_matches(void)
{
    size_t          i;
    rfl_rc_t        rc;
    rfl_pattern_t  *p;

    if (!refuse_executable_memory()) {
        return 77;
    }

    for (i = 0; i < sizeof(match_rows) / sizeof(match_rows[0]); i++) {

        if (rfl_pattern_compile(&p, rfl_cstr(match_rows[i].pattern), NULL)
            != RFL_OK)
        {
            return 1;
        }

        rc = rfl_pattern_match(p, rfl_cstr(match_rows[i].subject));
        rfl_pattern_free(p);

        if (rc != match_rows[i].wanted) {
            return 2;
        }
    }

    return 0;
}


/* In a child: a filter stays, and PCRE2 remembers that it may not compile. */

static void
where_no_memory_may_be_executed_patterns_match_all_the_same(void **state)
{
    int    status;
    pid_t  pid;

    if (getenv("VALGRIND") != NULL) {
        skip();                          /* it executes what it makes itself */
    }

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        _exit(child_matches());
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));

    if (WEXITSTATUS(status) == 77) {
        skip();
    }

    assert_int_equal(WEXITSTATUS(status), 0);
}


static void
the_cache_keeps_what_was_used_last(void **state)
{
    rfl_pattern_t   *p, *found;
    rfl_patterns_t  *cache;

    cache = rfl_patterns_create(2);
    assert_non_null(cache);

    assert_null(rfl_patterns_find(cache, 1));

    assert_int_equal(rfl_patterns_add(cache, 1, rfl_cstr("/1"), &p, NULL),
                     RFL_OK);
    assert_int_equal(rfl_patterns_add(cache, 3, rfl_cstr("/3"), &found, NULL),
                     RFL_OK);
    assert_ptr_equal(rfl_patterns_find(cache, 1), p);

    /* 3 goes: it was not used for longest; 5 has the same bucket */

    assert_int_equal(rfl_patterns_add(cache, 5, rfl_cstr("/5"), &found, NULL),
                     RFL_OK);
    assert_ptr_equal(rfl_patterns_find(cache, 1), p);
    assert_null(rfl_patterns_find(cache, 3));
    assert_ptr_equal(rfl_patterns_find(cache, 5), found);

    /* what does not compile takes nobody's place */

    assert_int_equal(rfl_patterns_add(cache, 7, rfl_cstr("/("), &found, NULL),
                     RFL_INVALID);
    assert_null(found);
    assert_null(rfl_patterns_find(cache, 7));
    assert_ptr_equal(rfl_patterns_find(cache, 1), p);
    assert_non_null(rfl_patterns_find(cache, 5));

    rfl_patterns_free(cache);
    rfl_patterns_free(NULL);
    rfl_pattern_free(NULL);
}


/* The model: when each id was last used. */

static void
random_use_of_the_cache_agrees_with_a_naive_model(void **state)
{
    char             text[32];
    size_t           max, kept, i;
    uint32_t         id;
    uint64_t         used[CACHE_IDS], step, oldest, random;
    rfl_pattern_t   *p;
    rfl_patterns_t  *cache;

    random = 88172645463325252u;

    for (max = 1; max <= 33; max += 8) {

        cache = rfl_patterns_create(max);
        assert_non_null(cache);
        memset(used, 0, sizeof(used));

        for (step = 1; step < CACHE_STEPS; step++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;

            id = (uint32_t) (random % CACHE_IDS);
            p = rfl_patterns_find(cache, id);

            assert_int_equal(p != NULL, used[id] != 0);

            if (p == NULL) {
                snprintf(text, sizeof(text), "^%u$", id);
                assert_int_equal(rfl_patterns_add(cache, id, rfl_cstr(text),
                                                  &p, NULL), RFL_OK);

                for (i = 0, kept = 0, oldest = 0; i < CACHE_IDS; i++) {
                    kept += used[i] != 0;

                    if (used[i] != 0
                        && (used[oldest] == 0 || used[i] < used[oldest]))
                    {
                        oldest = i;
                    }
                }

                if (kept == max) {
                    used[oldest] = 0;
                }
            }

            used[id] = step;

            snprintf(text, sizeof(text), "%u", id);
            assert_int_equal(rfl_pattern_match(p, rfl_cstr(text)), RFL_OK);
        }

        rfl_patterns_free(cache);
    }
}


static int64_t
nanoseconds(void)
{
    struct timespec  now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}


static rfl_pattern_t *
must_compile(const char *text)
{
    rfl_error_t     err;
    rfl_pattern_t  *p;

    if (rfl_pattern_compile(&p, rfl_cstr(text), &err) != RFL_OK) {
        fail_msg("%s: %s", text, err.text);
    }

    return p;
}


static rfl_rc_t
match_guarded(rfl_pattern_t *p, const char *text)
{
    rfl_rc_t  rc;

    rc = rfl_pattern_match(p, rfl_str(guard_copy(text, strlen(text)),
                                      strlen(text)));
    guard_free_all();

    return rc;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_pattern_is_searched_for_in_bytes),
        cmocka_unit_test(
                  a_pattern_that_is_none_is_refused_with_position_and_reason),
        cmocka_unit_test(a_pattern_has_up_to_1024_bytes),
        cmocka_unit_test(where_a_subject_is_cut_is_no_end),
        cmocka_unit_test(of_a_subject_the_first_bytes_count),
        cmocka_unit_test(catastrophic_backtracking_ends_within_a_millisecond),
        cmocka_unit_test(ordinary_patterns_do_not_reach_the_limits),
        cmocka_unit_test(a_limit_that_was_hit_is_forgotten),
        cmocka_unit_test(
                 where_no_memory_may_be_executed_patterns_match_all_the_same),
        cmocka_unit_test(the_cache_keeps_what_was_used_last),
        cmocka_unit_test(random_use_of_the_cache_agrees_with_a_naive_model)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
