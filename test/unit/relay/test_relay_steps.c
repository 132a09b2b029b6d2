/* The three transition functions, walked through every pair of state and event: what follows is
 * written down for the pairs that mean something, and nothing follows from the others.
 */
#include <check.h>

#include "relay/guest_end.h"
#include "relay/pair.h"
#include "relay/vf_end.h"
#include "suite.h"

/* --- the VF end --------------------------------------------------------------------------------
 */

#define A VF_ABSENT
#define T VF_ATTACHING
#define D VF_ATTACHED
#define L VF_LEAVING
#define E VF_DETACHING
#define X VF_LOST

static const struct {
	struct vf_state now;
	enum vf_event event;
	struct vf_step step;
} vf_steps[] = {
        {{A, VF_WISH_NONE}, VF_EVENT_ADD, {{T, VF_WISH_ONCE}, VF_ACTION_ATTACH}},
        {{A, VF_WISH_NONE}, VF_EVENT_AWAIT, {{T, VF_WISH_AWAIT}, VF_ACTION_ATTACH}},
        {{A, VF_WISH_NONE}, VF_EVENT_RESTORE, {{T, VF_WISH_KEEP}, VF_ACTION_ATTACH}},

        {{T, VF_WISH_NONE}, VF_EVENT_ATTACHED, {{L, VF_WISH_NONE}, VF_ACTION_UNPLAN}},
        {{T, VF_WISH_NONE}, VF_EVENT_ATTACH_FAILED, {{A, VF_WISH_NONE}, VF_ACTION_END}},
        {{T, VF_WISH_NONE}, VF_EVENT_REMOVE, {{T, VF_WISH_NONE}, VF_ACTION_CANCEL}},
        {{T, VF_WISH_ONCE}, VF_EVENT_ATTACHED, {{D, VF_WISH_KEEP}, VF_ACTION_ANNOUNCE}},
        {{T, VF_WISH_ONCE}, VF_EVENT_ATTACH_FAILED, {{A, VF_WISH_NONE}, VF_ACTION_END}},
        {{T, VF_WISH_ONCE}, VF_EVENT_GIVE_UP, {{T, VF_WISH_NONE}, VF_ACTION_CANCEL}},
        {{T, VF_WISH_ONCE}, VF_EVENT_REMOVE, {{T, VF_WISH_NONE}, VF_ACTION_CANCEL}},
        {{T, VF_WISH_AWAIT}, VF_EVENT_ATTACHED, {{D, VF_WISH_KEEP}, VF_ACTION_ANNOUNCE}},
        {{T, VF_WISH_AWAIT}, VF_EVENT_ATTACH_FAILED, {{X, VF_WISH_AWAIT}, VF_ACTION_WAIT}},
        {{T, VF_WISH_AWAIT}, VF_EVENT_REMOVE, {{T, VF_WISH_NONE}, VF_ACTION_CANCEL}},
        {{T, VF_WISH_KEEP}, VF_EVENT_ATTACHED, {{D, VF_WISH_KEEP}, VF_ACTION_ANNOUNCE}},
        {{T, VF_WISH_KEEP}, VF_EVENT_ATTACH_FAILED, {{X, VF_WISH_KEEP}, VF_ACTION_WAIT}},
        {{T, VF_WISH_KEEP}, VF_EVENT_REMOVE, {{T, VF_WISH_NONE}, VF_ACTION_CANCEL}},

        {{D, VF_WISH_KEEP}, VF_EVENT_LOST, {{L, VF_WISH_KEEP}, VF_ACTION_UNPLAN}},
        {{D, VF_WISH_KEEP}, VF_EVENT_REMOVE, {{L, VF_WISH_NONE}, VF_ACTION_UNPLAN}},

        {{L, VF_WISH_NONE}, VF_EVENT_UNPLANNED, {{E, VF_WISH_NONE}, VF_ACTION_DETACH}},
        {{L, VF_WISH_KEEP}, VF_EVENT_UNPLANNED, {{E, VF_WISH_KEEP}, VF_ACTION_DETACH}},
        {{L, VF_WISH_KEEP}, VF_EVENT_REMOVE, {{L, VF_WISH_NONE}, VF_ACTION_NONE}},

        {{E, VF_WISH_NONE}, VF_EVENT_DETACHED, {{A, VF_WISH_NONE}, VF_ACTION_END}},
        {{E, VF_WISH_KEEP}, VF_EVENT_DETACHED, {{X, VF_WISH_KEEP}, VF_ACTION_WAIT}},
        {{E, VF_WISH_KEEP}, VF_EVENT_REMOVE, {{E, VF_WISH_NONE}, VF_ACTION_NONE}},

        {{X, VF_WISH_AWAIT}, VF_EVENT_RETRY, {{T, VF_WISH_AWAIT}, VF_ACTION_ATTACH}},
        {{X, VF_WISH_AWAIT}, VF_EVENT_REMOVE, {{A, VF_WISH_NONE}, VF_ACTION_END}},
        {{X, VF_WISH_KEEP}, VF_EVENT_RETRY, {{T, VF_WISH_KEEP}, VF_ACTION_ATTACH}},
        {{X, VF_WISH_KEEP}, VF_EVENT_REMOVE, {{A, VF_WISH_NONE}, VF_ACTION_END}},
};

