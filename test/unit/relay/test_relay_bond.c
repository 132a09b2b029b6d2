/* A bond whose members go and come, as control sees it. The device thread's jobs and the timers are
 * the test's: nothing happens before it says so.
 */
/* WRAP: vf_attach vf_detach vf_mend vf_health_read loop_timer_start loop_timer_stop clock_now_ms */
#include <check.h>

#include "control_rig.h"
#include "datapath/burst.h"
#include "fake_jobs.h"
#include "suite.h"

#define MEMBERS 3

/* --- its device ---------------------------------------------------------------------------- */

static unsigned n_attaches, n_detaches, n_mends;
static unsigned lost_seen, wanted_seen; /* by the last mending */
static unsigned away;                   /* bit i: member i is not there to be taken back */
static bool needs_tx_polls;             /* as in 802.3ad */

int __wrap_vf_attach(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
                     struct error *err);
int __wrap_vf_detach(struct vf *vf, struct vf_leftover *left, struct error *err);
int __wrap_vf_mend(struct vf *vf, const struct vf_params *params, unsigned lost, unsigned wanted,
                   struct workers *workers, struct vf_mended *mended, struct error *err);
void __wrap_vf_health_read(const struct vf *vf, struct vf_health *out);

int __wrap_vf_attach(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
                     struct error *err)
{
	(void)err;
	n_attaches++;
	ck_assert_uint_eq(params->bond->n_members, MEMBERS);
	*vf = rig_vf(params->relay_id, 3, 1);
	vf->spec = *spec;
	vf->n_members = MEMBERS;
	vf->needs_tx_polls = needs_tx_polls;
	for (unsigned i = 0; i < MEMBERS; i++)
		vf->members[i].present = !params->partial || (away >> i & 1) == 0;
	return 0;
}

int __wrap_vf_detach(struct vf *vf, struct vf_leftover *left, struct error *err)
{
	(void)vf;
	(void)err;
	n_detaches++;
	*left = (struct vf_leftover){0};
	return 0;
}

/* Each member counts 10 packets before it is lost. */
int __wrap_vf_mend(struct vf *vf, const struct vf_params *params, unsigned lost, unsigned wanted,
                   struct workers *workers, struct vf_mended *mended, struct error *err)
{
	int absent = 0;

	n_mends++;
	lost_seen = lost;
	wanted_seen = wanted;
	ck_assert_ptr_eq(workers, rig->workers);
	ck_assert_uint_eq(params->bond->n_members, MEMBERS);
	*mended = (struct vf_mended){0};
	if (lost == (1U << MEMBERS) - 1)
		return error_set(err, 5, "no member left");
	for (unsigned i = 0; i < MEMBERS; i++) {
		bool was_present = vf->members[i].present && (lost >> i & 1) == 0;

		if (lost >> i & 1)
			mended->gone[i] = (struct vf_counts){.rx_pkts = 10, .missed = 1};
		vf->members[i].present =
		        was_present || (away >> i & 1) < (wanted >> i & 1); /* wanted and there */
		if (vf->members[i].present && !was_present)
			mended->returned |= 1U << i;
		absent += vf->members[i].present ? 0 : 1;
	}
	vf->generation++;
	error_set(err, 5, "somebody is absent");
	return absent;
}

void __wrap_vf_health_read(const struct vf *vf, struct vf_health *out)
{
	(void)vf;
	*out = (struct vf_health){0};
}

/* --- the clock ----------------------------------------------------------------------------- */

static struct loop_timer *timer; /* that runs: no test has two */
static loop_fn timer_callback;
static void *timer_context;
static uint64_t clock_ms, timer_ms;

void __wrap_loop_timer_start(struct loop *loop, struct loop_timer *which, uint64_t delay_ms,
                             loop_fn callback, void *context);
void __wrap_loop_timer_stop(struct loop_timer *which);
uint64_t __wrap_clock_now_ms(void);

uint64_t __wrap_clock_now_ms(void)
{
	return clock_ms;
}

void __wrap_loop_timer_start(struct loop *loop, struct loop_timer *which, uint64_t delay_ms,
                             loop_fn callback, void *context)
{
	(void)loop;
	timer = which;
	timer_ms = delay_ms;
	timer_callback = callback;
	timer_context = context;
}

void __wrap_loop_timer_stop(struct loop_timer *which)
{
	if (timer == which)
		timer = NULL;
}

static void time_passes(void)
{
	ck_assert_ptr_eq(timer, &rig->relays.relay[0].vf_end.retry);
	timer = NULL;
	clock_ms += timer_ms;
	timer_callback(timer_context);
}

