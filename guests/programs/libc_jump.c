/*
 * setjmp and longjmp with migrations between them: out of deep recursion, out of a library's callback, again and again, and with the signal mask.
 */
#define _GNU_SOURCE
#include "plan.h"

#include <setjmp.h>
#include <signal.h>

static jmp_buf outer, again;
static int depth_reached;

static int dive(int depth, int bottom)
{
    int local[4] = {depth, depth + 1, depth + 2, depth + 3};
    depth_reached = depth;
    if (depth % 5 == 0)
        MIGRATION_POINT();
    if (depth == bottom)
        longjmp(outer, bottom);
    int below = dive(depth + 1, bottom);
    return below + local[depth % 4];
}

static int recursion(int bottom)
{
    long kept[3] = {bottom, 2 * bottom, 3 * bottom};
    double fraction = bottom / 4.0;
    MIGRATION_POINT();
    int value = setjmp(outer);
    if (value == 0) {
        MIGRATION_POINT();
        return dive(1, bottom);
    }
    MIGRATION_POINT();
    printf("back from %d with %d: %ld %ld %ld %g\n", depth_reached, value, kept[0], kept[1], kept[2], fraction);
    return (int)(kept[0] + kept[2]);
}

static int compare(const void *left, const void *right)
{
    static int count;
    MIGRATION_POINT();
    if (++count == 7)
        longjmp(outer, 0);
    return *(const int *)left - *(const int *)right;
}

static int out_of_a_callback(void)
{
    int values[] = {5, 3, 9, 1, 7, 2, 8};
    int value = setjmp(outer);
    if (value == 0) {
        qsort(values, 7, sizeof *values, compare);
        return 0;
    }
    printf("out of qsort with %d\n", value);
    return value;
}

static int repeated(void)
{
    volatile int rounds = 0;
    long sum = 0;
    for (int i = 0; i < 3; i++) {
        int value = setjmp(again);
        MIGRATION_POINT();
        rounds = rounds + 1;
        if (value < 4) {
            MIGRATION_POINT();
            longjmp(again, value + 1);
        }
        sum += value * (i + 1);
    }
    printf("%d rounds, sum %ld\n", rounds, sum);
    return rounds == 15 && sum == 24;
}

static int masks(void)
{
    sigjmp_buf at;
    sigset_t set, now;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    volatile int ok = 1;
    /* Popcorn carries no mask, so no migration comes between setting it and looking. */
    for (int save = 0; save < 2; save++) {
        sigprocmask(SIG_UNBLOCK, &set, 0);
        if (sigsetjmp(at, save) == 0) {
            sigprocmask(SIG_BLOCK, &set, 0);
            siglongjmp(at, 1);
        }
        sigprocmask(SIG_BLOCK, 0, &now);
        ok &= sigismember(&now, SIGUSR1) == !save;
        MIGRATION_POINT();
    }
    return ok;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    int sum = recursion(3);
    sum += recursion(40);
    MIGRATION_POINT();
    int ok = sum == 4 * 43 && out_of_a_callback() == 1 && repeated();
    printf("masks: %d\n", masks());
    return verdict("libc_jump", ok);
}
