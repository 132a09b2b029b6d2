/* A session with a front end's memory, and workers whose grace periods the tests let go by. What a
 * worker has once seen of a view, it touches until then: so whatever is freed, unmapped or closed
 * too early is found, by a sanitizer, a fault, or a call descriptor that is none. Tests of the
 * session include it once.
 */
#ifndef SESSION_RIG_H
#define SESSION_RIG_H

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "suite.h"
#include "vhost/session.h"

/* What ck_assert says costs a system call each time that it holds; these hold very often. */
#define rig_assert(condition)                                         \
	do {                                                          \
		if (!(condition))                                     \
			ck_abort_msg("%s does not hold", #condition); \
	} while (0)

#define BIT(n) (UINT64_C(1) << (n))

#define MEMORY_BYTES UINT64_C(0x200000)
#define GUEST_BASE   UINT64_C(0x100000000) /* of the first region */
#define FRONT_BASE   UINT64_C(0x7f0000000000)
#define RING_BYTES   UINT64_C(0x4000) /* that each ring has for its areas */

/* What is offered, as the daemon will; and bits of offloads, for the captures. */
#define OFFERED                                                                                  \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
	 BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_MQ) |     \
	 BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_MTU) | BIT(VIRTIO_F_RING_PACKED) |  \
	 BIT(VIRTIO_F_IN_ORDER) | BIT(VHOST_F_LOG_ALL) | BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(30))
#define PROTOCOL_OFFERED                                                   \
	(BIT(PROTOCOL_MQ) | BIT(PROTOCOL_LOG_SHMFD) | BIT(PROTOCOL_RARP) | \
	 BIT(PROTOCOL_REPLY_ACK) | BIT(PROTOCOL_NET_MTU) | BIT(PROTOCOL_MEM_SLOTS))
#define USUAL (BIT(VIRTIO_F_VERSION_1) | BIT(30))

static struct vhost_session session;
static struct session_summary summary;
static struct virtqueue virtqueues[SESSION_RINGS];
static uint64_t graces;      /* begun so far */
static uint64_t graces_over; /* those up to this one are over */
static bool grace_at_once;   /* they are over as soon as they have begun */
static unsigned changes, faults;
static unsigned fault_ring;
static enum virtqueue_fault fault_seen;
static int memory_fd, memory_fd_2;
static uint8_t *front_end; /* memory_fd as the front end has it mapped */
static unsigned fds_before;

static inline unsigned count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned n = 0;

	rig_assert(directory != NULL);
	while (readdir(directory) != NULL)
		n++;
	closedir(directory);
	return n;
}

/* --- the workers -------------------------------------------------------------------------- */

static const struct virtqueue_view *seen[1024];
static unsigned n_seen;
static volatile unsigned touched;

static inline void worker_look(void)
{
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++) {
		const struct virtqueue_view *view = atomic_load(&virtqueues[ring].view);
		unsigned i = 0;

		while (view != NULL && i < n_seen && seen[i] != view)
			i++;
		if (view != NULL && i == n_seen) {
			rig_assert(n_seen < 1024);
			seen[n_seen++] = view;
		}
	}
}

/* As a worker would, anywhere in what the view names. */
static inline void worker_touch(void)
{
	for (unsigned i = 0; i < n_seen; i++) {
		const struct virtqueue_view *view = seen[i];
		const struct memory *memory = view->memory;

		touched += *(volatile uint8_t *)view->split + *(volatile uint8_t *)view->avail +
		           *(volatile uint8_t *)view->used;
		for (uint32_t r = 0; r < memory->n_regions; r++)
			touched += *(volatile uint8_t *)memory->regions[r].data +
			           *(volatile uint8_t *)(memory->regions[r].data +
			                                 memory->regions[r].size - 1);
		if (view->log.bits != NULL)
			touched += view->log.bits[0] + view->log.bits[view->log.size - 1];
		if (view->call_fd >= 0)
			rig_assert(fcntl(view->call_fd, F_GETFD) >= 0);
	}
}

