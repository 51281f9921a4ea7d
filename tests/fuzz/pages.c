/*
 * An LMDB data file that somebody has written to.  What rfl_pages_check() finds
 * sound must not kill who reads and writes it through LMDB; what it does not
 * is refused before LMDB has seen it.
 *
 * Input: patches: two bytes for the page, two for the offset, one for the
 * length, and the bytes.  A page of 0xffff cuts the file instead.
 */

#include "fuzz.h"
#include "rfl_pages.h"
#include "rfl_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>


#define ENTRIES  400
#define PAGE     4096
#define MAP      ((size_t) 64 << 20)


static void make_sound_file(void);
static void fill(rfl_store_t *s, unsigned from, unsigned n);
static void empty(rfl_store_t *s, unsigned from, unsigned n);
static void make_file(fuzz_input_t *in);
static int is_sound(void);
static void read_all(rfl_store_t *s);
static void read_table(rfl_store_t *s, unsigned dbi);
static void write_some(rfl_store_t *s, unsigned n);


enum {
    BYTES = 0,
    SMALL,
    LARGE,
    DBIS
};

static const rfl_store_dbi_t  dbis[DBIS] = {
    { "bytes", RFL_KEY_BYTES },
    { "small", RFL_KEY_U32 },
    { "large", RFL_KEY_U64 }
};


static char       dir[280], file[300], lock[300];
static rfl_str_t  sound;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rfl_rc_t      rc;
    unsigned      i;
    rfl_error_t   err;
    rfl_store_t  *s;
    fuzz_input_t  in;

    if (sound.len == 0) {
        make_sound_file();
    }

    in = fuzz_input(data, size);
    make_file(&in);

    err.text[0] = '\0';
    rc = rfl_store_open(&s, dir, dbis, DBIS, RFL_STORE_WRITE, MAP, &err);

    if (rc == RFL_OK) {
        fuzz_check(is_sound());

        for (i = 0; i < 3; i++) {
            read_all(s);
            write_some(s, i);
        }

        rfl_store_close(s);

    } else {
        fuzz_check(s == NULL && err.text[0] != '\0');
    }

    fuzz_free();

    return 0;
}


/* Branches, large values, freed pages, an empty table. */

static void
make_sound_file(void)
{
    unsigned      i;
    rfl_error_t   err;
    rfl_store_t  *s;

    (void) snprintf(dir, sizeof(dir), "%s/store", fuzz_dir());
    (void) snprintf(file, sizeof(file), "%s/data.mdb", dir);
    (void) snprintf(lock, sizeof(lock), "%s/lock.mdb", dir);

    if (rfl_store_open(&s, dir, dbis, DBIS, RFL_STORE_CREATE, MAP, &err)
        != RFL_OK)
    {
        fuzz_finding(__FILE__, __LINE__, err.text);
    }

    for (i = 0; i < 4; i++) {
        fuzz_check(rfl_store_begin(s, 1, &err) == RFL_OK);
        fill(s, i * ENTRIES / 4, ENTRIES / 4);

        if (i != 0) {
            empty(s, i * 20, 20);
        }

        fuzz_check(rfl_store_commit(s, &err) == RFL_OK);
    }

    rfl_store_close(s);

    sound = fuzz_read_file(file);
}


static void
fill(rfl_store_t *s, unsigned from, unsigned n)
{
    char         key[64];
    unsigned     i;
    rfl_error_t  err;
    static char  value[9000];

    for (i = from; i < from + n; i++) {
        (void) snprintf(key, sizeof(key), "key %u of some length", i * 7919);

        fuzz_check(rfl_store_put(s, BYTES, rfl_cstr(key),
                                 rfl_str(value, i % 50 == 0 ? 9000 : i % 60),
                                 0, &err)
                   == RFL_OK);
        fuzz_check(rfl_store_put_u64(s, LARGE, (uint64_t) i << 32 | i,
                                     rfl_str(value, 40), 0, &err)
                   == RFL_OK);
    }
}


static void
empty(rfl_store_t *s, unsigned from, unsigned n)
{
    char         key[64];
    unsigned     i;
    rfl_error_t  err;

    for (i = from; i < from + n; i++) {
        (void) snprintf(key, sizeof(key), "key %u of some length", i * 7919);

        fuzz_check(rfl_store_del(s, BYTES, rfl_cstr(key), &err) == RFL_OK);
    }
}


