/* Dynamic sockets: what each ADD_SOCK and REMOVE_SOCK is answered, in which order the two ends come
 * and go, and that a relay is idle again whatever fails and whenever. The helper threads' jobs and
 * the clock are the test's: nothing happens before it says so.
 */
/* WRAP: rte_pktmbuf_free_bulk rte_lcore_is_enabled rte_get_main_lcore guest_get pool_flush_cache */
/* WRAP: vf_attach vf_detach vf_health_read job_submit loop_timer_start loop_timer_stop plan_create
 */
/* WRAP: guest_open guest_close guest_refuse guest_read */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control_clock.h"
#include "control_rig.h"
#include "suite.h"

/* --- the helper threads -------------------------------------------------------------------------
 */

enum thread { DEVICE, GUEST, THREADS };

STAILQ_HEAD(job_queue, job);
static struct job_queue submitted[THREADS];
static char threads[THREADS]; /* only their addresses count */

void __wrap_job_submit(struct job_thread *thread, struct job *job);

void __wrap_job_submit(struct job_thread *thread, struct job *job)
{
	STAILQ_INSERT_TAIL(&submitted[(char *)thread - threads], job, link);
}

static bool idle(enum thread thread)
{
	return STAILQ_EMPTY(&submitted[thread]);
}

static void works(enum thread thread)
{
	struct job *job = STAILQ_FIRST(&submitted[thread]);

	ck_assert_ptr_nonnull(job);
	STAILQ_REMOVE_HEAD(&submitted[thread], link);
	job->run(job);
	job->done(job);
}

static void all_work(void)
{
	while (!idle(DEVICE) || !idle(GUEST))
		works(idle(DEVICE) ? GUEST : DEVICE);
}

/* --- the two ends -------------------------------------------------------------------------------
 */

static unsigned n_attached, n_open;
static bool attach_fails, detach_fails, open_fails, out_of_memory;
static bool refusing[RELAYS_MAX];
static struct guest_state guest_states[RELAYS_MAX];
static struct guest_params seen;

int __wrap_vf_attach(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
                     struct error *err);
int __wrap_vf_detach(struct vf *vf, struct vf_leftover *left, struct error *err);
void __wrap_vf_health_read(const struct vf *vf, struct vf_health *out);
int __wrap_guest_open(const struct guest_params *params, struct error *err);
void __wrap_guest_close(unsigned relay_id);
void __wrap_guest_refuse(unsigned relay_id);
void __wrap_guest_read(unsigned relay_id, struct guest_state *out);
struct plan *__real_plan_create(const struct lane_work *works, unsigned n_works);
struct plan *__wrap_plan_create(const struct lane_work *works, unsigned n_works);

int __wrap_vf_attach(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
                     struct error *err)
{
	if (attach_fails) {
		error_set(err, VF_ERROR_CONFIGURE, "%s does not work", spec->name);
		return -1;
	}
	n_attached++;
	*vf = rig_vf(params->relay_id, (uint16_t)(params->relay_id % FAKE_VF_QUEUES), 1);
	vf->spec = *spec;
	return 0;
}

static void expect_unplanned(unsigned relay_id, enum lane_direction direction)
{
	for (unsigned i = 0; i < rig->workers->count; i++)
		for (unsigned j = 0; j < rig_plan(i)->n_works; j++)
			fake_expect(rig_plan(i)->works[j].lane->relay_id != relay_id ||
			            rig_plan(i)->works[j].lane->direction != direction);
}

int __wrap_vf_detach(struct vf *vf, struct vf_leftover *left, struct error *err)
{
	(void)vf;
	n_attached--;
	memset(left, 0, sizeof(*left));
	if (!detach_fails)
		return 0;
	error_set(err, VF_ERROR_DETACH, "it does not close");
	return -1;
}

void __wrap_vf_health_read(const struct vf *vf, struct vf_health *out)
{
	(void)vf;
	memset(out, 0, sizeof(*out));
}

int __wrap_guest_open(const struct guest_params *params, struct error *err)
{
	seen = *params;
	if (open_fails) {
		error_set(err, EADDRINUSE, "another process serves %s", params->path);
		return -1;
	}
	refusing[params->relay_id] = false;
	n_open++;
	return 0;
}

/* The vhost library would wait for ever if a worker still had the guest's queues. */
void __wrap_guest_close(unsigned relay_id)
{
	fake_expect(refusing[relay_id]);
	expect_unplanned(relay_id, LANE_VM_TO_VF);
	n_open--;
}

