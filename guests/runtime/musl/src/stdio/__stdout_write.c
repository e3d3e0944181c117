/*
 * The first write to the standard output, in place of musl's file of this name, which looks whether it is a terminal.
 *
 * Here it stays buffered by lines whatever it is: so what a thread prints appears while it is on the node that printed it, and nothing depends
 * on where the emulator's output goes.
 */
#include "stdio_impl.h"

size_t __stdout_write(FILE *stream, const unsigned char *bytes, size_t size)
{
    stream->write = __stdio_write;
    return __stdio_write(stream, bytes, size);
}
