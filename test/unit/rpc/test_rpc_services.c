/* The services port_control and stats, spoken to over real ZeroMQ sockets.
 */
#include "base/clock.h"
#include "rpc_rig.h"
#include "suite.h"

/* --- port_control ------------------------------------------------------------------------ */

START_TEST(adds_and_removes_reach_control)
{
	Virtioforwarder__PortControlRequest request = request_make(OP(ADD));

	ask(&request);
	expect_ok();
	ck_assert_str_eq(got.query, "-");
	ck_assert_uint_eq(fake.n_adds, 1);
	ck_assert_uint_eq(fake.request.relay_id, 3);
	ck_assert(fake.request.conditional && fake.request.has_device);
	ck_assert_str_eq(fake.request.device.name, "net_null3");

	request = request_make(OP(REMOVE));
	request.n_device = 0;
	request.has_conditional = true;
	request.conditional = false;
	fake.outcome = (struct outcome){.reason = OUTCOME_NO_MEMORY, .text = "not \xff utf-8"};
	ask(&request);
	expect_error(-1, "virtio_forwarder_remove_vf2()");
	ck_assert_str_eq(got.text, "not ? utf-8");
	ck_assert_uint_eq(fake.n_removes, 1);
	ck_assert(!fake.request.conditional && !fake.request.has_device);

	request.name = (char *)"net_bonding0"; /* a bond is removed by its name */
	ask(&request);
	ck_assert(fake.request.has_device && !fake.request.device.is_pci);
	ck_assert_str_eq(fake.request.device.name, "net_bonding0");
}
END_TEST

START_TEST(bonds_are_handed_on)
{
	Virtioforwarder__PortControlRequest request = request_make(OP(ADD));
	char *two[] = {(char *)"net_null0", (char *)"net_null1"};

	request.n_device = 2;
	request.device = two;
	request.name = (char *)"net_bonding0";
	request.has_mode = true;
	request.mode = 4;
	fake.outcome = (struct outcome){.reason = OUTCOME_OK};
	ask(&request);
	expect_ok();
	ck_assert_str_eq(fake.request.device.name, "net_bonding0");
	ck_assert_uint_eq(fake.request.bond.mode, 4);
	ck_assert_uint_eq(fake.request.bond.n_members, 2);
	ck_assert_str_eq(fake.request.bond.members[1].name, "net_null1");

	fake.dynamic_sockets = true;
	request.op = OP(ADD_SOCK);
	request.vhost_path = (char *)"/tmp/a.sock";
	ask(&request);
	expect_ok();
	ck_assert_uint_eq(fake.sock_request.bond.n_members, 2);
	request = request_make(OP(ADD));
	ask(&request);
	expect_refusal();
	request = request_make(OP(REMOVE));
	ask(&request);
	expect_refusal();
	ck_assert_uint_eq(fake.n_adds + fake.n_sock_adds, 2);
	ck_assert_uint_eq(fake.n_removes, 0);
}
END_TEST

START_TEST(sockets_reach_control)
{
	Virtioforwarder__PortControlRequest request = request_make(OP(ADD_SOCK));

	fake.dynamic_sockets = true;
	request.vhost_path = (char *)"/tmp/ä.sock";
	ask(&request);
	expect_ok();
	ck_assert_uint_eq(fake.n_sock_adds, 1);
	ck_assert_str_eq(fake.sock_path, "/tmp/ä.sock");
	ck_assert(fake.sock_request.has_device && fake.sock_request.conditional);
	ck_assert_str_eq(fake.sock_request.device.name, "net_null3");

	static const char *const unclean[] = {"/tmp/\n.sock", "/tmp/\xff.sock", "/tmp/\x7f",
	                                      "\x01"};
	for (size_t i = 0; i < sizeof(unclean) / sizeof(unclean[0]); i++) {
		request.vhost_path = (char *)unclean[i];
		ask(&request);
		expect_error(5, "virtio_add_sock_dev_pair()");
	}
	request.vhost_path = (char *)"";
	fake.outcome = (struct outcome){.reason = OUTCOME_NOT_GIVEN, .text = "no"};
	ask(&request); /* the rest is control's to judge */
	expect_error(-1, "virtio_add_sock_dev_pair()");
	ck_assert_str_eq(fake.sock_path, "-");

	fake.outcome = (struct outcome){.reason = OUTCOME_OK};
	request = request_make(OP(REMOVE_SOCK));
	request.has_conditional = true;
	request.conditional = false;
	ask(&request);
	expect_ok();
	ck_assert_str_eq(fake.sock_path, "-");
	ck_assert(fake.sock_request.has_device && !fake.sock_request.conditional);
	request.n_device = 0;
	request.vhost_path = (char *)"/tmp/\xff.sock"; /* to remove, anything may be named */
	ask(&request);
	expect_ok();
	ck_assert(!fake.sock_request.has_device);
	request.name = (char *)"net_bonding0";
	ask(&request);
	ck_assert(fake.sock_request.has_device);
	ck_assert_str_eq(fake.sock_request.device.name, "net_bonding0");
	ck_assert_uint_eq(fake.n_sock_removes, 3);
}
END_TEST

