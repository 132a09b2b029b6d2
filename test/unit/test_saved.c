/* What outlives the daemon: when it is written and clients are answered, what is restored, and who
 * wins where the saved state, the configuration and OVSDB disagree. The helper threads' jobs and
 * the clock are the test's; the file is a real one.
 */
/* WRAP: rte_pktmbuf_free_bulk rte_lcore_is_enabled rte_get_main_lcore guest_get pool_flush_cache */
/* WRAP: vf_attach vf_detach vf_health_read job_submit loop_timer_start loop_timer_stop */
/* WRAP: guest_open guest_close guest_refuse guest_read job_thread_create job_thread_drain */
/* WRAP: job_thread_destroy whole_file_write socket_path_check */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/state.h"
#include "control_clock.h"
#include "control_rig.h"
#include "sys/sysfs.h"
#include "sys/whole_file.h"

/* --- the helper threads -------------------------------------------------------------------------
 */

enum thread { DEVICE, GUEST, STATE, THREADS };

STAILQ_HEAD(job_queue, job);
static struct job_queue submitted[THREADS];
static char threads[THREADS]; /* only their addresses count */
static bool hangs;            /* the state's */

void __wrap_job_submit(struct job_thread *thread, struct job *job);
struct job_thread *__wrap_job_thread_create(const char *name, struct loop *loop);
bool __wrap_job_thread_drain(struct job_thread *thread, unsigned timeout_ms);
void __wrap_job_thread_destroy(struct job_thread *thread);

void __wrap_job_submit(struct job_thread *thread, struct job *job)
{
	STAILQ_INSERT_TAIL(&submitted[(char *)thread - threads], job, link);
}

struct job_thread *__wrap_job_thread_create(const char *name, struct loop *loop)
{
	(void)loop;
	ck_assert_str_eq(name, "state");
	return (struct job_thread *)&threads[STATE];
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

bool __wrap_job_thread_drain(struct job_thread *thread, unsigned timeout_ms)
{
	(void)timeout_ms;
	fake_expect(thread == (struct job_thread *)&threads[STATE]);
	while (!hangs && !idle(STATE))
		works(STATE);
	return idle(STATE);
}

void __wrap_job_thread_destroy(struct job_thread *thread)
{
	(void)thread;
	ck_assert(idle(STATE));
}

/* Devices and sockets, but not the file. */
static void ends_work(void)
{
	while (!idle(DEVICE) || !idle(GUEST))
		works(idle(DEVICE) ? GUEST : DEVICE);
}

/* Until nothing is left to be done now. */
static void settle(void)
{
	for (int i = 0; i < 8; i++) {
		ends_work();
		pass_ms(1);
		if (!idle(STATE))
			works(STATE);
	}
}

/* --- what they work on --------------------------------------------------------------------------
 */

static bool attach_fails, open_fails, write_fails, path_is_bad;
static int attach_node;
static unsigned n_attaches, n_detaches, n_open, n_writes;

int __wrap_vf_attach(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
                     struct error *err);
int __wrap_vf_detach(struct vf *vf, struct vf_leftover *left, struct error *err);
void __wrap_vf_health_read(const struct vf *vf, struct vf_health *out);
int __wrap_guest_open(const struct guest_params *params, struct error *err);
void __wrap_guest_close(unsigned relay_id);
void __wrap_guest_refuse(unsigned relay_id);
void __wrap_guest_read(unsigned relay_id, struct guest_state *out);
int __real_whole_file_write(const char *path, const char *data, size_t size, struct error *err);
int __wrap_whole_file_write(const char *path, const char *data, size_t size, struct error *err);
int __wrap_socket_path_check(const char *path, size_t size, struct error *err);

int __wrap_vf_attach(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
                     struct error *err)
{
	n_attaches++;
	if (attach_fails) {
		error_set(err, VF_ERROR_PROBE, "%s is not there", spec->name);
		return -1;
	}
	*vf = rig_vf(params->relay_id, (uint16_t)(params->relay_id % FAKE_VF_QUEUES), 1);
	vf->spec = *spec;
	vf->numa_node = attach_node;
	return 0;
}

int __wrap_vf_detach(struct vf *vf, struct vf_leftover *left, struct error *err)
{
	(void)vf;
	(void)err;
	n_detaches++;
	memset(left, 0, sizeof(*left));
	return 0;
}

void __wrap_vf_health_read(const struct vf *vf, struct vf_health *out)
{
	(void)vf;
	memset(out, 0, sizeof(*out));
}

int __wrap_guest_open(const struct guest_params *params, struct error *err)
{
	if (open_fails) {
		error_set(err, EADDRINUSE, "another process serves %s", params->path);
		return -1;
	}
	n_open++;
	return 0;
}

void __wrap_guest_close(unsigned relay_id)
{
	(void)relay_id;
	n_open--;
}

void __wrap_guest_refuse(unsigned relay_id)
{
	(void)relay_id;
}

void __wrap_guest_read(unsigned relay_id, struct guest_state *out)
{
	(void)relay_id;
	*out = (struct guest_state){.numa_node = -1};
}

int __wrap_whole_file_write(const char *path, const char *data, size_t size, struct error *err)
{
	n_writes++;
	if (write_fails)
		return error_set(err, ENOSPC, "no room for %s", path);
	return __real_whole_file_write(path, data, size, err);
}

int __wrap_socket_path_check(const char *path, size_t size, struct error *err)
{
	(void)size;
	return path_is_bad ? error_set(err, ENOENT, "the directory of %s is gone", path) : 0;
}

/* --- the daemon ---------------------------------------------------------------------------------
 */

static char directory[32], path[64];

static void start(void)
{
	struct config config = rig_config;

	rig_create(2);
	rig_config = config; /* rig_create clears it */
	rig->device_thread = (struct job_thread *)&threads[DEVICE];
	rig->guest_thread = (struct job_thread *)&threads[GUEST];
	pins_init(rig);
	relay_vf_start_static(rig);
	ck_assert_int_eq(saved_start(rig), 0);
	ck_assert_ptr_nonnull(rig->saved);
}

/* As kill -9 does it: nothing more is written. */
static void die(void)
{
	while (n_timers > 0)
		loop_timer_stop(timers[0]);
	for (unsigned i = 0; i < THREADS; i++)
		STAILQ_INIT(&submitted[i]);
	free(rig->saved);
	rig->saved = NULL;
	relay_pair_forget_all(rig);
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		waiters_answer_ok(&rig->relays[i].add_waiters);
		waiters_answer_ok(&rig->relays[i].remove_waiters);
	}
	rig_destroy();
}

