/*
 * A registry with its ledger and its counter file, in a directory: what a
 * scenario has open of it, how it is made, and what must hold of it.
 */

#ifndef SCENE_H
#define SCENE_H

#include "rfl_runtime.h"


#define NOW  1795132800                  /* 2026-11-20 */
#define MAP  ((size_t) 4 << 20)
#define IDS  64
#define MAX  20000

/* As long as a thread may take that cannot be asked. */

#define PATIENCE_MS  30000

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))


/* Links, as they are added. */

typedef struct {
    const char  *source;
    const char  *type;
    const char  *target;
    const char  *tag;
} entry_t;

#define LINKS  7

extern const entry_t  entries[LINKS];
extern const u_char   uuid[16];


/* What is open is closed by scene_close(), a transaction ended. */

typedef struct {
    const char          *dir;
    char                 cells[128];     /* the counter file */
    char                 file[128];      /* beside it */
    rfl_buf_t           *out;
    rfl_error_t          err;
    rfl_registry_t      *registry;
    unsigned             begun:1;        /* in a transaction of that */
    unsigned             running:1;      /* rt is */
    rfl_totals_t         totals;         /* ledger and counters */
    rfl_runtime_conf_t   conf;
    rfl_runtime_t        rt;
} scene_t;


/*
 * The directory has one name as long as the process lives: some of what is
 * made there holds it.  prepare: empties it, and has it filled (NULL: not);
 * restore: makes it once more what it was then.
 */

void scene_begin(void);
void scene_prepare(void (*prepare)(const char *dir));
void scene_restore(void);
const char *scene_dir(void);
void scene_end(void);

void scene_open(scene_t *scene, rfl_buf_t *out);
void scene_close(scene_t *scene);


/* Steps.  What has no text for its error gets one: of what it is. */

rfl_rc_t open_registry(scene_t *scene);
rfl_rc_t make_registry(scene_t *scene);
rfl_rc_t begin_write(scene_t *scene);
rfl_rc_t commit(scene_t *scene);
rfl_rc_t tell_links(scene_t *scene);
rfl_rc_t open_totals(scene_t *scene);

rfl_rc_t named(scene_t *scene, rfl_rc_t rc, const char *what);


/* Some links, a counter file with counts, half of them in the ledger. */

void prepare_site(const char *dir);
void set_link(rfl_link_t *link, const entry_t *entry);
rfl_rc_t add_links(rfl_registry_t *r, rfl_error_t *err);


/*
 * All tables agree, there are so many links, or so many, and what was counted
 * is there, once.
 */

void verify_site(const char *dir, uint32_t before, uint32_t after);
void verify_registry(const char *dir, uint32_t before, uint32_t after);

void note_fault(void *data, const char *table, rfl_str_t text);

/* Memory for four such paths. */

const char *below(const char *dir, const char *name);
void write_file(const char *path, const char *text);


/* Aborts, naming the failed call, unless it holds. */

#define must(holds)                                                           \
    do {                                                                      \
        if (!(holds)) {                                                       \
            must_fail(__FILE__, __LINE__, #holds);                            \
        }                                                                     \
    } while (0)

void must_fail(const char *file, int line, const char *what)
    __attribute__((noreturn));


#endif /* SCENE_H */
