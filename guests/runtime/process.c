/*
 * The life of a process on the C library: from the native start code to main; and the thread's record that native code reads.
 */
#include <kettle/thread.h>
#include <stdlib.h>

_Thread_local __attribute__((aligned(64))) struct kettle_thread __kettle_self;

/* The word that a thread clears and wakes when it ends (set_tid_address, and clone with CLONE_CHILD_CLEARTID). */
_Thread_local int *__kettle_clear_tid;

/* Not 0 there: the thread has been cancelled. Looked at by native/<isa>/cancel.S. */
_Thread_local const volatile int *__kettle_cancel_word;

int main(int argc, char **argv, char **envp);
void __init_libc(char **envp, char *program);

/* Defined by kettle-cc: the program's constructors and destructors in the order in which they run, and a null pointer. */
extern void (*const __kettle_constructors[])(void);
extern void (*const __kettle_destructors[])(void);

/* The table is read as if it could change: an empty one would otherwise let a back end drop the call, which the table of call sites names. */
static void run(void (*const volatile *functions)(void))
{
    for (void (*function)(void); (function = *functions); functions++)
        function();
}

/* In musl/src/env/__init_tls.c. */
char *__kettle_data_stack_of(const void *descriptor);

/* The lowest byte of a new thread's data stack, for native/clone.c; what only native code calls would not be taken from the library. */
char *__kettle_lowest(const void *descriptor)
{
    return __kettle_data_stack_of(descriptor);
}

/* Called by exit(), after the handlers of atexit() (musl/src/exit/__libc_exit_fini.c). */
void __kettle_run_destructors(void)
{
    run(__kettle_destructors);
}

/* Entered by native/<isa>/thread.S on the main thread's own stack. */
int __kettle_main(int argc, char **argv, char **envp)
{
    __init_libc(envp, argv[0]);
    __kettle_begin_hops(envp);
    run(__kettle_constructors);
    exit(main(argc, argv, envp));
}
