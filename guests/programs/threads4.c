/*
 * Four threads that migrate independently and meet in a mutex, a barrier and a condition variable.
 */
#include <pthread.h>

#include "plan.h"

enum { THREADS = 4, ROUNDS = 5, ADDITIONS = 20 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_passed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;

static long total;
static int turn;
/* Who took which turn. */
static int turns[ROUNDS * THREADS];
static int disagreed;

static _Thread_local long own_sum;

static void add_up(int me, int round)
{
    for (int i = 0; i < ADDITIONS; i++) {
        long amount = (me + 1) * (round + 1) + i;
        pthread_mutex_lock(&mutex);
        total += amount;
        pthread_mutex_unlock(&mutex);
        own_sum += amount;
    }
}

/* Waits until it is this thread's turn, notes it, and passes on. */
static void take_turn(int me, int round)
{
    int mine = round * THREADS + me;
    pthread_mutex_lock(&mutex);
    while (turn != mine) {
        pthread_cond_wait(&turn_passed, &mutex);
        if (round % 2)
            MIGRATION_POINT();
    }
    turns[turn++] = me;
    pthread_cond_broadcast(&turn_passed);
    pthread_mutex_unlock(&mutex);
}

/* What all threads have added after `round` rounds. */
static long expected_total(int rounds)
{
    long sum = 0;
    for (int round = 0; round < rounds; round++)
        for (int me = 0; me < THREADS; me++)
            sum += ADDITIONS * (me + 1) * (round + 1) + ADDITIONS * (ADDITIONS - 1) / 2;
    return sum;
}

static void *work(void *argument)
{
    int me = (int)(long)argument;
    plan_thread(me);
    for (int round = 0; round < ROUNDS; round++) {
        MIGRATION_POINT();
        add_up(me, round);
        pthread_barrier_wait(&barrier);
        /* Nobody adds between the two barriers. */
        if (total != expected_total(round + 1))
            __atomic_store_n(&disagreed, 1, __ATOMIC_RELAXED);
        take_turn(me, round);
        pthread_barrier_wait(&barrier);
    }
    return (void *)own_sum;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, 0, THREADS);
    for (long i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], 0, work, (void *)i) != 0) {
            printf("cannot create thread %ld\n", i);
            return EXIT_FAILURE;
        }
    }
    long sum = 0;
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        printf("thread %d added %ld\n", i, (long)result);
        sum += (long)result;
    }
    int ok = sum == total && total == expected_total(ROUNDS) && !disagreed && turn == ROUNDS * THREADS;
    for (int i = 0; i < ROUNDS * THREADS; i++)
        ok &= turns[i] == i % THREADS;
    printf("together %ld in %d turns\n", total, turn);
    return verdict("threads4", ok);
}
