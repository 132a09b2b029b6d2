/* A made-up control with relays that tests fill, and whole scrapes of it.
 *
 * WRAP: control_relay_read control_lanes_read control_worker_count control_worker_read
 * WRAP: control_cycles_per_s control_dpdk_version
 */
#ifndef METRICS_RIG_H
#define METRICS_RIG_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/scrape.h"

#define RIG_TEXT_MAX (8U << 20)

static struct {
	struct control_relay relays[RELAYS_MAX];
	struct control_lane lanes[RELAYS_MAX][CONTROL_LANES_MAX];
	unsigned n_lanes[RELAYS_MAX];
	struct control_worker workers[4];
	unsigned n_workers, n_reads;
} fake;

void __wrap_control_relay_read(const struct control *control, unsigned relay_id,
                               struct control_relay *out)
{
	(void)control;
	fake.n_reads++;
	*out = fake.relays[relay_id];
}

unsigned __wrap_control_lanes_read(const struct control *control, unsigned relay_id,
                                   struct control_lane out[CONTROL_LANES_MAX])
{
	(void)control;
	memcpy(out, fake.lanes[relay_id], fake.n_lanes[relay_id] * sizeof(out[0]));
	return fake.n_lanes[relay_id];
}

unsigned __wrap_control_worker_count(const struct control *control)
{
	(void)control;
	return fake.n_workers;
}

void __wrap_control_worker_read(const struct control *control, unsigned index,
                                struct control_worker *out)
{
	(void)control;
	*out = fake.workers[index];
}

uint64_t __wrap_control_cycles_per_s(const struct control *control)
{
	(void)control;
	return 2000000000;
}

const char *__wrap_control_dpdk_version(void)
{
	return "DPDK 99.1.2";
}

static inline void rig_clear(void)
{
	memset(&fake, 0, sizeof(fake));
	for (unsigned id = 0; id < RELAYS_MAX; id++) {
		fake.relays[id].id = id;
		fake.relays[id].vhost_socket = "NONE";
	}
}

static inline void rig_add_device(unsigned id, const char *label)
{
	fake.relays[id].has_device = true;
	snprintf(fake.relays[id].device_label, sizeof(fake.relays[id].device_label), "%s", label);
	fake.relays[id].vf_to_vm.state = CONTROL_ALONE;
}

/* As much as there can be: each relay with everything, numbers of many digits. */
static inline void rig_fill(void)
{
	rig_clear();
	for (unsigned id = 0; id < RELAYS_MAX; id++) {
		rig_add_device(id, "0000:05:08.1");
		memset(&fake.relays[id].vf_to_vm.counters, 0xff, sizeof(struct lane_counters));
		memset(&fake.relays[id].vm_to_vf.counters, 0xff, sizeof(struct lane_counters));
		fake.n_lanes[id] = CONTROL_LANES_MAX;
		for (unsigned i = 0; i < CONTROL_LANES_MAX; i++)
			fake.lanes[id][i] = (struct control_lane){.to_vm = i < VF_QUEUES_MAX,
			                                          .queue = i % VF_QUEUES_MAX,
			                                          .cpu = 127,
			                                          .pkts = UINT64_MAX,
			                                          .busy_cycles = UINT64_MAX};
		fake.relays[id].n_members = BOND_MEMBERS_MAX;
		for (unsigned i = 0; i < BOND_MEMBERS_MAX; i++)
			snprintf(fake.relays[id].members[i].label, DEVICE_NAME_MAX, "member%u", i);
	}
}

/* All of a scrape, read in pieces of `max` bytes; the next call reuses it. */
static inline const char *rig_scrape(enum metrics_format format, size_t max)
{
	static struct families families;
	static char text[RIG_TEXT_MAX];
	size_t used = 0;
	ssize_t n;

	families_init(&families);
	struct scrape *scrape = scrape_create(&families, NULL, format, 1234567890);
	ck_assert_ptr_nonnull(scrape);
	while ((n = scrape_read(scrape, text + used, max)) > 0) {
		ck_assert_uint_le((size_t)n, max);
		used += (size_t)n;
		ck_assert_uint_lt(used + max, sizeof(text));
	}
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(scrape_read(scrape, text + used, max), 0); /* it stays so */
	scrape_free(scrape);
	text[used] = '\0';
	return text;
}

/* Whether the line stands there, once. */
static inline bool rig_has_line(const char *text, const char *line)
{
	size_t len = strlen(line);
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, line)) != NULL; at += len)
		if ((at == text || at[-1] == '\n') && at[len] == '\n')
			n++;
	ck_assert_uint_le(n, 1);
	return n == 1;
}

#endif
