/* See fuzz_bytes.h. */

#define RFL_VECTOR_H
#define RFL_VECTORS  0

#define rfl_url_parse         bytes_url_parse
#define rfl_url_parse_host    bytes_url_parse_host
#define rfl_url_parse_target  bytes_url_parse_target
#define rfl_url_target_path   bytes_url_target_path

#define rfl_surt              bytes_surt
#define rfl_surt_begin        bytes_surt_begin
#define rfl_surt_finish       bytes_surt_finish
#define rfl_surt_host         bytes_surt_host
#define rfl_surt_landing      bytes_surt_landing
#define rfl_surt_is_tracking  bytes_surt_is_tracking

#include "../../ngx_referral_module/core/rfl_url.c"
#include "../../ngx_referral_module/core/rfl_surt.c"
