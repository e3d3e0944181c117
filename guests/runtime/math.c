/*
 * Elementary functions in plain C, for equal digits on both ISAs.
 *
 * Each reduces its argument to a small interval and sums the function's own power series there, far enough that the first term
 * left out is below half a unit in the last place. Special values follow IEEE 754; there is no errno and no rounding mode but to nearest.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { MANTISSA_BITS = 52, BIAS = 1023 };

/* ln 2 in two parts: the first has 20 zero bits at its end, so that small multiples of it are exact. */
#define LN2_HIGH 0x1.62e42fefp-1
#define LN2_LOW 0x1.473de6af278edp-34
#define INVERSE_LN2 1.44269504088896340736
#define SQRT2 1.41421356237309504880

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

double fabs(double x)
{
    return __builtin_fabs(x);
}

float fabsf(float x)
{
    return __builtin_fabsf(x);
}

double sqrt(double x)
{
    return __builtin_elementwise_sqrt(x);
}

float sqrtf(float x)
{
    return __builtin_elementwise_sqrt(x);
}

double floor(double x)
{
    /* From 2^52 on every double is whole; so are infinities, and a NaN stays one. */
    if (!(fabs(x) < 0x1p52))
        return x;
    double whole = (double)(int64_t)x;
    return whole > x ? whole - 1 : whole;
}

/* x = 2^k m with m near 1, and ln m = 2 atanh((m - 1) / (m + 1)) = 2 (s + s^3/3 + s^5/5 + ...), |s| < 0.172. */
double log(double x)
{
    if (isnan(x) || x < 0)
        return x < 0 ? (double)NAN : x;
    if (x == 0)
        return -HUGE_VAL;
    if (isinf(x))
        return x;
    int k = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        k = -54;
    }
    uint64_t bits = bits_of(x);
    k += (int)(bits >> MANTISSA_BITS) - BIAS;
    double m = from_bits((bits & ((1ull << MANTISSA_BITS) - 1)) | (uint64_t)BIAS << MANTISSA_BITS);
    if (m > SQRT2) {
        m /= 2;
        k++;
    }
    double s = (m - 1) / (m + 1), z = s * s, sum = 0;
    for (int n = 21; n >= 3; n -= 2)
        sum = (sum + 1.0 / n) * z;
    return k * LN2_HIGH + (2 * s + (2 * s * sum + k * LN2_LOW));
}

/* x = k ln 2 + r with |r| < 0.35, and e^r by its series. */
double exp(double x)
{
    if (isnan(x))
        return x;
    if (x > 709.79)
        return HUGE_VAL;
    if (x < -745.2)
        return 0;
    int k = (int)floor(x * INVERSE_LN2 + 0.5);
    double r = (x - k * LN2_HIGH) - k * LN2_LOW;
    double sum = 1;
    for (int n = 14; n >= 1; n--)
        sum = 1 + sum * r / n;
    /* In two steps, as 2^k alone may be out of range. */
    int half = k / 2;
    return sum * from_bits((uint64_t)(half + BIAS) << MANTISSA_BITS) * from_bits((uint64_t)(k - half + BIAS) << MANTISSA_BITS);
}

/* x^n by squaring. */
static double power_of_integer(double x, int64_t n)
{
    double result = 1;
    for (uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n; left; left /= 2) {
        if (left % 2)
            result *= x;
        x *= x;
    }
    return n < 0 ? 1 / result : result;
}

/* Whole exponents by multiplication, others by e^(y ln x), whose relative error grows with |y ln x|. */
double pow(double x, double y)
{
    if (fabs(y) < 0x1p31 && y == floor(y))
        return power_of_integer(x, (int64_t)y);
    if (x == 0)
        return y > 0 ? 0 : HUGE_VAL;
    return exp(y * log(x));
}
