/* Going into the background; see background.h.
 */
#include "sys/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static void wait_for_report(int fd)
{
	unsigned char status = EXIT_FAILURE;
	ssize_t n;

	do
		n = read(fd, &status, sizeof(status));
	while (n < 0 && errno == EINTR);
	_exit(n == (ssize_t)sizeof(status) ? status : EXIT_FAILURE);
}

int background_enter(void)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child < 0)
		return -errno;
	if (child > 0) {
		close(ends[1]);
		wait_for_report(ends[0]);
	}
	close(ends[0]);
	setsid();
	/* A second fork: not being the session's leader, it can never get a terminal again. */
	child = fork();
	if (child < 0)
		return -errno;
	if (child > 0)
		_exit(EXIT_SUCCESS);
	if (chdir("/") < 0)
		return -errno;
	return ends[1];
}

void background_report(int fd, int status)
{
	unsigned char byte = (unsigned char)status;
	ssize_t n = write(fd, &byte, sizeof(byte));
	int null;

	(void)n; /* whoever waited may have gone */
	close(fd);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
}
