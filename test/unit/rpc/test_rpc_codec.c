/* The rpc layer's pure parts: memory for unpacking, text, requests and answers as messages. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "rpc/port_control.h"
#include "rpc/stats_codec.h"
#include "rpc/transport/arena.h"
#include "suite.h"

#define Request    Virtioforwarder__PortControlRequest
#define PciAddress Virtioforwarder__PortControlRequest__PciAddress

/* --- arena ------------------------------------------------------------------------------- */

START_TEST(arena_aligns_and_stays_in_budget)
{
	struct arena arena;
	size_t total = 0;
	char *last = NULL, *p;

	arena_init(&arena, 100 * 1024);
	while ((p = arena_alloc(&arena, 33)) != NULL) {
		ck_assert_uint_eq((uintptr_t)p % 16, 0);
		ck_assert(p != last);
		memset(p, 0xa5, 33);
		last = p;
		total += 33;
	}
	ck_assert_uint_gt(total, 50 * 1024);
	ck_assert_uint_le(total, 100 * 1024);
	arena_free(&arena);
	ck_assert_ptr_null(arena_alloc(&arena, 1));
	arena_free(&arena);
}
END_TEST

START_TEST(arena_refuses_absurd_sizes)
{
	struct arena arena;

	arena_init(&arena, 4 * 1024 * 1024);
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 8));
	ck_assert_ptr_null(arena_alloc(&arena, 4 * 1024 * 1024 + 1));
	ck_assert_ptr_nonnull(arena_alloc(&arena, 0));
	ck_assert_ptr_nonnull(arena_alloc(&arena, 1024 * 1024));
	ck_assert_ptr_nonnull(arena_alloc(&arena, 8)); /* from a new chunk: the last was filled */
	arena_free(&arena);
}
END_TEST

/* --- text -------------------------------------------------------------------------------- */

static void text_check(const char *given, const char *wanted)
{
	char text[64];

	snprintf(text, sizeof(text), "%s", given);
	text_make_utf8(text);
	ck_assert_str_eq(text, wanted);
}

START_TEST(text_is_made_utf8)
{
	text_check("", "");
	text_check("plain \"text\"", "plain \"text\"");
	text_check("\u00e9 \u20ac \U0001f600", "\u00e9 \u20ac \U0001f600");
	text_check("a\nb\tc\x7f", "a?b?c?");
	text_check("\xff\xfe", "??");
	text_check("\xc0\xaf", "??");              /* overlong */
	text_check("\xe0\x80\x80", "???");         /* overlong */
	text_check("\xed\xa0\x80", "???");         /* surrogate */
	text_check("\xf4\x90\x80\x80", "????");    /* beyond U+10FFFF */
	text_check("cut \xe2\x82", "cut ??");      /* as a cut string ends */
	text_check("\xe2\xe2\x82\xac", "?\u20ac"); /* found again after a wrong byte */
}
END_TEST

/* --- port_control ------------------------------------------------------------------------ */

static PciAddress pci[9];
static PciAddress *pci_list[9];
static char *device_list[9];

/* An ADD to relay 5 of n PCI addresses 0000:05:08.n. */
static Request request_make(size_t n)
{
	Request request = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__INIT;

	for (size_t i = 0; i < n; i++) {
		pci[i] = (PciAddress)VIRTIOFORWARDER__PORT_CONTROL_REQUEST__PCI_ADDRESS__INIT;
		pci[i].bus = 5;
		pci[i].slot = 8;
		pci[i].function = (uint32_t)i % 8;
		pci[i].domain = (uint32_t)i / 8;
		pci_list[i] = &pci[i];
	}
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__ADD;
	request.has_virtio_id = true;
	request.virtio_id = 5;
	request.n_pci_addrs = n;
	request.pci_addrs = pci_list;
	return request;
}

static int decode(const Request *request, struct port_control_request *out)
{
	struct error err = {0};
	int rc = port_control_decode(request, out, &err);

	if (rc < 0) {
		ck_assert_int_gt(err.code, 0);
		ck_assert_uint_gt(strlen(err.text), 10);
	}
	return rc;
}

