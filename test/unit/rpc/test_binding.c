/* An ipc endpoint whose path somebody takes away: it comes back, and whoever is connected stays so
 * as long as there are few such paths behind him.
 */
#include <check.h>
#include <zmq.h>

#include "fake_tree.h"
#include "rpc/transport/binding.h"
#include "suite.h"

static void *context, *server, *old;
static struct binding binding;
static char address[128], path[108];
static struct error err;

static void *client(void)
{
	void *socket = zmq_socket(context, ZMQ_DEALER);
	const int none = 0;

	zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof(none));
	ck_assert_int_eq(zmq_connect(socket, address), 0);
	return socket;
}

/* A word from the client to the server and back. */
static bool talks(void *socket, int timeout_ms)
{
	zmq_pollitem_t wait = {.socket = server, .events = ZMQ_POLLIN};
	char identity[64], word[8];

	ck_assert_int_eq(zmq_send(socket, "word", 4, ZMQ_DONTWAIT), 4);
	if (zmq_poll(&wait, 1, timeout_ms) != 1)
		return false;
	int size = zmq_recv(server, identity, sizeof(identity), 0);
	ck_assert_int_gt(size, 0);
	ck_assert_int_eq(zmq_recv(server, word, sizeof(word), 0), 4);
	zmq_send(server, identity, (size_t)size, ZMQ_SNDMORE);
	zmq_send(server, word, 4, 0);
	return zmq_recv(socket, word, sizeof(word), 0) == 4;
}

static bool new_client_talks(void)
{
	void *socket = client();
	bool ok = talks(socket, 10000);

	zmq_close(socket);
	return ok;
}

static mode_t mode(void)
{
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	return st.st_mode & 0777;
}

static void set_up(void)
{
	const struct endpoint_access access = {.connections_max = 8};
	const int none = 0;

	tree_create();
	snprintf(path, sizeof(path), "%s", tree_path("d/endpoint"));
	snprintf(address, sizeof(address), "ipc://%s", path);
	context = zmq_ctx_new();
	server = zmq_socket(context, ZMQ_ROUTER);
	zmq_setsockopt(server, ZMQ_LINGER, &none, sizeof(none));
	ck_assert_msg(binding_make(&binding, server, address, &access, &err) == 0, "%s", err.text);
	old = client();
	ck_assert(talks(old, 10000));
}

static void tear_down(void)
{
	binding_release(&binding);
	ck_assert_int_lt(access(path, F_OK), 0);
	zmq_close(old);
	zmq_close(server);
	zmq_ctx_term(context);
	tree_remove();
}

START_TEST(is_made_anew)
{
	binding_look(&binding, server, true);
	ck_assert_uint_eq(binding.n_listening, 1);
	ck_assert_int_eq(unlink(path), 0);
	binding_look(&binding, server, true);
	ck_assert_uint_eq(binding.n_listening, 2);
	ck_assert_uint_eq(mode(), 0600);
	ck_assert(talks(old, 10000) && new_client_talks());
}
END_TEST

START_TEST(listening_sockets_do_not_pile_up)
{
	for (unsigned i = 0; i < 3 * BINDING_LISTENING_MAX; i++) {
		ck_assert_int_eq(unlink(path), 0);
		binding_look(&binding, server, true);
		ck_assert_uint_le(binding.n_listening, BINDING_LISTENING_MAX);
		ck_assert(new_client_talks());
	}
	ck_assert_int_eq(unlink(path), 0);
	binding_look(&binding, server, false);
	ck_assert_uint_eq(binding.n_listening, 1);
	ck_assert(new_client_talks());
}
END_TEST

START_TEST(directory_and_lock_come_back)
{
	char lock[128];
	struct stat st;

	snprintf(lock, sizeof(lock), "%s.lock", path);
	ck_assert_int_eq(chmod(tree_path("d"), 0710), 0);
	binding_look(&binding, server, true);
	ck_assert(unlink(path) == 0 && unlink(lock) == 0 && rmdir(tree_path("d")) == 0);
	binding_look(&binding, server, true);
	ck_assert(stat(lock, &st) == 0 && st.st_size > 0);
	ck_assert_int_eq(stat(tree_path("d"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0710);
	ck_assert(talks(old, 10000) && new_client_talks());
}
END_TEST

START_TEST(what_is_somebody_elses_stays)
{
	ck_assert_int_eq(unlink(path), 0);
	tree_file("d/endpoint", "precious");
	binding_look(&binding, server, true);
	binding_look(&binding, server, true);
	ck_assert_int_eq(binding.ipc.told, SOCKET_NAME_TAKEN);
	ck_assert_uint_eq(binding.n_listening, 1);
	ck_assert(talks(old, 10000));
	binding_release(&binding);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(what_fails_is_tried_again)
{
	char lock[128];

	snprintf(lock, sizeof(lock), "%s.lock", path);
	ck_assert(unlink(path) == 0 && unlink(lock) == 0 && rmdir(tree_path("d")) == 0);
	tree_file("d", "in the way");
	binding_look(&binding, server, true);
	ck_assert_int_eq(binding.ipc.told, SOCKET_NAME_FAILED);
	ck_assert_int_eq(unlink(tree_path("d")), 0);
	binding_look(&binding, server, true);
	ck_assert_int_eq(binding.ipc.told, SOCKET_NAME_WELL);
	ck_assert(talks(old, 10000) && new_client_talks());
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, is_made_anew);
	tcase_add_test(tcase, listening_sockets_do_not_pile_up);
	tcase_add_test(tcase, directory_and_lock_come_back);
	tcase_add_test(tcase, what_is_somebody_elses_stays);
	tcase_add_test(tcase, what_fails_is_tried_again);
	return suite_main("binding", tcase);
}
