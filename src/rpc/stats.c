/* The stats service. See stats.h.
 *
 * Rates over the last second are control's own. For a request with a delay of its own, the
 * counters of the relays asked for are read now and once more after the delay, and the answer is
 * held back until then: so no client changes what another one sees.
 */
#include "rpc/stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "rpc/stats_codec.h"

struct selection { /* relays asked for, in the order asked, each once */
	unsigned count;
	uint8_t ids[RELAYS_MAX];
	bool include_inactive;
};

struct baseline {
	struct lane_counters vf_to_vm, vm_to_vf;
};

/* A request that waits for the end of its delay. */
struct delayed {
	LIST_ENTRY(delayed) link;
	struct stats *stats;
	struct endpoint_reply *reply;
	struct loop_timer timer;
	struct selection selection;
	uint64_t start_ns;
	struct baseline baselines[]; /* [selection.count] */
};

struct stats {
	struct control *control;
	struct loop *loop;
	unsigned n_delayed;
	LIST_HEAD(delayed_list, delayed) delayed;
	struct stats_codec codec; /* for one answer at a time */
};

static void add_workers(struct stats *stats)
{
	struct control_worker worker;

	for (unsigned i = 0; i < control_worker_count(stats->control); i++) {
		control_worker_read(stats->control, i, &worker);
		stats_codec_add_worker(&stats->codec, &worker);
	}
	stats->codec.message.has_cycles_per_s = true;
	stats->codec.message.cycles_per_s = control_cycles_per_s(stats->control);
}

static void add_lanes(struct stats *stats, unsigned relay_id)
{
	struct control_lane lanes[CONTROL_LANES_MAX];
	unsigned n = control_lanes_read(stats->control, relay_id, lanes);

	stats_codec_add_lanes(&stats->codec, lanes, n);
}

static void add_queues(struct stats *stats, unsigned relay_id)
{
	struct control_queue queues[CONTROL_QUEUES_MAX];
	unsigned n = control_queues_read(stats->control, relay_id, queues);

	stats_codec_add_queues(&stats->codec, queues, n);
}

/* baselines is NULL for the rates over the last second. */
static void answer_send(struct stats *stats, struct endpoint_reply *reply,
                        const struct selection *selection, const struct baseline *baselines,
                        double elapsed_s)
{
	struct control_relay relay;
	struct control_rates vf_to_vm, vm_to_vf;

	stats_codec_begin(&stats->codec);
	add_workers(stats);
	for (unsigned i = 0; i < selection->count; i++) {
		unsigned id = selection->ids[i];

		control_relay_read(stats->control, id, &relay);
		if (!relay.active && !selection->include_inactive)
			continue;
		if (baselines == NULL) {
			control_relay_rates(stats->control, id, &vf_to_vm, &vm_to_vf);
		} else {
			control_rates_between(&baselines[i].vf_to_vm, &relay.vf_to_vm.counters,
			                      elapsed_s, &vf_to_vm);
			control_rates_between(&baselines[i].vm_to_vf, &relay.vm_to_vf.counters,
			                      elapsed_s, &vm_to_vf);
		}
		stats_codec_add(&stats->codec, &relay, &vf_to_vm, &vm_to_vf);
		add_lanes(stats, id);
		add_queues(stats, id);
	}
	endpoint_answer(reply, &stats->codec.message.base);
}

static void answer_error(struct endpoint_reply *reply,
                         Virtioforwarder__StatsResponse__Status status, const char *why)
{
	Virtioforwarder__StatsResponse answer = VIRTIOFORWARDER__STATS_RESPONSE__INIT;

	answer.status = status;
	answer.error_text = (char *)why;
	endpoint_answer(reply, &answer.base);
}

static void answer_refuse(struct endpoint_reply *reply, enum endpoint_refusal refusal,
                          const char *why)
{
	answer_error(reply,
	             refusal == ENDPOINT_BUSY ? VIRTIOFORWARDER__STATS_RESPONSE__STATUS__ENOMEM
	                                      : VIRTIOFORWARDER__STATS_RESPONSE__STATUS__EBADR,
	             why);
}

static void delayed_free(struct delayed *delayed)
{
	loop_timer_stop(&delayed->timer);
	LIST_REMOVE(delayed, link);
	delayed->stats->n_delayed--;
	free(delayed);
}

