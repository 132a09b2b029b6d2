/* Bounded parsing of text from outside, see parse.h. Pure functions without state. */
#include "base/parse.h"

#include <errno.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	bool overflow = false;

	if (*text == '\0')
		return -EINVAL;
	/* To the end even after an overflow: "99…9x" is no number rather than too big a one. */
	for (; *text != '\0'; text++) {
		uint64_t digit;

		if (!is_digit(*text))
			return -EINVAL;
		digit = (uint64_t)(*text - '0');
		if (value > (UINT64_MAX - digit) / 10)
			overflow = true;
		else
			value = value * 10 + digit;
	}
	if (overflow || value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

int parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	uint64_t value;
	int ret = parse_u64(text, min, max, &value);

	if (ret == 0)
		*out = (uint32_t)value;
	return ret;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int parse_hex(const char *text, size_t len, unsigned max_digits, uint64_t *out)
{
	uint64_t value = 0;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0)
			return -EINVAL;
		value = value << 4 | (uint64_t)digit;
	}
	if (len > max_digits || len > 16)
		return -ERANGE;
	*out = value;
	return 0;
}

int parse_fraction(const char *text, double min, double max, double *out)
{
	/* 10^18 fits a uint64_t; what further fraction digits would add is below a double's grain.
	 */
	const uint64_t mantissa_max = 1000000000000000000;
	uint64_t mantissa = 0;
	double scale = 1, value;
	bool point = false, digits = false, overflow = false;

	for (; *text != '\0'; text++) {
		if (*text == '.' && !point) {
			point = true;
			continue;
		}
		if (!is_digit(*text))
			return -EINVAL;
		digits = true;
		if (mantissa >= mantissa_max / 10) {
			overflow |= !point;
			continue;
		}
		mantissa = mantissa * 10 + (uint64_t)(*text - '0');
		if (point)
			scale *= 10;
	}
	if (!digits)
		return -EINVAL;
	value = (double)mantissa / scale;
	if (overflow || value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

int string_copy(char *out, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size) {
		if (size > 0)
			out[0] = '\0';
		return -ENAMETOOLONG;
	}
	memcpy(out, text, len + 1);
	return 0;
}

bool string_starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}
