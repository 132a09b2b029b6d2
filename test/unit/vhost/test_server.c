/* The server: front ends come, go, hang, knock in crowds and stop at any byte; and those beside
 * them hear nothing of it.
 */
#include "server_rig.h"

/* A relay that serves, and its front end. */
static int meet(unsigned relay_id)
{
	struct error err;

	ck_assert_int_eq(rig_open(relay_id, false, &err), 0);
	return fe_connect(relay_id);
}

START_TEST(a_front_end)
{
	int fd;

	fd = meet(0);
	ck_assert_uint_eq(fe_ask(fd, MESSAGE_GET_FEATURES), USUAL | BIT(VIRTIO_F_RING_PACKED));
	ck_assert(summaries[0].front_end);
	fe_start(fd, 4);
	ck_assert_uint_eq(summaries[0].running, 0xf);
	ck_assert_uint_eq(summaries[0].enabled, 0xf);
	ck_assert_ptr_nonnull(atomic_load(&virtqueues[0][3].view));
	virtqueues[0][1].at.index = 99;
	fe_ring(fd, MESSAGE_GET_VRING_BASE, 1, 0);
	ck_assert_uint_eq(fe_answer(fd, MESSAGE_GET_VRING_BASE), 1 | UINT64_C(99) << 32);
	/* The others go on, though no message has them do so. */
	eventually(atomic_load(&virtqueues[0][0].view) != NULL);
	close(fd);
	eventually(!summaries[0].front_end && summaries[0].running == 0);
	fd = fe_connect(0); /* and again */
	fe_start(fd, 1);
	ck_assert_uint_eq(summaries[0].running, 1);
	close(fd);
}
END_TEST

START_TEST(a_second_one_is_turned_away)
{
	int fd, second;

	fd = meet(0);
	fe_ask(fd, MESSAGE_GET_FEATURES);
	second = fe_connect(0);
	fe_is_dropped(second);
	fe_ask(fd, MESSAGE_GET_FEATURES);
	close(fd);
}
END_TEST

/* One that comes as the last one leaves is served, however near that is. */
START_TEST(one_after_another)
{
	struct error err;

	ck_assert_int_eq(rig_open(0, false, &err), 0);
	for (unsigned i = 0; i < 200; i++) {
		int fd = fe_connect(0);

		fe_ask(fd, MESSAGE_GET_FEATURES);
		close(fd);
	}
}
END_TEST

START_TEST(a_crowd)
{
	int fd;

	fd = meet(0);
	fe_start(fd, 1);
	for (unsigned i = 0; i < 1000; i++)
		close(fe_connect(0));
	fe_ask(fd, MESSAGE_GET_FEATURES);
	ck_assert_uint_eq(summaries[0].running, 1);
	close(fd);
}
END_TEST

