/*
 * Doubles and floats live across migrations, in callers and callees, and passed and returned through them.
 */
#include "plan.h"

#include <math.h>

static __attribute__((noinline)) double polynomial(double x, float y, double z, float w)
{
    double a = x * z;
    float b = y + w;
    MIGRATION_POINT();
    return a * a + b - x / (1 + z * z);
}

static __attribute__((noinline)) float halved(float value)
{
    MIGRATION_POINT();
    return value / 2;
}

/* More floating arguments than either ISA has registers for. */
static __attribute__((noinline)) double ten(double a, double b, double c, double d, double e, double f, double g, double h, double i, double j)
{
    MIGRATION_POINT();
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    double a = 1.0 / 3, b = 2.0 / 7, c = 1e300, d = 5e-324, e = -0.0;
    float f = 0.1f, g = 16777217.0f, h = 1.0f / 3;
    double p = polynomial(a, f, b, h);
    float q = halved(f);
    double sum = 0;
    for (int i = 1; i <= 10; i++) {
        sum += polynomial(i * a, (float)i * f, sqrt(i), h) * halved(g / (float)i);
        a *= 1.0625;
    }
    double t = ten(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    MIGRATION_POINT();
    printf("%.17g %.9g %.17g\n", p, (double)q, sum);
    printf("%.17g %.17g %g %g %g %.9g %.9g\n", a, b, c, d, e, (double)f, (double)g);

    /* Each recomputed without a migration in between. */
    double x = 1.0 / 3, pa = x * b;
    float pb = 0.1f + h;
    int ok = p == pa * pa + pb - x / (1 + b * b) && q == 0.05f && t == 385;
    ok &= c == 1e300 && d == 5e-324 && __builtin_signbit(e) && g == 16777216.0f;
    return verdict("floating_point", ok);
}
