/* The life of a relay's VF: what each request is answered, when, and what becomes of the VF. The
 * device thread's jobs and the clock are the test's: nothing happens before it says so.
 */
/* WRAP: rte_pktmbuf_free_bulk rte_lcore_is_enabled rte_get_main_lcore guest_get pool_flush_cache */
/* WRAP: vf_attach vf_detach vf_health_read job_submit loop_timer_start loop_timer_stop plan_create
 */
#include <check.h>

#include "control_clock.h"
#include "control_rig.h"

/* --- the device thread --------------------------------------------------------------------------
 */

static STAILQ_HEAD(, job) submitted = STAILQ_HEAD_INITIALIZER(submitted);
static struct job *under_way; /* has run, and its end is not delivered */

void __wrap_job_submit(struct job_thread *thread, struct job *job);

void __wrap_job_submit(struct job_thread *thread, struct job *job)
{
	(void)thread;
	STAILQ_INSERT_TAIL(&submitted, job, link);
}

/* Two halves, since a request may come in between. */
static void device_runs(void)
{
	ck_assert_ptr_null(under_way);
	under_way = STAILQ_FIRST(&submitted);
	ck_assert_ptr_nonnull(under_way);
	STAILQ_REMOVE_HEAD(&submitted, link);
	under_way->run(under_way);
}

static void device_delivers(void)
{
	struct job *job = under_way;

	ck_assert_ptr_nonnull(job);
	under_way = NULL;
	job->done(job);
}

static void device_works(void)
{
	device_runs();
	device_delivers();
}

static bool device_idle(void)
{
	return under_way == NULL && STAILQ_EMPTY(&submitted);
}

/* --- its devices --------------------------------------------------------------------------------
 */

#define DEVICES 8 /* "net_null0" is the one with port 0 */

static bool attached[DEVICES];
static unsigned n_attached, n_attaches, n_detaches;
static int attach_code; /* other than 0: vf_attach fails so */
static bool detach_fails;
static int attach_node;
static struct vf_leftover leftover;
static struct vf_health health;
static struct vf_params seen_params;

int __wrap_vf_attach(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
                     struct error *err);
int __wrap_vf_detach(struct vf *vf, struct vf_leftover *left, struct error *err);
void __wrap_vf_health_read(const struct vf *vf, struct vf_health *out);

int __wrap_vf_attach(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
                     struct error *err)
{
	uint16_t port = (uint16_t)(spec->name[strlen(spec->name) - 1] - '0');

	n_attaches++;
	seen_params = *params;
	fake_expect(port < DEVICES);
	fake_expect(!attached[port]); /* the control layer knows what it has */
	if (attach_code != 0) {
		error_set(err, attach_code, "%s does not work", spec->name);
		return -1;
	}
	attached[port] = true;
	n_attached++;
	*vf = rig_vf(params->relay_id, port, 2);
	vf->spec = *spec;
	vf->numa_node = attach_node;
	return 0;
}

int __wrap_vf_detach(struct vf *vf, struct vf_leftover *left, struct error *err)
{
	n_detaches++;
	fake_expect(attached[vf->port_id]);
	attached[vf->port_id] = false;
	n_attached--;
	for (unsigned i = 0; i < rig->workers->count; i++)
		for (unsigned j = 0; j < rig_plan(i)->n_works; j++) {
			const struct lane_work *work = &rig_plan(i)->works[j];

			fake_expect(work->run == burst_vm_to_nobody ||
			            work->port_id != vf->port_id);
		}
	*left = leftover;
	if (!detach_fails)
		return 0;
	error_set(err, VF_ERROR_DETACH, "port %u does not close", vf->port_id);
	return -1;
}

void __wrap_vf_health_read(const struct vf *vf, struct vf_health *out)
{
	(void)vf;
	*out = health;
}

/* --- memory -------------------------------------------------------------------------------------
 */

static bool out_of_memory;

struct plan *__real_plan_create(const struct lane_work *works, unsigned n_works);
struct plan *__wrap_plan_create(const struct lane_work *works, unsigned n_works);

struct plan *__wrap_plan_create(const struct lane_work *works, unsigned n_works)
{
	return out_of_memory ? NULL : __real_plan_create(works, n_works);
}

/* --- clients ------------------------------------------------------------------------------------
 */

static enum control_owner asker;

static struct control_vf_request request_of(unsigned relay_id, int device, bool conditional)
{
	struct control_vf_request request = {
	        .owner = asker, .relay_id = relay_id, .conditional = conditional};
	struct error err;
	char name[24];

	if (device < 0)
		return request;
	snprintf(name, sizeof(name), "net_null%d", device);
	ck_assert_int_eq(device_spec_parse(name, &request.device, &err), 0);
	request.has_device = true;
	return request;
}

static void add(unsigned relay_id, int device, bool conditional, struct answer *answer)
{
	struct control_vf_request request = request_of(relay_id, device, conditional);

	*answer = (struct answer){.asked_ms = clock_ms};
	control_add_vf(rig, &request, on_answer, answer);
}

