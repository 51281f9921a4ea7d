/*
 * PCRE2, with limits: the patterns are the operator's, but what they are
 * matched against was chosen by strangers.
 *
 * PCRE2 counts its steps anew at each byte where it begins to search, so its
 * match limit alone bounds no search: (a+)+$ over many short runs of "a"
 * stays below it 150 times.  The limit is therefore RFL_PATTERN_STEPS divided
 * by the places where a match can begin.
 *
 * A match needs a context (the limits) and room for its result.  Both are
 * made once: for a pattern of its own, or for a whole cache.
 */

#include "rfl_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH  8

#include <pcre2.h>

#include <stdlib.h>


/*
 * Beside the match limit these two only bound the interpreter's memory, in
 * KiB: a step takes a frame of about 150 bytes.
 */

#define RFL_PATTERN_DEPTH_LIMIT  RFL_PATTERN_MATCH_LIMIT
#define RFL_PATTERN_HEAP_LIMIT   4096

#define RFL_PATTERN_OPTIONS                                                   \
    (PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C)

#define RFL_PATTERN_MESSAGE_MAX  256

/*
 * Of one search, all in all.  A step is not a byte: PCRE2 does not count those
 * that a repeated single character runs over, so the subject's length bounds
 * the time, too.  The worst patterns found take 0.4 ms with both.
 */

#define RFL_PATTERN_STEPS        (2 * RFL_PATTERN_MATCH_LIMIT)


typedef struct {
    pcre2_match_context  *context;
    pcre2_match_data     *result;
} rfl_pattern_room_t;


/* Where in a subject a match can begin. */

typedef enum {
    RFL_PATTERN_ANYWHERE = 0,
    RFL_PATTERN_AT_START,
    RFL_PATTERN_AT_LINES,
    RFL_PATTERN_AT_BYTE
} rfl_pattern_begin_t;


struct rfl_pattern_s {
    pcre2_code           *code;
    rfl_pattern_begin_t   begin;
    u_char                first;         /* AT_BYTE; in lower case */
    rfl_pattern_room_t   *room;          /* its own, or the cache's */
    rfl_pattern_room_t    own;
};


/* Entries are numbered from 1: 0 is none. */

typedef struct {
    rfl_pattern_t        *pattern;
    uint32_t              id;
    uint32_t              next;          /* of the same bucket */
    uint32_t              newer;
    uint32_t              older;
} rfl_patterns_entry_t;


struct rfl_patterns_s {
    rfl_pattern_room_t     room;
    rfl_patterns_entry_t  *entries;
    uint32_t              *buckets;
    uint32_t               mask;
    uint32_t               n;
    uint32_t               max;
    uint32_t               newest;
    uint32_t               oldest;
};


static int rfl_pattern_run(rfl_pattern_t *p, rfl_str_t subject, size_t places,
    uint32_t options);
static size_t rfl_pattern_places(const rfl_pattern_t *p, rfl_str_t subject);
static rfl_rc_t rfl_pattern_code(rfl_pattern_t *p, rfl_str_t text,
    rfl_error_t *err);
static void rfl_pattern_find_begin(rfl_pattern_t *p);
static rfl_rc_t rfl_pattern_make_room(rfl_pattern_room_t *room);
static void rfl_pattern_free_room(rfl_pattern_room_t *room);

static uint32_t rfl_patterns_entry(rfl_patterns_t *cache);
static void rfl_patterns_forget(rfl_patterns_t *cache, uint32_t n);
static void rfl_patterns_link(rfl_patterns_t *cache, uint32_t n);
static void rfl_patterns_unlink(rfl_patterns_t *cache, uint32_t n);


rfl_rc_t
rfl_pattern_compile(rfl_pattern_t **pp, rfl_str_t text, rfl_error_t *err)
{
    rfl_rc_t        rc;
    rfl_pattern_t  *p;

    *pp = NULL;

    p = calloc(1, sizeof(rfl_pattern_t));
    if (p == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "out of memory");
    }

    p->room = &p->own;

    rc = rfl_pattern_make_room(&p->own);

    if (rc != RFL_OK) {
        (void) rfl_fail(err, rc, "out of memory");

    } else {
        rc = rfl_pattern_code(p, text, err);
    }

    if (rc != RFL_OK) {
        rfl_pattern_free(p);
        return rc;
    }

    *pp = p;

    return RFL_OK;
}


void
rfl_pattern_free(rfl_pattern_t *p)
{
    if (p == NULL) {
        return;
    }

    rfl_pattern_free_room(&p->own);
    pcre2_code_free(p->code);
    free(p);
}


/*
 * First as if a match could begin at each byte, which need not be found out;
 * only who fails at that limit has its places counted.
 */

