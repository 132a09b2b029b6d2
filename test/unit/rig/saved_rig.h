/* A control layer that saves its state in a real file, is killed and started again. The helper
 * threads' jobs, VFs, guests and the clock are the test's, and so are the clients.
 *
 * WRAP: vf_attach vf_detach vf_health_read guest_open guest_close guest_refuse guest_read
 * WRAP: job_thread_create job_thread_drain job_thread_destroy whole_file_write socket_path_check
 */
#ifndef SAVED_RIG_H
#define SAVED_RIG_H

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_clients.h"
#include "fake_jobs.h"
#include "keep/saved.h"
#include "keep/state.h"
#include "sys/sysfs.h"
#include "sys/whole_file.h"

/* --- the helper threads -------------------------------------------------------------------------
 */

static bool hangs; /* the state's */

struct job_thread *__wrap_job_thread_create(const char *name, struct loop *loop);
bool __wrap_job_thread_drain(struct job_thread *thread, unsigned timeout_ms);
void __wrap_job_thread_destroy(struct job_thread *thread);

struct job_thread *__wrap_job_thread_create(const char *name, struct loop *loop)
{
	(void)loop;
	ck_assert_str_eq(name, "state");
	return thread_of(STATE);
}

bool __wrap_job_thread_drain(struct job_thread *thread, unsigned timeout_ms)
{
	(void)timeout_ms;
	fake_expect(thread == thread_of(STATE));
	while (!hangs && !idle(STATE))
		works(STATE);
	return idle(STATE);
}

void __wrap_job_thread_destroy(struct job_thread *thread)
{
	(void)thread;
	ck_assert(idle(STATE));
}

/* Until nothing is left to be done now. */
static inline void settle(void)
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

static inline void start(void)
{
	struct config config = rig_config;

	rig_create(2);
	clock_turn_ends = job_turn_ends = rig_turn_ends;
	rig_config = config; /* rig_create clears it */
	rig->relays.device_thread = thread_of(DEVICE);
	rig->relays.guest_thread = thread_of(GUEST);
	pins_init(&rig->relays);
	relays_start_static(&rig->relays);
	ck_assert_int_eq(saved_start(&rig->relays, &rig->saved), 0);
	ck_assert_ptr_nonnull(rig->saved);
}

/* As kill -9 does it: nothing more is written. */
static inline void die(void)
{
	while (n_timers > 0)
		loop_timer_stop(timers[0]);
	forget_jobs();
	free(rig->saved);
	rig->saved = NULL;
	relays_forget_waiters(&rig->relays);
	rig_destroy();
}

static inline void restart(void)
{
	die();
	n_attaches = n_detaches = n_open = n_writes = 0;
	start();
}

static inline void set_up(void)
{
	forget_jobs();
	snprintf(directory, sizeof(directory), "/tmp/saved-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/virtio-forwarder/state.json", directory);
	rig_config.pid_dir = directory;
	start();
	settle();
	n_writes = 0;
}

static inline void tear_down(void)
{
	char command[64];

	die();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static inline void read_file(struct state *out)
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
static inline void expect_saved(const char *expected)
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
static inline void expect_relays(const char *expected)
{
	static const char *const marks[] = {[VF_ORIGIN_CLIENT] = "",
	                                    [VF_ORIGIN_RESTORED] = "",
	                                    [VF_ORIGIN_OVSDB] = "!",
	                                    [VF_ORIGIN_CONFIG] = "#"};
	char text[256] = "";

	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		const struct relay *relay = &rig->relays.relay[i];

		if (relay->vf_end.phase == VF_ABSENT)
			continue;
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u=%s%s%s",
		         text[0] != '\0' ? " " : "", i, relay->vf_end.device.name,
		         marks[relay->vf_end.origin],
		         relay->vf_end.phase == VF_ATTACHED ? "" : "?");
	}
	ck_assert_str_eq(text, expected);
}

/* --- clients ------------------------------------------------------------------------------------
 */

static inline void add(unsigned relay, int device)
{
	struct answer answer;

	ask_add(&answer, VF_ORIGIN_CLIENT, relay, device, false);
	settle();
	expect_ok(&answer);
}

static const char adding[] = "virtio_forwarder_add_vf2()";

#endif
