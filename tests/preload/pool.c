/*
 * What the module asks of nginx and of libc, inside a real nginx: preloaded,
 * this stands between them, and lets the n-th call fail.
 *
 * The module's calls alone are meant, and what nginx's own program defines
 * cannot be preloaded.  So this waits for dlopen() of the module and writes
 * itself into the module's table of functions.
 *
 * REFERRAL_POOL names a small file that is mapped before main() runs and shared
 * by all that is forked: 64-bit numbers in the machine's own order.
 *
 *     0  fail       the call that is to fail, from 1; 0: none; written last
 *     1  calls      since it was set to 0
 *     2  failed     how many have failed
 *     3  memory     how many of these asked for memory
 *     4  begin      where the glue's code begins and ends in the module: its
 *     5  end        calls alone are meant
 *     6  all        not 0: of memory, all calls of the module are
 *     7  sites      how many of the next ones are set
 *     8  site ...   behind the calls that have failed, in the module; each once
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>


#define RFL_POOL_MODULE  "ngx_http_referral_module.so"
#define RFL_POOL_SITES   248

#define RFL_POOL_ERROR   -1              /* NGX_ERROR, and libc's */
#define RFL_POOL_STATUS  500             /* HTTP's, where that is returned */


typedef struct {
    int64_t   fail;
    int64_t   calls;
    int64_t   failed;
    int64_t   memory;
    uint64_t  begin;
    uint64_t  end;
    uint64_t  all;
    uint64_t  nsites;
    uint64_t  sites[RFL_POOL_SITES];
} rfl_pool_t;


/* All that is passed, and returned, is an integer or a pointer. */

typedef intptr_t (*rfl_pool_pt)(intptr_t, intptr_t, intptr_t, intptr_t);


typedef enum {
    RFL_POOL_MEMORY,
    RFL_POOL_NGINX,
    RFL_POOL_LIBC
} rfl_pool_kind_t;


static void rfl_pool_map(void) __attribute__((constructor));
static int rfl_pool_fails(void *site, rfl_pool_kind_t kind);
static void rfl_pool_note(uint64_t site);
static void rfl_pool_take(const struct link_map *map);
static void rfl_pool_take_slots(const struct link_map *map,
    const Elf64_Rela *rela, size_t size, const Elf64_Sym *symbols,
    const char *names);


/* X(function, what it returns when it fails, what it is) */

#define RFL_POOL_FUNCTIONS(X)                                                 \
    X(ngx_palloc, 0, RFL_POOL_MEMORY)                                         \
    X(ngx_pnalloc, 0, RFL_POOL_MEMORY)                                        \
    X(ngx_pcalloc, 0, RFL_POOL_MEMORY)                                        \
    X(ngx_pool_cleanup_add, 0, RFL_POOL_MEMORY)                               \
    X(ngx_array_create, 0, RFL_POOL_MEMORY)                                   \
    X(ngx_array_push, 0, RFL_POOL_MEMORY)                                     \
    X(ngx_list_push, 0, RFL_POOL_MEMORY)                                      \
    X(ngx_chain_get_free_buf, 0, RFL_POOL_MEMORY)                             \
    X(malloc, 0, RFL_POOL_MEMORY)                                             \
    X(calloc, 0, RFL_POOL_MEMORY)                                             \
    X(realloc, 0, RFL_POOL_MEMORY)                                            \
    X(strdup, 0, RFL_POOL_MEMORY)                                             \
    X(ngx_add_path, RFL_POOL_ERROR, RFL_POOL_NGINX)                           \
    X(ngx_conf_full_name, RFL_POOL_ERROR, RFL_POOL_NGINX)                     \
    X(ngx_connection_local_sockaddr, RFL_POOL_ERROR, RFL_POOL_NGINX)          \
    X(ngx_get_connection, 0, RFL_POOL_NGINX)                                  \
    X(ngx_http_get_variable, 0, RFL_POOL_NGINX)                               \
    X(ngx_handle_read_event, RFL_POOL_ERROR, RFL_POOL_NGINX)                  \
    X(ngx_handle_write_event, RFL_POOL_ERROR, RFL_POOL_NGINX)                 \
    X(ngx_http_add_variable, 0, RFL_POOL_NGINX)                               \
    X(ngx_http_compile_complex_value, RFL_POOL_ERROR, RFL_POOL_NGINX)         \
    X(ngx_http_complex_value, RFL_POOL_ERROR, RFL_POOL_NGINX)                 \
    X(ngx_http_discard_request_body, RFL_POOL_STATUS, RFL_POOL_NGINX)         \
    X(ngx_http_output_filter, RFL_POOL_ERROR, RFL_POOL_NGINX)                 \
    X(ngx_http_read_client_request_body, RFL_POOL_STATUS, RFL_POOL_NGINX)     \
    X(ngx_http_send_header, RFL_POOL_ERROR, RFL_POOL_NGINX)                   \
    X(ngx_http_send_special, RFL_POOL_ERROR, RFL_POOL_NGINX)                  \
    X(access, RFL_POOL_ERROR, RFL_POOL_LIBC)                                  \
    X(atexit, RFL_POOL_ERROR, RFL_POOL_LIBC)                                  \
    X(eventfd_read, RFL_POOL_ERROR, RFL_POOL_LIBC)                            \
    X(fchown, RFL_POOL_ERROR, RFL_POOL_LIBC)                                  \
    X(fcntl64, RFL_POOL_ERROR, RFL_POOL_LIBC)                                 \
    X(fstat64, RFL_POOL_ERROR, RFL_POOL_LIBC)                                 \
    X(lchown, RFL_POOL_ERROR, RFL_POOL_LIBC)                                  \
    X(mkdir, RFL_POOL_ERROR, RFL_POOL_LIBC)                                   \
    X(open64, RFL_POOL_ERROR, RFL_POOL_LIBC)                                  \
    X(stat64, RFL_POOL_ERROR, RFL_POOL_LIBC)                                  \
    X(statfs64, RFL_POOL_ERROR, RFL_POOL_LIBC)


