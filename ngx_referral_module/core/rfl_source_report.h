/*
 * Rows of the table of sources as they are shown: which ones, in what order,
 * and their columns, from one table for JSON and CSV, the status tree and the
 * command.
 *
 *     sources    clicks by strangers that no registered link explains
 *     broken     clicks that met an error, by strangers and by links: a row for
 *                each link or host, landing and status
 */

#ifndef RFL_SOURCE_REPORT_H
#define RFL_SOURCE_REPORT_H

#include "rfl_ledger_sources.h"
#include "rfl_pattern.h"
#include "rfl_report.h"


typedef enum {
    RFL_SOURCES_UNKNOWN = 0,
    RFL_SOURCES_BROKEN
} rfl_source_list_t;


/* Where it is looked up whether a link explains a source by now. */

typedef struct {
    rfl_registry_t        *registry;     /* a transaction has begun */
    rfl_patterns_t        *patterns;     /* or NULL */
    const rfl_counters_t  *counters;     /* or NULL: the site's hosts are not
                                            known */
} rfl_source_site_t;


/*
 * The shown rows a stored one has.  Each has a place in the order: by value,
 * then by key, as rfl_top.h has it.  ended: of a row of broken ones.
 */

typedef struct {
    uint64_t     value;
    uint64_t     key;
    rfl_ended_t  ended;
} rfl_source_row_t;

size_t rfl_source_rows(const rfl_source_site_t *site, rfl_source_list_t list,
    const rfl_sources_entry_t *source, rfl_source_row_t rows[RFL_ENDS]);

uint64_t rfl_source_key(const rfl_sources_entry_t *source, rfl_ended_t ended);


/* An object, or a line of CSV; head is the line of names. */

rfl_rc_t rfl_source_json(rfl_buf_t *b, const rfl_source_site_t *site,
    rfl_source_list_t list, const rfl_sources_entry_t *source,
    rfl_ended_t ended);
rfl_rc_t rfl_source_csv(rfl_buf_t *b, const rfl_source_site_t *site,
    rfl_source_list_t list, const rfl_sources_entry_t *source,
    rfl_ended_t ended);
void rfl_source_csv_head(rfl_buf_t *b, rfl_source_list_t list);

/*
 * Members: since when there is a table, what was read for it and what missed,
 * how many rows it has room for, and the bound of what is in none.  All zero:
 * there is no table.
 */

void rfl_source_json_about(rfl_buf_t *b, const rfl_ledger_sources_t *about);


#endif /* RFL_SOURCE_REPORT_H */