/* The states that there are: the phases with the wishes that go with them. */
static const struct vf_state vf_states[] = {
        {A, VF_WISH_NONE}, {T, VF_WISH_NONE}, {T, VF_WISH_ONCE},  {T, VF_WISH_AWAIT},
        {T, VF_WISH_KEEP}, {D, VF_WISH_KEEP}, {L, VF_WISH_NONE},  {L, VF_WISH_KEEP},
        {E, VF_WISH_NONE}, {E, VF_WISH_KEEP}, {X, VF_WISH_AWAIT}, {X, VF_WISH_KEEP},
};
#define VF_STATES (sizeof(vf_states) / sizeof(vf_states[0]))

static bool vf_same(struct vf_state a, struct vf_state b)
{
	return a.phase == b.phase && a.wish == b.wish;
}

static struct vf_step vf_expected(struct vf_state now, enum vf_event event)
{
	for (size_t i = 0; i < sizeof(vf_steps) / sizeof(vf_steps[0]); i++)
		if (vf_same(vf_steps[i].now, now) && vf_steps[i].event == event)
			return vf_steps[i].step;
	return (struct vf_step){now, VF_ACTION_NONE};
}

START_TEST(every_event_in_every_state_of_a_vf)
{
	struct vf_state now = vf_states[_i];

	for (int event = 0; event < VF_EVENTS; event++) {
		struct vf_step expected = vf_expected(now, (enum vf_event)event);
		struct vf_step step = vf_end_step(now, (enum vf_event)event);

		ck_assert_msg(vf_same(step.next, expected.next) && step.action == expected.action,
		              "phase %d, wish %d, event %d: to phase %d, wish %d, action %d",
		              now.phase, now.wish, event, step.next.phase, step.next.wish,
		              step.action);
	}
}
END_TEST

/* From any state, each that is reached is one of those above: none is made up of a phase and a wish
 * that do not go together. */
START_TEST(no_other_state_is_reached)
{
	for (int event = 0; event < VF_EVENTS; event++) {
		struct vf_state next = vf_end_step(vf_states[_i], (enum vf_event)event).next;
		bool known = false;

		for (size_t i = 0; i < VF_STATES; i++)
			known = known || vf_same(next, vf_states[i]);
		ck_assert_msg(known, "event %d leads to phase %d, wish %d", event, next.phase,
		              next.wish);
	}
}
END_TEST