START_TEST(decode_takes_an_add)
{
	struct port_control_request out;
	Request request = request_make(1);
	char label[DEVICE_NAME_MAX];

	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert_int_eq(out.op, PORT_CONTROL_ADD);
	ck_assert(out.conditional); /* unless told otherwise */
	ck_assert_uint_eq(out.relay_id, 5);
	ck_assert_uint_eq(out.n_devices, 1);
	device_spec_label(&out.devices[0], label);
	ck_assert_str_eq(label, "0000:05:08.0");
	ck_assert(!out.is_bond);
	request.has_conditional = true;
	request.conditional = false;
	request.virtio_id = 4000000000u; /* control says what it thinks of it */
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert(!out.conditional);
	ck_assert_uint_eq(out.relay_id, 4000000000u);
}
END_TEST

START_TEST(decode_takes_device_strings)
{
	struct port_control_request out;
	Request request = request_make(0);

	request.n_device = 1;
	request.device = device_list;
	device_list[0] = (char *)"net_tap0,iface=vf0";
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert_str_eq(out.devices[0].name, "net_tap0");
	ck_assert_str_eq(out.devices[0].devargs, "net_tap0,iface=vf0");
	device_list[0] = (char *)"0000:05:08.1";
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert(out.devices[0].is_pci);
	device_list[0] = (char *)"net_pcap0,tx_pcap=/etc/passwd";
	ck_assert_int_lt(decode(&request, &out), 0);
	device_list[0] = (char *)"";
	ck_assert_int_lt(decode(&request, &out), 0);
	/* one way or the other */
	request = request_make(1);
	request.n_device = 1;
	request.device = device_list;
	device_list[0] = (char *)"net_tap0";
	ck_assert_int_lt(decode(&request, &out), 0);
}
END_TEST

START_TEST(decode_refuses_what_lacks_something)
{
	struct port_control_request out;
	Request request = request_make(1);

	request.has_virtio_id = false;
	ck_assert_int_lt(decode(&request, &out), 0);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__REMOVE;
	ck_assert_int_lt(decode(&request, &out), 0);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__ADD_SOCK;
	ck_assert_int_eq(decode(&request, &out), 0);

	request = request_make(0);
	ck_assert_int_lt(decode(&request, &out), 0);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__ADD_SOCK;
	ck_assert_int_lt(decode(&request, &out), 0);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__REMOVE;
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert_uint_eq(out.n_devices, 0);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__REMOVE_SOCK;
	ck_assert_int_eq(decode(&request, &out), 0); /* the operation's own error */

	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__QUERY_PCI;
	ck_assert_int_lt(decode(&request, &out), 0);
	request.vhost_path = (char *)"";
	ck_assert_int_lt(decode(&request, &out), 0);
	request.vhost_path = (char *)"/tmp/x.sock";
	ck_assert_int_eq(decode(&request, &out), 0);
}
END_TEST

START_TEST(decode_refuses_unknown_operations)
{
	static const int ops[] = {5, 77, -1, INT32_MAX, INT32_MIN};
	struct port_control_request out;
	Request request = request_make(1);

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		request.op = (Virtioforwarder__PortControlRequest__Op)ops[i];
		ck_assert_int_lt(decode(&request, &out), 0);
	}
}
END_TEST

START_TEST(decode_checks_pci_numbers)
{
	static const uint32_t wrong[][3] = {{256, 0, 0}, {0, 32, 0}, {0, 0, 8}, {UINT32_MAX, 0, 0}};
	struct port_control_request out;
	Request request = request_make(1);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		pci[0].bus = wrong[i][0];
		pci[0].slot = wrong[i][1];
		pci[0].function = wrong[i][2];
		ck_assert_int_lt(decode(&request, &out), 0);
	}
	pci[0].domain = 0x10000;
	pci[0].bus = 255;
	pci[0].slot = 31;
	pci[0].function = 7;
	ck_assert_int_eq(decode(&request, &out), 0);
}
END_TEST

