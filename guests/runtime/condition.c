/*
 * Condition variables: a sequence number that every signal advances. A waiter sleeps only while the number is what it
 * was when it still held the mutex, so no signal is lost.
 */
#include <errno.h>
#include <pthread.h>

#include "futex.h"

int pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes)
{
    if (attributes)
        return EINVAL;
    condition->sequence = 0;
    return 0;
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    uint32_t sequence = __atomic_load_n(&condition->sequence, __ATOMIC_RELAXED);
    pthread_mutex_unlock(mutex);
    futex_wait(&condition->sequence, sequence);
    pthread_mutex_lock(mutex);
    return 0;
}

static void advance(pthread_cond_t *condition, int wake)
{
    __atomic_fetch_add(&condition->sequence, 1, __ATOMIC_RELEASE);
    futex_wake(&condition->sequence, wake);
}

int pthread_cond_signal(pthread_cond_t *condition)
{
    advance(condition, 1);
    return 0;
}

int pthread_cond_broadcast(pthread_cond_t *condition)
{
    advance(condition, FUTEX_WAKE_ALL);
    return 0;
}
