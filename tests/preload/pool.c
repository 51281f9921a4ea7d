/*
 * No memory, for the module inside a real nginx: preloaded, this stands between
 * the module and the functions of nginx and libc that give it some, and lets
 * the n-th call fail.
 *
 * The module's calls alone are meant, and what nginx's own program defines
 * cannot be preloaded.  So this waits for dlopen() of the module and writes
 * itself into the module's table of functions.
 *
 * REFERRAL_POOL names a small file that is mapped before main() runs and shared
 * by all that is forked: three 64-bit numbers in the machine's own order.
 *
 *     0  fail       the call that is to fail, from 1; 0: none; written last
 *     1  calls      since it was set to 0
 *     2  failed     how many have failed
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>


#define RFL_POOL_MODULE  "ngx_http_referral_module.so"


typedef struct {
    int64_t  fail;
    int64_t  calls;
    int64_t  failed;
} rfl_pool_t;

typedef void *(*rfl_pool_one_pt)(void *);
typedef void *(*rfl_pool_size_pt)(void *, size_t);
typedef void *(*rfl_pool_array_pt)(void *, uintptr_t, size_t);


static void rfl_pool_map(void) __attribute__((constructor));
static int rfl_pool_fails(void);
static void rfl_pool_take(const struct link_map *map);
static void rfl_pool_take_slots(const struct link_map *map,
    const Elf64_Rela *rela, size_t size, const Elf64_Sym *symbols,
    const char *names);


static rfl_pool_t  *rfl_pool;


/* What the slots held: the functions themselves. */

static void  *rfl_pool_real[16];


#define REAL(i, type)  ((type) (uintptr_t) rfl_pool_real[i])


static void *
rfl_palloc(void *pool, size_t size)
{
    return rfl_pool_fails() ? NULL : REAL(0, rfl_pool_size_pt)(pool, size);
}


static void *
rfl_pnalloc(void *pool, size_t size)
{
    return rfl_pool_fails() ? NULL : REAL(1, rfl_pool_size_pt)(pool, size);
}


static void *
rfl_pcalloc(void *pool, size_t size)
{
    return rfl_pool_fails() ? NULL : REAL(2, rfl_pool_size_pt)(pool, size);
}


static void *
rfl_cleanup_add(void *pool, size_t size)
{
    return rfl_pool_fails() ? NULL : REAL(3, rfl_pool_size_pt)(pool, size);
}


static void *
rfl_array_create(void *pool, uintptr_t n, size_t size)
{
    return rfl_pool_fails() ? NULL
                            : REAL(4, rfl_pool_array_pt)(pool, n, size);
}


static void *
rfl_array_push(void *array)
{
    return rfl_pool_fails() ? NULL : REAL(5, rfl_pool_one_pt)(array);
}


static void *
rfl_list_push(void *list)
{
    return rfl_pool_fails() ? NULL : REAL(6, rfl_pool_one_pt)(list);
}


static void *
rfl_malloc(size_t size)
{
    return rfl_pool_fails() ? NULL : malloc(size);
}


static void *
rfl_calloc(size_t n, size_t size)
{
    return rfl_pool_fails() ? NULL : calloc(n, size);
}


static void *
rfl_realloc(void *p, size_t size)
{
    return rfl_pool_fails() ? NULL : realloc(p, size);
}


static const struct {
    const char  *name;
    void        *instead;
} rfl_pool_functions[] = {
    { "ngx_palloc",           rfl_palloc },
    { "ngx_pnalloc",          rfl_pnalloc },
    { "ngx_pcalloc",          rfl_pcalloc },
    { "ngx_pool_cleanup_add", rfl_cleanup_add },
    { "ngx_array_create",     rfl_array_create },
    { "ngx_array_push",       rfl_array_push },
    { "ngx_list_push",        rfl_list_push },
    { "malloc",               rfl_malloc },
    { "calloc",               rfl_calloc },
    { "realloc",              rfl_realloc }
};

#define RFL_POOL_FUNCTIONS                                                    \
    (sizeof(rfl_pool_functions) / sizeof(rfl_pool_functions[0]))


