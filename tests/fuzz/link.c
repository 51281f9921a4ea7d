/*
 * Links: what people give as their fields, and what the registry reads back.
 * A link that was set encodes and decodes to itself and has the same key
 * again; a record that decodes encodes to the same bytes.
 *
 * Input: a byte; an even one, then a record, else lines FIELD=VALUE.
 */

#include "fuzz.h"
#include "rfl_identity.h"
#include "rfl_tally.h"


static void check_record(rfl_str_t record);
static void check_fields(fuzz_input_t *in);
static void check_encoded(rfl_link_t *link);
static void check_key(const rfl_link_t *link);
static void check_slices(rfl_link_t *link, rfl_str_t whole);


static u_char  bytes[RFL_LINK_RECORD_MAX];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t  in;

    in = fuzz_input(data, size);

    if (fuzz_byte(&in) % 2 == 0) {
        check_record(fuzz_rest(&in));

    } else {
        check_fields(&in);
    }

    fuzz_free();

    return 0;
}


static void
check_record(rfl_str_t record)
{
    size_t      len;
    rfl_rc_t    rc;
    rfl_link_t  link;

    rc = rfl_link_decode(record, &link);

    fuzz_check(rc == RFL_OK || rc == RFL_DAMAGED || rc == RFL_BAD_VERSION);

    if (rc != RFL_OK) {
        return;
    }

    check_slices(&link, record);

    len = rfl_link_encode(&link, bytes, sizeof(bytes));

    fuzz_check(rfl_str_eq(rfl_str(bytes, len), record));
    fuzz_check(rfl_link_encode(&link, bytes, len) == len);
    fuzz_check(rfl_link_encode(&link, bytes, len - 1) == 0);

    check_key(&link);
}


static void
check_fields(fuzz_input_t *in)
{
    size_t                   i;
    rfl_rc_t                 rc;
    rfl_str_t                line, value;
    rfl_link_t               link, before;
    rfl_error_t              err;
    const u_char            *mark;
    const rfl_link_field_t  *field;
    static u_char            scratch[8][RFL_LABELS_TEXT_MAX];

    memset(&link, 0, sizeof(rfl_link_t));

    for (i = 0; i < 40 && in->p < in->end; i++) {
        line = fuzz_line(in);
        mark = line.len != 0 ? memchr(line.data, '=', line.len) : NULL;

        if (mark == NULL) {
            continue;
        }

        field = rfl_link_field(rfl_str(line.data,
                                       (size_t) (mark - line.data)));
        if (field == NULL) {
            continue;
        }

        value = fuzz_copy(rfl_str(mark + 1, line.len - 1
                                            - (size_t) (mark - line.data)));
        before = link;
        err.text[0] = '\0';

        rc = rfl_link_set(&link, field, value, scratch[i % 8], &err);

        if (rc != RFL_OK) {
            fuzz_check(rc == RFL_INVALID && err.text[0] != '\0');
            fuzz_check(memcmp(&before, &link, sizeof(rfl_link_t)) == 0);

        } else if (field->type != RFL_FIELD_MATCH_TYPE) {
            fuzz_check(rfl_link_slice(&link, field)->len <= field->max);
        }

        if (field->type == RFL_FIELD_LABELS) {
            link.labels = fuzz_copy(link.labels);
        }
    }

    check_encoded(&link);
    check_key(&link);
}


static void
check_encoded(rfl_link_t *link)
{
    size_t      i, len;
    rfl_link_t  decoded;

    link->key = 0x123456789abcdef0;
    link->id = 7;
    link->revision = 1;

    len = rfl_link_encode(link, bytes, sizeof(bytes));

    fuzz_check(len != 0);
    fuzz_check(rfl_link_decode(rfl_str(bytes, len), &decoded) == RFL_OK);
    fuzz_check(decoded.key == link->key && decoded.id == link->id);
    fuzz_check(decoded.match_type == link->match_type);

    for (i = 0; i < rfl_link_nfields; i++) {

        if (rfl_link_fields[i].type != RFL_FIELD_MATCH_TYPE) {
            fuzz_check(rfl_str_eq(*rfl_link_slice(link, &rfl_link_fields[i]),
                                  *rfl_link_slice(&decoded,
                                                  &rfl_link_fields[i])));
        }
    }
}


/* The key depends on what the fields say, not on where they lie. */

static void
check_key(const rfl_link_t *link)
{
    uint64_t               key;
    rfl_str_t              names[RFL_TALLY_NAMES_MAX];
    rfl_link_t             copy;
    rfl_error_t            err;
    static rfl_identity_t  id;

    fuzz_check(rfl_link_origin(link).len != 0);
    fuzz_check(rfl_link_channel(link).len != 0);
    fuzz_check(rfl_tally_names(RFL_TALLY_LABEL, link, names)
               <= RFL_TALLY_NAMES_MAX);
    (void) rfl_identity_guess(link->source, link->tag);

    memset(&id, 0x55, sizeof(rfl_identity_t));
    err.text[0] = '\0';

    err.text[0] = '\0';
    fuzz_check(rfl_identity_slip(link, &err) == RFL_OK || err.text[0] != '\0');

    if (rfl_identity(link, &id, &err) != RFL_OK) {
        fuzz_check(err.text[0] != '\0');
        return;
    }

    key = id.key;

    fuzz_check(key != 0);
    fuzz_check(id.source.len <= RFL_SURT_MAX);
    fuzz_check(id.target_len <= sizeof(id.target));
    fuzz_check(id.tag_len <= RFL_TAG_MAX);

    copy = *link;
    copy.source = fuzz_copy(link->source);
    copy.target = fuzz_copy(link->target);

    memset(&id, 0xaa, sizeof(rfl_identity_t));

    fuzz_check(rfl_identity(&copy, &id, &err) == RFL_OK);
    fuzz_check(id.key == key);
}


static void
check_slices(rfl_link_t *link, rfl_str_t whole)
{
    size_t     i;
    rfl_str_t  part;

    for (i = 0; i < rfl_link_nfields; i++) {

        if (rfl_link_fields[i].type == RFL_FIELD_MATCH_TYPE) {
            continue;
        }

        part = *rfl_link_slice(link, &rfl_link_fields[i]);

        fuzz_check(part.len == 0
                   || (part.data >= whole.data
                       && part.data + part.len <= whole.data + whole.len));
    }
}
