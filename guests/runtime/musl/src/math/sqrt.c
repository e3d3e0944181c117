/*
 * Square roots by the instruction that both ISAs have, in place of musl's computation; both round correctly.
 */
#include <math.h>

double sqrt(double x)
{
    return __builtin_sqrt(x);
}