static void remove_vf(unsigned relay_id, int device, bool conditional, struct answer *answer)
{
	struct control_vf_request request = request_of(relay_id, device, conditional);

	*answer = (struct answer){.asked_ms = clock_ms};
	control_remove_vf(rig, &request, on_answer, answer);
}

static const char add_source[] = "virtio_forwarder_add_vf2()";
static const char remove_source[] = "virtio_forwarder_remove_vf2()";

static void expect_nothing_yet(const struct answer *answer)
{
	ck_assert_uint_eq(answer->n, 0);
}

static const char *to_vm_state(unsigned relay_id)
{
	struct control_relay relay;

	control_relay_read(rig, relay_id, &relay);
	return relay.vf_to_vm.internal_state;
}

/* A VF that is there. */
static void have(unsigned relay_id, int device)
{
	struct answer answer;

	add(relay_id, device, true, &answer);
	device_works();
	expect_ok(&answer);
}

static void set_up(void)
{
	rig_create(3);
	STAILQ_INIT(&submitted);
	under_way = NULL;
	memset(attached, 0, sizeof(attached));
	n_attached = n_attaches = n_detaches = n_timers = 0;
	attach_code = attach_node = 0;
	asker = CONTROL_OWNER_CLIENT;
	detach_fails = out_of_memory = false;
	memset(&leftover, 0, sizeof(leftover));
	memset(&health, 0, sizeof(health));
}

static void tear_down(void)
{
	ck_assert(device_idle());
	ck_assert_uint_eq(n_timers, 0); /* nobody waits for an answer */
	rig_destroy();
	ck_assert_int_eq(fake_packets_live, 0);
}

/* --- add ----------------------------------------------------------------------------------------
 */

START_TEST(added_when_it_is_ready)
{
	struct control_relay relay;
	struct answer answer;

	ck_assert_str_eq(to_vm_state(7), "DPDK_UNINIT");
	add(7, 3, true, &answer);
	device_runs();
	expect_nothing_yet(&answer);
	control_relay_read(rig, 7, &relay);
	ck_assert_str_eq(relay.vf_to_vm.internal_state, "DPDK_UNINIT");
	ck_assert(!relay.has_device && !relay.vf_to_vm.active);

	device_delivers();
	expect_ok(&answer);
	control_relay_read(rig, 7, &relay);
	ck_assert_str_eq(relay.vf_to_vm.internal_state, "DPDK_ADDED");
	ck_assert_str_eq(relay.vm_to_vf.internal_state, "VIRTIO_UNINIT");
	ck_assert(relay.has_device && relay.vf_to_vm.active && !relay.vm_to_vf.active);
	ck_assert(!relay.active);
	ck_assert_str_eq(relay.device_label, "net_null3");
	ck_assert(relay.vf_to_vm.has_cpu && !relay.vm_to_vf.has_cpu);
	ck_assert_uint_eq(relay.vf_to_vm.n_lanes, 2);
	ck_assert_uint_eq(relay.mtu, 2100);

	rig_guest_set(&rig->relays[7], true, 1, 1);
	control_replan(rig);
	control_relay_read(rig, 7, &relay);
	ck_assert_str_eq(relay.vf_to_vm.internal_state, "DPDK_READY");
	ck_assert_str_eq(relay.vm_to_vf.internal_state, "VIRTIO_READY");
	ck_assert(relay.active && relay.vm_to_vf.active && relay.vm_to_vf.has_cpu);
}
END_TEST

START_TEST(added_with_the_operators_wishes)
{
	have(0, 0);
	ck_assert_uint_eq(seen_params.relay_id, 0);
	ck_assert_uint_eq(seen_params.max_queues, 3); /* the workers */
	ck_assert_uint_eq(seen_params.mtu, 2100);
	ck_assert_uint_eq(seen_params.n_workers, 3);
	rig_config.jumbo = true;
	rig_config.max_queues = 7;
	rig_config.no_huge = true;
	have(63, 1);
	ck_assert_uint_eq(seen_params.relay_id, 63);
	ck_assert_uint_eq(seen_params.max_queues, 7);
	ck_assert_uint_eq(seen_params.mtu, 9000);
	ck_assert(seen_params.no_huge);
}
END_TEST

START_TEST(no_such_relay)
{
	struct answer answer;

	add(64, 0, true, &answer);
	expect_error(&answer, add_source, 1);
	add(UINT32_MAX, 0, false, &answer);
	expect_error(&answer, add_source, 1);
	remove_vf(64, 0, true, &answer);
	expect_error(&answer, remove_source, 1);
}
END_TEST

START_TEST(the_devices_codes_are_passed_on)
{
	static const int codes[] = {VF_ERROR_NO_MEMPOOL, VF_ERROR_START,    VF_ERROR_PROBE,
	                            VF_ERROR_CONFIGURE,  VF_ERROR_RX_QUEUE, VF_ERROR_TX_QUEUE};
	struct answer answer;

	for (size_t i = 0; i < RTE_DIM(codes); i++) {
		attach_code = codes[i];
		add(0, 5, false, &answer);
		device_works();
		expect_error(&answer, add_source, codes[i]);
		ck_assert_ptr_nonnull(strstr(answer.text, "net_null5"));
		ck_assert_str_eq(to_vm_state(0), "DPDK_UNINIT");
	}
	attach_code = 0;
	have(1, 5); /* nothing of it sticks */
}
END_TEST

