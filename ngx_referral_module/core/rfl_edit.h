/*
 * A write of the status tree: links are added, one is changed or removed; hosts
 * are put on the list of those that are ignored, or taken off it.  All of it or
 * nothing, in one transaction, with the same rules as the command's.
 *
 * What is wrong with the body alone is found before the store is asked for its
 * lock: nonsense waits for no import, and holds up none.
 */

#ifndef RFL_EDIT_H
#define RFL_EDIT_H

#include "rfl_ignored.h"
#include "rfl_json_in.h"
#include "rfl_query.h"
#include "rfl_report.h"


typedef enum {
    RFL_EDIT_ADD = 0,
    RFL_EDIT_CHANGE,
    RFL_EDIT_REMOVE,
    RFL_EDIT_IGNORE,
    RFL_EDIT_HEED                        /* no longer ignored */
} rfl_edit_kind_t;


/* Where nginx keeps links equal to a file, nobody else writes them. */

static inline int
rfl_edit_is_of_links(rfl_edit_kind_t kind)
{
    return kind != RFL_EDIT_IGNORE && kind != RFL_EDIT_HEED;
}


typedef struct {
    rfl_edit_kind_t  kind;
    uint64_t         key;                /* CHANGE, REMOVE */
    rfl_str_t        body;               /* ADD, CHANGE, IGNORE */
    size_t           host_len;           /* HEED, in canonical form */
    u_char           host[RFL_IGNORED_HOST];
    uint64_t         now;                /* seconds */
} rfl_edit_t;


/*
 * result.status: 201, 200 or 204, and text has the link, {"links":[...]},
 * {"ignored":[...]} or nothing; else what to answer instead, and text is empty.
 */

typedef struct {
    rfl_query_error_t  result;
    rfl_buf_t          text;
} rfl_edit_answer_t;


/* RFL_OK: the body makes sense.  Else the answer says why not. */

rfl_rc_t rfl_edit_check(const rfl_edit_t *edit, rfl_edit_answer_t *answer);

/*
 * Waits for the store's writer lock, as long as it takes.  registry is open for
 * writing, with no transaction begun; it and totals are not used by any other
 * thread meanwhile.  A counter file of totals that is writable gets cells for
 * the ids that were issued.
 */

rfl_rc_t rfl_edit_run(const rfl_edit_t *edit, rfl_registry_t *registry,
    rfl_totals_t *totals, rfl_edit_answer_t *answer);

/* Fills the answer to what failed with rc; returns rc. */

rfl_rc_t rfl_edit_fail(rfl_edit_answer_t *answer, rfl_rc_t rc,
    const char *where, const rfl_error_t *err);


#endif /* RFL_EDIT_H */
