/*
 * Cancellation of threads, in place of musl's file of this name, which knows the addresses of one ISA's code. Here native/<isa>/cancel.S knows them.
 *
 * A cancelled thread is sent SIGCANCEL. If it is at a cancellation point whose call has not been made, or is to be made again, the call returns
 * -ECANCELED; if the call ends early with -EINTR, its wrapper looks. Elsewhere nothing happens before the next cancellation point, unless the
 * thread may be cancelled at any time: then it ends in the handler.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>

#include "pthread_impl.h"
#include "syscall.h"

extern _Thread_local __attribute__((tls_model("local-exec"))) const volatile int *__kettle_cancel_word;

/* Where a thread that is cancelled at this program counter goes on; 0: where it is. */
unsigned long __kettle_cancel_point(unsigned long pc);

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
    __kettle_cancel_word = &self->cancel;
    long result = __kettle_sys_cp(nr, a, b, c, d, e, f);
    if (result == -ECANCELED && self->cancel)
        return __cancel();
    if (result == -EINTR && nr != SYS_close && self->cancel && self->canceldisable != PTHREAD_CANCEL_DISABLE)
        return __cancel();
    return result;
}

static void on_cancel(int signal, siginfo_t *info, void *context)
{
    (void)info;
    pthread_t self = __pthread_self();
    ucontext_t *interrupted = context;
    if (!self->cancel || self->canceldisable == PTHREAD_CANCEL_DISABLE)
        return;
    if (self->cancelasync && self->canceldisable == PTHREAD_CANCEL_ENABLE)
        pthread_exit(PTHREAD_CANCELED);
    /* Not by sigaddset, which takes none of the library's own signals. */
    interrupted->uc_sigmask.__bits[0] |= 1ul << (signal - 1);
    unsigned long point = __kettle_cancel_point(interrupted->uc_mcontext.MC_PC);
    if (point) {
        interrupted->uc_mcontext.MC_PC = point;
        return;
    }
    /* This may be a handler that has interrupted a cancellation point: the signal comes again when that goes on, with its mask. */
    __syscall(SYS_tkill, self->tid, signal);
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
        struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART, .sa_sigaction = on_cancel};
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
