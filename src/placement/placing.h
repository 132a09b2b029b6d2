/* Between the planner and the pure balancer: the relays' lanes as a snapshot, the answer as
 * placements. Control thread only.
 */
#ifndef PLACEMENT_PLACING_H
#define PLACEMENT_PLACING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "placement/loads.h"
#include "relay/relay.h"

/* A lane that shall be polled. The planner adds what is to be done with it. */
struct placing_lane {
	struct relay *relay;
	enum lane_direction direction;
	unsigned index;
	unsigned group;  /* the queue that it sends to: lanes of one relay and direction only */
	int16_t *worker; /* in: where it is, or LANE_UNPLACED; out: where it shall be */
};

struct placing;

/* relays and loads outlive it. NULL + errno. */
struct placing *placing_create(const struct relays *relays, const struct loads *loads,
                               unsigned lanes_max);
void placing_destroy(struct placing *placing);

/* Gives a worker to each lane that has none, follows pins, unites groups, and leaves the others
 * where they are. */
void placing_place(struct placing *placing, const struct placing_lane *lanes, unsigned n);

/* One round of balancing by the loads measured. Returns how many lanes shall move. */
unsigned placing_balance(struct placing *placing, const struct placing_lane *lanes, unsigned n);

/* What placing_balance would do if nothing were remembered of earlier rounds, a line of text a
 * call; nothing is changed. 0 or -EINVAL (a snapshot that contradicts itself). */
int placing_explain(struct placing *placing, const struct placing_lane *lanes, unsigned n,
                    line_fn line, void *context);

#endif
