/*
 * Thread-local variables and pointers to them: each has one address on both ISAs, for the main thread and for others.
 */
#include <pthread.h>

#include "plan.h"

static _Thread_local int initialised = 7;
static _Thread_local long zero[4];
static _Thread_local int *own;
static _Thread_local _Alignas(64) char aligned[10] = "aligned";

struct view {
    int *initialised;
    long *zero;
    char *aligned;
};

static __attribute__((noinline)) struct view look(void)
{
    return (struct view){&initialised, zero, aligned};
}

/* Returns whether all is as it should be after adding `amount`. */
static long change(long amount)
{
    struct view before = look();
    own = &initialised;
    MIGRATION_POINT();
    *before.initialised += (int)amount;
    before.zero[3] = amount;
    MIGRATION_POINT();
    struct view after = look();
    return after.initialised == before.initialised && after.zero == before.zero && after.aligned == before.aligned && *own == 7 + amount &&
           initialised == 7 + amount && zero[3] == amount && zero[0] == 0 && (unsigned long)aligned % 64 == 0 && strcmp(aligned, "aligned") == 0;
}

static void *work(void *argument)
{
    return (void *)change((long)argument);
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    int ok = 1;
    pthread_t threads[3];
    for (long i = 0; i < 3; i++)
        ok &= pthread_create(&threads[i], 0, work, (void *)(i + 1)) == 0;
    ok &= change(100) != 0;
    for (int i = 0; i < 3; i++) {
        void *result;
        pthread_join(threads[i], &result);
        ok &= result != 0;
    }
    printf("main thread's: %d %ld %s\n", initialised, zero[3], aligned);
    return verdict("thread_locals", ok);
}