START_TEST(decode_holds_bonds_to_their_rules)
{
	struct port_control_request out;
	Request request = request_make(2);

	ck_assert_int_lt(decode(&request, &out), 0); /* no name */
	request.name = (char *)"net_bonding7";
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert(out.is_bond);
	ck_assert_str_eq(out.bond_device.name, "net_bonding7");
	ck_assert_uint_eq(out.bond_mode, 1);
	request.has_mode = true;
	request.mode = 0;
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert_uint_eq(out.bond_mode, 0);
	request.mode = 7;
	ck_assert_int_lt(decode(&request, &out), 0);
	request.has_mode = false;
	request.name = (char *)"bond0";
	ck_assert_int_lt(decode(&request, &out), 0);
	request.name = (char *)"net_bonding";
	ck_assert_int_lt(decode(&request, &out), 0);
	request.name = (char *)"net_bonding0,mode=2"; /* to DPDK, a comma ends the name */
	ck_assert_int_lt(decode(&request, &out), 0);
	pci[1] = pci[0];
	request.name = (char *)"net_bonding7";
	ck_assert_int_lt(decode(&request, &out), 0); /* a member twice */

	request = request_make(8);
	request.name = (char *)"net_bonding7";
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert_uint_eq(out.n_devices, 8);
	request = request_make(9);
	request.name = (char *)"net_bonding7";
	ck_assert_int_lt(decode(&request, &out), 0);

	request = request_make(1); /* a name alone makes no bond */
	request.name = (char *)"net_bonding7";
	ck_assert_int_lt(decode(&request, &out), 0);
	request = request_make(0);
	request.name = (char *)"net_bonding7";
	ck_assert_int_lt(decode(&request, &out), 0);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__REMOVE; /* but names one */
	ck_assert_int_eq(decode(&request, &out), 0);
}
END_TEST

/* --- stats ------------------------------------------------------------------------------- */

static struct control_relay reading_make(unsigned id)
{
	struct control_relay reading = {
	        .id = id,
	        .vhost_socket = "/tmp/virtio-forwarder3.sock",
	        .vf_to_vm = {.state = CONTROL_NONE},
	        .vm_to_vf = {.state = CONTROL_NONE},
	};

	return reading;
}

/* Packs the codec's message, and gives back what a client unpacks from it. */
static Virtioforwarder__StatsResponse *travel(const struct stats_codec *codec)
{
	size_t size = protobuf_c_message_get_packed_size(&codec->message.base);
	uint8_t *bytes = malloc(size);
	Virtioforwarder__StatsResponse *response;

	ck_assert_ptr_nonnull(bytes);
	ck_assert_uint_eq(protobuf_c_message_pack(&codec->message.base, bytes), size);
	response = virtioforwarder__stats_response__unpack(NULL, size, bytes);
	free(bytes);
	ck_assert_ptr_nonnull(response);
	return response;
}

START_TEST(stats_of_an_idle_relay)
{
	static struct stats_codec codec;
	struct control_relay reading = reading_make(3);
	struct control_rates rates = {0};
	Virtioforwarder__StatsResponse *response;

	reading.vhost_socket = "NONE";
	reading.vf_to_vm.has_cpu = true; /* not told while the direction is not active */
	ck_assert_int_eq(stats_codec_init(&codec), 0);
	stats_codec_begin(&codec);
	stats_codec_add(&codec, &reading, &rates, &rates);
	response = travel(&codec);
	ck_assert_int_eq(response->status, VIRTIOFORWARDER__STATS_RESPONSE__STATUS__OK);
	ck_assert_uint_eq(response->n_relay, 1);

	Virtioforwarder__RelayState *relay = response->relay[0];
	ck_assert_uint_eq(relay->id, 3);
	ck_assert(!relay->active);
	ck_assert_ptr_null(relay->ident);
	ck_assert_ptr_null(relay->cpu);
	ck_assert_ptr_null(relay->vf);
	ck_assert_str_eq(relay->vhost->vhost_socket_name, "NONE");
	ck_assert(relay->vf_to_vm->has_pkts_rx_from_vf); /* counters are always sent */
	ck_assert(relay->vm_to_vf->has_bytes_dropped_vf_not_connected);
	ck_assert_str_eq(relay->vm_to_vf->internal_state, "VIRTIO_UNINIT");
	virtioforwarder__stats_response__free_unpacked(response, NULL);
}
END_TEST

