/*
 * See rfl_shared_text.h.  A number that is the same before and after says that
 * nobody can have begun to write where was read.
 */

#include "rfl_shared_text.h"

#include <sys/mman.h>


/* Texts are set once a second: a writer without a pause could spoil them. */

#define RFL_SHARED_TEXT_TRIES  64


_Static_assert(RFL_ERROR_TEXT % 8 == 0, "a text is whole words");


rfl_shared_text_t *
rfl_shared_text_create(const char *text)
{
    rfl_error_t         err;
    rfl_shared_text_t  *shared;

    shared = mmap(NULL, sizeof(rfl_shared_text_t), PROT_READ|PROT_WRITE,
                  MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED) {
        return NULL;
    }

    (void) rfl_fail(&err, RFL_NOT_FOUND, "%s", text);
    rfl_shared_text_set(shared, &err);

    return shared;
}


void
rfl_shared_text_free(rfl_shared_text_t *shared)
{
    if (shared != NULL) {
        (void) munmap(shared, sizeof(rfl_shared_text_t));
    }
}


void
rfl_shared_text_set(rfl_shared_text_t *shared, const rfl_error_t *err)
{
    size_t                   i, len;
    uint32_t                 sequence;
    uint64_t                 words[RFL_SHARED_TEXT_WORDS];
    rfl_shared_text_slot_t  *slot;

    memset(words, 0, sizeof(words));

    len = strnlen(err->text, RFL_ERROR_TEXT - 1);
    memcpy(words, err->text, len);

    sequence = __atomic_load_n(&shared->sequence, __ATOMIC_RELAXED) + 1;
    slot = &shared->slots[sequence % 2];

    /* before its first word changes nobody may be told to read this slot */

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    __atomic_store_n(&slot->rc, (int32_t) err->rc, __ATOMIC_RELAXED);

    for (i = 0; i < RFL_SHARED_TEXT_WORDS; i++) {
        __atomic_store_n(&slot->words[i], words[i], __ATOMIC_RELAXED);
    }

    __atomic_store_n(&shared->sequence, sequence, __ATOMIC_RELEASE);
}


/* For another try one text has to be set while one is read. */

void
rfl_shared_text_get(const rfl_shared_text_t *shared, rfl_error_t *err)
{
    size_t                         i;
    unsigned                       tries;
    uint32_t                       before, after;
    uint64_t                       words[RFL_SHARED_TEXT_WORDS];
    const rfl_shared_text_slot_t  *slot;

    for (tries = 0; tries < RFL_SHARED_TEXT_TRIES; tries++) {
        before = __atomic_load_n(&shared->sequence, __ATOMIC_ACQUIRE);
        slot = &shared->slots[before % 2];

        err->rc = (rfl_rc_t) __atomic_load_n(&slot->rc, __ATOMIC_RELAXED);

        for (i = 0; i < RFL_SHARED_TEXT_WORDS; i++) {
            words[i] = __atomic_load_n(&slot->words[i], __ATOMIC_RELAXED);
        }

        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        after = __atomic_load_n(&shared->sequence, __ATOMIC_RELAXED);

        if (before == after) {
            break;
        }
    }

    memcpy(err->text, words, RFL_ERROR_TEXT);
    err->text[RFL_ERROR_TEXT - 1] = '\0';
}
