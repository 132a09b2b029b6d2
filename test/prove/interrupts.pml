/* Does a guest's driver that sleeps until an interrupt ever miss one? A driver posts buffers, we use
 * them, and it has to see them all used; what both write goes through a store buffer of one slot,
 * which is enough to miss a fence. Indices count modulo 4 instead of 2^16, rings have 2 entries.
 *
 * RING is what was negotiated: FLAGS (no event indices), EVENTS (split ring with them), PACKED
 * (packed ring with them). The same decisions as src/virtqueue/interrupt.h's. Each UNDO takes a rule
 * away, and must break the model:
 *   UNDO_FENCE   we look at what the driver wants without a fence after showing what was used
 *   UNDO_ORDER   we look at it before that
 *   UNDO_START   nobody sends an interrupt when a ring starts
 *   UNDO_BEFORE  we compare with where the last interrupt was sent, rather than where we looked last,
 *                counted from what the driver asks for then
 */
#define FLAGS  0
#define EVENTS 1
#define PACKED 2

#define SIZE  2
#define MOD   (2 * SIZE)
#define TOTAL 5 /* buffers that the driver posts: the indices come around */

/* OWED: an earlier server of the ring has used it all, and ended before it could send the interrupt. */
#ifdef OWED
#define ALREADY_USED SIZE /* all that there is: the driver sleeps */
#else
#define ALREADY_USED 0
#endif

/* Memory. */
byte avail = ALREADY_USED, used = ALREADY_USED; /* counted to TOTAL, so that the model can tell what is missing */
byte event = 0;                      /* position that the driver asks for, modulo MOD */
bool wants = true;                   /* flags: an interrupt, or one at `event` */
#ifdef UNDO_START
bool interrupt = false;              /* the eventfd's counter */
#else
bool interrupt = (ALREADY_USED > 0); /* likewise; sent by who starts the ring */
#endif

/* Store buffers: ours has `used`, the driver's one of two words. */
bool we_hold = false;
byte we_held;
bool it_holds = false, it_holds_event;
byte it_held;

active proctype our_stores() {
end:	do
	:: atomic { we_hold -> used = we_held; we_hold = false }
	od
}

active proctype driver_stores() {
end:	do
	:: atomic {
		it_holds ->
		if
		:: it_holds_event -> event = it_held
		:: else -> wants = it_held
		fi;
		it_holds = false
	}
	od
}

#define STORE_USED(value)   atomic { !we_hold -> we_held = value; we_hold = true }
#define STORE_EVENT(value)  atomic { !it_holds -> it_held = value; it_holds_event = true; it_holds = true }
#define STORE_WANTS(value)  atomic { !it_holds -> it_held = value; it_holds_event = false; it_holds = true }
#define OUR_FENCE           (!we_hold)
#define DRIVER_FENCE        (!it_holds)

/* interrupt_passes, modulo MOD. */
#define PASSES(e, now, before) (((now) + 2 * MOD - (e) - 1) % MOD < ((now) + MOD - (before)) % MOD)

/* interrupt_passes_packed: positions are an index below SIZE and a wrap bit, and one of the other
 * round counts from below zero. Far enough from zero that the remainder is positive. */
#define INDEX(position)      ((position) % SIZE)
#define ROUND(position)      (((position) / SIZE) % 2)
#define PACKED_EVENT(e, now) (INDEX(e) + 16 - (ROUND(e) != ROUND(now) -> SIZE : 0))
#define PACKED_BEFORE(b, now) (INDEX(b) + 16 - (INDEX(now) <= INDEX(b) -> SIZE : 0))
#define PASSES_PACKED(e, now, b)                                    \
	((INDEX(now) + 16 + 32 - PACKED_EVENT(e, now) - 1) % 32 < \
	 (INDEX(now) + 16 + 32 - PACKED_BEFORE(b, now)) % 32)

active proctype worker() {
	byte at = ALREADY_USED, looked_at = ALREADY_USED, event_seen;
	bool wants_seen, first = true, passes;

end:	do
	:: avail > at ->
#ifdef UNDO_ORDER
		wants_seen = wants;
		event_seen = event;
#endif
		if /* any number of what there is, at once */
		:: at = at + 1
		:: avail > at + 1 -> at = at + 2
		fi;
		STORE_USED(at);
#ifndef UNDO_FENCE
		OUR_FENCE;
#endif
#ifndef UNDO_ORDER
		wants_seen = wants;
		event_seen = event;
#endif
#if RING == FLAGS
		passes = true;
#elif RING == EVENTS
		passes = PASSES(event_seen, at % MOD, looked_at % MOD);
		wants_seen = true;
#else
		passes = PASSES_PACKED(event_seen, at % MOD, looked_at % MOD);
#endif
		if
		:: first || (wants_seen && passes) ->
			interrupt = true;
#ifdef UNDO_BEFORE
			looked_at = event_seen;
#endif
		:: else
		fi;
#ifndef UNDO_BEFORE
		looked_at = at;
#endif
		first = false
	od
}

active proctype driver() {
	byte seen = 0;

#ifdef OWED
	goto asleep;
#endif
	do
	:: seen == TOTAL -> break
	:: avail < TOTAL && avail - seen < SIZE -> avail = avail + 1
	:: used > seen -> /* takes what was used, without being interrupted meanwhile */
#if RING != EVENTS
		STORE_WANTS(0);
#endif
		seen = used
	:: avail > seen -> /* sleeps until some of it is used, unless that has been so for long */
#if RING != FLAGS
		STORE_EVENT(seen % MOD);
#endif
#if RING != EVENTS
		STORE_WANTS(1);
#endif
		DRIVER_FENCE;
		if
		:: used > seen
		:: else ->
asleep:			(interrupt);
			interrupt = false
		fi
	od
}
