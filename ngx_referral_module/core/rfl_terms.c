/*
 * The names of the project's words.  Users meet them in reports, variables
 * and files: they are fixed.
 */

#include "rfl_terms.h"

#include <stdio.h>


/* "exact, prefix, host, domain, regex, tag", and room for more. */

#define RFL_TYPES_TEXT  128

/* Of a text that is no match type, so much is repeated in the message. */

#define RFL_SHOWN_MAX   64


const rfl_str_t  rfl_match_type_names[RFL_MATCH_TYPES] = {
    [RFL_MATCH_EXACT]  = rfl_string("exact"),
    [RFL_MATCH_PREFIX] = rfl_string("prefix"),
    [RFL_MATCH_HOST]   = rfl_string("host"),
    [RFL_MATCH_DOMAIN] = rfl_string("domain"),
    [RFL_MATCH_REGEX]  = rfl_string("regex"),
    [RFL_MATCH_TAG]    = rfl_string("tag")
};


const rfl_str_t  rfl_outcome_names[RFL_OUTCOMES] = {
    [RFL_OUTCOME_DIRECT]       = rfl_string("direct"),
    [RFL_OUTCOME_HIDDEN]       = rfl_string("hidden"),
    [RFL_OUTCOME_INTERNAL]     = rfl_string("internal"),
    [RFL_OUTCOME_MALFORMED]    = rfl_string("malformed"),
    [RFL_OUTCOME_MATCHED]      = rfl_string("matched"),
    [RFL_OUTCOME_AMBIGUOUS]    = rfl_string("ambiguous"),
    [RFL_OUTCOME_UNREGISTERED] = rfl_string("unregistered"),
    [RFL_OUTCOME_SKIPPED]      = rfl_string("skipped")
};


const rfl_str_t  rfl_evidence_names[RFL_EVIDENCES + 1] = {
    [RFL_EVIDENCE_TAG]     = rfl_string("tag"),
    [RFL_EVIDENCE_EXACT]   = rfl_string("exact"),
    [RFL_EVIDENCE_REGEX]   = rfl_string("regex"),
    [RFL_EVIDENCE_PREFIX]  = rfl_string("prefix"),
    [RFL_EVIDENCE_LANDING] = rfl_string("landing"),
    [RFL_EVIDENCE_HOST]    = rfl_string("host"),
    [RFL_EVIDENCE_DOMAIN]  = rfl_string("domain"),
    [RFL_EVIDENCE_NONE]    = rfl_string("")
};


const rfl_str_t  rfl_class_names[RFL_CLASSES + 1] = {
    [RFL_CLASS_CLICK]    = rfl_string("click"),
    [RFL_CLASS_RELOAD]   = rfl_string("reload"),
    [RFL_CLASS_REDIRECT] = rfl_string("redirect"),
    [RFL_CLASS_ERROR]    = rfl_string("error"),
    [RFL_CLASS_EMBED]    = rfl_string("embed"),
    [RFL_CLASS_PREFETCH] = rfl_string("prefetch"),
    [RFL_CLASS_BOT]      = rfl_string("bot"),
    [RFL_CLASS_OTHER]    = rfl_string("other"),
    [RFL_CLASS_NONE]     = rfl_string("")
};


rfl_rc_t
rfl_match_type_parse(rfl_str_t text, rfl_match_type_t *type, rfl_error_t *err)
{
    char    known[RFL_TYPES_TEXT];
    int     shown;
    size_t  i, len;

    text = rfl_str_trim(text);

    for (i = 0; i < RFL_MATCH_TYPES; i++) {
        if (rfl_str_caseeq(text, rfl_match_type_names[i])) {
            *type = (rfl_match_type_t) i;
            return RFL_OK;
        }
    }

    len = 0;

    for (i = 0; i < RFL_MATCH_TYPES; i++) {
        len += (size_t) snprintf(known + len, sizeof(known) - len, "%s%.*s",
                                 i == 0 ? "" : ", ",
                                 (int) rfl_match_type_names[i].len,
                                 rfl_match_type_names[i].data);
    }

    shown = text.len > RFL_SHOWN_MAX ? RFL_SHOWN_MAX : (int) text.len;

    return rfl_fail(err, RFL_INVALID,
                    "match_type \"%.*s\" is unknown, it is one of: %s",
                    shown, shown == 0 ? "" : (const char *) text.data, known);
}
