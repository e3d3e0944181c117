/*
 * A thread's descriptor and its thread-local storage, in place of musl's file of this name.
 *
 * The block of thread-local variables is laid out by native/area.c, so that each variable has one address on both ISAs. musl's descriptor
 * is one of these variables; which one is found through another of them (arch/pthread_arch.h).
 */
#include <stddef.h>

#include "libc.h"
#include "pthread_impl.h"
#include "syscall.h"

volatile int __thread_list_lock;

_Thread_local __attribute__((aligned(64))) struct pthread __kettle_descriptor;
_Thread_local uintptr_t __kettle_descriptor_at;

/* What __copy_tls needs at its argument, in bytes (native/area.c). */
size_t __kettle_tls_size(void);

int __init_tp(void *descriptor)
{
    pthread_t self = descriptor;
    __kettle_descriptor_at = (uintptr_t)self;
    self->self = self;
    self->detach_state = DT_JOINABLE;
    self->tid = __syscall(SYS_set_tid_address, &__thread_list_lock);
    self->locale = &libc.global_locale;
    self->robust_list.head = &self->robust_list.head;
    self->sysinfo = __sysinfo;
    self->next = self->prev = self;
    libc.can_do_threads = 1;
    return 0;
}

/* Of a thread that pthread_create is about to start. */
char *__kettle_data_stack_of(const void *descriptor)
{
    const struct pthread *thread = descriptor;
    return (char *)thread->stack - thread->stack_size;
}

/* The main thread's block is there since native/start.c. */
void __init_tls(size_t *aux)
{
    (void)aux;
    libc.tls_size = __kettle_tls_size();
    libc.tls_align = _Alignof(struct pthread);
    __init_tp(&__kettle_descriptor);
}