START_TEST(what_is_there_already)
{
	struct answer answer;

	have(0, 0);
	add(0, 0, true, &answer);
	expect_ok(&answer);
	add(0, 0, false, &answer);
	expect_error(&answer, add_source, 8);
	ck_assert_uint_eq(n_attaches, 1);
}
END_TEST

START_TEST(a_different_device_is_always_an_error)
{
	struct answer answer;

	have(0, 0);
	add(0, 1, true, &answer);
	expect_error(&answer, add_source, 8);
	add(0, 1, false, &answer);
	expect_error(&answer, add_source, 8);
}
END_TEST

START_TEST(a_device_of_another_relay)
{
	struct answer answer;

	have(4, 0);
	add(9, 0, true, &answer);
	expect_error(&answer, add_source, 2);
	ck_assert_ptr_nonnull(strstr(answer.text, "relay 4"));
	add(9, 0, false, &answer);
	expect_error(&answer, add_source, 2);
	ck_assert_uint_eq(n_attaches, 1);
}
END_TEST

START_TEST(the_same_again_while_it_comes)
{
	struct answer first, second, third, other;

	add(0, 0, false, &first);
	add(0, 0, true, &second);
	device_runs();
	add(0, 0, false, &third);
	expect_error(&third, add_source, 8);
	add(0, 1, true, &other);
	expect_error(&other, add_source, 8);
	add(1, 0, true, &other); /* it is as good as taken */
	expect_error(&other, add_source, 2);
	expect_nothing_yet(&first);
	expect_nothing_yet(&second);
	device_delivers();
	expect_ok(&first);
	expect_ok(&second);
	ck_assert_uint_eq(n_attaches, 1);
}
END_TEST

START_TEST(a_node_without_workers)
{
	struct answer answer;

	attach_node = 1;
	have(0, 0); /* with a warning */
	rig_config.same_numa = true;
	add(1, 1, false, &answer);
	device_works();
	expect_error(&answer, add_source, -1);
	ck_assert_str_eq(to_vm_state(1), "DPDK_REMOVING2");
	device_works();
	ck_assert_str_eq(to_vm_state(1), "DPDK_UNINIT");
	ck_assert_uint_eq(n_attached, 1);
}
END_TEST

/* --- add, too slow ------------------------------------------------------------------------------
 */

START_TEST(given_up_before_it_began)
{
	struct answer answer;

	add(0, 0, true, &answer);
	pass_ms(CONTROL_ANSWER_MS - 1);
	expect_nothing_yet(&answer);
	pass_ms(1);
	expect_error(&answer, add_source, 2);
	device_works();
	ck_assert_uint_eq(n_attaches, 0);
	ck_assert_uint_eq(answer.n, 1);
	have(0, 0);
}
END_TEST

START_TEST(given_up_half_way)
{
	struct answer answer, other;

	add(0, 0, true, &answer);
	device_runs();
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, add_source, 2);
	add(0, 0, true, &other); /* its client was told that it failed: it goes first */
	expect_error(&other, add_source, 8);
	device_delivers();
	ck_assert_str_eq(to_vm_state(0), "DPDK_REMOVING2");
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_UNINIT");
	ck_assert_uint_eq(n_attached, 0);
	ck_assert_uint_eq(answer.n, 1);
	have(0, 0);
}
END_TEST

START_TEST(kept_for_whoever_still_waits)
{
	struct answer early, late;

	add(0, 0, true, &early);
	pass_ms(1000);
	add(0, 0, true, &late);
	device_runs();
	pass_ms(600);
	expect_error(&early, add_source, 2);
	expect_nothing_yet(&late);
	device_delivers();
	expect_ok(&late);
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
}
END_TEST

START_TEST(static_vfs_are_the_operators)
{
	struct answer answer;

	rig_config.n_static_vfs = 2;
	for (unsigned i = 0; i < 2; i++) {
		rig_config.static_vfs[i].relay_id = i;
		rig_config.static_vfs[i].device = request_of(i, (int)i, true).device;
	}
	relay_vf_start_static(rig);
	add(1, 1, true, &answer); /* in a hurry, and not the only one who wants it */
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, add_source, 2);
	device_works();
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
	ck_assert_str_eq(to_vm_state(1), "DPDK_ADDED");

	/* Removed, it is an ordinary VF. */
	remove_vf(1, -1, false, &answer);
	device_works();
	expect_ok(&answer);
	add(1, 1, true, &answer);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, add_source, 2);
	device_works();
	ck_assert_str_eq(to_vm_state(1), "DPDK_UNINIT");
}
END_TEST

/* --- owners -------------------------------------------------------------------------------------
 */

static void expect_refused(const struct answer *answer, const char *source, int code,
                           const char *who)
{
	expect_error(answer, source, code);
	ck_assert_msg(strstr(answer->text, who) != NULL, "%s", answer->text);
}

