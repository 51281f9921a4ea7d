/*
 * A file that is read as text: its bytes as UTF-8, whatever a program made of
 * them, and a look at its beginning that takes nothing away.
 *
 * UTF-16 is known by its byte order mark, or by a first character that has a
 * zero beside it: every header and every URL begins with an ASCII one.
 */

#ifndef RFL_INPUT_H
#define RFL_INPUT_H

#include "rfl_base.h"


#define RFL_INPUT_RAW   16384            /* bytes of a file, as they are */
#define RFL_INPUT_PEEK  16384            /* bytes of text that are looked at */


typedef enum {
    RFL_INPUT_UTF8 = 0,
    RFL_INPUT_UTF16LE,
    RFL_INPUT_UTF16BE
} rfl_encoding_t;


/* Memory of the caller, 32 KiB; nothing is allocated. */

typedef struct {
    int             fd;
    int             error;               /* errno of a read that failed */
    uint64_t        done;                /* bytes read of the file */
    rfl_encoding_t  encoding;
    unsigned        ended:1;
    u_char          last;                /* of the text so far */
    size_t          raw_pos;
    size_t          raw_len;
    size_t          peek_pos;
    size_t          peek_len;
    u_char          raw[RFL_INPUT_RAW];
    u_char          peek[RFL_INPUT_PEEK];
} rfl_input_t;


/* fd is the caller's, and read from here on.  A read that fails ends the text
 * and sets error. */

void rfl_input_begin(rfl_input_t *in, int fd);

/* The bytes it begins with, as they are, before anything was read. */

rfl_str_t rfl_input_bytes(const rfl_input_t *in);

/*
 * Up to a line that is neither empty nor begins with one of these characters;
 * returns it without the white space around it.  Reading begins with the
 * first byte of the text all the same.
 */

rfl_str_t rfl_input_peek(rfl_input_t *in, const char *comments);

/*
 * In rfl_csv_read_pt's form: UTF-8 without a byte order mark.  size is 4 at
 * least.  Of UTF-8 the bytes are as they are, valid or not.
 */

ssize_t rfl_input_read(void *in, u_char *buf, size_t size);

/* The same for a slice, an rfl_str_t, which moves on. */

ssize_t rfl_input_slice(void *slice, u_char *buf, size_t size);


#endif /* RFL_INPUT_H */
