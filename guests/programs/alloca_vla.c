/*
 * Memory of a size known only at run time on the stack: alloca and variable-length arrays, live across migrations and recursion.
 */
#include "plan.h"

static __attribute__((noinline)) long triangle(int n)
{
    long rows[n + 1];
    for (int i = 0; i <= n; i++)
        rows[i] = i * (long)n;
    long below = n > 0 ? triangle(n - 1) : 0;
    MIGRATION_POINT();
    long sum = below;
    for (int i = 0; i <= n; i++)
        sum += rows[i];
    return sum;
}

static __attribute__((noinline)) int chain(int links)
{
    struct link {
        struct link *previous;
        int number;
    } *last = 0;
    for (int i = 0; i < links; i++) {
        struct link *link = __builtin_alloca(sizeof *link + (size_t)i);
        *link = (struct link){last, i};
        last = link;
        if (i % 8 == 0)
            MIGRATION_POINT();
    }
    int sum = 0;
    for (; last; last = last->previous)
        sum += last->number;
    return sum;
}

static __attribute__((noinline)) double matrix(int rows, int columns)
{
    double cell[rows][columns];
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++)
            cell[r][c] = r + c / 10.0;
        if (r % 4 == 0)
            MIGRATION_POINT();
    }
    double trace = 0;
    for (int i = 0; i < rows && i < columns; i++)
        trace += cell[i][i];
    return trace;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    long sum = triangle(12);
    int links = chain(50);
    double trace = matrix(10, 7);
    long expected = 0;
    for (long n = 0; n <= 12; n++)
        expected += n * n * (n + 1) / 2;
    printf("%ld %d %.2f\n", sum, links, trace);
    return verdict("alloca_vla", sum == expected && links == 1225 && trace > 23.09 && trace < 23.11);
}
