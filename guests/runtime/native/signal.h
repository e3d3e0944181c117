/*
 * Signal handlers: what each ISA's code does for native/signal.c.
 */
#ifndef KETTLE_NATIVE_SIGNAL_H
#define KETTLE_NATIVE_SIGNAL_H

#include <stddef.h>
#include <stdint.h>

/* What both kernels' ucontext begins with. */
struct context_head {
    uint64_t flags, link;
    uint64_t stack_start;
    uint32_t stack_flags, zero;
    uint64_t stack_size;
};

typedef void signal_handler(int signal, void *info, void *context);

/* The system call of an ISA's own kernel, by its generic number (sys.h). */
typedef long system_call(long nr, long a, long b, long c, long d, long e, long f);

/* rt_sigaction for handlers that are neutral code. */
long __kettle_sigaction(long signal, const void *action, void *old, long mask_size, system_call *call);

/*
 * In native/<isa>/migrate.S: a signal that interrupts the migrate call finds the destination's thread pointer. Puts back the source's, and
 * lets the call begin anew if the kernel has not answered it. Nothing before this call may touch thread-local variables.
 */
void __kettle_repair_thread_pointer(void *context);

/* In native/<isa>/sys.c: calls a handler with the context as neutral code sees it. */
void __kettle_call_handler(signal_handler *handler, int signal, void *info, void *context);

#endif
