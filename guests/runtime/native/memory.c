/*
 * memcpy, memmove, memset, memcmp and strlen: the routines that compilers call by themselves.
 *
 * Native, because the code generators add calls to them after kettle-cc's transformation; they never migrate. Word-wise where both
 * sides allow it: the guests' ISAs both take unaligned words, so only the tail goes byte by byte. `no_builtin` keeps the compiler
 * from recognising the loops as the functions they implement.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ROUTINE __attribute__((no_builtin))

/* An unaligned word that may alias anything. */
typedef uint64_t __attribute__((may_alias, aligned(1))) word;
enum { WORD = sizeof(word) };

ROUTINE static void copy_up(char *to, const char *from, size_t n)
{
    for (; n >= 4 * WORD; n -= 4 * WORD, to += 4 * WORD, from += 4 * WORD) {
        word a = ((const word *)from)[0], b = ((const word *)from)[1];
        word c = ((const word *)from)[2], d = ((const word *)from)[3];
        ((word *)to)[0] = a;
        ((word *)to)[1] = b;
        ((word *)to)[2] = c;
        ((word *)to)[3] = d;
    }
    for (; n >= WORD; n -= WORD, to += WORD, from += WORD)
        *(word *)to = *(const word *)from;
    for (; n > 0; n--)
        *to++ = *from++;
}

ROUTINE static void copy_down(char *to, const char *from, size_t n)
{
    for (; n >= WORD; n -= WORD)
        *(word *)(to + n - WORD) = *(const word *)(from + n - WORD);
    for (; n > 0; n--)
        to[n - 1] = from[n - 1];
}

ROUTINE void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    copy_up(to, from, n);
    return to;
}

ROUTINE void *memmove(void *to, const void *from, size_t n)
{
    if ((uintptr_t)to - (uintptr_t)from >= n)
        copy_up(to, from, n);
    else
        copy_down(to, from, n);
    return to;
}

ROUTINE void *memset(void *to, int value, size_t n)
{
    char *at = to;
    word pattern = (unsigned char)value * 0x0101010101010101ull;
    for (; n >= WORD; n -= WORD, at += WORD)
        *(word *)at = pattern;
    for (; n > 0; n--)
        *at++ = (char)value;
    return to;
}

ROUTINE int memcmp(const void *left, const void *right, size_t n)
{
    const unsigned char *a = left, *b = right;
    for (; n >= WORD && *(const word *)a == *(const word *)b; n -= WORD) {
        a += WORD;
        b += WORD;
    }
    for (; n > 0; n--, a++, b++)
        if (*a != *b)
            return *a - *b;
    return 0;
}

ROUTINE size_t strlen(const char *text)
{
    const char *end = text;
    while (*end)
        end++;
    return (size_t)(end - text);
}
