/*
 * Arithmetic that compilers leave to a library: 128-bit integers, complex numbers, remainders and roundings; and functions of <math.h> against
 * identities. Values are live across migrations.
 */
#include "plan.h"

#include <complex.h>
#include <fenv.h>
#include <inttypes.h>
#include <math.h>

typedef unsigned __int128 wide;
typedef __int128 swide;

static uint64_t state = 88172645463325252u;

static uint64_t random64(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* Numbers of all magnitudes. */
static wide random_wide(void)
{
    wide value = (wide)random64() << 64 | random64();
    return value >> (random64() % 128);
}

static int divisions(void)
{
    int ok = 1;
    for (int i = 0; i < 2000; i++) {
        wide a = random_wide(), b = random_wide() | 1;
        wide q = a / b, r = a % b;
        if (i % 100 == 0)
            MIGRATION_POINT();
        ok &= r < b && q * b + r == a;
        swide x = (swide)a, y = (swide)b;
        if (!(x == (swide)((wide)1 << 127) && y == -1)) {
            swide sq = x / y, sr = x % y;
            ok &= sq * y + sr == x && (sr == 0 || (sr < 0) == (x < 0));
        }
        swide product;
        ok &= __builtin_mul_overflow((swide)(int64_t)a, (swide)(int64_t)b, &product) == 0 && product == (swide)(int64_t)a * (int64_t)b;
    }
    swide ignored;
    return ok && __builtin_mul_overflow((swide)1 << 100, (swide)1 << 27, &ignored) && !__builtin_mul_overflow((swide)1 << 100, -((swide)1 << 27), &ignored);
}

static int conversions(void)
{
    int ok = 1;
    for (int i = 0; i < 2000; i++) {
        wide a = random_wide();
        double d = (double)a;
        if (i % 100 == 0)
            MIGRATION_POINT();
        /* What a double holds exactly comes back, and what it does not is within half a unit of its last place. */
        double unit = d > 0 ? scalbn(1.0, ilogb(d) - 52) : 1.0;
        if (d < 0x1p128) {
            wide back = (wide)d;
            wide error = back > a ? back - a : a - back;
            ok &= (double)back == d && (double)error <= unit / 2;
        }
        swide s = (swide)a;
        ok &= (double)s == (s < 0 ? -(double)-(wide)s : (double)(wide)s);
    }
    printf("%.9g %.17g %" PRId64 "\n", (double)(float)((wide)0xffffff7fffffffff << 64), (double)(((wide)1 << 100) + 1), (int64_t)(swide)-1.5e10);
    return ok;
}

static void complexes(void)
{
    double complex z = CMPLX(3, -4), w = CMPLX(0.5, 2);
    for (int i = 0; i < 4; i++) {
        z = z * w / CMPLX(1, i);
        MIGRATION_POINT();
        printf("%.14g %.14g\n", creal(z), cimag(z));
    }
    double complex inf = CMPLX(INFINITY, NAN) * CMPLX(1, 1), zero = CMPLX(1, 1) / CMPLX(INFINITY, INFINITY);
    MIGRATION_POINT();
    printf("%d %g %g; %.12g %.12g\n", isinf(creal(inf)) || isinf(cimag(inf)), fabs(creal(zero)), fabs(cimag(zero)), cabs(csqrt(z)), carg(clog(z)));
}

static int functions(void)
{
    int ok = 1;
    for (int i = -40; i <= 40; i++) {
        double x = i / 7.0;
        double s = sin(x), c = cos(x), e = exp(x);
        MIGRATION_POINT();
        ok &= fabs(s * s + c * c - 1) < 1e-15 && fabs(log(e) - x) < 1e-14 && fabs(tan(x) - s / c) <= 1e-13 * fabs(s / c) + 1e-15;
        ok &= fabs(pow(e, 2) - exp(2 * x)) <= 1e-13 * exp(2 * x) && fabs(cbrt(x * x * x) - x) < 1e-14 && fabs(hypot(3 * x, 4 * x) - 5 * fabs(x)) <= 1e-14 * fabs(x);
        ok &= floor(x) <= x && ceil(x) >= x && fabs(trunc(x)) <= fabs(x) && fabs(rint(x) - x) <= 0.5 && fabs(round(x) - x) <= 0.5;
        ok &= fmod(x, 1) == x - trunc(x) && fabs(fma(x, x, -x * x)) < 1e-14 && sqrt(x * x) == fabs(x) && nearbyint(x) == rint(x);
        ok &= lrint(x) == (long)rint(x) && lround(x) == (long)round(x) && fmax(x, 1) >= 1 && copysign(1, x) == (x < 0 ? -1 : 1);
    }
    return ok && fegetround() == FE_TONEAREST && fabs(tgamma(5) - 24) < 1e-12 && fabs(erf(0.5) - 0.52049987781304654) < 1e-15;
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    int ok[] = {divisions(), conversions(), functions()};
    complexes();
    printf("divisions %d, conversions %d, functions %d\n", ok[0], ok[1], ok[2]);
    return verdict("libc_arithmetic", ok[0] && ok[1] && ok[2]);
}
