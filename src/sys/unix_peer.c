/* Sockets that others serve. See unix_peer.h. */
#include "sys/unix_peer.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_MAX    32768 /* the kernel's datagrams of a list are no longer */
#define LISTENERS_MAX 65536
#define TIMEOUT_S     1

/* --- who listens ---------------------------------------------------------------------------- */

/* Copies an attribute's value, if it has that size. */
static void attribute_copy(const struct rtattr *head, const uint8_t *data, uint16_t type, void *out,
                           size_t size)
{
	if ((head->rta_type & NLA_TYPE_MASK) == type && head->rta_len >= sizeof(*head) + size)
		memcpy(out, data + sizeof(*head), size);
}

/* One socket: false when it has no file. */
static bool listener_read(const uint8_t *data, size_t len, struct unix_listener *out)
{
	struct unix_diag_vfs file = {0};
	struct unix_diag_rqlen queue = {0};
	struct rtattr head;

	for (size_t at = NLMSG_ALIGN(sizeof(struct unix_diag_msg)); at + sizeof(head) <= len;
	     at += RTA_ALIGN((size_t)head.rta_len)) {
		memcpy(&head, data + at, sizeof(head));
		if (head.rta_len < sizeof(head) || head.rta_len > len - at)
			break;
		attribute_copy(&head, data + at, UNIX_DIAG_VFS, &file, sizeof(file));
		attribute_copy(&head, data + at, UNIX_DIAG_RQLEN, &queue, sizeof(queue));
	}
	*out = (struct unix_listener){.device = file.udiag_vfs_dev,
	                              .inode = file.udiag_vfs_ino,
	                              .waiting = queue.udiag_rqueue};
	return file.udiag_vfs_ino != 0;
}

static int listener_add(const struct unix_listener *one, struct unix_listener **list, size_t *count)
{
	struct unix_listener *more;

	if (*count == LISTENERS_MAX)
		return -E2BIG;
	more = reallocarray(*list, *count + 1, sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	more[(*count)++] = *one;
	*list = more;
	return 0;
}

int unix_listeners_parse(const void *message, size_t len, struct unix_listener **list,
                         size_t *count)
{
	const uint8_t *data = message;
	struct unix_listener one;
	struct nlmsghdr head;

	for (size_t at = 0; at + sizeof(head) <= len; at += NLMSG_ALIGN((size_t)head.nlmsg_len)) {
		memcpy(&head, data + at, sizeof(head));
		if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > len - at)
			return -EBADMSG;
		if (head.nlmsg_type == NLMSG_DONE)
			return 0;
		if (head.nlmsg_type == NLMSG_ERROR)
			return -EOPNOTSUPP;
		if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		    !listener_read(data + at + NLMSG_HDRLEN, head.nlmsg_len - NLMSG_HDRLEN, &one))
			continue;
		int rc = listener_add(&one, list, count);
		if (rc < 0)
			return rc;
	}
	return 1;
}

static int request_send(int fd)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req what;
	} request = {
	        .head = {.nlmsg_len = sizeof(request),
	                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
	                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	        .what = {.sdiag_family = AF_UNIX,
	                 .udiag_states = 1U << TCP_LISTEN,
	                 .udiag_show = UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN},
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const struct timeval limit = {.tv_sec = TIMEOUT_S};

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&kernel,
	              sizeof(kernel)) < 0
	               ? -errno
	               : 0;
}

static int answers_read(int fd, struct unix_listener **list, size_t *count)
{
	uint8_t *buffer = malloc(ANSWER_MAX);
	int rc = buffer != NULL ? 1 : -ENOMEM;

	while (rc > 0) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, buffer, ANSWER_MAX, MSG_TRUNC, (struct sockaddr *)&from,
		                     &from_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = -errno;
		else if (n > ANSWER_MAX)
			rc = -EMSGSIZE;
		else if (from.nl_pid == 0)
			rc = unix_listeners_parse(buffer, (size_t)n, list, count);
	}
	free(buffer);
	return rc;
}

struct unix_listener *unix_listeners_read(size_t *count)
{
	struct unix_listener *list = NULL;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	*count = 0;
	if (fd < 0)
		return NULL;
	if (request_send(fd) == 0)
		(void)answers_read(fd, &list, count); /* as many as there were is what we know */
	close(fd);
	return list;
}

/* --- what is at a path ---------------------------------------------------------------------- */

static enum unix_peer listener_look(const struct stat *st, const struct unix_listener *listeners,
                                    size_t count)
{
	uint32_t device = major(st->st_dev) << 20 | minor(st->st_dev);

	for (size_t i = 0; i < count; i++) {
		if (listeners[i].inode == (uint32_t)st->st_ino && listeners[i].device == device)
			return listeners[i].waiting > 0 ? UNIX_PEER_BUSY : UNIX_PEER_LISTENS;
	}
	return UNIX_PEER_STALE;
}

enum unix_peer unix_peer_look(const char *path, const struct unix_listener *listeners, size_t count)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT   ? UNIX_PEER_NOTHING
		       : errno == EACCES ? UNIX_PEER_CLOSED
		                         : UNIX_PEER_UNKNOWN;
	if (S_ISDIR(st.st_mode))
		return UNIX_PEER_DIRECTORY;
	if (!S_ISSOCK(st.st_mode))
		return UNIX_PEER_FILE;
	if (access(path, W_OK) < 0)
		return UNIX_PEER_CLOSED;
	return listener_look(&st, listeners, count);
}
