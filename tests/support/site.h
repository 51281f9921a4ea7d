/*
 * A registry of a test: PATH under /tmp with links, a counter file, and a
 * runtime that counts.
 */

#ifndef SITE_H
#define SITE_H

#include "rfl_runtime.h"


typedef struct {
    char                dir[64];
    char                counters[96];
    rfl_runtime_conf_t  conf;
    rfl_runtime_t       rt;
} site_t;


/* Makes the directory only. */

void site_init(site_t *site, const char *name);

/* Makes the registry, or opens it again; fills rt by one tick. */

void site_open(site_t *site);

/* Registers an exact link at source with target; returns its id and key. */

uint32_t site_add(site_t *site, const char *source, const char *target,
    uint64_t *key);

/* Counts n matched clicks on a link. */

void site_click(site_t *site, uint32_t id, unsigned n);

void site_close(site_t *site);

/* Closes and removes all files. */

void site_remove(site_t *site);


#endif /* SITE_H */
