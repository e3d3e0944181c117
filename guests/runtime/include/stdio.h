/*
 * Formatted output: the part of <stdio.h> that guests use. There is one stream, standard output, line buffered: each
 * line is one write, whoever prints. Conversions: d i u o x X c s p f F e E g G %, with flags, width, precision and the lengths hh h l ll z j t.
 */
#ifndef KETTLE_STDIO_H
#define KETTLE_STDIO_H

#include <stdarg.h>
#include <stddef.h>

#define EOF (-1)

int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int vprintf(const char *format, va_list arguments);
int snprintf(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *buffer, size_t size, const char *format, va_list arguments);
int puts(const char *text);
int putchar(int character);

#endif
