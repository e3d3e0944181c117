/*
 * Files, identity and randomness, as thin wrappers of the system calls: a result, or a negative errno.
 */
#ifndef KETTLE_UNISTD_H
#define KETTLE_UNISTD_H

#include <stddef.h>

#define O_RDONLY 0

/* Bits of open's flags beyond O_RDONLY differ between the ISAs and are not offered. */
int open(const char *path, int flags);
int close(int fd);
long read(int fd, void *buffer, size_t size);
long write(int fd, const void *buffer, size_t size);
int getpid(void);
int gettid(void);
int sched_yield(void);
long getrandom(void *buffer, size_t size, unsigned flags);

#endif
