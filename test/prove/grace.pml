/* A session's pauses and swaps against a worker that walks the ring: does the worker ever touch
 * memory that is not mapped any more, or a position that is being set, and does each message get its
 * reply? The session, on the protocol thread, takes a ring's view away (a message that stops it) or
 * puts another in its place (one that swaps something), and waits for a grace period before it
 * touches what the old view named. Control waits for grace periods of its own, on its thread, and
 * only one can be under way at a time.
 *
 * As src/vhost's sessions and src/datapath/worker.c do. Each UNDO takes a rule away, and must break
 * the model:
 *   UNDO_GRACE    memory is unmapped as soon as the view is gone
 *   UNDO_NULL     the grace period begins before the view is gone
 *   UNDO_ONCE     the worker reads the view's pointer twice in a burst
 *   UNDO_REPLY    a log's swap is answered before the grace period is over
 */
#define VIEWS    2
#define NONE     0
#define MESSAGES 3

byte view = 1;                 /* the ring's pointer: a view's number, or NONE */
bool mapped[VIEWS + 1] = true; /* what a view names is there */
bool in_walk = false;          /* the worker is between reading the position and writing it */
byte used_log = NONE;          /* the view whose log the worker may still write */

/* rte_rcu_qsbr with one reader: its count of quiescent states, and the token that is waited for. */
byte token = 1, passed = 1;
bool offline = false;
bool lock = false; /* workers->synchronizing */

byte answered = 0;
bool finished = false;

active proctype worker() {
	byte mine;

	do
	:: finished -> passed = 255; break
	:: !offline -> /* a pass */
		mine = view;
		if
		:: mine != NONE ->
			in_walk = true;
			used_log = mine;
			assert(mapped[mine]); /* reads the ring */
#ifdef UNDO_ONCE
			mine = view;
#endif
			assert(mine != NONE && mapped[mine]); /* copies, and shows what was used */
			used_log = NONE;
			in_walk = false
		:: else
		fi;
		passed = token
	:: !offline -> offline = true; passed = 255
	:: offline -> offline = false; passed = token
	od
}

#define OVER(t) (passed >= t)

inline begin_grace(t) {
	/* A thread that finds the lock taken comes back later. */
	atomic { !lock -> lock = true };
	token = token + 1;
	t = token
}

inline end_grace(t) {
	OVER(t);
	lock = false
}

active proctype control() {
	byte t, n = 0;

	do
	:: n < 2 -> begin_grace(t); end_grace(t); n = n + 1
	:: break
	od
}

active proctype session() {
	byte t, old, n = 0;

	do
	:: n == MESSAGES -> break
	:: n < MESSAGES -> /* a message that stops: then it is started again, with other memory */
		old = view;
#ifdef UNDO_NULL
		begin_grace(t);
		view = NONE;
		end_grace(t);
#else
		view = NONE;
#ifndef UNDO_GRACE
		begin_grace(t);
		end_grace(t);
#endif
#endif
		mapped[old] = false;
		assert(!in_walk); /* the position is the session's now */
		answered = answered + 1;
		mapped[3 - old] = true;
		view = 3 - old;
		n = n + 1
	:: n < MESSAGES -> /* a message that swaps the log */
		old = view;
		mapped[3 - old] = true;
		view = 3 - old;
#ifdef UNDO_REPLY
		assert(used_log != old); /* what it writes now, the front end does not look at */
		answered = answered + 1;
#endif
		begin_grace(t);
		end_grace(t);
#ifndef UNDO_REPLY
		assert(used_log != old);
		answered = answered + 1;
#endif
		mapped[old] = false;
		n = n + 1
	od;
	assert(answered == MESSAGES);
	finished = true
}
