/* Variadic functions with a migration between any two arguments: every class of argument, va_copy, a call through a pointer. */
#include <kettle.h>
#include <stdarg.h>
#include <stdio.h>

struct wide {
    long words[3];
};

__attribute__((noinline)) static double take(const char *kinds, va_list list)
{
    double sum = 0;
    for (; *kinds; kinds++) {
        migrate(0);
        switch (*kinds) {
        case 'i': sum += va_arg(list, int); break;
        case 'l': sum += va_arg(list, long); break;
        case 'd': sum += va_arg(list, double); break;
        case 'w': {
            struct wide wide = va_arg(list, struct wide);
            sum += wide.words[0] * 100 + wide.words[1] * 10 + wide.words[2];
            break;
        }
        case 'q': sum += (double)(long)(va_arg(list, __int128) >> 64); break;
        }
    }
    return sum;
}

__attribute__((noinline)) static double total(const char *kinds, ...)
{
    va_list list, again;
    va_start(list, kinds);
    va_copy(again, list);
    double sum = take(kinds, list) + 1000 * take(kinds, again);
    va_end(list);
    va_end(again);
    return sum;
}

int main(void)
{
    double (*volatile through)(const char *, ...) = total;
    struct wide wide = {{4, 5, 6}};
    printf("%.2f\n", total("iiiiiiiiii", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
    printf("%.2f\n", total("dddddddddddd", .5, .5, .5, .5, .5, .5, .5, .5, .5, .5, .5, .25));
    printf("%.2f\n", through("iwqdl", -3, wide, (__int128)9 << 64, 0.125, 1L << 33));
    return 0;
}
