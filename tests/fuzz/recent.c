/*
 * The table of recent answers, and its hash, against a list that keeps all:
 * what is found is what was kept last for the very question, of the same
 * snapshot and generation; what was just kept is found; two questions have one
 * key only if they are the same.  The sum is the one that is defined, whatever
 * the way its bytes are read.
 *
 * Input: bytes that choose operations, and texts made of a byte and a length
 * each; the keys are always the same, so that a finding comes again.
 */

#include "fuzz.h"
#include "rfl_recent.h"


#define QUESTIONS  64
#define SNAPSHOTS  4


typedef struct {
    rfl_recent_question_t  question;
    rfl_recent_place_t     place;
    uint64_t               answers[SNAPSHOTS];   /* + 1; 0: none, or it is of
                                                    another generation */
} entry_t;


static void make_table(void);
static void ask(fuzz_input_t *in);
static rfl_str_t make_text(fuzz_input_t *in);
static entry_t *find_entry(const rfl_recent_question_t *question);
static int is_same(const rfl_recent_question_t *a,
    const rfl_recent_question_t *b);
static void check_place(const rfl_recent_question_t *question,
    const rfl_recent_place_t *place);
static rfl_keyed_sum_t naive_text(rfl_keyed_sum_t sum, size_t *key,
    rfl_str_t text);
static rfl_keyed_sum_t naive_pair(rfl_keyed_sum_t sum, size_t *key, uint64_t a,
    uint64_t b);
static uint64_t word(const u_char *p, size_t n);


static rfl_recent_t  *table;
static entry_t        entries[QUESTIONS];
static size_t         nentries;
static uint64_t       nkept;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t  in;

    if (table == NULL) {
        make_table();
    }

    in = fuzz_input(data, size);
    nentries = 0;
    nkept = 0;

    rfl_recent_forget(table);

    while (in.p < in.end) {
        ask(&in);
    }

    fuzz_free();

    return 0;
}


static void
make_table(void)
{
    size_t  i;

    table = rfl_recent_create();
    fuzz_check(table != NULL);

    for (i = 0; i < RFL_KEYED_WORDS; i++) {
        table->keys.words[i] = (i + 1) * 0x9e3779b97f4a7c15u
                               ^ (i * i) << 40;
    }
}


static void
ask(fuzz_input_t *in)
{
    size_t                  i;
    uint8_t                 how;
    entry_t                *e;
    uint64_t                snapshot, kept;
    rfl_recent_place_t      place;
    rfl_recent_answer_t     answer;
    rfl_recent_question_t   question;

    static const int        tables[4];

    how = fuzz_byte(in);

    if (how == 0xff) {
        rfl_recent_forget(table);

        for (i = 0; i < nentries; i++) {
            memset(entries[i].answers, 0, sizeof(entries[i].answers));
        }

        return;
    }

    memset(&question, 0, sizeof(rfl_recent_question_t));
    question.own_hosts = (how & 1) ? &tables[0] : NULL;
    question.tag_names = (how & 2) ? &tables[1] : NULL;
    question.unmatched = (how & 4) ? 0x0101 : 0;
    question.referer = make_text(in);
    question.landing = make_text(in);
    question.host = make_text(in);

    snapshot = how >> 3 & 3;

    if (rfl_recent_place(table, &question, &place) != RFL_OK) {
        fuzz_check(question.referer.len > RFL_RECENT_TEXT
                   || question.landing.len > RFL_RECENT_TEXT
                   || question.host.len > RFL_RECENT_TEXT);
        return;
    }

    check_place(&question, &place);

    e = find_entry(&question);

    for (i = 0; i < nentries; i++) {
        fuzz_check((entries[i].place.key[0] == place.key[0]
                    && entries[i].place.key[1] == place.key[1])
                   == (e == &entries[i]));
    }

    if (rfl_recent_find(table, &place, snapshot, &answer) == RFL_OK) {
        memcpy(&kept, &answer, sizeof(kept));
        fuzz_check(e != NULL && e->answers[snapshot] == kept + 1);
    }

    if (e == NULL && nentries < QUESTIONS) {
        e = &entries[nentries++];
        memset(e, 0, sizeof(entry_t));
        e->question = question;
        e->place = place;
    }

    if (e == NULL || (how & 32)) {
        return;
    }

    kept = ++nkept;
    memcpy(&answer, &kept, sizeof(answer));
    rfl_recent_keep(table, &place, snapshot, answer);

    /* it took the place of an older answer to the question */

    memset(e->answers, 0, sizeof(e->answers));
    e->answers[snapshot] = kept + 1;

    fuzz_check(rfl_recent_find(table, &place, snapshot, &answer) == RFL_OK);
    fuzz_check(memcmp(&answer, &kept, sizeof(answer)) == 0);
}


