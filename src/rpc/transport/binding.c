/* Binds an endpoint's ZeroMQ socket to its address. See binding.h.
 */
#include "rpc/transport/binding.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "base/log.h"
#include "base/parse.h"
#include "config/address.h"
#include "rpc/transport/curve_keys.h"
#include "rpc/transport/uninterrupted.h"
#include "rpc/transport/zap.h"
#include "sys/open_files.h"

#define IPC_PREFIX "ipc://"

static int option_set(void *socket, int option, const void *value, size_t size, const char *address,
                      struct error *err)
{
	if (zmq_setsockopt(socket, option, value, size) == 0)
		return 0;
	return error_set(err, errno, "endpoint %s: %s", address, zmq_strerror(errno));
}

/* Whoever is none of these is hung up on, even when permissions have been changed behind our
 * back. ZeroMQ knows a process's user and group by SO_PEERCRED, and the user's other groups by
 * the data base. */
static int ipc_filter(void *socket, const char *address, const struct endpoint_access *access,
                      struct error *err)
{
	uid_t root = 0, own = geteuid();

	if (option_set(socket, ZMQ_IPC_FILTER_UID, &root, sizeof(root), address, err) < 0 ||
	    option_set(socket, ZMQ_IPC_FILTER_UID, &own, sizeof(own), address, err) < 0)
		return -err->code;
	if (!access->has_group)
		return 0;
	return option_set(socket, ZMQ_IPC_FILTER_GID, &access->group, sizeof(access->group),
	                  address, err);
}

/* The next zmq_bind is about this listening socket, which is ZeroMQ's then. */
static int listening_hand_over(struct binding *binding, void *socket, const char *address, int fd,
                               struct error *err)
{
	if (option_set(socket, ZMQ_USE_FD, &fd, sizeof(fd), address, err) < 0) {
		close(fd);
		return -err->code;
	}
	binding->listening[binding->n_listening++] = fd;
	open_files_limit_clients(fd);
	return 0;
}

static void listening_forget(struct binding *binding)
{
	for (unsigned i = 0; i < binding->n_listening; i++)
		open_files_forget(binding->listening[i]);
	binding->n_listening = 0;
}

static int ipc_prepare(struct binding *binding, void *socket, const char *address,
                       const struct endpoint_access *access, struct error *err)
{
	int fd;

	if (ipc_filter(socket, address, access, err) < 0)
		return -err->code;
	fd = ipc_path_listen(&binding->ipc, address + sizeof(IPC_PREFIX) - 1,
	                     access->has_group ? &access->group : NULL, err);
	if (fd < 0)
		return error_prefix(err, "endpoint %s: ", address);
	return listening_hand_over(binding, socket, address, fd, err);
}

/* Peers that vanish without a word are noticed within two minutes. */
static int tcp_keepalive(void *socket, const char *address, struct error *err)
{
	const int yes = 1, idle_s = 60, interval_s = 15, count = 4;

	if (option_set(socket, ZMQ_TCP_KEEPALIVE, &yes, sizeof(yes), address, err) < 0 ||
	    option_set(socket, ZMQ_TCP_KEEPALIVE_IDLE, &idle_s, sizeof(idle_s), address, err) < 0 ||
	    option_set(socket, ZMQ_TCP_KEEPALIVE_INTVL, &interval_s, sizeof(interval_s), address,
	               err) < 0)
		return -err->code;
	return option_set(socket, ZMQ_TCP_KEEPALIVE_CNT, &count, sizeof(count), address, err);
}

static int tcp_prepare(void *socket, const char *address, const struct endpoint_access *access,
                       struct error *err)
{
	const int yes = 1;

	if (tcp_keepalive(socket, address, err) < 0 ||
	    option_set(socket, ZMQ_IPV6, &yes, sizeof(yes), address, err) < 0)
		return -err->code;
	if (access->curve_secret != NULL) {
		if (option_set(socket, ZMQ_CURVE_SERVER, &yes, sizeof(yes), address, err) < 0 ||
		    option_set(socket, ZMQ_CURVE_SECRETKEY, access->curve_secret, CURVE_KEY_TEXT,
		               address, err) < 0)
			return -err->code;
		return option_set(socket, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN), address,
		                  err);
	}
	if (address_is_remote(address))
		return error_set(err, EINVAL,
		                 "endpoint %s: without keys (--zmq-curve-dir) tcp is for the "
		                 "loopback addresses only, as in tcp://127.0.0.1:5555; or use "
		                 "ipc://, whose path has permissions",
		                 address);
	log_warn("endpoint %s: every user of this host can use it; ipc:// has permissions, "
	         "--zmq-curve-dir keys",
	         address);
	return 0;
}

int binding_make(struct binding *binding, void *socket, const char *address,
                 const struct endpoint_access *access, struct error *err)
{
	int rc;

	*binding = (struct binding){0};
	if (string_starts_with(address, IPC_PREFIX))
		rc = ipc_prepare(binding, socket, address, access, err);
	else if (string_starts_with(address, "tcp://"))
		rc = tcp_prepare(socket, address, access, err);
	else
		rc = error_set(err, EINVAL,
		               "endpoint %s: ipc://PATH or tcp://127.0.0.1:PORT is wanted",
		               address);
	if (rc == 0 && UNINTERRUPTED(zmq_bind(socket, address)) < 0)
		rc = error_set(err, errno, "endpoint %s: %s; choose another endpoint", address,
		               zmq_strerror(errno));
	if (rc < 0)
		binding_release(binding);
	return rc;
}

/* --- while it is bound ----------------------------------------------------------------------- */

/* ZeroMQ may have several listening sockets: the one before goes on for those who came by it, and
 * they would be lost with it. */
static int listen_anew(struct binding *binding, void *socket, bool in_use, struct error *err)
{
	char address[sizeof(IPC_PREFIX) + IPC_PATH_MAX];
	int fd = ipc_path_listen_anew(&binding->ipc, err);

	if (fd < 0)
		return fd;
	snprintf(address, sizeof(address), IPC_PREFIX "%s", binding->ipc.path);
	if (!in_use || binding->n_listening == BINDING_LISTENING_MAX) {
		listening_forget(binding);
		(void)UNINTERRUPTED(zmq_unbind(socket, address));
	}
	if (listening_hand_over(binding, socket, address, fd, err) < 0)
		return -err->code;
	if (UNINTERRUPTED(zmq_bind(socket, address)) < 0)
		return error_set(err, errno, "%s", zmq_strerror(errno));
	return 0;
}

void binding_look(struct binding *binding, void *socket, bool in_use)
{
	struct error err = {0};
	enum socket_name_state state;

	if (binding->ipc.path[0] == '\0')
		return;
	state = ipc_path_look(&binding->ipc, &err);
	if (state == SOCKET_NAME_LOST)
		state = listen_anew(binding, socket, in_use, &err) < 0 ? SOCKET_NAME_FAILED
		                                                       : SOCKET_NAME_MENDED;
	ipc_path_tell(&binding->ipc, IPC_PREFIX, state, &err);
}

void binding_release(struct binding *binding)
{
	listening_forget(binding);
	ipc_path_release(&binding->ipc);
}