static void restart(void)
{
	die();
	n_attaches = n_detaches = n_open = n_writes = 0;
	start();
}

static void set_up(void)
{
	for (unsigned i = 0; i < THREADS; i++)
		STAILQ_INIT(&submitted[i]);
	snprintf(directory, sizeof(directory), "/tmp/saved-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/virtio-forwarder/state.json", directory);
	rig_config.pid_dir = directory;
	start();
	settle();
	n_writes = 0;
}

static void set_up_dynamic(void)
{
	rig_config.dynamic_sockets = true;
	set_up();
}

static void tear_down(void)
{
	char command[64];

	die();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static void read_file(struct state *out)
{
	char boot_id[BOOT_ID_MAX], *text;
	struct error err;
	size_t size;

	ck_assert_int_eq(
	        sysfs_read_text(boot_id, sizeof(boot_id), "/proc/sys/kernel/random", "boot_id"), 0);
	ck_assert_int_eq(whole_file_read(path, STATE_TEXT_MAX, &text, &size, &err), 0);
	ck_assert_int_eq(state_parse(text, size, boot_id, out, &err), 0);
	free(text);
}

/* The relays in the file: "3=net_null1 5=net_null2". */
static void expect_saved(const char *expected)
{
	static struct state state;
	char text[256] = "";

	read_file(&state);
	for (unsigned i = 0; i < state.n_relays; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u=%s",
		         i > 0 ? " " : "", state.relays[i].id, state.relays[i].device.name);
	ck_assert_str_eq(text, expected);
}

/* The relays that have a VF, likewise; "!" = OVSDB's, "#" = the configuration's, "?" = it is not
 * there. */
static void expect_relays(const char *expected)
{
	static const char *const marks[] = {[CONTROL_OWNER_CLIENT] = "",
	                                    [CONTROL_OWNER_OVSDB] = "!",
	                                    [CONTROL_OWNER_CONFIG] = "#"};
	char text[256] = "";

	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		const struct relay *relay = &rig->relays[i];

		if (relay->vf_phase == VF_ABSENT)
			continue;
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u=%s%s%s",
		         text[0] != '\0' ? " " : "", i, relay->device.name, marks[relay->owner],
		         relay->vf_phase == VF_ATTACHED ? "" : "?");
	}
	ck_assert_str_eq(text, expected);
}

