/*
 * What every generated program is made with: names of types, the sum that it accumulates, and its migration points.
 *
 * Nothing here or in a generated program is undefined in C, or differs between CPUs: integers wrap as unsigned ones, floating-point values
 * are brought back into a range before they are looked at, so that nobody sees a NaN's sign.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int8_t i8;
typedef uint8_t u8;
typedef int16_t i16;
typedef uint16_t u16;
typedef int32_t i32;
typedef uint32_t u32;
typedef int64_t i64;
typedef uint64_t u64;
typedef __int128 i128;
typedef unsigned __int128 u128;
typedef double _Complex complex;
typedef u32 v4u32 __attribute__((vector_size(16)));
typedef u64 v2u64 __attribute__((vector_size(16)));
typedef u8 v16u8 __attribute__((vector_size(16)));
typedef float v4f __attribute__((vector_size(16)));
typedef double v2d __attribute__((vector_size(16)));
typedef u32 v2u32 __attribute__((vector_size(8)));
typedef u32 v8u32 __attribute__((vector_size(32)));

/* How many calls of generated functions are left before they return at once. */
extern int fuel;

/* A migration point: goes to the other node, as long as there are hops left. */
void point(void);

/* Adds to the sum. */
void mix(u64 value);

/* Prints the sum. */
void check(const char *what);

/* Not 0 as long as the program has not printed enough. */
int may_print(void);

static inline double bounded(double x)
{
    return x > -1e9 && x < 1e9 ? x : 0.5;
}

static inline float boundedf(float x)
{
    return x > -1e9f && x < 1e9f ? x : 0.25f;
}

static inline complex cbounded(complex x)
{
    return __builtin_complex(bounded(__real__ x), bounded(__imag__ x));
}

static inline i64 whole(double x)
{
    return (i64)bounded(x);
}

static inline void mix_double(double x)
{
    double y = bounded(x);
    u64 bits;
    memcpy(&bits, &y, sizeof bits);
    mix(bits);
}

#endif
