/*
 * System calls by neutral numbers: one enum for both ISAs, mapped by native/<isa>/syscall.S to that ISA's own numbers.
 *
 * Only what the runtime uses is listed. clone and the thread pointer have ISA-specific arguments and are not here:
 * see native/<isa>/thread.S and migrate.S. The order is that of the tables in both syscall.S files.
 */
#ifndef KETTLE_SYSCALL_H
#define KETTLE_SYSCALL_H

#define KETTLE_SYS_read 0
#define KETTLE_SYS_write 1
#define KETTLE_SYS_close 2
#define KETTLE_SYS_openat 3
#define KETTLE_SYS_mmap 4
#define KETTLE_SYS_munmap 5
#define KETTLE_SYS_mprotect 6
#define KETTLE_SYS_exit 7
#define KETTLE_SYS_exit_group 8
#define KETTLE_SYS_futex 9
#define KETTLE_SYS_sched_yield 10
#define KETTLE_SYS_nanosleep 11
#define KETTLE_SYS_clock_gettime 12
#define KETTLE_SYS_getrandom 13
#define KETTLE_SYS_getpid 14
#define KETTLE_SYS_gettid 15
#define KETTLE_SYS_popcorn_migrate 16
#define KETTLE_SYS_popcorn_propose_migration 17
#define KETTLE_SYS_popcorn_get_thread_status 18
#define KETTLE_SYS_popcorn_get_node_info 19
#define KETTLE_SYS_COUNT 20

#ifndef __ASSEMBLER__
/* The kernel's answer as it is: a result, or a negative errno. */
long __kettle_syscall(long nr, long a, long b, long c, long d, long e, long f);

#define kettle_syscall0(nr) __kettle_syscall(nr, 0, 0, 0, 0, 0, 0)
#define kettle_syscall1(nr, a) __kettle_syscall(nr, (long)(a), 0, 0, 0, 0, 0)
#define kettle_syscall2(nr, a, b) __kettle_syscall(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define kettle_syscall3(nr, a, b, c) __kettle_syscall(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define kettle_syscall4(nr, a, b, c, d) __kettle_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define kettle_syscall6(nr, a, b, c, d, e, f) \
    __kettle_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#endif

#endif
