/* Readings of relays, lanes, queues and workers as the statistics' message: what goes in is what a
 * client unpacks.
 */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/stats_codec.h"
#include "suite.h"

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
	reading.kernel_interface = "vio4wd63";
	reading.kernel_driver = "net_tap";
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
	one.wakes = true;
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
	ck_assert(response->relay[0]->vf->wakes && !response->relay[1]->vf->wakes);
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

START_TEST(stats_of_queues)
{
	static struct stats_codec codec;
	const struct control_queue queues[] = {{.to_vm = true,
	                                        .queue = 31,
	                                        .size = 32768,
	                                        .enabled = true,
	                                        .started = true,
	                                        .stopped = "it has done something",
	                                        .starts = 3,
	                                        .calls = UINT64_MAX,
	                                        .refused = 1ULL << 40,
	                                        .shortages = 7},
	                                       {.size = 1, .is_packed = true, .discarded = 8}};
	struct control_relay one = reading_make(1), two = reading_make(2);
	struct control_rates rates = {0};
	Virtioforwarder__StatsResponse *response;

	ck_assert_int_eq(stats_codec_init(&codec), 0);
	stats_codec_begin(&codec);
	stats_codec_add(&codec, &one, &rates, &rates);
	stats_codec_add_queues(&codec, queues, 0);
	stats_codec_add(&codec, &two, &rates, &rates);
	stats_codec_add_queues(&codec, queues, 2);
	response = travel(&codec);

	ck_assert_uint_eq(response->relay[0]->n_guest_queues, 0);
	ck_assert_uint_eq(response->relay[1]->n_guest_queues, 2);
	const Virtioforwarder__RelayState__GuestQueue *queue = response->relay[1]->guest_queues[0];
	ck_assert_int_eq(queue->direction, VIRTIOFORWARDER__RELAY_STATE__LANE__DIRECTION__VF_TO_VM);
	ck_assert_uint_eq(queue->queue, 31);
	ck_assert_uint_eq(queue->size, 32768);
	ck_assert(queue->has_packed && !queue->packed && queue->enabled && queue->started);
	ck_assert_str_eq(queue->stopped, "it has done something");
	ck_assert_uint_eq(queue->starts, 3);
	ck_assert_uint_eq(queue->calls, UINT64_MAX);
	ck_assert_uint_eq(queue->refused, 1ULL << 40);
	ck_assert_uint_eq(queue->shortages, 7);
	ck_assert(!queue->has_discarded);
	queue = response->relay[1]->guest_queues[1];
	ck_assert_int_eq(queue->direction, VIRTIOFORWARDER__RELAY_STATE__LANE__DIRECTION__VM_TO_VF);
	ck_assert(queue->packed && queue->has_enabled && !queue->enabled && !queue->started);
	ck_assert_str_eq(queue->stopped, "");
	ck_assert(queue->has_calls && queue->has_refused && !queue->has_shortages);
	ck_assert_uint_eq(queue->discarded, 8);
	virtioforwarder__stats_response__free_unpacked(response, NULL);
}
END_TEST

/* Every relay with every lane and queue there can be, and every worker. */
START_TEST(stats_hold_all_lanes)
{
	static struct stats_codec codec;
	static const struct control_lane lanes[CONTROL_LANES_MAX];
	static const struct control_queue queues[CONTROL_QUEUES_MAX];
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
		stats_codec_add_queues(&codec, queues, CONTROL_QUEUES_MAX);
	}
	response = travel(&codec);
	ck_assert_uint_eq(response->n_worker, LCORES_MAX);
	for (unsigned id = 0; id < RELAYS_MAX; id++) {
		ck_assert_uint_eq(response->relay[id]->n_lane, CONTROL_LANES_MAX);
		ck_assert_uint_eq(response->relay[id]->n_guest_queues, CONTROL_QUEUES_MAX);
	}
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

	tcase_add_test(tcase, stats_of_an_idle_relay);
	tcase_add_test(tcase, stats_of_a_busy_relay);
	tcase_add_test(tcase, stats_of_lanes_and_workers);
	tcase_add_test(tcase, stats_of_queues);
	tcase_add_test(tcase, stats_hold_all_lanes);
	tcase_add_test(tcase, stats_hold_all_relays);
	return suite_main("stats_codec", tcase);
}