#define RFL_POOL_NUMBER(name, value, kind)  RFL_POOL_OF_##name,

enum {
    RFL_POOL_FUNCTIONS(RFL_POOL_NUMBER)
    RFL_POOL_N
};


static rfl_pool_t  *rfl_pool;
static uint64_t     rfl_pool_base;       /* of the module */


/* What the slots held: the functions themselves. */

static rfl_pool_pt  rfl_pool_real[RFL_POOL_N];


#define RFL_POOL_WRAP(name, value, kind)                                 \
                                                                              \
static intptr_t                                                               \
rfl_pool_##name(intptr_t a, intptr_t b, intptr_t c, intptr_t d)               \
{                                                                             \
    if (rfl_pool_fails(__builtin_return_address(0), kind)) {                  \
        errno = ENOMEM;                                                       \
        return value;                                                         \
    }                                                                         \
                                                                              \
    return rfl_pool_real[RFL_POOL_OF_##name](a, b, c, d);                     \
}

RFL_POOL_FUNCTIONS(RFL_POOL_WRAP)


#define RFL_POOL_ROW(name, value, kind)  { #name, rfl_pool_##name },

static const struct {
    const char   *name;
    rfl_pool_pt   instead;
} rfl_pool_functions[] = {
    RFL_POOL_FUNCTIONS(RFL_POOL_ROW)
};


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
rfl_pool_fails(void *site, rfl_pool_kind_t kind)
{
    int64_t   fail;
    uint64_t  at;

    if (rfl_pool == NULL) {
        return 0;
    }

    at = (uint64_t) (uintptr_t) site - rfl_pool_base;

    /* core calls nothing of nginx; a jump looks like a call of nginx's own */

    if (kind != RFL_POOL_NGINX
        && (at < rfl_pool->begin || at >= rfl_pool->end)
        && !(kind == RFL_POOL_MEMORY && rfl_pool->all))
    {
        return 0;
    }

    fail = __atomic_load_n(&rfl_pool->fail, __ATOMIC_ACQUIRE);

    if (fail == 0
        || __atomic_add_fetch(&rfl_pool->calls, 1, __ATOMIC_RELAXED) != fail)
    {
        return 0;
    }

    rfl_pool_note(at);

    rfl_pool->memory += (kind == RFL_POOL_MEMORY);
    (void) __atomic_add_fetch(&rfl_pool->failed, 1, __ATOMIC_RELEASE);

    return 1;
}


/* One call fails at a time. */

static void
rfl_pool_note(uint64_t site)
{
    uint64_t  i;

    for (i = 0; i < rfl_pool->nsites; i++) {
        if (rfl_pool->sites[i] == site) {
            return;
        }
    }

    if (i < RFL_POOL_SITES) {
        rfl_pool->sites[i] = site;
        rfl_pool->nsites = i + 1;
    }
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
        rfl_pool_base = ((const struct link_map *) handle)->l_addr;
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

        for (k = 0; k < RFL_POOL_N; k++) {

            if (strcmp(name, rfl_pool_functions[k].name) != 0) {
                continue;
            }

            slot = (void **) (map->l_addr + rela[i].r_offset);

            if (mprotect((void *) ((uintptr_t) slot & ~(page - 1)), page,
                         PROT_READ|PROT_WRITE) != 0)
            {
                _exit(99);
            }

            rfl_pool_real[k] = (rfl_pool_pt) (uintptr_t)
                               dlsym(RTLD_DEFAULT, name);
            *slot = (void *) (uintptr_t) rfl_pool_functions[k].instead;
        }
    }
}