rfl_rc_t
rfl_pattern_match(rfl_pattern_t *p, rfl_str_t subject)
{
    int       rc;
    size_t    places;
    uint32_t  options;

    options = 0;

    if (subject.len == 0) {
        subject = rfl_cstr("");

    } else if (subject.len > RFL_PATTERN_SUBJECT_MAX) {
        subject.len = RFL_PATTERN_SUBJECT_MAX;
        options = PCRE2_NOTEOL;          /* "$" is not where it was cut */
    }

    rc = rfl_pattern_run(p, subject, subject.len + 1, options);

    if (rc == PCRE2_ERROR_MATCHLIMIT) {
        places = rfl_pattern_places(p, subject);

        if (places < subject.len + 1) {
            rc = rfl_pattern_run(p, subject, places, options);
        }
    }

    if (rc >= 0) {
        return RFL_OK;
    }

    return rc == PCRE2_ERROR_NOMATCH ? RFL_NOT_FOUND : RFL_FULL;
}


/*
 * Compiled code has a stack of 32 KiB and gives up when that is full; the
 * interpreter, which has more, is asked then.  Both are limited.
 */

static int
rfl_pattern_run(rfl_pattern_t *p, rfl_str_t subject, size_t places,
    uint32_t options)
{
    int       rc;
    uint32_t  limit;

    limit = RFL_PATTERN_MATCH_LIMIT;

    if (places > RFL_PATTERN_STEPS / RFL_PATTERN_MATCH_LIMIT) {
        limit = (uint32_t) (RFL_PATTERN_STEPS / places);
    }

    (void) pcre2_set_match_limit(p->room->context, limit);

    rc = pcre2_match(p->code, subject.data, subject.len, 0, options,
                     p->room->result, p->room->context);

    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
        rc = pcre2_match(p->code, subject.data, subject.len, 0,
                         options|PCRE2_NO_JIT,
                         p->room->result, p->room->context);
    }

    return rc;
}


static size_t
rfl_pattern_places(const rfl_pattern_t *p, rfl_str_t subject)
{
    size_t  i, n;

    switch (p->begin) {

    case RFL_PATTERN_AT_START:
        return 1;

    case RFL_PATTERN_AT_LINES:
        for (i = 0, n = 1; i < subject.len; i++) {
            n += (subject.data[i] == '\n');
        }

        return n;

    case RFL_PATTERN_AT_BYTE:
        for (i = 0, n = 0; i < subject.len; i++) {
            n += (rfl_lower(subject.data[i]) == p->first);
        }

        return n != 0 ? n : 1;

    default:
        return subject.len + 1;
    }
}


/* Where there is no JIT, or no memory it may execute, there is none. */

static rfl_rc_t
rfl_pattern_code(rfl_pattern_t *p, rfl_str_t text, rfl_error_t *err)
{
    int         error;
    u_char      message[RFL_PATTERN_MESSAGE_MAX];
    PCRE2_SIZE  position;

    if (text.len > RFL_PATTERN_MAX) {
        return rfl_fail(err, RFL_INVALID, "the pattern is longer than %d "
                        "bytes", RFL_PATTERN_MAX);
    }

    p->code = pcre2_compile(text.len != 0 ? text.data : (const u_char *) "",
                            text.len, RFL_PATTERN_OPTIONS, &error, &position,
                            NULL);

    if (p->code != NULL) {
        rfl_pattern_find_begin(p);
        (void) pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
        return RFL_OK;
    }

    if (error == PCRE2_ERROR_HEAP_FAILED) {
        return rfl_fail(err, RFL_NO_MEMORY, "out of memory");
    }

    if (pcre2_get_error_message(error, message, sizeof(message)) < 0) {
        message[sizeof(message) - 1] = '\0';
    }

    return rfl_fail(err, RFL_INVALID, "the pattern fails at byte %zu: %s",
                    (size_t) position, message);
}


static void
rfl_pattern_find_begin(rfl_pattern_t *p)
{
    uint32_t  options, type, first;

    p->begin = RFL_PATTERN_ANYWHERE;

    if (pcre2_pattern_info(p->code, PCRE2_INFO_ALLOPTIONS, &options) != 0
        || pcre2_pattern_info(p->code, PCRE2_INFO_FIRSTCODETYPE, &type) != 0
        || pcre2_pattern_info(p->code, PCRE2_INFO_FIRSTCODEUNIT, &first) != 0)
    {
        return;
    }

    if (options & PCRE2_ANCHORED) {
        p->begin = RFL_PATTERN_AT_START;

    } else if (type == 1) {
        p->begin = RFL_PATTERN_AT_BYTE;
        p->first = rfl_lower((u_char) first);

    } else if (type == 2) {
        p->begin = RFL_PATTERN_AT_LINES;
    }
}


static rfl_rc_t
rfl_pattern_make_room(rfl_pattern_room_t *room)
{
    room->context = pcre2_match_context_create(NULL);
    room->result = pcre2_match_data_create(1, NULL);

    if (room->context == NULL || room->result == NULL) {
        return RFL_NO_MEMORY;
    }

    (void) pcre2_set_depth_limit(room->context, RFL_PATTERN_DEPTH_LIMIT);
    (void) pcre2_set_heap_limit(room->context, RFL_PATTERN_HEAP_LIMIT);

    return RFL_OK;
}


