/*
 * Regular expressions over full Referers; the one file that knows PCRE2.
 *
 * A pattern must not be able to stall a server: match limit
 * RFL_PATTERN_MATCH_LIMIT (less where a match can begin at many places),
 * depth and heap limits in a match context of our own, subject cut at
 * RFL_PATTERN_SUBJECT_MAX, pattern size limited.  ^(a+)+$ blocked 131 ms
 * without the limit, 0.02 ms with it.
 *
 * Patterns are plain PCRE2 over bytes: searched for (not anchored), case
 * matters unless the pattern says "(?i)", UTF is off and cannot be turned on.
 * Where the system refuses executable memory, the interpreter runs them; it
 * counts its steps otherwise than compiled code, so that only a pattern at
 * its limit may be answered differently.
 */

#ifndef RFL_PATTERN_H
#define RFL_PATTERN_H

#include "rfl_base.h"


#define RFL_PATTERN_MAX          1024    /* bytes of a pattern */
#define RFL_PATTERN_MATCH_LIMIT  10000
#define RFL_PATTERN_SUBJECT_MAX  1024
#define RFL_PATTERNS_PER_HOST    1000

/*
 * So many of a request's patterns may hit their limit: the host's other ones
 * are not tried then.
 */

#define RFL_PATTERN_FAULTS_MAX   2


typedef struct rfl_pattern_s  rfl_pattern_t;


/* RFL_INVALID: err has the position and PCRE2's reason.  RFL_NO_MEMORY. */

rfl_rc_t rfl_pattern_compile(rfl_pattern_t **pp, rfl_str_t text,
    rfl_error_t *err);
void rfl_pattern_free(rfl_pattern_t *p);         /* NULL is allowed */

/* RFL_OK, RFL_NOT_FOUND, or RFL_FULL: a limit was hit, which is a miss to be
 * counted. */

rfl_rc_t rfl_pattern_match(rfl_pattern_t *p, rfl_str_t subject);


/*
 * Compiled patterns of a process by link id; bounded (least recently used
 * goes).  An id has one pattern for ever, since a link's source never changes,
 * but only in one registry: the cache is dropped as a whole when the registry
 * is opened anew.  One thread only.  NULL: no memory.
 *
 * With more regex links than max, strangers who choose their Referer can make
 * a process compile again and again (5 us each, more for large patterns).
 */

typedef struct rfl_patterns_s  rfl_patterns_t;

rfl_patterns_t *rfl_patterns_create(size_t max);         /* max > 0 */
void rfl_patterns_free(rfl_patterns_t *cache);           /* NULL is allowed */

/*
 * find: the compiled pattern or NULL.  add: compiles what find did not find;
 * errors are rfl_pattern_compile()'s.  The pattern is owned by the cache and
 * valid until the next add.
 */

rfl_pattern_t *rfl_patterns_find(rfl_patterns_t *cache, uint32_t id);
rfl_rc_t rfl_patterns_add(rfl_patterns_t *cache, uint32_t id, rfl_str_t text,
    rfl_pattern_t **pp, rfl_error_t *err);


#endif /* RFL_PATTERN_H */
