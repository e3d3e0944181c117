/*
 * Waiting on a word of memory, and waking who waits there: the two futex operations that Popcorn's kernel forwards to the
 * origin for sure (requeueing is not among them).
 */
#ifndef KETTLE_FUTEX_H
#define KETTLE_FUTEX_H

#include <kettle/syscall.h>
#include <limits.h>
#include <stdint.h>

enum {
    FUTEX_WAIT_PRIVATE = 128,
    FUTEX_WAKE_PRIVATE = 129,
    FUTEX_WAKE_ALL = INT_MAX,
};

/* Sleeps if `*word` is `value`; may also return for no reason. */
static inline void futex_wait(uint32_t *word, uint32_t value)
{
    kettle_syscall4(KETTLE_SYS_futex, word, FUTEX_WAIT_PRIVATE, value, 0);
}

static inline void futex_wake(uint32_t *word, int count)
{
    kettle_syscall3(KETTLE_SYS_futex, word, FUTEX_WAKE_PRIVATE, count);
}

#endif
