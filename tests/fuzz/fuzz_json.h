/*
 * What is rendered as JSON, judged by another reader (jansson).
 */

#ifndef FUZZ_JSON_H
#define FUZZ_JSON_H

#include "rfl_base.h"


/* Aborts unless it is JSON with no name twice, and nothing behind it. */

void fuzz_check_json(rfl_str_t text);


#endif /* FUZZ_JSON_H */
