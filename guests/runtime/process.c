/*
 * The life of a process on the C library: from the native start code to main; and the thread's record that native code reads.
 */
#include <kettle/thread.h>
#include <stdlib.h>

_Thread_local __attribute__((aligned(64))) struct kettle_thread __kettle_self;

/* The word that a thread clears and wakes when it ends (set_tid_address, and clone with CLONE_CHILD_CLEARTID). */
_Thread_local int *__kettle_clear_tid;

int main(int argc, char **argv, char **envp);
void __init_libc(char **envp, char *program);

/* Entered by native/<isa>/thread.S on the main thread's own stack. */
int __kettle_main(int argc, char **argv, char **envp)
{
    __init_libc(envp, argv[0]);
    __kettle_begin_hops(envp);
    exit(main(argc, argv, envp));
}