void __wrap_guest_refuse(unsigned relay_id)
{
	refusing[relay_id] = true;
}

void __wrap_guest_read(unsigned relay_id, struct guest_state *out)
{
	*out = guest_states[relay_id];
}

struct plan *__wrap_plan_create(const struct lane_work *works_wanted, unsigned n_works)
{
	return out_of_memory ? NULL : __real_plan_create(works_wanted, n_works);
}

static void guest_comes(unsigned relay_id)
{
	guest_states[relay_id] = (struct guest_state){
	        .connected = true, .rx_queues = 1, .tx_queues = 1, .sessions = 1};
	relay_guest_changed(&rig->relays[relay_id]);
	control_replan(rig);
}

/* --- requests ----------------------------------------------------------------------------------
 */

static const char adding[] = "virtio_add_sock_dev_pair()";
static const char removing[] = "virtio_remove_sock_dev_pair()";

static char directory[32];

/* "a" stands for a socket in the test's directory; device < 0: none is given. */
static struct control_sock_request request_of(int device, const char *name, bool conditional,
                                              char path[128])
{
	struct control_sock_request request = {.conditional = conditional};
	struct error err;
	char text[24];

	if (name != NULL && name[0] != '/' && name[0] != '\0')
		snprintf(path, 128, "%s/%s", directory, name);
	else if (name != NULL)
		snprintf(path, 128, "%s", name);
	request.path = name != NULL ? path : NULL;
	if (device < 0)
		return request;
	snprintf(text, sizeof(text), "net_null%d", device);
	ck_assert_int_eq(device_spec_parse(text, &request.device, &err), 0);
	request.has_device = true;
	return request;
}

static void add_if(bool conditional, int device, const char *name, struct answer *answer)
{
	char path[128];
	struct control_sock_request request = request_of(device, name, conditional, path);

	*answer = (struct answer){.asked_ms = clock_ms};
	control_add_sock(rig, &request, on_answer, answer);
}

static void remove_if(bool conditional, int device, const char *name, struct answer *answer)
{
	char path[128];
	struct control_sock_request request = request_of(device, name, conditional, path);

	*answer = (struct answer){.asked_ms = clock_ms};
	control_remove_sock(rig, &request, on_answer, answer);
}

static void expect_waits(const struct answer *answer)
{
	ck_assert_uint_eq(answer->n, 0);
}

static void made(int device, const char *name)
{
	struct answer answer;

	add_if(false, device, name, &answer);
	all_work();
	expect_ok(&answer);
}

static void expect_states(unsigned relay_id, const char *vf_to_vm, const char *vm_to_vf)
{
	struct control_relay reading;

	control_relay_read(rig, relay_id, &reading);
	ck_assert_str_eq(reading.vf_to_vm.internal_state, vf_to_vm);
	ck_assert_str_eq(reading.vm_to_vf.internal_state, vm_to_vf);
}

/* Nothing is left of the relay's pair. */
static void expect_idle(unsigned relay_id)
{
	struct control_relay reading;

	control_relay_read(rig, relay_id, &reading);
	ck_assert(!reading.has_device);
	ck_assert_str_eq(reading.vhost_socket, "NONE");
	expect_states(relay_id, "DPDK_UNINIT", "VIRTIO_UNINIT");
	ck_assert_int_eq(rig->relays[relay_id].pair_phase, PAIR_NONE);
	expect_unplanned(relay_id, LANE_VF_TO_VM);
	expect_unplanned(relay_id, LANE_VM_TO_VF);
}

static void expect_made(unsigned relay_id, const char *device, const char *name)
{
	struct control_relay reading;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	control_relay_read(rig, relay_id, &reading);
	ck_assert_str_eq(reading.device_label, device);
	ck_assert_str_eq(reading.vhost_socket, path);
}

