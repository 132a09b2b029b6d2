/* The addresses of the ZeroMQ endpoints as text. Pure functions without state.
 */
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include <stdbool.h>

#include "base/error.h"

/* "ipc:///path" or "tcp://address:port". 0 or -EINVAL with err. */
int address_check(const char *text, struct error *err);

/* True when other machines may reach it: tcp, and not on the loopback. text has passed
 * address_check. */
bool address_is_remote(const char *text);

#endif