/* --- clients ------------------------------------------------------------------------------------
 */

static struct control_vf_request vf_request(enum control_owner owner, unsigned relay, int device,
                                            bool conditional)
{
	struct control_vf_request request = {
	        .owner = owner, .relay_id = relay, .conditional = conditional};
	struct error err;
	char text[24];

	if (device < 0)
		return request;
	snprintf(text, sizeof(text), "net_null%d", device);
	ck_assert_int_eq(device_spec_parse(text, &request.device, &err), 0);
	request.has_device = true;
	return request;
}

static void ask_add(struct answer *answer, enum control_owner owner, unsigned relay, int device,
                    bool conditional)
{
	struct control_vf_request request = vf_request(owner, relay, device, conditional);

	*answer = (struct answer){.asked_ms = clock_ms};
	control_add_vf(rig, &request, on_answer, answer);
}

static void ask_remove(struct answer *answer, unsigned relay, bool conditional)
{
	struct control_vf_request request =
	        vf_request(CONTROL_OWNER_CLIENT, relay, -1, conditional);

	*answer = (struct answer){.asked_ms = clock_ms};
	control_remove_vf(rig, &request, on_answer, answer);
}

static void add(unsigned relay, int device)
{
	struct answer answer;

	ask_add(&answer, CONTROL_OWNER_CLIENT, relay, device, false);
	settle();
	expect_ok(&answer);
}

static const char adding[] = "virtio_forwarder_add_vf2()";

/* --- when it is written -------------------------------------------------------------------------
 */

START_TEST(answered_when_it_is_written)
{
	struct answer answer;

	ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 1, false);
	ends_work();
	ck_assert_uint_eq(answer.n, 0);
	expect_saved("");
	pass_ms(1);
	ck_assert_uint_eq(answer.n, 0);
	works(STATE);
	expect_ok(&answer);
	expect_saved("3=net_null1");

	ask_remove(&answer, 3, false);
	ends_work();
	ck_assert_uint_eq(answer.n, 0);
	pass_ms(1);
	works(STATE);
	expect_ok(&answer);
	expect_saved("");
}
END_TEST

/* Another client hears that it is gone only when it will stay gone. */
START_TEST(who_comes_second_waits_too)
{
	struct answer first, second, third;

	add(3, 1);
	ask_remove(&first, 3, false);
	ends_work();
	ask_remove(&second, 3, true);
	ck_assert_uint_eq(second.n, 0);
	ask_add(&third, CONTROL_OWNER_CLIENT, 4, 2, true);
	settle();
	expect_ok(&first);
	expect_ok(&second);
	expect_ok(&third);
}
END_TEST

START_TEST(errors_do_not_wait)
{
	struct answer answer;

	attach_fails = true;
	ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 1, false);
	ends_work();
	attach_fails = false;
	expect_error(&answer, adding, VF_ERROR_PROBE);
	settle();
	ck_assert_uint_eq(n_writes, 0);
}
END_TEST

START_TEST(changes_of_a_turn_are_written_together)
{
	struct answer answers[8];

	for (unsigned i = 0; i < 8; i++)
		ask_add(&answers[i], CONTROL_OWNER_CLIENT, i, (int)i, false);
	settle();
	ck_assert_uint_eq(n_writes, 1);
	for (unsigned i = 0; i < 8; i++)
		expect_ok(&answers[i]);
}
END_TEST

