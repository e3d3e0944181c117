/*
 * Starting and ending threads, as musl's pthread_create and pthread_exit ask for it.
 *
 * A thread's end is signalled by itself, in user space, instead of by the kernel's CLEARTID: so it does not matter which node it ends on.
 */
#include <errno.h>
#include <kettle/thread.h>
#include <stddef.h>

#include "arch.h"
#include "area.h"
#include "link.h"
#include "thread.h"

extern _Thread_local __attribute__((tls_model("local-exec"))) int *__kettle_clear_tid;

/* In process.c: the lowest byte of a new thread's data stack. */
char *__kettle_lowest(const void *descriptor);

enum {
    CLONE_SETTLS = 0x80000,
    CLONE_CHILD_CLEARTID = 0x200000,
    STACK_ALIGN = 16,
};

/*
 * With CLONE_SETTLS, `descriptor` is what __copy_tls gave, and `stack` is the top of the thread's data stack; native stacks come with the descriptor.
 * Without, the child runs on `stack` itself, and shares the data stack of its parent, which must wait for it (CLONE_VFORK).
 */
int __clone(int (*start)(void *), void *stack, int flags, void *argument, int *parent_tid, void *descriptor, int *child_tid)
{
    uint64_t top = (uint64_t)stack & -(uint64_t)STACK_ALIGN;
    uint64_t tp = 0;
    struct kettle_thread *thread = 0;
    if (flags & CLONE_SETTLS) {
        char *lowest = __kettle_lowest(descriptor);
        thread = __kettle_thread_of(descriptor);
        if (__kettle_enlarge(thread, (size_t)((char *)stack - lowest)))
            return -EAGAIN;
        tp = thread->tp[THIS_ARCH];
        *(uint64_t *)(tp + TP_OFFSET(__dsp)) = top;
        *(char **)(tp + TP_OFFSET(__kettle_stack_limit)) = lowest;
        *(int **)(tp + TP_OFFSET(__kettle_clear_tid)) = flags & CLONE_CHILD_CLEARTID ? child_tid : 0;
        flags &= ~CLONE_CHILD_CLEARTID;
        top = thread->native_top[THIS_ARCH];
    }
    long child = __kettle_spawn((unsigned)flags, top, parent_tid, tp, start, argument);
    if (child < 0 && thread)
        __kettle_drop_larger(thread);
    return (int)child;
}

_Noreturn void __kettle_exit(long status)
{
    if (__kettle_self.larger_size)
        __kettle_unmap_and_end(__kettle_clear_tid, (void *)__kettle_self.larger_start, __kettle_self.larger_size, 0, 0);
    __kettle_end(__kettle_clear_tid, status);
}

void __unmapself(void *start, size_t size)
{
    void *larger = (void *)__kettle_self.larger_start;
    __kettle_unmap_and_end(__kettle_clear_tid, start, size, larger, __kettle_self.larger_size);
}