START_TEST(stats_of_a_busy_relay)
{
	static struct stats_codec codec;
	struct control_relay reading = reading_make(63);
	struct control_rates in = {1, 2, 3, 4}, out = {5, 6, 7, 8};
	Virtioforwarder__StatsResponse *response;

	reading.active = true;
	reading.socket_id = 1;
	reading.has_device = true;
	memcpy(reading.device_label, "0000:05:08.1", sizeof("0000:05:08.1"));
	reading.link_up = true;
	reading.link_speed_mbps = 25000;
	reading.mtu = 9000;
	reading.vf_queues = 4;
	reading.guest_queues = 2;
	memcpy(reading.mac, "\x02\x00\x00\xab\xcd\xef", 6);
	reading.guest_trouble = "the socket is stale";
	reading.has_guest_mac = true;
	memcpy(reading.guest_mac, "\x52\x54\x00\x01\x02\x0f", 6);
	reading.counts = (struct vf_counts){
	        .missed = UINT64_MAX, .no_mbuf = 22, .rx_errors = 33, .tx_errors = 44};
	reading.vf_to_vm = (struct control_direction){
	        .active = true,
	        .state = CONTROL_READY,
	        .has_cpu = true,
	        .cpu = 0,
	        .counters = {.rx_pkts = 1,
	                     .rx_bytes = 2,
	                     .tx_pkts = 3,
	                     .tx_bytes = 4,
	                     .dropped_full_pkts = 5,
	                     .dropped_full_bytes = 6,
	                     .dropped_absent_pkts = 7,
	                     .dropped_absent_bytes = 8,
	                     .dropped_invalid_pkts = 9,
	                     .dropped_invalid_bytes = UINT64_MAX},
	        .n_lanes = 3,
	        .lane_cpu = {0, 300, -1},
	};
	reading.vm_to_vf = (struct control_direction){
	        .active = true,
	        .state = CONTROL_READY,
	        .counters = {.rx_pkts = 11,
	                     .rx_bytes = 12,
	                     .tx_pkts = 13,
	                     .tx_bytes = 14,
	                     .dropped_full_pkts = 15,
	                     .dropped_full_bytes = 16,
	                     .dropped_absent_pkts = 17,
	                     .dropped_absent_bytes = 18,
	                     .dropped_invalid_pkts = 19,
	                     .dropped_invalid_bytes = 20},
	};
	ck_assert_int_eq(stats_codec_init(&codec), 0);
	stats_codec_begin(&codec);
	stats_codec_add(&codec, &reading, &in, &out);
	response = travel(&codec);

	Virtioforwarder__RelayState *relay = response->relay[0];
	ck_assert(relay->active);
	ck_assert_uint_eq(relay->socket_id, 1);
	ck_assert(relay->cpu->has_vf_to_vm);
	ck_assert_int_eq(relay->cpu->vf_to_vm, 0);
	ck_assert(!relay->cpu->has_vm_to_vf);
	ck_assert_uint_eq(relay->vhost->queues, 2);
	ck_assert_str_eq(relay->vf->pci_addr_str, "0000:05:08.1");
	ck_assert_str_eq(relay->vf->mac, "02:00:00:ab:cd:ef");
	ck_assert_str_eq(relay->vhost->mac, "52:54:00:01:02:0f");
	ck_assert_str_eq(relay->vhost->trouble, "the socket is stale");
	ck_assert(relay->vf->link_up);
	ck_assert_uint_eq(relay->vf->link_speed_mbps, 25000);
	ck_assert_uint_eq(relay->vf->mtu, 9000);
	ck_assert_uint_eq(relay->vf->queues, 4);
	ck_assert_uint_eq(relay->vf->missed, UINT64_MAX);
	ck_assert_uint_eq(relay->vf->no_mbuf, 22);
	ck_assert_uint_eq(relay->vf->rx_errors, 33);
	ck_assert_uint_eq(relay->vf->tx_errors, 44);

	Virtioforwarder__RelayState__VFtoVM *rx = relay->vf_to_vm;
	ck_assert_str_eq(rx->internal_state, "DPDK_READY");
	ck_assert_uint_eq(rx->pkts_rx_from_vf, 1);
	ck_assert_uint_eq(rx->bytes_rx_from_vf, 2);
	ck_assert_uint_eq(rx->pkts_tx_to_vm, 3);
	ck_assert_uint_eq(rx->bytes_tx_to_vm, 4);
	ck_assert_uint_eq(rx->pkts_dropped_vm_queue_full, 5);
	ck_assert_uint_eq(rx->bytes_dropped_vm_queue_full, 6);
	ck_assert_uint_eq(rx->pkts_dropped_vm_not_connected, 7);
	ck_assert_uint_eq(rx->bytes_dropped_vm_not_connected, 8);
	ck_assert_uint_eq(rx->pkts_dropped_invalid, 9);
	ck_assert_uint_eq(rx->bytes_dropped_invalid, UINT64_MAX);
	ck_assert_float_eq(rx->pkt_rate_rx_from_vf, 1);
	ck_assert_float_eq(rx->byte_rate_rx_from_vf, 2);
	ck_assert_float_eq(rx->pkt_rate_tx_to_vm, 3);
	ck_assert_float_eq(rx->byte_rate_tx_to_vm, 4);
	ck_assert_uint_eq(rx->n_lane_cpu, 3);
	ck_assert_int_eq(rx->lane_cpu[1], 300);
	ck_assert_int_eq(rx->lane_cpu[2], -1);

	Virtioforwarder__RelayState__VMtoVF *tx = relay->vm_to_vf;
	ck_assert_uint_eq(tx->pkts_rx_from_vm, 11);
	ck_assert_uint_eq(tx->bytes_rx_from_vm, 12);
	ck_assert_uint_eq(tx->pkts_tx_to_vf, 13);
	ck_assert_uint_eq(tx->bytes_tx_to_vf, 14);
	ck_assert_uint_eq(tx->pkts_dropped_vf_queue_full, 15);
	ck_assert_uint_eq(tx->bytes_dropped_vf_queue_full, 16);
	ck_assert_uint_eq(tx->pkts_dropped_vf_not_connected, 17);
	ck_assert_uint_eq(tx->bytes_dropped_vf_not_connected, 18);
	ck_assert_uint_eq(tx->pkts_dropped_invalid, 19);
	ck_assert_uint_eq(tx->bytes_dropped_invalid, 20);
	ck_assert_float_eq(tx->pkt_rate_rx_from_vm, 5);
	ck_assert_float_eq(tx->byte_rate_tx_to_vf, 8);
	ck_assert_uint_eq(tx->n_lane_cpu, 0);
	virtioforwarder__stats_response__free_unpacked(response, NULL);
}
END_TEST