START_TEST(changes_during_a_writing_are_written_next)
{
	struct answer first, second;

	ask_add(&first, CONTROL_OWNER_CLIENT, 1, 1, false);
	ends_work();
	pass_ms(1);
	ck_assert(!idle(STATE));
	ask_add(&second, CONTROL_OWNER_CLIENT, 2, 2, false);
	ends_work();
	pass_ms(5);
	works(STATE);
	expect_ok(&first);
	ck_assert_uint_eq(second.n, 0);
	expect_saved("1=net_null1");
	ck_assert(idle(STATE));
	pass_ms(1);
	works(STATE);
	expect_ok(&second);
	expect_saved("1=net_null1 2=net_null2");
}
END_TEST

START_TEST(a_disk_that_hangs_delays_nobody_beyond_his_time)
{
	struct answer answer;

	ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 1, false);
	pass_ms(200);
	ends_work();
	pass_ms(CONTROL_ANSWER_MS - 201);
	ck_assert_uint_eq(answer.n, 0);
	pass_ms(1);
	expect_ok(&answer);
	ck_assert_uint_eq(answer.took_ms, CONTROL_ANSWER_MS);
	ck_assert_int_eq(rig->relays[3].vf_phase, VF_ATTACHED);
	works(STATE);
	expect_saved("3=net_null1");
}
END_TEST

START_TEST(a_full_disk_delays_nobody)
{
	struct answer answer;

	write_fails = true;
	ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 1, false);
	ends_work();
	pass_ms(1);
	works(STATE);
	expect_ok(&answer);
	ask_add(&answer, CONTROL_OWNER_CLIENT, 4, 2, false);
	ends_work();
	expect_ok(&answer);
	ck_assert_uint_eq(answer.took_ms, 0);
	pass_ms(4000);
	ck_assert(idle(STATE)); /* not a try for each change */
	write_fails = false;
	pass_ms(2000);
	works(STATE);
	expect_saved("3=net_null1 4=net_null2");
	ask_add(&answer, CONTROL_OWNER_CLIENT, 5, 3, false);
	ends_work();
	ck_assert_uint_eq(answer.n, 0);
	settle();
	expect_ok(&answer);
}
END_TEST

START_TEST(an_orderly_end_writes_what_is_left)
{
	struct answer answer;

	ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 1, false);
	ends_work();
	saved_stop(rig);
	expect_ok(&answer);
	expect_saved("3=net_null1");
	relay_vf_detach_all(rig);
	saved_changed(&rig->relays[3]);
	ends_work();
	pass_ms(10000);
	ck_assert(idle(STATE));
	expect_saved("3=net_null1");
	saved_stop(rig);
	saved_destroy(rig);
	ck_assert_ptr_null(rig->saved);
}
END_TEST

START_TEST(an_end_while_the_disk_hangs)
{
	struct answer answer;

	ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 1, false);
	ends_work();
	pass_ms(1);
	hangs = true;
	saved_stop(rig);
	expect_ok(&answer);
	saved_destroy(rig);
	ck_assert_ptr_nonnull(rig->saved); /* its thread may still use it */
	hangs = false;
}
END_TEST

/* --- what is restored ---------------------------------------------------------------------------
 */

START_TEST(restored)
{
	add(3, 1);
	add(63, 2);
	restart();
	expect_relays("3=net_null1? 63=net_null2?");
	settle();
	expect_relays("3=net_null1 63=net_null2");
	expect_saved("3=net_null1 63=net_null2");
	ck_assert_uint_eq(n_writes, 1);
}
END_TEST

START_TEST(an_identical_add_is_no_error_once)
{
	struct answer answer, conditional;

	add(3, 1);
	ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 1, false);
	expect_error(&answer, adding, 8);
	for (int early = 0; early < 2; early++) {
		restart();
		if (!early)
			settle();
		ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 2, false); /* something else */
		expect_error(&answer, adding, 8);
		ask_add(&answer, CONTROL_OWNER_CLIENT, 4, 1, false);
		expect_error(&answer, adding, VF_ERROR_PROBE);
		ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 1, false);
		settle();
		expect_ok(&answer);
		ck_assert_uint_eq(n_attaches, 1);
		ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 1, false);
		expect_error(&answer, adding, 8);
		ask_add(&conditional, CONTROL_OWNER_CLIENT, 3, 1, true);
		expect_ok(&conditional);
	}
	restart();
	settle();
	ask_add(&conditional, CONTROL_OWNER_CLIENT, 3, 1, true); /* has asked, too */
	expect_ok(&conditional);
	ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 1, false);
	expect_error(&answer, adding, 8);
}
END_TEST

