/*
 * The first C of a process: gives the main thread its area and hands over to the neutral part on it.
 *
 * Called by `_start` on the stack that the kernel made, with no thread pointer yet. That stack keeps the arguments and is not
 * run on again, so the main thread is like every other: one data stack, one native stack per ISA. The auxiliary vector is not read.
 */
#include <kettle/syscall.h>
#include <kettle/thread.h>

#include "arch.h"

enum {
    MAIN_DATA_STACK = 8 << 20,
    MAIN_NATIVE_STACK = 1 << 20,
    NO_MEMORY_STATUS = 127,
};

/* What native/<isa>/thread.S needs to enter the neutral part. */
struct start {
    uint64_t stack;
    long argc;
    char **argv;
    char **envp;
};

_Noreturn void __kettle_enter_main(const struct start *start);

_Noreturn void __kettle_start(long *kernel_stack)
{
    struct kettle_thread *thread = __kettle_area_create(MAIN_DATA_STACK, MAIN_NATIVE_STACK);
    if (!thread) {
        kettle_syscall1(KETTLE_SYS_exit_group, NO_MEMORY_STATUS);
        __builtin_trap();
    }
    __kettle_set_thread_pointer(thread->tp[THIS_ARCH]);
    struct start start = {
        .stack = thread->native_top[THIS_ARCH],
        .argc = kernel_stack[0],
        .argv = (char **)(kernel_stack + 1),
        .envp = (char **)(kernel_stack + 1 + kernel_stack[0] + 1),
    };
    __kettle_enter_main(&start);
}
