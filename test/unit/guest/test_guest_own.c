/* What is told of the rings of a guest that we serve ourselves: which there are, what has been
 * asked of them, and why one is stopped. The server is made up, and its sessions' words are written
 * here.
 *
 * WRAP: server_create server_open server_refuse server_close
 */
#include <check.h>
#include <linux/virtio_config.h>
#include <string.h>

#include "guest/guest.h"
#include "suite.h"
#include "vhost/server.h"

#define RELAY 5

static struct session_summary *summary;
static struct virtqueue *virtqueues;
static struct guest_queue queues[GUEST_RINGS_MAX];

struct server *__wrap_server_create(const struct server_user *user, struct error *err);
int __wrap_server_open(struct server *server, const struct server_params *params,
                       struct error *err);
void __wrap_server_refuse(struct server *server, unsigned relay_id);
void __wrap_server_close(struct server *server, unsigned relay_id);

struct server *__wrap_server_create(const struct server_user *user, struct error *err)
{
	static char server;

	(void)user;
	(void)err;
	return (struct server *)(void *)&server;
}

int __wrap_server_open(struct server *server, const struct server_params *params, struct error *err)
{
	(void)server;
	(void)err;
	summary = params->summary;
	virtqueues = params->virtqueues;
	return 0;
}

void __wrap_server_refuse(struct server *server, unsigned relay_id)
{
	(void)server;
	(void)relay_id;
}

void __wrap_server_close(struct server *server, unsigned relay_id)
{
	(void)server;
	(void)relay_id;
}

static void on_event(void *context, unsigned relay_id)
{
	(void)context;
	(void)relay_id;
}

static void open_relay(void)
{
	const struct guest_user user = {.on_event = on_event};
	const struct guest_params params = {
	        .relay_id = RELAY, .path = "/nowhere", .client = true, .mtu_max = 2100};
	struct error err;

	ck_assert_int_eq(guest_init("own", &user, &err), 0);
	ck_assert_int_eq(guest_open(&params, &err), 0);
}

START_TEST(rings_that_nobody_has_told_of)
{
	open_relay();
	ck_assert_uint_eq(guest_read_queues(RELAY, queues), 0);
	ck_assert_uint_eq(guest_read_queues(RELAY + 1, queues), 0);
	guest_close(RELAY);
}
END_TEST

START_TEST(rings_as_they_are)
{
	open_relay();
	atomic_store(&summary->sizes[2], 256);
	atomic_store(&summary->sizes[3], 1024);
	atomic_store(&summary->features, UINT64_C(1) << VIRTIO_F_RING_PACKED);
	atomic_store(&summary->enabled, UINT64_C(1) << 3);
	atomic_store(&summary->running, UINT64_C(3) << 2);
	atomic_store(&summary->starts[3], 2);
	atomic_store(&summary->refused[3], 9);
	atomic_store(&summary->discarded[3], 4);
	atomic_store(&virtqueues[3].fault, FAULT_CHAIN);
	virtqueues[2].calls = 1000;
	ck_assert_uint_eq(guest_read_queues(RELAY, queues), 2);

	ck_assert(queues[0].to_guest && queues[0].pair == 1 && queues[0].size == 256);
	ck_assert(queues[0].is_packed && !queues[0].enabled && queues[0].started);
	ck_assert_ptr_null(queues[0].stopped);
	ck_assert_uint_eq(queues[0].calls, 1000);
	ck_assert(!queues[1].to_guest && queues[1].pair == 1 && queues[1].size == 1024);
	ck_assert(queues[1].is_packed && queues[1].enabled && queues[1].started);
	ck_assert_str_eq(queues[1].stopped, virtqueue_fault_text(FAULT_CHAIN));
	ck_assert_uint_eq(queues[1].starts, 2);
	ck_assert_uint_eq(queues[1].refused, 9);
	ck_assert_uint_eq(queues[1].discarded, 4);

	/* The front end takes it back: its fault is of the past. */
	atomic_store(&summary->running, 0);
	ck_assert_uint_eq(guest_read_queues(RELAY, queues), 2);
	ck_assert(!queues[1].started);
	ck_assert_ptr_null(queues[1].stopped);
	guest_close(RELAY);
}
END_TEST

START_TEST(every_ring_there_can_be)
{
	open_relay();
	for (unsigned ring = 0; ring < SESSION_RINGS; ring++)
		atomic_store(&summary->sizes[ring], VIRTQUEUE_SIZE_MAX);
	ck_assert_uint_eq(guest_read_queues(RELAY, queues), GUEST_RINGS_MAX);
	ck_assert_uint_eq(queues[GUEST_RINGS_MAX - 1].pair, GUEST_QUEUES_MAX - 1);
	ck_assert_uint_eq(queues[GUEST_RINGS_MAX - 1].size, VIRTQUEUE_SIZE_MAX);
	guest_close(RELAY);
}
END_TEST

/* DPDK's library is not asked. */
START_TEST(another_kind_tells_nothing)
{
	const struct guest_user user = {.on_event = on_event};
	struct error err;

	ck_assert_int_eq(guest_init("dpdk", &user, &err), 0);
	ck_assert_uint_eq(guest_read_queues(RELAY, queues), 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, rings_that_nobody_has_told_of);
	tcase_add_test(tcase, rings_as_they_are);
	tcase_add_test(tcase, every_ring_there_can_be);
	tcase_add_test(tcase, another_kind_tells_nothing);
	return suite_main("guest_own", tcase);
}
