/*
 * Sizes of a thread's data stack and of the guard below it, in place of musl's file of this name: programs written for other
 * libraries count on more than musl's 128 KiB.
 */
#include "pthread_impl.h"

unsigned __default_stacksize = 1 << 20;
unsigned __default_guardsize = DEFAULT_GUARD_SIZE;
