/*
 * How threads begin and end, in each ISA's assembly: native/<isa>/thread.S.
 */
#ifndef KETTLE_NATIVE_THREAD_H
#define KETTLE_NATIVE_THREAD_H

#include <stdint.h>

/* Calls __kettle_main with three arguments on a stack; the return address of that call ends every walk. */
_Noreturn void __kettle_enter(uint64_t stack, long argc, long argv, long envp);

/*
 * The system call clone with a new thread pointer, or without one when `tp` is 0 and the flags say so. The child calls
 * `start(argument)` on `stack`, and exits with what that returns.
 */
long __kettle_spawn(unsigned long flags, uint64_t stack, int *parent_tid, uint64_t tp, int (*start)(void *), void *argument);

/* Ends the calling thread: stores 0 to `word` and wakes who waits there, having touched its stacks and its TLS block for the last time. */
_Noreturn void __kettle_end(int *word, long status);

/* Like __kettle_end, and unmaps the memory that the thread runs on before: one mapping, and another unless its size is 0. */
_Noreturn void __kettle_unmap_and_end(int *word, void *start, uint64_t size, void *other, uint64_t other_size);

/* In clone.c: the system call exit, which ends a thread whose data stack others unmap. */
_Noreturn void __kettle_exit(long status);

#endif
