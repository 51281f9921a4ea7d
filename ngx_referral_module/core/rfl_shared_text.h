/*
 * What one process has to say, for all processes of the nginx to show: in
 * memory the master makes, before it forks.  One writes; whoever reads waits
 * for nobody.
 */

#ifndef RFL_SHARED_TEXT_H
#define RFL_SHARED_TEXT_H

#include "rfl_base.h"


#define RFL_SHARED_TEXT_WORDS  (RFL_ERROR_TEXT / 8)

typedef struct {
    int32_t   rc;
    uint64_t  words[RFL_SHARED_TEXT_WORDS];
} rfl_shared_text_slot_t;

typedef struct {
    uint32_t                sequence;    /* texts so far; odd: the last one is
                                            in slots[1] */
    rfl_shared_text_slot_t  slots[2];
} rfl_shared_text_t;


/* RFL_NOT_FOUND until somebody has set it.  NULL: no memory.  free: NULL is
 * allowed. */

rfl_shared_text_t *rfl_shared_text_create(const char *text);
void rfl_shared_text_free(rfl_shared_text_t *shared);

/*
 * A text is written to the slot nobody reads, so who is stopped or dies while
 * he writes leaves the one before.  Two that set it at the same time, of an old
 * and a new configuration, may mix their texts until the next one sets it.
 */

void rfl_shared_text_set(rfl_shared_text_t *shared, const rfl_error_t *err);
void rfl_shared_text_get(const rfl_shared_text_t *shared, rfl_error_t *err);


#endif /* RFL_SHARED_TEXT_H */
