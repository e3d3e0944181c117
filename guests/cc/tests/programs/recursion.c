/* Recursion, and pointers to locals that are changed after a migration point five frames down. */
#include <kettle.h>
#include <stdio.h>

static long count;

__attribute__((noinline)) static long ackermann(long m, long n)
{
    if (++count % 64 == 0)
        migrate(0);
    if (m == 0)
        return n + 1;
    return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

__attribute__((noinline)) static void descend(int depth, int *mine, long *total)
{
    int own[3] = {depth, depth * depth, -depth};
    if (depth > 0)
        descend(depth - 1, own, total);
    migrate(0);
    *mine += own[0] + own[1];
    *total += own[2] + *mine;
}

int main(void)
{
    int top = 7;
    long total = 0;
    descend(5, &top, &total);
    printf("%ld %d %ld\n", ackermann(2, 5), top, total);
    return 0;
}
