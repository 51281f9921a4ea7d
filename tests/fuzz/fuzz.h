/*
 * What the fuzz targets share.  A target is one file with
 * LLVMFuzzerTestOneInput(), whose input is cut into lines or bytes; all it
 * takes from there lies in blocks of its own, so that who reads one byte too
 * many is seen.  The same input always does the same: what one run leaves on
 * disk the next one does not find.
 */

#ifndef FUZZ_H
#define FUZZ_H

#include "rfl_base.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


typedef struct {
    const uint8_t  *p;
    const uint8_t  *end;
} fuzz_input_t;

static inline fuzz_input_t
fuzz_input(const uint8_t *data, size_t size)
{
    fuzz_input_t  in;

    in.p = data;
    in.end = data + size;

    return in;
}


/* The next byte; 0 behind the end. */

uint8_t fuzz_byte(fuzz_input_t *in);

/* Up to the next LF, or len bytes, or all that is left; fewer at the end. */

rfl_str_t fuzz_line(fuzz_input_t *in);
rfl_str_t fuzz_bytes(fuzz_input_t *in, size_t len);
rfl_str_t fuzz_rest(fuzz_input_t *in);

/* A copy in a block of its own. */

rfl_str_t fuzz_copy(rfl_str_t s);

/* Frees all these: a run ends with it. */

void fuzz_free(void);


/* A finding, unless it holds. */

#define fuzz_check(holds)                                                     \
    do {                                                                      \
        if (!(holds)) {                                                       \
            fuzz_finding(__FILE__, __LINE__, #holds);                         \
        }                                                                     \
    } while (0)

void fuzz_finding(const char *file, int line, const char *what)
    __attribute__((noreturn));

/* Shows bytes on standard error, for whoever reads a finding. */

void fuzz_show(const char *name, rfl_str_t s);


/*
 * An empty directory on tmpfs for this process, below FUZZ_SCRATCH, else
 * /dev/shm: its path, without a slash at the end.  It is removed at exit.
 */

const char *fuzz_dir(void);

/* The file's bytes; aborts when it cannot. */

rfl_str_t fuzz_read_file(const char *path);
void fuzz_write_file(const char *path, rfl_str_t bytes);


#endif /* FUZZ_H */
