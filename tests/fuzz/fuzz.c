/* See fuzz.h. */

#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


typedef struct fuzz_block_s  fuzz_block_t;

struct fuzz_block_s {
    fuzz_block_t  *next;
    void          *data;
};


static void fuzz_dir_remove(void);
static int fuzz_remove(const char *path, const struct stat *st, int type,
    struct FTW *ftw);


static fuzz_block_t  *fuzz_blocks;
static char           fuzz_dir_path[256];


uint8_t
fuzz_byte(fuzz_input_t *in)
{
    return in->p < in->end ? *in->p++ : 0;
}


rfl_str_t
fuzz_line(fuzz_input_t *in)
{
    rfl_str_t       line;
    const uint8_t  *mark;

    mark = in->p < in->end ? memchr(in->p, '\n', (size_t) (in->end - in->p))
                           : NULL;

    if (mark == NULL) {
        return fuzz_rest(in);
    }

    line = fuzz_bytes(in, (size_t) (mark - in->p));
    in->p++;

    return line;
}


rfl_str_t
fuzz_bytes(fuzz_input_t *in, size_t len)
{
    rfl_str_t  bytes;

    if (len > (size_t) (in->end - in->p)) {
        len = (size_t) (in->end - in->p);
    }

    bytes = fuzz_copy(rfl_str(in->p, len));
    in->p += len;

    return bytes;
}


rfl_str_t
fuzz_rest(fuzz_input_t *in)
{
    return fuzz_bytes(in, (size_t) (in->end - in->p));
}


rfl_str_t
fuzz_copy(rfl_str_t s)
{
    fuzz_block_t  *block;

    block = malloc(sizeof(fuzz_block_t));

    if (block == NULL) {
        fuzz_finding(__FILE__, __LINE__, "no memory");
    }

    block->data = malloc(s.len);

    if (block->data == NULL) {
        fuzz_finding(__FILE__, __LINE__, "no memory");
    }

    block->next = fuzz_blocks;
    fuzz_blocks = block;

    if (s.len != 0) {
        memcpy(block->data, s.data, s.len);
    }

    return rfl_str(block->data, s.len);
}


void
fuzz_free(void)
{
    fuzz_block_t  *block;

    while (fuzz_blocks != NULL) {
        block = fuzz_blocks;
        fuzz_blocks = block->next;

        free(block->data);
        free(block);
    }
}


void
fuzz_finding(const char *file, int line, const char *what)
{
    (void) fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}


void
fuzz_show(const char *name, rfl_str_t s)
{
    size_t  i;

    (void) fprintf(stderr, "%s \"", name);

    for (i = 0; i < s.len; i++) {
        (void) fprintf(stderr, s.data[i] >= ' ' && s.data[i] < 0x7f
                               ? "%c" : "\\x%02x", s.data[i]);
    }

    (void) fprintf(stderr, "\"\n");
}


const char *
fuzz_dir(void)
{
    const char  *parent;

    if (fuzz_dir_path[0] != '\0') {
        return fuzz_dir_path;
    }

    parent = getenv("FUZZ_SCRATCH");

    (void) snprintf(fuzz_dir_path, sizeof(fuzz_dir_path), "%s/rfl-fuzz-XXXXXX",
                    parent != NULL ? parent : "/dev/shm");

    if (mkdtemp(fuzz_dir_path) == NULL || atexit(fuzz_dir_remove) != 0) {
        fuzz_finding(__FILE__, __LINE__, "no directory");
    }

    return fuzz_dir_path;
}


static void
fuzz_dir_remove(void)
{
    (void) nftw(fuzz_dir_path, fuzz_remove, 16, FTW_DEPTH|FTW_PHYS);
}


static int
fuzz_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void) remove(path);

    return 0;
}


rfl_str_t
fuzz_read_file(const char *path)
{
    int          fd;
    void        *data;
    struct stat  st;

    fd = open(path, O_RDONLY|O_CLOEXEC);
    fuzz_check(fd != -1 && fstat(fd, &st) == 0);

    data = malloc((size_t) st.st_size);
    fuzz_check(data != NULL);
    fuzz_check(read(fd, data, (size_t) st.st_size) == st.st_size);

    (void) close(fd);

    return rfl_str(data, (size_t) st.st_size);
}


void
fuzz_write_file(const char *path, rfl_str_t bytes)
{
    int  fd;

    fd = open(path, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600);

    fuzz_check(fd != -1);
    fuzz_check(write(fd, bytes.data, bytes.len) == (ssize_t) bytes.len);

    (void) close(fd);
}
