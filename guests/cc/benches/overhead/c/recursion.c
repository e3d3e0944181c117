/*
 * Recursion that does little but call: each call first looks whether it is to migrate.
 */
#include <kettle.h>
#include <stdio.h>

static volatile int wanted = -1;

static __attribute__((noinline)) long fib(int n)
{
    int nid = wanted;
    if (__builtin_expect(nid >= 0, 0))
        migrate(nid);
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int main(void)
{
    printf("%ld\n", fib(27));
    return 0;
}