static bool is_ovsdbs(unsigned relay_id)
{
	struct device_spec device;

	return control_vf_of_owner(rig, relay_id, CONTROL_OWNER_OVSDB, &device);
}

START_TEST(each_vf_has_one_owner)
{
	struct device_spec device;
	struct answer answer;

	have(4, 2);
	asker = CONTROL_OWNER_OVSDB;
	have(3, 1);
	ck_assert(is_ovsdbs(3) && !is_ovsdbs(4) && !is_ovsdbs(5));
	ck_assert(control_vf_of_owner(rig, 4, CONTROL_OWNER_CLIENT, &device));
	ck_assert_str_eq(device.name, "net_null2");
	add(4, 2, true, &answer); /* what is there, but not its own */
	expect_refused(&answer, add_source, 8, "a client");
	remove_vf(4, -1, true, &answer);
	expect_refused(&answer, remove_source, VF_ERROR_DETACH, "a client");

	asker = CONTROL_OWNER_CLIENT;
	add(3, 1, true, &answer);
	expect_refused(&answer, add_source, 8, "net_null1 from OVSDB");
	add(3, 5, false, &answer);
	expect_refused(&answer, add_source, 8, "net_null1 from OVSDB");
	add(5, 1, true, &answer);
	expect_refused(&answer, add_source, VF_ERROR_PROBE, "relay 3 has net_null1 from OVSDB");
	remove_vf(3, -1, true, &answer);
	expect_refused(&answer, remove_source, VF_ERROR_DETACH, "OVSDB");
	remove_vf(3, 1, false, &answer);
	expect_refused(&answer, remove_source, VF_ERROR_DETACH, "OVSDB");

	asker = CONTROL_OWNER_OVSDB;
	remove_vf(3, -1, true, &answer);
	ck_assert(!is_ovsdbs(3)); /* on its way out */
	device_works();
	expect_ok(&answer);
	asker = CONTROL_OWNER_CLIENT;
	have(3, 1);
	ck_assert(!is_ovsdbs(3));
}
END_TEST

START_TEST(clients_may_take_a_static_vf)
{
	struct answer answer;

	rig_config.n_static_vfs = 1;
	rig_config.static_vfs[0].relay_id = 2;
	rig_config.static_vfs[0].device = request_of(2, 0, true).device;
	relay_vf_start_static(rig);
	device_works();
	asker = CONTROL_OWNER_OVSDB;
	add(2, 0, true, &answer);
	expect_refused(&answer, add_source, 8, "the configuration");
	remove_vf(2, 0, true, &answer);
	expect_refused(&answer, remove_source, VF_ERROR_DETACH, "the configuration");

	asker = CONTROL_OWNER_CLIENT;
	add(2, 0, true, &answer);
	expect_ok(&answer);
	remove_vf(2, 0, true, &answer);
	device_works();
	expect_ok(&answer);
	asker = CONTROL_OWNER_OVSDB; /* nobody's now */
	have(2, 0);
}
END_TEST

START_TEST(ovsdb_is_not_in_a_hurry)
{
	struct answer answer;

	asker = CONTROL_OWNER_OVSDB;
	add(7, 3, true, &answer);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, add_source, VF_ERROR_PROBE);
	ck_assert(is_ovsdbs(7));
	device_works(); /* it is wanted as before */
	ck_assert(attached[3] && is_ovsdbs(7));
	add(7, 3, true, &answer);
	expect_ok(&answer);

	relay_vf_lost(&rig->relays[7]);
	ck_assert(is_ovsdbs(7));
	device_works();
	ck_assert(is_ovsdbs(7));
	pass_ms(100);
	device_works();
	ck_assert(attached[3] && is_ovsdbs(7));
}
END_TEST

START_TEST(what_was_lost_and_removed_late_stays_away)
{
	struct answer answer;

	have(7, 3);
	relay_vf_lost(&rig->relays[7]);
	remove_vf(7, 3, true, &answer);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, remove_source, 5);
	device_works();
	pass_ms(60000);
	ck_assert(device_idle());
	ck_assert_str_eq(to_vm_state(7), "DPDK_UNINIT");
}
END_TEST

/* --- remove -------------------------------------------------------------------------------------
 */

START_TEST(nothing_to_remove)
{
	struct answer answer;

	remove_vf(0, -1, true, &answer);
	expect_ok(&answer);
	remove_vf(0, 3, true, &answer);
	expect_ok(&answer);
	remove_vf(0, -1, false, &answer);
	expect_error(&answer, remove_source, 4);
	remove_vf(0, 3, false, &answer);
	expect_error(&answer, remove_source, 4);
}
END_TEST

START_TEST(removed_when_it_has_gone)
{
	struct control_relay relay;
	struct answer answer;

	have(0, 0);
	remove_vf(0, 0, false, &answer);
	expect_nothing_yet(&answer);
	control_relay_read(rig, 0, &relay);
	ck_assert_str_eq(relay.vf_to_vm.internal_state, "DPDK_REMOVING2");
	ck_assert(relay.has_device && !relay.vf_to_vm.active && !relay.vf_to_vm.has_cpu);
	device_runs();
	expect_nothing_yet(&answer);
	device_delivers();
	expect_ok(&answer);
	control_relay_read(rig, 0, &relay);
	ck_assert_str_eq(relay.vf_to_vm.internal_state, "DPDK_UNINIT");
	ck_assert(!relay.has_device);
	ck_assert_uint_eq(relay.mtu, 0);
	have(0, 1);
	remove_vf(0, -1, true, &answer); /* whatever it is */
	device_works();
	expect_ok(&answer);
}
END_TEST

