/*
 * Hosts nobody wants to hear of: sources that are not shown, though they are
 * read as before.  A host stands for those below it, too.  The registry keeps
 * them in its table "meta", under "ignored/" and the host's SURT: so they are
 * there in every registry, an older one has none.
 */

#ifndef RFL_IGNORED_H
#define RFL_IGNORED_H

#include "rfl_registry.h"


#define RFL_IGNORED_HOST  (RFL_HOST_MAX + 16)


/*
 * The canonical form of what somebody wrote, a host or the URL of its root:
 * lower case, without "www.", IDN in punycode; "android-app:" before an app.
 * out holds RFL_IGNORED_HOST bytes.  RFL_INVALID says why not.
 */

rfl_rc_t rfl_ignored_parse(rfl_str_t text, u_char *out, size_t *len,
    rfl_error_t *err);


/*
 * In a begun transaction, the last two in one for writing.  host: in canonical
 * form.  has: whether it, or a host above it, is ignored; of names with two
 * labels at least, so that "com" is not all of it.  next: behind the host that
 * place holds (len 0: the first), which it becomes; RFL_NOT_FOUND is the end.
 * add: RFL_EXISTS; remove: RFL_NOT_FOUND.
 */

typedef struct {
    size_t    len;
    u_char    surt[RFL_IGNORED_HOST];
    u_char    host[RFL_IGNORED_HOST];    /* of the same length */
    uint64_t  since;                     /* seconds */
} rfl_ignored_place_t;

int rfl_ignored_has(rfl_registry_t *r, rfl_str_t host);
rfl_rc_t rfl_ignored_next(rfl_registry_t *r, rfl_ignored_place_t *place);
rfl_rc_t rfl_ignored_add(rfl_registry_t *r, rfl_str_t host, uint64_t now,
    rfl_error_t *err);
rfl_rc_t rfl_ignored_remove(rfl_registry_t *r, rfl_str_t host,
    rfl_error_t *err);


/* A host as it is written from its SURT, of the same length, and back. */

void rfl_ignored_turn(rfl_str_t surt, u_char *out);
rfl_rc_t rfl_ignored_surt(rfl_str_t host, u_char *out, size_t *len);


#endif /* RFL_IGNORED_H */
