/* Where clients of the metrics come in. See entrance.h. */
#include "metrics/entrance.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "config/address.h"
#include "sys/open_files.h"

#define UNIX_PREFIX "unix:"
#define PENDING_MAX 64 /* connections that wait to be accepted */
#define GROUPS_MAX \
	256 /* of a process that are looked at; one with more has to have it as its first */

static int tcp_listen(const struct address_http *where, struct error *err)
{
	const int yes = 1;
	int fd = socket(where->tcp.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
	    bind(fd, (const struct sockaddr *)&where->tcp, where->tcp_len) == 0 &&
	    listen(fd, PENDING_MAX) == 0)
		return fd;
	error_set(err, errno, "%s; choose another port", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -err->code;
}

int entrance_open(struct entrance *entrance, const char *address, const gid_t *group,
                  struct error *err)
{
	struct address_http where;

	*entrance = (struct entrance){.fd = -1};
	if (address_http_parse(address, &where, err) < 0)
		return error_prefix(err, "option --metrics-ep: ");
	entrance->is_unix = where.path != NULL;
	entrance->fd = entrance->is_unix ? ipc_path_listen(&entrance->ipc, where.path, group, err)
	                                 : tcp_listen(&where, err);
	if (entrance->fd < 0) {
		entrance->fd = -1;
		return error_prefix(err, "endpoint %s: ", address);
	}
	open_files_limit_clients(entrance->fd);
	if (!entrance->is_unix)
		log_notice("endpoint %s: every user of this host can read the metrics; unix: has "
		           "permissions",
		           address);
	return 0;
}

void entrance_close(struct entrance *entrance)
{
	if (entrance->fd < 0)
		return;
	open_files_forget(entrance->fd);
	close(entrance->fd);
	if (entrance->is_unix)
		ipc_path_release(&entrance->ipc);
	entrance->fd = -1;
}

int entrance_look(struct entrance *entrance)
{
	struct error err = {0};
	enum socket_name_state state;
	int fd = -1;

	if (!entrance->is_unix)
		return -1;
	state = ipc_path_look(&entrance->ipc, &err);
	if (state == SOCKET_NAME_LOST) {
		fd = ipc_path_listen_anew(&entrance->ipc, &err);
		state = fd < 0 ? SOCKET_NAME_FAILED : SOCKET_NAME_MENDED;
	}
	ipc_path_tell(&entrance->ipc, UNIX_PREFIX, state, &err);
	if (fd < 0)
		return -1;
	open_files_forget(entrance->fd);
	open_files_limit_clients(fd);
	entrance->fd = fd;
	return fd;
}

static bool is_member(int fd, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t size = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

bool entrance_admits(const struct entrance *entrance, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (!entrance->is_unix)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	return entrance->ipc.has_group &&
	       (peer.gid == entrance->ipc.group || is_member(fd, entrance->ipc.group));
}
