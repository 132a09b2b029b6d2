/* The server with front ends that are threads' neighbours: sockets in a directory of its own, grace
 * periods that can be held up, a clock that can be put forward. Tests of the server include it
 * once.
 *
 * WRAP: clock_now_ms
 */
#ifndef SERVER_RIG_H
#define SERVER_RIG_H

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "suite.h"
#include "vhost/server.h"

#define BIT(n)       (UINT64_C(1) << (n))
#define MEMORY_BYTES UINT64_C(0x100000)
#define GUEST_BASE   UINT64_C(0x100000000)
#define FRONT_BASE   UINT64_C(0x7f0000000000)
#define RING_BYTES   UINT64_C(0x4000)
#define USUAL        (BIT(VIRTIO_F_VERSION_1) | BIT(30))
#define PATIENCE_MS  60000 /* of waits for what has to come: never reached where all is well */
#define RIG_RELAYS   2U

static struct server *server;
static struct session_summary summaries[RIG_RELAYS];
static struct virtqueue virtqueues[RIG_RELAYS][SESSION_RINGS];
static _Atomic bool grace_held;
static _Atomic unsigned changes, faults;
static _Atomic uint64_t clock_ahead_ms;
static char directory[64], paths[RIG_RELAYS][96];
static int memory_fd;
static unsigned fds_before;

uint64_t __real_clock_now_ms(void);
uint64_t __wrap_clock_now_ms(void);

uint64_t __wrap_clock_now_ms(void)
{
	return __real_clock_now_ms() + atomic_load(&clock_ahead_ms);
}

static bool rig_grace_begin(void *context, uint64_t *token)
{
	(void)context;
	*token = 1;
	return true;
}

static bool rig_grace_over(void *context, uint64_t token)
{
	(void)context;
	(void)token;
	return !atomic_load(&grace_held);
}

static void rig_changed(void *context, unsigned relay_id)
{
	(void)context;
	(void)relay_id;
	atomic_fetch_add(&changes, 1);
}

static void rig_fault(void *context, unsigned relay_id, unsigned ring, enum virtqueue_fault fault)
{
	(void)context;
	(void)relay_id;
	(void)ring;
	(void)fault;
	atomic_fetch_add(&faults, 1);
}

static inline unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* Waits for a condition that has to come true. */
#define eventually(condition)                                          \
	do {                                                           \
		uint64_t until = __real_clock_now_ms() + PATIENCE_MS;  \
		while (!(condition)) {                                 \
			if (__real_clock_now_ms() > until)             \
				ck_abort_msg("never: %s", #condition); \
			poll(NULL, 0, 1);                              \
		}                                                      \
	} while (0)

static inline struct server_params rig_params(unsigned relay_id)
{
	return (struct server_params){
	        .relay_id = relay_id,
	        .path = paths[relay_id],
	        .owner = (uid_t)-1,
	        .group = (gid_t)-1,
	        .config = {.features = USUAL | BIT(VIRTIO_F_RING_PACKED),
	                   .protocol_features = BIT(PROTOCOL_MQ) | BIT(PROTOCOL_REPLY_ACK),
	                   .mtu_max = 2100},
	        .virtqueues = virtqueues[relay_id],
	        .summary = &summaries[relay_id]};
}

static inline int rig_open(unsigned relay_id, bool client, struct error *err)
{
	struct server_params params = rig_params(relay_id);

	params.client = client;
	return server_open(server, &params, err);
}

static void rig_forget(void *context, int fd)
{
	(void)context;
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
}

static inline void rig_set_up(void)
{
	const struct server_user user = {.grace = {NULL, rig_grace_begin, rig_grace_over},
	                                 .forget = rig_forget,
	                                 .changed = rig_changed,
	                                 .fault = rig_fault};
	struct error err;

	fds_before = count_fds();
	snprintf(directory, sizeof(directory), "/tmp/vhost-server-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	for (unsigned i = 0; i < RIG_RELAYS; i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/socket%u", directory, i);
	memory_fd = memfd_create("guest", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(memory_fd, MEMORY_BYTES), 0);
	server = server_create(&user, &err);
	ck_assert_ptr_nonnull(server);
}

static inline void rig_tear_down(void)
{
	for (unsigned i = 0; i < RIG_RELAYS; i++) {
		server_close(server, i);
		for (unsigned ring = 0; ring < SESSION_RINGS; ring++)
			ck_assert_ptr_null(atomic_load(&virtqueues[i][ring].view));
		ck_assert(!summaries[i].front_end);
		unlink(paths[i]);
	}
	server_destroy(server);
	close(memory_fd);
	ck_assert_int_eq(rmdir(directory), 0);
	ck_assert_uint_eq(count_fds(), fds_before);
}

/* --- a front end ---------------------------------------------------------------------------- */

static inline int fe_try_connect(unsigned relay_id)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", paths[relay_id]);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static inline int fe_connect(unsigned relay_id)
{
	int fd = fe_try_connect(relay_id);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* Part of a message, with a descriptor or -1. */
static inline void fe_send_bytes(int fd, const void *bytes, size_t size, int with)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec from = {(void *)(uintptr_t)bytes, size};
	struct msghdr header = {.msg_iov = &from, .msg_iovlen = 1};

	if (with >= 0) {
		memset(&control, 0, sizeof(control));
		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &with, sizeof(int));
	}
	ck_assert_int_eq(sendmsg(fd, &header, MSG_NOSIGNAL), (ssize_t)size);
}

