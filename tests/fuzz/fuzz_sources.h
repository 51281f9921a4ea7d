/* A ledger's table of sources, for targets that read one. */

#ifndef FUZZ_SOURCES_H
#define FUZZ_SOURCES_H

#include "rfl_ledger_sources.h"


/*
 * A record of a ring as a worker would have left it, of a click or of one that
 * met an error, if status is one.  Texts are cut to what a record holds.
 */

void fuzz_event(rfl_event_t *event, rfl_outcome_t outcome, unsigned status,
    rfl_str_t source, rfl_str_t landing);

/* Some rows, of hosts, a link and a group; and how far rings were read. */

void fuzz_put_sources(rfl_ledger_t *l, uint64_t now);


#endif /* FUZZ_SOURCES_H */
