/* Bounded parsing of numbers and strings from outside: no locale, no silent overflow, no rest
 * left over. Pure functions, any thread.
 */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole of text must be a decimal number (digits only) within [min, max].
 * Returns 0, -EINVAL (not a number) or -ERANGE. */
int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out);
int parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *out);

/* Hexadecimal digits, without 0x, at most max_digits of them; text[len] need not be NUL. */
int parse_hex(const char *text, size_t len, unsigned max_digits, uint64_t *out);

/* A decimal fraction such as 0.25 within [min, max]; no exponent, no inf or nan. */
int parse_fraction(const char *text, double min, double max, double *out);

/* Copy with a bound: 0, or -ENAMETOOLONG (then out is "" ). size counts the NUL. */
int string_copy(char *out, size_t size, const char *text);

bool string_starts_with(const char *text, const char *prefix);

#endif
