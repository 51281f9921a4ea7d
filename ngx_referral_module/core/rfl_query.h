/*
 * What a request to the status tree asks for: from a path and the arguments
 * of a URL to numbers, before anything is opened or read.
 *
 *     /                      summary, and the links with most clicks
 *     /links                 a page of links
 *     /links/KEY             one link
 *     /links/KEY/history     its buckets of history
 *     /history               those of the registry
 *     /hosts /channels /partners /labels    sums of links
 *     /sources               who else links here
 *     /broken                clicks that met an error
 *     /ignored               sources that are not shown
 *     /ignored/HOST          one of them, to be removed
 *     /metrics               Prometheus text; of all registries where the path
 *                            names none
 *     /events                what happens, as it happens
 *
 * An argument that a path does not have is refused, so is one given twice: a
 * filter that is misspelt must not look like an answer.
 */

#ifndef RFL_QUERY_H
#define RFL_QUERY_H

#include "rfl_filter.h"
#include "rfl_period.h"


#define RFL_QUERY_LIMIT      100         /* rows, unless asked */
#define RFL_QUERY_LIMIT_MAX  10000
#define RFL_QUERY_SERIES     1000        /* links of /metrics, unless asked */
#define RFL_QUERY_VALUE_MAX  1024        /* bytes of a value as sent */
#define RFL_QUERY_NAME_MAX   320         /* bytes of a row's name */


typedef enum {
    RFL_QUERY_REGISTRIES = 0,
    RFL_QUERY_SUMMARY,
    RFL_QUERY_LINKS,
    RFL_QUERY_LINK,
    RFL_QUERY_LINK_HISTORY,
    RFL_QUERY_HISTORY,
    RFL_QUERY_EVENTS,
    RFL_QUERY_HOSTS,
    RFL_QUERY_CHANNELS,
    RFL_QUERY_PARTNERS,
    RFL_QUERY_LABELS,
    RFL_QUERY_SOURCES,
    RFL_QUERY_BROKEN,
    RFL_QUERY_IGNORED,
    RFL_QUERY_IGNORED_HOST,
    RFL_QUERY_METRICS
} rfl_query_kind_t;


/* The links that /metrics shows one by one. */

typedef enum {
    RFL_METRICS_CLICKS = 0,              /* the page's limit of them */
    RFL_METRICS_ALL,
    RFL_METRICS_OFF
} rfl_query_links_t;


/* In the order in which they are preferred where Accept leaves it open. */

typedef enum {
    RFL_FORMAT_JSON = 0,
    RFL_FORMAT_HTML,
    RFL_FORMAT_CSV,
    RFL_FORMAT_PROMETHEUS,
    RFL_FORMATS
} rfl_format_t;


/*
 * A page of rows: its order, its length, where the one before ended.  Links
 * are told apart by their keys, rows of /hosts and its like by a hash of their
 * names; those in the order of names by the name.
 */

typedef struct {
    unsigned   by_key:1;                 /* the index's own order */
    unsigned   key_sort:1;               /* sort=key, either order */
    unsigned   name_sort:1;              /* sort=name */
    unsigned   has_sort:1;
    unsigned   has_order:1;
    unsigned   has_limit:1;
    unsigned   ascending:1;
    unsigned   has_after:1;
    unsigned   after_has_value:1;        /* "VALUE-KEY" */
    unsigned   after_is_name:1;          /* "nHEX" */
    unsigned   unlimited:1;
    unsigned   field;                    /* rfl_cell_field_t */
    uint64_t   limit;
    uint64_t   after_value;
    uint64_t   after_key;
    size_t     after_name_len;
    u_char     after_name[RFL_QUERY_NAME_MAX];
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
    rfl_str_t           host;            /* of IGNORED_HOST; a slice of the
                                            path */
    rfl_format_t        format;
    unsigned            has_format:1;    /* format= */
    unsigned            has_group:1;
    uint64_t            group_key;       /* its members alone */
    uint64_t            fields;          /* bits of rfl_report.h */
    rfl_unit_t          unit;
    rfl_query_page_t    page;
    rfl_query_links_t   per_link;
    rfl_query_period_t  period;          /* has_from: there is one */
    rfl_filter_t        filter;
} rfl_query_t;


typedef struct {
    rfl_str_t  path;                     /* below the location, decoded */
    rfl_str_t  args;                     /* as sent */
    rfl_str_t  accept;                   /* as sent; empty: no such header */
    unsigned   all:1;                    /* a path begins with a registry */
    unsigned   html:1;                   /* there is a page for browsers */
    uint64_t   now;                      /* seconds */
} rfl_query_request_t;


/* An HTTP status, a code for programs (NGINX Plus API), a text for people. */

typedef struct {
    unsigned     status;
    const char  *code;
    char         text[256];
} rfl_query_error_t;


/*
 * Values are percent-decoded, a "+" stays one.  format= wins, else Accept (RFC
 * 9110, 12.5.1), else JSON.  RFL_OK, or RFL_INVALID and what to answer in
 * *error; of the request only q->registry and q->host remain, slices of its
 * path.
 */

rfl_rc_t rfl_query_read(rfl_query_t *q, const rfl_query_request_t *request,
    rfl_query_error_t *error);

/* The same without an Accept, and without a page for browsers. */

rfl_rc_t rfl_query_parse(rfl_query_t *q, rfl_str_t path, rfl_str_t args,
    unsigned all, uint64_t now, rfl_query_error_t *error);

/* Fills error and returns RFL_INVALID, for "return rfl_query_refuse(...)". */

rfl_rc_t rfl_query_refuse(rfl_query_error_t *error, unsigned status,
    const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));


#endif /* RFL_QUERY_H */
