/*
 * A counter file that somebody has written to.  It is refused with a reason, or
 * read, counted in, flushed and streamed from, whatever it says.
 *
 * Input: a byte of flags, then patches: a byte for the place, two for the
 * offset there, one for the length, and the bytes.  A last one may cut the
 * file.
 */

#include "fuzz.h"
#include "rfl_diagnosis.h"
#include "rfl_feed.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>


#define IDS    100
#define MAX    5000
#define NOW    1795132800
#define READS  300


static void make_file(fuzz_input_t *in);
static void patch(int fd, fuzz_input_t *in);
static void check_reading(void);
static void check_rings(rfl_counters_t *c);
static void check_counting(uint8_t flags);
static void check_flush(rfl_counters_t *c, int full);


/* Where patches go: what has a meaning, and the ends of it. */

static const uint64_t  places[] = {
    0, 0, 0, 0,
    RFL_COUNTERS_HOSTS_AT,
    RFL_COUNTERS_STRIPES_AT,
    RFL_RING_HEADS_AT,
    RFL_COUNTERS_DIRTY_AT,
    RFL_RING_SLOTS_AT,
    RFL_RING_SLOTS_AT + RFL_RING_SLOTS * sizeof(rfl_event_t) - 256,
    RFL_COUNTERS_CELLS_AT
};

#define PLACES  (sizeof(places) / sizeof(places[0]))


static char          path[300];
static const u_char  uuid[16] = "fuzzed counters";


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t       flags;
    fuzz_input_t  in;

    (void) snprintf(path, sizeof(path), "%s/cells", fuzz_dir());

    in = fuzz_input(data, size);
    flags = fuzz_byte(&in);

    make_file(&in);

    if (flags & 1) {
        check_reading();
    }

    if (flags & 6) {
        check_counting(flags);
    }

    (void) unlink(path);
    fuzz_free();

    return 0;
}


static void
make_file(fuzz_input_t *in)
{
    int              fd;
    rfl_error_t      err;
    rfl_event_t      event;
    rfl_counters_t  *c;

    (void) unlink(path);

    fuzz_check(rfl_counters_open(&c, path, uuid, 1, MAX,
                                 RFL_COUNTERS_CREATE|RFL_COUNTERS_WRITE, NOW,
                                 &err)
               == RFL_OK);
    fuzz_check(rfl_ring_open(c, 0, &err) == RFL_OK);

    memset(&event, 0, sizeof(rfl_event_t));
    rfl_ring_write(c, 0, &event, rfl_cstr("blog.example"), rfl_cstr("/a"));
    rfl_counters_note_host(c, rfl_cstr("shop.example"));

    rfl_counters_close(c);

    fd = open(path, O_RDWR|O_CLOEXEC);
    fuzz_check(fd != -1);

    while (in->p < in->end) {
        patch(fd, in);
    }

    (void) close(fd);
}


static void
patch(int fd, fuzz_input_t *in)
{
    uint8_t    place;
    uint64_t   at;
    rfl_str_t  bytes;

    place = fuzz_byte(in);
    at = fuzz_byte(in);
    at |= (uint64_t) fuzz_byte(in) << 8;

    if (place == 0xff) {
        fuzz_check(ftruncate(fd, (off_t) (at << 12)) == 0);
        return;
    }

    /* the header has no more than 256 bytes */

    if (place % PLACES < 4) {
        at &= 0xff;
    }

    bytes = fuzz_bytes(in, 1 + fuzz_byte(in) % 64);

    fuzz_check(pwrite(fd, bytes.data, bytes.len,
                      (off_t) (places[place % PLACES] + at))
               == (ssize_t) bytes.len);
}


