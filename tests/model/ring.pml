/*
 * A ring of events: rfl_ring_write() against rfl_ring_next().
 *
 * Writers share a ring of two slots and go round it more than once, a reader
 * follows.  Any writer may be killed, or stand still, between any two steps.  A
 * record is two words, each of which is its number.  What must hold:
 *
 *   - what the reader takes for a record is that record, whole
 *   - at the end the records it took and those it knows it missed are all that
 *     were given a number
 *   - where nobody is killed, no round is made twice and the reader waits for
 *     writers, it has missed none (PATIENT)
 *
 * Order is dealt with as in dirty.pml: words between two fences are written,
 * and read, in either order.
 *
 * How many there are, and records of each writer:
 *
 *   case WRITERS=2 RECORDS=2 KILLS=1
 *   case WRITERS=1 RECORDS=5 KILLS=0
 *   case WRITERS=2 RECORDS=1 KILLS=0 PATIENT=1
 *
 * Protocols that are wrong, each of which must be found out:
 *
 *   mutation NO_CLAIM        a slot is written though another writer is in it
 *   mutation PLAIN_CLAIM     it is looked at, then taken, by a load and a store
 *   mutation NO_ODD          the slot is written before it is marked
 *   mutation EARLY_RELEASE   its last word is written after it is published
 *   mutation NO_RECHECK      the sequence is not looked at again
 *   mutation EARLY_RECHECK   it is looked at again before the last word is read
 *   mutation PLAIN_NUMBER    the number is taken by a load and a store
 *   mutation UNTOLD          who was overtaken is not told of it
 */

#define SLOTS    2
#define ROOM     1                       /* left by who was overtaken */

#define SLOT(n)  ((n) % SLOTS)
#define ODD(s)   ((s) % 2)

#define OR_DIE   :: atomic { kills < KILLS -> kills++; goto killed }


byte  head;
byte  sequence[SLOTS];
byte  first[SLOTS];
byte  second[SLOTS];

byte  kills, writers;


inline number()
{
#ifdef PLAIN_NUMBER
    if
    :: n = head
    OR_DIE
    fi;
    if
    :: head = n + 1
    OR_DIE
    fi
#else
    if
    :: d_step { n = head; head++ }
    OR_DIE
    fi
#endif
}


/* Of a slot that is odd, or newer, this writer's record is not written. */

inline claim()
{
#ifdef NO_CLAIM
    if
    :: sequence[SLOT(n)] = 2 * n + 1; mine = 1
    OR_DIE
    fi
#else
    if
    :: seen = sequence[SLOT(n)]
    OR_DIE
    fi;

    if
    :: ODD(seen) || seen > 2 * n -> mine = 0

#ifdef PLAIN_CLAIM
    :: !ODD(seen) && seen <= 2 * n -> sequence[SLOT(n)] = 2 * n + 1; mine = 1
#else
    :: atomic { !ODD(seen) && seen <= 2 * n ->
           if
           :: sequence[SLOT(n)] == seen -> sequence[SLOT(n)] = 2 * n + 1;
              mine = 1
           :: else -> mine = 0
           fi }
#endif

    OR_DIE
    fi
#endif
}


inline put_first()
{
    if
    :: first[SLOT(n)] = n + 1
    OR_DIE
    fi
}


inline put_second()
{
    if
    :: second[SLOT(n)] = n + 1
    OR_DIE
    fi
}


inline publish()
{
    if
    :: sequence[SLOT(n)] = 2 * (n + 1)
    OR_DIE
    fi
}


proctype writer()
{
    byte  i, n, seen;
    bool  mine;

    do
    :: i < RECORDS ->
        number();

#ifdef NO_ODD
        mine = 1;
#else
        claim();
#endif

        if
        :: mine ->
#ifdef EARLY_RELEASE
            put_first(); publish(); put_second()
#else
            if
            :: put_first(); put_second()
            :: put_second(); put_first()
            fi;
            publish()
#endif
        :: else
        fi;

        d_step { i++; n = 0; seen = 0; mine = 0 }

    :: else -> break
    od;

killed:
    writers--
}


/* A reader that has lost its patience passes over a slot, at any time. */

proctype reader()
{
    byte  next, got, missed, limit, seen, again, one, two;

    do
    :: writers == 0 && next >= head -> break
    :: next < head ->
        limit = head;

        if
        :: d_step { limit - next > SLOTS ->
               limit = limit - SLOTS + ROOM;
#ifndef UNTOLD
               missed = missed + limit - next;
#endif
               next = limit }
        :: else
        fi;

        limit = 0;
        seen = sequence[SLOT(next)];

        if
        :: seen == 2 * (next + 1) ->
#if defined NO_RECHECK
            one = first[SLOT(next)]; two = second[SLOT(next)]; again = seen;
#elif defined EARLY_RECHECK
            one = first[SLOT(next)]; again = sequence[SLOT(next)];
            two = second[SLOT(next)];
#else
            if
            :: one = first[SLOT(next)]; two = second[SLOT(next)]
            :: two = second[SLOT(next)]; one = first[SLOT(next)]
            fi;
            again = sequence[SLOT(next)];
#endif
        :: else -> again = seen
        fi;

        if
        :: d_step { seen == 2 * (next + 1) && again == seen ->
               assert(one == next + 1 && two == next + 1);
               got++; next++ }

        /* its writer is at it, or was killed: it waits, or has waited */

        :: again < 2 * (next + 1)
#ifndef PATIENT
        :: d_step { again < 2 * (next + 1) -> missed++; next++ }
#endif
        :: d_step { again > 2 * (next + 1) -> missed++; next++ }
        fi;

        d_step { seen = 0; again = 0; one = 0; two = 0 }
    od;

#ifdef PATIENT
    assert(missed == 0);
#endif
    assert(got + missed == head && head == WRITERS * RECORDS
           || kills != 0 && got + missed == head)
}


init
{
    byte  i;

    atomic {
        for (i : 1 .. WRITERS) { writers++; run writer() };
        i = 0;
        run reader()
    }
}
