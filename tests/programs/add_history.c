/*
 * Adds counts of the past to a ledger, as flushes would have at these times:
 *
 *     add_history PATH < LINES
 *
 * A line is SECONDS KEY FIELD COUNT: a time since 1970, a link's key or
 * "all", and the number of a cell's counter (or, with "all", of a zone-wide
 * one).  The totals stay as they are.
 */

#include <stdio.h>
#include <stdlib.h>

#include "rfl_ledger.h"
#include "rfl_registry.h"


typedef struct {
    rfl_registry_t  *registry;
    rfl_ledger_t    *ledger;
    rfl_error_t      err;
} stores_t;


static int open_stores(stores_t *s, const char *path);
static int add_lines(stores_t *s);
static int add_link(stores_t *s, rfl_history_t *h, uint64_t time,
    const char *key, unsigned field, uint64_t count);
static int add_zone(stores_t *s, rfl_history_t *h, uint64_t time,
    unsigned field, uint64_t count);


int
main(int argc, char **argv)
{
    int       failed;
    stores_t  s;

    if (argc != 2) {
        fprintf(stderr, "usage: add_history PATH < LINES\n");
        return 2;
    }

    memset(&s, 0, sizeof(stores_t));

    failed = open_stores(&s, argv[1]);

    if (!failed) {
        failed = add_lines(&s);
    }

    if (failed) {
        fprintf(stderr, "add_history: %s\n", s.err.text);
    }

    rfl_ledger_close(s.ledger);
    rfl_registry_close(s.registry);

    return failed;
}


static int
open_stores(stores_t *s, const char *path)
{
    return rfl_registry_open(&s->registry, path, RFL_STORE_READ, 0, &s->err)
           != RFL_OK
           || rfl_ledger_open(&s->ledger, path, NULL, RFL_STORE_WRITE, 0,
                              &s->err) != RFL_OK;
}


static int
add_lines(stores_t *s)
{
    int                 failed;
    char                key[20];
    unsigned            field;
    rfl_store_t        *store;
    rfl_history_t       h;
    unsigned long long  time, count;

    store = rfl_ledger_store(s->ledger);

    if (rfl_registry_begin(s->registry, 0, &s->err) != RFL_OK
        || rfl_store_begin(store, 1, &s->err) != RFL_OK)
    {
        return 1;
    }

    h = rfl_ledger_history(s->ledger);
    failed = 0;

    while (!failed
           && scanf("%llu %19s %u %llu", &time, key, &field, &count) == 4)
    {
        failed = strcmp(key, "all") == 0
                 ? add_zone(s, &h, time, field, count)
                 : add_link(s, &h, time, key, field, count);
    }

    rfl_registry_end(s->registry);

    if (failed) {
        rfl_store_end(store);
        return 1;
    }

    return rfl_store_commit(store, &s->err) != RFL_OK;
}


static int
add_link(stores_t *s, rfl_history_t *h, uint64_t time, const char *key,
    unsigned field, uint64_t count)
{
    rfl_link_t           link;
    rfl_history_block_t  block;

    if (rfl_registry_by_prefix(s->registry, rfl_cstr(key), &link, &s->err)
        != RFL_OK || field >= RFL_CELL_SUMS)
    {
        return 1;
    }

    memset(&block, 0, sizeof(rfl_history_block_t));

    block.present = (uint64_t) 1 << link.id % RFL_HISTORY_BLOCK;
    block.cells[link.id % RFL_HISTORY_BLOCK].n[field] = count;

    return rfl_history_add(h, time, link.id / RFL_HISTORY_BLOCK, &block,
                           &s->err) != RFL_OK;
}


static int
add_zone(stores_t *s, rfl_history_t *h, uint64_t time, unsigned field,
    uint64_t count)
{
    rfl_zone_t  zone;

    if (field >= RFL_ZONE_FIELDS) {
        return 1;
    }

    memset(&zone, 0, sizeof(rfl_zone_t));
    zone.n[field] = count;

    return rfl_history_add_zone(h, time, &zone, &s->err) != RFL_OK;
}