static void
check_reading(void)
{
    uint32_t         id;
    rfl_buf_t        b = rfl_buf_init;
    rfl_rc_t         rc;
    rfl_cell_t       cell;
    rfl_zone_t       zone;
    struct stat      st;
    rfl_error_t      err;
    rfl_totals_t     totals;
    rfl_counters_t  *c;

    err.text[0] = '\0';

    rc = rfl_counters_open(&c, path, uuid, IDS, MAX, RFL_COUNTERS_READ, NOW,
                           &err);
    if (rc != RFL_OK) {
        fuzz_check(c == NULL && err.text[0] != '\0');
        return;
    }

    /* a lower limit takes no cell from an id that has one: see max_ids */

    fuzz_check(stat(path, &st) == 0
               && RFL_COUNTERS_CELLS_AT
                  + rfl_counters_capacity(c) * sizeof(rfl_cell_t)
                  <= (size_t) st.st_size);

    totals.ledger = NULL;
    totals.counters = c;

    for (id = 0; id < MAX + 2; id += (id < 3 || id > MAX - 3) ? 1 : 97) {
        fuzz_check(rfl_totals_cell(&totals, id, &cell) == RFL_OK);
        rfl_report_counters(&b, &cell);
        b.len = 0;
    }

    fuzz_check(rfl_totals_zone(&totals, &zone) == RFL_OK);
    rfl_report_zone(&b, &zone);
    rfl_buf_free(&b);

    check_rings(c);

    (void) rfl_counters_moved(c);
    (void) rfl_counters_retired(c);

    rfl_counters_close(c);
}


static void
check_rings(rfl_counters_t *c)
{
    unsigned           n;
    rfl_event_t        event;
    rfl_ring_reader_t  reader;

    memset(&reader, 0, sizeof(rfl_ring_reader_t));

    for (n = 0; n < 2; n++) {
        rfl_ring_start(&reader, c);
        (void) rfl_ring_next(&reader, c, 1, &event);
    }

    rfl_ring_rewind(&reader);

    for (n = 0; n < READS; n++) {
        if (rfl_ring_next(&reader, c, 1 + n, &event) != RFL_OK) {
            continue;
        }

        /* who shows its other numbers looks at them first */

        fuzz_check(event.source_len + event.landing_len <= RFL_RING_TEXT);
    }
}


static void
check_counting(uint8_t flags)
{
    rfl_rc_t         rc;
    rfl_error_t      err;
    rfl_record_t     record;
    rfl_counters_t  *c;

    err.text[0] = '\0';

    rc = rfl_counters_open(&c, path, uuid, IDS, MAX, RFL_COUNTERS_WRITE, NOW,
                           &err);
    if (rc != RFL_OK) {
        fuzz_check(c == NULL && err.text[0] != '\0');
        return;
    }

    memset(&record, 0, sizeof(rfl_record_t));
    record.attribution.outcome = RFL_OUTCOME_MATCHED;
    record.attribution.evidence = RFL_EVIDENCE_EXACT;
    record.class = RFL_CLASS_CLICK;
    record.status = 200;
    record.now = NOW;
    record.host = rfl_cstr("shop.example");
    record.attribution.path = rfl_cstr("/a");
    record.attribution.source = rfl_cstr("blog.example");

    (void) rfl_ring_open(c, 1, NULL);

    for (record.attribution.id = 0; record.attribution.id < MAX + 2;
         record.attribution.id += 501)
    {
        rfl_record(&c->stripes[1], c, &record);
        record.ring++;
    }

    if (flags & 4) {
        check_flush(c, flags & 8);
    }

    rfl_counters_forget_hosts(c);
    (void) rfl_counters_last_out(c);
    rfl_counters_close(c);
}


static void
check_flush(rfl_counters_t *c, int full)
{
    char              file[400];
    rfl_error_t       err;
    rfl_flush_t       flush;
    rfl_ledger_t     *ledger;
    rfl_flush_stat_t  stat;

    (void) snprintf(file, sizeof(file), "%s/ledger/data.mdb",
                    fuzz_dir());
    (void) unlink(file);
    (void) snprintf(file, sizeof(file), "%s/ledger/lock.mdb",
                    fuzz_dir());
    (void) unlink(file);

    fuzz_check(rfl_ledger_open(&ledger, fuzz_dir(), uuid, RFL_STORE_CREATE,
                               (size_t) 64 << 20, &err)
               == RFL_OK);

    memset(&flush, 0, sizeof(rfl_flush_t));
    flush.counters_path = path;
    flush.now_ms = NOW * UINT64_C(1000);
    flush.full = (full != 0);

    (void) rfl_ledger_flush(ledger, c, &flush, &stat, &err);
    (void) rfl_ledger_flush(ledger, c, &flush, &stat, &err);

    rfl_ledger_close(ledger);
}
