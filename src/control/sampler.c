/* Once a second. See sampler.h. The VFs' health (link, the NIC's own losses) is read by a job on
 * the device thread, since some drivers ask the NIC for it and wait; so does the PF, when it is to
 * be asked something. Control thread only, but for health_run.
 */
#include "control/sampler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "dpdk/pool.h"
#include "events/events.h"
#include "guest/guest_kernel.h"
#include "relay/host.h"
#include "relay/mac.h"
#include "relay/relays.h"
#include "vf/health.h"
#include "vf/host.h"

#define SAMPLE_MS 1000

/* How long the device thread may ask PFs at a time: each answers within microseconds, or when the
 * kernel is done with something else. Others have work for the thread too. */
#define ASK_HOSTS_MS 300

struct health_entry {
	unsigned relay_id;
	struct vf vf;
	struct vf_health health;
	enum vf_host_question question;
	struct vf_host host; /* the answer, if there is a question */
};

struct sampler {
	struct relays *relays;
	struct loads *loads;
	struct loop_timer timer;
	double sampled_at_s;
	struct lane_counters sampled[RELAYS_MAX][2]; /* [enum lane_direction], at that time */
	struct control_rates rates[RELAYS_MAX][2];
	struct job health_job; /* first of its kind under way at a time */
	bool health_busy;
	struct health_entry entries[RELAYS_MAX]; /* the device thread's while health_busy */
	unsigned n_entries;
	unsigned asked_last; /* the device thread's; a relay's id: the next one is asked first */
};

static double now_s(void)
{
	return (double)clock_now_ns() * 1e-9;
}

static float rate(uint64_t before, uint64_t after, double elapsed_s)
{
	return (float)((double)(after - before) / elapsed_s);
}

void control_rates_between(const struct lane_counters *before, const struct lane_counters *after,
                           double elapsed_s, struct control_rates *out)
{
	out->rx_pkts = rate(before->rx_pkts, after->rx_pkts, elapsed_s);
	out->rx_bytes = rate(before->rx_bytes, after->rx_bytes, elapsed_s);
	out->tx_pkts = rate(before->tx_pkts, after->tx_pkts, elapsed_s);
	out->tx_bytes = rate(before->tx_bytes, after->tx_bytes, elapsed_s);
}

void sampler_read_counters(const struct relay *relay, enum lane_direction direction,
                           struct lane_counters *out)
{
	const struct lanes *lanes = &relay->lanes;

	memset(out, 0, sizeof(*out));
	out->dropped_by_vf_pkts = vf_counts_lost(&relay->vf_end.past, direction) +
	                          vf_counts_lost(&relay->vf_end.health.counts, direction);
	if (direction == LANE_VM_TO_VF) {
		for (unsigned i = 0; i < GUEST_QUEUES_MAX; i++)
			lane_counters_add(out, &lanes->vm_to_vf[i].counters);
		return;
	}
	lane_counters_add(out, &relay->vf_end.leftover);
	for (unsigned i = 0; i < VF_QUEUES_MAX; i++)
		lane_counters_add(out, &lanes->vf_to_vm[i].counters);
}

const struct control_rates *sampler_rates(const struct sampler *sampler, unsigned relay_id,
                                          enum lane_direction direction)
{
	return &sampler->rates[relay_id][direction];
}

static void sample_rates(struct sampler *sampler)
{
	double now = now_s(), elapsed = now - sampler->sampled_at_s;

	loads_sample(sampler->loads, sampler->relays, elapsed);
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		const struct relay *relay = &sampler->relays->relay[i];

		for (int d = LANE_VF_TO_VM; d <= LANE_VM_TO_VF; d++) {
			struct lane_counters counters;

			sampler_read_counters(relay, (enum lane_direction)d, &counters);
			control_rates_between(&sampler->sampled[i][d], &counters, elapsed,
			                      &sampler->rates[i][d]);
			sampler->sampled[i][d] = counters;
		}
	}
	sampler->sampled_at_s = now;
}

static struct sampler *sampler_of_job(struct job *job)
{
	return CONTAINER_OF(job, struct sampler, health_job);
}

