/*
 * Eight POSIX threads that migrate independently: mutexes of all kinds, a condition variable, barriers, a rwlock, semaphores, once, keys with destructors,
 * thread-local variables, errno, the heap, cancellation, and detached threads.
 */
#define _GNU_SOURCE
#include "plan.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>

enum { THREADS = 8, ROUNDS = 6 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t table_lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_barrier_t barrier;
static pthread_key_t key;
static sem_t detached_done;
static int turn, initialised, destroyed, serial_threads;
static long table[THREADS], total;
static _Thread_local long mine;
static _Thread_local char *pointer_to_mine = "unset";

static void initialise(void)
{
    MIGRATION_POINT();
    initialised++;
}

static void destroy(void *value)
{
    MIGRATION_POINT();
    free(value);
    __atomic_fetch_add(&destroyed, 1, __ATOMIC_SEQ_CST);
}

static void *work(void *argument)
{
    long id = (long)(intptr_t)argument;
    plan_thread((int)id);
    pthread_once(&once, initialise);
    long *own = malloc(sizeof *own);
    *own = id;
    pthread_setspecific(key, own);
    mine = id * 100;
    char name[16];
    snprintf(name, sizeof name, "thread %ld", id);
    pointer_to_mine = name;
    MIGRATION_POINT();
    errno = (int)id + 1;

    for (int round = 0; round < ROUNDS; round++) {
        pthread_mutex_lock(&lock);
        while (turn % THREADS != id)
            pthread_cond_wait(&turn_changed, &lock);
        MIGRATION_POINT();
        total = total * 3 % 1000003 + id;
        turn++;
        pthread_cond_broadcast(&turn_changed);
        pthread_mutex_unlock(&lock);

        pthread_rwlock_wrlock(&table_lock);
        table[id] += round;
        pthread_rwlock_unlock(&table_lock);
        MIGRATION_POINT();
        pthread_rwlock_rdlock(&table_lock);
        mine += table[id];
        pthread_rwlock_unlock(&table_lock);
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            __atomic_fetch_add(&serial_threads, 1, __ATOMIC_SEQ_CST);
    }
    char expected[16];
    snprintf(expected, sizeof expected, "thread %ld", *(long *)pthread_getspecific(key));
    int ok = errno == (int)id + 1 && strcmp(pointer_to_mine, expected) == 0;
    if (id % 2)
        pthread_exit((void *)(intptr_t)(ok ? mine : -1));
    return (void *)(intptr_t)(ok ? mine : -1);
}

static void *detached(void *argument)
{
    MIGRATION_POINT();
    mine = (long)(intptr_t)argument;
    sem_post(&detached_done);
    return 0;
}

static void count(void *steps)
{
    MIGRATION_POINT();
    ++*(int *)steps;
}

static void *cancelled(void *argument)
{
    int *steps = argument;
    pthread_cleanup_push(count, steps);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, 0);
    pthread_cancel(pthread_self());
    MIGRATION_POINT();
    pthread_testcancel();
    ++*steps;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, 0);
    MIGRATION_POINT();
    pthread_testcancel();
    *steps = -100;
    pthread_cleanup_pop(0);
    return 0;
}

static int kinds_of_mutexes(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t recursive, checking;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&recursive, &attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&checking, &attributes);
    pthread_mutex_lock(&recursive);
    MIGRATION_POINT();
    int ok = pthread_mutex_lock(&recursive) == 0 && pthread_mutex_unlock(&recursive) == 0 && pthread_mutex_unlock(&recursive) == 0;
    pthread_mutex_lock(&checking);
    MIGRATION_POINT();
    return ok && pthread_mutex_lock(&checking) == EDEADLK && pthread_mutex_unlock(&checking) == 0 &&
           pthread_mutex_unlock(&checking) == EPERM;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, 0, THREADS);
    pthread_key_create(&key, destroy);
    sem_init(&detached_done, 0, 0);
    for (long id = 0; id < THREADS; id++)
        if (pthread_create(&threads[id], 0, work, (void *)(intptr_t)id) != 0)
            return verdict("libc_threads", 0);
    MIGRATION_POINT();
    int ok = 1;
    for (long id = 0; id < THREADS; id++) {
        void *result;
        ok &= pthread_join(threads[id], &result) == 0;
        printf("thread %ld: %ld\n", id, (long)(intptr_t)result);
    }
    printf("total %ld, turns %d, once %d, destructors %d, serial %d\n", total, turn, initialised, destroyed, serial_threads);

    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    for (long i = 0; i < 3; i++) {
        pthread_t thread;
        ok &= pthread_create(&thread, &attributes, detached, (void *)(intptr_t)i) == 0;
    }
    for (int i = 0; i < 3; i++)
        sem_wait(&detached_done);

    void *result = 0;
    int steps = 0;
    ok &= pthread_create(&threads[0], 0, cancelled, &steps) == 0 && pthread_join(threads[0], &result) == 0;
    printf("cancelled: %d after %d steps, mutexes: %d\n", result == PTHREAD_CANCELED, steps, kinds_of_mutexes());
    return verdict("libc_threads", ok);
}
