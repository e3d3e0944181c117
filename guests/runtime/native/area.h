/*
 * The stacks and the thread-local variables of a thread: where they lie in its memory.
 */
#ifndef KETTLE_NATIVE_AREA_H
#define KETTLE_NATIVE_AREA_H

#include <kettle/thread.h>
#include <stddef.h>

/* Maps the memory of the main thread, with its data stack, and lays it out; 0 when the kernel refuses. */
struct kettle_thread *__kettle_main_area(void);

/* The record of the thread whose musl descriptor is given, and an address of another thread's variable from one's offset. */
struct kettle_thread *__kettle_thread_of(void *descriptor);

#endif
