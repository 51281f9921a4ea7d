/*
 * Regular expressions of people who register links, over Referers of
 * strangers: whatever both are, compiling is refused with a reason and a match
 * ends soon.  A pattern from the cache answers as a fresh one does.
 *
 * Input: a pattern; the rest is the subject.
 */

#include "fuzz.h"
#include "rfl_identity.h"
#include "rfl_pattern.h"


static void check_cached(rfl_str_t text, rfl_str_t subject, rfl_rc_t wanted);
static void check_source(rfl_str_t text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rfl_rc_t        rc;
    rfl_str_t       text, subject;
    rfl_error_t     err;
    fuzz_input_t    in;
    rfl_pattern_t  *pattern;

    in = fuzz_input(data, size);
    text = fuzz_line(&in);
    subject = fuzz_rest(&in);

    err.text[0] = '\0';
    rc = rfl_pattern_compile(&pattern, text, &err);

    if (rc == RFL_OK) {
        fuzz_check(text.len <= RFL_PATTERN_MAX);

        rc = rfl_pattern_match(pattern, subject);
        fuzz_check(rc == RFL_OK || rc == RFL_NOT_FOUND || rc == RFL_FULL);
        fuzz_check(rfl_pattern_match(pattern, subject) == rc);

        rfl_pattern_free(pattern);

        check_cached(text, subject, rc);

    } else {
        fuzz_check(rc == RFL_INVALID && err.text[0] != '\0');
    }

    check_source(text);
    fuzz_free();

    return 0;
}


/* With room for two patterns the third takes the place of one. */

static void
check_cached(rfl_str_t text, rfl_str_t subject, rfl_rc_t wanted)
{
    uint32_t         id;
    rfl_pattern_t   *pattern;
    rfl_patterns_t  *cache;

    cache = rfl_patterns_create(2);
    fuzz_check(cache != NULL);

    for (id = 1; id <= 3; id++) {
        fuzz_check(rfl_patterns_find(cache, id) == NULL);
        fuzz_check(rfl_patterns_add(cache, id, text, &pattern, NULL)
                   == RFL_OK);
        fuzz_check(rfl_patterns_find(cache, id) == pattern);
        fuzz_check(rfl_pattern_match(pattern, subject) == wanted);
    }

    fuzz_check(rfl_patterns_find(cache, 1) == NULL);
    fuzz_check(rfl_patterns_find(cache, 2) != NULL);

    rfl_patterns_free(cache);
}


/* As the source of a regex link; its pattern is a slice of it. */

static void
check_source(rfl_str_t text)
{
    rfl_str_t              pattern;
    rfl_link_t             link;
    rfl_error_t            err;
    static rfl_identity_t  id;

    pattern = rfl_identity_pattern(text);

    fuzz_check(pattern.len == 0
               || (pattern.data >= text.data && pattern.data[0] == '/'
                   && pattern.data + pattern.len <= text.data + text.len));

    memset(&link, 0, sizeof(rfl_link_t));
    link.match_type = RFL_MATCH_REGEX;
    link.source = text;

    if (rfl_identity(&link, &id, &err) == RFL_OK) {
        fuzz_check(pattern.len != 0 && pattern.len <= RFL_PATTERN_MAX);
        fuzz_check(id.source.buf[id.source.host_len] == ')');
        fuzz_check(rfl_str_eq(pattern,
                              rfl_str(id.source.buf + id.source.path_start,
                                      id.source.path_len)));
    }
}