START_TEST(a_device_that_is_missing_is_waited_for)
{
	struct answer answer;

	add(3, 1);
	attach_fails = true;
	restart();
	settle();
	expect_relays("3=net_null1?");
	expect_saved("3=net_null1");
	pass_ms(300);
	ends_work();
	ck_assert_uint_ge(n_attaches, 2);
	/* who asks for it makes it look at once, and waits for the answer */
	ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 1, false);
	ends_work();
	expect_error(&answer, adding, VF_ERROR_PROBE);
	expect_relays("3=net_null1?");
	attach_fails = false;
	ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 1, true);
	settle();
	expect_ok(&answer);
	expect_relays("3=net_null1");
}
END_TEST

START_TEST(a_device_that_takes_long_is_not_given_up)
{
	struct answer answer;

	add(3, 1);
	restart();
	ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 1, false);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, adding, VF_ERROR_PROBE);
	ck_assert_ptr_null(strstr(answer.text, "given up"));
	settle();
	expect_relays("3=net_null1");
	expect_saved("3=net_null1");
}
END_TEST

START_TEST(a_missing_device_can_be_removed)
{
	struct answer answer;

	add(3, 1);
	attach_fails = true;
	restart();
	settle();
	ask_remove(&answer, 3, false);
	ck_assert_uint_eq(answer.n, 0); /* until it is written */
	settle();
	expect_ok(&answer);
	expect_relays("");
	expect_saved("");
}
END_TEST

START_TEST(refused_for_its_node)
{
	add(3, 1);
	attach_node = 1;
	rig_config.same_numa = true;
	restart();
	settle();
	expect_relays("");
	expect_saved("");
}
END_TEST

/* A VF that was lost while the daemon ran is to be there again as well. */
START_TEST(lost_ones_are_kept)
{
	add(3, 1);
	attach_fails = true;
	relay_vf_lost(&rig->relays[3]);
	settle();
	saved_changed(&rig->relays[4]); /* any change has the file written */
	n_writes = 0;
	settle();
	ck_assert_uint_eq(n_writes, 1);
	expect_saved("3=net_null1");
}
END_TEST

START_TEST(damaged)
{
	FILE *file;
	char name[80];

	add(3, 1);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs("{\"version\": 1", file);
	fclose(file);
	restart();
	settle();
	expect_relays("");
	expect_saved("");
	snprintf(name, sizeof(name), "%s.damaged", path);
	ck_assert_int_eq(access(name, F_OK), 0);
}
END_TEST

/* --- who wins -----------------------------------------------------------------------------------
 */

#define NONE (-1)

/* Saved: relay 3 has net_null1. The configuration has a static VF, and a row of OVSDB's asks. */
static const struct {
	const char *name;
	int static_relay, static_device;
	bool asked; /* a client has asked for it since the restart */
	int row_relay, row_device;
	const char *relays, *saved;
} precedence[] = {
        {"nothing else", NONE, NONE, false, NONE, NONE, "3=net_null1", "3=net_null1"},
        {"the same, static", 3, 1, false, NONE, NONE, "3=net_null1#", ""},
        {"another device, static", 3, 2, false, NONE, NONE, "3=net_null2#", ""},
        {"another relay, static", 4, 1, false, NONE, NONE, "4=net_null1#", ""},
        {"nothing to do with it, static", 4, 2, false, NONE, NONE, "3=net_null1 4=net_null2#",
         "3=net_null1"},
        {"the same, OVSDB", NONE, NONE, false, 3, 1, "3=net_null1!", ""},
        {"another device, OVSDB", NONE, NONE, false, 3, 2, "3=net_null2!", ""},
        {"another relay, OVSDB", NONE, NONE, false, 4, 1, "4=net_null1!", ""},
        {"nothing to do with it, OVSDB", NONE, NONE, false, 4, 2, "3=net_null1 4=net_null2!",
         "3=net_null1"},
        {"the same, OVSDB, asked", NONE, NONE, true, 3, 1, "3=net_null1", "3=net_null1"},
        {"another device, OVSDB, asked", NONE, NONE, true, 3, 2, "3=net_null1", "3=net_null1"},
        {"another relay, OVSDB, asked", NONE, NONE, true, 4, 1, "3=net_null1", "3=net_null1"},
        {"the configuration before OVSDB", 3, 2, false, 3, 1, "3=net_null2#", ""},
        {"the configuration takes one, OVSDB the other", 4, 1, false, 3, 2,
         "3=net_null2! 4=net_null1#", ""},
};