START_TEST(not_another_ones_device)
{
	struct answer answer;

	have(0, 0);
	remove_vf(0, 1, true, &answer);
	expect_error(&answer, remove_source, 3);
	remove_vf(0, 1, false, &answer);
	expect_error(&answer, remove_source, 3);
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
}
END_TEST

START_TEST(removed_by_two)
{
	struct answer first, second, third;

	have(0, 0);
	remove_vf(0, 0, false, &first);
	remove_vf(0, -1, true, &second);
	device_runs();
	remove_vf(0, 0, false, &third);
	device_delivers();
	expect_ok(&first);
	expect_ok(&second);
	expect_ok(&third);
	ck_assert_uint_eq(n_detaches, 1);
}
END_TEST

START_TEST(no_add_while_it_goes)
{
	struct answer answer, removal;

	have(0, 0);
	remove_vf(0, 0, false, &removal);
	add(0, 0, true, &answer);
	expect_error(&answer, add_source, 8);
	add(0, 1, true, &answer);
	expect_error(&answer, add_source, 8);
	add(1, 0, true, &answer); /* nor elsewhere */
	expect_error(&answer, add_source, 2);
	device_works();
	expect_ok(&removal);
}
END_TEST

START_TEST(a_slow_removal_goes_on)
{
	struct answer answer;

	have(0, 0);
	remove_vf(0, 0, true, &answer);
	device_runs();
	pass_ms(CONTROL_ANSWER_MS - 1);
	expect_nothing_yet(&answer);
	pass_ms(1);
	expect_error(&answer, remove_source, 5);
	ck_assert_str_eq(to_vm_state(0), "DPDK_REMOVING2");
	pass_ms(10000);
	device_delivers();
	ck_assert_uint_eq(answer.n, 1);
	ck_assert_str_eq(to_vm_state(0), "DPDK_UNINIT");
}
END_TEST

START_TEST(a_removal_that_fails)
{
	struct answer answer;

	have(0, 0);
	detach_fails = true;
	remove_vf(0, 0, false, &answer);
	device_works();
	expect_error(&answer, remove_source, 2);
	ck_assert_str_eq(to_vm_state(0), "DPDK_UNINIT");
	detach_fails = false;
	have(0, 0);
}
END_TEST

START_TEST(removed_while_it_comes_and_has_not_begun)
{
	struct answer added, removed;

	add(0, 0, true, &added);
	remove_vf(0, 0, false, &removed);
	expect_nothing_yet(&removed);
	device_works();
	expect_error(&added, add_source, 2);
	expect_ok(&removed);
	ck_assert_uint_eq(n_attaches, 0);
}
END_TEST

START_TEST(removed_while_it_comes)
{
	struct answer added, removed, again;

	add(0, 0, true, &added);
	device_runs();
	remove_vf(0, -1, true, &removed);
	add(0, 0, true, &again);
	expect_error(&again, add_source, 8);
	device_delivers();
	expect_error(&added, add_source, 2);
	expect_nothing_yet(&removed);
	device_works();
	expect_ok(&removed);
	ck_assert_uint_eq(n_attached, 0);
	have(0, 0);
}
END_TEST

START_TEST(removed_while_it_fails_to_come)
{
	struct answer added, removed;

	attach_code = VF_ERROR_RX_QUEUE;
	add(0, 0, true, &added);
	device_runs();
	remove_vf(0, 0, false, &removed);
	device_delivers();
	expect_error(&added, add_source, 5);
	expect_ok(&removed); /* it is gone, which was the wish */
}
END_TEST

/* --- what must not be lost ----------------------------------------------------------------------
 */

START_TEST(everything_is_counted)
{
	struct control_relay relay;
	struct answer answer;

	for (unsigned round = 1; round <= 3; round++) {
		have(0, 0);
		rig_guest_set(&rig->relays[0], true, 1, 1);
		control_replan(rig);
		fake_hold(&rig->relays[0].vf_to_vm[1], 7);
		fake_hold(&rig->relays[0].vm_to_vf[0], 2);
		leftover = (struct vf_leftover){.pkts = 5, .bytes = 500};
		health = (struct vf_health){
		        .counts = {.missed = 11, .no_mbuf = 12, .rx_errors = 13, .tx_errors = 14}};
		remove_vf(0, 0, true, &answer);
		device_works();
		expect_ok(&answer);
		control_relay_read(rig, 0, &relay);
		ck_assert_uint_eq(relay.vf_to_vm.counters.dropped_not_connected_pkts, round * 12);
		ck_assert_uint_eq(relay.vf_to_vm.counters.dropped_not_connected_bytes,
		                  round * 1200);
		ck_assert_uint_eq(relay.vf_to_vm.counters.rx_pkts, round * 5);
		ck_assert_uint_eq(relay.vm_to_vf.counters.dropped_not_connected_pkts, round * 2);
		ck_assert_uint_eq(relay.losses.missed, round * 11);
		ck_assert_uint_eq(relay.losses.no_mbuf, round * 12);
		ck_assert_uint_eq(relay.losses.rx_errors, round * 13);
		ck_assert_uint_eq(relay.losses.tx_errors, round * 14);
	}
}
END_TEST

