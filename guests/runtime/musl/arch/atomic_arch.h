/*
 * Atomic operations of the neutral architecture: the compiler's, each in one total order, which is what musl asks for.
 */
#define a_cas a_cas
static inline int a_cas(volatile int *at, int expected, int desired)
{
    __atomic_compare_exchange_n(at, &expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return expected;
}

#define a_cas_p a_cas_p
static inline void *a_cas_p(volatile void *at, void *expected, void *desired)
{
    __atomic_compare_exchange_n((void *volatile *)at, &expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return expected;
}

#define a_swap a_swap
static inline int a_swap(volatile int *at, int value)
{
    return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);
}

#define a_fetch_add a_fetch_add
static inline int a_fetch_add(volatile int *at, int value)
{
    return __atomic_fetch_add(at, value, __ATOMIC_SEQ_CST);
}

#define a_and a_and
static inline void a_and(volatile int *at, int value)
{
    __atomic_fetch_and(at, value, __ATOMIC_SEQ_CST);
}

#define a_or a_or
static inline void a_or(volatile int *at, int value)
{
    __atomic_fetch_or(at, value, __ATOMIC_SEQ_CST);
}

#define a_and_64 a_and_64
static inline void a_and_64(volatile uint64_t *at, uint64_t value)
{
    __atomic_fetch_and(at, value, __ATOMIC_SEQ_CST);
}

#define a_or_64 a_or_64
static inline void a_or_64(volatile uint64_t *at, uint64_t value)
{
    __atomic_fetch_or(at, value, __ATOMIC_SEQ_CST);
}

#define a_inc a_inc
static inline void a_inc(volatile int *at)
{
    __atomic_fetch_add(at, 1, __ATOMIC_SEQ_CST);
}

#define a_dec a_dec
static inline void a_dec(volatile int *at)
{
    __atomic_fetch_sub(at, 1, __ATOMIC_SEQ_CST);
}

#define a_store a_store
static inline void a_store(volatile int *at, int value)
{
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#define a_barrier a_barrier
static inline void a_barrier(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#define a_spin a_spin
static inline void a_spin(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

#define a_crash a_crash
static inline void a_crash(void)
{
    __builtin_trap();
}

#define a_ctz_64 a_ctz_64
static inline int a_ctz_64(uint64_t bits)
{
    return __builtin_ctzll(bits);
}

#define a_clz_64 a_clz_64
static inline int a_clz_64(uint64_t bits)
{
    return __builtin_clzll(bits);
}