static void
make_file(fuzz_input_t *in)
{
    size_t     at, len;
    unsigned   page;
    u_char    *bytes;
    rfl_str_t  patch;

    bytes = (u_char *) fuzz_copy(sound).data;
    len = sound.len;

    while (in->p < in->end) {
        page = fuzz_byte(in);
        page |= (unsigned) fuzz_byte(in) << 8;
        at = fuzz_byte(in);
        at |= (size_t) fuzz_byte(in) << 8;

        if (page == 0xffff) {
            len = at * 512 % (sound.len + 1);
            continue;
        }

        patch = fuzz_bytes(in, 1 + fuzz_byte(in) % 48);
        at = page % (sound.len / PAGE) * PAGE + at % PAGE;

        if (patch.len > sound.len - at) {
            patch.len = sound.len - at;
        }

        memcpy(bytes + at, patch.data, patch.len);
    }

    (void) unlink(lock);
    fuzz_write_file(file, rfl_str(bytes, len));
}


static int
is_sound(void)
{
    int                fd;
    rfl_rc_t           rc;
    rfl_pages_head_t   head;
    rfl_pages_fault_t  fault;

    fd = open(file, O_RDONLY|O_CLOEXEC);
    fuzz_check(fd != -1);

    rc = rfl_pages_head(fd, &head);

    if (rc == RFL_OK) {
        rc = rfl_pages_check(fd, head.page_size, head.txn_id, &fault);
    }

    (void) close(fd);

    return rc == RFL_OK;
}


static void
read_all(rfl_store_t *s)
{
    unsigned          dbi;
    rfl_error_t       err;
    rfl_store_stat_t  stat;

    rfl_store_stat(s, &stat);

    if (rfl_store_begin(s, 0, &err) != RFL_OK) {
        return;
    }

    for (dbi = 0; dbi < DBIS; dbi++) {
        read_table(s, dbi);
    }

    rfl_store_end(s);
}


/* Reads each byte of what it is given. */

static void
read_table(rfl_store_t *s, unsigned dbi)
{
    size_t           n;
    rfl_str_t        key, value, got;
    rfl_cursor_t    *cursor;
    static u_char    bytes[1 << 20];

    if (rfl_cursor_open(s, dbi, &cursor) != RFL_OK) {
        return;
    }

    if (rfl_cursor_seek(cursor, rfl_str(NULL, 0), &key, &value) == RFL_OK) {

        n = 0;

        do {
            fuzz_check(key.len <= RFL_STORE_KEY_MAX);
            memcpy(bytes, key.data, key.len);

            if (value.len <= sizeof(bytes)) {
                memcpy(bytes, value.data, value.len);
            }

            (void) rfl_store_get(s, dbi, key, &got);

        } while (++n < 10 * ENTRIES
                 && rfl_cursor_next(cursor, &key, &value) == RFL_OK);

        (void) rfl_cursor_last(cursor, &key, &value);
        (void) rfl_cursor_seek(cursor, key, &key, &value);
    }

    rfl_cursor_close(cursor);
}


static void
write_some(rfl_store_t *s, unsigned n)
{
    char         key[64];
    unsigned     i;
    rfl_rc_t     rc;
    rfl_error_t  err;
    static char  value[6000];

    if (rfl_store_begin(s, 1, &err) != RFL_OK) {
        return;
    }

    rc = RFL_OK;

    for (i = 0; i < 40 && rc == RFL_OK; i++) {
        (void) snprintf(key, sizeof(key), "new %u %u", i * 31, n);

        rc = rfl_store_put(s, BYTES, rfl_cstr(key),
                           rfl_str(value, i % 20 == 0 ? 6000 : 30), 0, &err);

        if (rc == RFL_OK) {
            rc = rfl_store_put_u32(s, SMALL, i + n, rfl_str(value, 8), 0,
                                   &err);
        }

        if (rc == RFL_OK) {
            rc = rfl_store_del_u64(s, LARGE, (uint64_t) (i * 9) << 32 | i * 9,
                                   &err);
        }

        if (rc == RFL_NOT_FOUND) {
            rc = RFL_OK;
        }
    }

    if (rc == RFL_OK && n != 1) {
        (void) rfl_store_commit(s, &err);

    } else {
        rfl_store_end(s);
    }
}
