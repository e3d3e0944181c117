/*
 * Standard output as a stream of lines, shared by all threads.
 */
#ifndef KETTLE_STREAM_H
#define KETTLE_STREAM_H

#include <stddef.h>

/* Between lock and unlock a thread's output stays together. */
void __kettle_stream_lock(void);
void __kettle_stream_unlock(void);

/* Appends; each line that gets complete is written with one call. With the lock held. */
void __kettle_stream_put(const char *bytes, size_t n);

/* Writes what is left of an unfinished line. Takes the lock. */
void __kettle_stream_flush(void);

#endif
