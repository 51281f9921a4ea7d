/*
 * The last one out flushes: rfl_counters_last_out(), _lock(), _join(),
 * _retire() and rfl_keeper_flush_last() over flock(2).
 *
 * Processes count in a file while they hold its shared lock, leave, and some
 * come again.  Who leaves drops the shared lock and tries the exclusive one;
 * who gets it flushes, says in the file that the ledger has all of it
 * ("retired"), and closes it.  Each may be killed between any two steps: the
 * kernel drops its lock.  What must hold:
 *
 *   - while one flushes as the last one, nobody counts
 *   - of a file that says it is retired the ledger has every add, at any time
 *   - when all have left by themselves the ledger has every add, and the file
 *     says that it is retired; after a kill, once one more came and left
 *
 * How many there are, and how often one of them comes again:
 *
 *   case PROCESSES=3 RETURNS=1 KILLS=1
 *
 * Protocols that are wrong, each of which must be found out:
 *
 *   mutation NO_DROP       the exclusive lock is tried with the shared one held
 *   mutation TRY_FIRST     it is tried first, and then the shared one dropped
 *   mutation COUNTS_ON     it counts until it closes the file
 *   mutation RETIRE_LATE   the file is retired once its lock is dropped
 *   mutation RETIRE_EARLY  the file is retired, then flushed
 *   mutation NO_JOIN_MARK  who comes again leaves it retired
 *   mutation NO_LOCK       who comes does not ask for the lock
 */

/* Any step may be the last one of its process. */

#define OR_DIE     :: atomic { kills < KILLS -> kills++; goto killed }


/* The file: its locks, the word in its header, its counts; the ledger's. */

byte  shared;                            /* how many hold it */
bool  exclusive;
bool  retired;
byte  counted;
byte  stored;

/* What the model alone knows. */

byte  kills, returns, running;
bool  excused;                           /* one was killed, and none has flushed
                                            since */


/* LOCK_SH|LOCK_NB; it comes again while the file is busy. */

inline lock_shared()
{
    if
#ifdef NO_LOCK
    :: skip
#else
    :: atomic { !exclusive -> shared++; holds = 1 }
#endif
    OR_DIE
    fi
}


/* LOCK_EX|LOCK_NB, which converts the lock that one has. */

inline lock_exclusive()
{
    if
    :: atomic { shared == holds && !exclusive ->
                shared = 0; holds = 0; exclusive = 1; owns = 1 }
    :: shared != holds || exclusive
    OR_DIE
    fi
}


inline unlock()
{
    d_step {
        shared = shared - holds;
        holds = 0;

        if
        :: owns -> exclusive = 0; owns = 0
        :: else
        fi
    }
}


inline count()
{
    if
    :: d_step { assert(!exclusive || owns); assert(!retired); counted++ }
    :: skip
    OR_DIE
    fi
}


/* A full flush: all that the file has, whoever counted it. */

inline flush()
{
    if
    :: value = counted
    OR_DIE
    fi;

    if
    :: d_step { assert(value >= stored); stored = value; excused = 0 }
    OR_DIE
    fi
}


inline retire()
{
    if
    :: d_step { retired = 1; assert(stored == counted) }
    OR_DIE
    fi
}


inline leave()
{
#if defined NO_DROP
    lock_exclusive();
#elif defined TRY_FIRST
    lock_exclusive();

    if
    :: owns
    :: !owns -> unlock()
    fi;
#else
    if
    :: unlock()
    OR_DIE
    fi;

    lock_exclusive();
#endif

#ifdef COUNTS_ON
    count();
#endif

    if
    :: owns && !retired ->
#if defined RETIRE_EARLY
        retire(); flush()
#elif defined RETIRE_LATE
        flush(); unlock(); retire()
#else
        flush(); retire()
#endif
    :: else
    fi
}


proctype process()
{
    byte  value;
    bool  holds, owns;

    do
    ::  lock_shared();

#ifndef NO_JOIN_MARK
        if
        :: retired = 0
        OR_DIE
        fi;
#endif

        count();
        leave();
        goto out;

killed:
        excused = 1;

out:
        atomic { unlock(); value = 0 };

        if
        :: atomic { returns < RETURNS -> returns++ }
        :: break
        fi
    od;

    running--
}


init
{
    byte  i;

    atomic {
        for (i : 1 .. PROCESSES) { running++; run process() };
        i = 0
    };

    d_step {
        running == 0;
        assert(excused || (stored == counted && retired))
    }
}
