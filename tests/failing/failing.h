/*
 * Scenarios for failing calls: what core is asked to do, whole or not at all.
 */

#ifndef FAILING_H
#define FAILING_H

#include "rfl_buf.h"


/*
 * prepare: makes what has to be there, no call fails.  run: may fail at any
 * call; RFL_OK, and what it has seen in out, which is the same each time; else
 * it has said so, and nothing of out counts.  verify: no call fails; looks at
 * what is in dir after that, whether it failed or not, and aborts on what must
 * not be.  prepare and verify may be NULL.
 */

typedef struct {
    const char   *name;
    void        (*prepare)(const char *dir);
    rfl_rc_t    (*run)(const char *dir, rfl_buf_t *out);
    void        (*verify)(const char *dir);
} scenario_t;


extern const scenario_t  scenarios[];
extern const size_t      nscenarios;


/* Aborts, naming the failed call, unless it holds. */

#define must(holds)                                                           \
    do {                                                                      \
        if (!(holds)) {                                                       \
            must_fail(__FILE__, __LINE__, #holds);                            \
        }                                                                     \
    } while (0)

void must_fail(const char *file, int line, const char *what)
    __attribute__((noreturn));


#endif /* FAILING_H */