static int listen_as_front_end(unsigned relay_id)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", paths[relay_id]);
	unlink(address.sun_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

/* We connect, and again whenever it is lost. */
START_TEST(client_mode)
{
	struct error err;
	int listening, fd;

	ck_assert_int_eq(rig_open(0, true, &err), 0); /* before anybody is there */
	listening = listen_as_front_end(0);
	for (unsigned i = 0; i < 3; i++) {
		fd = accept(listening, NULL, NULL);
		ck_assert_int_ge(fd, 0);
		fe_start(fd, 2);
		ck_assert_uint_eq(summaries[0].running, 3);
		close(fd);
	}
	close(listening);
	eventually(!summaries[0].front_end);
	listening = listen_as_front_end(0);
	fd = accept(listening, NULL, NULL);
	fe_ask(fd, MESSAGE_GET_FEATURES);
	server_refuse(server, 0);
	fe_is_dropped(fd);
	server_close(server, 0);
	ck_assert(!fe_hears(listening, 50));
	close(listening);
}
END_TEST

/* --- what is awaited ------------------------------------------------------------------------- */

START_TEST(a_grace_period_is_waited_for_by_its_session_only)
{
	int fd, other;

	fd = meet(0);
	other = meet(1);
	fe_start(fd, 2);
	fe_start(other, 2);
	grace_held = true;
	fe_ring(fd, MESSAGE_GET_VRING_BASE, 0, 0);
	eventually(atomic_load(&virtqueues[0][0].view) == NULL);
	for (unsigned i = 0; i < 20; i++)
		fe_ask(other, MESSAGE_GET_FEATURES);
	ck_assert_ptr_nonnull(atomic_load(&virtqueues[1][0].view));
	/* Another session's wait begins in the midst of this one's. */
	fe_ring(other, MESSAGE_GET_VRING_BASE, 0, 0);
	ck_assert(!fe_hears(fd, 20) && !fe_hears(other, 0));
	grace_held = false;
	fe_answer(fd, MESSAGE_GET_VRING_BASE);
	fe_answer(other, MESSAGE_GET_VRING_BASE);
	close(fd);
	close(other);
}
END_TEST

START_TEST(it_leaves_while_its_session_waits)
{
	int fd;

	fd = meet(0);
	fe_start(fd, 2);
	grace_held = true;
	fe_ring(fd, MESSAGE_GET_VRING_BASE, 0, 0);
	eventually(atomic_load(&virtqueues[0][0].view) == NULL);
	close(fd);
	eventually(!summaries[0].front_end);
	ck_assert_uint_eq(summaries[0].running, 3); /* workers may still be there */
	fd = fe_connect(0);                         /* waits in the queue */
	ck_assert(!fe_hears(fd, 20));
	grace_held = false;
	fe_start(fd, 1);
	ck_assert_uint_eq(summaries[0].running, 1);
	close(fd);
}
END_TEST

/* Half a message, at one byte a second say, has its sender dropped after five. */
START_TEST(half_a_message)
{
	struct message message = fe_memory();
	int fd, other;

	fd = meet(0);
	other = meet(1);
	fe_ask(fd, MESSAGE_GET_FEATURES);
	fe_ask(other, MESSAGE_GET_FEATURES);
	fe_send_bytes(fd, &message, 1, memory_fd);
	for (unsigned i = 1; i < 4; i++) {
		fe_send_bytes(fd, (const char *)&message + i, 1, -1);
		ck_assert(!fe_hears(fd, 10)); /* it has been seen by now, or will be */
		clock_ahead_ms += 1000;
		fe_ask(other, MESSAGE_GET_FEATURES);
	}
	clock_ahead_ms += 3000;
	fe_ask(other, MESSAGE_GET_FEATURES); /* idle has no limit */
	fe_is_dropped(fd);
	fe_ask(other, MESSAGE_GET_FEATURES);
	close(other);
}
END_TEST

START_TEST(answers_that_are_not_read)
{
	struct message message = fe_message(MESSAGE_GET_FEATURES, 0);
	struct pollfd writable;
	int fd, other;

	fd = meet(0);
	other = meet(1);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	writable = (struct pollfd){.fd = fd, .events = POLLOUT};
	while (poll(&writable, 1, 200) == 1)
		while (send(fd, &message, 12, MSG_NOSIGNAL) > 0)
			;
	fe_ask(other, MESSAGE_GET_FEATURES);
	/* Read in time, all of them come. */
	for (unsigned i = 0; i < 10; i++)
		fe_answer(fd, MESSAGE_GET_FEATURES);
	clock_ahead_ms += 6000;
	fe_ask(other, MESSAGE_GET_FEATURES);
	fe_is_dropped(fd);
	close(other);
}
END_TEST

/* --- cut off --------------------------------------------------------------------------------- */

/* A session's messages in a row, as bytes, with the places at which descriptors go along. */
struct script {
	char bytes[1024];
	size_t size;
	size_t fd_at[8];
	int fd[8];
	unsigned n_fds;
};

static void add(struct script *script, const struct message *message, int fd)
{
	if (fd >= 0) {
		script->fd_at[script->n_fds] = script->size;
		script->fd[script->n_fds++] = fd;
	}
	memcpy(script->bytes + script->size, message, MESSAGE_HEADER_BYTES + message->size);
	script->size += MESSAGE_HEADER_BYTES + message->size;
}

static void add_number(struct script *script, uint32_t request, uint64_t number, int fd)
{
	struct message message = fe_message(request, 8);

	message.number = number;
	add(script, &message, fd);
}

static void write_script(struct script *script, int event)
{
	struct message message = fe_message(MESSAGE_GET_FEATURES, 0);

	memset(script, 0, sizeof(*script));
	add(script, &message, -1);
	add_number(script, MESSAGE_SET_VRING_CALL, 0, event);
	add_number(script, MESSAGE_SET_FEATURES, USUAL, -1);
	message = fe_memory();
	add(script, &message, memory_fd);
	add_number(script, MESSAGE_SET_VRING_NUM, UINT64_C(256) << 32, -1);
	message = fe_addresses(0);
	add(script, &message, -1);
	add_number(script, MESSAGE_SET_VRING_KICK, 0, event);
	add_number(script, MESSAGE_SET_VRING_CALL, 0, event);
	add_number(script, MESSAGE_GET_VRING_BASE, 0, -1);
}

/* As far as the cut. Sends are cut where descriptors go along. */
static void play(const struct script *script, int fd, size_t cut)
{
	size_t at = 0;

	for (unsigned i = 0; i <= script->n_fds && at < cut; i++) {
		size_t next = i < script->n_fds && script->fd_at[i] < cut ? script->fd_at[i] : cut;

		if (next > at)
			fe_send_bytes(fd, script->bytes + at, next - at,
			              i > 0 ? script->fd[i - 1] : -1);
		at = next;
	}
}

START_TEST(cut_after_each_byte)
{
	int event = eventfd(0, EFD_CLOEXEC), bystander;
	struct script script;
	struct error err;
	unsigned fds;

	write_script(&script, event);
	ck_assert_int_eq(rig_open(0, false, &err), 0);
	bystander = meet(1);
	fe_start(bystander, 2);
	fds = count_fds();
	for (size_t cut = 0; cut <= script.size; cut++) {
		int fd = fe_connect(0);

		eventually(summaries[0].front_end);
		play(&script, fd, cut);
		close(fd);
		eventually(!summaries[0].front_end);
		if (cut % 16 == 0)
			fe_ask(bystander, MESSAGE_GET_FEATURES);
	}
	eventually(!summaries[0].front_end && summaries[0].running == 0);
	eventually(count_fds() == fds);
	ck_assert_uint_eq(summaries[1].running, 3);
	close(bystander);
	close(event);
}
END_TEST

/* --- faults ---------------------------------------------------------------------------------- */

START_TEST(a_guest_breaks_a_rule)
{
	int fd, event = eventfd(0, EFD_CLOEXEC);

	fd = meet(0);
	fe_start(fd, 2);
	fe_number(fd, MESSAGE_SET_VRING_ERR, 1, event);
	fe_ask(fd, MESSAGE_GET_FEATURES);
	atomic_store(&virtqueues[0][1].fault, FAULT_CHAIN);
	ck_assert(fe_hears(event, PATIENCE_MS));
	eventually(atomic_load(&virtqueues[0][1].view) == NULL);
	ck_assert_ptr_nonnull(atomic_load(&virtqueues[0][0].view));
	ck_assert_uint_eq(summaries[0].running, 3); /* it is there, and broken */
	eventually(faults == 1);
	fe_ask(fd, MESSAGE_GET_FEATURES);
	close(fd);
	close(event);
}
END_TEST

static volatile uint8_t touched;

START_TEST(memory_is_taken_away)
{
	const struct virtqueue_view *view;
	int fd;

	fd = meet(0);
	fe_start(fd, 1);
	view = atomic_load(&virtqueues[0][0].view);
	grace_held = true; /* as long as we are a worker in it */
	ck_assert_int_eq(ftruncate(memory_fd, 0), 0);
	touched = *(volatile uint8_t *)view->split;
	fe_is_dropped(fd);
	touched = *(volatile uint8_t *)view->split;
	grace_held = false;
	eventually(summaries[0].running == 0);
}
END_TEST

START_TEST(broken_messages_end_the_connection)
{
	struct error err;
	int fd;

	ck_assert_int_eq(rig_open(0, false, &err), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct message message = fe_message(MESSAGE_SET_FEATURES, i == 0 ? 8 : 4);

		fd = fe_connect(0);
		message.flags = i < 2 ? 1 : 5;
		message.number = UINT64_MAX;
		fe_send(fd, &message, -1);
		fe_is_dropped(fd);
	}
}
END_TEST

/* --- open and close -------------------------------------------------------------------------- */

START_TEST(refused)
{
	int fd;

	fd = meet(0);
	fe_start(fd, 2);
	server_refuse(server, 0);
	server_refuse(server, 1); /* which is not open */
	fe_is_dropped(fd);
	ck_assert_int_eq(fe_try_connect(0), -ECONNREFUSED);
	server_close(server, 0);
	server_close(server, 0);
	unlink(paths[0]);
	fd = meet(0);
	fe_ask(fd, MESSAGE_GET_FEATURES);
	close(fd);
}
END_TEST

START_TEST(places_of_others)
{
	struct server_params params = rig_params(1);
	struct error err;
	char beyond[128];
	int fd;

	ck_assert_int_eq(rig_open(0, false, &err), 0);
	ck_assert_int_eq(rig_open(0, false, &err), -EADDRINUSE); /* by ourselves */
	params.path = paths[0];
	ck_assert_int_eq(server_open(server, &params, &err), -EADDRINUSE);
	params.path = directory;
	ck_assert_int_eq(server_open(server, &params, &err), -EEXIST);
	snprintf(beyond, sizeof(beyond), "%s/none/socket", directory);
	params.path = beyond;
	ck_assert_int_eq(server_open(server, &params, &err), -ENOENT);
	ck_assert_str_ne(err.text, "");
	memset(beyond, 'x', sizeof(beyond) - 1);
	beyond[0] = '/';
	beyond[sizeof(beyond) - 1] = '\0';
	ck_assert_int_lt(server_open(server, &params, &err), 0);
	params.client = true;
	ck_assert_int_eq(server_open(server, &params, &err), -ENAMETOOLONG);
	/* A second socket for the relay, at a path that is free. */
	params.client = false;
	params.relay_id = 0;
	params.path = paths[1];
	ck_assert_int_eq(server_open(server, &params, &err), -EBUSY);
	unlink(paths[1]);
	fd = fe_connect(0);
	fe_ask(fd, MESSAGE_GET_FEATURES);
	close(fd);
}
END_TEST

START_TEST(a_stale_socket)
{
	struct error err;
	struct stat st;

	close(listen_as_front_end(0));
	ck_assert_int_eq(rig_open(0, false, &err), 0);
	ck_assert_int_eq(stat(paths[0], &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0660);
	close(fe_connect(0));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("server");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_add_test(tcase, a_front_end);
	tcase_add_test(tcase, a_second_one_is_turned_away);
	tcase_add_test(tcase, one_after_another);
	tcase_add_test(tcase, a_crowd);
	tcase_add_test(tcase, client_mode);
	tcase_add_test(tcase, a_grace_period_is_waited_for_by_its_session_only);
	tcase_add_test(tcase, it_leaves_while_its_session_waits);
	tcase_add_test(tcase, half_a_message);
	tcase_add_test(tcase, answers_that_are_not_read);
	tcase_add_test(tcase, cut_after_each_byte);
	tcase_add_test(tcase, a_guest_breaks_a_rule);
	tcase_add_test(tcase, memory_is_taken_away);
	tcase_add_test(tcase, broken_messages_end_the_connection);
	tcase_add_test(tcase, refused);
	tcase_add_test(tcase, places_of_others);
	tcase_add_test(tcase, a_stale_socket);
	return suite_main("server", tcase);
}