/* Few bytes, all lengths: texts that are nearly the same. */

static rfl_str_t
make_text(fuzz_input_t *in)
{
    size_t         i, len;
    uint8_t        what;
    static u_char  text[RFL_RECENT_TEXT + 2];

    what = fuzz_byte(in);
    len = fuzz_byte(in);

    if (what & 0x80) {
        return fuzz_bytes(in, len);
    }

    if (what & 0x40) {
        len = len * 4 + 5;               /* to 1025 */
    }

    for (i = 0; i < len; i++) {
        text[i] = (u_char) ('a' + (what & 7));
    }

    /* one byte differs */

    if ((what & 8) && len != 0) {
        text[fuzz_byte(in) % len] ^= (u_char) (1 << (what >> 4 & 3));
    }

    return fuzz_copy(rfl_str(text, len));
}


static entry_t *
find_entry(const rfl_recent_question_t *question)
{
    size_t  i;

    for (i = 0; i < nentries; i++) {
        if (is_same(&entries[i].question, question)) {
            return &entries[i];
        }
    }

    return NULL;
}


static int
is_same(const rfl_recent_question_t *a, const rfl_recent_question_t *b)
{
    return rfl_str_eq(a->referer, b->referer)
           && rfl_str_eq(a->landing, b->landing)
           && rfl_str_eq(a->host, b->host)
           && a->own_hosts == b->own_hosts && a->tag_names == b->tag_names
           && a->unmatched == b->unmatched;
}


static void
check_place(const rfl_recent_question_t *question,
    const rfl_recent_place_t *place)
{
    size_t           key;
    rfl_keyed_sum_t  sum;

    key = 0;

    sum = naive_pair(0, &key,
                     question->referer.len | question->landing.len << 16
                     | question->host.len << 32
                     | (uint64_t) question->unmatched << 48,
                     (uintptr_t) question->own_hosts);
    sum = naive_pair(sum, &key, (uintptr_t) question->tag_names, 0);
    sum = naive_text(sum, &key, question->referer);
    sum = naive_text(sum, &key, question->landing);
    sum = naive_text(sum, &key, question->host);

    fuzz_check(key <= RFL_KEYED_WORDS);
    fuzz_check(place->key[0] == (uint64_t) sum);
    fuzz_check(place->key[1] == (uint64_t) (sum >> 64));
    fuzz_check(place->set % RFL_RECENT_WAYS == 0);
    fuzz_check(place->set < RFL_RECENT_WAYS << RFL_RECENT_BITS);
    fuzz_check(place->victim < RFL_RECENT_WAYS);
}


/* Sixteen bytes a time, the last ones up to the text's end. */

static rfl_keyed_sum_t
naive_text(rfl_keyed_sum_t sum, size_t *key, rfl_str_t text)
{
    size_t         at, half;
    const u_char  *p;

    p = text.data;

    if (text.len > 16) {

        for (at = 0; at < text.len; at += 16) {
            at = at + 16 < text.len ? at : text.len - 16;
            sum = naive_pair(sum, key, word(p + at, 8), word(p + at + 8, 8));
        }

        return sum;
    }

    if (text.len >= 4) {
        half = text.len >= 8 ? 8 : 4;

        return naive_pair(sum, key, word(p, half),
                          word(p + text.len - half, half));
    }

    if (text.len == 0) {
        return sum;
    }

    return naive_pair(sum, key, p[0],
                      (uint64_t) p[text.len / 2] << 8 | p[text.len - 1]);
}


static rfl_keyed_sum_t
naive_pair(rfl_keyed_sum_t sum, size_t *key, uint64_t a, uint64_t b)
{
    a += table->keys.words[(*key)++];
    b += table->keys.words[(*key)++];

    return sum + (rfl_keyed_sum_t) a * b;
}


static uint64_t
word(const u_char *p, size_t n)
{
    uint64_t  value;

    value = 0;

    while (n-- > 0) {
        value = value << 8 | p[n];
    }

    return value;
}
