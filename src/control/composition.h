/* What the control layer is made of. Private to src/control; control thread only. */
#ifndef CONTROL_COMPOSITION_H
#define CONTROL_COMPOSITION_H

#include "control/control.h"
#include "control/sampler.h"
#include "control/watchdog.h"
#include "keep/saved.h"
#include "placement/cpu_watch.h"
#include "placement/loads.h"
#include "placement/planner.h"
#include "relay/relays.h"

struct control {
	const struct config *config;
	struct loop *loop;
	struct workers *workers;
	struct planner *planner;
	struct sampler *sampler;
	struct watchdog *watchdog;
	struct saved *saved; /* NULL: nothing is saved */
	struct cpu_watch *cpu_watch;
	int posted_fd;                    /* readable when other threads have posted events */
	struct rte_mempool *discard_pool; /* for guests' packets while there is no VF */
	struct loop_task replan;          /* at the end of each turn in which a relay has changed */
	struct loop_timer replan_timer;   /* when there was no memory for it */
	struct loop_timer balance_timer;  /* runs if the balancer is on */
	struct loads loads;
	struct relays relays;
};

/* The relays' part of it, connected to the rest: what control_start begins with. 0 or -ENOMEM. */
int control_init_relays(struct control *control, const struct config *config, struct loop *loop,
                        struct workers *workers);

/* Brings the plans in line with the relays, and has what left them go on its way. */
void control_replan(struct control *control);

#endif