static void set_up(void)
{
	rig_create(2);
	rig_config.dynamic_sockets = true;
	rig->device_thread = (struct job_thread *)&threads[DEVICE];
	rig->guest_thread = (struct job_thread *)&threads[GUEST];
	rig->guest_params = (struct guest_params){.client = true, .mrgbuf = true};
	for (unsigned i = 0; i < THREADS; i++)
		STAILQ_INIT(&submitted[i]);
	n_attached = n_open = n_timers = 0;
	attach_fails = detach_fails = open_fails = out_of_memory = false;
	memset(guest_states, 0, sizeof(guest_states));
	memset(refusing, 0, sizeof(refusing));
	snprintf(directory, sizeof(directory), "/tmp/vf-pair-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void tear_down(void)
{
	ck_assert_uint_eq(n_timers, 0);
	relay_pair_forget_all(rig);
	rig_destroy();
	ck_assert_int_eq(rmdir(directory), 0);
}

/* --- pairs ------------------------------------------------------------------------------------ */

START_TEST(the_device_comes_first_and_then_the_socket)
{
	struct answer answer;

	add_if(false, 3, "a", &answer);
	ck_assert(idle(GUEST));
	expect_states(0, "DPDK_UNINIT", "VIRTIO_UNINIT");
	works(DEVICE);
	expect_waits(&answer);
	expect_states(0, "DPDK_ADDED", "VIRTIO_UNINIT");
	works(GUEST);
	expect_ok(&answer);
	expect_made(0, "net_null3", "a");
	ck_assert(seen.client && seen.mrgbuf && seen.relay_id == 0);
	ck_assert_uint_eq(n_attached + n_open, 2);
}
END_TEST

START_TEST(a_guest_may_be_quicker_than_the_answer)
{
	struct answer answer;

	add_if(false, 3, "a", &answer);
	works(DEVICE);
	guest_comes(0); /* its event overtakes the end of the opening */
	expect_states(0, "DPDK_ADDED", "VIRTIO_UNINIT");
	expect_unplanned(0, LANE_VM_TO_VF);
	works(GUEST);
	expect_ok(&answer);
	expect_states(0, "DPDK_READY", "VIRTIO_READY");
}
END_TEST

START_TEST(a_live_pair_ends_in_order)
{
	struct answer answer;

	made(3, "a");
	guest_comes(0);
	expect_states(0, "DPDK_READY", "VIRTIO_READY");
	remove_if(false, -1, "a", &answer);
	ck_assert(refusing[0]);
	expect_states(0, "DPDK_REMOVING2", "VIRTIO_REMOVING2");
	guest_comes(0); /* too late: it is refused */
	expect_unplanned(0, LANE_VM_TO_VF);
	works(DEVICE);
	expect_waits(&answer);
	expect_states(0, "DPDK_UNINIT", "VIRTIO_REMOVING2");
	works(GUEST);
	expect_ok(&answer);
	expect_idle(0);
	ck_assert_uint_eq(n_attached + n_open, 0);
}
END_TEST

START_TEST(lanes_leave_before_the_ends_do)
{
	struct answer answer;

	made(3, "a");
	guest_comes(0);
	out_of_memory = true; /* no new plans: the old ones hold */
	remove_if(false, 3, NULL, &answer);
	ck_assert(idle(DEVICE) && idle(GUEST));
	expect_states(0, "DPDK_REMOVING1", "VIRTIO_REMOVING1");
	pass_ms(1000);
	expect_waits(&answer);
	out_of_memory = false;
	pass_ms(100);
	expect_states(0, "DPDK_REMOVING2", "VIRTIO_REMOVING2");
	all_work();
	expect_ok(&answer);
	expect_idle(0);
}
END_TEST

START_TEST(the_lowest_idle_relay_is_taken)
{
	static const char *const names[] = {"0", "1", "2", "3"};
	struct answer answer;

	for (int i = 0; i < 3; i++)
		made(i, names[i]);
	remove_if(false, 1, NULL, &answer);
	all_work();
	expect_ok(&answer);
	made(3, names[3]);
	expect_made(1, "net_null3", "3");
	rig->relays[3].vf_phase = VF_LOST; /* somebody else's */
	made(7, "7");
	expect_made(4, "net_null7", "7");
	rig->relays[3].vf_phase = VF_ABSENT;
}
END_TEST

START_TEST(a_relay_that_still_gives_back_is_not_idle)
{
	struct answer answer, second;

	made(0, "a");
	remove_if(false, 0, NULL, &answer);
	works(DEVICE);
	add_if(false, 0, "b", &second); /* the device is free, the relay is not */
	works(DEVICE);
	ck_assert_int_eq(rig->relays[0].pair_phase, PAIR_REMOVING);
	all_work();
	expect_ok(&second);
	expect_idle(0);
	expect_made(1, "net_null0", "b");
}
END_TEST

START_TEST(no_relay_is_idle)
{
	struct answer answer;
	char name[16];

	for (int i = 0; i < RELAYS_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		made(i, name);
	}
	add_if(false, 99, "z", &answer);
	expect_error(&answer, adding, 2);
	remove_if(false, 40, NULL, &answer);
	all_work();
	made(99, "z");
	expect_made(40, "net_null99", "z");
}
END_TEST

/* --- codes ------------------------------------------------------------------------------------ */

START_TEST(codes_of_additions)
{
	struct answer answer;

	made(0, "a");
	add_if(true, 1, NULL, &answer);
	expect_error(&answer, adding, -1);
	for (int conditional = 0; conditional < 2; conditional++) {
		add_if(conditional, 0, "b", &answer);
		expect_error(&answer, adding, -EEXIST);
		add_if(conditional, 1, "a", &answer);
		expect_error(&answer, adding, 1);
		add_if(conditional, 1, "relative/../x/", &answer);
		expect_error(&answer, adding, 5);
		add_if(conditional, 1, "/nowhere/at/all", &answer);
		expect_error(&answer, adding, 5);
	}
	add_if(false, 0, "a", &answer);
	expect_error(&answer, adding, -EEXIST);
	add_if(true, 0, "a", &answer);
	expect_ok(&answer);
	add_if(true, 0, "./a", &answer);
	expect_ok(&answer);
	ck_assert(idle(DEVICE) && idle(GUEST));

	rig_config.dynamic_sockets = false;
	add_if(true, 0, "a", &answer);
	expect_error(&answer, adding, 2);
}
END_TEST

START_TEST(codes_of_removals)
{
	struct answer answer;

	made(0, "a");
	made(1, "b");
	for (int conditional = 0; conditional < 2; conditional++) {
		remove_if(conditional, -1, NULL, &answer);
		expect_error(&answer, removing, -1);
		remove_if(conditional, 0, "b", &answer);
		expect_error(&answer, removing, 2);
		remove_if(conditional, 7, "b", &answer);
		expect_error(&answer, removing, 2);
		remove_if(conditional, 0, "z", &answer);
		expect_error(&answer, removing, 2);
	}
	for (int i = 0; i < 3; i++) {
		int device = i == 1 ? -1 : 7;
		const char *name = i == 0 ? NULL : "z";

		remove_if(false, device, name, &answer);
		expect_error(&answer, removing, 1);
		remove_if(true, device, name, &answer);
		expect_ok(&answer);
	}
	rig->relays[9].vf_phase = VF_ATTACHED; /* not of this making: as if it were not there */
	ck_assert_int_eq(device_spec_parse("net_null9", &rig->relays[9].device, &(struct error){0}),
	                 0);
	remove_if(false, 9, NULL, &answer);
	expect_error(&answer, removing, 1);
	rig->relays[9].vf_phase = VF_ABSENT;
	ck_assert(idle(DEVICE) && idle(GUEST));

	rig_config.dynamic_sockets = false;
	remove_if(true, 0, "a", &answer);
	expect_error(&answer, removing, 1);
}
END_TEST

/* --- all or nothing --------------------------------------------------------------------------- */

START_TEST(a_device_that_fails)
{
	struct answer answer;

	attach_fails = true;
	add_if(false, 0, "a", &answer);
	all_work();
	expect_error(&answer, adding, 3);
	ck_assert_ptr_nonnull(strstr(answer.text, "does not work"));
	expect_idle(0);
	ck_assert(idle(GUEST));
	attach_fails = false;
	made(0, "a");
}
END_TEST

START_TEST(a_socket_that_fails)
{
	struct answer answer;

	open_fails = true;
	add_if(false, 0, "a", &answer);
	works(DEVICE);
	works(GUEST);
	expect_waits(&answer); /* until the device is given back */
	works(DEVICE);
	expect_error(&answer, adding, 5);
	ck_assert_ptr_nonnull(strstr(answer.text, "another process"));
	expect_idle(0);
	ck_assert_uint_eq(n_attached, 0);
	open_fails = false;
	made(0, "a");
}
END_TEST

START_TEST(a_device_that_does_not_close)
{
	struct answer answer;

	made(0, "a");
	detach_fails = true;
	remove_if(true, 0, NULL, &answer);
	all_work();
	expect_error(&answer, removing, 4);
	expect_idle(0);
	detach_fails = false;
	made(0, "a");
}
END_TEST

START_TEST(a_device_that_takes_too_long)
{
	struct answer answer, again;

	add_if(false, 0, "a", &answer);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, adding, 3);
	ck_assert_uint_eq(answer.took_ms, CONTROL_ANSWER_MS);
	add_if(true, 0, "a", &again);
	expect_error(&again, adding, 1); /* still giving back */
	all_work();
	expect_idle(0);
	ck_assert_uint_eq(n_attached + n_open, 0);
}
END_TEST

START_TEST(a_socket_that_takes_too_long)
{
	struct answer answer;

	add_if(false, 0, "a", &answer);
	works(DEVICE);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, adding, 5);
	all_work(); /* it opens, nobody wants it, and it is closed again */
	expect_idle(0);
	ck_assert_uint_eq(n_attached + n_open, 0);
}
END_TEST

