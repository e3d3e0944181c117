/*
 * Functions with paths that need no memory for locals and migrate nowhere: early returns, branches and switches that leave a migrating part
 * in the middle, and a loop with two ways in. After each call the stack must be where it was.
 */
#include "plan.h"

#define FUNCTION static __attribute__((noinline)) long

static volatile long one = 1;

FUNCTION twice(long n)
{
    return n * 2 * one;
}

FUNCTION thrice(long n)
{
    return n * 3 + one;
}

FUNCTION point(long n)
{
    MIGRATION_POINT();
    return n + 1;
}

/* Where a local of a function called from here lies: one that migrates, so that it is where migrating functions have theirs. */
static __attribute__((noinline)) void depth(uintptr_t *at)
{
    volatile long local = one;
    *at = (uintptr_t)&local;
    MIGRATION_POINT();
    one = local;
}

FUNCTION early(long n)
{
    if (n < 3)
        return n;
    long squares[4];
    for (long i = 0; i < 4; i++)
        squares[i] = i * n * one;
    long kept = n * 5;
    MIGRATION_POINT();
    return squares[n & 3] + kept;
}

FUNCTION leaves_in_the_middle(long n)
{
    long result = n;
    if (n & 1) {
        long kept = n * 7;
        result = point(kept);
        if (kept % 3 == 0)
            goto out;
        result += point(result) + kept;
    }
out:
    return result * 3 + n;
}

FUNCTION leaves_by_switch(long n)
{
    long result = n + 2;
    if (n & 2) {
        result = point(n);
        switch (result) {
        case 3:
        case 7:
        case 8:
            break;
        case 4:
            result = twice(point(result)) - n;
            break;
        default:
            result += point(n) * n;
        }
    }
    return result ^ n << 4;
}

FUNCTION merges_first(long n)
{
    if (n == 4)
        return 0;
    long x;
    if (n & 1)
        x = twice(n);
    else
        x = thrice(n + 1);
    long kept = x * n;
    MIGRATION_POINT();
    return kept + x;
}

/* An array whose size turns out to be constant leaves nothing behind but saving and restoring the stack, in front of where the frame begins. */
FUNCTION vanished_array(long n)
{
    if (n == 3)
        return 0;
    int size = 4;
    {
        long array[size];
        for (int i = 0; i < size; i++)
            array[i] = n + i;
        if (n & 1)
            one = thrice(array[size - 1]) != 0;
        thrice(n);
    }
    switch (n % 4 * one) {
    case 0:
        return n + point(n);
    case 2:
        return n * point(n + 1);
    default:
        return n;
    }
}

FUNCTION two_ways_in(long n)
{
    long sum = 0;
    if (n & 1)
        goto second;
first:
    sum += n;
    if (--n <= 0)
        return sum;
second:
    sum = sum * 3 + one;
    if (sum & 4)
        sum += point(n);
    if (--n > 0)
        goto first;
    return sum;
}

int main(int argc, char **argv)
{
    static long (*const functions[])(long) = {early, leaves_in_the_middle, leaves_by_switch, merges_first, two_ways_in, vanished_array};
    enum { COUNT = sizeof functions / sizeof *functions };
    plan_begin(argc, argv, "back");
    int moved = 0;
    for (int f = 0; f < COUNT; f++) {
        long sum = 0;
        for (long n = 0; n < 12; n++) {
            uintptr_t before, after;
            depth(&before);
            sum = sum * 31 + functions[f](n);
            depth(&after);
            moved += before != after;
        }
        printf("%d: %ld\n", f, sum);
    }
    printf("%d times the stack was elsewhere\n", moved);
    return verdict("early_returns", moved == 0);
}
