/* What a scrape tells of relays and workers: each counter of the table, each state; whole lines,
 * whatever the pieces in which it is read.
 */
#include "suite.h"

#include "metrics_rig.h"

#define HAS(text, line) ck_assert_msg(rig_has_line(text, line), "%s is not in\n%s", line, text)
#define COUNT(array)    (sizeof(array) / sizeof((array)[0]))

/* The name of a counter's samples, from its name in the messages, and their labels. */
static void sample_of(const struct lane_counter *row, int direction, char *out, size_t size)
{
	static const char *const verbs[][2] = {
	        {"rx_from_vf", "received"},
	        {"rx_from_vm", "received"},
	        {"tx_to_vm", "sent"},
	        {"tx_to_vf", "sent"},
	};
	static const char *const directions[] = {"vf_to_vm", "vm_to_vf"};
	const char *what = strchr(row->wire[direction], '_') + 1, *verb = what;
	const char *unit = row->unit == COUNTER_PACKETS ? "packets" : "bytes";
	const struct lane_counter *sum = lane_counter_sum(row, direction);

	if (strncmp(what, "dropped_", 8) == 0) {
		snprintf(out, size,
		         "vio4wd_relay_dropped_%s_total{relay=\"5\",direction=\"%s\",reason=\"%s\","
		         "cause=\"%s\"}",
		         unit, directions[direction],
		         sum == NULL ? what + 8 : strstr(sum->wire[direction], "dropped_") + 8,
		         what + 8);
		return;
	}
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (strcmp(what, verbs[i][0]) == 0)
			verb = verbs[i][1];
	snprintf(out, size, "vio4wd_relay_%s_%s_total{relay=\"5\",direction=\"%s\"}", verb, unit,
	         directions[direction]);
}

START_TEST(every_counter_of_the_table_is_there)
{
	char line[512];
	size_t len;

	rig_clear();
	rig_add_device(5, "net_null5");
	for (size_t i = 0; i < LANE_COUNTERS; i++) {
		((uint64_t *)&fake.relays[5].vf_to_vm.counters)[i] = 1000 + i;
		((uint64_t *)&fake.relays[5].vm_to_vf.counters)[i] = 2000 + i;
	}
	const char *text = rig_scrape(METRICS_OPENMETRICS, 4096);

	for (size_t i = 0; i < LANE_COUNTERS; i++) {
		const struct lane_counter *row = &lane_counter_table[i];

		for (int d = 0; d < LANE_DIRECTIONS && !lane_counter_is_sum(row); d++) {
			sample_of(row, d, line, sizeof(line));
			len = strlen(line);
			snprintf(line + len, sizeof(line) - len, " %zu",
			         (d + 1) * 1000U + row->offset / sizeof(uint64_t));
			HAS(text, line);
		}
	}
}
END_TEST

/* A packet that is lost is in one sample: what has several causes is not a sample itself. */
START_TEST(sums_are_no_samples)
{
	unsigned n_sums = 0;

	for (size_t i = 0; i < LANE_COUNTERS; i++) {
		const struct lane_counter *row = &lane_counter_table[i];

		for (int d = 0; d < LANE_DIRECTIONS; d++) {
			const struct lane_counter *sum = lane_counter_sum(row, d);

			if (sum == NULL)
				continue;
			ck_assert_int_eq(sum->unit, row->unit);
			ck_assert_ptr_null(lane_counter_sum(sum, d));
			ck_assert(lane_counter_is_sum(sum));
		}
		n_sums += lane_counter_is_sum(row);
	}
	ck_assert_uint_eq(n_sums, 6); /* full, invalid, absent: packets and bytes */
	rig_clear();
	rig_add_device(5, "net_null5");
	ck_assert_ptr_null(strstr(rig_scrape(METRICS_TEXT, 4096), "cause=\"vm_queue_full\""));
}
END_TEST

