/*
 * Scenarios for failing calls: what core is asked to do, whole or not at all.
 */

#ifndef FAILING_H
#define FAILING_H

#include "scene.h"


/*
 * A step may fail at any call.  RFL_OK, and what it has seen in scene->out,
 * which is the same each time; else why in scene->err, and nothing of out
 * counts.  The steps of a scenario end with NULL, or with the first that
 * fails.
 */

typedef rfl_rc_t (*step_pt)(scene_t *scene);


/*
 * prepare: makes what has to be there; verify: looks at what is there after
 * the steps, whether one failed or not, and aborts on what must not be.  In
 * both no call fails.  before, after: what verify wants to find, one of them.
 * lacks: a function the system does not have, so that what does its work can
 * fail.  NULL: there is nothing to prepare, to verify, or that is lacking.
 */

typedef struct {
    const char     *name;
    void          (*prepare)(const char *dir);
    const step_pt  *steps;
    void          (*verify)(const char *dir, uint32_t before, uint32_t after);
    uint32_t        before;
    uint32_t        after;
    const char     *lacks;
} scenario_t;


/* A group is named as one; its scenarios end with one that has no name. */

typedef struct {
    const char        *name;
    const scenario_t  *scenarios;
} group_t;

extern const scenario_t  store_scenarios[];
extern const scenario_t  status_scenarios[];
extern const scenario_t  thread_scenarios[];
extern const scenario_t  command_scenarios[];


#endif /* FAILING_H */
