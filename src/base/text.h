/* Text from outside: protobuf strings and JSON are UTF-8, and what we quote back to a client may
 * be anything. Pure functions.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>

/* Puts '?' in place of each byte that is no part of well-formed UTF-8, or a control character. */
void text_make_utf8(char *text);
/* Whether that would leave it as it is. */
bool text_is_clean(const char *text);

/* Takes one line of text, without a newline; it is valid during the call. */
typedef void (*line_fn)(void *context, const char *text);

#endif
