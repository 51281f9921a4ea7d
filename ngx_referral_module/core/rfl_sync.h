/*
 * Makes the links of a registry those of a file, our CSV or our JSON, once: in
 * one transaction, all of it or nothing.  Links of the file are added, fields
 * the file has a column for are changed, what it lacks is removed; totals of
 * what is removed stay, and are its own again when it is added again.  As
 * "referralctl import FILE --sync --update" does it, by the same functions;
 * but a file without a link is a list of no links, and text must be UTF-8.
 *
 * Where the file says what is registered already nothing is written.
 *
 * Memory: as a bulk import (rfl_bulk.h), a byte for each id, and 8 more where a
 * row leaves a field empty that is set.
 */

#ifndef RFL_SYNC_H
#define RFL_SYNC_H

#include <sys/stat.h>
#include <time.h>

#include "rfl_import.h"
#include "rfl_issue.h"


/* What a file is known by: another one in its place, or one that was written,
 * looks different. */

typedef struct {
    dev_t            dev;
    ino_t            ino;
    off_t            size;
    struct timespec  modified;
    struct timespec  changed;
} rfl_file_look_t;

/* Through links.  RFL_NOT_FOUND, RFL_DENIED, RFL_INVALID (no file), RFL_ERROR;
 * texts begin with the path. */

rfl_rc_t rfl_file_look(const char *path, rfl_file_look_t *look,
    rfl_error_t *err);
int rfl_file_looks_same(const rfl_file_look_t *a, const rfl_file_look_t *b);
int rfl_file_is_same(const rfl_file_look_t *a, const rfl_file_look_t *b);


/*
 * in_place: the file that was read before was written over.  If its last line
 * has no end it may have been cut off in the middle, and is refused.
 */

typedef struct {
    const char           *path;
    rfl_registry_t       *registry;      /* for writing; none is begun */
    rfl_totals_t         *totals;        /* rfl_issue_begin()'s */
    uint32_t              max_links;
    unsigned              in_place:1;
    const unsigned       *stop;          /* atomic; not 0: give up.  NULL */

    rfl_file_look_t       look;          /* of what was read, or tried */
    rfl_import_counts_t   counts;
    unsigned              changed:1;     /* something was committed */
} rfl_sync_t;


/*
 * Waits for the registry's writer lock.  RFL_OK, or the registry is as it was:
 * RFL_INVALID (the file: which line, which field), RFL_BUSY (it was written
 * meanwhile, or stop), rfl_file_look()'s, and what the registry says.  Texts
 * begin with the path.
 */

rfl_rc_t rfl_sync_run(rfl_sync_t *sync, rfl_error_t *err);


#endif /* RFL_SYNC_H */