START_TEST(relays_and_their_ends)
{
	static const char *const lines[] = {
	        "vio4wd_relay_info{relay=\"5\",device=\"0000:05:08.1\",socket=\"/tmp/a\\\"b.sock\"} 1",
	        "vio4wd_relay_active{relay=\"5\"} 1",
	        "vio4wd_relay_vf_state{relay=\"5\",state=\"ready\"} 1",
	        "vio4wd_relay_vf_state{relay=\"5\",state=\"none\"} 0",
	        "vio4wd_relay_guest_state{relay=\"5\",state=\"leaving\"} 1",
	        "vio4wd_relay_guest_state{relay=\"5\",state=\"ready\"} 0",
	        "vio4wd_relay_vf_link_up{relay=\"5\"} 1",
	        "vio4wd_relay_vf_speed_bytes{relay=\"5\"} 1250000000",
	        "vio4wd_relay_vf_mtu_bytes{relay=\"5\"} 1500",
	        "vio4wd_relay_vf_queues{relay=\"5\"} 4",
	        "vio4wd_relay_guest_queues{relay=\"5\"} 2",
	        "vio4wd_relay_vf_lost_packets_total{relay=\"5\",cause=\"missed\"} 77",
	        "vio4wd_bond_member_active{relay=\"5\",member=\"0000:06:00.0\"} 1",
	        "vio4wd_bond_member_link_up{relay=\"5\",member=\"0000:06:00.0\"} 0",
	        "vio4wd_queue_received_packets_total{relay=\"5\",direction=\"vm_to_vf\",queue=\"3\"} 9",
	        "vio4wd_queue_busy_seconds_total{relay=\"5\",direction=\"vm_to_vf\",queue=\"3\"} 0.5",
	        "vio4wd_queue_worker{relay=\"5\",direction=\"vm_to_vf\",queue=\"3\"} 2",
	};
	struct control_relay *relay = &fake.relays[5];

	rig_clear();
	rig_add_device(5, "0000:05:08.1");
	relay->vhost_socket = "/tmp/a\"b.sock";
	relay->active = relay->link_up = true;
	relay->vf_to_vm.state = CONTROL_READY;
	relay->vm_to_vf.state = CONTROL_LEAVING;
	relay->link_speed_mbps = 10000;
	relay->mtu = 1500;
	relay->vf_queues = 4;
	relay->guest_queues = 2;
	relay->counts.missed = 77;
	relay->n_members = 1;
	snprintf(relay->members[0].label, DEVICE_NAME_MAX, "0000:06:00.0");
	relay->members[0].active = true;
	fake.n_lanes[5] = 1;
	fake.lanes[5][0] =
	        (struct control_lane){.queue = 3, .cpu = 2, .pkts = 9, .busy_cycles = 1000000000};
	const char *text = rig_scrape(METRICS_OPENMETRICS, 4096);

	for (size_t i = 0; i < COUNT(lines); i++)
		HAS(text, lines[i]);
}
END_TEST

START_TEST(workers_and_the_daemon)
{
	static const char *const lines[] = {
	        "vio4wd_build_info{version=\"" VERSION "\",dpdk=\"DPDK 99.1.2\"} 1",
	        "vio4wd_start_time_seconds 1234567890",
	        "vio4wd_worker_info{worker=\"2\",host_cpu=\"130\",numa_node=\"-1\"} 1",
	        "vio4wd_worker_busy_ratio{worker=\"2\"} 0.1",
	        "vio4wd_worker_busy_seconds_total{worker=\"2\"} 1.5",
	        "vio4wd_worker_asleep_ratio{worker=\"2\"} 0.75",
	        "vio4wd_worker_sleeps_total{worker=\"2\"} 12345678901",
	        "vio4wd_worker_lanes{worker=\"2\"} 3",
	        "vio4wd_worker_shares_cpu{worker=\"2\"} 1",
	        "vio4wd_worker_lanes{worker=\"7\"} 0",
	};

	rig_clear();
	fake.n_workers = 2;
	fake.workers[0] = (struct control_worker){.cpu = 2,
	                                          .numa_node = -1,
	                                          .host_cpu = 130,
	                                          .shares_cpu = true,
	                                          .n_lanes = 3,
	                                          .busy = 0.1f,
	                                          .busy_cycles = 3000000000,
	                                          .asleep = 0.75f,
	                                          .sleeps = 12345678901};
	fake.workers[1].cpu = 7;
	const char *text = rig_scrape(METRICS_TEXT, 4096);

	for (size_t i = 0; i < COUNT(lines); i++)
		HAS(text, lines[i]);
}
END_TEST