START_TEST(a_roll_back_that_takes_too_long)
{
	struct answer answer;

	open_fails = true;
	add_if(false, 0, "a", &answer);
	works(DEVICE);
	works(GUEST);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, adding, 5);
	all_work();
	expect_idle(0);
}
END_TEST

START_TEST(a_removal_that_takes_too_long_goes_on)
{
	struct answer answer, again;

	made(0, "a");
	remove_if(false, 0, "a", &answer);
	works(DEVICE);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, removing, 5);
	expect_states(0, "DPDK_UNINIT", "VIRTIO_REMOVING2");
	remove_if(false, -1, "a", &again); /* joins it */
	works(GUEST);
	expect_ok(&again);
	expect_idle(0);
}
END_TEST

/* --- several at once -------------------------------------------------------------------------- */

START_TEST(the_same_addition_twice)
{
	struct answer first, second, third;

	add_if(false, 0, "a", &first);
	add_if(true, 0, "a", &second);
	works(DEVICE);
	add_if(true, 0, "a", &third);
	works(GUEST);
	expect_ok(&first);
	expect_ok(&second);
	expect_ok(&third);
	ck_assert_uint_eq(n_attached + n_open, 2);
}
END_TEST

START_TEST(whoever_still_waits_gets_it)
{
	struct answer first, second;

	add_if(false, 0, "a", &first);
	works(DEVICE);
	pass_ms(1000);
	add_if(true, 0, "a", &second);
	pass_ms(500);
	expect_error(&first, adding, 5);
	works(GUEST);
	expect_ok(&second);
	expect_made(0, "net_null0", "a");
}
END_TEST

