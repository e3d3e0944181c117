/*
 * Makes every thread of the process look for a proposal at its next migration point.
 */
#include "pthread_impl.h"

extern _Thread_local __attribute__((tls_model("local-exec"))) struct pthread __kettle_descriptor;
extern _Thread_local __attribute__((tls_model("local-exec"))) unsigned __kettle_pending;

/* guests/runtime/points.c */
void __kettle_raise(unsigned *pending);

void __kettle_raise_all(void)
{
    /* Every thread has its block of thread-local variables laid out alike. */
    long to_pending = (char *)&__kettle_pending - (char *)&__kettle_descriptor;
    sigset_t mask;
    __block_app_sigs(&mask);
    __tl_lock();
    pthread_t self = __pthread_self(), thread = self;
    do {
        __kettle_raise((unsigned *)((char *)thread + to_pending));
        thread = thread->next;
    } while (thread != self);
    __tl_unlock();
    __restore_sigs(&mask);
}
