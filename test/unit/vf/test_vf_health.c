/* What VFs tell of themselves when they stop telling: one that its PF has reset does not answer,
 * and what it has counted before must not vanish from the statistics, or come back.
 */
/* WRAP: rte_eth_stats_get rte_eth_link_get_nowait job_submit vf_detach pool_reclaim vf_quirks_of */
#include <check.h>
#include <errno.h>
#include <string.h>

#include <rte_ethdev.h>

#include "control_clock.h"
#include "control_rig.h"
#include "suite.h"
#include "vf/quirks.h"

#define RELAY 3
#define PORT  5

/* --- the port -----------------------------------------------------------------------------------
 */

static int stats_rc, link_rc;
static struct rte_eth_stats stats;
static struct rte_eth_link link_now;
static struct vf_quirks quirks;
static struct job *submitted;

const struct vf_quirks *__wrap_vf_quirks_of(uint16_t port_id);
int __wrap_rte_eth_stats_get(uint16_t port_id, struct rte_eth_stats *out);
int __wrap_rte_eth_link_get_nowait(uint16_t port_id, struct rte_eth_link *out);
void __wrap_job_submit(struct job_thread *thread, struct job *job);
int __wrap_vf_detach(struct vf *vf, struct vf_leftover *leftover, struct error *err);
unsigned __wrap_pool_reclaim(void);

int __wrap_rte_eth_stats_get(uint16_t port_id, struct rte_eth_stats *out)
{
	ck_assert_uint_eq(port_id, PORT);
	if (stats_rc == 0)
		*out = stats;
	return stats_rc;
}

int __wrap_rte_eth_link_get_nowait(uint16_t port_id, struct rte_eth_link *out)
{
	ck_assert_uint_eq(port_id, PORT);
	if (link_rc == 0)
		*out = link_now;
	return link_rc;
}

const struct vf_quirks *__wrap_vf_quirks_of(uint16_t port_id)
{
	(void)port_id;
	return &quirks;
}

void __wrap_job_submit(struct job_thread *thread, struct job *job)
{
	(void)thread;
	ck_assert_ptr_null(submitted);
	submitted = job;
}

int __wrap_vf_detach(struct vf *vf, struct vf_leftover *leftover, struct error *err)
{
	(void)vf;
	(void)err;
	*leftover = (struct vf_leftover){0};
	return 0;
}

unsigned __wrap_pool_reclaim(void)
{
	return 0;
}

static void device_works(void)
{
	struct job *job = submitted;

	ck_assert_ptr_nonnull(job);
	submitted = NULL;
	job->run(job);
	job->done(job);
}

/* --- the rig ------------------------------------------------------------------------------------
 */

static struct relay *relay;

static void set_up(void)
{
	stats_rc = link_rc = 0;
	quirks = (struct vf_quirks){0};
	stats = (struct rte_eth_stats){.imissed = 7, .rx_nombuf = 5, .ierrors = 3, .oerrors = 1};
	link_now = (struct rte_eth_link){.link_status = RTE_ETH_LINK_UP,
	                                 .link_speed = RTE_ETH_SPEED_NUM_10G};
	submitted = NULL;
	n_timers = 0;
	rig_create(1);
	relay = &rig->relays.relay[RELAY];
	relay->vf_end.vf = rig_vf(RELAY, PORT, 1);
	relay->vf_end.phase = VF_ATTACHED;
	rig->sampler = sampler_create(&rig->relays, &rig->loads);
	ck_assert_ptr_nonnull(rig->sampler);
}

static void tear_down(void)
{
	sampler_destroy(rig->sampler);
	rig_destroy();
}

static void a_second_passes(void)
{
	pass_ms(1000);
	device_works();
}

static void expect_missed(uint64_t missed)
{
	struct control_relay now;

	control_relay_read(rig, RELAY, &now);
	ck_assert_uint_eq(now.counts.missed, missed);
}

/* --- tests --------------------------------------------------------------------------------------
 */

START_TEST(what_a_port_does_not_tell_stays)
{
	struct vf_health health = {0};

	vf_health_read(&relay->vf_end.vf, &health);
	ck_assert(health.link_up);
	ck_assert_uint_eq(health.link_speed_mbps, 10000);
	ck_assert_uint_eq(health.counts.missed, 7);

	stats_rc = link_rc = -EIO;
	vf_health_read(&relay->vf_end.vf, &health);
	ck_assert(health.link_up);
	ck_assert_uint_eq(health.link_speed_mbps, 10000);
	ck_assert_uint_eq(health.counts.missed, 7);
	ck_assert_uint_eq(health.counts.tx_errors, 1);

	link_rc = 0;
	link_now = (struct rte_eth_link){.link_status = RTE_ETH_LINK_DOWN,
	                                 .link_speed = RTE_ETH_SPEED_NUM_UNKNOWN};
	vf_health_read(&relay->vf_end.vf, &health);
	ck_assert(!health.link_up);
	ck_assert_uint_eq(health.link_speed_mbps, 0);
}
END_TEST

START_TEST(losses_never_go_back)
{
	a_second_passes();
	expect_missed(7);
	stats_rc = -EIO;
	a_second_passes();
	expect_missed(7);
	stats_rc = 0;
	stats.imissed = 9;
	a_second_passes();
	expect_missed(9);
}
END_TEST

START_TEST(a_vf_that_was_lost_takes_no_losses_along)
{
	a_second_passes();
	stats_rc = -EIO;
	rig_lose(relay);
	device_works();
	ck_assert_int_eq(relay->vf_end.phase, VF_LOST);
	expect_missed(7);
	loop_timer_stop(&relay->vf_end.retry);
}
END_TEST

static void expect_dropped(uint64_t to_vm, uint64_t to_vf)
{
	struct control_relay now;

	control_relay_read(rig, RELAY, &now);
	ck_assert_uint_eq(now.vf_to_vm.counters.dropped_by_vf_pkts, to_vm);
	ck_assert_uint_eq(now.vm_to_vf.counters.dropped_by_vf_pkts, to_vf);
}

/* In the direction in which they happen, and for good. */
START_TEST(losses_are_losses_of_the_relay)
{
	expect_dropped(0, 0);
	a_second_passes();
	expect_dropped(7 + 5 + 3, 1);
	stats.oerrors = 100;
	stats.ierrors = 4;
	a_second_passes();
	expect_dropped(7 + 5 + 4, 100);
	rig_lose(relay);
	device_works();
	expect_dropped(7 + 5 + 4, 100);
	loop_timer_stop(&relay->vf_end.retry);
	relay->vf_end.phase = VF_ATTACHED; /* another one, which counts from 0 */
	stats = (struct rte_eth_stats){.imissed = 1, .oerrors = 2};
	a_second_passes();
	expect_dropped(7 + 5 + 4 + 1, 100 + 2);
	relay->vf_end.phase = VF_LOST;
}
END_TEST

START_TEST(what_was_refused_is_not_lost)
{
	struct vf_health health = {0};

	quirks.counts_refusals = true;
	stats.oerrors = 12345;
	vf_health_read(&relay->vf_end.vf, &health);
	ck_assert_uint_eq(health.counts.tx_errors, 0);
	ck_assert_uint_eq(health.counts.rx_errors, 3);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, what_a_port_does_not_tell_stays);
	tcase_add_test(tcase, losses_never_go_back);
	tcase_add_test(tcase, a_vf_that_was_lost_takes_no_losses_along);
	tcase_add_test(tcase, losses_are_losses_of_the_relay);
	tcase_add_test(tcase, what_was_refused_is_not_lost);
	return suite_main("vf_health", tcase);
}
