/*
 * What compilers call to multiply and divide complex numbers, by the rules of the C standard's annex G: a product or quotient that ought to be
 * infinite, or zero, is so even where a plain computation gives not-a-number.
 */
#include <math.h>

#define DEFINE(real, multiply, divide, logarithm, scale, larger)                                         \
    static real boxed_##multiply(real part)                                                              \
    {                                                                                                    \
        return __builtin_copysign(isinf(part) ? 1.0 : 0.0, part);                                        \
    }                                                                                                    \
                                                                                                         \
    static real signed_zero_##multiply(real part)                                                        \
    {                                                                                                    \
        return isnan(part) ? __builtin_copysign(0.0, part) : part;                                       \
    }                                                                                                    \
                                                                                                         \
    real _Complex multiply(real a, real b, real c, real d)                                               \
    {                                                                                                    \
        real ac = a * c, bd = b * d, ad = a * d, bc = b * c;                                             \
        real x = ac - bd, y = ad + bc;                                                                   \
        if (isnan(x) && isnan(y)) {                                                                      \
            int again = 0;                                                                               \
            if (isinf(a) || isinf(b)) {                                                                  \
                a = boxed_##multiply(a), b = boxed_##multiply(b);                                        \
                c = signed_zero_##multiply(c), d = signed_zero_##multiply(d);                            \
                again = 1;                                                                               \
            }                                                                                            \
            if (isinf(c) || isinf(d)) {                                                                  \
                c = boxed_##multiply(c), d = boxed_##multiply(d);                                        \
                a = signed_zero_##multiply(a), b = signed_zero_##multiply(b);                            \
                again = 1;                                                                               \
            }                                                                                            \
            if (!again && (isinf(ac) || isinf(bd) || isinf(ad) || isinf(bc))) {                          \
                a = signed_zero_##multiply(a), b = signed_zero_##multiply(b);                            \
                c = signed_zero_##multiply(c), d = signed_zero_##multiply(d);                            \
                again = 1;                                                                               \
            }                                                                                            \
            if (again) {                                                                                 \
                x = INFINITY * (a * c - b * d);                                                          \
                y = INFINITY * (a * d + b * c);                                                          \
            }                                                                                            \
        }                                                                                                \
        real _Complex result;                                                                            \
        __real__ result = x;                                                                             \
        __imag__ result = y;                                                                             \
        return result;                                                                                   \
    }                                                                                                    \
                                                                                                         \
    real _Complex divide(real a, real b, real c, real d)                                                 \
    {                                                                                                    \
        int exponent = 0;                                                                                \
        real magnitude = logarithm(larger(__builtin_fabs(c), __builtin_fabs(d)));                        \
        if (isfinite(magnitude)) {                                                                       \
            exponent = (int)magnitude;                                                                   \
            c = scale(c, -exponent), d = scale(d, -exponent);                                            \
        }                                                                                                \
        real denominator = c * c + d * d;                                                                \
        real x = scale((a * c + b * d) / denominator, -exponent);                                        \
        real y = scale((b * c - a * d) / denominator, -exponent);                                        \
        if (isnan(x) && isnan(y)) {                                                                      \
            if (denominator == 0 && (!isnan(a) || !isnan(b))) {                                          \
                real infinite = __builtin_copysign(INFINITY, c);                                         \
                x = infinite * a, y = infinite * b;                                                      \
            } else if ((isinf(a) || isinf(b)) && isfinite(c) && isfinite(d)) {                           \
                a = boxed_##multiply(a), b = boxed_##multiply(b);                                        \
                x = INFINITY * (a * c + b * d), y = INFINITY * (b * c - a * d);                          \
            } else if (isinf(magnitude) && magnitude > 0 && isfinite(a) && isfinite(b)) {                \
                c = boxed_##multiply(c), d = boxed_##multiply(d);                                        \
                x = 0.0 * (a * c + b * d), y = 0.0 * (b * c - a * d);                                    \
            }                                                                                            \
        }                                                                                                \
        real _Complex result;                                                                            \
        __real__ result = x;                                                                             \
        __imag__ result = y;                                                                             \
        return result;                                                                                   \
    }

DEFINE(double, __muldc3, __divdc3, logb, scalbn, fmax)
DEFINE(float, __mulsc3, __divsc3, logbf, scalbnf, fmaxf)
