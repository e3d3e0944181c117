/*
 * What compilers call for 128-bit integers: division, multiplication with overflow, and conversions from and to floating point.
 *
 * Neither ISA has instructions for these. Names and meanings are those of the compilers' own run-time libraries.
 */
#include <stdint.h>

typedef unsigned __int128 wide;
typedef __int128 swide;

#define HIGH(value) ((uint64_t)((value) >> 64))
#define TWO_64 0x1p64

wide __udivmodti4(wide dividend, wide divisor, wide *remainder)
{
    if (!HIGH(dividend) && !HIGH(divisor)) {
        uint64_t a = (uint64_t)dividend, b = (uint64_t)divisor;
        if (remainder)
            *remainder = a % b;
        return a / b;
    }
    wide quotient = 0, rest = 0;
    int bits = HIGH(dividend) ? 128 - __builtin_clzll(HIGH(dividend)) : 64;
    for (int bit = bits - 1; bit >= 0; bit--) {
        /* The bit that leaves `rest` counts: it is greater than any divisor then. */
        int carry = (int)(rest >> 127);
        rest = rest << 1 | (dividend >> bit & 1);
        if (carry || rest >= divisor) {
            rest -= divisor;
            quotient |= (wide)1 << bit;
        }
    }
    if (remainder)
        *remainder = rest;
    return quotient;
}

wide __udivti3(wide a, wide b)
{
    return __udivmodti4(a, b, 0);
}

wide __umodti3(wide a, wide b)
{
    wide remainder;
    __udivmodti4(a, b, &remainder);
    return remainder;
}

static wide magnitude(swide value)
{
    return value < 0 ? -(wide)value : (wide)value;
}

swide __divti3(swide a, swide b)
{
    wide quotient = __udivmodti4(magnitude(a), magnitude(b), 0);
    return (swide)((a < 0) != (b < 0) ? -quotient : quotient);
}

swide __modti3(swide a, swide b)
{
    wide remainder;
    __udivmodti4(magnitude(a), magnitude(b), &remainder);
    return (swide)(a < 0 ? -remainder : remainder);
}

swide __muloti4(swide a, swide b, int *overflow)
{
    wide x = magnitude(a), y = magnitude(b), product = x * y;
    int negative = (a < 0) != (b < 0);
    wide limit = ((wide)1 << 127) - !negative;
    *overflow = y && (x > __udivti3(~(wide)0, y) || product > limit);
    return (swide)(negative ? -product : product);
}

/* The upper 64 bits of a value of more than 64, with whether any bit below them is set as their last one: enough to round from. */
static uint64_t upper(wide value, int *shift)
{
    *shift = 64 - __builtin_clzll(HIGH(value));
    wide lost = value << (128 - *shift);
    return (uint64_t)(value >> *shift) | (lost != 0);
}

/* For exponents from 1 to 64. */
static double power_of_two(int exponent)
{
    return (double)((uint64_t)1 << (exponent - 1)) * 2;
}

double __floatuntidf(wide value)
{
    if (!HIGH(value))
        return (double)(uint64_t)value;
    int shift;
    uint64_t top = upper(value, &shift);
    return (double)top * power_of_two(shift);
}

float __floatuntisf(wide value)
{
    if (!HIGH(value))
        return (float)(uint64_t)value;
    int shift;
    uint64_t top = upper(value, &shift);
    return (float)top * (float)power_of_two(shift);
}

double __floattidf(swide value)
{
    return value < 0 ? -__floatuntidf(magnitude(value)) : __floatuntidf((wide)value);
}

float __floattisf(swide value)
{
    return value < 0 ? -__floatuntisf(magnitude(value)) : __floatuntisf((wide)value);
}

wide __fixunsdfti(double value)
{
    if (value < TWO_64)
        return (uint64_t)value;
    uint64_t high = (uint64_t)(value / TWO_64);
    return (wide)high << 64 | (uint64_t)(value - (double)high * TWO_64);
}

wide __fixunssfti(float value)
{
    return __fixunsdfti(value);
}

swide __fixdfti(double value)
{
    return (swide)(value < 0 ? -__fixunsdfti(-value) : __fixunsdfti(value));
}

swide __fixsfti(float value)
{
    return __fixdfti(value);
}
