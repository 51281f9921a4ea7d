/*
 * An LMDB data file that somebody has written to.  What rfl_pages_check() finds
 * sound must not kill who reads and writes it through LMDB; what it does not
 * is refused before LMDB has seen it.  And of one that is sound a key is found
 * in the map as LMDB finds it.
 *
 * Input: a byte that chooses the file, then patches: two bytes for the page,
 * two for the offset, one for the length, and the bytes.  A page of 0xffff cuts
 * the file instead.  Half of what the fuzzer tries is a field of a page, one
 * more or less, or the same field's value elsewhere: noise seldom is nearly
 * right.
 */

#include "fuzz.h"
#include "rfl_pages.h"
#include "rfl_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>


#define ENTRIES  400
#define FILES    2
#define FREED    120                     /* large values: a list of pages that
                                            has pages of its own */
#define PAGE     4096
#define MAP      ((size_t) 64 << 20)


size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static void make_sound_files(void);
static void make_sound_file(unsigned number);
static void fill(rfl_store_t *s, unsigned from, unsigned n);
static void empty(rfl_store_t *s, unsigned from, unsigned n);
static void fill_large(rfl_store_t *s);
static void empty_large(rfl_store_t *s);
static void make_file(fuzz_input_t *in);
static int is_sound(void);
static void read_all(rfl_store_t *s);
static void read_table(rfl_store_t *s, unsigned dbi);
static void check_found(rfl_store_t *s, rfl_str_t key, rfl_str_t wanted);
static void write_some(rfl_store_t *s, unsigned n);
static size_t choose_field(rfl_str_t file, uint64_t *random, size_t *len);
static uint64_t change_field(rfl_str_t file, uint64_t *random, size_t at,
    size_t len);
static unsigned next(uint64_t *random);
static unsigned u16(const u_char *p);


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
static rfl_str_t  sounds[FILES];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rfl_rc_t      rc;
    unsigned      i;
    rfl_error_t   err;
    rfl_store_t  *s;
    fuzz_input_t  in;

    if (sounds[0].len == 0) {
        make_sound_files();
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


static void
make_sound_files(void)
{
    unsigned  i;

    (void) snprintf(dir, sizeof(dir), "%s/store", fuzz_dir());
    (void) snprintf(file, sizeof(file), "%s/data.mdb", dir);
    (void) snprintf(lock, sizeof(lock), "%s/lock.mdb", dir);

    for (i = 0; i < FILES; i++) {
        (void) unlink(file);
        (void) unlink(lock);

        make_sound_file(i);
    }
}


/* Branches, large values, freed pages, an empty table. */

static void
make_sound_file(unsigned number)
{
    unsigned      i;
    rfl_error_t   err;
    rfl_store_t  *s;

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

    if (number == 1) {
        fill_large(s);
        empty_large(s);
    }

    rfl_store_close(s);

    sounds[number] = fuzz_read_file(file);
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
fill_large(rfl_store_t *s)
{
    unsigned     i;
    rfl_error_t  err;
    static char  value[9000];

    fuzz_check(rfl_store_begin(s, 1, &err) == RFL_OK);

    for (i = 0; i < FREED; i++) {
        fuzz_check(rfl_store_put_u32(s, SMALL, i, rfl_str(value, 9000), 0,
                                     &err)
                   == RFL_OK);
    }

    fuzz_check(rfl_store_commit(s, &err) == RFL_OK);
}


static void
empty_large(rfl_store_t *s)
{
    uint32_t     i;
    rfl_error_t  err;

    fuzz_check(rfl_store_begin(s, 1, &err) == RFL_OK);

    for (i = 0; i < FREED; i++) {
        fuzz_check(rfl_store_del(s, SMALL, rfl_str(&i, sizeof(i)), &err)
                   == RFL_OK);
    }

    fuzz_check(rfl_store_commit(s, &err) == RFL_OK);
}


static void
make_file(fuzz_input_t *in)
{
    size_t     at, len;
    unsigned   page;
    u_char    *bytes;
    rfl_str_t  patch, sound;

    sound = sounds[fuzz_byte(in) % FILES];
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

            fuzz_check(rfl_store_get(s, dbi, key, &got) == RFL_OK);

            if (dbi == LARGE) {
                check_found(s, key, got);
            }

        } while (++n < 10 * ENTRIES
                 && rfl_cursor_next(cursor, &key, &value) == RFL_OK);

        (void) rfl_cursor_last(cursor, &key, &value);
        (void) rfl_cursor_seek(cursor, key, &key, &value);
    }

    rfl_cursor_close(cursor);
}


