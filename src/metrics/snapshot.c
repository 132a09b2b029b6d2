/* What the relays and workers tell at one moment. See snapshot.h. */
#include "metrics/snapshot.h"

#include <stdio.h>
#include <string.h>

static bool has_counted(const struct lane_counters *counters)
{
	for (size_t i = 0; i < LANE_COUNTERS; i++)
		if (*lane_counter_of(counters, &lane_counter_table[i]) != 0)
			return true;
	return false;
}

static bool is_present(const struct control_relay *relay)
{
	return relay->has_device || relay->vf_to_vm.active || relay->vm_to_vf.active ||
	       has_counted(&relay->vf_to_vm.counters) || has_counted(&relay->vm_to_vf.counters);
}

void snapshot_take(struct snapshot *snapshot, const struct control *control, uint64_t start_s)
{
	unsigned n_lanes = 0;

	snapshot->start_s = start_s;
	snapshot->cycles_per_s = control_cycles_per_s(control);
	for (unsigned id = 0; id < RELAYS_MAX; id++) {
		struct control_relay *relay = &snapshot->relays[id];

		control_relay_read(control, id, relay);
		snapshot->present[id] = is_present(relay);
		if (!snapshot->present[id])
			continue;
		snprintf(snapshot->sockets[id], SNAPSHOT_PATH_MAX, "%s",
		         strcmp(relay->vhost_socket, "NONE") == 0 ? "" : relay->vhost_socket);
		relay->vhost_socket = snapshot->sockets[id];
		snapshot->lanes_begin[id] = n_lanes;
		snapshot->n_lanes[id] = control_lanes_read(control, id, &snapshot->lanes[n_lanes]);
		n_lanes += snapshot->n_lanes[id];
	}
	snapshot->n_workers = control_worker_count(control);
	for (unsigned i = 0; i < snapshot->n_workers; i++)
		control_worker_read(control, i, &snapshot->workers[i]);
}
