/*
 * The library's sort, whose comparison looks whether it is to migrate.
 */
#include <kettle.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 20000 };

static volatile int wanted = -1;
static int values[COUNT];

static int compare(const void *left, const void *right)
{
    int nid = wanted;
    if (__builtin_expect(nid >= 0, 0))
        migrate(nid);
    int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

int main(void)
{
    unsigned x = 7;
    for (int i = 0; i < COUNT; i++) {
        x = x * 1664525u + 1013904223u;
        values[i] = (int)(x >> 8);
    }
    qsort(values, COUNT, sizeof *values, compare);
    printf("%d ... %d ... %d\n", values[0], values[COUNT / 2], values[COUNT - 1]);
    return 0;
}