static void
check_found(rfl_store_t *s, rfl_str_t key, rfl_str_t wanted)
{
    uint64_t   number;
    rfl_str_t  found;

    if (key.len != sizeof(number)) {
        return;
    }

    memcpy(&number, key.data, sizeof(number));

    fuzz_check(rfl_store_get_u64(s, LARGE, number, &found) == RFL_OK);
    fuzz_check(found.data == wanted.data && found.len == wanted.len);

    number++;

    fuzz_check(rfl_store_get_u64(s, LARGE, number, &found)
               == rfl_store_get(s, LARGE, rfl_str(&number, sizeof(number)),
                                &wanted));
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


size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    size_t     at, len, page;
    uint64_t   random, value;
    rfl_str_t  sound;

    random = seed;

    if (size == 0 || size + 13 > max || next(&random) % 2 == 0) {
        return LLVMFuzzerMutate(data, size, max);
    }

    if (sounds[0].len == 0) {
        make_sound_files();
    }

    sound = sounds[data[0] % FILES];

    at = choose_field(sound, &random, &len);
    value = change_field(sound, &random, at, len);
    page = at / PAGE;

    data += size;
    *data++ = (uint8_t) page;
    *data++ = (uint8_t) (page >> 8);
    *data++ = (uint8_t) (at % PAGE);
    *data++ = (uint8_t) (at % PAGE >> 8);
    *data++ = (uint8_t) (len - 1);
    memcpy(data, &value, len);

    return size + 5 + len;
}


/* See rfl_pages.c for the format. */

static size_t
choose_field(rfl_str_t file, uint64_t *random, size_t *len)
{
    size_t         start, nodes, node, i;
    const u_char  *p;

    static const struct {
        uint8_t  at;
        uint8_t  len;
    } head[] = { { 0, 8 }, { 10, 2 }, { 12, 2 }, { 14, 2 }, { 12, 4 } },
      of_node[] = { { 0, 2 }, { 2, 2 }, { 4, 2 }, { 6, 2 }, { 8, 8 },
                    { 8, 1 }, { 16, 8 }, { 16, 1 } },
      meta[] = { { 16, 4 }, { 20, 4 }, { 32, 8 }, { 40, 4 }, { 44, 2 },
                 { 46, 2 }, { 48, 8 }, { 56, 8 }, { 64, 8 }, { 72, 8 },
                 { 80, 8 }, { 92, 2 }, { 94, 2 }, { 96, 8 }, { 104, 8 },
                 { 112, 8 }, { 120, 8 }, { 128, 8 }, { 136, 8 }, { 144, 8 } };

    start = next(random) % (file.len / PAGE) * PAGE;
    p = file.data + start;

    if (next(random) % 16 == 0 || start < 2 * PAGE) {
        i = next(random) % (sizeof(meta) / sizeof(meta[0]));
        *len = meta[i].len;

        return start % (2 * PAGE) + meta[i].at;
    }

    nodes = (u16(p + 12) - 16) / 2;

    if (next(random) % 4 == 0 || !(p[10] & 3) || nodes == 0
        || nodes > PAGE / 2)
    {
        i = next(random) % (sizeof(head) / sizeof(head[0]));
        *len = head[i].len;

        return start + head[i].at;
    }

    i = next(random) % nodes;

    if (next(random) % 4 == 0) {
        *len = 2;
        return start + 16 + 2 * i;
    }

    node = u16(p + 16 + 2 * i);
    i = next(random) % (sizeof(of_node) / sizeof(of_node[0]));
    *len = of_node[i].len;

    return node + of_node[i].at + *len <= PAGE ? start + node + of_node[i].at
                                               : start;
}


static uint64_t
change_field(rfl_str_t file, uint64_t *random, size_t at, size_t len)
{
    uint64_t  value;

    value = 0;
    memcpy(&value, file.data + at, len);

    switch (next(random) % 8) {

    case 0:
        return value + 1;
    case 1:
        return value - 1;
    case 2:
        return value + 2;
    case 3:
        return value - 2;
    case 4:
        return value ^ (uint64_t) 1 << next(random) % (8 * len);
    case 5:
        return 0;
    case 6:
        return UINT64_MAX;

    default:                             /* the same field of another page */
        value = 0;
        memcpy(&value, file.data + (at % PAGE + next(random)
                                                % (file.len / PAGE) * PAGE),
               len);

        return value;
    }
}


/* xorshift64* (Marsaglia, 2003; Vigna, 2016) */

static unsigned
next(uint64_t *random)
{
    *random += 0x9e3779b97f4a7c15u;
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;

    return (unsigned) (*random * 0x2545f4914f6cdd1du >> 33);
}


static unsigned
u16(const u_char *p)
{
    return p[0] | (unsigned) p[1] << 8;
}
