/*
 * Rows of a store that are removed or changed as no code of ours would, and
 * the faults that a check finds then.
 */

#ifndef DAMAGE_H
#define DAMAGE_H

#include "rfl_check.h"
#include "rfl_store.h"


#define DAMAGE_FAULTS_MAX  64
#define DAMAGE_WANTED_MAX  8
#define DAMAGE_ROW_MAX     8192


typedef struct {
    size_t   n;
    char     text[DAMAGE_FAULTS_MAX][256];
} damage_faults_t;


/* Each in a transaction of its own; what fails fails the test. */

void damage_put(rfl_store_t *s, unsigned dbi, rfl_str_t key, rfl_str_t value);
void damage_del(rfl_store_t *s, unsigned dbi, rfl_str_t key);

/* A row's value, copied; it may be changed, until the next call. */

rfl_str_t damage_get(rfl_store_t *s, unsigned dbi, rfl_str_t key);

/* The first row whose key is key or behind it; false at the end. */

int damage_seek(rfl_store_t *s, unsigned dbi, rfl_str_t key, rfl_str_t *found,
    rfl_str_t *value);


/* For rfl_check_t: keeps faults as "TABLE: TEXT" in damage_faults_t. */

void damage_fault(void *data, const char *table, rfl_str_t text);

/*
 * Each fault is of one of these patterns of fnmatch(3), ended by NULL, and
 * each pattern is of a fault.
 */

void damage_is(const char *name, const damage_faults_t *faults,
    const char *const *wanted);


#endif /* DAMAGE_H */
