/* What is asked of VFs and their PFs each second: PFs that answer slowly hold nobody else up, and
 * each has its turn.
 */
/* WRAP: vf_health_read vf_host_read pool_reclaim job_submit clock_now_ms */
#include <check.h>

#include "control_clock.h"
#include "control_rig.h"
#include "suite.h"

#define RELAYS 4

static unsigned asked[16], n_asked; /* relays whose PF was asked */
static unsigned takes_ms;           /* each of them to answer */

void __wrap_vf_health_read(const struct vf *vf, struct vf_health *out);
void __wrap_vf_host_read(const struct vf *vf, struct vf_host *out);
unsigned __wrap_pool_reclaim(void);
void __wrap_job_submit(struct job_thread *thread, struct job *job);

void __wrap_vf_health_read(const struct vf *vf, struct vf_health *out)
{
	(void)vf;
	*out = (struct vf_health){.link_up = true};
}

void __wrap_vf_host_read(const struct vf *vf, struct vf_host *out)
{
	asked[n_asked++] = vf->port_id;
	clock_ms += takes_ms;
	*out = vf->host;
}

unsigned __wrap_pool_reclaim(void)
{
	return 0;
}

void __wrap_job_submit(struct job_thread *thread, struct job *job)
{
	(void)thread;
	job->run(job);
	job->done(job);
}

static void set_up(void)
{
	rig_create(1);
	n_asked = n_timers = 0;
	clock_ms = 0;
	for (unsigned i = 0; i < RELAYS; i++) {
		rig->relays.relay[i].vf_end.vf = rig_vf(i, (uint16_t)i, 1);
		rig->relays.relay[i].vf_end.vf.host =
		        (struct vf_host){.pf_ifindex = 5, .pf_up = true};
		rig->relays.relay[i].vf_end.phase = VF_ATTACHED;
	}
	rig->sampler = sampler_create(&rig->relays, &rig->loads);
	ck_assert_ptr_nonnull(rig->sampler);
}

static void tear_down(void)
{
	sampler_destroy(rig->sampler);
	rig_destroy();
}

static void ask_all(void)
{
	for (unsigned i = 0; i < RELAYS; i++)
		rig->relays.relay[i].vf_end.host_question = VF_HOST_CHANGED_TWICE;
}

START_TEST(asks_once)
{
	takes_ms = 0;
	ask_all();
	pass_ms(1000);
	ck_assert_uint_eq(n_asked, RELAYS);
	for (unsigned i = 0; i < RELAYS; i++)
		ck_assert(rig->relays.relay[i].vf_end.host_question == VF_HOST_NO_QUESTION);
	pass_ms(1000);
	ck_assert_uint_eq(n_asked, RELAYS);
	ck_assert(rig->relays.relay[0].vf_end.health.link_up);
}
END_TEST

START_TEST(slow_pfs_take_turns)
{
	static const unsigned order[] = {1, 2, 3, 0};

	takes_ms = 500;
	ask_all();
	for (unsigned i = 0; i < RELAYS; i++) {
		pass_ms(1500);
		ck_assert_uint_eq(n_asked, i + 1);
		ck_assert_uint_eq(asked[i], order[i]);
		for (unsigned j = i + 1; j < RELAYS; j++) {
			const struct relay *relay = &rig->relays.relay[order[j]];

			ck_assert(relay->vf_end.host_question == VF_HOST_CHANGED_TWICE);
			ck_assert_uint_eq(relay->vf_end.vf.host.pf_ifindex, 5);
		}
	}
	pass_ms(1500);
	ck_assert_uint_eq(n_asked, RELAYS);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, asks_once);
	tcase_add_test(tcase, slow_pfs_take_turns);
	return suite_main("sampler", tcase);
}
