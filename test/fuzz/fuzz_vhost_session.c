/* Any messages of a front end, with descriptors of every kind, through a session: what may be
 * answered is answered as it has to be, nothing that a worker still sees is let go of, and no
 * descriptor is left over.
 *
 * An input is a row of records: a byte of what happens around a message (the EVENT_s), a byte with
 * the kinds of its first four descriptors (two bits each; more are of the last one's kind), and the
 * message as on the wire.
 */
#include <fcntl.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vhost/disabled_rings.h"
#include "vhost/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BIT(n) (UINT64_C(1) << (n))

#define EVENT_FDS   7U    /* number of descriptors */
#define EVENT_PASS  0x08U /* the workers pass at once, else when the session waits for it */
#define EVENT_LOOK  0x10U
#define EVENT_FAULT 0x20U /* ring 0 to 3, by the kinds, has broken a rule */
#define EVENT_AGAIN 0x40U /* the front end comes anew, before the message */
#define EVENT_END   0x80U /* it leaves after the message, whether that has been finished or not */

#define MEMORY_BYTES UINT64_C(0x18000000)
#define SEEN_MAX     1024U

/* Kept from input to input, but for the session. */
static struct {
	struct vhost_session session;
	struct session_summary summary;
	struct virtqueue virtqueues[SESSION_RINGS];
	int kinds[4]; /* two files of memory, one of them a log; an eventfd; a pipe */
	uint64_t begun, over;
	uint64_t now_ms;
	const struct virtqueue_view *seen[SEEN_MAX]; /* by workers, since the last pass */
	unsigned n_seen;
} fuzz = {.kinds = {-1, -1, -1, -1}};

static volatile unsigned touched;

static void must(int condition)
{
	if (!condition)
		abort();
}

static void make_descriptors(void)
{
	int pair[2];

	if (fuzz.kinds[0] >= 0)
		return;
	for (unsigned i = 0; i < 2; i++) {
		fuzz.kinds[i] = memfd_create("fuzz", MFD_CLOEXEC);
		must(ftruncate(fuzz.kinds[i], (off_t)MEMORY_BYTES) == 0);
	}
	fuzz.kinds[2] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(pipe2(pair, O_CLOEXEC) == 0);
	fuzz.kinds[3] = pair[1];
}

/* --- workers ---------------------------------------------------------------------------------- */

static void worker_look(void)
{
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++) {
		const struct virtqueue_view *view = atomic_load(&fuzz.virtqueues[ring].view);

		if (view != NULL && fuzz.n_seen < SEEN_MAX)
			fuzz.seen[fuzz.n_seen++] = view;
	}
}

/* Wherever a view leads, to its first and last bytes. */
static void worker_touch(void)
{
	for (unsigned i = 0; i < fuzz.n_seen; i++) {
		const struct virtqueue_view *view = fuzz.seen[i];

		must(view->size > 0 && view->size <= VIRTQUEUE_SIZE_MAX);
		touched += *(volatile uint8_t *)view->split +
		           *((volatile uint8_t *)view->split + 16U * view->size - 1) +
		           *(volatile uint8_t *)view->avail + *(volatile uint8_t *)view->used;
		for (uint32_t r = 0; r < view->memory->n_regions; r++)
			touched += view->memory->regions[r].data[0];
		if (view->log.bits != NULL)
			touched += view->log.bits[view->log.size - 1];
		must(view->call_fd < 0 || fcntl(view->call_fd, F_GETFD) >= 0);
	}
}

static void pass(void)
{
	worker_touch();
	fuzz.n_seen = 0;
	fuzz.over = fuzz.begun;
	worker_look();
}

static uint64_t grace_begin(void *context)
{
	(void)context;
	return ++fuzz.begun;
}

static bool grace_over(void *context, uint64_t token)
{
	(void)context;
	return token <= fuzz.over;
}

static void ignore(void *context)
{
	(void)context;
}

static void ignore_fault(void *context, unsigned ring, enum virtqueue_fault fault)
{
	(void)context;
	must(ring < SESSION_RINGS && fault != FAULT_NONE);
}

/* --- sessions --------------------------------------------------------------------------------- */

static void ignore_fd(void *context, int fd)
{
	(void)context;
	must(fcntl(fd, F_GETFD) >= 0);
}

