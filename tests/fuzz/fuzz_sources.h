/*
 * What a ledger has beside counts, for targets that read one: the table of
 * sources, and the states of links.
 */

#ifndef FUZZ_SOURCES_H
#define FUZZ_SOURCES_H

#include "rfl_ledger_sources.h"


/*
 * A record of a ring as a worker would have left it, of a click or of one that
 * met an error, if status is one.  Texts are cut to what a record holds.
 */

void fuzz_event(rfl_event_t *event, rfl_outcome_t outcome, unsigned status,
    rfl_str_t source, rfl_str_t landing);

/* Rows of hosts, a link and a group; how far rings were read; a filter. */

void fuzz_put_sources(rfl_ledger_t *l, uint64_t now);

/* Those of links 1 to 5, some of which have changed. */

void fuzz_put_states(rfl_ledger_t *l, uint64_t now);


#endif /* FUZZ_SOURCES_H */