START_TEST(removed_while_the_device_is_attached)
{
	struct answer add, removal;

	add_if(false, 0, "a", &add);
	remove_if(false, 0, "a", &removal);
	all_work();
	expect_error(&add, adding, 3);
	expect_ok(&removal);
	expect_idle(0);
	ck_assert_uint_eq(n_attached + n_open, 0);
}
END_TEST

START_TEST(removed_while_the_socket_is_opened)
{
	struct answer add, removal;

	add_if(false, 0, "a", &add);
	works(DEVICE);
	remove_if(false, -1, "a", &removal);
	works(GUEST);
	expect_waits(&add);
	all_work();
	expect_error(&add, adding, 5);
	expect_ok(&removal);
	expect_idle(0);
	ck_assert_uint_eq(n_attached + n_open, 0);
}
END_TEST

START_TEST(removed_while_it_opens_though_nobody_waits_any_more)
{
	struct answer add, removal;

	add_if(false, 0, "a", &add);
	works(DEVICE);
	remove_if(false, -1, "a", &removal);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&add, adding, 5);
	expect_error(&removal, removing, 5);
	all_work();
	expect_idle(0);
}
END_TEST

START_TEST(removals_join_each_other)
{
	struct answer first, second, add;

	made(0, "a");
	remove_if(false, 0, NULL, &first);
	remove_if(false, -1, "a", &second);
	add_if(true, 0, "a", &add);
	expect_error(&add, adding, 1);
	all_work();
	expect_ok(&first);
	expect_ok(&second);
	expect_idle(0);
}
END_TEST

START_TEST(a_lost_device_is_removed_with_its_socket)
{
	struct answer answer;

	made(0, "a");
	attach_fails = true;
	relay_vf_lost(&rig->relays[0]);
	works(DEVICE); /* detached; it waits for its return */
	ck_assert_int_eq(rig->relays[0].vf_phase, VF_LOST);
	expect_made(0, "", "a");
	remove_if(false, 0, "a", &answer);
	all_work();
	expect_ok(&answer);
	expect_idle(0);
	pass_ms(60000);
	ck_assert(idle(DEVICE));
}
END_TEST

