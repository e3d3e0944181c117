/*
 * Values of many lifetimes: they share slots of the data frame where they can, and are stored on the way to calls only. A recursive function tells
 * the size of its own data frame by the distance of its locals.
 */
#include <kettle.h>
#include <stdio.h>

static volatile long seed = 3;

static long next(void) { return seed = seed * 1103515245 + 12345; }

/* Ten values one after the other, never two at a time. */
static long one_by_one(int depth, char *above, long *size)
{
    volatile char here = (char)depth;
    long sum = 0;
    if (above)
        *size = above - (char *)&here;
#define STEP(k) { long v = next() >> 16 & 0xfff; migrate(k); sum = sum * 7 + v; }
    STEP(0) STEP(1) STEP(0) STEP(1) STEP(0) STEP(1) STEP(0) STEP(1) STEP(0) STEP(1)
    if (depth)
        sum += one_by_one(depth - 1, (char *)&here, size);
    return sum + here;
}

/* Values of several sizes, some of them live together, that swap places in a loop. */
static double turning(int n)
{
    double x = 1, y = 2;
    float f = 0.5f;
    long a = 1, b = 2, c = 3;
    char small = 1;
    for (int i = 0; i < n; i++) {
        long t = a;
        double u = x;
        a = b, b = c, c = t + i;
        x = y, y = u + f;
        if (i % 3 == 0)
            migrate(i & 1);
        small = (char)(small + a);
        if (i % 5 == 4) {
            long extra = next() & 0xff;
            migrate(0);
            c += extra;
        }
        f += (float)small / 64;
    }
    return x + 10 * y + 100 * (double)(a + 2 * b + 3 * c) + f + small;
}

/* Most ways through do not call; one value is stored before a loop that calls. */
static long early(long n, long m)
{
    if (n < 2)
        return m;
    if (n == 7) {
        long kept = n * m;
        for (int i = 0; i < 5; i++)
            migrate(i & 1), kept += m + i;
        return kept;
    }
    long left = early(n - 1, m + 1);
    if (left & 1)
        return left + early(n - 2, m + 2) + n;
    return left - early(n - 2, m) + m;
}

/* A way back into a loop from the side. */
static long aside(int n, int enter)
{
    long x = n * 3, y = 1;
    if (enter)
        goto middle;
again:
    y += x;
    migrate(0);
middle:
    y ^= n;
    if (n & 1)
        migrate(1);
    if (--n > 0)
        goto again;
    return x + y;
}

/* Without optimisation everything is a local of its own. */
#ifdef __OPTIMIZE__
#define FRAME_LIMIT 64
#else
#define FRAME_LIMIT 1024
#endif

int main(void)
{
    long size = 0;
    long sum = one_by_one(4, 0, &size);
    printf("%ld %s\n", sum, size > 0 && size <= FRAME_LIMIT ? "small" : "large");
    double seven = turning(7);
    printf("%.6f %.6f\n", seven, turning(64));
    printf("%ld %ld\n", early(12, 1), early(9, 5));
    printf("%ld %ld %ld\n", aside(4, 0), aside(5, 1), aside(1, 1));
    return 0;
}
