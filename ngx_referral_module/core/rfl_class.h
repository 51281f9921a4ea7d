/*
 * What a request was: a click, a broken landing, a redirect, something else.
 * Pure: all it needs is in the input struct.
 */

#ifndef RFL_CLASS_H
#define RFL_CLASS_H

#include "rfl_terms.h"


typedef struct {
    rfl_str_t  method;           /* "GET" */
    unsigned   status;           /* of the response; 0: none was sent */
} rfl_class_input_t;


/* Whether requests of this outcome have a class at all. */

static inline int
rfl_outcome_has_class(rfl_outcome_t outcome)
{
    return outcome != RFL_OUTCOME_INTERNAL && outcome != RFL_OUTCOME_MALFORMED
           && outcome != RFL_OUTCOME_SKIPPED;
}


rfl_class_t rfl_classify(const rfl_class_input_t *in);


#endif /* RFL_CLASS_H */