/* --- the tests ----------------------------------------------------------------------------- */

static unsigned n_ok;

static void on_answer(void *context, const struct outcome *outcome)
{
	(void)context;
	n_ok += outcome->reason == OUTCOME_OK ? 1 : 0;
}

static struct vf_request request;

static void lose(unsigned members)
{
	atomic_fetch_or(&rig->relays.relay[0].vf_end.lost_members, members);
	rig_lose(&rig->relays.relay[0]);
}

static void have_bond(void)
{
	struct error err;

	request = (struct vf_request){.has_device = true, .bond.n_members = MEMBERS};
	ck_assert_int_eq(bond_device_from_name("net_bonding0", &request.device, &err), 0);
	for (unsigned i = 0; i < MEMBERS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "net_null%u", i);
		ck_assert_int_eq(device_spec_parse(name, &request.bond.members[i], &err), 0);
	}
	control_add_vf(rig, &request, on_answer, NULL);
	rig_turn_ends();
	works(DEVICE);
	ck_assert_uint_eq(n_ok, 1);
	ck_assert_uint_eq(rig->relays.relay[0].vf_end.phase, VF_ATTACHED);
}

static struct control_relay state(void)
{
	struct control_relay relay;

	control_relay_read(rig, 0, &relay);
	return relay;
}

static void set_up(void)
{
	rig_create(2);
	job_turn_ends = rig_turn_ends;
	n_attaches = n_detaches = n_mends = n_ok = lost_seen = away = 0;
	needs_tx_polls = false;
	timer = NULL;
	clock_ms = 0;
	rig->relays.device_thread = thread_of(DEVICE);
	forget_jobs();
}

static void tear_down(void)
{
	ck_assert(idle(DEVICE));
	rig_destroy();
}

START_TEST(a_member_that_was_reset)
{
	have_bond();
	lose(1U << 1);
	ck_assert_uint_eq(rig->relays.relay[0].vf_end.phase, VF_ATTACHED); /* the others go on */
	works(DEVICE);
	ck_assert_uint_eq(lost_seen, 1U << 1);
	ck_assert(state().members[1].present);
	ck_assert_uint_eq(state().members[1].counts.rx_pkts, 10); /* counters never go back */
	ck_assert_uint_eq(state().counts.missed, 1);
	ck_assert_uint_eq(n_attaches, 1);
	ck_assert_ptr_null(timer);
}
END_TEST

START_TEST(a_member_that_stays_away)
{
	away = 1U << 2;
	have_bond();
	lose(1U << 2);
	works(DEVICE);
	for (int i = 0; i < 5; i++) {
		ck_assert(!state().members[2].present);
		time_passes();
		works(DEVICE);
	}
	away = 0;
	time_passes();
	works(DEVICE);
	ck_assert(state().members[2].present);
	ck_assert_ptr_null(timer);
	ck_assert_uint_eq(n_detaches, 0);
}
END_TEST

START_TEST(another_one_meanwhile)
{
	have_bond();
	lose(1);
	lose(1U << 1); /* the first job is under way */
	works(DEVICE);
	ck_assert_uint_eq(lost_seen, 1);
	works(DEVICE);
	ck_assert_uint_eq(lost_seen, 1U << 1);
	ck_assert_uint_eq(n_mends, 2);
}
END_TEST

START_TEST(all_members_at_once)
{
	have_bond();
	lose(7);
	works(DEVICE);
	ck_assert_uint_eq(rig->relays.relay[0].vf_end.phase, VF_DETACHING);
	works(DEVICE);
	away = 1; /* what is there comes back, the rest later */
	time_passes();
	works(DEVICE);
	ck_assert_uint_eq(rig->relays.relay[0].vf_end.phase, VF_ATTACHED);
	ck_assert(!state().members[0].present && state().members[1].present);
	away = 0;
	time_passes();
	works(DEVICE);
	ck_assert(state().members[0].present);
	ck_assert_uint_eq(n_attaches, 2);
}
END_TEST

START_TEST(removed_while_it_is_mended)
{
	have_bond();
	lose(1);
	control_remove_vf(rig, &request, on_answer, NULL);
	rig_turn_ends();
	ck_assert_uint_eq(rig->relays.relay[0].vf_end.phase, VF_LEAVING);
	works(DEVICE);
	ck_assert_uint_eq(rig->relays.relay[0].vf_end.phase, VF_DETACHING);
	works(DEVICE);
	ck_assert_uint_eq(rig->relays.relay[0].vf_end.phase, VF_ABSENT);
	ck_assert_uint_eq(n_ok, 2);
	ck_assert_uint_eq(n_detaches, 1);
}
END_TEST

