/*
 * Copies of test inputs that end where memory ends: whoever reads one byte
 * too many dies on the spot, also without a sanitizer.
 */

#ifndef GUARD_H
#define GUARD_H

#include <sys/types.h>
#include <stddef.h>


/*
 * A copy of len bytes whose last byte is directly before a page without
 * access; with len 0 the returned pointer itself must not be read.  data may
 * be NULL when len is 0.  Aborts when there is no memory.
 */

u_char *guard_copy(const void *data, size_t len);

/* Frees all copies made so far. */

void guard_free_all(void);


#endif /* GUARD_H */
