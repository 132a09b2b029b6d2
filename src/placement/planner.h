/* From relays to plans: which lanes there are, what each one does, which worker polls it, and the
 * publishing. Control thread only.
 */
#ifndef PLACEMENT_PLANNER_H
#define PLACEMENT_PLANNER_H

#include "base/text.h"
#include "placement/loads.h"
#include "relay/relay.h"

struct planner;
struct rte_mempool;

/* discard_pool takes guests' packets while there is no VF. All arguments outlive it. NULL + errno.
 */
struct planner *planner_create(struct relays *relays, const struct loads *loads,
                               struct rte_mempool *discard_pool);
/* The plans that are published stay, and are the workers'. */
void planner_destroy(struct planner *planner);

/* Publishes plans that fit the relays. 0 or -ENOMEM: then the workers' plans have not changed
 * (though the relays' placements may say already where their lanes are to be). */
int planner_apply(struct planner *planner);
/* One round of balancing: moves lanes between workers if their loads ask for it. As above. */
int planner_balance(struct planner *planner);
/* What planner_balance would do now. 0 or -EINVAL. */
int planner_explain(struct planner *planner, line_fn line, void *context);

#endif
