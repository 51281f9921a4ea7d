/*
 * How the ledger stores what it has: for the ledger itself, and for who looks
 * whether its tables agree (rfl_check.h).
 *
 * A counter file's record says what became of it:
 *
 *     in use -> gone -> folding -> folded
 */

#ifndef RFL_LEDGER_PARTS_H
#define RFL_LEDGER_PARTS_H

#include "rfl_ledger.h"


typedef enum {
    RFL_LEDGER_META = 0,
    RFL_LEDGER_FILES,
    RFL_LEDGER_CELLS,
    RFL_LEDGER_ZONES,
    RFL_LEDGER_MINUTES,                  /* hours and days follow */
    RFL_LEDGER_STATES = RFL_LEDGER_MINUTES + RFL_UNITS,  /* rfl_states.h */
    RFL_LEDGER_CHANGES,
    RFL_LEDGER_DBIS
} rfl_ledger_dbi_t;


/* File numbers: 0 is for the folded cells of files that are gone. */

#define RFL_LEDGER_FOLDED      0
#define RFL_LEDGER_FIRST_FILE  1


typedef struct {
    u_char    uuid[16];
    uint32_t  next_file;
} rfl_ledger_meta_t;


/*
 * A counter file's record: number, created, flushed_ms, then the path.  A path
 * has no zero byte: one in its place is followed by the state, a varint and
 * what there is of the path.
 */

typedef enum {
    RFL_LEDGER_IN_USE = 0,
    RFL_LEDGER_GONE,                     /* state_arg: since when, ms */
    RFL_LEDGER_FOLDING,                  /* state_arg: the next id */
    RFL_LEDGER_DONE                      /* state_arg: since when, ms */
} rfl_ledger_state_t;

typedef struct {
    rfl_ledger_file_t   file;
    rfl_ledger_state_t  state;
    uint64_t            state_arg;
    uint64_t            created;
} rfl_ledger_record_t;


/* In a begun transaction; err may be NULL. */

rfl_rc_t rfl_ledger_get_meta(rfl_ledger_t *l, rfl_ledger_meta_t *meta,
    rfl_error_t *err);

/* A cell's or a zone's numbers.  RFL_DAMAGED, RFL_BAD_VERSION. */

rfl_rc_t rfl_ledger_decode(rfl_str_t value, uint64_t *n, size_t fields);

/* The path points into value; the file id is the record's key. */

rfl_rc_t rfl_ledger_decode_file(rfl_str_t value, rfl_ledger_record_t *record);


#endif /* RFL_LEDGER_PARTS_H */