static void
rfl_pool_map(void)
{
    int          fd;
    void        *p;
    const char  *path;

    path = getenv("REFERRAL_POOL");
    fd = path != NULL ? open(path, O_RDWR|O_CLOEXEC) : -1;

    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(rfl_pool_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    (void) close(fd);

    if (p != MAP_FAILED) {
        rfl_pool = p;
    }
}


static int
rfl_pool_fails(void)
{
    int64_t  fail;

    fail = rfl_pool != NULL ? __atomic_load_n(&rfl_pool->fail, __ATOMIC_ACQUIRE)
                            : 0;

    if (fail == 0
        || __atomic_add_fetch(&rfl_pool->calls, 1, __ATOMIC_RELAXED) != fail)
    {
        return 0;
    }

    (void) __atomic_add_fetch(&rfl_pool->failed, 1, __ATOMIC_RELEASE);

    return 1;
}


void *
dlopen(const char *path, int flags)
{
    void  *handle;

    handle = ((void *(*)(const char *, int)) (uintptr_t)
              dlsym(RTLD_NEXT, "dlopen"))(path, flags);

    if (handle != NULL && path != NULL && rfl_pool != NULL
        && strstr(path, RFL_POOL_MODULE) != NULL)
    {
        rfl_pool_take(handle);
    }

    return handle;
}


/* A handle of glibc's is the object's link_map; addresses there are final. */

static void
rfl_pool_take(const struct link_map *map)
{
    size_t             plt_size, size;
    const char        *names;
    const Elf64_Dyn   *d;
    const Elf64_Sym   *symbols;
    const Elf64_Rela  *plt, *rela;

    plt = NULL;
    rela = NULL;
    plt_size = 0;
    size = 0;
    names = NULL;
    symbols = NULL;

    for (d = map->l_ld; d->d_tag != DT_NULL; d++) {

        switch (d->d_tag) {

        case DT_JMPREL:
            plt = (const Elf64_Rela *) d->d_un.d_ptr;
            break;

        case DT_PLTRELSZ:
            plt_size = d->d_un.d_val;
            break;

        case DT_RELA:
            rela = (const Elf64_Rela *) d->d_un.d_ptr;
            break;

        case DT_RELASZ:
            size = d->d_un.d_val;
            break;

        case DT_SYMTAB:
            symbols = (const Elf64_Sym *) d->d_un.d_ptr;
            break;

        case DT_STRTAB:
            names = (const char *) d->d_un.d_ptr;
            break;
        }
    }

    rfl_pool_take_slots(map, plt, plt_size, symbols, names);
    rfl_pool_take_slots(map, rela, size, symbols, names);
}


/* The page may be read only by now (-z relro). */

static void
rfl_pool_take_slots(const struct link_map *map, const Elf64_Rela *rela,
    size_t size, const Elf64_Sym *symbols, const char *names)
{
    void        **slot;
    size_t        i, k, page;
    unsigned      type;
    const char   *name;

    if (rela == NULL || symbols == NULL || names == NULL) {
        return;
    }

    page = (size_t) sysconf(_SC_PAGESIZE);

    for (i = 0; i < size / sizeof(Elf64_Rela); i++) {
        type = (unsigned) ELF64_R_TYPE(rela[i].r_info);

        if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) {
            continue;
        }

        name = names + symbols[ELF64_R_SYM(rela[i].r_info)].st_name;

        for (k = 0; k < RFL_POOL_FUNCTIONS; k++) {

            if (strcmp(name, rfl_pool_functions[k].name) != 0) {
                continue;
            }

            slot = (void **) (map->l_addr + rela[i].r_offset);

            if (mprotect((void *) ((uintptr_t) slot & ~(page - 1)), page,
                         PROT_READ|PROT_WRITE) != 0)
            {
                _exit(99);
            }

            rfl_pool_real[k] = dlsym(RTLD_DEFAULT, name);
            *slot = rfl_pool_functions[k].instead;
        }
    }
}