START_TEST(a_lost_device_comes_back_to_its_socket)
{
	made(0, "a");
	guest_comes(0);
	relay_vf_lost(&rig->relays[0]);
	works(DEVICE);
	pass_ms(200);
	works(DEVICE);
	expect_made(0, "net_null0", "a");
	expect_states(0, "DPDK_READY", "VIRTIO_READY");
	ck_assert_int_eq(rig->relays[0].pair_phase, PAIR_MADE);
}
END_TEST

/* Any order of requests, jobs and time: each request is answered once and in time, and in the end
 * all of it can be removed. */
START_TEST(anything_may_happen)
{
	static struct answer answers[4000];
	unsigned n = 0;

	srand((unsigned)_i);
	while (n < sizeof(answers) / sizeof(answers[0])) {
		static const char *const names[] = {"a", "b", "c"};
		int device = rand() % 3;
		const char *name = names[rand() % 3];

		attach_fails = rand() % 8 == 0;
		detach_fails = rand() % 8 == 0;
		open_fails = rand() % 8 == 0;
		switch (rand() % 7) {
		case 0:
			add_if(rand() % 2, device, name, &answers[n++]);
			break;
		case 1:
			remove_if(rand() % 2, rand() % 2 ? device : -1, name, &answers[n++]);
			break;
		case 2:
			remove_if(rand() % 2, device, NULL, &answers[n++]);
			break;
		case 3:
			pass_ms((uint64_t)rand() % 700);
			break;
		case 4:
			if (rig->relays[rand() % 3].guest_phase == GUEST_OPEN)
				guest_comes((unsigned)rand() % 3);
			break;
		default:
			if (!idle(DEVICE) && rand() % 2)
				works(DEVICE);
			if (!idle(GUEST) && rand() % 2)
				works(GUEST);
		}
	}
	attach_fails = detach_fails = open_fails = false;
	for (int i = 0; i < 4; i++) {
		all_work();
		pass_ms(CONTROL_ANSWER_MS);
	}
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_eq(answers[i].n, 1);
		ck_assert_uint_le(answers[i].took_ms, CONTROL_ANSWER_MS);
		ck_assert(answers[i].ok || answers[i].text[0] != '\0');
	}
	for (int device = 0; device < 3; device++) {
		remove_if(true, device, NULL, &answers[0]);
		all_work();
		expect_ok(&answers[0]);
	}
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		expect_idle(i);
	ck_assert_uint_eq(n_attached + n_open, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, the_device_comes_first_and_then_the_socket);
	tcase_add_test(tcase, a_guest_may_be_quicker_than_the_answer);
	tcase_add_test(tcase, a_live_pair_ends_in_order);
	tcase_add_test(tcase, lanes_leave_before_the_ends_do);
	tcase_add_test(tcase, the_lowest_idle_relay_is_taken);
	tcase_add_test(tcase, a_relay_that_still_gives_back_is_not_idle);
	tcase_add_test(tcase, no_relay_is_idle);
	tcase_add_test(tcase, codes_of_additions);
	tcase_add_test(tcase, codes_of_removals);
	tcase_add_test(tcase, a_device_that_fails);
	tcase_add_test(tcase, a_socket_that_fails);
	tcase_add_test(tcase, a_device_that_does_not_close);
	tcase_add_test(tcase, a_device_that_takes_too_long);
	tcase_add_test(tcase, a_socket_that_takes_too_long);
	tcase_add_test(tcase, a_roll_back_that_takes_too_long);
	tcase_add_test(tcase, a_removal_that_takes_too_long_goes_on);
	tcase_add_test(tcase, the_same_addition_twice);
	tcase_add_test(tcase, whoever_still_waits_gets_it);
	tcase_add_test(tcase, removed_while_the_device_is_attached);
	tcase_add_test(tcase, removed_while_the_socket_is_opened);
	tcase_add_test(tcase, removed_while_it_opens_though_nobody_waits_any_more);
	tcase_add_test(tcase, removals_join_each_other);
	tcase_add_test(tcase, a_lost_device_is_removed_with_its_socket);
	tcase_add_test(tcase, a_lost_device_comes_back_to_its_socket);
	tcase_add_loop_test(tcase, anything_may_happen, 0, 8);
	return suite_main("relay_pair", tcase);
}
