/*
 * Starting and ending threads, as musl's pthread_create and pthread_exit ask for it.
 *
 * A thread's end is signalled by itself, in user space, instead of by the kernel's CLEARTID: so it does not matter which node it ends on.
 */
#include <kettle/thread.h>

#include "arch.h"
#include "area.h"
#include "link.h"
#include "thread.h"

extern _Thread_local __attribute__((tls_model("local-exec"))) int *__kettle_clear_tid;

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
    if (flags & CLONE_SETTLS) {
        const struct kettle_thread *thread = __kettle_thread_of(descriptor);
        tp = thread->tp[THIS_ARCH];
        *(uint64_t *)(tp + TP_OFFSET(__dsp)) = top;
        *(int **)(tp + TP_OFFSET(__kettle_clear_tid)) = flags & CLONE_CHILD_CLEARTID ? child_tid : 0;
        flags &= ~CLONE_CHILD_CLEARTID;
        top = thread->native_top[THIS_ARCH];
    }
    return (int)__kettle_spawn((unsigned)flags, top, parent_tid, tp, start, argument);
}

void __unmapself(void *start, size_t size)
{
    __kettle_unmap_and_end(__kettle_clear_tid, start, size);
}
