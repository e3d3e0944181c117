/*
 * System calls by neutral numbers: one enum for both ISAs, mapped by native/<isa>/syscall.S to that ISA's own numbers.
 *
 * Only what migration and start-up need by themselves is listed: usable before there is a thread pointer, and never a migration point. The C
 * library's system calls go through native/<isa>/sys.c. The order is that of the tables in both syscall.S files.
 */
#ifndef KETTLE_SYSCALL_H
#define KETTLE_SYSCALL_H

#define KETTLE_SYS_mmap 0
#define KETTLE_SYS_mprotect 1
#define KETTLE_SYS_munmap 2
#define KETTLE_SYS_exit_group 3
#define KETTLE_SYS_popcorn_migrate 4
#define KETTLE_SYS_popcorn_propose_migration 5
#define KETTLE_SYS_popcorn_get_thread_status 6
#define KETTLE_SYS_popcorn_get_node_info 7
#define KETTLE_SYS_COUNT 8

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
