/*
 * Standard output as a stream of lines, shared by all threads.
 *
 * Threads of several nodes print into one buffer; the buffer's page travels to whoever prints. A write error drops the line: there is
 * nobody to tell.
 */
#include "stream.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STANDARD_OUTPUT = 1, LINE_SIZE = 1024 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char line[LINE_SIZE];
static size_t used;

static void write_line(void)
{
    size_t done = 0;
    while (done < used) {
        long n = write(STANDARD_OUTPUT, line + done, used - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    used = 0;
}

void __kettle_stream_lock(void)
{
    pthread_mutex_lock(&lock);
}

void __kettle_stream_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void __kettle_stream_put(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        line[used++] = bytes[i];
        if (bytes[i] == '\n' || used == LINE_SIZE)
            write_line();
    }
}

void __kettle_stream_flush(void)
{
    __kettle_stream_lock();
    write_line();
    __kettle_stream_unlock();
}

int puts(const char *text)
{
    __kettle_stream_lock();
    __kettle_stream_put(text, strlen(text));
    __kettle_stream_put("\n", 1);
    __kettle_stream_unlock();
    return 0;
}

int putchar(int character)
{
    char byte = (char)character;
    __kettle_stream_lock();
    __kettle_stream_put(&byte, 1);
    __kettle_stream_unlock();
    return (unsigned char)byte;
}
