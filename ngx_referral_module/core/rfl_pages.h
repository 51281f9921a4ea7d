/*
 * Whether a data file that is shorter than its pages is sound.
 *
 * A page that LMDB takes and gives back in one transaction is never written.
 * At the end of the file it leaves a file that is shorter than its last page
 * says, and nothing is wrong with it; a process killed right behind such a
 * commit leaves it so.  A truncated file looks the same and is SIGBUS to
 * whoever maps it.  Only the pages in use tell them apart, so they are walked,
 * with pread(): the map must not be touched before.
 */

#ifndef RFL_PAGES_H
#define RFL_PAGES_H

#include "rfl_base.h"


/*
 * fd: LMDB's own (mdb_env_get_fd()).  txn_id: a snapshot that a reader of the
 * caller's holds, so that its pages are not reused meanwhile.  Reads all
 * pages in use but large values.
 *
 * RFL_OK: all are in the file.  RFL_DAMAGED: some are not, or they make no
 * sense.  RFL_NOT_FOUND: the snapshot's meta page is overwritten already, try
 * a new one.  RFL_NO_MEMORY, RFL_ERROR (read error).
 */

rfl_rc_t rfl_pages_check(int fd, size_t page_size, uint64_t txn_id);


#endif /* RFL_PAGES_H */
