/*
 * Function pointers in registers, tables and structs, and a library sort whose comparison migrates: a frame of the library's own
 * travels between two of the program's.
 */
#include "plan.h"

enum { COUNT = 40 };

static int comparisons;

static int by_value(const void *left, const void *right)
{
    int a = *(const int *)left, b = *(const int *)right;
    if (comparisons++ % 16 == 0)
        MIGRATION_POINT();
    return (a > b) - (a < b);
}

static long add(long a, long b) { return a + b; }
static long subtract(long a, long b) { return a - b; }

static long multiply(long a, long b)
{
    MIGRATION_POINT();
    return a * b;
}

struct step {
    long (*apply)(long, long);
    long operand;
};

static __attribute__((noinline)) long run(const struct step *step, int count, long value, long (*last)(long, long))
{
    for (int i = 0; i < count; i++)
        value = step[i].apply(value, step[i].operand);
    MIGRATION_POINT();
    return last(value, 2);
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    static const struct step steps[] = {{add, 5}, {multiply, 7}, {subtract, 3}, {multiply, 2}, {add, 1}};
    long value = run(steps, 5, 10, multiply);
    int ok = value == ((10 + 5) * 7 - 3) * 2 * 2 + 2;
    printf("steps: %ld\n", value);

    int numbers[COUNT];
    for (int i = 0; i < COUNT; i++)
        numbers[i] = i * 37 % 41 - 20;
    qsort(numbers, COUNT, sizeof *numbers, by_value);
    for (int i = 1; i < COUNT; i++)
        ok &= numbers[i - 1] < numbers[i];
    printf("sorted %d numbers with %d comparisons: %d .. %d\n", COUNT, comparisons, numbers[0], numbers[COUNT - 1]);
    return verdict("function_pointers", ok);
}