static void
rfl_pattern_free_room(rfl_pattern_room_t *room)
{
    pcre2_match_data_free(room->result);
    pcre2_match_context_free(room->context);
}


rfl_patterns_t *
rfl_patterns_create(size_t max)
{
    size_t           buckets;
    rfl_patterns_t  *cache;

    cache = calloc(1, sizeof(rfl_patterns_t));
    if (cache == NULL) {
        return NULL;
    }

    if (max > UINT32_MAX / 2) {
        max = UINT32_MAX / 2;
    }

    for (buckets = 1; buckets < max; buckets *= 2) { /* void */ }

    cache->max = (uint32_t) max;
    cache->mask = (uint32_t) (buckets - 1);
    cache->buckets = calloc(buckets, sizeof(uint32_t));
    cache->entries = calloc(max + 1, sizeof(rfl_patterns_entry_t));

    if (cache->buckets == NULL || cache->entries == NULL
        || rfl_pattern_make_room(&cache->room) != RFL_OK)
    {
        rfl_patterns_free(cache);
        return NULL;
    }

    return cache;
}


void
rfl_patterns_free(rfl_patterns_t *cache)
{
    uint32_t  n;

    if (cache == NULL) {
        return;
    }

    for (n = 1; n <= cache->n; n++) {
        rfl_pattern_free(cache->entries[n].pattern);
    }

    rfl_pattern_free_room(&cache->room);
    free(cache->entries);
    free(cache->buckets);
    free(cache);
}


/* Ids are dense: their low bits spread them. */

rfl_pattern_t *
rfl_patterns_find(rfl_patterns_t *cache, uint32_t id)
{
    uint32_t  n;

    for (n = cache->buckets[id & cache->mask]; n != 0;
         n = cache->entries[n].next)
    {
        if (cache->entries[n].id != id) {
            continue;
        }

        if (n != cache->newest) {
            rfl_patterns_unlink(cache, n);
            rfl_patterns_link(cache, n);
        }

        return cache->entries[n].pattern;
    }

    return NULL;
}


rfl_rc_t
rfl_patterns_add(rfl_patterns_t *cache, uint32_t id, rfl_str_t text,
    rfl_pattern_t **pp, rfl_error_t *err)
{
    rfl_rc_t               rc;
    uint32_t               n, *bucket;
    rfl_pattern_t         *p;
    rfl_patterns_entry_t  *entry;

    *pp = NULL;

    p = calloc(1, sizeof(rfl_pattern_t));
    if (p == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "out of memory");
    }

    p->room = &cache->room;

    rc = rfl_pattern_code(p, text, err);
    if (rc != RFL_OK) {
        rfl_pattern_free(p);
        return rc;
    }

    n = rfl_patterns_entry(cache);
    bucket = &cache->buckets[id & cache->mask];

    entry = &cache->entries[n];
    entry->pattern = p;
    entry->id = id;
    entry->next = *bucket;

    *bucket = n;
    rfl_patterns_link(cache, n);

    *pp = p;

    return RFL_OK;
}


/* A free entry; if there is none, the one that was not used for longest. */

static uint32_t
rfl_patterns_entry(rfl_patterns_t *cache)
{
    uint32_t  n;

    if (cache->n < cache->max) {
        return ++cache->n;
    }

    n = cache->oldest;
    rfl_patterns_forget(cache, n);

    return n;
}


static void
rfl_patterns_forget(rfl_patterns_t *cache, uint32_t n)
{
    uint32_t  *p;

    p = &cache->buckets[cache->entries[n].id & cache->mask];

    while (*p != n) {
        p = &cache->entries[*p].next;
    }

    *p = cache->entries[n].next;

    rfl_patterns_unlink(cache, n);
    rfl_pattern_free(cache->entries[n].pattern);
    cache->entries[n].pattern = NULL;
}


static void
rfl_patterns_link(rfl_patterns_t *cache, uint32_t n)
{
    rfl_patterns_entry_t  *entry;

    entry = &cache->entries[n];
    entry->newer = 0;
    entry->older = cache->newest;

    if (cache->newest != 0) {
        cache->entries[cache->newest].newer = n;

    } else {
        cache->oldest = n;
    }

    cache->newest = n;
}


static void
rfl_patterns_unlink(rfl_patterns_t *cache, uint32_t n)
{
    rfl_patterns_entry_t  *entry;

    entry = &cache->entries[n];

    if (entry->newer != 0) {
        cache->entries[entry->newer].older = entry->older;

    } else {
        cache->newest = entry->older;
    }

    if (entry->older != 0) {
        cache->entries[entry->older].newer = entry->newer;

    } else {
        cache->oldest = entry->newer;
    }
}
