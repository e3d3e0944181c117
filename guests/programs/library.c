/*
 * Small functions of the C library, checked against what the C standard says: formatted output, strings, numbers, sorting, memory, mathematics.
 */
#include <math.h>

#include "plan.h"

static int failures;

static void expect_text(const char *found, const char *expected)
{
    if (strcmp(found, expected) != 0) {
        printf("found [%s], expected [%s]\n", found, expected);
        failures++;
    }
}

#define EXPECT_FORMAT(expected, ...)                   \
    do {                                               \
        char text[64];                                 \
        snprintf(text, sizeof text, __VA_ARGS__);      \
        expect_text(text, expected);                   \
    } while (0)

#define EXPECT(condition)                       \
    do {                                        \
        if (!(condition)) {                     \
            printf("not so: %s\n", #condition); \
            failures++;                         \
        }                                       \
    } while (0)

static void formats(void)
{
    EXPECT_FORMAT("42|   42|42   |00042|+42| 42", "%d|%5d|%-5d|%05d|%+d|% d", 42, 42, 42, 42, 42, 42);
    EXPECT_FORMAT("-2147483648 4294967295", "%d %u", -2147483647 - 1, 4294967295u);
    EXPECT_FORMAT("-9223372036854775808", "%ld", -9223372036854775807L - 1);
    EXPECT_FORMAT("ff FF 0xff 17 0", "%x %X %#x %o %x", 255u, 255u, 255u, 15u, 0u);
    EXPECT_FORMAT("00042|  042|", "%.5d|%5.3d|%.0d", 42, 42, 0);
    EXPECT_FORMAT("-1 255 -1", "%hhd %hhu %hd", (signed char)-1, (unsigned char)255, (short)-1);
    EXPECT_FORMAT("abc|  abc|abc  |ab|%", "%s|%5s|%-5s|%.2s|%%", "abc", "abc", "abc", "abc");
    EXPECT_FORMAT("x|    7|7    ", "%c|%*d|%-*d", 'x', 5, 7, 5, 7);
    EXPECT_FORMAT("0x1234", "%p", (void *)0x1234);
    EXPECT_FORMAT("3.141593 3.14 3 3.", "%f %.2f %.0f %#.0f", 3.14159265, 3.14159265, 3.14159265, 3.14159265);
    EXPECT_FORMAT("0 2 2 4 -0", "%.0f %.0f %.0f %.0f %.0f", 0.5, 1.5, 2.5, 3.5, -0.25);
    EXPECT_FORMAT("0.1 0.2 0.3 9.9", "%.1f %.1f %.1f %.1f", 0.05, 0.25, 0.35, 9.95);
    EXPECT_FORMAT("   -1.50|-00001.50|-1.50   ", "%8.2f|%09.2f|%-8.2f", -1.5, -1.5, -1.5);
    EXPECT_FORMAT("1.000000e+00 1.23e-05 1e+01 5E+300", "%e %.2e %.0e %.0E", 1.0, 1.234e-5, 9.6, 5e300);
    EXPECT_FORMAT("100000 1e+06 0.0001 1e-05 0.5 1.5e+10", "%g %g %g %g %g %g", 1e5, 1e6, 1e-4, 1e-5, 0.5, 1.5e10);
    EXPECT_FORMAT("0.10000000000000001 1.7976931348623157e+308", "%.17g %.17g", 0.1, 1.7976931348623157e308);
    EXPECT_FORMAT("4.9406564584124654e-324 0 -0", "%.17g %g %g", 5e-324, 0.0, -0.0);
    EXPECT_FORMAT("10000000000000000000000.0", "%.1f", 1e22);
    EXPECT_FORMAT("inf -inf nan   INF", "%f %f %f %5F", INFINITY, -(double)INFINITY, (double)NAN, INFINITY);
    char small[4];
    EXPECT(snprintf(small, sizeof small, "%d", 123456) == 6);
    expect_text(small, "123");
    EXPECT(snprintf(0, 0, "%s", "seven") == 5);
}

static int descending(const void *left, const void *right)
{
    return *(const char *)right - *(const char *)left;
}

static void strings(void)
{
    char text[32] = "heterogeneous";
    EXPECT(strlen(text) == 13 && strnlen(text, 5) == 5);
    EXPECT(strcmp("abc", "abd") < 0 && strcmp("b", "abc") > 0 && strncmp("abc", "abd", 2) == 0);
    EXPECT(strchr(text, 'o') == text + 5 && strrchr(text, 'o') == text + 10 && !strchr(text, 'z'));
    EXPECT(strstr(text, "gene") == text + 6 && !strstr(text, "genes") && strstr(text, "") == text);
    EXPECT(memchr(text, 'r', 13) == text + 4 && memcmp("abcdefghij", "abcdefghik", 10) < 0);
    memmove(text + 2, text, 14);
    expect_text(text, "heheterogeneous");
    memmove(text, text + 2, 14);
    expect_text(strcat(text, "!"), "heterogeneous!");
    memset(text, 'x', 20);
    EXPECT(text[0] == 'x' && text[19] == 'x' && text[20] == '\0');
    char letters[] = "migration";
    qsort(letters, 9, 1, descending);
    expect_text(letters, "tronmiiga");
}

static void numbers(void)
{
    char *end;
    EXPECT(strtol("  -123x", &end, 10) == -123 && *end == 'x');
    EXPECT(strtol("0x7fff", 0, 0) == 32767 && strtol("0755", 0, 0) == 493 && strtol("zz", 0, 36) == 1295);
    EXPECT(strtol("99999999999999999999", 0, 10) == 9223372036854775807L && atoi("-42") == -42);
    EXPECT(strtol("none", &end, 10) == 0 && *end == 'n');
    EXPECT(abs(-5) == 5 && labs(-5) == 5);
}

static void memory(void)
{
    unsigned char *blocks[40];
    for (int i = 0; i < 40; i++) {
        size_t size = (size_t)1 << (i % 18);
        blocks[i] = malloc(size);
        EXPECT(blocks[i] && (unsigned long)blocks[i] % 16 == 0);
        memset(blocks[i], i, size);
    }
    for (int i = 0; i < 40; i++) {
        size_t size = (size_t)1 << (i % 18);
        EXPECT(blocks[i][0] == i && blocks[i][size - 1] == i);
        blocks[i] = realloc(blocks[i], size * 3);
        EXPECT(blocks[i] && blocks[i][0] == i && blocks[i][size - 1] == i);
        if (i % 3 == 0)
            MIGRATION_POINT();
        free(blocks[i]);
    }
    int *zeros = calloc(1000, sizeof *zeros);
    int any = 0;
    for (int i = 0; i < 1000; i++)
        any |= zeros[i];
    EXPECT(any == 0);
    free(zeros);
    /* A compiler may take it for granted that there is memory, unless it must look. */
    volatile size_t huge = (size_t)-1;
    void *volatile refused = malloc(huge);
    EXPECT(!refused);
    refused = calloc(huge, 2);
    EXPECT(!refused);
}

/* Whether two doubles differ by at most `units` of the last place, roughly. */
static int close_to(double found, double expected, double units)
{
    return fabs(found - expected) <= units * 0x1p-52 * fabs(expected);
}

static void mathematics(void)
{
    EXPECT(sqrt(2) == 1.4142135623730951 && sqrt(0) == 0 && isnan(sqrt(-1)) && sqrtf(2.25f) == 1.5f);
    EXPECT(fabs(-3.5) == 3.5 && floor(-1.5) == -2 && floor(1.5) == 1 && floor(1e300) == 1e300);
    EXPECT(log(1) == 0 && close_to(log(10), 2.302585092994046, 2) && close_to(log(1e-300), -690.7755278982137, 2));
    EXPECT(close_to(log(5e-324), -744.4400719213812, 2) && isinf(log(0)) && isnan(log(-1)));
    EXPECT(exp(0) == 1 && close_to(exp(1), 2.718281828459045, 2) && close_to(exp(-700), 9.85967654375977e-305, 4));
    EXPECT(isinf(exp(800)) && exp(-800) == 0);
    EXPECT(pow(2, 10) == 1024 && pow(2, -1) == 0.5 && pow(0, 0) == 1 && close_to(pow(2, 0.5), 1.4142135623730951, 4));
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    formats();
    MIGRATION_POINT();
    strings();
    MIGRATION_POINT();
    numbers();
    memory();
    mathematics();
    printf("%d failures\n", failures);
    return verdict("library", failures == 0);
}