static void delayed_end(void *context)
{
	struct delayed *delayed = context;
	double elapsed_s = (double)(clock_now_ns() - delayed->start_ns) / 1e9;

	answer_send(delayed->stats, delayed->reply, &delayed->selection, delayed->baselines,
	            elapsed_s);
	delayed_free(delayed);
}

static void delayed_begin(struct stats *stats, struct endpoint_reply *reply,
                          const struct selection *selection, uint32_t delay_ms)
{
	struct control_relay relay;
	struct delayed *delayed = NULL;

	if (stats->n_delayed < STATS_DELAYED_MAX &&
	    endpoint_reply_share(reply) <= STATS_CONNECTION_DELAYED_MAX)
		delayed = calloc(1, sizeof(*delayed) +
		                            selection->count * sizeof(delayed->baselines[0]));
	if (delayed == NULL) {
		answer_error(reply, VIRTIOFORWARDER__STATS_RESPONSE__STATUS__ENOMEM,
		             "too many requests wait for the end of their delay; try again "
		             "later, or without a delay");
		return;
	}
	delayed->stats = stats;
	delayed->reply = reply;
	delayed->selection = *selection;
	delayed->start_ns = clock_now_ns();
	for (unsigned i = 0; i < selection->count; i++) {
		control_relay_read(stats->control, selection->ids[i], &relay);
		delayed->baselines[i].vf_to_vm = relay.vf_to_vm.counters;
		delayed->baselines[i].vm_to_vf = relay.vm_to_vf.counters;
	}
	LIST_INSERT_HEAD(&stats->delayed, delayed, link);
	stats->n_delayed++;
	loop_timer_start(stats->loop, &delayed->timer,
	                 delay_ms < STATS_DELAY_MAX_MS ? delay_ms : STATS_DELAY_MAX_MS, delayed_end,
	                 delayed);
}

/* None given means all; ids that do not exist are skipped, and may leave none at all. */
static void selection_make(const Virtioforwarder__StatsRequest *request,
                           struct selection *selection)
{
	uint64_t seen = 0;

	_Static_assert(RELAYS_MAX <= 64, "seen has a bit per relay");
	*selection = (struct selection){.include_inactive = request->include_inactive};
	for (size_t i = 0; i < request->n_relay; i++) {
		uint32_t id = request->relay[i];

		if (id >= RELAYS_MAX || (seen & UINT64_C(1) << id) != 0)
			continue;
		seen |= UINT64_C(1) << id;
		selection->ids[selection->count++] = (uint8_t)id;
	}
	for (unsigned id = 0; request->n_relay == 0 && id < RELAYS_MAX; id++)
		selection->ids[selection->count++] = (uint8_t)id;
}

static void request_handle(void *context, struct endpoint_reply *reply,
                           const ProtobufCMessage *message)
{
	const Virtioforwarder__StatsRequest *request =
	        (const Virtioforwarder__StatsRequest *)message;
	struct stats *stats = context;
	struct selection selection;

	if (request->n_relay > RELAYS_MAX) {
		answer_error(reply, VIRTIOFORWARDER__STATS_RESPONSE__STATUS__E2BIG,
		             "more relays are asked for than there are");
		return;
	}
	selection_make(request, &selection);
	if (request->delay == 0)
		answer_send(stats, reply, &selection, NULL, 0);
	else
		delayed_begin(stats, reply, &selection, request->delay);
}

struct stats *stats_create(struct control *control, struct loop *loop)
{
	struct stats *stats = calloc(1, sizeof(*stats));

	if (stats == NULL)
		return NULL;
	if (stats_codec_init(&stats->codec) < 0) {
		free(stats);
		errno = ENOENT;
		return NULL;
	}
	stats->control = control;
	stats->loop = loop;
	LIST_INIT(&stats->delayed);
	return stats;
}

void stats_destroy(struct stats *stats)
{
	struct delayed *delayed, *next;

	if (stats == NULL)
		return;
	for (delayed = LIST_FIRST(&stats->delayed); delayed != NULL; delayed = next) {
		next = LIST_NEXT(delayed, link);
		endpoint_drop(delayed->reply);
		delayed_free(delayed);
	}
	free(stats);
}

const struct endpoint_service stats_service = {
        .name = "stats",
        .request_type = &virtioforwarder__stats_request__descriptor,
        .request = request_handle,
        .refuse = answer_refuse,
};
