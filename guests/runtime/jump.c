/*
 * The signal mask in sigsetjmp and siglongjmp. It is put back before the jump, on the stack that is jumped from.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>

/* Called by sigsetjmp (native/<isa>/setjmp.S) before it does what setjmp does. */
void __kettle_save_mask(sigjmp_buf at, int save)
{
    at->__fl = (unsigned long)save;
    if (save)
        sigprocmask(SIG_BLOCK, 0, (sigset_t *)at->__ss);
}

_Noreturn void siglongjmp(sigjmp_buf at, int value)
{
    if (at->__fl)
        sigprocmask(SIG_SETMASK, (sigset_t *)at->__ss, 0);
    longjmp(at, value);
}