/* What the phases promise to those who wait: a removed VF ends, whatever happens on its way. */
START_TEST(what_is_removed_ends)
{
	struct vf_state state = vf_end_step(vf_states[_i], VF_EVENT_REMOVE).next;

	ck_assert_int_eq(state.wish, VF_WISH_NONE);
	state = vf_end_step(state, VF_EVENT_LOST).next;
	state = vf_end_step(state, VF_EVENT_RETRY).next;
	state = vf_end_step(state, VF_EVENT_ATTACHED).next;
	state = vf_end_step(state, VF_EVENT_UNPLANNED).next;
	state = vf_end_step(state, VF_EVENT_DETACHED).next;
	ck_assert_int_eq(state.phase, VF_ABSENT);
}
END_TEST

/* --- the guest end -----------------------------------------------------------------------------
 */

START_TEST(every_event_in_every_phase_of_a_guest)
{
	static const struct {
		enum guest_phase from;
		enum guest_event event;
		struct guest_step step;
	} steps[] = {
	        {GUEST_CLOSED, GUEST_EVENT_OPEN, {GUEST_OPENING, GUEST_ACTION_OPEN}},
	        {GUEST_OPENING, GUEST_EVENT_OPENED, {GUEST_OPEN, GUEST_ACTION_ANNOUNCE}},
	        {GUEST_OPENING, GUEST_EVENT_OPEN_FAILED, {GUEST_CLOSED, GUEST_ACTION_FAIL}},
	        {GUEST_OPEN, GUEST_EVENT_CLOSE, {GUEST_LEAVING, GUEST_ACTION_UNPLAN}},
	        {GUEST_LEAVING, GUEST_EVENT_UNPLANNED, {GUEST_CLOSING, GUEST_ACTION_CLOSE}},
	        {GUEST_CLOSING, GUEST_EVENT_CLOSED, {GUEST_CLOSED, GUEST_ACTION_END}},
	};
	unsigned n = 0;

	for (int phase = 0; phase < GUEST_PHASES; phase++) {
		for (int event = 0; event < GUEST_EVENTS; event++) {
			struct guest_step expected = {(enum guest_phase)phase, GUEST_ACTION_NONE};
			struct guest_step step =
			        guest_end_step((enum guest_phase)phase, (enum guest_event)event);

			for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
				if (steps[i].from == (enum guest_phase)phase &&
				    steps[i].event == (enum guest_event)event)
					expected = steps[i].step;
			ck_assert_int_eq(step.next, expected.next);
			ck_assert_int_eq(step.action, expected.action);
			n += step.action != GUEST_ACTION_NONE;
		}
	}
	ck_assert_uint_eq(n, sizeof(steps) / sizeof(steps[0]));
}
END_TEST

/* --- the pair ----------------------------------------------------------------------------------
 */

#define N  PAIR_NONE
#define PA PAIR_ATTACHING
#define PO PAIR_OPENING
#define M  PAIR_MADE
#define R  PAIR_REMOVING