START_TEST(who_wins)
{
	struct answer answer;

	add(3, 1);
	if (precedence[_i].static_relay != NONE) {
		rig_config.n_static_vfs = 1;
		rig_config.static_vfs[0].relay_id = (unsigned)precedence[_i].static_relay;
		rig_config.static_vfs[0].device =
		        vf_request(0, 0, precedence[_i].static_device, false).device;
	}
	restart();
	if (precedence[_i].asked) {
		ask_add(&answer, CONTROL_OWNER_CLIENT, 3, 1, false);
		settle();
		expect_ok(&answer);
	}
	/* OVSDB's side asks until it gets what it wants. */
	for (int i = 0; precedence[_i].row_relay != NONE && i < 3; i++) {
		ask_add(&answer, CONTROL_OWNER_OVSDB, (unsigned)precedence[_i].row_relay,
		        precedence[_i].row_device, true);
		settle();
	}
	settle();
	expect_relays(precedence[_i].relays);
	expect_saved(precedence[_i].saved);
}
END_TEST

/* While it still waits for its device, too. */
START_TEST(ovsdb_takes_over_what_is_missing)
{
	struct answer answer;

	add(3, 1);
	attach_fails = true;
	restart();
	settle();
	attach_fails = false;
	ask_add(&answer, CONTROL_OWNER_OVSDB, 3, 2, true);
	settle();
	expect_ok(&answer); /* there is nothing to give back first */
	expect_relays("3=net_null2!");
	ck_assert_uint_eq(n_detaches, 0);
}
END_TEST

/* Without a pause for the guest. */
START_TEST(ovsdb_adopts_without_detaching)
{
	struct answer answer;

	add(3, 1);
	restart();
	settle();
	ask_add(&answer, CONTROL_OWNER_OVSDB, 3, 1, true);
	settle();
	expect_ok(&answer);
	ck_assert_uint_eq(n_attaches, 1);
	ck_assert_uint_eq(n_detaches, 0);
}
END_TEST

START_TEST(what_was_made_the_other_way_is_left_out)
{
	add(3, 1);
	rig_config.dynamic_sockets = true;
	restart();
	settle();
	expect_relays("");
	expect_saved("");
}
END_TEST

/* --- pins ---------------------------------------------------------------------------------------
 */

static void expect_pin(unsigned relay, int vf_to_vm, int vm_to_vf)
{
	struct cpu_pin pin;

	control_pin_read(rig, relay, &pin);
	ck_assert_int_eq(pin.vf_to_vm_cpu, vf_to_vm);
	ck_assert_int_eq(pin.vm_to_vf_cpu, vm_to_vf);
}

START_TEST(pins)
{
	static const struct cpu_pin wanted[] = {{1, 2, 1}, {2, -1, 1}, {4, 1, 1}, {4, -1, -1}};
	struct answer answer = {0};
	static struct state state;

	rig_config.n_pins = 2;
	rig_config.pins[0] = (struct cpu_pin){1, 1, 1};
	rig_config.pins[1] = (struct cpu_pin){3, 2, 2};
	restart();
	settle();
	expect_pin(3, 2, 2);
	control_pins_update(rig, wanted, 4, on_answer, &answer);
	ck_assert_uint_eq(answer.n, 0);
	settle();
	expect_ok(&answer);
	read_file(&state);
	ck_assert_uint_eq(state.n_pins, 2); /* what differs from the configuration */
	restart();
	expect_pin(1, 1, 1); /* which wins */
	expect_pin(2, -1, 1);
	expect_pin(3, 2, 2);
	settle();
	rig_config.n_pins = 1;
	restart();
	expect_pin(2, -1, 1);
	expect_pin(3, -1, -1); /* was never a client's */
}
END_TEST

