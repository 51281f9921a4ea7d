/*
 * The class of a request: the table of the design, one row a line of
 * conditions, the first that holds wins.
 */

#include "rfl_class.h"


static int rfl_class_is_other(const rfl_class_input_t *in);


rfl_class_t
rfl_classify(const rfl_class_input_t *in)
{
    if (rfl_class_is_other(in)) {
        return RFL_CLASS_OTHER;
    }

    if (in->status >= 300 && in->status < 400 && in->status != 304) {
        return RFL_CLASS_REDIRECT;
    }

    if (in->status >= 400) {
        return RFL_CLASS_ERROR;
    }

    return RFL_CLASS_CLICK;
}


/*
 * Not a page asked for and answered: another method; a protocol switch (101);
 * a client that timed out (408), was dropped (444) or left (499); no answer
 * at all.
 */

static int
rfl_class_is_other(const rfl_class_input_t *in)
{
    static const rfl_str_t  get = rfl_string("GET");

    if (!rfl_str_eq(in->method, get)) {
        return 1;
    }

    switch (in->status) {

    case 0:
    case 101:
    case 408:
    case 444:
    case 499:
        return 1;

    default:
        return 0;
    }
}
