/*
 * Failing calls.  The linker puts these functions between core and all that
 * can say no to it (-Wl,--wrap): memory, files, threads, LMDB, PCRE2, jansson,
 * libidn2.  Once armed the n-th call of the process fails as the real one
 * would, and has done nothing.
 */

#ifndef FAIL_H
#define FAIL_H

#include <stddef.h>


/*
 * n from 1.  lasting: all calls from the n-th on fail, as where memory or disk
 * are gone for good; else that one alone.
 */

void fail_arm(unsigned long n, int lasting);

/* Ends it; returns whether a call has failed. */

int fail_disarm(void);

/* The name of the function that failed last. */

const char *fail_name(void);

/*
 * Where calls have failed so far: return addresses, each once, in no order.
 * Returns how many there are; at most size of them are stored.
 */

size_t fail_sites(const void **sites, size_t size);


#endif /* FAIL_H */