/* All passes that were under way have ended: the last moment at which they touched anything. */
static inline void grace_pass(void)
{
	worker_touch();
	n_seen = 0;
	graces_over = graces;
	worker_look();
}

static uint64_t rig_grace_begin(void *context)
{
	rig_assert(context == &session);
	worker_touch();
	graces++;
	if (grace_at_once)
		grace_pass();
	return graces;
}

static bool rig_grace_over(void *context, uint64_t token)
{
	rig_assert(context == &session);
	rig_assert(token > 0 && token <= graces);
	return token <= graces_over;
}

static void rig_changed(void *context)
{
	rig_assert(context == &session);
	changes++;
}

static void rig_fault(void *context, unsigned ring, enum virtqueue_fault fault)
{
	rig_assert(context == &session);
	faults++;
	fault_ring = ring;
	fault_seen = fault;
}

/* A descriptor that views had is still open when it is forgotten: else it would be another's. */
static unsigned forgotten;
static int forgotten_last;

static void rig_forget(void *context, int fd)
{
	rig_assert(context == &session);
	rig_assert(fcntl(fd, F_GETFD) >= 0);
	forgotten++;
	forgotten_last = fd;
}

/* NULL: none are kept. */
static struct journal *journals;
static uint64_t front_end_id;

/* --- a session ------------------------------------------------------------------------------ */

static struct session_config rig_config = {
        .features = OFFERED, .protocol_features = PROTOCOL_OFFERED, .mtu_max = 2100};

static inline void rig_connect(void)
{
	const struct session_host host = {.context = &session,
	                                  .virtqueues = virtqueues,
	                                  .summary = &summary,
	                                  .journals = journals,
	                                  .front_end = front_end_id,
	                                  .grace_begin = rig_grace_begin,
	                                  .grace_over = rig_grace_over,
	                                  .forget = rig_forget,
	                                  .changed = rig_changed,
	                                  .fault = rig_fault};

	vhost_session_init(&session, &rig_config, &host);
}

static inline int rig_memfd(uint64_t size)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	rig_assert(fd >= 0);
	rig_assert(ftruncate(fd, (off_t)size) == 0);
	return fd;
}

static inline void rig_set_up(void)
{
	fds_before = count_fds();
	memory_fd = rig_memfd(MEMORY_BYTES);
	memory_fd_2 = rig_memfd(MEMORY_BYTES);
	front_end = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	rig_assert(front_end != MAP_FAILED);
	memset(virtqueues, 0, sizeof(virtqueues));
	graces = graces_over = 0;
	grace_at_once = true;
	n_seen = changes = faults = forgotten = 0;
	rig_connect();
}

/* The connection ends, and nothing of it is left. */
static inline void rig_disconnect(void)
{
	enum session_next next = vhost_session_end(&session);

	while (next != SESSION_OVER) {
		rig_assert(next == SESSION_WAITS);
		grace_pass();
		next = vhost_session_continue(&session);
	}
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++)
		rig_assert(atomic_load(&virtqueues[ring].view) == NULL);
	rig_assert(summary.running == 0);
	n_seen = 0;
}

static inline void rig_tear_down(void)
{
	rig_disconnect();
	munmap(front_end, MEMORY_BYTES);
	close(memory_fd);
	close(memory_fd_2);
	rig_assert(count_fds() == fds_before);
}

/* --- messages ------------------------------------------------------------------------------- */

static inline struct message rig_message(uint32_t request, uint32_t size)
{
	struct message message = {.request = request, .flags = MESSAGE_VERSION, .size = size};

	return message;
}

