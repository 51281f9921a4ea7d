/*
 * Failing calls.  The linker puts these functions between core and all that
 * can say no to it (-Wl,--wrap): memory, files, threads, LMDB, PCRE2, jansson,
 * libidn2.  Once armed the n-th call of the process fails as the real one
 * would, and has done nothing.
 */

#ifndef FAIL_H
#define FAIL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>


/*
 * n from 1.  lasting: all calls from the n-th on fail, as where memory or disk
 * are gone for good; else that one alone.
 */

void fail_arm(unsigned long n, int lasting);

/* The n-th call from there: where threads are it is the same one each time. */

void fail_arm_site(const void *site, unsigned long n);

/*
 * While others fail, or are recorded, the function of this name always does: a
 * system that does not have it.  NULL: there is none.
 */

void fail_lack(const char *name);

/* A directory of the system, to opendir(): another is read for it. */

void fail_replace_dir(const char *path, const char *by);

/*
 * Lets none fail: records the first n calls.  recorded: ends it; returns how
 * many calls there were.
 */

typedef struct {
    const void  *site;                   /* its return address */
    uint64_t     path;                   /* a hash of the eight last callers */
} fail_call_t;

void fail_record(fail_call_t *calls, size_t n);
size_t fail_recorded(void);

/* Ends it; returns whether a call has failed. */

int fail_disarm(void);

/* The name of the function that failed last. */

const char *fail_name(void);

/*
 * Where calls have failed so far: return addresses, each once, in no order.
 * Returns how many there are; at most size of them are stored.
 */

size_t fail_sites(const void **sites, size_t size);


/* Past these functions. */

int __real_fclose(FILE *file);


#endif /* FAIL_H */
