/* See fuzz_json.h. */

#include "fuzz_json.h"

#include <jansson.h>

#include "fuzz.h"


void
fuzz_check_json(rfl_str_t text)
{
    json_t        *value;
    json_error_t   error;

    value = json_loadb((const char *) text.data, text.len,
                       JSON_REJECT_DUPLICATES|JSON_DECODE_ANY|JSON_ALLOW_NUL,
                       &error);

    if (value == NULL) {
        fuzz_show("no JSON", text);
        fuzz_finding(__FILE__, __LINE__, error.text);
    }

    json_decref(value);
}
