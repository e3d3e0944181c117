/*
 * More values live across one migration than either ISA has registers: 32 integers and 24 doubles.
 */
#include "plan.h"

/* A value the compiler cannot know, so that it must be kept and not computed again. */
static volatile long seed = 3;

#define EACH_8(f, n) f(n##0) f(n##1) f(n##2) f(n##3) f(n##4) f(n##5) f(n##6) f(n##7)
#define EACH_INTEGER(f) EACH_8(f, a) EACH_8(f, b) EACH_8(f, c) EACH_8(f, d)
#define EACH_DOUBLE(f) EACH_8(f, x) EACH_8(f, y) EACH_8(f, z)

#define DEFINE_INTEGER(v) step++; long v = seed * (step * step + 7);
#define DEFINE_DOUBLE(v) step++; double v = (double)seed / (double)(step + 1);
#define FOLD_INTEGER(v) sum = sum * 31 + v;
#define FOLD_DOUBLE(v) total = total * 0.75 + v;
#define CHANGE_INTEGER(v) step++; v ^= sum + step;

static __attribute__((noinline)) int round_of_values(int points)
{
    long step = 0;
    EACH_INTEGER(DEFINE_INTEGER)
    EACH_DOUBLE(DEFINE_DOUBLE)
    long sum = 0;
    double total = 0;
    for (int i = 0; i < 3; i++) {
        if (i < points)
            MIGRATION_POINT();
        EACH_INTEGER(FOLD_INTEGER)
        EACH_DOUBLE(FOLD_DOUBLE)
        EACH_INTEGER(CHANGE_INTEGER)
    }
    printf("%lx %.17g\n", sum, total);
    return (int)(sum ^ (long)(total * 1e6));
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    int without = round_of_values(0);
    int with = round_of_values(3);
    return verdict("many_live_values", with == without);
}
