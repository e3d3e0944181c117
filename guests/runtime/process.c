/*
 * The life of a process: from the native start code to main, and from main or exit() to the kernel.
 */
#include <kettle/syscall.h>
#include <kettle/thread.h>
#include <stdlib.h>

#include "stream.h"

enum { MAX_HANDLERS = 32 };

static void (*handlers[MAX_HANDLERS])(void);
static int handler_count;

int main(int argc, char **argv);

/* Entered by native/<isa>/thread.S on the main thread's own stack. */
int __kettle_main(int argc, char **argv, char **envp)
{
    (void)envp;
    exit(main(argc, argv));
}

int atexit(void (*handler)(void))
{
    int slot = __atomic_fetch_add(&handler_count, 1, __ATOMIC_SEQ_CST);
    if (slot >= MAX_HANDLERS) {
        __atomic_fetch_sub(&handler_count, 1, __ATOMIC_SEQ_CST);
        return -1;
    }
    handlers[slot] = handler;
    return 0;
}

void exit(int status)
{
    while (handler_count > 0)
        handlers[--handler_count]();
    __kettle_stream_flush();
    _Exit(status);
}

void _Exit(int status)
{
    for (;;)
        kettle_syscall1(KETTLE_SYS_exit_group, status);
}

void abort(void)
{
    __kettle_stream_flush();
    __builtin_trap();
}
