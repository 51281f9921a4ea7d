/*
 * Decides one request many times, for a test that counts instructions:
 *
 *     attribute PATH REFERER LANDING TIMES
 *
 * Prints the outcome and the id of the link or group.
 */

#include <stdio.h>
#include <stdlib.h>

#include "rfl_attribution.h"


/* Valgrind has no room for the default. */
#define MAP_SIZE  ((size_t) 256 << 20)


int
main(int argc, char **argv)
{
    long                n;
    rfl_error_t         err;
    rfl_request_t       request;
    rfl_registry_t     *registry;
    rfl_attribution_t   attribution;

    if (argc != 5) {
        fprintf(stderr, "usage: attribute PATH REFERER LANDING TIMES\n");
        return 2;
    }

    if (rfl_registry_open(&registry, argv[1], RFL_STORE_READ, MAP_SIZE, &err)
        != RFL_OK)
    {
        fprintf(stderr, "attribute: %s\n", err.text);
        return 1;
    }

    memset(&request, 0, sizeof(rfl_request_t));
    memset(&attribution, 0, sizeof(rfl_attribution_t));

    request.referer = rfl_cstr(argv[2]);
    request.landing = rfl_cstr(argv[3]);
    request.host = rfl_cstr("shop.example");

    for (n = strtol(argv[4], NULL, 10); n > 0; n--) {
        rfl_attribute(registry, &request, &attribution, NULL);
    }

    printf("%s %u\n", (const char *)
           rfl_outcome_names[attribution.outcome].data, attribution.id);

    rfl_registry_close(registry);

    return 0;
}