START_TEST(query_finds_sockets_by_directory_and_name)
{
	Virtioforwarder__PortControlRequest request = request_make(OP(QUERY_PCI));
	char served[64], asked[128], link[64];

	snprintf(served, sizeof(served), "%s/vf7.sock", rig.directory);
	fake.relays[7].vhost_socket = served;
	request.vhost_path = asked;
	snprintf(asked, sizeof(asked), "%s", served);
	ask(&request);
	expect_ok();
	ck_assert_str_eq(got.query, "");

	fake.relays[7].has_device = true;
	snprintf(fake.relays[7].device_label, sizeof(fake.relays[7].device_label), "0000:05:08.1");
	ask(&request);
	expect_ok();
	ck_assert_str_eq(got.query, "0000:05:08.1");

	snprintf(link, sizeof(link), "%s/link", rig.directory);
	ck_assert_int_eq(symlink(rig.directory, link), 0);
	snprintf(asked, sizeof(asked), "%s/./vf7.sock", link);
	ask(&request);
	expect_ok();
	ck_assert_str_eq(got.query, "0000:05:08.1");
	unlink(link);

	static const char *const unknown[] = {"NONE", "vf7.sock",          "/vf7.sock",      "/",
	                                      "//",   "/nowhere/vf7.sock", "/tmp/other.sock"};
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		snprintf(asked, sizeof(asked), "%s", unknown[i]);
		ask(&request);
		expect_error(2, "virtio_query_pci()");
	}
}
END_TEST

/* --- stats ------------------------------------------------------------------------------- */

static Virtioforwarder__StatsResponse *stats_take(void)
{
	return (void *)message_receive(rig.socket, &virtioforwarder__stats_response__descriptor);
}

static Virtioforwarder__StatsResponse *stats_ask(const Virtioforwarder__StatsRequest *request)
{
	if (rig.socket == NULL)
		rig.socket = client_open(rig.stats_ep, ZMQ_DEALER);
	message_send(rig.socket, &request->base);
	return stats_take();
}

#define STATS(name) VIRTIOFORWARDER__STATS_RESPONSE__STATUS__##name

static void expect_ids(Virtioforwarder__StatsResponse *answer, unsigned n, const uint32_t ids[])
{
	ck_assert_int_eq(answer->status, STATS(OK));
	ck_assert_uint_eq(answer->n_relay, n);
	for (unsigned i = 0; i < n; i++)
		ck_assert_uint_eq(answer->relay[i]->id, ids[i]);
	virtioforwarder__stats_response__free_unpacked(answer, NULL);
}

START_TEST(stats_tell_of_the_relays_asked_for)
{
	Virtioforwarder__StatsRequest request = VIRTIOFORWARDER__STATS_REQUEST__INIT;
	Virtioforwarder__StatsResponse *answer;
	uint32_t ids[RELAYS_MAX + 1];

	answer = stats_ask(&request); /* an empty message: all of them */
	ck_assert_float_eq(answer->relay[9]->vf_to_vm->pkt_rate_rx_from_vf, 1009);
	for (uint32_t id = 0; id <= RELAYS_MAX; id++)
		ids[id] = id;
	expect_ids(answer, RELAYS_MAX, ids);

	request.relay = ids;
	request.n_relay = RELAYS_MAX + 1;
	answer = stats_ask(&request);
	ck_assert_int_eq(answer->status, STATS(E2BIG));
	ck_assert_uint_eq(answer->n_relay, 0);
	virtioforwarder__stats_response__free_unpacked(answer, NULL);

	request.n_relay = 6;
	memcpy(ids, (uint32_t[]){5, 64, 2, 5, UINT32_MAX, 63}, 6 * sizeof(ids[0]));
	expect_ids(stats_ask(&request), 3, (uint32_t[]){5, 2, 63});
	request.n_relay = 1;
	ids[0] = 64; /* skipped; "none" is not "all" */
	expect_ids(stats_ask(&request), 0, NULL);

	request.n_relay = 0;
	request.has_include_inactive = true;
	request.include_inactive = false;
	expect_ids(stats_ask(&request), 0, NULL);
	fake.relays[11].active = true;
	expect_ids(stats_ask(&request), 1, (uint32_t[]){11});
}
END_TEST

