/* Text from outside. See text.h. */
#include "base/text.h"

#include <stdint.h>

/* Length of the well-formed sequence at s (RFC 3629: no overlong forms, no surrogates, at most
 * U+10FFFF), or 0. The terminating NUL ends a sequence as any other wrong byte does. */
static unsigned sequence_length(const uint8_t *s)
{
	uint8_t low = 0x80, high = 0xbf;
	unsigned length;

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		length = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		length = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		length = 4;
	else
		return 0;

	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (unsigned i = 2; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return length;
}

void text_make_utf8(char *text)
{
	uint8_t *s = (uint8_t *)text;

	while (*s != '\0') {
		unsigned length = sequence_length(s);

		if (length == 0)
			*s = '?';
		s += length == 0 ? 1 : length;
	}
}

bool text_is_clean(const char *text)
{
	const uint8_t *s = (const uint8_t *)text;
	unsigned length = 1;

	for (; *s != '\0' && length > 0; s += length)
		length = sequence_length(s);
	return length > 0;
}
