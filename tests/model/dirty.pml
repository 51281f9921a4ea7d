/*
 * Dirty bits: rfl_record_cell() against rfl_ledger_flush().
 *
 * Writers add to the cells of one dirty word; two flushers, as in an upgrade,
 * take turns.  A commit may fail, any process may be killed between any two
 * steps, and a flusher is then started again.  What must hold:
 *
 *   - the ledger has nothing that was not counted, history is its sum, and
 *     what it has of a cell never becomes less
 *   - at the end a flush by marks alone has stored every add.  Not those of a
 *     writer that was killed between its add and its mark: a full one has
 *
 * Spin makes all steps in one order that all processes see.  Where the code
 * has a fence this is what it asks for; a mutation without the fence makes the
 * two accesses that it kept apart in either order, which is all that a store
 * buffer, or a processor that runs ahead, does to them: an access, once made,
 * is seen by all (x86, ARMv8).  That the compiled code asks for the order this
 * model has, it cannot say: tests/race is for that.
 *
 * How many there are of each, and adds of each writer:
 *
 *   case WRITERS=2 ADDS=1 FLUSHERS=1 KILLS=2 FAILS=1
 *   case WRITERS=1 ADDS=2 FLUSHERS=2 KILLS=1 FAILS=1
 *
 * Protocols that are wrong, each of which must be found out:
 *
 *   mutation NO_WRITER_FENCE    the bit is tested before the add can be seen
 *   mutation NO_FLUSHER_FENCE   a cell is read before its bit is cleared
 *   mutation MARK_FIRST         the bit is set, then the cell is added to
 *   mutation PLAIN_ADD          a cell is added to by a load and a store
 *   mutation PLAIN_MARK         a bit is set by a load and a store
 *   mutation PLAIN_TAKE         the word is taken by a load and a store
 *   mutation NO_GIVE_BACK       a commit that failed has lost its bits
 *   mutation NO_FULL_AT_START   the first flush is by marks, like the others
 *   mutation READ_OUTSIDE       cells are read before the transaction begins
 *   mutation TWO_COMMITS        history is stored in a transaction of its own
 */

#define CELLS     2

#define BIT(c)    (1 << (c))

/* Any step may be the last one of its process. */

#define OR_DIE    :: atomic { kills < KILLS -> kills++; goto killed }


/* The counter file. */

byte  cell[CELLS];
byte  word;

/* The ledger, and LMDB's lock: a write transaction is open. */

byte  stored[CELLS];
byte  history[CELLS];
bool  locked;

/* What the model alone knows. */

byte  counted[CELLS];
byte  excused;                           /* cells with an add without a mark */
byte  kills, fails, writers, flushers;


inline add(c)
{
#ifdef PLAIN_ADD
    if
    :: copy = cell[c]
    OR_DIE
    fi;
    if
    :: atomic { cell[c] = copy + 1; counted[c]++; unmarked = 1 }
    OR_DIE
    fi
#else
    if
    :: atomic { cell[c]++; counted[c]++; unmarked = 1 }
    OR_DIE
    fi
#endif
}


inline test(c)
{
    if
    :: seen = (word & BIT(c)) != 0
    OR_DIE
    fi
}


inline mark(c)
{
    if
    :: seen
#ifdef PLAIN_MARK
    :: !seen -> copy = word;
        if
        :: word = copy | BIT(c)
        OR_DIE
        fi
#else
    :: d_step { !seen -> word = word | BIT(c) }
#endif
    OR_DIE
    fi
}


proctype writer()
{
    byte  n, c, copy;
    bool  seen, unmarked;

    do
    :: n < ADDS ->
        if
        :: c = 0
        :: c = 1
        fi;

#if defined NO_WRITER_FENCE
        if
        :: add(c); test(c)
        :: test(c); add(c)
        fi;
        mark(c);
#elif defined MARK_FIRST
        test(c); mark(c); add(c);
#else
        add(c); test(c); mark(c);
#endif

        d_step { n++; c = 0; copy = 0; seen = 0; unmarked = 0 }

    :: else -> break
    od;

    goto out;

killed:
    if
    :: unmarked -> excused = excused | BIT(c)
    :: else
    fi;

out:
    writers--
}


inline begin()
{
    if
    :: atomic { !locked -> locked = 1; begun = 1 }
    OR_DIE
    fi
}


inline take()
{
    if
    :: word == 0
#ifdef PLAIN_TAKE
    :: d_step { word != 0 -> taken = word };
        if
        :: word = 0
        OR_DIE
        fi
#else
    :: d_step { word != 0 -> taken = word; word = 0 }
#endif
    OR_DIE
    fi
}


inline read()
{
    if
    :: d_step { value[0] = cell[0]; value[1] = cell[1] }
    OR_DIE
    fi
}


/* Of what was not marked nothing is stored. */

inline commit_history(c)
{
    if
    :: all || (taken & BIT(c)) ->
        history[c] = history[c] + value[c] - stored[c]
    :: else
    fi
}


inline commit_cell(c)
{
    if
    :: all || (taken & BIT(c)) ->
        assert(value[c] >= stored[c]);
        assert(value[c] <= counted[c]);
        stored[c] = value[c];
        assert(history[c] == stored[c])
    :: else
    fi
}


inline forget()
{
    taken = 0; value[0] = 0; value[1] = 0
}


inline flush()
{
#if defined READ_OUTSIDE
    take(); read(); begin();
#elif defined NO_FLUSHER_FENCE
    begin(); read(); take();
#else
    begin(); take(); read();
#endif

#ifdef TWO_COMMITS
    if
    :: d_step { commit_history(0); commit_history(1) }
    OR_DIE
    fi;
#endif

    if
    :: d_step {
#ifndef TWO_COMMITS
           commit_history(0); commit_history(1);
#endif
           commit_cell(0); commit_cell(1);
           locked = 0; begun = 0; all = 0; forget() }

    :: d_step { fails < FAILS -> fails++; locked = 0; begun = 0 };
#ifndef NO_GIVE_BACK
        if
        :: word = word | taken
        OR_DIE
        fi;
#endif
        d_step { forget() }

    OR_DIE
    fi
}


proctype flusher()
{
    byte  taken, value[CELLS];
    bool  all, begun;

life:
#ifndef NO_FULL_AT_START
    all = 1;
#endif

    do
    :: flush()
    :: writers == 0 && !all -> break
    od;

    goto out;

killed:

    /* of its transaction nothing is left, and the lock is free */

    atomic {
        if
        :: begun -> locked = 0; begun = 0
        :: else
        fi;

        forget()
    };

    goto life;

out:
    flushers--
}


init
{
    byte  i, taken, value[CELLS];
    bool  all, begun;

    atomic {
        for (i : 1 .. WRITERS) { writers++; run writer() };
        for (i : 1 .. FLUSHERS) { flushers++; run flusher() };
        i = 0
    };

    d_step { writers == 0 && flushers == 0 -> kills = KILLS; fails = FAILS };

    flush();

    assert(stored[0] == counted[0] || (excused & BIT(0)));
    assert(stored[1] == counted[1] || (excused & BIT(1)));

    all = 1;
    flush();

    assert(stored[0] == counted[0] && history[0] == counted[0]);
    assert(stored[1] == counted[1] && history[1] == counted[1]);

killed:
    skip
}
