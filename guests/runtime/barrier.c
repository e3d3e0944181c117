/*
 * Barriers: the last to arrive starts a new generation and wakes those that wait for it. A barrier can be used again at once.
 */
#include <errno.h>
#include <pthread.h>

#include "futex.h"

int pthread_barrier_init(pthread_barrier_t *barrier, const pthread_barrierattr_t *attributes, unsigned count)
{
    if (attributes || count == 0)
        return EINVAL;
    *barrier = (pthread_barrier_t){.count = count};
    return 0;
}

int pthread_barrier_wait(pthread_barrier_t *barrier)
{
    pthread_mutex_lock(&barrier->mutex);
    uint32_t generation = barrier->generation;
    if (++barrier->arrived == barrier->count) {
        barrier->arrived = 0;
        __atomic_store_n(&barrier->generation, generation + 1, __ATOMIC_RELEASE);
        pthread_mutex_unlock(&barrier->mutex);
        futex_wake(&barrier->generation, FUTEX_WAKE_ALL);
        return PTHREAD_BARRIER_SERIAL_THREAD;
    }
    pthread_mutex_unlock(&barrier->mutex);
    while (__atomic_load_n(&barrier->generation, __ATOMIC_ACQUIRE) == generation)
        futex_wait(&barrier->generation, generation);
    return 0;
}
