/*
 * Threads, mutexes, condition variables and barriers, with POSIX's names and meaning; attributes are not supported (pass 0).
 *
 * Every thread is joinable and ends by returning from its start function. All waiting is by futex WAIT and WAKE, which the kernel
 * forwards to a process' origin, so that threads of all nodes meet. Errors are positive error numbers, as in POSIX.
 */
#ifndef KETTLE_PTHREAD_H
#define KETTLE_PTHREAD_H

#include <stdint.h>

typedef struct kettle_thread *pthread_t;

/* 0 free, 1 held, 2 held and somebody may wait. */
typedef struct {
    uint32_t state;
} pthread_mutex_t;

typedef struct {
    uint32_t sequence;
} pthread_cond_t;

typedef struct {
    uint32_t count;
    uint32_t arrived;
    uint32_t generation;
    pthread_mutex_t mutex;
} pthread_barrier_t;

typedef struct pthread_attr pthread_attr_t;
typedef struct pthread_mutexattr pthread_mutexattr_t;
typedef struct pthread_condattr pthread_condattr_t;
typedef struct pthread_barrierattr pthread_barrierattr_t;

#define PTHREAD_MUTEX_INITIALIZER {0}
#define PTHREAD_COND_INITIALIZER {0}
#define PTHREAD_BARRIER_SERIAL_THREAD (-1)

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int pthread_join(pthread_t thread, void **result);
pthread_t pthread_self(void);

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int pthread_mutex_lock(pthread_mutex_t *mutex);
int pthread_mutex_trylock(pthread_mutex_t *mutex);
int pthread_mutex_unlock(pthread_mutex_t *mutex);

int pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes);
int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int pthread_cond_signal(pthread_cond_t *condition);
int pthread_cond_broadcast(pthread_cond_t *condition);

int pthread_barrier_init(pthread_barrier_t *barrier, const pthread_barrierattr_t *attributes, unsigned count);
int pthread_barrier_wait(pthread_barrier_t *barrier);

#endif
