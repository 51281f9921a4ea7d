/*
 * UTF-8 as the writers of JSON and Prometheus text need it: where a sequence
 * ends, and whether it is one.  What strangers send need not be.
 */

#ifndef RFL_UTF8_H
#define RFL_UTF8_H

#include "rfl_base.h"


#define RFL_UTF8_REPLACEMENT  "\xef\xbf\xbd"     /* U+FFFD */


/*
 * The length of the sequence at pos, which is below s.len, by Table 3-7 of the
 * Unicode standard, "Well-Formed UTF-8 Byte Sequences": no overlong form, no
 * surrogate, nothing above U+10FFFF.  An invalid one is as long as it still
 * could have become valid, at least one byte (Unicode, 3.9, "maximal
 * subpart"): one U+FFFD stands for it.
 */

size_t rfl_utf8_sequence(rfl_str_t s, size_t pos, int *valid);


#endif /* RFL_UTF8_H */
