/*
 * The canonical form of URLs, for a test that has another parser's to compare:
 * one URL a line on standard input, its SURT a line on standard output, or "-"
 * and why it is refused.
 */

#include <stdio.h>
#include <stdlib.h>

#include "rfl_surt.h"


int
main(void)
{
    char        *line;
    size_t       size;
    ssize_t      n;
    rfl_url_t    url;
    rfl_surt_t   surt;
    const char  *why;

    line = NULL;
    size = 0;

    while ((n = getline(&line, &size, stdin)) > 0) {
        n -= (line[n - 1] == '\n');

        if (rfl_url_parse(rfl_str(line, (size_t) n), &url, &why) != RFL_OK) {
            printf("- %s\n", why);
            continue;
        }

        rfl_surt(&url, &surt);
        printf("%.*s\n", (int) surt.len, surt.buf);
    }

    free(line);

    return ferror(stdout) || fflush(stdout) != 0;
}
