/*
 * A wall clock that a test sets: preloaded, this adds to what time() and its
 * kin tell the seconds that a file holds, 8 bytes in the machine's own order.
 * REFERRAL_CLOCK names it; it is mapped before main() runs, so all processes
 * see the clock jump at once.  The monotonic clock goes on as it was.
 */

#define _GNU_SOURCE

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


/* Until the file is mapped, and without one. */
static const volatile int64_t   rfl_clock_right;
static const volatile int64_t  *rfl_clock_offset = &rfl_clock_right;


__attribute__((constructor)) static void
rfl_clock_map(void)
{
    int          fd;
    void        *p;
    const char  *path;

    path = getenv("REFERRAL_CLOCK");
    if (path == NULL) {
        return;
    }

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        abort();
    }

    p = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        abort();
    }

    (void) close(fd);
    rfl_clock_offset = p;
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int  rc;

    rc = (int) syscall(SYS_clock_gettime, id, ts);

    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        ts->tv_sec += *rfl_clock_offset;
    }

    return rc;
}


int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


time_t
time(time_t *result)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    if (result != NULL) {
        *result = ts.tv_sec;
    }

    return ts.tv_sec;
}
