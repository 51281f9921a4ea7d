/*
 * The URL parser and the canonical form once more, as machines without vectors
 * have them: a byte at a time.
 */

#ifndef FUZZ_BYTES_H
#define FUZZ_BYTES_H

#include "rfl_surt.h"


rfl_rc_t bytes_url_parse(rfl_str_t text, rfl_url_t *url, const char **why);
rfl_rc_t bytes_url_parse_host(rfl_str_t text, rfl_url_t *url,
    const char **why);
void bytes_url_parse_target(rfl_str_t target, rfl_url_t *url);
rfl_str_t bytes_url_target_path(rfl_str_t target);

void bytes_surt(const rfl_url_t *url, rfl_surt_t *surt);
void bytes_surt_begin(const rfl_url_t *url, rfl_surt_t *surt);
void bytes_surt_finish(const rfl_url_t *url, size_t limit, rfl_surt_t *surt);
size_t bytes_surt_host(const rfl_url_t *url, u_char *out);
rfl_rc_t bytes_surt_landing(const rfl_url_t *url, const rfl_names_t *without,
    size_t limit, u_char *out, size_t *path_len, size_t *len);


#endif /* FUZZ_BYTES_H */
