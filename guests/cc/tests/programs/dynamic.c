/* Memory allocated at run time on the stack, across migrations and in recursion; a local that wants more than 16 bytes of alignment. */
#include <kettle.h>
#include <stdint.h>
#include <stdio.h>

__attribute__((noinline)) static long fill(int *row, int n, int seed)
{
    long sum = 0;
    for (int i = 0; i < n; i++) {
        row[i] = seed + i * i;
        if (i % 3 == 0)
            migrate(0);
        sum += row[i];
    }
    return sum;
}

__attribute__((noinline)) static long nest(int n)
{
    _Alignas(64) char block[64];
    long sum = ((uintptr_t)block & 63) == 0;
    for (int pass = 1; pass <= 3; pass++) {
        int row[n * pass];
        sum += fill(row, n * pass, pass);
        migrate(0);
        sum += row[n * pass - 1];
    }
    int *kept = __builtin_alloca(sizeof(int) * n);
    kept[n - 1] = n;
    for (int i = 0; i < 64; i++)
        block[i] = (char)(n + i);
    if (n > 1)
        sum += nest(n - 1);
    migrate(0);
    return sum + kept[n - 1] + block[63];
}

int main(void)
{
    printf("%ld\n", nest(6));
    return 0;
}
