/*
 * The canary: slots in memory that is shared over fork().  A slot is claimed
 * and taken from the dead by compare and swap, so that processes that look at
 * the same moment count a death once.
 */

#include "rfl_canary.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>


static void canary_reap(rfl_canary_t *c, uint32_t self);
static void canary_take(rfl_canary_t *c, rfl_canary_slot_t *slot,
    uint32_t dead, uint32_t self);
static int canary_is_dead(uint32_t pid);
static int canary_is_joined(const rfl_canary_t *c, uint32_t self);
static uint64_t canary_mix(uint64_t a, uint64_t b);


rfl_canary_t       *rfl_canary_joined;
rfl_canary_slot_t  *rfl_canary_slot;


rfl_canary_t *
rfl_canary_create(void)
{
    void  *memory;

    memory = mmap(NULL, sizeof(rfl_canary_t), PROT_READ|PROT_WRITE,
                  MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}


void
rfl_canary_free(rfl_canary_t *c)
{
    if (c == NULL) {
        return;
    }

    if (rfl_canary_joined == c) {
        rfl_canary_join(NULL);
    }

    (void) munmap(c, sizeof(rfl_canary_t));
}


void
rfl_canary_join(rfl_canary_t *canary)
{
    unsigned            i;
    uint32_t            nobody, self;
    rfl_canary_slot_t  *slot;

    self = (uint32_t) getpid();

    if (canary != NULL && canary_is_joined(canary, self)) {
        return;
    }

    rfl_canary_joined = canary;
    rfl_canary_slot = NULL;

    if (canary == NULL) {
        return;
    }

    canary_reap(canary, self);

    for (i = 0; i < RFL_CANARY_SLOTS; i++) {
        slot = &canary->slots[i];
        nobody = 0;

        if (__atomic_compare_exchange_n(&slot->pid, &nobody, self, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        {
            rfl_canary_slot = slot;
            return;
        }
    }
}


void
rfl_canary_look(rfl_canary_t *canary)
{
    if (canary != NULL) {
        canary_reap(canary, 0);
    }
}


/* self: whose slots are a dead predecessor's too; 0 when it has one. */

static void
canary_reap(rfl_canary_t *c, uint32_t self)
{
    unsigned            i;
    uint32_t            pid;
    rfl_canary_slot_t  *slot;

    for (i = 0; i < RFL_CANARY_SLOTS; i++) {
        slot = &c->slots[i];
        pid = __atomic_load_n(&slot->pid, __ATOMIC_ACQUIRE);

        if (pid != 0 && (pid == self || canary_is_dead(pid))) {
            canary_take(c, slot, pid, (uint32_t) getpid());
        }
    }
}


/*
 * The slot is ours while it is cleared: whoever dies in between leaves it to
 * be found once more, not lost.
 */

static void
canary_take(rfl_canary_t *c, rfl_canary_slot_t *slot, uint32_t dead,
    uint32_t self)
{
    if (!__atomic_compare_exchange_n(&slot->pid, &dead, self, 0,
                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
    {
        return;
    }

    if (__atomic_exchange_n(&slot->inside, 0, __ATOMIC_RELAXED) != 0) {
        (void) __atomic_fetch_add(&c->deaths, 1, __ATOMIC_RELAXED);
    }

    __atomic_store_n(&slot->pid, 0, __ATOMIC_RELEASE);
}


static int
canary_is_dead(uint32_t pid)
{
    return kill((pid_t) pid, 0) == -1 && errno == ESRCH;
}


/* Not so in a child that inherited its parent's slot. */

static int
canary_is_joined(const rfl_canary_t *c, uint32_t self)
{
    return rfl_canary_joined == c && rfl_canary_slot != NULL
           && __atomic_load_n(&rfl_canary_slot->pid, __ATOMIC_RELAXED) == self;
}


int
rfl_canary_is_sound(const rfl_canary_t *canary, uint64_t dev, uint64_t ino,
    uint32_t deaths)
{
    uint64_t  file;

    if (canary == NULL || deaths == 0) {
        return 1;
    }

    file = canary_mix(dev, ino);

    return __atomic_load_n(&canary->sound[file % RFL_CANARY_SOUND],
                           __ATOMIC_ACQUIRE)
           == canary_mix(file, deaths);
}


void
rfl_canary_found_sound(rfl_canary_t *canary, uint64_t dev, uint64_t ino,
    uint32_t deaths)
{
    uint64_t  file;

    if (canary == NULL) {
        return;
    }

    file = canary_mix(dev, ino);

    __atomic_store_n(&canary->sound[file % RFL_CANARY_SOUND],
                     canary_mix(file, deaths), __ATOMIC_RELEASE);
}


/* The finalizer of splitmix64 (Steele, Lea, Flood 2014). */

static uint64_t
canary_mix(uint64_t a, uint64_t b)
{
    a = (a ^ b * 0x9e3779b97f4a7c15u) + 0x9e3779b97f4a7c15u;
    a = (a ^ (a >> 30)) * 0xbf58476d1ce4e5b9u;
    a = (a ^ (a >> 27)) * 0x94d049bb133111ebu;

    return a ^ (a >> 31);
}
