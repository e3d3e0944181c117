/*
 * The printf family: parses a format and lays out each conversion.
 *
 * Output goes through a small buffer either into the caller's memory or into the stream; there is no function pointer on the
 * way, so that kettle-cc can see that formatting never migrates. Not offered: %n, %a, wide characters, positional arguments.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "decimal.h"
#include "stream.h"

/* Where characters go: to `buffer` while there is room, or to the stream if it is 0. All are counted. */
struct out {
    char *buffer;
    size_t room;
    size_t total;
};

struct spec {
    bool left, zero, plus, space, alternate;
    int width;
    /* -1: not given. */
    int precision;
    char conversion;
};

static void put(struct out *out, const char *bytes, size_t n)
{
    if (!out->buffer) {
        __kettle_stream_put(bytes, n);
    } else {
        size_t fits = n < out->room ? n : out->room;
        memcpy(out->buffer, bytes, fits);
        out->buffer += fits;
        out->room -= fits;
    }
    out->total += n;
}

static void put_char(struct out *out, char character)
{
    put(out, &character, 1);
}

static void put_repeated(struct out *out, char character, int n)
{
    for (; n > 0; n--)
        put_char(out, character);
}

/* Sign or 0x, then padding, around a body of `length` characters; returns the padding due after it. */
static int open_field(struct out *out, const struct spec *spec, const char *prefix, int length, bool zero)
{
    int prefix_length = (int)strlen(prefix);
    int padding = spec->width - prefix_length - length;
    if (!spec->left && !zero)
        put_repeated(out, ' ', padding);
    put(out, prefix, (size_t)prefix_length);
    if (!spec->left && zero)
        put_repeated(out, '0', padding);
    return spec->left ? padding : 0;
}

static void put_text(struct out *out, const struct spec *spec, const char *text, size_t length)
{
    int after = open_field(out, spec, "", (int)length, false);
    put(out, text, length);
    put_repeated(out, ' ', after);
}

static const char *sign_of(const struct spec *spec, bool negative)
{
    return negative ? "-" : spec->plus ? "+" : spec->space ? " " : "";
}

static void put_integer(struct out *out, const struct spec *spec, const char *prefix, uint64_t value, unsigned base)
{
    char digits[24];
    int at = (int)sizeof digits;
    const char *alphabet = spec->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    for (; value; value /= base)
        digits[--at] = alphabet[value % base];
    int length = (int)sizeof digits - at;
    int minimum = spec->precision < 0 ? 1 : spec->precision;
    int zeros = minimum > length ? minimum - length : 0;
    int after = open_field(out, spec, prefix, length + zeros, spec->zero && spec->precision < 0);
    put_repeated(out, '0', zeros);
    put(out, digits + at, (size_t)length);
    put_repeated(out, ' ', after);
}

static void put_digits(struct out *out, const struct decimal *decimal, int from, int to)
{
    for (int i = from; i < to; i++)
        put_char(out, (char)('0' + __kettle_decimal_digit(decimal, i)));
}

/* ddd.ddd */
static void put_fixed(struct out *out, const struct spec *spec, const char *sign, const struct decimal *decimal, int precision)
{
    int whole = decimal->point > 0 ? decimal->point : 1;
    bool dot = precision > 0 || spec->alternate;
    int after = open_field(out, spec, sign, whole + dot + precision, spec->zero);
    put_digits(out, decimal, decimal->point - whole, decimal->point);
    if (dot)
        put_char(out, '.');
    put_digits(out, decimal, decimal->point, decimal->point + precision);
    put_repeated(out, ' ', after);
}

static void put_scientific(struct out *out, const struct spec *spec, const char *sign, const struct decimal *decimal,
                           int exponent, int precision)
{
    bool dot = precision > 0 || spec->alternate;
    unsigned magnitude = (unsigned)(exponent < 0 ? -exponent : exponent);
    int after = open_field(out, spec, sign, 1 + dot + precision + (magnitude >= 100 ? 5 : 4), spec->zero);
    put_digits(out, decimal, 0, 1);
    if (dot)
        put_char(out, '.');
    put_digits(out, decimal, 1, 1 + precision);
    put_char(out, spec->conversion == 'E' || spec->conversion == 'G' ? 'E' : 'e');
    put_char(out, exponent < 0 ? '-' : '+');
    if (magnitude >= 100)
        put_char(out, (char)('0' + magnitude / 100));
    put_char(out, (char)('0' + magnitude / 10 % 10));
    put_char(out, (char)('0' + magnitude % 10));
    put_repeated(out, ' ', after);
}

/* Digits that %g shows: trailing zeros go. */
static int significant(const struct decimal *decimal, int limit)
{
    while (limit > 1 && __kettle_decimal_digit(decimal, limit - 1) == 0)
        limit--;
    return limit;
}

