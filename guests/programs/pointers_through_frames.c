/*
 * Pointers to locals of five frames, followed and written through after migrations in the innermost.
 */
#include "plan.h"

enum { FRAMES = 5 };

static __attribute__((noinline)) void innermost(int *const where[FRAMES])
{
    for (int round = 1; round <= 3; round++) {
        MIGRATION_POINT();
        for (int i = 0; i < FRAMES; i++)
            *where[i] += round * (i + 1);
    }
}

static __attribute__((noinline)) int frame(int depth, int **where)
{
    int local = depth * 100;
    where[depth] = &local;
    if (depth + 1 < FRAMES) {
        int below = frame(depth + 1, where);
        MIGRATION_POINT();
        return local + 1000 * below % 7919;
    }
    innermost(where);
    return local;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    int *where[FRAMES];
    int result = frame(0, where);
    /* Frame d's local ends as 100 d + 6 (d + 1); the innermost's is handed out through the rest. */
    int expected = 0;
    for (int depth = FRAMES - 1; depth >= 0; depth--) {
        int local = depth * 100 + 6 * (depth + 1);
        expected = depth == FRAMES - 1 ? local : local + 1000 * expected % 7919;
    }
    printf("result %d, expected %d\n", result, expected);
    return verdict("pointers_through_frames", result == expected);
}
