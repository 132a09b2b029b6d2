/* What the relays and workers tell at one moment, for a scrape to write in its own time. A snapshot
 * belongs to its scrape; it is taken on the control thread.
 */
#ifndef METRICS_SNAPSHOT_H
#define METRICS_SNAPSHOT_H

#include "control/control.h"

#define SNAPSHOT_PATH_MAX 108 /* a socket's */

struct snapshot {
	bool present[RELAYS_MAX]; /* of the arrays below, what others have is undefined */
	struct control_relay relays[RELAYS_MAX];
	char sockets[RELAYS_MAX][SNAPSHOT_PATH_MAX]; /* "": none */
	unsigned n_workers;
	struct control_worker workers[LCORES_MAX];
	uint64_t cycles_per_s;
	uint64_t start_s;                                      /* of the metrics, since the epoch */
	unsigned lanes_begin[RELAYS_MAX], n_lanes[RELAYS_MAX]; /* [relay]: its lanes */
	struct control_lane lanes[RELAYS_MAX * CONTROL_LANES_MAX];
};

/* A relay is present when it has a VF or a guest, or has ever counted anything: what has been
 * counted does not vanish. */
void snapshot_take(struct snapshot *snapshot, const struct control *control, uint64_t start_s);

#endif
