/* The addresses of the endpoints as text: ZeroMQ's, and that of the metrics. Pure functions without
 * state.
 */
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/error.h"

/* "ipc:///path" or "tcp://address:port". 0 or -EINVAL with err. */
int address_check(const char *text, struct error *err);

/* True when other machines may reach it: tcp, and not on the loopback. text has passed
 * address_check. */
bool address_is_remote(const char *text);

/* Where the metrics are served. */
struct address_http {
	const char *path; /* of a unix socket, absolute, in the text; NULL: tcp */
	struct sockaddr_storage tcp;
	socklen_t tcp_len;
};

/* "unix:/path", or "tcp://address:port" on the loopback, in numbers. 0 or -EINVAL with err; then
 * out is undefined. */
int address_http_parse(const char *text, struct address_http *out, struct error *err);

#endif
