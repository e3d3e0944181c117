/*
 * The first C of a process: gives the main thread its memory and hands over to the neutral part on it.
 *
 * Called by `_start` on the stack that the kernel made, with no thread pointer yet. That stack keeps the arguments and the
 * auxiliary vector and is not run on again.
 */
#include <kettle/syscall.h>

#include "arch.h"
#include "area.h"
#include "thread.h"

int __kettle_main(int argc, char **argv, char **envp);

enum { NO_MEMORY_STATUS = 127 };

_Noreturn void __kettle_start(long *kernel_stack)
{
    struct kettle_thread *thread = __kettle_main_area();
    if (!thread) {
        kettle_syscall1(KETTLE_SYS_exit_group, NO_MEMORY_STATUS);
        __builtin_trap();
    }
    __kettle_set_thread_pointer(thread->tp[THIS_ARCH]);
    long *arguments = kernel_stack + 1;
    __kettle_enter(thread->native_top[THIS_ARCH], kernel_stack[0], (long)arguments,
                   (long)(arguments + kernel_stack[0] + 1));
}
