/*
 * Looks at a table of an environment, and damages it, as no code of ours
 * would:
 *
 *     edit_store DIR TABLE bytes|u32|u64              lists its rows in hex
 *     edit_store DIR TABLE bytes|u32|u64 KEY          removes a row
 *     edit_store DIR TABLE bytes|u32|u64 KEY VALUE    writes one ("": empty)
 */

#include <stdio.h>
#include <stdlib.h>

#include "rfl_store.h"


#define TEXT_MAX  (512 * 1024)


static int list(rfl_store_t *s);
static int edit(rfl_store_t *s, const char *key, const char *value,
    rfl_error_t *err);
static rfl_str_t bytes_of(const char *hex, u_char *out);
static void print_hex(rfl_str_t bytes);


int
main(int argc, char **argv)
{
    int               failed;
    rfl_error_t       err;
    rfl_store_t      *s;
    rfl_store_dbi_t   dbi;

    if (argc < 4 || argc > 6) {
        fprintf(stderr, "usage: edit_store DIR TABLE bytes|u32|u64 "
                        "[KEY [VALUE]]\n");
        return 2;
    }

    memset(&err, 0, sizeof(rfl_error_t));

    dbi.name = argv[2];
    dbi.key_kind = strcmp(argv[3], "u32") == 0 ? RFL_KEY_U32
                   : strcmp(argv[3], "u64") == 0 ? RFL_KEY_U64
                   : RFL_KEY_BYTES;

    if (rfl_store_open(&s, argv[1], &dbi, 1, RFL_STORE_WRITE, 0, &err)
        != RFL_OK)
    {
        fprintf(stderr, "edit_store: %s\n", err.text);
        return 1;
    }

    failed = argc == 4 ? list(s)
                       : edit(s, argv[4], argc == 6 ? argv[5] : NULL, &err);

    if (failed) {
        fprintf(stderr, "edit_store: %s\n", err.text);
    }

    rfl_store_close(s);

    return failed;
}


static int
list(rfl_store_t *s)
{
    rfl_rc_t       rc;
    rfl_str_t      key, value;
    rfl_cursor_t  *cursor;

    if (rfl_store_begin(s, 0, NULL) != RFL_OK
        || rfl_cursor_open(s, 0, &cursor) != RFL_OK)
    {
        return 1;
    }

    rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &key, &value);

    while (rc == RFL_OK) {
        print_hex(key);
        putchar(' ');
        print_hex(value);
        putchar('\n');

        rc = rfl_cursor_next(cursor, &key, &value);
    }

    rfl_cursor_close(cursor);
    rfl_store_end(s);

    return rc != RFL_NOT_FOUND;
}


static int
edit(rfl_store_t *s, const char *key, const char *value, rfl_error_t *err)
{
    rfl_rc_t   rc;
    rfl_str_t  k;

    static u_char  key_bytes[TEXT_MAX], value_bytes[TEXT_MAX];

    if (rfl_store_begin(s, 1, err) != RFL_OK) {
        return 1;
    }

    k = bytes_of(key, key_bytes);

    rc = value == NULL ? rfl_store_del(s, 0, k, err)
         : rfl_store_put(s, 0, k, bytes_of(value, value_bytes), 0, err);

    if (rc != RFL_OK) {
        rfl_store_end(s);
        return 1;
    }

    return rfl_store_commit(s, err) != RFL_OK;
}


static rfl_str_t
bytes_of(const char *hex, u_char *out)
{
    size_t    n;
    unsigned  byte;

    for (n = 0; n < TEXT_MAX && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++) {
        out[n] = (u_char) byte;

        if (hex[2 * n + 1] == '\0') {
            break;
        }
    }

    return rfl_str(out, n);
}


static void
print_hex(rfl_str_t bytes)
{
    size_t  i;

    for (i = 0; i < bytes.len; i++) {
        printf("%02x", bytes.data[i]);
    }
}
