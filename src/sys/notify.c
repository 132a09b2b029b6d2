/* What systemd is told. See notify.h. A message that does not get through is nobody's fault here,
 * and systemd notices by itself: results are ignored on purpose.
 *
 * Sent by ourselves, since libsystemd's sd_notify blocks for as long as systemd does not read and
 * its socket's queue is full: the control thread is not to wait for it.
 */
#include "sys/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "base/clock.h"

#define WAIT_MS 500 /* for what is said once; a sign of life that is lost is followed by others */

/* A path, or with '@' an abstract name. False when nobody wants to know. */
static bool address_find(struct sockaddr_un *address, socklen_t *length)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t len = name != NULL ? strlen(name) : 0;

	if (len < 2 || len >= sizeof(address->sun_path) || (name[0] != '/' && name[0] != '@'))
		return false;
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, name, len);
	if (name[0] == '@')
		address->sun_path[0] = '\0';
	*length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
	return true;
}

static void tell(const char *text, int wait_ms)
{
	struct sockaddr_un address;
	socklen_t length;

	if (!address_find(&address, &length))
		return;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	struct pollfd queue = {.fd = fd, .events = POLLOUT};
	if (connect(fd, (struct sockaddr *)&address, length) == 0 &&
	    send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 && errno == EAGAIN && wait_ms > 0 &&
	    poll(&queue, 1, wait_ms) == 1)
		(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
	close(fd);
}

void notify_ready(void)
{
	tell("READY=1", WAIT_MS);
}

void notify_reloading(void)
{
	char text[64];

	/* systemd 253 and later wants to know since when (Type=notify-reload). */
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_now_us());
	tell(text, WAIT_MS);
}

void notify_stopping(void)
{
	tell("STOPPING=1", WAIT_MS);
}

uint64_t notify_watchdog_interval_us(void)
{
	uint64_t usec = 0;

	return sd_watchdog_enabled(0, &usec) > 0 ? usec : 0;
}

void notify_watchdog(void)
{
	tell("WATCHDOG=1", 0);
}