/* Hands it over, with copies of the descriptors. */
static inline enum session_next rig_send(const struct message *message, const int *fds,
                                         unsigned n_fds)
{
	int copies[MESSAGE_FDS_ROOM];
	enum session_next next;

	for (unsigned i = 0; i < n_fds; i++) {
		copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		rig_assert(copies[i] >= 0);
	}
	next = vhost_session_handle(&session, message, copies, n_fds);
	worker_look();
	return next;
}

/* That it is taken at once, and not answered. */
static inline void rig_silent(const struct message *message, const int *fds, unsigned n_fds)
{
	rig_assert(rig_send(message, fds, n_fds) == SESSION_READS);
	rig_assert(session.reply.request == 0);
}

static inline void rig_breaks(const struct message *message, const int *fds, unsigned n_fds)
{
	session.err.text[0] = '\0';
	rig_assert(rig_send(message, fds, n_fds) == SESSION_BREAKS);
	ck_assert_str_ne(session.err.text, "");
	rig_disconnect();
	rig_connect();
}

static inline struct message number_message(uint32_t request, uint64_t number)
{
	struct message message = rig_message(request, 8);

	message.number = number;
	return message;
}

static inline struct message ring_message(uint32_t request, uint32_t ring, uint32_t number)
{
	struct message message = rig_message(request, 8);

	message.ring = (struct message_ring){ring, number};
	return message;
}

static inline struct message region_message(uint32_t request, uint64_t guest, uint64_t size,
                                            uint64_t front, uint64_t offset)
{
	struct message message = rig_message(request, 40);

	message.slot.padding = 0;
	message.slot.region = (struct message_region){guest, size, front, offset};
	return message;
}

static inline struct message table_message(void)
{
	struct message message = rig_message(MESSAGE_SET_MEM_TABLE, 40);

	message.table.n_regions = 1;
	message.table.padding = 0;
	message.table.regions[0] = (struct message_region){GUEST_BASE, MEMORY_BYTES, FRONT_BASE, 0};
	return message;
}

static inline struct message addresses_message(uint32_t ring, uint32_t flags)
{
	struct message message = rig_message(MESSAGE_SET_VRING_ADDR, 40);
	uint64_t at = FRONT_BASE + ring * RING_BYTES;

	message.addresses = (struct message_ring_addresses){
	        ring, flags, at, at + 0x2000, at + 0x1000, GUEST_BASE + ring * RING_BYTES + 0x2000};
	return message;
}

static inline void rig_number(uint32_t request, uint64_t number)
{
	struct message message = number_message(request, number);

	rig_silent(&message, NULL, 0);
}

static inline void rig_ring(uint32_t request, uint32_t ring, uint32_t number)
{
	struct message message = ring_message(request, ring, number);

	rig_silent(&message, NULL, 0);
}

static inline void rig_memory(void)
{
	struct message message = table_message();

	rig_silent(&message, &memory_fd, 1);
}

/* A descriptor goes along, and is closed here: the session has its own. Returns another one of the
 * same eventfd, or -1. */
static inline int rig_fd_message(uint32_t request, uint32_t ring)
{
	struct message message = number_message(request, ring);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	rig_assert(fd >= 0);
	rig_silent(&message, &fd, 1);
	return fd;
}

static inline void rig_start_ring(uint32_t ring)
{
	struct message addresses = addresses_message(ring, 0);

	rig_ring(MESSAGE_SET_VRING_NUM, ring, 256);
	rig_silent(&addresses, NULL, 0);
	close(rig_fd_message(MESSAGE_SET_VRING_KICK, ring));
}

/* With n rings that run, all enabled. */
static inline void rig_start(uint64_t features, unsigned n)
{
	rig_number(MESSAGE_SET_FEATURES, features);
	rig_memory();
	for (unsigned ring = 0; ring < n; ring++) {
		rig_ring(MESSAGE_SET_VRING_ENABLE, ring, 1);
		rig_start_ring(ring);
	}
}

static inline uint64_t eventfd_value(int fd)
{
	uint64_t value = 0;

	return read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

#endif
