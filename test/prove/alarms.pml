/* Does a worker that sleeps until it is told ever sleep on while there is something for it? A guest
 * sends, control publishes a plan, and the protocol thread starts the ring anew with another kick
 * descriptor; the worker falls asleep whenever it finds nothing, and nothing wakes it by time. What
 * worker and guest write to the ring goes through store buffers of one slot, which is enough to miss
 * a fence.
 *
 * RING is what was negotiated: FLAGS (no event indices) or EVENTS (with them). The steps are those of
 * src/datapath/alarms.c and worker.c, and the descriptors epoll's: one that was written to is told of
 * when it is added, and once for each write. Each UNDO takes a rule away, and must break the model:
 *   UNDO_FENCE    the worker looks without a fence after it has asked for kicks
 *   UNDO_LOOK     it does not look once more before it sleeps
 *   UNDO_ORDER    it takes old events out of the set after it has looked
 *   UNDO_PLAN     it looks at what its plan has, and not whether there is another
 *   UNDO_WAKE     who starts a ring does not wake it
 *   UNDO_SERIAL   it takes a descriptor with the number of one that it knows for that one
 */
#define FLAGS  0
#define EVENTS 1

#define TOTAL 3 /* packets that the guest sends */
#define NONE  2 /* no descriptor, no view */

/* The ring. */
byte avail = 0;      /* shown by the guest */
byte at = 0;         /* taken by the worker */
byte event = 0;      /* EVENTS: position that the worker asks for */
bool asked = false;  /* FLAGS: kicks are asked for */
/* What the protocol thread has: the ring's view, told to the worker, by the number of its descriptor. */
byte view = 0;
byte kick_fd = 0;    /* that the guest's kicks go to */
bool counted[2];     /* written to */
/* The worker's set. */
byte watched = NONE; /* descriptor in it */
bool ready = false;  /* it would be told of */
bool wake = false;   /* its wake_fd */

byte plan = 0, plan_seen = 0;
bool inside = false; /* in a pass, which a grace period waits for */

/* Store buffers. */
bool guest_holds = false;
byte guest_held;
bool we_hold = false;
byte we_held;

active proctype guest_stores() {
end:	do
	:: atomic { guest_holds -> avail = guest_held; guest_holds = false }
	od
}

active proctype our_stores() {
end:	do
	:: atomic {
		we_hold ->
#if RING == FLAGS
		asked = true;
#else
		event = we_held;
#endif
		we_hold = false
	}
	od
}

inline tell(fd) {
	counted[fd] = true;
	if
	:: watched == fd -> ready = true
	:: else
	fi
}

active proctype guest() {
	byte sent = 0;
	bool wanted;

	do
	:: sent == TOTAL -> break
	:: else ->
		atomic { !guest_holds -> sent++; guest_held = sent; guest_holds = true }
		(!guest_holds); /* its fence */
#if RING == FLAGS
		wanted = asked;
#else
		wanted = event == sent - 1;
#endif
		if
		:: wanted -> atomic { tell(kick_fd) }
		:: else
		fi
	od;
	(at == TOTAL) /* a worker that sleeps on leaves it here */
}

active proctype control() {
	plan = 1;
	wake = true;
	(plan_seen == 1)
}

/* The front end's message is through when no worker has the view; then the descriptor is closed, and
 * the guest's next kicks go to the new one. */
active proctype protocol() {
	view = NONE;
	(!inside);
	atomic {
		if
		:: watched == 0 -> watched = NONE; ready = false
		:: else
		fi;
		kick_fd = 1
	}
#if RING == FLAGS
	atomic { asked = false } /* a ring that starts spares kicks */
#endif
	view = 1;
#ifndef UNDO_WAKE
	wake = true
#endif
}

inline flush() {
	atomic { ready = false; wake = false }
}

inline pass() {
	if
	:: view != NONE && avail > at -> at = avail; found = true
	:: else -> found = false
	fi
}

active proctype worker() {
	bool found;
	byte mine;

awake:	inside = true;
	plan_seen = plan;
	pass();
	inside = false;
	if
	:: found -> goto awake
	:: else
	fi;

	/* Nothing there: it asks to be told. */
	inside = true;
#ifndef UNDO_ORDER
	flush();
#endif
	mine = view;
	if
	:: mine == NONE -> inside = false; goto awake /* it would look by time */
	:: else
	fi;
#if RING == FLAGS
	atomic { !we_hold -> we_held = 1; we_hold = true };
#else
	atomic { !we_hold -> we_held = at; we_hold = true };
#endif
	atomic {
		if
#ifdef UNDO_SERIAL
		:: watched == NONE && plan_seen == 0 ->
#else
		:: watched != mine ->
#endif
			watched = mine;
			if
			:: counted[mine] -> ready = true
			:: else
			fi
		:: else
		fi
	}
#ifndef UNDO_FENCE
	(!we_hold);
#endif
	inside = false;

#ifndef UNDO_LOOK
	inside = true;
#ifndef UNDO_PLAN
	if
	:: plan != plan_seen -> inside = false; goto awake
	:: else
	fi;
#endif
	if
	:: view == NONE -> inside = false; goto awake
	:: else
	fi;
	pass();
	inside = false;
	if
	:: found -> goto awake
	:: else
	fi;
#endif

#ifdef UNDO_ORDER
	flush();
#endif
end:	atomic { ready || wake -> ready = false; wake = false }
	goto awake
}
