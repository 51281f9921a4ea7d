/*
 * Whether a User-Agent is a robot's: crawlers, monitors, HTTP libraries,
 * headless browsers, and agents that are empty or too short to be a browser.
 *
 * The rules are a table, each family with its source.  They look for words, or
 * the ends of words, but not in the comment that names an Android device:
 * there are phones called "Cubot", "M bot" and "Spider".  A robot that calls
 * itself a browser is not found: no rule on a header can.
 */

#ifndef RFL_AGENT_H
#define RFL_AGENT_H

#include "rfl_base.h"


/* Shorter than this is no browser. */
#define RFL_AGENT_MIN  16

/* What lies behind is not looked at. */
#define RFL_AGENT_MAX  1024


/*
 * A word is a run of letters; all other bytes part words.  A token begins
 * where a word begins and ends where one ends; it may hold several
 * ("python-requests") or begin with another byte ("+http").
 */

typedef struct {
    const char  *token;          /* lower case */
    unsigned     is_prefix:1;    /* the agent begins with it; what follows
                                    does not matter */
    unsigned     in_word:1;      /* of letters: may be the end of a longer
                                    word ("...bot") */
    const char  *family;         /* crawler, monitor, library, headless,
                                    scanner, generic, tiny */
    const char  *source;         /* where its User-Agent is documented */
} rfl_agent_rule_t;

extern const rfl_agent_rule_t  rfl_agent_rules[];
extern const size_t            rfl_agent_nrules;


/* The rule that holds, or NULL: no robot.  An empty or tiny agent has a rule
 * of its own. */

const rfl_agent_rule_t *rfl_agent_match(rfl_str_t user_agent);


/*
 * The verdict, remembered per process: 4-way, 1,024 agents, by 128 bits of
 * a hash with keys of the process (a stranger cannot aim at a slot; two agents
 * share a verdict with a chance of 2^-64, see rfl_keyed.h).
 */

typedef struct rfl_agent_cache_s  rfl_agent_cache_t;

rfl_agent_cache_t *rfl_agent_cache_create(void);         /* NULL: no memory */
void rfl_agent_cache_free(rfl_agent_cache_t *cache);

/* cache may be NULL: then it is matched each time. */

int rfl_agent_is_bot(rfl_agent_cache_t *cache, rfl_str_t user_agent);


#endif /* RFL_AGENT_H */