static inline void fe_send(int fd, const struct message *message, int with)
{
	fe_send_bytes(fd, message, MESSAGE_HEADER_BYTES + message->size, with);
}

static inline struct message fe_message(uint32_t request, uint32_t size)
{
	struct message message = {.request = request, .flags = 1, .size = size};

	return message;
}

static inline void fe_number(int fd, uint32_t request, uint64_t number, int with)
{
	struct message message = fe_message(request, 8);

	message.number = number;
	fe_send(fd, &message, with);
}

static inline void fe_ring(int fd, uint32_t request, uint32_t ring, uint32_t number)
{
	fe_number(fd, request, ring | (uint64_t)number << 32, -1);
}

/* Whether an answer, or the end, is there within so many ms. */
static inline bool fe_hears(int fd, int timeout_ms)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	return poll(&wait, 1, timeout_ms) == 1;
}

static inline uint64_t fe_answer(int fd, uint32_t request)
{
	struct message reply;

	ck_assert(fe_hears(fd, PATIENCE_MS));
	ck_assert_int_eq(recv(fd, &reply, 20, MSG_WAITALL), 20);
	ck_assert_uint_eq(reply.request, request);
	ck_assert_uint_eq(reply.flags, 5);
	ck_assert_uint_eq(reply.size, 8);
	return reply.number;
}

static inline uint64_t fe_ask(int fd, uint32_t request)
{
	struct message message = fe_message(request, 0);

	fe_send(fd, &message, -1);
	return fe_answer(fd, request);
}

/* That the server has hung up; what it said before is passed over. */
static inline void fe_is_dropped(int fd)
{
	char bytes[512];
	ssize_t n;

	do {
		ck_assert(fe_hears(fd, PATIENCE_MS));
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	} while (n > 0);
	ck_assert(n == 0 || errno == ECONNRESET);
	close(fd);
}

static inline struct message fe_memory(void)
{
	struct message message = fe_message(MESSAGE_SET_MEM_TABLE, 40);

	message.table.n_regions = 1;
	message.table.regions[0] = (struct message_region){GUEST_BASE, MEMORY_BYTES, FRONT_BASE, 0};
	return message;
}

static inline struct message fe_addresses(uint32_t ring)
{
	struct message message = fe_message(MESSAGE_SET_VRING_ADDR, 40);
	uint64_t at = FRONT_BASE + ring * RING_BYTES;

	message.addresses =
	        (struct message_ring_addresses){ring, 0, at, at + 0x2000, at + 0x1000, 0};
	return message;
}

static inline void fe_start(int fd, unsigned n_rings)
{
	struct message message = fe_memory();

	fe_number(fd, MESSAGE_SET_FEATURES, USUAL, -1);
	fe_send(fd, &message, memory_fd);
	for (uint32_t ring = 0; ring < n_rings; ring++) {
		message = fe_addresses(ring);
		fe_ring(fd, MESSAGE_SET_VRING_NUM, ring, 256);
		fe_send(fd, &message, -1);
		fe_ring(fd, MESSAGE_SET_VRING_ENABLE, ring, 1);
		fe_number(fd, MESSAGE_SET_VRING_KICK, ring | MESSAGE_NO_FD, -1);
	}
	fe_ask(fd, MESSAGE_GET_QUEUE_NUM);
}

#endif