START_TEST(stats_measure_over_the_delay)
{
	Virtioforwarder__StatsRequest request = VIRTIOFORWARDER__STATS_REQUEST__INIT;
	Virtioforwarder__StatsResponse *answer;
	uint32_t ids[] = {4, 7};
	uint64_t start = clock_now_ms();

	fake.relays[7].vf_to_vm.counters.rx_pkts = 1000000;
	request.n_relay = 2;
	request.relay = ids;
	request.has_delay = true;
	request.delay = 200;
	rig.socket = client_open(rig.stats_ep, ZMQ_DEALER);
	message_send(rig.socket, &request.base);
	ck_assert(!turn(rig.socket, 50));
	fake.relays[7].vf_to_vm.counters.rx_pkts += 2000;
	fake.relays[4].active = true; /* who is active is decided at the end */
	request.has_delay = false;
	request.n_relay = 0;
	answer = stats_ask(&request); /* a request behind it is not held up */
	ck_assert_uint_eq(answer->n_relay, RELAYS_MAX);
	virtioforwarder__stats_response__free_unpacked(answer, NULL);
	ck_assert_uint_lt(clock_now_ms() - start, 180);

	answer = stats_take();
	ck_assert_uint_ge(clock_now_ms() - start, 200);
	ck_assert_uint_eq(answer->n_relay, 2);
	ck_assert(answer->relay[0]->active);
	ck_assert_uint_eq(answer->relay[1]->vf_to_vm->pkts_rx_from_vf, 1002000);
	ck_assert_float_le(answer->relay[1]->vf_to_vm->pkt_rate_rx_from_vf, 10100);
	ck_assert_float_gt(answer->relay[1]->vf_to_vm->pkt_rate_rx_from_vf, 1000);
	virtioforwarder__stats_response__free_unpacked(answer, NULL);
}
END_TEST

START_TEST(stats_bound_delayed_requests)
{
	Virtioforwarder__StatsRequest request = VIRTIOFORWARDER__STATS_REQUEST__INIT;
	Virtioforwarder__StatsResponse *answer;

	request.has_delay = true;
	request.delay = UINT32_MAX; /* 10 s, in fact */
	rig.socket = client_open(rig.stats_ep, ZMQ_DEALER);
	for (unsigned i = 0; i <= STATS_CONNECTION_DELAYED_MAX; i++)
		message_send(rig.socket, &request.base);
	answer = stats_take();
	ck_assert_int_eq(answer->status, STATS(ENOMEM));
	virtioforwarder__stats_response__free_unpacked(answer, NULL);
	request.delay = 0;
	answer = stats_ask(&request);
	ck_assert_int_eq(answer->status, STATS(OK));
	virtioforwarder__stats_response__free_unpacked(answer, NULL);
	/* rig_down ends with requests waiting */
}
END_TEST

START_TEST(stats_answer_malformed_messages)
{
	static const char *const bodies[] = {"\xff", "\x0a\x7f", "\x0a\x02\xff\xff", "\x10"};
	Virtioforwarder__StatsResponse *answer;

	rig.socket = client_open(rig.stats_ep, ZMQ_DEALER);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		frames_send(rig.socket, 2, (const char *const[]){"", bodies[i]});
		answer = stats_take();
		ck_assert_int_eq(answer->status, STATS(EBADR));
		ck_assert_ptr_nonnull(answer->error_text);
		virtioforwarder__stats_response__free_unpacked(answer, NULL);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, rig_up, rig_down);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, adds_and_removes_reach_control);
	tcase_add_test(tcase, bonds_are_handed_on);
	tcase_add_test(tcase, sockets_reach_control);
	tcase_add_test(tcase, query_finds_sockets_by_directory_and_name);
	tcase_add_test(tcase, stats_tell_of_the_relays_asked_for);
	tcase_add_test(tcase, stats_measure_over_the_delay);
	tcase_add_test(tcase, stats_bound_delayed_requests);
	tcase_add_test(tcase, stats_answer_malformed_messages);
	return suite_main("rpc_services", tcase);
}
