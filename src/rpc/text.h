/* Text on its way to clients: protobuf strings are UTF-8, and what we quote back to a client may
 * be anything. Pure functions.
 */
#ifndef RPC_TEXT_H
#define RPC_TEXT_H

#include <stdbool.h>

/* Puts '?' in place of each byte that is no part of well-formed UTF-8, or a control character. */
void text_make_utf8(char *text);
/* Whether that would leave it as it is. */
bool text_is_clean(const char *text);

#endif
