/*
 * Mutexes on a futex word with three states: free, held, held with waiters. An uncontended lock makes no system call.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "futex.h"

enum { FREE, HELD, CONTENDED };

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    if (attributes)
        return EINVAL;
    mutex->state = FREE;
    return 0;
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    uint32_t expected = FREE;
    bool taken = __atomic_compare_exchange_n(&mutex->state, &expected, HELD, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    return taken ? 0 : EBUSY;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (pthread_mutex_trylock(mutex) == 0)
        return 0;
    /* Who gets it here cannot know whether others wait, and so must assume it. */
    while (__atomic_exchange_n(&mutex->state, CONTENDED, __ATOMIC_ACQUIRE) != FREE)
        futex_wait(&mutex->state, CONTENDED);
    return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (__atomic_exchange_n(&mutex->state, FREE, __ATOMIC_RELEASE) == CONTENDED)
        futex_wake(&mutex->state, 1);
    return 0;
}
