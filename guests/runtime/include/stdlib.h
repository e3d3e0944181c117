/*
 * Memory, sorting, numbers and the end of a process: the part of <stdlib.h> that guests use.
 */
#ifndef KETTLE_STDLIB_H
#define KETTLE_STDLIB_H

#include <stddef.h>

#define EXIT_SUCCESS 0
#define EXIT_FAILURE 1

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);
void free(void *block);

/* A heap sort: no recursion, no allocation. `compare` may migrate. */
void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));

long strtol(const char *text, char **end, int base);
int atoi(const char *text);
int abs(int value);
long labs(long value);

/* At most 32 handlers; they run in reverse order. */
int atexit(void (*handler)(void));
_Noreturn void exit(int status);
_Noreturn void _Exit(int status);
_Noreturn void abort(void);

#endif
