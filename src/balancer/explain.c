/* The balancer's decisions in words: the texts.
 */
#include "balancer/explain.h"

#include <stdio.h>

static double percent(uint32_t share)
{
	return (double)share * 100 / BALANCER_FULL;
}

const char *balancer_explain_reason(enum balancer_reason reason)
{
	switch (reason) {
	case BALANCER_NEW:
		return "new: to the least loaded worker of its NUMA node";
	case BALANCER_PIN:
		return "pinned there";
	case BALANCER_JOIN:
		return "joins the lanes that send to the same queue";
	case BALANCER_HOME:
		return "back to its own NUMA node";
	case BALANCER_RELIEVE:
		return "relieves the worker that it leaves";
	case BALANCER_ROOM:
		return "makes room for a lane that relieves a busier worker";
	case BALANCER_PACK:
		return "so that the CPU that it leaves can sleep";
	case BALANCER_SPILL:
		return "all workers of its own NUMA node are saturated";
	}
	return "";
}

int balancer_explain_move(const struct balancer_snapshot *snapshot,
                          const struct balancer_move *move, char *text, size_t size)
{
	const struct balancer_lane *lane = &snapshot->lanes[move->lane];
	const struct balancer_worker *to = &snapshot->workers[move->to];
	char from[64] = "", remote[64] = "";

	if (move->from != BALANCER_NOWHERE)
		snprintf(from, sizeof(from), "from worker %u (%.1f %% busy, then %.1f %%) ",
		         snapshot->workers[move->from].lcore, percent(move->pressure_from[0]),
		         percent(move->pressure_from[1]));
	if (move->remote_to_pct > 0)
		snprintf(remote, sizeof(remote), "; remote memory costs it %u %% there",
		         move->remote_to_pct);
	return snprintf(
	        text, size,
	        "relay %u %s lane %u (%.1f %%) %sto worker %u (%.1f %% busy, then %.1f %%): "
	        "%s%s",
	        lane->relay, lane->direction == 0 ? "vf_to_vm" : "vm_to_vf", lane->index,
	        percent(move->load), from, to->lcore, percent(move->pressure_to[0]),
	        percent(move->pressure_to[1]), balancer_explain_reason(move->reason), remote);
}

int balancer_explain_verdict(const struct balancer_snapshot *snapshot,
                             const struct balancer_verdict *verdict, char *text, size_t size)
{
	char where[32] = "workers", state[160];
	double gain = percent(verdict->before) - percent(verdict->after);

	if (verdict->node != BALANCER_ANY_NODE)
		snprintf(where, sizeof(where), "NUMA node %d", verdict->node);
	snprintf(state, sizeof(state),
	         "%s: worker %u is the busiest with %.1f %%, the mean is %.1f %%", where,
	         snapshot->workers[verdict->busiest].lcore, percent(verdict->before),
	         percent(verdict->mean));
	switch (verdict->outcome) {
	case BALANCER_QUIET:
		return snprintf(text, size, "%s: nothing has changed since the last look", state);
	case BALANCER_EVEN:
		return snprintf(text, size, "%s: even", state);
	case BALANCER_STUCK:
		return snprintf(text, size, "%s: nothing that may move would help", state);
	case BALANCER_TOO_SMALL:
	case BALANCER_NOISE:
		return snprintf(
		        text, size,
		        "%s; moving %u lanes would take away %.1f %%, and it has to be %.1f %% %s",
		        state, verdict->found, gain, percent(verdict->needed),
		        verdict->outcome == BALANCER_NOISE ? "to stand out of the loads' noise"
		                                           : "by the sensitivity that is set");
	case BALANCER_MOVED:
		return snprintf(text, size, "%s: moving %u lanes takes away %.1f %%", state,
		                verdict->found, gain);
	case BALANCER_PACKED:
		return snprintf(text, size, "%s: moving %u lanes lets whole CPUs sleep", state,
		                verdict->found);
	case BALANCER_DENSE:
		return snprintf(text, size, "%s: lanes share as few CPUs as hold them", state);
	case BALANCER_WAITS:
		return snprintf(text, size,
		                "%s: some worker was busy not long ago, so lanes are not put "
		                "together yet",
		                state);
	case BALANCER_PARTLY:
		return snprintf(
		        text, size,
		        "%s: moving %u lanes takes away %.1f %%, as many as allowed now and the "
		        "others in the next rounds",
		        state, verdict->found, gain);
	}
	return 0;
}
