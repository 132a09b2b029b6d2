/* See event_fd.h. */
#include "vhost/event_fd.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vhost/unblock.h"

#define EVENT_FD_NAME "anon_inode:[eventfd]"

bool event_fd_is(int fd)
{
	char path[32], name[sizeof(EVENT_FD_NAME) + 1];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, name, sizeof(name));
	return length == sizeof(EVENT_FD_NAME) - 1 &&
	       memcmp(name, EVENT_FD_NAME, (size_t)length) == 0;
}

bool event_fd_take(int fd)
{
	int flags;

	if (!event_fd_is(fd))
		return false;
	flags = fcntl(fd, F_GETFL);
	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

void event_fd_signal(int fd)
{
	uint64_t one = 1;
	int flags;

	if (fd < 0)
		return;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || !unblock_begin())
		return;
	/* One that is full wakes them too. */
	(void)!write(fd, &one, sizeof(one));
	unblock_end();
}
