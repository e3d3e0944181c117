/*
 * The stacks and the thread-local variables of a thread: where they lie in its memory.
 */
#ifndef KETTLE_NATIVE_AREA_H
#define KETTLE_NATIVE_AREA_H

#include <kettle/thread.h>
#include <stddef.h>

/* Maps the memory of the main thread, with its data stack, and lays it out; 0 when the kernel refuses. */
struct kettle_thread *__kettle_main_area(void);

/*
 * Gives a thread that has not begun native stacks of `size` bytes, if it has smaller ones; -1 when the kernel refuses the memory.
 * __kettle_drop_larger takes them back, for a thread that does not begin.
 */
int __kettle_enlarge(struct kettle_thread *thread, size_t size);
void __kettle_drop_larger(struct kettle_thread *thread);

/* The record of the thread whose musl descriptor is given, and an address of another thread's variable from one's offset. */
struct kettle_thread *__kettle_thread_of(void *descriptor);

#endif
