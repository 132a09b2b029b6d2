/* The addresses of the endpoints, see address.h. */
#include "config/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "base/parse.h"

#define IPC_PREFIX    "ipc://"
#define TCP_PREFIX    "tcp://"
#define UNIX_PREFIX   "unix:"
#define IPC_PATH_MAX  107 /* sun_path without its NUL */
#define TCP_HOST_MAX  64  /* an IPv6 address in its brackets, or an interface; NUL included */
#define SHAPES_WANTED "write ipc:///path or tcp://address:port"

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text <= ' ' || *text > '~')
			return false;
	}
	return true;
}

/* The path of a unix socket, behind the prefix that stands before it. */
static int check_path(const char *prefix, const char *path, struct error *err)
{
	if (path[0] != '/')
		return error_set(err, EINVAL, "\"%s%.80s\": an absolute path is wanted: %s/path",
		                 prefix, path, prefix);
	if (strlen(path) > IPC_PATH_MAX)
		return error_set(err, EINVAL,
		                 "\"%s%.80s…\": the path has %zu bytes, and a socket's has %d "
		                 "at most",
		                 prefix, path, strlen(path), IPC_PATH_MAX);
	if (path[strlen(path) - 1] == '/')
		return error_set(err, EINVAL, "\"%s%s\" ends in '/': name a file there", prefix,
		                 path);
	return 0;
}

/* What stands in front of the last colon goes to host. */
static int split_tcp(const char *text, char host[TCP_HOST_MAX])
{
	const char *colon = strrchr(text, ':');
	size_t len = colon != NULL ? (size_t)(colon - text) : 0;
	uint32_t port;

	if (len == 0 || len >= TCP_HOST_MAX || parse_u32(colon + 1, 1, UINT16_MAX, &port) < 0)
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	return 0;
}

static int check_tcp(const char *text, struct error *err)
{
	char host[TCP_HOST_MAX];

	if (split_tcp(text, host) < 0)
		return error_set(err, EINVAL,
		                 "\"tcp://%.80s\": an address and a port from 1 to 65535 are "
		                 "wanted: tcp://127.0.0.1:5555",
		                 text);
	/* ZeroMQ binds to addresses and interfaces; it does not look up names. */
	if (strcmp(host, "localhost") == 0)
		return error_set(err, EINVAL, "\"tcp://%s\": write 127.0.0.1 for localhost", text);
	return 0;
}

int address_check(const char *text, struct error *err)
{
	if (!is_printable(text))
		return error_set(
		        err, EINVAL,
		        "\"%.80s\" holds blanks or characters outside ASCII: " SHAPES_WANTED, text);
	if (string_starts_with(text, IPC_PREFIX))
		return check_path(IPC_PREFIX, text + strlen(IPC_PREFIX), err);
	if (string_starts_with(text, TCP_PREFIX))
		return check_tcp(text + strlen(TCP_PREFIX), err);
	return error_set(err, EINVAL, "\"%.80s\" is not an endpoint: " SHAPES_WANTED, text);
}

bool address_is_remote(const char *text)
{
	char host[TCP_HOST_MAX];
	struct in_addr v4;

	if (!string_starts_with(text, TCP_PREFIX))
		return false;
	if (split_tcp(text + strlen(TCP_PREFIX), host) < 0)
		return true;
	/* In numbers, since 127.example.org is no loopback. */
	return strcmp(host, "[::1]") != 0 &&
	       (inet_pton(AF_INET, host, &v4) != 1 || ntohl(v4.s_addr) >> 24 != 127);
}

/* --- where the metrics are served ------------------------------------------------------------ */

static int parse_loopback(const char *host, in_port_t port, struct address_http *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&out->tcp;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->tcp;

	if (strcmp(host, "[::1]") == 0) {
		*v6 = (struct sockaddr_in6){
		        .sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = in6addr_loopback};
		out->tcp_len = sizeof(*v6);
		return 0;
	}
	*v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
	out->tcp_len = sizeof(*v4);
	if (inet_pton(AF_INET, host, &v4->sin_addr) != 1 || ntohl(v4->sin_addr.s_addr) >> 24 != 127)
		return -EINVAL;
	return 0;
}

static int parse_tcp(const char *text, struct address_http *out, struct error *err)
{
	char host[TCP_HOST_MAX];
	uint32_t port;

	if (check_tcp(text, err) < 0)
		return -err->code;
	(void)split_tcp(text, host);
	(void)parse_u32(strrchr(text, ':') + 1, 1, UINT16_MAX, &port);
	if (parse_loopback(host, htons((in_port_t)port), out) == 0)
		return 0;
	return error_set(err, EINVAL,
	                 "\"tcp://%.80s\": whoever reaches the metrics can read them, so they are "
	                 "for this host's loopback only: write tcp://127.0.0.1:%u or unix:/path",
	                 text, port);
}

int address_http_parse(const char *text, struct address_http *out, struct error *err)
{
	*out = (struct address_http){0};
	if (!is_printable(text))
		return error_set(err, EINVAL,
		                 "\"%.80s\" holds blanks or characters outside ASCII: write "
		                 "unix:/path or tcp://127.0.0.1:port",
		                 text);
	if (string_starts_with(text, TCP_PREFIX))
		return parse_tcp(text + strlen(TCP_PREFIX), out, err);
	if (!string_starts_with(text, UNIX_PREFIX))
		return error_set(err, EINVAL,
		                 "\"%.80s\" is no endpoint of metrics: write unix:/path or "
		                 "tcp://127.0.0.1:port",
		                 text);
	out->path = text + strlen(UNIX_PREFIX);
	while (out->path[0] == '/' && out->path[1] == '/') /* unix:///path means the same */
		out->path++;
	return check_path(UNIX_PREFIX, out->path, err);
}
