/* What remote memory costs a lane.
 */
#include "balancer/snapshot.h"

/* What crossing to another node costs a lane, in per cent of its load at home: rough figures, of
 * which the order matters more than the values. The packet is read from one memory and written to
 * the other; the VF's rings are on the VF's node, where the pool is too. So when VF and guest are
 * apart, the VF's node is home. */
#define REMOTE_VF_PCT    10
#define REMOTE_POOL_PCT  15
#define REMOTE_GUEST_PCT 20

static unsigned remote_pct(int memory_node, int node, unsigned pct)
{
	return memory_node == BALANCER_ANY_NODE || node == BALANCER_ANY_NODE || memory_node == node
	               ? 0
	               : pct;
}

unsigned balancer_remote_pct(const struct balancer_lane *lane, int node)
{
	return remote_pct(lane->vf_node, node, REMOTE_VF_PCT) +
	       remote_pct(lane->pool_node, node, REMOTE_POOL_PCT) +
	       remote_pct(lane->guest_node, node, REMOTE_GUEST_PCT);
}
