/*
 * What top shows: a sample of the counters, and its forms.
 */

#ifndef TOP_H
#define TOP_H

#include "cli.h"

#include "rfl_top.h"


#define TOP_ROWS_MAX  1000


typedef enum {
    TOP_RATE = 0,                        /* requests since the last sample */
    TOP_CLICKS,
    TOP_ERRORS,
    TOP_BOTS,
    TOP_SEEN,
    TOP_SORTS
} top_sort_t;

extern const rfl_str_t  top_sort_names[TOP_SORTS];


/* What is known of an id: what it has been sorted by so far. */

typedef struct {
    uint64_t  base[TOP_SORTS];           /* what other counter files had */
    uint64_t  requests;                  /* live, at the last sample */
    uint32_t  grown;                     /* requests since then */
    unsigned  hidden:1;                  /* neither link nor group */
} top_id_t;


/* A row that is shown: texts are kept, their transaction has ended. */

typedef struct {
    uint32_t    id;
    uint64_t    key;
    uint32_t    grown;
    rfl_cell_t  cell;
    uint32_t    links;                   /* of a group; 0: a link */
    rfl_buf_t   name;
    rfl_buf_t   target;
} top_row_t;


typedef struct {
    cli_t       *cli;
    cli_env_t    env;
    top_sort_t   sort;

    top_id_t    *ids;
    uint32_t     nids;
    uint64_t     file_id;                /* the ids are of; 0: no live file */
    uint64_t     base_due;               /* ms: when other files are read */
    uint64_t     registry_txn;

    uint64_t     now_ms;                 /* steady */
    uint64_t     since_ms;               /* between the last two samples */
    rfl_zone_t   zone;
    rfl_zone_t   zone_before;
    uint32_t     links;                  /* registered */

    top_row_t    rows[TOP_ROWS_MAX];
    size_t       nrows;

    unsigned     has_rates:1;            /* there was a sample before */
    unsigned     counting:1;             /* there is a live counter file */
} top_t;


/*
 * Takes the next sample, of at most n rows.  A counter file that came, went or
 * was replaced is noticed.  CLI_OK, or a message and its exit code.
 */

int top_sample(top_t *top, size_t n);
void top_close(top_t *top);

/* Sorts what was sampled anew. */

int top_select(top_t *top, size_t n);


/*
 * A frame for a screen of columns and lines (0: all rows, nothing is cut).
 * message: "", or what is said at the end of a screen.
 */

void top_text(rfl_buf_t *out, const top_t *top, size_t columns, size_t lines,
    int colours, rfl_str_t message);

/* A line of JSON. */

void top_json(rfl_buf_t *out, const top_t *top);

/* Lines of a frame that are no rows. */

#define TOP_HEAD  5


#endif /* TOP_H */
