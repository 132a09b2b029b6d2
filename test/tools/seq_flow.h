/* Accounts for the packets of one flow: each sent packet has a slot until its fate is known. */
#ifndef SEQ_FLOW_H
#define SEQ_FLOW_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define FLOWS_MAX  64
#define FLOW_SLOTS 4096u /* packets of a flow that are remembered */

enum slot_state { SLOT_FREE, SLOT_OUT, SLOT_BACK, SLOT_SKIPPED, SLOT_TIMED_OUT };

struct slot {
	uint64_t sent_us;
	uint32_t seq;
	enum slot_state state;
};

/* A lost packet that comes back after all is late (its time was over), reordered (a later one was
 * back before it) or both, and no longer lost. */
struct counters {
	uint64_t sent, received, lost, late, reordered, duplicated, corrupted;
};

struct flow {
	uint32_t next_seq; /* to send */
	uint32_t oldest;   /* everything before it is accounted for */
	uint32_t next_rx;  /* the next sequence number that is due */
	unsigned outstanding;
	uint64_t rtt_max_us;
	struct counters count;
	struct slot slots[FLOW_SLOTS];
};

static inline struct slot *flow_slot(struct flow *f, uint32_t seq)
{
	return &f->slots[seq % FLOW_SLOTS];
}

static inline bool flow_has_room(const struct flow *f, unsigned window)
{
	return f->outstanding < window && f->next_seq - f->oldest < FLOW_SLOTS;
}

/* next_seq has just been sent, and is expected back or not. */
static inline void flow_sent(struct flow *f, uint64_t now, bool comes_back)
{
	f->count.sent++;
	if (comes_back) {
		*flow_slot(f, f->next_seq) =
		        (struct slot){.sent_us = now, .seq = f->next_seq, .state = SLOT_OUT};
		f->outstanding++;
	}
	f->next_seq++;
}

static inline void flow_give_up(struct flow *f, struct slot *s, enum slot_state state)
{
	s->state = state;
	f->count.lost++;
	f->outstanding--;
}

static inline void flow_expire(struct flow *f, uint64_t now, uint64_t timeout_us)
{
	for (; f->oldest != f->next_seq; f->oldest++) {
		struct slot *s = flow_slot(f, f->oldest);

		if (s->state != SLOT_OUT)
			continue; /* also what was never to come back */
		if (now - s->sent_us < timeout_us)
			return;
		flow_give_up(f, s, SLOT_TIMED_OUT);
	}
}

/* Packet seq is back. false: nobody knows of it. */
static inline bool flow_back(struct flow *f, uint32_t seq, uint64_t now)
{
	struct slot *s = flow_slot(f, seq);

	f->count.received++;
	if (s->seq != seq || s->state == SLOT_FREE)
		return false;
	switch (s->state) {
	case SLOT_BACK:
		f->count.duplicated++;
		return true;
	case SLOT_SKIPPED:
		f->count.lost--;
		f->count.reordered++;
		break;
	case SLOT_TIMED_OUT:
		f->count.lost--;
		f->count.late++;
		if ((int32_t)(seq - f->next_rx) < 0)
			f->count.reordered++;
		break;
	default:
		f->outstanding--;
	}
	s->state = SLOT_BACK;
	if (now - s->sent_us > f->rtt_max_us)
		f->rtt_max_us = now - s->sent_us;
	if ((int32_t)(seq - f->next_rx) < 0)
		return true;
	for (; f->next_rx != seq; f->next_rx++) {
		s = flow_slot(f, f->next_rx);
		if (s->state == SLOT_OUT)
			flow_give_up(f, s, SLOT_SKIPPED);
	}
	f->next_rx++;
	return true;
}

/* For a receiver that knows the sender by its sequence numbers only. */
static inline void flow_heard(struct flow *f, uint32_t seq)
{
	int32_t ahead = f->count.received++ ? (int32_t)(seq - f->next_rx) : 0;

	if (ahead < 0) {
		f->count.reordered++;
		if (f->count.lost)
			f->count.lost--;
		return;
	}
	f->count.lost += (uint32_t)ahead;
	f->next_rx = seq + 1;
}

/* What is under way is nobody's loss: we are leaving the socket. Returns how many. */
static inline unsigned flow_forgive(struct flow *f)
{
	unsigned n = f->outstanding;

	for (unsigned i = 0; i < FLOW_SLOTS; i++)
		if (f->slots[i].state == SLOT_OUT)
			f->slots[i].state = SLOT_FREE;
	f->outstanding = 0;
	f->oldest = f->next_rx = f->next_seq;
	return n;
}

static inline void counters_add(struct counters *sum, const struct counters *c)
{
	sum->sent += c->sent;
	sum->received += c->received;
	sum->lost += c->lost;
	sum->late += c->late;
	sum->reordered += c->reordered;
	sum->duplicated += c->duplicated;
	sum->corrupted += c->corrupted;
}

static inline void counters_print(const struct counters *c)
{
	printf("\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"lost\":%" PRIu64
	       ",\"late\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"duplicated\":%" PRIu64
	       ",\"corrupted\":%" PRIu64,
	       c->sent, c->received, c->lost, c->late, c->reordered, c->duplicated, c->corrupted);
}

/* --- an array of FLOWS_MAX flows --- */

static inline void flows_expire(struct flow *flows, uint64_t now, uint64_t timeout_us)
{
	for (unsigned i = 0; i < FLOWS_MAX; i++)
		flow_expire(&flows[i], now, timeout_us);
}

static inline struct counters flows_count(const struct flow *flows)
{
	struct counters sum = {0};

	for (unsigned i = 0; i < FLOWS_MAX; i++)
		counters_add(&sum, &flows[i].count);
	return sum;
}

static inline unsigned flows_outstanding(const struct flow *flows)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FLOWS_MAX; i++)
		n += flows[i].outstanding;
	return n;
}

/* Whether a packet that a later one has overtaken may still come. */
static inline bool flows_overtaken(const struct flow *flows, uint64_t now, uint64_t timeout_us)
{
	for (unsigned i = 0; i < FLOWS_MAX; i++) {
		if (flows[i].count.lost == 0)
			continue;
		for (unsigned j = 0; j < FLOW_SLOTS; j++) {
			const struct slot *s = &flows[i].slots[j];

			if (s->state == SLOT_SKIPPED && now - s->sent_us < timeout_us)
				return true;
		}
	}
	return false;
}

static inline uint64_t flows_rtt_max(const struct flow *flows)
{
	uint64_t max = 0;

	for (unsigned i = 0; i < FLOWS_MAX; i++)
		if (flows[i].rtt_max_us > max)
			max = flows[i].rtt_max_us;
	return max;
}

#endif