START_TEST(a_pin_to_a_cpu_without_a_worker)
{
	static const struct cpu_pin wanted[] = {{1, 2, 1}};
	static struct state state;
	struct answer answer = {0};
	FILE *file;
	char text[512];
	size_t size;

	control_pins_update(rig, wanted, 1, on_answer, &answer);
	settle();
	expect_ok(&answer);
	file = fopen(path, "r+");
	ck_assert_ptr_nonnull(file);
	size = fread(text, 1, sizeof(text) - 1, file);
	text[size] = '\0';
	ck_assert_ptr_nonnull(strstr(text, "\"vf_to_vm_cpu\": 2"));
	strstr(text, "\"vf_to_vm_cpu\": 2")[16] = '9';
	rewind(file);
	ck_assert_uint_eq(fwrite(text, 1, size, file), size);
	fclose(file);
	restart();
	settle();
	expect_pin(1, -1, 1);
	read_file(&state);
	ck_assert_int_eq(state.pins[0].vf_to_vm_cpu, -1);
}
END_TEST

/* --- pairs --------------------------------------------------------------------------------------
 */

static const char pairing[] = "virtio_add_sock_dev_pair()";

static void ask_sock(struct answer *answer, bool addition, int device, const char *name,
                     bool conditional)
{
	struct control_vf_request vf = vf_request(0, 0, device, false);
	struct control_sock_request request = {.path = name,
	                                       .has_device = vf.has_device,
	                                       .device = vf.device,
	                                       .conditional = conditional};

	*answer = (struct answer){.asked_ms = clock_ms};
	if (addition)
		control_add_sock(rig, &request, on_answer, answer);
	else
		control_remove_sock(rig, &request, on_answer, answer);
}

static void add_pair(int device, const char *name)
{
	struct answer answer;

	ask_sock(&answer, true, device, name, false);
	settle();
	expect_ok(&answer);
}

START_TEST(pairs_are_answered_when_they_are_written)
{
	struct answer answer;

	ask_sock(&answer, true, 1, "/a", false);
	ends_work();
	ck_assert_int_eq(rig->relays[0].pair_phase, PAIR_MADE);
	ck_assert_uint_eq(answer.n, 0);
	settle();
	expect_ok(&answer);
	expect_saved("0=net_null1");
	ask_sock(&answer, false, 1, NULL, false);
	ends_work();
	ck_assert_int_eq(rig->relays[0].pair_phase, PAIR_NONE);
	ck_assert_uint_eq(answer.n, 0);
	settle();
	expect_ok(&answer);
	expect_saved("");
}
END_TEST

START_TEST(pairs_are_restored)
{
	struct answer answer;

	add_pair(1, "/a");
	add_pair(2, "/b");
	ask_sock(&answer, false, 1, "/a", false);
	settle();
	expect_ok(&answer);
	restart();
	settle();
	expect_relays("1=net_null2");
	ck_assert_str_eq(rig->relays[1].socket_path, "/b");
	ck_assert_uint_eq(n_open, 1);
	ask_sock(&answer, true, 2, "/a", false);
	expect_error(&answer, pairing, -EEXIST);
	ask_sock(&answer, true, 1, "/b", false);
	expect_error(&answer, pairing, 1);
	ask_sock(&answer, true, 2, "/b", false);
	expect_ok(&answer);
	ask_sock(&answer, true, 2, "/b", false);
	expect_error(&answer, pairing, -EEXIST);
	add_pair(3, "/c");
	expect_relays("0=net_null3 1=net_null2");
}
END_TEST

START_TEST(a_pair_is_asked_for_while_it_comes_back)
{
	struct answer answer;

	add_pair(1, "/a");
	restart();
	ask_sock(&answer, true, 1, "/a", false);
	expect_ok(&answer);
	settle();
	expect_relays("0=net_null1");
}
END_TEST

START_TEST(a_pair_is_removed_while_it_comes_back)
{
	struct answer answer;

	for (int i = 0; i < 2; i++) {
		add_pair(1, "/a");
		restart();
		if (i == 1)
			works(DEVICE); /* one end is there */
		ask_sock(&answer, false, 1, "/a", false);
		settle();
		expect_ok(&answer);
		expect_relays("");
		expect_saved("");
		ck_assert_uint_eq(n_open, 0);
		ck_assert_int_eq(rig->relays[0].pair_phase, PAIR_NONE);
	}
}
END_TEST