static void put_double(struct out *out, const struct spec *spec, double value)
{
    bool upper = spec->conversion == 'F' || spec->conversion == 'E' || spec->conversion == 'G';
    const char *sign = sign_of(spec, __builtin_signbit(value));
    if (isnan(value) || isinf(value)) {
        const char *text = isnan(value) ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf");
        int after = open_field(out, spec, sign, 3, false);
        put(out, text, 3);
        put_repeated(out, ' ', after);
        return;
    }
    struct decimal decimal;
    __kettle_decimal_expand(&decimal, __builtin_fabs(value));
    int precision = spec->precision < 0 ? 6 : spec->precision;
    switch (spec->conversion) {
    case 'f':
    case 'F':
        __kettle_decimal_round(&decimal, decimal.point + precision);
        put_fixed(out, spec, sign, &decimal, precision);
        break;
    case 'e':
    case 'E':
        __kettle_decimal_round(&decimal, precision + 1);
        put_scientific(out, spec, sign, &decimal, decimal.point - 1, precision);
        break;
    default: {
        int limit = precision ? precision : 1;
        __kettle_decimal_round(&decimal, limit);
        int exponent = decimal.point - 1;
        int shown = spec->alternate ? limit : significant(&decimal, limit);
        if (exponent >= -4 && exponent < limit)
            put_fixed(out, spec, sign, &decimal, shown > decimal.point ? shown - decimal.point : 0);
        else
            put_scientific(out, spec, sign, &decimal, exponent, shown - 1);
    }
    }
}

/* Reads a decimal number, or takes `*` from the arguments. */
static int parse_number(const char **format, int star)
{
    if (**format == '*') {
        ++*format;
        return star;
    }
    int value = 0;
    for (; **format >= '0' && **format <= '9'; ++*format)
        value = value * 10 + (**format - '0');
    return value;
}

static void parse_flags(const char **format, struct spec *spec)
{
    for (;; ++*format) {
        switch (**format) {
        case '-': spec->left = true; break;
        case '0': spec->zero = true; break;
        case '+': spec->plus = true; break;
        case ' ': spec->space = true; break;
        case '#': spec->alternate = true; break;
        default: return;
        }
    }
}

static void format_all(struct out *out, const char *format, va_list arguments)
{
    for (;;) {
        size_t plain = 0;
        while (format[plain] && format[plain] != '%')
            plain++;
        put(out, format, plain);
        format += plain;
        if (!*format)
            return;
        format++;

        struct spec spec = {.precision = -1};
        parse_flags(&format, &spec);
        spec.width = parse_number(&format, *format == '*' ? va_arg(arguments, int) : 0);
        if (spec.width < 0) {
            spec.left = true;
            spec.width = -spec.width;
        }
        if (*format == '.') {
            format++;
            spec.precision = parse_number(&format, *format == '*' ? va_arg(arguments, int) : 0);
        }
        int longs = 0, shorts = 0;
        for (;; format++) {
            if (*format == 'l' || *format == 'z' || *format == 'j' || *format == 't')
                longs++;
            else if (*format == 'h')
                shorts++;
            else
                break;
        }
        spec.conversion = *format;
        if (!*format)
            return;
        format++;

        switch (spec.conversion) {
        case 'd':
        case 'i': {
            int64_t value = longs ? va_arg(arguments, long) : va_arg(arguments, int);
            if (shorts)
                value = shorts > 1 ? (signed char)value : (short)value;
            put_integer(out, &spec, sign_of(&spec, value < 0), value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
            break;
        }
        case 'u':
        case 'o':
        case 'x':
        case 'X': {
            uint64_t value = longs ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned);
            if (shorts)
                value = shorts > 1 ? (unsigned char)value : (unsigned short)value;
            bool hex = spec.conversion == 'x' || spec.conversion == 'X';
            const char *prefix = spec.alternate && hex && value ? (spec.conversion == 'x' ? "0x" : "0X") : "";
            put_integer(out, &spec, prefix, value, hex ? 16 : spec.conversion == 'o' ? 8 : 10);
            break;
        }
        case 'p':
            put_integer(out, &spec, "0x", (uint64_t)va_arg(arguments, void *), 16);
            break;
        case 'c': {
            char character = (char)va_arg(arguments, int);
            put_text(out, &spec, &character, 1);
            break;
        }
        case 's': {
            const char *text = va_arg(arguments, const char *);
            if (!text)
                text = "(null)";
            put_text(out, &spec, text, spec.precision < 0 ? strlen(text) : strnlen(text, (size_t)spec.precision));
            break;
        }
        case 'f':
        case 'F':
        case 'e':
        case 'E':
        case 'g':
        case 'G':
            put_double(out, &spec, va_arg(arguments, double));
            break;
        case '%':
            put_char(out, '%');
            break;
        default:
            /* An unknown conversion shows itself. */
            put_char(out, '%');
            put_char(out, spec.conversion);
        }
    }
}

int vprintf(const char *format, va_list arguments)
{
    struct out out = {0};
    __kettle_stream_lock();
    format_all(&out, format, arguments);
    __kettle_stream_unlock();
    return (int)out.total;
}

int printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int total = vprintf(format, arguments);
    va_end(arguments);
    return total;
}

int vsnprintf(char *buffer, size_t size, const char *format, va_list arguments)
{
    char nowhere[1];
    struct out out = {.buffer = size ? buffer : nowhere, .room = size ? size - 1 : 0};
    format_all(&out, format, arguments);
    *out.buffer = '\0';
    return (int)out.total;
}

int snprintf(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int total = vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return total;
}