/* While there is no memory for plans, lanes poll on, and the VF must stay. */
START_TEST(out_of_memory_is_waited_out)
{
	struct answer answer;

	have(0, 0);
	out_of_memory = true;
	remove_vf(0, 0, true, &answer);
	ck_assert_str_eq(to_vm_state(0), "DPDK_REMOVING1");
	pass_ms(1000);
	ck_assert(device_idle());
	pass_ms(1000);
	expect_error(&answer, remove_source, 5);
	out_of_memory = false;
	pass_ms(1000);
	ck_assert_str_eq(to_vm_state(0), "DPDK_REMOVING2");
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_UNINIT");
}
END_TEST

/* As control_quiesce and control_destroy do. */
static void shut_down(void)
{
	rig->quiesced = true;
	for (unsigned i = 0; i < rig->workers->count; i++) {
		struct worker *worker = &rig->workers->worker[i];

		free((void *)(uintptr_t)worker_publish(worker, __real_plan_create(NULL, 0)));
	}
	for (int round = 0; round < 2; round++) {
		relay_vf_detach_all(rig);
		if (under_way != NULL)
			device_delivers();
		while (!device_idle())
			device_works();
	}
}

/* --- lost and found -----------------------------------------------------------------------------
 */

#define LONGEST_WAIT_MS 20000 /* surely longer than between two tries */

START_TEST(a_vf_that_was_reset_comes_back)
{
	struct control_relay relay;

	have(0, 0);
	leftover = (struct vf_leftover){.pkts = 5, .bytes = 500};
	relay_vf_lost(&rig->relays[0]);
	relay_vf_lost(&rig->relays[0]); /* drivers say it twice */
	ck_assert_str_eq(to_vm_state(0), "DPDK_REMOVING2");
	device_works();
	control_relay_read(rig, 0, &relay);
	ck_assert_str_eq(relay.vf_to_vm.internal_state, "DPDK_UNINIT");
	ck_assert(!relay.has_device);
	ck_assert_uint_eq(relay.vf_to_vm.counters.dropped_not_connected_pkts, 5);
	ck_assert(device_idle());
	pass_ms(LONGEST_WAIT_MS);
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
	ck_assert_uint_eq(n_attached, 1);
	pass_ms(LONGEST_WAIT_MS);
	ck_assert(device_idle());
}
END_TEST

static const struct vf_host good_host = {
        .pf_ifindex = 5, .pf = "eno1", .needs_pf = true, .pf_up = true, .mac.addr_bytes = {2}};

/* A VF, and what its PF says at first. */
static void have_with_host(void)
{
	have(0, 0);
	ck_assert(rig->relays[0].ask_host);
	rig->relays[0].vf.mac = good_host.mac;
	rig->relays[0].vf.host = good_host;
	relay_host_told(&rig->relays[0], &good_host);
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
}

static void expect_another_attach(void)
{
	device_works();
	pass_ms(LONGEST_WAIT_MS);
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
	ck_assert_uint_eq(n_attaches, 2);
}

START_TEST(a_vf_whose_pf_was_down_is_attached_anew)
{
	struct vf_host host = good_host;

	have_with_host();
	host.pf_up = false;
	for (int i = 0; i < 2; i++) {
		relay_host_told(&rig->relays[0], &host);
		ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
	}
	relay_host_told(&rig->relays[0], &good_host);
	ck_assert_str_eq(to_vm_state(0), "DPDK_REMOVING2");
	expect_another_attach();
}
END_TEST

START_TEST(a_vf_with_a_new_mac_is_attached_anew)
{
	struct vf_host host = good_host;

	have_with_host();
	host.mac.addr_bytes[5] = 7;
	relay_host_told(&rig->relays[0], &host);
	ck_assert_str_eq(to_vm_state(0), "DPDK_REMOVING2");
	expect_another_attach();
}
END_TEST

START_TEST(a_mac_that_is_ours_or_none_is_no_news)
{
	struct vf_host host = good_host, none = good_host, unseen = {.pf_up = true};

	have_with_host();
	host.mac.addr_bytes[5] = 7;
	rig->relays[0].vf.mac = host.mac; /* --sync-mac's doing */
	relay_host_told(&rig->relays[0], &host);
	none.mac = (struct rte_ether_addr){0};
	relay_host_told(&rig->relays[0], &none);
	relay_host_told(&rig->relays[0], &unseen);
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
	ck_assert(device_idle());
}
END_TEST

