/*
 * The entry of every signal handler: what lies between a kernel that knows one ISA's registers and stacks, and a handler that is neutral code.
 *
 * A handler runs on the native stack of the ISA that the thread is on, below what it interrupts, and its neutral data lies on the data stack, below
 * __dsp: at every instruction all data that is in use lies above. On an alternate stack there is room for both: the native stack has its upper half,
 * the data stack its lower one, with a limit of its own. While a handler runs the thread does not migrate: the walk meets this file's frame, and migrate() is refused.
 */
#include "signal.h"

#include "link.h"
#include "sys.h"

enum {
    NSIG = 65,
    SIG_IGN = 1,
    SA_SIGINFO = 4,
};

/* As the kernels have it; the same on both ISAs. */
struct action {
    uint64_t handler, flags, restorer, mask;
};

extern signal_handler *__kettle_handlers[NSIG];
extern uint64_t __kettle_handler_flags[NSIG];

/* Chooses where the data of a handler goes, which runs with its native frame at `frame`. */
static void choose_data_stack(const struct context_head *context, uint64_t frame)
{
    uint64_t start = context->stack_start, size = context->stack_size, dsp = (uint64_t)__dsp;
    if (frame - start >= size || dsp - start <= size)
        return;
    __dsp = (char *)((start + (frame - start) / 2) & -16ul);
    __kettle_stack_limit = (char *)start;
}

__attribute__((noinline)) static void deliver(int signal, void *info, void *context)
{
    char *before = __dsp, *limit = __kettle_stack_limit;
    choose_data_stack(context, (uint64_t)__builtin_frame_address(0));
    __kettle_call_handler(__kettle_handlers[signal], signal, info, context);
    __dsp = before;
    __kettle_stack_limit = limit;
}

/* Entered by the kernel. */
void __kettle_on_signal(int signal, void *info, void *context)
{
    __kettle_repair_thread_pointer(context);
    deliver(signal, info, context);
}

long __kettle_sigaction(long signal, const void *action, void *old, long mask_size, system_call *call)
{
    struct action own, before;
    int known = signal > 0 && signal < NSIG;
    signal_handler *old_handler = known ? __kettle_handlers[signal] : 0;
    uint64_t old_flags = known ? __kettle_handler_flags[signal] : 0;
    if (action) {
        own = *(const struct action *)action;
        if (known && own.handler > SIG_IGN) {
            /* Before the kernel may call it. */
            __kettle_handlers[signal] = (signal_handler *)own.handler;
            __kettle_handler_flags[signal] = own.flags;
            own.handler = (uint64_t)__kettle_on_signal;
            own.flags |= SA_SIGINFO;
        }
    }
    long result = call(SYS_rt_sigaction, signal, (long)(action ? &own : 0), (long)&before, mask_size, 0, 0);
    if (result < 0) {
        if (known) {
            __kettle_handlers[signal] = old_handler;
            __kettle_handler_flags[signal] = old_flags;
        }
        return result;
    }
    if (old) {
        if (before.handler == (uint64_t)__kettle_on_signal) {
            before.handler = (uint64_t)old_handler;
            before.flags = old_flags;
        }
        *(struct action *)old = before;
    }
    return result;
}
