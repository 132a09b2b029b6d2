/* The path of an endpoint: claim, listening socket, removal. See ipc_path.h for the rules. */
#include "sys/ipc_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "sys/pid_file.h"
#include "sys/socket_file.h"

#define OWNER_MODE  0600
#define GROUP_MODE  0660
#define PENDING_MAX 512 /* connections that wait to be accepted */

static int parent_make(const char *path, struct error *err)
{
	char parent[IPC_PATH_MAX];
	size_t length = (size_t)(strrchr(path, '/') - path);

	if (length == 0)
		return 0;
	snprintf(parent, sizeof(parent), "%.*s", (int)length, path);
	return socket_file_make_directory(parent, err);
}

static int socket_listen(const struct ipc_path *ipc, const struct sockaddr_un *address,
                         struct error *err)
{
	const char *path = address->sun_path;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_set(err, errno, "cannot create a socket: %s", strerror(errno));

	/* The path appears with at most the mode of the socket, so there is no moment at which
	 * others could connect. */
	if (fchmod(fd, OWNER_MODE) < 0 ||
	    bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		goto fail;
	if (socket_file_give(path, (uid_t)-1, ipc->has_group ? ipc->group : (gid_t)-1,
	                     ipc->has_group ? GROUP_MODE : OWNER_MODE, err) < 0) {
		unlink(path);
		close(fd);
		return -err->code;
	}
	if (listen(fd, PENDING_MAX) < 0) {
		int code = errno;

		unlink(path);
		errno = code;
		goto fail;
	}
	return fd;

fail:
	error_set(err, errno, "cannot listen on %s: %s; %s", path, strerror(errno),
	          errno == EACCES || errno == EPERM
	                  ? "let the daemon's user write to the directory, or choose another "
	                    "endpoint"
	                  : "choose another endpoint");
	close(fd);
	return -err->code;
}

int ipc_path_listen(struct ipc_path *ipc, const char *path, const gid_t *group, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, rc;

	*ipc = (struct ipc_path){.has_group = group != NULL};
	if (group != NULL)
		ipc->group = *group;
	if (path[0] != '/')
		return error_set(err, EINVAL,
		                 "an absolute path is wanted, as in "
		                 "ipc:///var/run/virtio-forwarder/stats");
	if (string_copy(address.sun_path, sizeof(address.sun_path), path) < 0)
		return error_set(err, ENAMETOOLONG,
		                 "the path has %zu characters, and a socket's has %zu at most",
		                 strlen(path), sizeof(address.sun_path) - 1);

	rc = parent_make(path, err);
	if (rc < 0)
		return rc;
	snprintf(ipc->lock_path, sizeof(ipc->lock_path), "%s.lock", path);
	ipc->lock_fd = pid_file_lock(ipc->lock_path, err);
	if (ipc->lock_fd < 0)
		return ipc->lock_fd;
	rc = socket_file_clear(path, err);
	if (rc < 0)
		goto fail;
	rc = fd = socket_listen(ipc, &address, err);
	if (fd < 0)
		goto fail;
	(void)socket_name_hold(&ipc->name, path, true);
	string_copy(ipc->path, sizeof(ipc->path), path);
	return fd;

fail:
	pid_file_unlock(ipc->lock_path, ipc->lock_fd);
	return rc;
}

/* Without it another instance would take the path for free. */
static void lock_keep(struct ipc_path *ipc)
{
	struct error err;
	int before = ipc->lock_rc;

	ipc->lock_rc = pid_file_keep(ipc->lock_path, &ipc->lock_fd, &err);
	if (ipc->lock_rc == 1)
		log_warn("somebody removed %s, the lock of %s; it is made anew", ipc->lock_path,
		         ipc->path);
	if (ipc->lock_rc < 0 && ipc->lock_rc != before)
		log_warn("%s, the lock of %s, is not there any more, and cannot be made anew: %s; "
		         "another instance may take the path",
		         ipc->lock_path, ipc->path, err.text);
}

/* The socket first, which has its directory made. */
enum socket_name_state ipc_path_look(struct ipc_path *ipc, struct error *err)
{
	enum socket_name_state state = socket_name_look(&ipc->name, false, err);

	lock_keep(ipc);
	return state;
}

int ipc_path_listen_anew(struct ipc_path *ipc, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	memcpy(address.sun_path, ipc->path, sizeof(ipc->path));
	fd = socket_listen(ipc, &address, err);
	if (fd < 0)
		return fd;
	socket_name_remove(&ipc->name);
	(void)socket_name_hold(&ipc->name, ipc->path, true);
	return fd;
}

static void tell(const struct ipc_path *ipc, const char *scheme, enum socket_name_state state,
                 const char *why)
{
	switch (state) {
	case SOCKET_NAME_MENDED:
		log_warn("endpoint %s%s: somebody removed it; it is there again, and whoever is "
		         "connected stays so",
		         scheme, ipc->path);
		break;
	case SOCKET_NAME_TAKEN:
		log_warn("endpoint %s%s: what is there now is somebody else's, and no client "
		         "comes by it; move that away, and the endpoint is made anew",
		         scheme, ipc->path);
		break;
	case SOCKET_NAME_FAILED:
		log_warn("endpoint %s%s: somebody removed it, and it cannot be made anew: %s; "
		         "tried again every second",
		         scheme, ipc->path, why);
		break;
	default:
		log_notice("endpoint %s%s: it is there again", scheme, ipc->path);
	}
}

void ipc_path_tell(struct ipc_path *ipc, const char *scheme, enum socket_name_state state,
                   const struct error *err)
{
	if (state != ipc->told || err->code != ipc->told_code)
		tell(ipc, scheme, state, err->text);
	ipc->told = state == SOCKET_NAME_MENDED ? SOCKET_NAME_WELL : state;
	ipc->told_code = err->code;
}

void ipc_path_release(struct ipc_path *ipc)
{
	if (ipc->path[0] == '\0')
		return;
	socket_name_remove(&ipc->name);
	pid_file_unlock(ipc->lock_path, ipc->lock_fd);
	ipc->path[0] = '\0';
}