/* Those for whom there is no time left are asked first the next time. */
static void ask_hosts(struct sampler *sampler)
{
	uint64_t until_ms = clock_now_ms() + ASK_HOSTS_MS;
	unsigned first = 0;

	while (first < sampler->n_entries &&
	       sampler->entries[first].relay_id <= sampler->asked_last)
		first++;
	for (unsigned i = 0; i < sampler->n_entries; i++) {
		struct health_entry *entry = &sampler->entries[(first + i) % sampler->n_entries];

		if (entry->question == VF_HOST_NO_QUESTION)
			continue;
		if (clock_now_ms() > until_ms) {
			entry->host = (struct vf_host){.pf_up = true, .incomplete = true};
			continue;
		}
		vf_host_read(&entry->vf, &entry->host);
		sampler->asked_last = entry->relay_id;
	}
}

static void read_health(struct health_entry *entry)
{
	vf_health_read(&entry->vf, &entry->health);
	guest_kernel_set_link(entry->relay_id, entry->health.link_up);
}

static void health_run(struct job *job)
{
	struct sampler *sampler = sampler_of_job(job);

	for (unsigned i = 0; i < sampler->n_entries; i++)
		read_health(&sampler->entries[i]);
	ask_hosts(sampler);
	pool_reclaim();
}

static void tell_link(const struct relay *relay, bool up)
{
	const char *device = relay->vf_end.device.name;

	events_tell(&(struct event){.id = up ? EVENT_LINK_UP : EVENT_LINK_DOWN,
	                            .relay = (int)relay->id,
	                            .values = {{EVENT_FIELD_DEVICE, 0, device}}},
	            EVENT_UNLIMITED, "relay %u: the link of %s is %s", relay->id, device,
	            up ? "up" : "down");
}

static void health_done(struct job *job)
{
	struct sampler *sampler = sampler_of_job(job);

	sampler->health_busy = false;
	for (unsigned i = 0; i < sampler->n_entries; i++) {
		const struct health_entry *entry = &sampler->entries[i];
		struct relay *relay = &sampler->relays->relay[entry->relay_id];

		/* The VF may be another one by now. */
		if (relay->vf_end.phase != VF_ATTACHED || relay->vf_end.vf.pool != entry->vf.pool ||
		    relay->vf_end.vf.generation != entry->vf.generation)
			continue;
		if (relay->vf_end.health.link_up != entry->health.link_up)
			tell_link(relay, entry->health.link_up);
		relay->vf_end.health = entry->health;
		if (entry->question != VF_HOST_NO_QUESTION &&
		    host_told(relay, &entry->host, entry->question))
			relays_vf_lost(relay);
	}
}

static void ask_health(struct sampler *sampler)
{
	if (sampler->health_busy) /* a slow device: its turn is not over */
		return;
	sampler->n_entries = 0;
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &sampler->relays->relay[i];
		struct health_entry *entry = &sampler->entries[sampler->n_entries];

		if (relay->vf_end.phase != VF_ATTACHED)
			continue;
		entry->relay_id = i;
		entry->vf = relay->vf_end.vf;
		entry->health = relay->vf_end.health;
		entry->question = relay->vf_end.host_question;
		relay->vf_end.host_question = VF_HOST_NO_QUESTION;
		sampler->n_entries++;
	}
	sampler->health_busy = true;
	job_submit(sampler->relays->device_thread, &sampler->health_job);
}

static void on_sample(void *context)
{
	struct sampler *sampler = context;

	sample_rates(sampler);
	ask_health(sampler);
	loop_timer_start(sampler->relays->loop, &sampler->timer, SAMPLE_MS, on_sample, sampler);
}

struct sampler *sampler_create(struct relays *relays, struct loads *loads)
{
	struct sampler *sampler = calloc(1, sizeof(*sampler));

	if (sampler == NULL)
		return NULL;
	sampler->relays = relays;
	sampler->loads = loads;
	sampler->health_job.run = health_run;
	sampler->health_job.done = health_done;
	sampler->sampled_at_s = now_s();
	loop_timer_start(relays->loop, &sampler->timer, SAMPLE_MS, on_sample, sampler);
	return sampler;
}

void sampler_destroy(struct sampler *sampler)
{
	loop_timer_stop(&sampler->timer);
	free(sampler);
}