START_TEST(a_vf_that_has_left_is_waited_for)
{
	struct answer answer;

	have(0, 0);
	relay_vf_lost(&rig->relays[0]);
	device_works();
	attach_code = VF_ERROR_PROBE;
	for (int i = 0; i < 20; i++) {
		pass_ms(LONGEST_WAIT_MS);
		device_works();
		ck_assert_str_eq(to_vm_state(0), "DPDK_UNINIT");
	}
	add(0, 1, true, &answer); /* its place is kept … */
	expect_error(&answer, add_source, 8);
	add(1, 0, true, &answer); /* … and it has one */
	expect_error(&answer, add_source, 2);
	attach_code = 0;
	pass_ms(LONGEST_WAIT_MS);
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
}
END_TEST

START_TEST(somebody_knows_that_it_is_back)
{
	struct answer answer;

	have(0, 0);
	relay_vf_lost(&rig->relays[0]);
	device_works();
	add(0, 0, true, &answer);
	expect_nothing_yet(&answer);
	device_works();
	expect_ok(&answer);
	pass_ms(LONGEST_WAIT_MS);
	ck_assert(device_idle());

	/* Or is wrong about it. */
	relay_vf_lost(&rig->relays[0]);
	device_works();
	attach_code = VF_ERROR_PROBE;
	add(0, 0, true, &answer);
	device_works();
	expect_error(&answer, add_source, 2);
	attach_code = 0;
	pass_ms(LONGEST_WAIT_MS);
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
}
END_TEST

START_TEST(a_lost_vf_may_be_removed)
{
	struct answer answer;

	have(0, 0);
	relay_vf_lost(&rig->relays[0]);
	device_works();
	remove_vf(0, 0, false, &answer);
	expect_ok(&answer);
	pass_ms(LONGEST_WAIT_MS);
	ck_assert(device_idle());
	have(0, 1);
}
END_TEST

START_TEST(removed_while_it_is_lost)
{
	struct answer answer;

	for (unsigned i = 0; i < 3; i++) {
		have(0, 0);
		relay_vf_lost(&rig->relays[0]);
		remove_vf(0, 0, false, &answer);
		device_runs();
		if (i == 1)
			pass_ms(CONTROL_ANSWER_MS);
		device_delivers();
		if (i == 1)
			expect_error(&answer, remove_source, 5);
		else if (i == 2)
			expect_error(&answer, remove_source, 2);
		else
			expect_ok(&answer);
		pass_ms(LONGEST_WAIT_MS);
		ck_assert(device_idle()); /* whatever was answered: nobody wants it back */
		detach_fails = i == 1;
	}
	detach_fails = false;
	have(0, 1);
}
END_TEST

START_TEST(removed_while_it_comes_back)
{
	struct answer answer;

	have(0, 0);
	relay_vf_lost(&rig->relays[0]);
	device_works();
	pass_ms(LONGEST_WAIT_MS);
	device_runs();
	remove_vf(0, -1, true, &answer);
	device_delivers();
	device_works();
	expect_ok(&answer);
	pass_ms(LONGEST_WAIT_MS);
	ck_assert(device_idle());
	ck_assert_uint_eq(n_attached, 0);
}
END_TEST

/* A PF that comes up resets its VFs, just when they were probed. */
START_TEST(lost_before_it_was_announced)
{
	struct answer answer;

	add(0, 0, true, &answer);
	device_runs();
	relay_vf_lost(&rig->relays[0]);
	device_delivers();
	ck_assert_uint_eq(answer.n, 1);
	device_works(); /* the detach */
	pass_ms(LONGEST_WAIT_MS);
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
	ck_assert_uint_eq(n_attaches, 2);
}
END_TEST

START_TEST(shut_down_while_it_is_lost)
{
	have(0, 0);
	have(1, 1);
	relay_vf_lost(&rig->relays[0]);
	device_works();
	relay_vf_lost(&rig->relays[1]);
	shut_down();
	ck_assert_uint_eq(n_attached, 0);
}
END_TEST

/* --- the end ------------------------------------------------------------------------------------
 */

START_TEST(shut_down_with_work_under_way)
{
	struct answer queued, running, removing;

	have(0, 0);
	have(1, 1);
	remove_vf(1, 1, false, &removing);
	add(2, 2, true, &running);
	add(3, 3, true, &queued);
	device_works(); /* the removal */
	expect_ok(&removing);
	remove_vf(0, 0, false, &removing);
	device_runs(); /* device 2 is attached, and nobody knows yet */
	ck_assert_uint_eq(n_attached, 2);
	shut_down();
	ck_assert_uint_eq(n_attached, 0);
	ck_assert_uint_eq(n_attaches, 3); /* device 3 was spared */
	ck_assert_uint_eq(queued.n, 1);
	ck_assert_uint_eq(running.n, 1);
	expect_ok(&removing);
}
END_TEST

/* --- anything in any order ----------------------------------------------------------------------
 */

#define ASKS 400