static void connect_again(void)
{
	static const struct session_config config = {
	        .features = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_ANY_LAYOUT) |
	                    BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX) |
	                    BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_MQ) |
	                    BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_MTU) |
	                    BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_F_IN_ORDER) |
	                    BIT(VHOST_F_LOG_ALL) | BIT(30) | 0x1983,
	        .protocol_features = 0x801f,
	        .mtu_max = 2100};
	const struct session_host host = {.virtqueues = fuzz.virtqueues,
	                                  .summary = &fuzz.summary,
	                                  .grace_begin = grace_begin,
	                                  .grace_over = grace_over,
	                                  .forget = ignore_fd,
	                                  .changed = ignore,
	                                  .fault = ignore_fault};

	vhost_session_init(&fuzz.session, &config, &host);
}

static void disconnect(void)
{
	unsigned passes = 0;

	for (enum session_next next = vhost_session_end(&fuzz.session); next != SESSION_OVER;
	     next = vhost_session_continue(&fuzz.session)) {
		must(next == SESSION_WAITS && passes++ < 4);
		pass();
	}
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++)
		must(atomic_load(&fuzz.virtqueues[ring].view) == NULL);
	must(fuzz.summary.running == 0);
	fuzz.n_seen = 0;
}

/* Through to its end. False when the session has broken. */
static bool conclude(const struct message *message, enum session_next next)
{
	for (unsigned passes = 0; next == SESSION_WAITS; passes++) {
		must(passes < 8);
		worker_look();
		pass();
		next = vhost_session_continue(&fuzz.session);
	}
	if (next == SESSION_BREAKS) {
		must(fuzz.session.err.text[0] != '\0');
		return false;
	}
	must(next == SESSION_READS);
	must(!message_needs_reply(message) || fuzz.session.reply.request == message->request);
	must(fuzz.session.reply.request == 0 ||
	     (fuzz.session.reply.flags == 5 && fuzz.session.reply.size == 8));
	return true;
}

/* What comes with a message, and around it. */
static void take(uint8_t events, uint8_t kinds, const struct message *message)
{
	int fds[EVENT_FDS];
	unsigned n_fds = events & EVENT_FDS;
	enum session_next next;

	if ((events & EVENT_AGAIN) != 0) {
		disconnect();
		connect_again();
	}
	for (unsigned i = 0; i < n_fds; i++)
		fds[i] = fcntl(fuzz.kinds[kinds >> (i < 4 ? 2 * i : 6) & 3], F_DUPFD_CLOEXEC, 0);
	if ((events & EVENT_FAULT) != 0)
		atomic_store(&fuzz.virtqueues[kinds & 3].fault, FAULT_ADDRESS);
	if ((events & EVENT_LOOK) != 0) {
		must(vhost_session_look(&fuzz.session) == SESSION_READS);
		fuzz.now_ms +=
		        DISABLED_RINGS_MS; /* at the second look, they have been so for long */
		disabled_rings_look(&fuzz.session, fuzz.now_ms);
	}
	next = vhost_session_handle(&fuzz.session, message, fds, n_fds);
	worker_look();
	if ((events & EVENT_PASS) != 0)
		pass();
	if ((events & EVENT_END) != 0 || !conclude(message, next)) {
		disconnect();
		connect_again();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message message;
	int lowest, after;

	make_descriptors();
	lowest = fcntl(fuzz.kinds[0], F_DUPFD_CLOEXEC, 0);
	close(lowest);
	memset(fuzz.virtqueues, 0, sizeof(fuzz.virtqueues));
	connect_again();
	while (size >= 2 + MESSAGE_HEADER_BYTES) {
		size_t left = size - 2, payload;

		memcpy(&message, data + 2, MESSAGE_HEADER_BYTES);
		payload = message.size % (MESSAGE_PAYLOAD_MAX + 1);
		if (payload > left - MESSAGE_HEADER_BYTES)
			payload = left - MESSAGE_HEADER_BYTES;
		memset(message.bytes, 0, sizeof(message.bytes));
		memcpy(message.bytes, data + 2 + MESSAGE_HEADER_BYTES, payload);
		take(data[0], data[1], &message);
		data += 2 + MESSAGE_HEADER_BYTES + payload;
		size -= 2 + MESSAGE_HEADER_BYTES + payload;
	}
	disconnect();
	after = fcntl(fuzz.kinds[0], F_DUPFD_CLOEXEC, 0);
	close(after);
	must(after == lowest); /* nothing is open that was not */
	return 0;
}