START_TEST(removed_while_a_member_is_away)
{
	away = 1;
	have_bond();
	lose(1);
	works(DEVICE);
	ck_assert_ptr_eq(timer, &rig->relays.relay[0].vf_end.retry);
	control_remove_vf(rig, &request, on_answer, NULL);
	rig_turn_ends();
	works(DEVICE);
	ck_assert_uint_eq(rig->relays.relay[0].vf_end.phase, VF_ABSENT);
	ck_assert(timer != &rig->relays.relay[0].vf_end.retry);
}
END_TEST

/* It is taken out at once each time, and back at once the first time only. */
START_TEST(a_member_that_flaps)
{
	static const unsigned waits[] = {200, 400, 800, 1600, 3200, 6400, 10000, 10000};

	have_bond();
	lose(1U << 1);
	works(DEVICE);
	ck_assert_uint_eq(wanted_seen, 1U << 1);
	for (size_t i = 0; i < RTE_DIM(waits); i++) {
		lose(1U << 1);
		works(DEVICE);
		ck_assert_uint_eq(lost_seen, 1U << 1);
		ck_assert_uint_eq(wanted_seen, 0);
		ck_assert(!state().members[1].present);
		ck_assert_uint_eq(timer_ms, waits[i]);
		time_passes();
		works(DEVICE);
		ck_assert(state().members[1].present);
	}
	/* The others are not made to wait, nor it when it has stayed. */
	lose(1U << 2);
	works(DEVICE);
	ck_assert_uint_eq(wanted_seen, 1U << 2);
	ck_assert(state().members[2].present);
	clock_ms += BACKOFF_WELL_MS;
	lose(1U << 1);
	works(DEVICE);
	ck_assert_uint_eq(wanted_seen, 1U << 1);
	ck_assert_ptr_null(timer);
}
END_TEST

/* The one that is due is taken back, the other one waits on. */
START_TEST(two_members_that_wait)
{
	have_bond();
	lose(1);
	works(DEVICE);
	lose(1); /* for 200 ms */
	works(DEVICE);
	clock_ms += 50;
	away = 1U << 2;
	lose(1U << 2); /* tried now, and again in 100 ms */
	works(DEVICE);
	ck_assert_uint_eq(wanted_seen, 1U << 2);
	ck_assert_uint_eq(timer_ms, 100);
	away = 0;
	time_passes();
	works(DEVICE);
	ck_assert_uint_eq(wanted_seen, 1U << 2);
	ck_assert(state().members[2].present && !state().members[0].present);
	ck_assert_uint_eq(timer_ms, 50);
	time_passes();
	works(DEVICE);
	ck_assert_uint_eq(wanted_seen, 1);
	ck_assert(state().members[0].present);
	ck_assert_ptr_null(timer);
}
END_TEST

/* 802.3ad's own packets go out with or without a guest. */
START_TEST(a_bond_that_sends_by_itself)
{
	struct relay *relay = &rig->relays.relay[0];
	unsigned worker;

	needs_tx_polls = true;
	have_bond();
	ck_assert_ptr_eq(rig_find(&relay->lanes.vm_to_vf[0], &worker)->run, burst_nobody_to_lacp);
	rig_guest_set(relay, true, 1, 1);
	control_replan(rig);
	ck_assert_ptr_eq(rig_find(&relay->lanes.vm_to_vf[0], &worker)->run, burst_vm_to_lacp);
	rig_guest_set(relay, true, 1, 0); /* its driver has stopped the queue */
	control_replan(rig);
	ck_assert_ptr_eq(rig_find(&relay->lanes.vm_to_vf[0], &worker)->run, burst_nobody_to_lacp);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_member_that_was_reset);
	tcase_add_test(tcase, a_member_that_stays_away);
	tcase_add_test(tcase, another_one_meanwhile);
	tcase_add_test(tcase, all_members_at_once);
	tcase_add_test(tcase, removed_while_it_is_mended);
	tcase_add_test(tcase, removed_while_a_member_is_away);
	tcase_add_test(tcase, a_member_that_flaps);
	tcase_add_test(tcase, two_members_that_wait);
	tcase_add_test(tcase, a_bond_that_sends_by_itself);
	return suite_main("relay_bond", tcase);
}
