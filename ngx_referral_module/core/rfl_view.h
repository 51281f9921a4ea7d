/*
 * The status tree: from a query (rfl_query.h) to JSON or CSV, in bounded steps.
 *
 * A step looks at no more than RFL_VIEW_STEP_IDS ids and RFL_VIEW_STEP_BUCKETS
 * buckets of history, renders no more than RFL_VIEW_STEP_BYTES (and a row),
 * holds a read transaction only while it runs, and takes no lock: the caller's
 * event loop goes on in between.  What costs more than to look at an id counts
 * for several.
 *
 * Counters of a period are the sums of its buckets, merged anew for each row:
 * memory is for one block of ids and one row, however long the list and the
 * period are.
 */

#ifndef RFL_VIEW_H
#define RFL_VIEW_H

#include "rfl_query.h"
#include "rfl_runtime.h"


#define RFL_VIEW_STEP_IDS      1000
#define RFL_VIEW_STEP_BUCKETS  256
#define RFL_VIEW_STEP_BYTES    32768
#define RFL_VIEW_TOP           20

/*
 * Links that an index (a host's, a group's) has for a filter: up to so many are
 * remembered by their ids; of more, the whole list is looked through.
 */

#define RFL_VIEW_FOUND_MAX     10000


typedef struct rfl_view_s  rfl_view_t;


/* One registry at the root of the tree; with all set, each by its name. */

typedef struct {
    rfl_runtime_t  **runtimes;
    size_t           n;
    unsigned         all:1;
    unsigned         write:1;            /* the location takes writes */
    rfl_str_t        path;               /* below the location, decoded */
    rfl_str_t        args;               /* the query as sent */
    rfl_str_t        accept;             /* the header as sent, or empty */
    unsigned         html:1;             /* the caller has a page */
} rfl_view_request_t;


typedef rfl_query_error_t  rfl_view_error_t;


/*
 * RFL_OK, or what to answer instead in *error.  The view reads the runtime
 * until it is closed; it keeps no slice of the request.
 */

rfl_rc_t rfl_view_open(rfl_view_t **vp, const rfl_view_request_t *request,
    rfl_view_error_t *error);

void rfl_view_close(rfl_view_t *v);


/*
 * RFL_FORMAT_HTML: the caller answers with its page, there are no steps.
 * The type is a whole Content-Type; the name is what a file of the answer
 * would be called, empty where it is not to be saved.
 */

#define RFL_VIEW_FILE_MAX  128

rfl_format_t rfl_view_format(const rfl_view_t *v);
rfl_str_t rfl_view_content_type(const rfl_view_t *v);
void rfl_view_file_name(const rfl_view_t *v, char name[RFL_VIEW_FILE_MAX]);


/*
 * Appends to b what this step rendered, which may be nothing.  RFL_OK: done,
 * RFL_BUSY: there is more, else: failed, and what was rendered so far must not
 * pass as an answer.
 */

rfl_rc_t rfl_view_step(rfl_view_t *v, rfl_buf_t *b);

/* After a step that failed: what to answer if nothing was sent yet. */

const rfl_view_error_t *rfl_view_fault(const rfl_view_t *v);


/* The error body of interface.md.  request_id may be empty. */

void rfl_view_error(rfl_buf_t *b, const rfl_view_error_t *error,
    rfl_str_t request_id);


#endif /* RFL_VIEW_H */