static const struct {
	struct pair_state now;
	enum pair_event event;
	struct pair_step step;
} pair_steps[] = {
        {{N, false}, PAIR_EVENT_ADD, {{PA, true}, PAIR_ACTION_ATTACH}},
        {{N, false}, PAIR_EVENT_RESTORE, {{M, true}, PAIR_ACTION_RESTORE}},

        {{PA, true}, PAIR_EVENT_ATTACHED, {{PO, true}, PAIR_ACTION_OPEN}},
        {{PA, true}, PAIR_EVENT_ATTACH_FAILED, {{R, false}, PAIR_ACTION_ROLL_BACK}},
        {{PA, true}, PAIR_EVENT_GIVE_UP, {{PA, false}, PAIR_ACTION_NONE}},
        {{PA, true}, PAIR_EVENT_REMOVE, {{PA, false}, PAIR_ACTION_REMOVE_VF}},
        {{PA, false}, PAIR_EVENT_ATTACHED, {{R, false}, PAIR_ACTION_ROLL_BACK}},
        {{PA, false}, PAIR_EVENT_ATTACH_FAILED, {{R, false}, PAIR_ACTION_ROLL_BACK}},
        {{PA, false}, PAIR_EVENT_REMOVE, {{PA, false}, PAIR_ACTION_REMOVE_VF}},

        {{PO, true}, PAIR_EVENT_OPENED, {{M, true}, PAIR_ACTION_ANNOUNCE}},
        {{PO, true}, PAIR_EVENT_OPEN_FAILED, {{R, false}, PAIR_ACTION_ROLL_BACK}},
        {{PO, true}, PAIR_EVENT_GIVE_UP, {{PO, false}, PAIR_ACTION_NONE}},
        {{PO, true}, PAIR_EVENT_REMOVE, {{PO, false}, PAIR_ACTION_NONE}},
        {{PO, false}, PAIR_EVENT_OPENED, {{R, false}, PAIR_ACTION_ROLL_BACK}},
        {{PO, false}, PAIR_EVENT_OPEN_FAILED, {{R, false}, PAIR_ACTION_ROLL_BACK}},

        /* A restored pair is made before its socket is open. */
        {{M, true}, PAIR_EVENT_OPENED, {{M, true}, PAIR_ACTION_ANNOUNCE}},
        {{M, true}, PAIR_EVENT_OPEN_FAILED, {{R, false}, PAIR_ACTION_ROLL_BACK}},
        {{M, true}, PAIR_EVENT_REMOVE, {{R, false}, PAIR_ACTION_END}},
        {{M, true}, PAIR_EVENT_VF_GONE, {{R, false}, PAIR_ACTION_END}},

        {{R, false}, PAIR_EVENT_OPENED, {{R, false}, PAIR_ACTION_END}},
        {{R, false}, PAIR_EVENT_OPEN_FAILED, {{R, false}, PAIR_ACTION_LOOK}},
        {{R, false}, PAIR_EVENT_VF_GONE, {{R, false}, PAIR_ACTION_LOOK}},
        {{R, false}, PAIR_EVENT_CLOSED, {{R, false}, PAIR_ACTION_LOOK}},
        {{R, false}, PAIR_EVENT_ENDED, {{N, false}, PAIR_ACTION_FORGET}},
};

static const struct pair_state pair_states[] = {
        {N, false}, {PA, true}, {PA, false}, {PO, true}, {PO, false}, {M, true}, {R, false},
};

START_TEST(every_event_in_every_state_of_a_pair)
{
	struct pair_state now = pair_states[_i];

	for (int event = 0; event < PAIR_EVENTS; event++) {
		struct pair_step expected = {now, PAIR_ACTION_NONE};
		struct pair_step step = pair_step(now, (enum pair_event)event);

		for (size_t i = 0; i < sizeof(pair_steps) / sizeof(pair_steps[0]); i++)
			if (pair_steps[i].now.phase == now.phase &&
			    pair_steps[i].now.wanted == now.wanted &&
			    pair_steps[i].event == (enum pair_event)event)
				expected = pair_steps[i].step;
		ck_assert_msg(step.next.phase == expected.next.phase &&
		                      step.next.wanted == expected.next.wanted &&
		                      step.action == expected.action,
		              "phase %d, wanted %d, event %d: to phase %d, wanted %d, action %d",
		              now.phase, now.wanted, event, step.next.phase, step.next.wanted,
		              step.action);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_loop_test(tcase, every_event_in_every_state_of_a_vf, 0, (int)VF_STATES);
	tcase_add_loop_test(tcase, no_other_state_is_reached, 0, (int)VF_STATES);
	tcase_add_loop_test(tcase, what_is_removed_ends, 0, (int)VF_STATES);
	tcase_add_test(tcase, every_event_in_every_phase_of_a_guest);
	tcase_add_loop_test(tcase, every_event_in_every_state_of_a_pair, 0,
	                    (int)(sizeof(pair_states) / sizeof(pair_states[0])));
	return suite_main("relay_steps", tcase);
}
