/*
 * What the ledger reads back: cells, zones, the records of counter files and
 * buckets of history.  Damage is said to be damage; a value that decodes adds
 * the same twice.
 *
 * Input: a byte that says what it is, then the value.
 */

#include "fuzz.h"
#include "rfl_ledger_parts.h"
#include "rfl_varint.h"


static void check_block(rfl_str_t value);
static void check_zone(rfl_str_t value);
static void check_numbers(rfl_str_t value, size_t fields);
static void check_file(rfl_str_t value);
static void check_varint(rfl_str_t value);
static int is_known(rfl_rc_t rc);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t       what;
    rfl_str_t     value;
    fuzz_input_t  in;

    in = fuzz_input(data, size);
    what = fuzz_byte(&in) % 6;
    value = fuzz_rest(&in);

    switch (what) {

    case 0:
        check_block(value);
        break;

    case 1:
        check_zone(value);
        break;

    case 2:
        check_numbers(value, RFL_CELL_FIELDS);
        break;

    case 3:
        check_numbers(value, RFL_ZONE_FIELDS);
        break;

    case 4:
        check_file(value);
        break;

    default:
        check_varint(value);
    }

    fuzz_free();

    return 0;
}


static void
check_block(rfl_str_t value)
{
    size_t                      i, j;
    rfl_rc_t                    rc;
    static rfl_history_block_t  once, twice;

    memset(&once, 0, sizeof(rfl_history_block_t));
    rc = rfl_history_decode_block(value, &once);
    fuzz_check(is_known(rc));

    if (rc != RFL_OK) {
        return;
    }

    memset(&twice, 0, sizeof(rfl_history_block_t));
    fuzz_check(rfl_history_decode_block(value, &twice) == RFL_OK);
    fuzz_check(rfl_history_decode_block(value, &twice) == RFL_OK);
    fuzz_check(once.present == twice.present);

    for (i = 0; i < RFL_HISTORY_BLOCK; i++) {
        for (j = 0; j < RFL_CELL_FIELDS; j++) {
            fuzz_check(twice.cells[i].n[j] == 2 * once.cells[i].n[j]);
            fuzz_check(once.cells[i].n[j] == 0 || (once.present >> i & 1));
        }
    }
}


static void
check_zone(rfl_str_t value)
{
    size_t      j;
    rfl_rc_t    rc;
    rfl_zone_t  once, twice;

    memset(&once, 0, sizeof(rfl_zone_t));
    rc = rfl_history_decode_zone(value, &once);
    fuzz_check(is_known(rc));

    if (rc != RFL_OK) {
        return;
    }

    memset(&twice, 0, sizeof(rfl_zone_t));
    fuzz_check(rfl_history_decode_zone(value, &twice) == RFL_OK);
    fuzz_check(rfl_history_decode_zone(value, &twice) == RFL_OK);

    for (j = 0; j < RFL_ZONE_FIELDS; j++) {
        fuzz_check(twice.n[j] == 2 * once.n[j]);
    }
}


static void
check_numbers(rfl_str_t value, size_t fields)
{
    uint64_t  n[RFL_ZONE_FIELDS];

    fuzz_check(is_known(rfl_ledger_decode(value, n, fields)));
}


static void
check_file(rfl_str_t value)
{
    rfl_rc_t             rc;
    rfl_str_t            path;
    rfl_ledger_record_t  record;

    rc = rfl_ledger_decode_file(value, &record);
    fuzz_check(is_known(rc));

    if (rc != RFL_OK) {
        return;
    }

    path = record.file.path;

    fuzz_check((unsigned) record.state <= RFL_LEDGER_DONE);
    fuzz_check(path.len == 0
               || (path.data >= value.data
                   && path.data + path.len == value.data + value.len));
}


static void
check_varint(rfl_str_t value)
{
    u_char     bytes[RFL_VARINT_MAX], *end;
    uint64_t   n, again;
    rfl_str_t  rest, written;

    rest = value;

    while (rfl_varint_get(&rest, &n) == RFL_OK) {
        end = rfl_varint_put(bytes, n);
        written = rfl_str(bytes, (size_t) (end - bytes));

        fuzz_check(written.len <= RFL_VARINT_MAX);
        fuzz_check(rfl_varint_get(&written, &again) == RFL_OK);
        fuzz_check(again == n && written.len == 0);
    }
}


static int
is_known(rfl_rc_t rc)
{
    return rc == RFL_OK || rc == RFL_DAMAGED || rc == RFL_BAD_VERSION;
}
