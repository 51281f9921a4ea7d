/*
 * Registers links with any bytes in their fields, past the checks of people's
 * input: what another version, or a damaged file, may have stored.
 *
 *     add_raw PATH < LINES
 *
 * A line is one link, "FIELD=HEX FIELD=HEX ..."; the answer is a line, the key
 * or "refused: " and why.  The source and the other parts of the identity are
 * checked all the same: keys are made of them.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rfl_registry.h"


#define LINE_MAX_BYTES  65536


static int add_lines(rfl_registry_t *registry, rfl_error_t *err);
static int read_link(rfl_link_t *link, char *line, u_char *bytes);
static size_t read_hex(const char *hex, u_char *bytes);


int
main(int argc, char **argv)
{
    int              failed;
    rfl_error_t      err;
    rfl_registry_t  *registry;

    if (argc != 2) {
        fprintf(stderr, "usage: add_raw PATH < LINES\n");
        return 2;
    }

    registry = NULL;

    failed = rfl_registry_open(&registry, argv[1], RFL_STORE_WRITE, 0, &err)
             != RFL_OK
             || rfl_registry_begin(registry, 1, &err) != RFL_OK;

    if (!failed) {
        failed = add_lines(registry, &err)
                 || rfl_registry_commit(registry, &err) != RFL_OK;
    }

    if (failed) {
        fprintf(stderr, "add_raw: %s\n", err.text);
    }

    rfl_registry_close(registry);

    return failed;
}


static int
add_lines(rfl_registry_t *registry, rfl_error_t *err)
{
    static char    line[LINE_MAX_BYTES];
    static u_char  bytes[LINE_MAX_BYTES];

    rfl_rc_t    rc;
    rfl_link_t  link;

    while (fgets(line, sizeof(line), stdin) != NULL) {

        if (!read_link(&link, line, bytes)) {
            (void) rfl_fail(err, RFL_INVALID, "a line makes no sense");
            return 1;
        }

        rc = rfl_registry_add(registry, &link, 1, err);

        if (rc == RFL_OK) {
            printf("%016llx\n", (unsigned long long) link.key);

        } else if (rc == RFL_INVALID || rc == RFL_EXISTS) {
            printf("refused: %d\n", (int) rc);

        } else {
            return 1;
        }
    }

    return 0;
}


static int
read_link(rfl_link_t *link, char *line, u_char *bytes)
{
    char                    *word, *equals, *rest;
    size_t                   len;
    const rfl_link_field_t  *field;

    memset(link, 0, sizeof(rfl_link_t));

    for (word = strtok_r(line, " \n", &rest); word != NULL;
         word = strtok_r(NULL, " \n", &rest))
    {
        equals = strchr(word, '=');
        if (equals == NULL) {
            return 0;
        }

        field = rfl_link_field(rfl_str(word, (size_t) (equals - word)));

        if (field == NULL || field->type == RFL_FIELD_MATCH_TYPE) {
            return 0;
        }

        len = read_hex(equals + 1, bytes);
        *rfl_link_slice(link, field) = rfl_str(bytes, len);
        bytes += len;
    }

    return 1;
}


static size_t
read_hex(const char *hex, u_char *bytes)
{
    size_t    len;
    unsigned  byte;

    for (len = 0; sscanf(hex + 2 * len, "%2x", &byte) == 1; len++) {
        bytes[len] = (u_char) byte;
    }

    return len;
}
