/*
 * A rule for nginx.conf that sends a landing that is no more to where it should
 * lead:
 *
 *     location = "/old" { return 301 "/pricing"; }
 *
 * The landing is what a stranger asked for, and the rule is there to be copied
 * into a configuration: it must name this landing and do nothing else.
 */

#ifndef RFL_RULE_H
#define RFL_RULE_H

#include "rfl_base.h"


#define RFL_RULE_MAX     1024
#define RFL_RULE_TARGET  256             /* a longer one is not used */


/*
 * landing: a path as it was sent.  target: where it is to lead, a path; if it
 * is empty, or cannot be written safely, "/" is.  out holds RFL_RULE_MAX bytes.
 * Returns the length; 0: no rule can be given.
 *
 *   1. the landing begins with "/"; triplets are decoded, and slashes merged,
 *      as nginx does before it compares (RFC 3986, 6.2.2)
 *   2. there is no "." or ".." segment, nor an ellipsis of rfl_fold.h
 *   3. it is UTF-8, without controls, and no character turns the direction of
 *      writing: what is read is what is pasted
 *   4. quotes and backslashes get a backslash
 *   5. a target of other bytes than [A-Za-z0-9/._~%?&=+,:@!-], one that begins
 *      with "//", and the landing itself are not used
 */

size_t rfl_rule_redirect(rfl_str_t landing, rfl_str_t target, u_char *out);


#endif /* RFL_RULE_H */
