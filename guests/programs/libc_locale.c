/*
 * Dates, wide characters, character sets and patterns of the C library, with a migration between each two steps. Nothing depends on the
 * surroundings: times are given, the time zone is set by the program.
 */
#define _GNU_SOURCE
#include "plan.h"

#include <fnmatch.h>
#include <getopt.h>
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

static int wrong;

/* Dates round a leap day and both ends of summer time, by a zone that needs no file. */
static void dates(void)
{
    static const time_t times[] = {0, 951782399, 951782400, 1711846799, 1711846800, 1729990799, 4102444800, -2208988800};
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct tm universal, local;
        gmtime_r(&times[i], &universal);
        MIGRATION_POINT();
        localtime_r(&times[i], &local);
        char text[128];
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z %z, %A, day %j, week %V of %G, %I %p", &local);
        MIGRATION_POINT();
        printf("%02d:%02d universal is %s\n", universal.tm_hour, universal.tm_min, text);
        wrong += mktime(&local) != times[i] || timegm(&universal) != times[i];
    }
    struct tm parsed = {0};
    const char *rest = strptime("12 Nov 2026, 07:08 tail", "%d %b %Y, %H:%M", &parsed);
    MIGRATION_POINT();
    printf("%d-%d-%d %d:%d, then '%s'\n", parsed.tm_year + 1900, parsed.tm_mon + 1, parsed.tm_mday, parsed.tm_hour, parsed.tm_min,
           rest ? rest : "?");
    printf("%.0f seconds between\n", difftime(times[2], times[1]));
}

static void wide(void)
{
    wrong += !setlocale(LC_ALL, "C.UTF-8");
    MIGRATION_POINT();
    const char *text = "K\xc3\xa4ttle \xe2\x82\xac \xf0\x9f\x8d\xbf";
    wchar_t wide[32];
    size_t count = mbstowcs(wide, text, 32);
    MIGRATION_POINT();
    printf("%zu characters in %zu bytes, of %s:", count, strlen(text), nl_langinfo(CODESET));
    for (size_t i = 0; i < count; i++) {
        printf(" %04x", (unsigned)(iswalpha((wint_t)wide[i]) ? towupper((wint_t)wide[i]) : (wint_t)wide[i]));
        if (i % 3 == 0)
            MIGRATION_POINT();
    }
    char back[64];
    size_t bytes = wcstombs(back, wide, sizeof back);
    MIGRATION_POINT();
    printf("\nback: %s\n", bytes == strlen(text) && strcmp(back, text) == 0 ? "the same" : "another");
    wchar_t line[64];
    swprintf(line, 64, L"%ls|%5d|%.2f", L"wide", 42, 2.5);
    MIGRATION_POINT();
    printf("%ls has %zu, wcstol gives %ld\n", line, wcslen(line), wcstol(L"0x7fz", 0, 0));
}

static void sets(void)
{
    iconv_t to = iconv_open("UTF-16BE", "UTF-8");
    MIGRATION_POINT();
    char input[] = "\xc3\xa9\xf0\x9f\x8d\xbf!", output[16];
    char *from = input, *into = output;
    size_t left = strlen(input), room = sizeof output;
    size_t lossy = iconv(to, &from, &left, &into, &room);
    MIGRATION_POINT();
    printf("%zu lossy, %zu left:", lossy, left);
    for (char *at = output; at < into; at++)
        printf(" %02x", (unsigned char)*at);
    printf("\n");
    iconv_close(to);
}

static void patterns(void)
{
    static const char *const names[] = {"main.c", "main.h", ".hidden.c", "a/b.c", "x[1].c"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        printf("%s: %d %d %d\n", names[i], fnmatch("*.c", names[i], FNM_PERIOD | FNM_PATHNAME) == 0, fnmatch("*[[:digit:]]*", names[i], 0) == 0,
               fnmatch("*.[!c]", names[i], 0) == 0);
        MIGRATION_POINT();
    }
    char *arguments[] = {"program", "-v", "--level=3", "file", "-o", "out", "--", "-x", 0};
    static const struct option options[] = {{"level", required_argument, 0, 'l'}, {0, 0, 0, 0}};
    int option;
    optind = 1;
    while ((option = getopt_long(8, arguments, "vo:", options, 0)) != -1) {
        printf("-%c %s\n", option, optarg ? optarg : "");
        MIGRATION_POINT();
    }
    for (int i = optind; i < 8; i++)
        printf("rest: %s\n", arguments[i]);
}

static void chance(void)
{
    srandom(7);
    srand48(7);
    srand(7);
    long sum = 0;
    double total = 0;
    for (int i = 0; i < 20; i++) {
        sum = sum * 7 + random() % 100 + rand() % 100;
        total += drand48();
        if (i % 5 == 0)
            MIGRATION_POINT();
    }
    printf("%ld %.6f\n", sum, total);
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "every");
    dates();
    MIGRATION_POINT();
    wide();
    MIGRATION_POINT();
    sets();
    MIGRATION_POINT();
    patterns();
    MIGRATION_POINT();
    chance();
    return verdict("libc_locale", wrong == 0);
}
