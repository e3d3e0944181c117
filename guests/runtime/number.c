/*
 * Numbers from text, and absolute values.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

static int digit_value(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    char lower = (char)(character | 0x20);
    return lower >= 'a' && lower <= 'z' ? lower - 'a' + 10 : 99;
}

/* Saturates at LONG_MIN and LONG_MAX; base 0 knows 0x and a leading 0. */
long strtol(const char *text, char **end, int base)
{
    const char *at = text;
    while (*at == ' ' || (*at >= '\t' && *at <= '\r'))
        at++;
    bool negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    if ((base == 0 || base == 16) && at[0] == '0' && (at[1] | 0x20) == 'x' && digit_value(at[2]) < 16) {
        at += 2;
        base = 16;
    } else if (base == 0) {
        base = *at == '0' ? 8 : 10;
    }
    const char *first = at;
    unsigned long value = 0, limit = negative ? (unsigned long)LONG_MAX + 1 : LONG_MAX;
    for (; digit_value(*at) < base; at++) {
        unsigned long digit = (unsigned long)digit_value(*at);
        value = value > (limit - digit) / (unsigned long)base ? limit : value * (unsigned long)base + digit;
    }
    if (end)
        *end = (char *)(at == first ? text : at);
    return negative ? (long)-value : (long)value;
}

int atoi(const char *text)
{
    return (int)strtol(text, 0, 10);
}

int abs(int value)
{
    return value < 0 ? -value : value;
}

long labs(long value)
{
    return value < 0 ? -value : value;
}
