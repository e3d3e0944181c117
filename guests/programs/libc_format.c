/*
 * The printf and scanf families and the conversions of numbers, with a migration between each two steps. The C library's own variadic
 * machinery runs on both ISAs with one va_list.
 */
#include "plan.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <wchar.h>

static void integers(void)
{
    printf("%d|%i|%5d|%-5d|%05d|%+d|% d\n", 42, -42, 42, 42, 42, 42, 42);
    MIGRATION_POINT();
    printf("%u|%o|%#o|%x|%X|%#x|%#010x\n", 3000000000u, 0755, 0755, 0xbeef, 0xbeef, 0xbeef, 0xbeef);
    MIGRATION_POINT();
    printf("%hhd|%hd|%ld|%lld|%jd|%zd|%td\n", (signed char)-1, (short)-2, -3l, -4ll, (intmax_t)-5, (size_t)6, (ptrdiff_t)-7);
    MIGRATION_POINT();
    printf("%" PRId64 "|%" PRIu64 "|%" PRIx32 "|%.8d|%*d|%-*d|%.*d\n", INT64_MIN, UINT64_MAX, UINT32_MAX, 7, 6, 8, 6, 8, 4, 9);
}

static void floats(void)
{
    const double values[] = {0.0, -0.0, 1.0, 1.0 / 3, 123456789.125, 6.02214076e23, 5e-324, DBL_MAX, INFINITY, NAN};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        double value = values[i];
        printf("%f|%e|%g|%a\n", i == 7 ? 1e20 : value, value, value, value);
        MIGRATION_POINT();
        printf("%.0f|%#.0f|%10.3f|%-12.4e|%+G|%.17g|%Lf\n", i == 7 ? 0.5 : value, 2.5, i == 7 ? 1.5 : value, value, value, value,
               (long double)(i == 7 ? 0.125 : value));
    }
}

static void texts(void)
{
    int written = -1;
    printf("%s|%10s|%-10s|%.3s|%c|%5c|%%|%ls|%lc\n", "text", "right", "left", "truncated", 'x', 'y', L"wide", (wint_t)L'w');
    MIGRATION_POINT();
    printf("%2$s %1$s %2$.1s%3$n\n", "one", "two", &written);
    printf("%d characters before; %p\n", written, (void *)0);
}

static int collect(char *to, size_t size, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int needed = vsnprintf(0, 0, format, arguments);
    MIGRATION_POINT();
    int written = vsnprintf(to, size, format, again);
    va_end(again);
    va_end(arguments);
    return needed == written ? written : -1;
}

static void scans(void)
{
    int a = 0, b = 0, end = 0;
    unsigned x = 0;
    long long big = 0;
    double d = 0;
    float f = 0;
    char word[16] = "", set[16] = "", c = 0;
    int got = sscanf("12 -34 0xff 9223372036854775807 2.5e-3 1.25 word abc123 z!", "%d %i %x %lld %lf %f %15s %15[a-z]%*d %c%n", &a, &b, &x,
                     &big, &d, &f, word, set, &c, &end);
    MIGRATION_POINT();
    printf("%d: %d %d %u %lld %g %g %s %s %c %d\n", got, a, b, x, big, d, f, word, set, c, end);
    printf("%d %d\n", sscanf("", "%d", &a), sscanf("x", "%d", &a));
}

static void numbers(void)
{
    static const char *const inputs[] = {"3.14159", "0x1.8p3", "1e400", "-1e-400", "nan", "inf", "  7abc", "0.1e", "4.35", "9007199254740993"};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        char *end;
        errno = 0;
        double value = strtod(inputs[i], &end);
        int error = errno;
        MIGRATION_POINT();
        printf("strtod %s: %.17g, rest '%s', errno %d; strtof %.9g\n", inputs[i], value, end, error, (double)strtof(inputs[i], 0));
    }
    char *end;
    errno = 0;
    long value = strtol("99999999999999999999", &end, 10);
    printf("%d %d '%s'\n", value == LONG_MAX, errno == ERANGE, end);
    MIGRATION_POINT();
    printf("%ld %lu %lld %d %g\n", strtol("-0x7f", 0, 0), strtoul("777", 0, 8), strtoll("zz", 0, 36), atoi("12x"), atof("1.5"));
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    integers();
    MIGRATION_POINT();
    floats();
    MIGRATION_POINT();
    texts();
    MIGRATION_POINT();
    char buffer[128];
    int length = collect(buffer, sizeof buffer, "%s %d %.3f %c %ld %g %s", "va_list", 1, 2.0, '3', 4l, 5.0, "end");
    printf("%d '%s'\n", length, buffer);
    scans();
    MIGRATION_POINT();
    numbers();
    return verdict("libc_format", length == 25);
}
