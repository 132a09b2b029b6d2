/* What front ends have been seen to send, replayed: every message is taken, is answered exactly
 * when it has to be, and leaves the rings as a simple model says. Each also with grace periods that
 * take a while.
 *
 * A line of a capture is a connection's beginning or end, a comment, or a message: request, flags
 * and the payload in words of 64 bits, all but the first in hexadecimal, then what its descriptors
 * are: e an eventfd, mN the N-th memory, l a log. What we do not offer is left out of them: the
 * device's status, and bits of protocol features.
 */
#include <stdio.h>

#include "project_file.h"
#include "session_rig.h"

#define MEMORIES 8

static int memories[MEMORIES];
static int log_fd;
static bool slow; /* grace periods take their time */
/* The model. */
static uint64_t started, enabled, features;
static unsigned lines;

static int fd_of(const char *word)
{
	if (word[0] == 'e')
		return eventfd(0, EFD_CLOEXEC);
	if (word[0] == 'l') {
		if (log_fd < 0)
			log_fd = rig_memfd(0x400000);
		return fcntl(log_fd, F_DUPFD_CLOEXEC, 0);
	}
	int *memory = &memories[word[1] - '0'];
	if (*memory < 0)
		*memory = rig_memfd(0x10000000);
	return fcntl(*memory, F_DUPFD_CLOEXEC, 0);
}

static void parse(char *line, struct message *message, int *fds, unsigned *n_fds)
{
	char *save, *word = strtok_r(line, " \n", &save);

	memset(message, 0, sizeof(*message));
	*n_fds = 0;
	message->request = (uint32_t)strtoul(word, NULL, 10);
	message->flags = (uint32_t)strtoul(strtok_r(NULL, " \n", &save), NULL, 16);
	while ((word = strtok_r(NULL, " \n", &save)) != NULL) {
		char *end;
		uint64_t value = strtoull(word, &end, 16);

		if (*end == '\0' && word[0] != 'e') {
			memcpy(message->bytes + message->size, &value, sizeof(value));
			message->size += sizeof(value);
		} else {
			fds[(*n_fds)++] = fd_of(word);
		}
	}
}

static bool has_own_reply(uint32_t request)
{
	return request == 1 || request == 15 || request == 17 || request == 36 || request == 11 ||
	       request == 6;
}

static void model(const struct message *message)
{
	unsigned ring = message->bytes[0];

	switch (message->request) {
	case MESSAGE_SET_FEATURES:
		features = message->number;
		break;
	case MESSAGE_SET_VRING_KICK:
		started |= BIT(ring);
		break;
	case MESSAGE_GET_VRING_BASE:
		started &= ~BIT(ring);
		break;
	case MESSAGE_SET_VRING_ENABLE:
		enabled = message->ring.number ? enabled | BIT(ring) : enabled & ~BIT(ring);
		break;
	default:
		break;
	}
}

static void check(const struct message *message)
{
	bool logs = (features & BIT(VHOST_F_LOG_ALL)) != 0;

	ck_assert_uint_eq(summary.running, started);
	ck_assert_uint_eq(summary.features, features);
	ck_assert_uint_eq(summary.enabled, features & BIT(30) ? enabled : UINT64_MAX);
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++) {
		const struct virtqueue_view *view = atomic_load(&virtqueues[ring].view);

		ck_assert(view == NULL || (started & BIT(ring)) != 0);
		/* Those that go on after others have stopped come back with the next message. */
		ck_assert(view != NULL || (started & BIT(ring)) == 0 ||
		          message->request == MESSAGE_GET_VRING_BASE);
		if (view == NULL)
			continue;
		ck_assert_int_eq(view->log.bits != NULL, logs);
		ck_assert_int_eq(view->is_packed, features >> VIRTIO_F_RING_PACKED & 1);
		ck_assert_int_eq(view->call_fd, session.call_fds[ring]);
	}
	if (has_own_reply(message->request) || message_needs_reply(message)) {
		ck_assert_uint_eq(session.reply.request, message->request);
		ck_assert_uint_eq(session.reply.flags, 5);
		ck_assert_uint_eq(session.reply.size, 8);
		if (!has_own_reply(message->request) || message->request == MESSAGE_SET_LOG_BASE)
			ck_assert_uint_eq(session.reply.number, 0);
	} else {
		ck_assert_uint_eq(session.reply.request, 0);
	}
}

static void replay_message(char *line)
{
	struct message message;
	int fds[MESSAGE_FDS_MAX];
	enum session_next next;
	unsigned n_fds;

	parse(line, &message, fds, &n_fds);
	next = vhost_session_handle(&session, &message, fds, n_fds);
	worker_look();
	for (unsigned passes = 0; next == SESSION_WAITS; passes++) {
		ck_assert_uint_lt(passes, 4);
		ck_assert_uint_eq(session.reply.request, 0);
		if (passes > 0)
			grace_pass();
		next = vhost_session_continue(&session);
	}
	ck_assert_msg(next == SESSION_READS, "%s", session.err.text);
	model(&message);
	check(&message);
	if (!slow || lines % 7 == 0) {
		grace_pass();
		ck_assert_int_eq(vhost_session_look(&session), SESSION_READS);
	}
}

static void replay(const char *name)
{
	char path[PATH_MAX], line[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.txt", project_path("test/unit/vhost/captures"), name);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	lines = 0;
	while (fgets(line, sizeof(line), file) != NULL) {
		lines++;
		if (line[0] == '#')
			continue;
		if (strncmp(line, "connect", 7) == 0) {
			rig_disconnect();
			rig_connect();
			started = enabled = features = 0;
		} else if (strncmp(line, "close", 5) != 0) {
			replay_message(line);
		}
	}
	fclose(file);
	ck_assert_uint_gt(lines, 5);
}

static const char *const captures[] = {
        "noproto",
        "packed",
        "plain-target",
        "plain",
        "rarp-target",
        "rarp",
        "server",
        "slots",
        "vuser-client",
        "vuser-server-packed",
        "vuser-status-packed",
};

static void set_up(void)
{
	/* The bits of offloads that QEMU negotiated there; and two of the control queue's, which
	 * virtio-user hands on as the server. */
	rig_config.features |= BIT(0) | BIT(1) | BIT(7) | BIT(8) | BIT(11) | BIT(12);
	rig_config.features_borne = BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR);
	for (unsigned i = 0; i < MEMORIES; i++)
		memories[i] = -1;
	log_fd = -1;
	rig_set_up();
}

static void tear_down(void)
{
	for (unsigned i = 0; i < MEMORIES; i++)
		if (memories[i] >= 0)
			close(memories[i]);
	if (log_fd >= 0)
		close(log_fd);
	rig_tear_down();
}

START_TEST(at_once)
{
	slow = false;
	grace_at_once = true;
	replay(captures[_i]);
}
END_TEST

START_TEST(with_grace_periods)
{
	slow = true;
	grace_at_once = false;
	replay(captures[_i]);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("session_captures");
	int n = sizeof(captures) / sizeof(captures[0]);

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, at_once, 0, n);
	tcase_add_loop_test(tcase, with_grace_periods, 0, n);
	return suite_main("session_captures", tcase);
}
