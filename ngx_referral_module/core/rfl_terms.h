/*
 * The words of the project: match types, outcomes, evidence and classes, in
 * the order in which counters and reports list them, with their names.
 */

#ifndef RFL_TERMS_H
#define RFL_TERMS_H

#include "rfl_base.h"


/*
 * The first four are the match types of the web archive's CDX server.  Their
 * numbers are stored.
 */

typedef enum {
    RFL_MATCH_EXACT = 0,
    RFL_MATCH_PREFIX,
    RFL_MATCH_HOST,
    RFL_MATCH_DOMAIN,
    RFL_MATCH_REGEX,
    RFL_MATCH_TAG,
    RFL_MATCH_TYPES
} rfl_match_type_t;


/* Exactly one per request; they sum to the requests seen. */

typedef enum {
    RFL_OUTCOME_DIRECT = 0,
    RFL_OUTCOME_HIDDEN,
    RFL_OUTCOME_INTERNAL,
    RFL_OUTCOME_MALFORMED,
    RFL_OUTCOME_MATCHED,
    RFL_OUTCOME_AMBIGUOUS,
    RFL_OUTCOME_UNREGISTERED,
    RFL_OUTCOME_SKIPPED,
    RFL_OUTCOMES
} rfl_outcome_t;


/* Why a link was chosen, strongest first. */

typedef enum {
    RFL_EVIDENCE_TAG = 0,
    RFL_EVIDENCE_EXACT,
    RFL_EVIDENCE_REGEX,
    RFL_EVIDENCE_PREFIX,
    RFL_EVIDENCE_LANDING,
    RFL_EVIDENCE_HOST,
    RFL_EVIDENCE_DOMAIN,
    RFL_EVIDENCES,
    RFL_EVIDENCE_NONE = RFL_EVIDENCES
} rfl_evidence_t;


/* What the request was; exactly one for each request that has a class. */

typedef enum {
    RFL_CLASS_CLICK = 0,
    RFL_CLASS_RELOAD,
    RFL_CLASS_REDIRECT,
    RFL_CLASS_ERROR,
    RFL_CLASS_EMBED,
    RFL_CLASS_PREFETCH,
    RFL_CLASS_BOT,
    RFL_CLASS_OTHER,
    RFL_CLASSES,
    RFL_CLASS_NONE = RFL_CLASSES
} rfl_class_t;


extern const rfl_str_t  rfl_match_type_names[RFL_MATCH_TYPES];
extern const rfl_str_t  rfl_outcome_names[RFL_OUTCOMES];
extern const rfl_str_t  rfl_evidence_names[RFL_EVIDENCES + 1];
extern const rfl_str_t  rfl_class_names[RFL_CLASSES + 1];


/* RFL_OK, or RFL_INVALID with a message that lists the known types. */

rfl_rc_t rfl_match_type_parse(rfl_str_t text, rfl_match_type_t *type,
    rfl_error_t *err);


#endif /* RFL_TERMS_H */