/* Of 64 relays those are told of that have an end, or have counted something. */
START_TEST(idle_relays_are_left_out)
{
	rig_clear();
	ck_assert_ptr_null(strstr(rig_scrape(METRICS_TEXT, 4096), "{relay="));
	fake.relays[0].vm_to_vf.counters.rx_pkts = 1;
	fake.relays[63].vm_to_vf.active = true;
	const char *text = rig_scrape(METRICS_TEXT, 4096);

	HAS(text, "vio4wd_relay_info{relay=\"0\",device=\"\",socket=\"\"} 1");
	HAS(text, "vio4wd_relay_info{relay=\"63\",device=\"\",socket=\"\"} 1");
	ck_assert_ptr_null(strstr(text, "relay=\"1\""));
}
END_TEST

/* Each family has its head before its samples, each series stands there once, and each line is one.
 */
static void check_lines(char *text, bool openmetrics)
{
	char family[128] = "", *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (strcmp(line, "# EOF") == 0) {
			ck_assert(openmetrics);
			ck_assert_ptr_null(strtok_r(NULL, "\n", &rest));
			return;
		}
		if (sscanf(line, "# HELP %127s", family) == 1) {
			ck_assert_int_eq(line[strlen(line) - 1], '.');
			continue;
		}
		if (line[0] == '#')
			continue;
		ck_assert_msg(strncmp(line, family, strlen(family)) == 0, "%s below %s", line,
		              family);
		ck_assert_ptr_nonnull(strrchr(line, ' '));
	}
	ck_assert(!openmetrics);
}

START_TEST(whole_lines_in_whatever_pieces)
{
	static const size_t pieces[] = {1, 7, 511, 100000};
	char *first;

	rig_fill();
	first = strdup(rig_scrape(METRICS_OPENMETRICS, 16384));
	ck_assert_int_gt(strlen(first), 1000000);
	for (size_t i = 0; i < COUNT(pieces); i++)
		ck_assert_str_eq(rig_scrape(METRICS_OPENMETRICS, pieces[i]), first);
	check_lines(first, true);
	free(first);
	first = strdup(rig_scrape(METRICS_TEXT, 16384));
	check_lines(first, false);
	free(first);
}
END_TEST

/* Whatever there is to say about a relay has room: the last member's, the last lane's. */
START_TEST(nothing_is_left_out_for_want_of_room)
{
	char line[256];

	rig_fill();
	const char *text = rig_scrape(METRICS_OPENMETRICS, 16384);

	for (unsigned id = 0; id < RELAYS_MAX; id++) {
		snprintf(line, sizeof(line),
		         "vio4wd_queue_received_packets_total{relay=\"%u\",direction=\"vm_to_vf\","
		         "queue=\"%u\"} 18446744073709551615",
		         id, VF_QUEUES_MAX - 1);
		HAS(text, line);
		snprintf(line, sizeof(line),
		         "vio4wd_bond_member_active{relay=\"%u\",member=\"member%u\"} 0", id,
		         BOND_MEMBERS_MAX - 1);
		HAS(text, line);
	}
}
END_TEST

/* All relays are read at one moment, and not before somebody takes the first piece. */
START_TEST(a_scrape_is_of_one_moment)
{
	static struct families families;
	char piece[64];

	rig_fill();
	families_init(&families);
	ck_assert_uint_lt(families.n, FAMILIES_MAX);
	struct scrape *scrape = scrape_create(&families, NULL, METRICS_TEXT, 0);
	ck_assert_uint_eq(fake.n_reads, 0);
	ck_assert_int_gt(scrape_read(scrape, piece, sizeof(piece)), 0);
	ck_assert_uint_eq(fake.n_reads, RELAYS_MAX);
	while (scrape_read(scrape, piece, sizeof(piece)) > 0)
		;
	ck_assert_uint_eq(fake.n_reads, RELAYS_MAX);
	scrape_free(scrape);
	scrape_free(NULL);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, every_counter_of_the_table_is_there);
	tcase_add_test(tcase, sums_are_no_samples);
	tcase_add_test(tcase, relays_and_their_ends);
	tcase_add_test(tcase, workers_and_the_daemon);
	tcase_add_test(tcase, idle_relays_are_left_out);
	tcase_add_test(tcase, whole_lines_in_whatever_pieces);
	tcase_add_test(tcase, nothing_is_left_out_for_want_of_room);
	tcase_add_test(tcase, a_scrape_is_of_one_moment);
	return suite_main("scrape", tcase);
}
