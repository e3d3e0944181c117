/*
 * Calls with more arguments than registers pass, of mixed types, used after a migration in the callee and again in the caller.
 */
#include "plan.h"

static __attribute__((noinline)) long twelve(char a, short b, int c, long d, unsigned char e, unsigned f, long g, int h, long i, int j, short k, char l)
{
    MIGRATION_POINT();
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * (long)f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k + 12 * l;
}

static __attribute__((noinline)) double mixed(int a, double b, long c, float d, char e, double f, int g, double h, long i, float j, int k, double l, int m,
                                              double n, int o, double p, int q, double r, int s, double t)
{
    double early = a + b + (double)c + d + e;
    MIGRATION_POINT();
    double middle = f * g + h * (double)i + j * (float)k;
    MIGRATION_POINT();
    return early + middle + l * m + n * o + p * q + r * s + t;
}

/* Variable arguments: the list itself is live across the migration. */
static __attribute__((noinline)) double listed(int count, ...)
{
    __builtin_va_list list;
    __builtin_va_start(list, count);
    double sum = 0;
    for (int i = 0; i < count; i++) {
        sum += i % 2 ? __builtin_va_arg(list, double) : (double)__builtin_va_arg(list, long);
        if (i % 3 == 0)
            MIGRATION_POINT();
    }
    __builtin_va_end(list);
    return sum;
}

struct line {
    _Alignas(32) long words[4];
};
struct quad {
    _Alignas(16) int words[8];
};
typedef int eight __attribute__((vector_size(32)));
typedef __int128 wide;

/* Variable arguments that ask for more alignment than a word has, each behind an odd number of words. */
static __attribute__((noinline)) long aligned(int count, ...)
{
    __builtin_va_list list;
    __builtin_va_start(list, count);
    long sum = __builtin_va_arg(list, int);
    sum += __builtin_va_arg(list, struct line).words[2];
    sum += __builtin_va_arg(list, int);
    MIGRATION_POINT();
    sum += __builtin_va_arg(list, struct quad).words[3];
    sum += __builtin_va_arg(list, int);
    sum += (long)(__builtin_va_arg(list, wide) >> 64);
    MIGRATION_POINT();
    sum += __builtin_va_arg(list, int);
    eight last = __builtin_va_arg(list, eight);
    __builtin_va_end(list);
    return sum + last[7];
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    long first = twelve(-1, 2, -3, 4, 250, 6, -7, 8, -9, 10, -11, 12);
    double second = mixed(1, 2.5, 3, 4.5f, 5, 6.5, 7, 8.5, 9, 10.5f, 11, 12.5, 13, 14.5, 15, 16.5, 17, 18.5, 19, 20.5);
    double third = listed(11, 1L, 2.5, 3L, 4.5, 5L, 6.5, 7L, 8.5, 9L, 10.5, 11L);
    struct line line = {.words = {0, 0, 200, 0}};
    struct quad quad = {.words = {0, 0, 0, 4000}};
    eight vector = {0, 0, 0, 0, 0, 0, 0, 8000000};
    long fourth = aligned(4, 1, line, 30, quad, 500, (wide)60000 << 64, 700000, vector);
    printf("%ld %.4f %.1f %ld\n", first, second, third, fourth);
    int ok = first == -1 + 4 - 9 + 16 + 1250 + 36 - 49 + 64 - 81 + 100 - 121 + 144;
    ok &= second == 16 + (45.5 + 76.5 + 115.5) + 162.5 + 217.5 + 280.5 + 351.5 + 20.5 && third == 68.5 && fourth == 8764731;
    return verdict("many_arguments", ok);
}