START_TEST(a_pair_without_its_device_waits)
{
	struct answer answer;

	add_pair(1, "/a");
	attach_fails = true;
	restart();
	settle();
	ck_assert_uint_eq(n_open, 1); /* its guest may come */
	expect_relays("0=net_null1?");
	expect_saved("0=net_null1");
	ask_sock(&answer, false, -1, "/a", false);
	settle();
	expect_ok(&answer);
	expect_saved("");
	ck_assert_uint_eq(n_open, 0);
}
END_TEST

START_TEST(a_pair_without_its_socket_is_given_up)
{
	add_pair(1, "/a");
	if (_i == 0)
		open_fails = true;
	else
		path_is_bad = true;
	restart();
	settle();
	expect_relays("");
	expect_saved("");
	open_fails = path_is_bad = false;
	add_pair(1, "/a");
}
END_TEST

/* A socket without a device that comes back is no relay. */
START_TEST(a_pair_that_is_refused_for_its_node)
{
	add_pair(1, "/a");
	attach_node = 1;
	rig_config.same_numa = true;
	restart();
	settle();
	expect_relays("");
	expect_saved("");
	ck_assert_uint_eq(n_open, 0);
	ck_assert_int_eq(rig->relays[0].pair_phase, PAIR_NONE);
}
END_TEST

START_TEST(pairs_without_dynamic_sockets_are_left_out)
{
	add_pair(1, "/a");
	rig_config.dynamic_sockets = false;
	restart();
	settle();
	expect_relays("");
	expect_saved("");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("saved");
	TCase *vfs = tcase_create("vfs"), *dynamic = tcase_create("pairs");

	tcase_add_checked_fixture(vfs, set_up, tear_down);
	tcase_add_test(vfs, answered_when_it_is_written);
	tcase_add_test(vfs, who_comes_second_waits_too);
	tcase_add_test(vfs, errors_do_not_wait);
	tcase_add_test(vfs, changes_of_a_turn_are_written_together);
	tcase_add_test(vfs, changes_during_a_writing_are_written_next);
	tcase_add_test(vfs, a_disk_that_hangs_delays_nobody_beyond_his_time);
	tcase_add_test(vfs, a_full_disk_delays_nobody);
	tcase_add_test(vfs, an_orderly_end_writes_what_is_left);
	tcase_add_test(vfs, an_end_while_the_disk_hangs);
	tcase_add_test(vfs, restored);
	tcase_add_test(vfs, an_identical_add_is_no_error_once);
	tcase_add_test(vfs, a_device_that_is_missing_is_waited_for);
	tcase_add_test(vfs, a_device_that_takes_long_is_not_given_up);
	tcase_add_test(vfs, a_missing_device_can_be_removed);
	tcase_add_test(vfs, refused_for_its_node);
	tcase_add_test(vfs, lost_ones_are_kept);
	tcase_add_test(vfs, damaged);
	tcase_add_loop_test(vfs, who_wins, 0, sizeof(precedence) / sizeof(precedence[0]));
	tcase_add_test(vfs, ovsdb_takes_over_what_is_missing);
	tcase_add_test(vfs, ovsdb_adopts_without_detaching);
	tcase_add_test(vfs, what_was_made_the_other_way_is_left_out);
	tcase_add_test(vfs, pins);
	tcase_add_test(vfs, a_pin_to_a_cpu_without_a_worker);
	suite_add_tcase(suite, vfs);
	tcase_add_checked_fixture(dynamic, set_up_dynamic, tear_down);
	tcase_add_test(dynamic, pairs_are_answered_when_they_are_written);
	tcase_add_test(dynamic, pairs_are_restored);
	tcase_add_test(dynamic, a_pair_is_asked_for_while_it_comes_back);
	tcase_add_test(dynamic, a_pair_is_removed_while_it_comes_back);
	tcase_add_test(dynamic, a_pair_without_its_device_waits);
	tcase_add_loop_test(dynamic, a_pair_without_its_socket_is_given_up, 0, 2);
	tcase_add_test(dynamic, a_pair_that_is_refused_for_its_node);
	tcase_add_test(dynamic, pairs_without_dynamic_sockets_are_left_out);
	suite_add_tcase(suite, dynamic);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
