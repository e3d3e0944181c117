/*
 * Thin wrappers of system calls: files, identity, clocks, sleep, randomness.
 */
#include <kettle/syscall.h>
#include <time.h>
#include <unistd.h>

enum { AT_FDCWD = -100 };

int open(const char *path, int flags)
{
    return (int)kettle_syscall4(KETTLE_SYS_openat, AT_FDCWD, path, flags, 0);
}

int close(int fd)
{
    return (int)kettle_syscall1(KETTLE_SYS_close, fd);
}

long read(int fd, void *buffer, size_t size)
{
    return kettle_syscall3(KETTLE_SYS_read, fd, buffer, size);
}

long write(int fd, const void *buffer, size_t size)
{
    return kettle_syscall3(KETTLE_SYS_write, fd, buffer, size);
}

int getpid(void)
{
    return (int)kettle_syscall0(KETTLE_SYS_getpid);
}

int gettid(void)
{
    return (int)kettle_syscall0(KETTLE_SYS_gettid);
}

int sched_yield(void)
{
    return (int)kettle_syscall0(KETTLE_SYS_sched_yield);
}

long getrandom(void *buffer, size_t size, unsigned flags)
{
    return kettle_syscall3(KETTLE_SYS_getrandom, buffer, size, flags);
}

int clock_gettime(int clock, struct timespec *time)
{
    return (int)kettle_syscall2(KETTLE_SYS_clock_gettime, clock, time);
}

int nanosleep(const struct timespec *request, struct timespec *remaining)
{
    return (int)kettle_syscall2(KETTLE_SYS_nanosleep, request, remaining);
}