static void expect_lawful(const struct answer *answer)
{
	static const int add_codes[] = {1, 2, 4, 5, 6, 8, -1}, remove_codes[] = {1, 2, 3, 4, 5};
	bool is_add;

	fake_expect(answer->n == 1);
	fake_expect(answer->took_ms <= CONTROL_ANSWER_MS);
	if (answer->ok)
		return;
	is_add = strcmp(answer->source, add_source) == 0;
	fake_expect(is_add || strcmp(answer->source, remove_source) == 0);
	for (size_t i = 0; i < RTE_DIM(add_codes); i++)
		if (is_add && add_codes[i] == answer->code)
			return;
	for (size_t i = 0; i < RTE_DIM(remove_codes); i++)
		if (!is_add && remove_codes[i] == answer->code)
			return;
	ck_abort_msg("%s: code %d", answer->source, answer->code);
}

static void something_happens(uint64_t *random, struct answer *answer)
{
	unsigned relay = fake_random(random) % 3;
	int device = (int)(fake_random(random) % 3);
	bool conditional = fake_random(random) % 2;

	*answer = (struct answer){.n = 1, .ok = true};
	switch (fake_random(random) % 7) {
	case 0:
	case 1:
		add(relay, device, conditional, answer);
		break;
	case 2:
		remove_vf(relay, device - (int)(fake_random(random) % 4), conditional, answer);
		break;
	case 3:
		pass_ms(fake_random(random) % 900);
		break;
	case 4:
		rig_guest_set(&rig->relays[relay], conditional, (uint32_t)device, 1);
		control_replan(rig);
		break;
	case 5:
		relay_vf_lost(&rig->relays[relay]);
		break;
	default:
		attach_code = fake_random(random) % 4 == 0 ? VF_ERROR_CONFIGURE : 0;
		detach_fails = fake_random(random) % 8 == 0;
		out_of_memory = fake_random(random) % 8 == 0;
		if (under_way != NULL)
			device_delivers();
		else if (!device_idle())
			device_runs();
	}
}

START_TEST(every_request_is_answered_once_and_in_time)
{
	static struct answer answers[ASKS];
	uint64_t random = (uint64_t)_i;

	for (int i = 0; i < ASKS; i++)
		something_happens(&random, &answers[i]);
	out_of_memory = false;
	pass_ms(CONTROL_ANSWER_MS);
	for (int i = 0; i < ASKS; i++)
		expect_lawful(&answers[i]);
	shut_down();
	pass_ms(CONTROL_ANSWER_MS);
	fake_expect(n_attached == 0);
	for (int i = 0; i < ASKS; i++)
		fake_expect(answers[i].n == 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("relay_vf");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, added_when_it_is_ready);
	tcase_add_test(tcase, added_with_the_operators_wishes);
	tcase_add_test(tcase, no_such_relay);
	tcase_add_test(tcase, the_devices_codes_are_passed_on);
	tcase_add_test(tcase, what_is_there_already);
	tcase_add_test(tcase, a_different_device_is_always_an_error);
	tcase_add_test(tcase, a_device_of_another_relay);
	tcase_add_test(tcase, the_same_again_while_it_comes);
	tcase_add_test(tcase, a_node_without_workers);
	tcase_add_test(tcase, given_up_before_it_began);
	tcase_add_test(tcase, given_up_half_way);
	tcase_add_test(tcase, kept_for_whoever_still_waits);
	tcase_add_test(tcase, static_vfs_are_the_operators);
	tcase_add_test(tcase, each_vf_has_one_owner);
	tcase_add_test(tcase, clients_may_take_a_static_vf);
	tcase_add_test(tcase, ovsdb_is_not_in_a_hurry);
	tcase_add_test(tcase, what_was_lost_and_removed_late_stays_away);
	tcase_add_test(tcase, nothing_to_remove);
	tcase_add_test(tcase, removed_when_it_has_gone);
	tcase_add_test(tcase, not_another_ones_device);
	tcase_add_test(tcase, removed_by_two);
	tcase_add_test(tcase, no_add_while_it_goes);
	tcase_add_test(tcase, a_slow_removal_goes_on);
	tcase_add_test(tcase, a_removal_that_fails);
	tcase_add_test(tcase, removed_while_it_comes_and_has_not_begun);
	tcase_add_test(tcase, removed_while_it_comes);
	tcase_add_test(tcase, removed_while_it_fails_to_come);
	tcase_add_test(tcase, everything_is_counted);
	tcase_add_test(tcase, out_of_memory_is_waited_out);
	tcase_add_test(tcase, a_vf_that_was_reset_comes_back);
	tcase_add_test(tcase, a_vf_whose_pf_was_down_is_attached_anew);
	tcase_add_test(tcase, a_vf_with_a_new_mac_is_attached_anew);
	tcase_add_test(tcase, a_mac_that_is_ours_or_none_is_no_news);
	tcase_add_test(tcase, a_vf_that_has_left_is_waited_for);
	tcase_add_test(tcase, somebody_knows_that_it_is_back);
	tcase_add_test(tcase, a_lost_vf_may_be_removed);
	tcase_add_test(tcase, removed_while_it_is_lost);
	tcase_add_test(tcase, removed_while_it_comes_back);
	tcase_add_test(tcase, lost_before_it_was_announced);
	tcase_add_test(tcase, shut_down_while_it_is_lost);
	tcase_add_test(tcase, shut_down_with_work_under_way);
	tcase_add_loop_test(tcase, every_request_is_answered_once_and_in_time, 0, 20);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
