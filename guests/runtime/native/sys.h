/*
 * The system call of the neutral architecture, and the call of an ISA's own kernel under it.
 *
 * Numbers are those of Linux's generic table. Structures and flags are those of x86_64.
 */
#ifndef KETTLE_NATIVE_SYS_H
#define KETTLE_NATIVE_SYS_H

#include "signal.h"
#include "thread.h"

enum {
    SYS_epoll_ctl = 21,
    SYS_epoll_pwait = 22,
    SYS_dup3 = 24,
    SYS_fcntl = 25,
    SYS_openat = 56,
    SYS_pipe2 = 59,
    SYS_newfstatat = 79,
    SYS_fstat = 80,
    SYS_exit = 93,
    SYS_set_tid_address = 96,
    SYS_rt_sigaction = 134,
    SYS_gettid = 178,
    SYS_clone = 220,
};

/* In native/<isa>/cancel.S, by the kernel's own number. */
long __kettle_syscall_cp(long nr, long a, long b, long c, long d, long e, long f);

extern _Thread_local __attribute__((tls_model("local-exec"))) int *__kettle_clear_tid;

/* Calls that both ISAs treat alike: true when `*result` is the answer. */
static inline _Bool sys_common(long nr, long a, long b, long c, long d, long *result, system_call *call)
{
    switch (nr) {
    case SYS_exit:
        __kettle_exit(a);
    case SYS_set_tid_address:
        __kettle_clear_tid = (int *)a;
        *result = call(SYS_gettid, 0, 0, 0, 0, 0, 0);
        return 1;
    case SYS_rt_sigaction:
        *result = __kettle_sigaction(a, (const void *)b, (void *)c, d, call);
        return 1;
    default:
        return 0;
    }
}

#endif
