/* Stand-ins whose interface goes down, away or another MTU's: what becomes of their relays.
 */
/* WRAP: interface_read job_submit loop_timer_stop */
#include <check.h>

#include "control_rig.h"
#include "relay/relays.h"
#include "relay/stand_in.h"
#include "suite.h"

static struct interface now;
static bool is_there;
static struct relay *relay;

int __wrap_interface_read(unsigned index, struct interface *out);
void __wrap_job_submit(struct job_thread *thread, struct job *job);
void __wrap_loop_timer_stop(struct loop_timer *timer);

int __wrap_interface_read(unsigned index, struct interface *out)
{
	ck_assert_uint_eq(index, 7);
	*out = now;
	return is_there ? 0 : -ENODEV;
}

/* Of detaches: they stay as they begin. */
void __wrap_job_submit(struct job_thread *thread, struct job *job)
{
	(void)thread;
	(void)job;
}

void __wrap_loop_timer_stop(struct loop_timer *timer)
{
	(void)timer;
}

static void set_up(void)
{
	rig_create(1);
	relay = &rig->relays.relay[2];
	relay->vf_end.vf = rig_vf(2, 0, 1);
	relay->vf_end.vf.interface = (struct vf_interface){
	        .index = 7, .name = "vf0", .is_up = true, .mtu = 1500, .first_mtu = 1500};
	relay->vf_end.phase = VF_ATTACHED;
	relay->vf_end.wish = VF_WISH_KEEP;
	relay->guest_end.phase = GUEST_OPEN;
	relay->guest_end.guest =
	        (struct guest_state){.connected = true, .rx_queues = 1, .tx_queues = 1};
	is_there = true;
	now = (struct interface){.name = "vf0", .flags = IFF_UP, .mtu = 1500};
	control_replan(rig);
}

static void tear_down(void)
{
	rig_destroy();
}

static enum control_state state(void)
{
	struct control_relay reading;

	control_relay_read(rig, 2, &reading);
	ck_assert_int_eq(reading.active, reading.vf_to_vm.state == CONTROL_READY);
	return reading.vf_to_vm.state;
}

static bool guest_sends_to_vf(void)
{
	const struct plan *plan = rig_plan(0);

	for (unsigned i = 0; i < plan->n_works; i++)
		if (plan->works[i].lane->direction == LANE_VM_TO_VF)
			return plan->works[i].run == burst_vm_to_vf;
	ck_abort_msg("nobody polls the guest");
	return false;
}

static void look(enum vf_interface_news news)
{
	stand_in_look(relay, news);
	rig_turn_ends();
}

START_TEST(down_and_up)
{
	ck_assert(state() == CONTROL_READY && guest_sends_to_vf());
	look(VF_INTERFACE_NEWS);
	ck_assert(state() == CONTROL_READY);
	now.flags = 0;
	look(VF_INTERFACE_NEWS);
	ck_assert(state() == CONTROL_ALONE && !guest_sends_to_vf());
	ck_assert_int_eq(relay->vf_end.phase, VF_ATTACHED);
	now.flags = IFF_UP;
	look(VF_INTERFACE_NEWS);
	ck_assert(state() == CONTROL_READY && guest_sends_to_vf());
}
END_TEST

START_TEST(down_when_it_comes)
{
	now.flags = 0;
	stand_in_attached(relay);
	rig_turn_ends();
	ck_assert(state() == CONTROL_ALONE);
	now.flags = IFF_UP; /* it was taken up at the end of the start */
	relay->vf_end.vf.interface.is_up = false;
	stand_in_attached(relay);
	ck_assert(state() == CONTROL_READY);
}
END_TEST

START_TEST(gone_is_lost)
{
	is_there = false;
	look(VF_INTERFACE_NEWS);
	ck_assert_int_eq(relay->vf_end.phase, VF_DETACHING);
	ck_assert_int_eq(relay->vf_end.wish, VF_WISH_KEEP);
}
END_TEST

START_TEST(another_mtu_is_lost)
{
	now.mtu = 1400;
	look(VF_INTERFACE_NEWS);
	ck_assert_int_eq(relay->vf_end.phase, VF_DETACHING);
}
END_TEST

START_TEST(what_its_driver_made)
{
	relay->vf_end.vf.interface.is_made = true;
	now.mtu = 4000;
	look(VF_INTERFACE_NEWS);
	ck_assert(state() == CONTROL_READY);
	ck_assert_uint_eq(relay->vf_end.vf.interface.mtu, 4000); /* said once */
	is_there = false;
	look(VF_INTERFACE_NEWS); /* it is on its way somewhere */
	ck_assert(state() == CONTROL_READY);
	look(VF_INTERFACE_NEWS_MOVED);
	ck_assert(state() == CONTROL_READY);
	ck_assert_uint_eq(relay->vf_end.vf.interface.index, 0);
	look(VF_INTERFACE_NEWS_DELETED); /* of another one */
	ck_assert(state() == CONTROL_READY);
	relay->vf_end.vf.interface.index = 7;
	look(VF_INTERFACE_NEWS_DELETED);
	ck_assert_int_eq(relay->vf_end.phase, VF_DETACHING);
}
END_TEST

START_TEST(others_have_none)
{
	relay->vf_end.vf.interface = (struct vf_interface){0};
	is_there = false;
	stand_in_attached(relay);
	look(VF_INTERFACE_NEWS_DELETED);
	ck_assert(state() == CONTROL_READY);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, down_and_up);
	tcase_add_test(tcase, down_when_it_comes);
	tcase_add_test(tcase, gone_is_lost);
	tcase_add_test(tcase, another_mtu_is_lost);
	tcase_add_test(tcase, what_its_driver_made);
	tcase_add_test(tcase, others_have_none);
	return suite_main("relay_stand_in", tcase);
}
