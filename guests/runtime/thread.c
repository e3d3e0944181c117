/*
 * Threads: creation, their first function, and joining.
 *
 * A thread's end is signalled by itself, in user space: it stores 0 to its `alive` word and wakes the joiner, which then unmaps
 * its area. Popcorn's libc does likewise, instead of relying on the kernel's CLEARTID, because it works whatever node the thread ends on.
 */
#include <errno.h>
#include <kettle/thread.h>
#include <pthread.h>

#include "futex.h"

enum {
    DATA_STACK = 1 << 20,
    NATIVE_STACK = 256 << 10,
};

_Thread_local __attribute__((aligned(64))) struct kettle_thread __kettle_self;

/* Entered by native/<isa>/thread.S on the new thread's own stack; never returns. */
_Noreturn void __kettle_thread_main(struct kettle_thread *thread)
{
    thread->result = thread->start(thread->argument);
    __kettle_thread_exit(&thread->alive);
}

int pthread_create(pthread_t *created, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    if (attributes)
        return EINVAL;
    struct kettle_thread *thread = __kettle_area_create(DATA_STACK, NATIVE_STACK);
    if (!thread)
        return EAGAIN;
    thread->start = start;
    thread->argument = argument;
    long tid = __kettle_clone(thread);
    if (tid < 0) {
        kettle_syscall2(KETTLE_SYS_munmap, thread->area, thread->area_size);
        return (int)-tid;
    }
    *created = thread;
    return 0;
}

int pthread_join(pthread_t thread, void **result)
{
    while (__atomic_load_n(&thread->alive, __ATOMIC_ACQUIRE))
        futex_wait(&thread->alive, 1);
    if (result)
        *result = thread->result;
    kettle_syscall2(KETTLE_SYS_munmap, thread->area, thread->area_size);
    return 0;
}

pthread_t pthread_self(void)
{
    return __kettle_self.self;
}
