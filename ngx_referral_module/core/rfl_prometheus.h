/*
 * Prometheus text out, exposition format 0.0.4:
 *
 *     # HELP referral_links Registered links.
 *     # TYPE referral_links gauge
 *     referral_links{registry="main"} 24310
 *
 * All lines of a family stand together, behind its HELP and TYPE.  Any bytes
 * in, valid text out: "\", the quote and the line feed are escaped, what is
 * not UTF-8 becomes U+FFFD.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */

#ifndef RFL_PROMETHEUS_H
#define RFL_PROMETHEUS_H

#include "rfl_buf.h"


#define RFL_PROMETHEUS_TYPE  "text/plain; version=0.0.4; charset=utf-8"


/* type: "counter" or "gauge". */

void rfl_prometheus_family(rfl_buf_t *b, const char *name, const char *type,
    const char *help);

/*
 * A sample: its name, any labels, one value, which ends the line.  The last
 * byte of the buffer tells whether a label is the first.
 */

void rfl_prometheus_sample(rfl_buf_t *b, const char *name);
void rfl_prometheus_label(rfl_buf_t *b, const char *name, rfl_str_t value);
void rfl_prometheus_u64(rfl_buf_t *b, uint64_t n);
void rfl_prometheus_ms(rfl_buf_t *b, uint64_t ms);       /* as seconds */


#endif /* RFL_PROMETHEUS_H */
