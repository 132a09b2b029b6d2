/* See listener.h. */
#include "vhost/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/parse.h"
#include "sys/socket_file.h"
#include "sys/socket_name.h"

#define BACKLOG 64

/* -1 and errno. */
static int socket_make(const char *path, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (string_copy(address->sun_path, sizeof(address->sun_path), path) < 0) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Takes away what bind has made. */
static void name_remove(const char *path)
{
	struct socket_name name = {0};

	if (socket_name_hold(&name, path, false) == 0)
		socket_name_remove(&name);
}

int listener_open(const char *path, uid_t owner, gid_t group, struct error *err)
{
	struct sockaddr_un address;
	int fd = socket_make(path, &address);

	if (fd < 0)
		return error_set(err, errno, "cannot make a socket for %s: %s", path,
		                 strerror(errno));
	if (socket_file_clear(path, err) < 0) {
		close(fd);
		return -err->code;
	}
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		error_set(err, errno, "cannot serve the socket %s: %s%s", path, strerror(errno),
		          errno == ENOENT ? "; make its directory" : "");
		close(fd);
		return -err->code;
	}
	if (socket_file_give(path, owner, group, 0660, err) < 0) {
		name_remove(path);
		close(fd);
		return -err->code;
	}
	/* Before that nobody gets in, whatever the mode was for a moment. */
	if (listen(fd, BACKLOG) < 0) {
		error_set(err, errno, "cannot listen at %s: %s", path, strerror(errno));
		name_remove(path);
		close(fd);
		return -err->code;
	}
	return fd;
}

int listener_connect(const char *path)
{
	struct sockaddr_un address;
	int fd = socket_make(path, &address), rc;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}
