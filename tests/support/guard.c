/*
 * Each copy is a mapping of its own: its pages, then the guard page.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>


typedef struct guard_s  guard_t;

struct guard_s {
    guard_t  *next;
    void     *map;
    size_t    map_len;
};


static void guard_abort(const char *what) __attribute__((noreturn));


static guard_t  *guards;


u_char *
guard_copy(const void *data, size_t len)
{
    size_t    page, body;
    u_char   *copy;
    guard_t  *guard;

    page = (size_t) sysconf(_SC_PAGESIZE);
    body = (len + page - 1) / page * page;

    guard = malloc(sizeof(guard_t));
    if (guard == NULL) {
        guard_abort("malloc");
    }

    guard->map_len = body + page;
    guard->map = mmap(NULL, guard->map_len, PROT_READ|PROT_WRITE,
                      MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (guard->map == MAP_FAILED) {
        guard_abort("mmap");
    }

    if (mprotect((u_char *) guard->map + body, page, PROT_NONE) != 0) {
        guard_abort("mprotect");
    }

    guard->next = guards;
    guards = guard;

    copy = (u_char *) guard->map + body - len;

    if (len > 0) {
        memcpy(copy, data, len);
    }

    return copy;
}


void
guard_free_all(void)
{
    guard_t  *guard;

    while (guards != NULL) {
        guard = guards;
        guards = guard->next;

        if (munmap(guard->map, guard->map_len) != 0) {
            guard_abort("munmap");
        }

        free(guard);
    }
}


static void
guard_abort(const char *what)
{
    perror(what);
    abort();
}