START_TEST(stats_of_lanes_and_workers)
{
	static struct stats_codec codec;
	const struct control_lane lanes[] = {
	        {.to_vm = true, .queue = 2, .cpu = 70, .load = 0.25f, .targets = 0x14},
	        {.queue = 31, .cpu = 3, .pkts = UINT64_MAX, .busy_cycles = 1ULL << 40}};
	const struct control_worker worker = {.cpu = 70,
	                                      .numa_node = -1,
	                                      .host_cpu = 1,
	                                      .shares_cpu = true,
	                                      .n_lanes = 9,
	                                      .busy = 0.75f,
	                                      .busy_cycles = 12345,
	                                      .asleep = 0.125f,
	                                      .sleeps = 1ULL << 40};
	struct control_relay one = reading_make(1), two = reading_make(2);
	struct control_rates rates = {0};
	Virtioforwarder__StatsResponse *response;

	one.has_device = two.has_device = one.has_rss = true;
	one.rss_queues = 3;
	vlan_set_add(&one.vlans, 1);
	vlan_set_add(&one.vlans, 4094);
	vlan_set_add(&one.vlans_refused, 100);
	ck_assert_int_eq(stats_codec_init(&codec), 0);
	stats_codec_begin(&codec);
	stats_codec_add_worker(&codec, &worker);
	stats_codec_add(&codec, &one, &rates, &rates);
	stats_codec_add_lanes(&codec, lanes, 1);
	stats_codec_add(&codec, &two, &rates, &rates);
	stats_codec_add_lanes(&codec, lanes, 2);
	response = travel(&codec);

	ck_assert_uint_eq(response->n_worker, 1);
	ck_assert_uint_eq(response->worker[0]->cpu, 70);
	ck_assert_uint_eq(response->worker[0]->host_cpu, 1);
	ck_assert_int_eq(response->worker[0]->numa_node, -1);
	ck_assert(response->worker[0]->shares_cpu);
	ck_assert_uint_eq(response->worker[0]->lanes, 9);
	ck_assert_float_eq(response->worker[0]->busy, 0.75f);
	ck_assert_uint_eq(response->worker[0]->busy_cycles, 12345);
	ck_assert_float_eq(response->worker[0]->asleep, 0.125f);
	ck_assert_uint_eq(response->worker[0]->sleeps, 1ULL << 40);

	ck_assert_uint_eq(response->relay[0]->n_lane, 1);
	ck_assert_uint_eq(response->relay[1]->n_lane, 2);
	ck_assert(response->relay[0]->vf->has_rss_queues &&
	          !response->relay[1]->vf->has_rss_queues);
	ck_assert_uint_eq(response->relay[0]->vf->rss_queues, 3);
	ck_assert_uint_eq(response->relay[0]->vf->n_vlan, 2);
	ck_assert_uint_eq(response->relay[0]->vf->vlan[0], 1);
	ck_assert_uint_eq(response->relay[0]->vf->vlan[1], 4094);
	ck_assert_uint_eq(response->relay[0]->vf->n_vlan_refused, 1);
	ck_assert_uint_eq(response->relay[0]->vf->vlan_refused[0], 100);
	ck_assert_uint_eq(response->relay[1]->vf->n_vlan + response->relay[1]->vf->n_vlan_refused,
	                  0);
	const Virtioforwarder__RelayState__Lane *lane = response->relay[0]->lane[0];
	ck_assert_int_eq(lane->direction, VIRTIOFORWARDER__RELAY_STATE__LANE__DIRECTION__VF_TO_VM);
	ck_assert_uint_eq(lane->queue, 2);
	ck_assert_int_eq(lane->cpu, 70);
	ck_assert_float_eq(lane->load, 0.25f);
	ck_assert_uint_eq(lane->targets, 0x14);
	lane = response->relay[1]->lane[1];
	ck_assert_int_eq(lane->direction, VIRTIOFORWARDER__RELAY_STATE__LANE__DIRECTION__VM_TO_VF);
	ck_assert_uint_eq(lane->queue, 31);
	ck_assert_uint_eq(lane->pkts, UINT64_MAX);
	ck_assert_uint_eq(lane->busy_cycles, 1ULL << 40);
	virtioforwarder__stats_response__free_unpacked(response, NULL);
}
END_TEST

