/*
 * Signals and threads: pthread_kill, sigwait for the process, and pthread_cancel of threads that wait, sleep, compute or refuse, with their cleanup
 * handlers. Every thread migrates on its own before it waits.
 */
#define _GNU_SOURCE
#include "plan.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static sem_t ready, never, go_on;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static volatile int handled, in_own_thread, cleaned;
static _Thread_local volatile int mine;

static void on_signal(int signal)
{
    (void)signal;
    handled++;
    mine = 1;
    sem_post(&go_on);
}

static void clean(void *argument)
{
    cleaned = cleaned * 10 + (int)(long)argument;
    MIGRATION_POINT();
}

static void *waits_for_signals(void *argument)
{
    MIGRATION_POINT();
    for (int i = 0; i < 3; i++) {
        sem_post(&ready);
        int result;
        while ((result = sem_wait(&go_on)) && errno == EINTR)
            ;
        if (result == 0 && mine)
            in_own_thread++;
        mine = 0;
        MIGRATION_POINT();
    }
    return argument;
}

static void kills(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, 0);
    pthread_t thread;
    pthread_create(&thread, 0, waits_for_signals, &thread);
    for (int i = 0; i < 3; i++) {
        sem_wait(&ready);
        MIGRATION_POINT();
        pthread_kill(thread, SIGUSR1);
    }
    void *result;
    pthread_join(thread, &result);
    printf("pthread_kill: %d handled, %d in their own thread, %d\n", handled, in_own_thread, result == &thread);
}

static void *takes_signals(void *argument)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGTERM);
    long sum = 0;
    MIGRATION_POINT();
    for (int i = 0; i < 4; i++) {
        int taken = 0;
        if (sigwait(&set, &taken))
            break;
        sum = sum * 100 + taken;
        sem_post(&ready);
        MIGRATION_POINT();
    }
    (void)argument;
    return (void *)sum;
}

static void waits(void)
{
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    pthread_t thread;
    pthread_create(&thread, 0, takes_signals, 0);
    const int signals[] = {SIGUSR2, SIGTERM, SIGTERM, SIGUSR2};
    for (int i = 0; i < 4; i++) {
        kill(getpid(), signals[i]);
        sem_wait(&ready);
        MIGRATION_POINT();
    }
    void *result;
    pthread_join(thread, &result);
    pthread_sigmask(SIG_SETMASK, &old, 0);
    printf("sigwait: %ld\n", (long)result);
}

static void *in_sem_wait(void *argument)
{
    pthread_cleanup_push(clean, (void *)1);
    pthread_cleanup_push(clean, (void *)2);
    MIGRATION_POINT();
    sem_post(&ready);
    while (sem_wait(&never))
        ;
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return argument;
}

static void *in_nanosleep(void *argument)
{
    struct timespec long_time = {.tv_sec = 1000};
    pthread_cleanup_push(clean, (void *)3);
    sem_post(&ready);
    MIGRATION_POINT();
    while (nanosleep(&long_time, 0))
        ;
    pthread_cleanup_pop(0);
    return argument;
}

static void unlock(void *argument)
{
    pthread_mutex_unlock(argument);
    clean((void *)4);
}

static void *in_cond_wait(void *argument)
{
    pthread_mutex_lock(&lock);
    pthread_cleanup_push(unlock, &lock);
    MIGRATION_POINT();
    sem_post(&ready);
    for (;;)
        pthread_cond_wait(&condition, &lock);
    pthread_cleanup_pop(0);
    return argument;
}

static void *computes(void *argument)
{
    pthread_cleanup_push(clean, (void *)5);
    MIGRATION_POINT();
    sem_post(&ready);
    for (volatile unsigned i = 0;; i++)
        pthread_testcancel();
    pthread_cleanup_pop(0);
    return argument;
}

static void *at_any_time(void *argument)
{
    pthread_cleanup_push(clean, (void *)6);
    MIGRATION_POINT();
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, 0);
    sem_post(&ready);
    for (volatile unsigned i = 0;; i++)
        ;
    pthread_cleanup_pop(0);
    return argument;
}

static void *refuses(void *argument)
{
    int old;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    MIGRATION_POINT();
    sem_post(&ready);
    sem_wait(&go_on);
    struct timespec short_time = {.tv_nsec = 1000000};
    while (nanosleep(&short_time, &short_time))
        ;
    cleaned = 7;
    pthread_setcancelstate(old, 0);
    MIGRATION_POINT();
    pthread_testcancel();
    return argument;
}

static void *at_the_call(void *argument)
{
    sem_post(&ready);
    for (;;)
        sem_wait(&never);
    return argument;
}

/* Cancellation finds the thread before, in and behind the call that it waits in. */
static void cancel_everywhere(void)
{
    int joined = 0;
    MIGRATION_POINT();
    for (int i = 0; i < 60; i++) {
        pthread_t thread;
        void *result = 0;
        pthread_create(&thread, 0, at_the_call, 0);
        sem_wait(&ready);
        for (volatile int spin = 0; spin < 25 * i; spin++)
            ;
        pthread_cancel(thread);
        pthread_join(thread, &result);
        joined += result == PTHREAD_CANCELED;
    }
    printf("cancelled everywhere: %d\n", joined);
}

static void cancel(const char *what, void *(*work)(void *))
{
    cleaned = 0;
    pthread_t thread;
    pthread_create(&thread, 0, work, 0);
    sem_wait(&ready);
    MIGRATION_POINT();
    int error = pthread_cancel(thread);
    sem_post(&go_on);
    void *result = 0;
    pthread_join(thread, &result);
    while (sem_trywait(&go_on) == 0)
        ;
    printf("cancelled %s: %d, %d, cleaned %d\n", what, error, result == PTHREAD_CANCELED, cleaned);
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    sem_init(&ready, 0, 0);
    sem_init(&never, 0, 0);
    sem_init(&go_on, 0, 0);
    kills();
    waits();
    cancel("in sem_wait", in_sem_wait);
    cancel("in nanosleep", in_nanosleep);
    cancel("in pthread_cond_wait", in_cond_wait);
    cancel("in a loop that asks", computes);
    cancel("at any time", at_any_time);
    cancel("when it allows it", refuses);
    cancel_everywhere();
    return verdict("libc_cancel", pthread_mutex_trylock(&lock) == 0);
}
