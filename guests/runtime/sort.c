/*
 * qsort as a heap sort: the same comparisons in the same order everywhere, no recursion, no allocation.
 *
 * The comparison may migrate, so this is one of the few places of the runtime whose own frames travel.
 */
#include <stdlib.h>

typedef int comparison(const void *, const void *);

static void swap(char *a, char *b, size_t size)
{
    for (; size > 0; size--, a++, b++) {
        char byte = *a;
        *a = *b;
        *b = byte;
    }
}

/* Lets element `at` sink to its place in the heap of `count` elements. */
static void sink(char *base, size_t at, size_t count, size_t size, comparison *compare)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count)
            return;
        if (child + 1 < count && compare(base + child * size, base + (child + 1) * size) < 0)
            child++;
        if (compare(base + at * size, base + child * size) >= 0)
            return;
        swap(base + at * size, base + child * size, size);
        at = child;
    }
}

void qsort(void *base, size_t count, size_t size, comparison *compare)
{
    char *elements = base;
    for (size_t i = count / 2; i > 0; i--)
        sink(elements, i - 1, count, size, compare);
    for (size_t left = count; left > 1; left--) {
        swap(elements, elements + (left - 1) * size, size);
        sink(elements, 0, left - 1, size, compare);
    }
}