/* Every relay with every lane there can be, and every worker. */
START_TEST(stats_hold_all_lanes)
{
	static struct stats_codec codec;
	static const struct control_lane lanes[CONTROL_LANES_MAX];
	const struct control_worker worker = {0};
	struct control_rates rates = {0};
	Virtioforwarder__StatsResponse *response;

	ck_assert_int_eq(stats_codec_init(&codec), 0);
	stats_codec_begin(&codec);
	for (unsigned i = 0; i < LCORES_MAX; i++)
		stats_codec_add_worker(&codec, &worker);
	for (unsigned id = 0; id < RELAYS_MAX; id++) {
		struct control_relay reading = reading_make(id);

		stats_codec_add(&codec, &reading, &rates, &rates);
		stats_codec_add_lanes(&codec, lanes, CONTROL_LANES_MAX);
	}
	response = travel(&codec);
	ck_assert_uint_eq(response->n_worker, LCORES_MAX);
	for (unsigned id = 0; id < RELAYS_MAX; id++)
		ck_assert_uint_eq(response->relay[id]->n_lane, CONTROL_LANES_MAX);
	virtioforwarder__stats_response__free_unpacked(response, NULL);
}
END_TEST

START_TEST(stats_hold_all_relays)
{
	static struct stats_codec codec;
	struct control_rates rates = {0};
	Virtioforwarder__StatsResponse *response;

	ck_assert_int_eq(stats_codec_init(&codec), 0);
	for (int round = 0; round < 2; round++) {
		stats_codec_begin(&codec);
		for (unsigned id = 0; id < RELAYS_MAX; id++) {
			struct control_relay reading = reading_make(id);

			reading.has_device = id % 2 == 0;
			snprintf(reading.device_label, sizeof(reading.device_label),
			         "net_null%u\xff", id);
			stats_codec_add(&codec, &reading, &rates, &rates);
		}
		response = travel(&codec);
		ck_assert_uint_eq(response->n_relay, RELAYS_MAX);
		ck_assert_str_eq(response->relay[2]->vf->pci_addr_str, "net_null2?");
		ck_assert_ptr_null(response->relay[3]->vf);
		ck_assert_uint_eq(response->relay[63]->id, 63);
		virtioforwarder__stats_response__free_unpacked(response, NULL);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, arena_aligns_and_stays_in_budget);
	tcase_add_test(tcase, arena_refuses_absurd_sizes);
	tcase_add_test(tcase, text_is_made_utf8);
	tcase_add_test(tcase, decode_takes_an_add);
	tcase_add_test(tcase, decode_takes_device_strings);
	tcase_add_test(tcase, decode_refuses_what_lacks_something);
	tcase_add_test(tcase, decode_refuses_unknown_operations);
	tcase_add_test(tcase, decode_checks_pci_numbers);
	tcase_add_test(tcase, decode_holds_bonds_to_their_rules);
	tcase_add_test(tcase, stats_of_an_idle_relay);
	tcase_add_test(tcase, stats_of_a_busy_relay);
	tcase_add_test(tcase, stats_of_lanes_and_workers);
	tcase_add_test(tcase, stats_hold_all_lanes);
	tcase_add_test(tcase, stats_hold_all_relays);
	return suite_main("rpc_codec", tcase);
}
