/*
 * Cancellation of threads, in place of musl's file of this name, which compares the program counter of a signal frame with addresses in
 * one ISA's code.
 *
 * A cancelled thread is sent SIGCANCEL, which interrupts a system call that blocks; the call's wrapper then acts on the flag. What is left
 * out: a signal that comes between the wrapper's look at the flag and the call itself does not interrupt that call.
 */
#include <signal.h>
#include <string.h>

#include "pthread_impl.h"
#include "syscall.h"

long __cancel(void)
{
    pthread_t self = __pthread_self();
    if (self->canceldisable == PTHREAD_CANCEL_ENABLE || self->cancelasync)
        pthread_exit(PTHREAD_CANCELED);
    self->canceldisable = PTHREAD_CANCEL_DISABLE;
    return -ECANCELED;
}

/* Called for every system call that is a cancellation point. */
long __syscall_cp_c(syscall_arg_t nr, syscall_arg_t a, syscall_arg_t b, syscall_arg_t c, syscall_arg_t d, syscall_arg_t e,
                    syscall_arg_t f)
{
    pthread_t self = __pthread_self();
    int state = self->canceldisable;
    if (state == PTHREAD_CANCEL_DISABLE || (state && nr == SYS_close))
        return __syscall(nr, a, b, c, d, e, f);
    if (self->cancel)
        return __cancel();
    long result = __syscall(nr, a, b, c, d, e, f);
    if (result == -EINTR && nr != SYS_close && self->cancel && self->canceldisable != PTHREAD_CANCEL_DISABLE)
        return __cancel();
    return result;
}

static void on_cancel(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    pthread_t self = __pthread_self();
    if (self->cancel && self->cancelasync && self->canceldisable == PTHREAD_CANCEL_ENABLE)
        pthread_exit(PTHREAD_CANCELED);
}

void __testcancel(void)
{
    pthread_t self = __pthread_self();
    if (self->cancel && !self->canceldisable)
        __cancel();
}

int pthread_cancel(pthread_t thread)
{
    static int handled;
    if (!handled) {
        struct sigaction action = {.sa_flags = SA_SIGINFO, .sa_sigaction = on_cancel};
        memset(&action.sa_mask, -1, _NSIG / 8);
        __libc_sigaction(SIGCANCEL, &action, 0);
        handled = 1;
    }
    a_store(&thread->cancel, 1);
    if (thread != pthread_self())
        return pthread_kill(thread, SIGCANCEL);
    if (thread->canceldisable == PTHREAD_CANCEL_ENABLE && thread->cancelasync)
        pthread_exit(PTHREAD_CANCELED);
    return 0;
}
