/* Errors with words, see error.h. No state: each error belongs to the caller that passes it. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* An error is one line wherever it ends up (log, terminal, reply), though it often quotes text
 * that came from outside. */
static void store(struct error *err, const char *text)
{
	size_t len = strnlen(text, sizeof(err->text) - 1);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		err->text[i] = (c < 0x20 || c == 0x7f) ? '?' : text[i];
	}
	err->text[len] = '\0';
}

int error_set(struct error *err, int code, const char *format, ...)
{
	char text[ERROR_TEXT_MAX]; /* the arguments may point into err->text */
	va_list args;

	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	va_end(args);
	store(err, text);
	err->code = code;
	return -code;
}

int error_prefix(struct error *err, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	size_t len;
	va_list args;

	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	va_end(args);
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, "%s", err->text);
	store(err, text);
	return -err->code;
}
