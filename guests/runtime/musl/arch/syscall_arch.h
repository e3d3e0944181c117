/*
 * System calls of the neutral architecture. Numbers are those of Linux's generic table (bits/syscall.h), structures are those of x86_64;
 * native/<isa>/sys.c turns both into what the kernel of its ISA takes.
 */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)
#define IPC_64 0

__attribute__((visibility("hidden"))) long __kettle_sys(long nr, long a, long b, long c, long d, long e, long f);

/* The same, unless the thread has been cancelled before the call was made: then -ECANCELED. Needs __kettle_cancel_word. */
__attribute__((visibility("hidden"))) long __kettle_sys_cp(long nr, long a, long b, long c, long d, long e, long f);

static inline long __syscall0(long nr)
{
    return __kettle_sys(nr, 0, 0, 0, 0, 0, 0);
}

static inline long __syscall1(long nr, long a)
{
    return __kettle_sys(nr, a, 0, 0, 0, 0, 0);
}

static inline long __syscall2(long nr, long a, long b)
{
    return __kettle_sys(nr, a, b, 0, 0, 0, 0);
}

static inline long __syscall3(long nr, long a, long b, long c)
{
    return __kettle_sys(nr, a, b, c, 0, 0, 0);
}

static inline long __syscall4(long nr, long a, long b, long c, long d)
{
    return __kettle_sys(nr, a, b, c, d, 0, 0);
}

static inline long __syscall5(long nr, long a, long b, long c, long d, long e)
{
    return __kettle_sys(nr, a, b, c, d, e, 0);
}

static inline long __syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
    return __kettle_sys(nr, a, b, c, d, e, f);
}
