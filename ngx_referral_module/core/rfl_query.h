/*
 * What a request to the status tree asks for: from a path and the arguments
 * of a URL to numbers, before anything is opened or read.
 *
 *     /                      summary, and the links with most clicks
 *     /links                 a page of links
 *     /links/KEY             one link
 *     /links/KEY/history     its buckets of history
 *     /history               those of the registry
 *
 * An argument that a path does not have is refused, so is one given twice: a
 * filter that is misspelt must not look like an answer.
 */

#ifndef RFL_QUERY_H
#define RFL_QUERY_H

#include "rfl_period.h"


#define RFL_QUERY_LIMIT      100         /* rows, unless asked */
#define RFL_QUERY_LIMIT_MAX  10000
#define RFL_QUERY_VALUE_MAX  512         /* bytes of a value as sent */


typedef enum {
    RFL_QUERY_REGISTRIES = 0,
    RFL_QUERY_SUMMARY,
    RFL_QUERY_LINKS,
    RFL_QUERY_LINK,
    RFL_QUERY_LINK_HISTORY,
    RFL_QUERY_HISTORY
} rfl_query_kind_t;


typedef enum {
    RFL_FORMAT_JSON = 0,
    RFL_FORMATS
} rfl_format_t;


/* A page of rows: its order, its length, where the one before ended. */

typedef struct {
    unsigned   by_key:1;                 /* the index's own order */
    unsigned   key_sort:1;               /* sort=key, either order */
    unsigned   ascending:1;
    unsigned   has_after:1;
    unsigned   after_has_value:1;        /* "VALUE-KEY" */
    unsigned   unlimited:1;
    unsigned   field;                    /* rfl_cell_field_t */
    uint64_t   limit;
    uint64_t   after_value;
    uint64_t   after_key;
} rfl_query_page_t;


/* [from, to) in seconds; for history whole buckets of the unit. */

typedef struct {
    unsigned   has_from:1;
    unsigned   has_to:1;
    unsigned   compare:1;                /* with the period before */
    uint64_t   from;
    uint64_t   to;
} rfl_query_period_t;


typedef struct {
    rfl_query_kind_t    kind;
    rfl_str_t           registry;        /* a slice of the path */
    uint64_t            link_key;
    rfl_format_t        format;
    rfl_unit_t          unit;
    rfl_query_page_t    page;
    rfl_query_period_t  period;          /* has_from: there is one */
} rfl_query_t;


/* An HTTP status, a code for programs (NGINX Plus API), a text for people. */

typedef struct {
    unsigned     status;
    const char  *code;
    char         text[256];
} rfl_query_error_t;


/*
 * path: below the location, decoded; with all set, its first segment names a
 * registry.  args: as sent; values are percent-decoded, a "+" stays one.
 * now: seconds.  RFL_OK, or RFL_INVALID and what to answer in *error.
 */

rfl_rc_t rfl_query_parse(rfl_query_t *q, rfl_str_t path, rfl_str_t args,
    unsigned all, uint64_t now, rfl_query_error_t *error);

/* Fills error and returns RFL_INVALID, for "return rfl_query_refuse(...)". */

rfl_rc_t rfl_query_refuse(rfl_query_error_t *error, unsigned status,
    const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));


#endif /* RFL_QUERY_H */
