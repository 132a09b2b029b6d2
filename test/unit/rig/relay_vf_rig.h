/* A control layer whose device thread, VFs and clock are the test's, and the clients and the
 * operator who ask it for VFs: nothing happens before the test says so.
 *
 * WRAP: vf_attach vf_detach vf_health_read plan_create
 */
#ifndef RELAY_VF_RIG_H
#define RELAY_VF_RIG_H

#include <check.h>
#include <errno.h>

#include "fake_clients.h"
#include "fake_jobs.h"

/* --- the device thread --------------------------------------------------------------------------
 */

static struct job *under_way; /* has run, and its end is not delivered */

/* Two halves, since a request may come in between. */
static inline void device_runs(void)
{
	ck_assert_ptr_null(under_way);
	under_way = runs(DEVICE);
}

static inline void device_delivers(void)
{
	struct job *job = under_way;

	ck_assert_ptr_nonnull(job);
	under_way = NULL;
	delivers(job);
}

static inline void device_works(void)
{
	device_runs();
	device_delivers();
}

static inline bool device_idle(void)
{
	return under_way == NULL && idle(DEVICE);
}

/* --- its devices --------------------------------------------------------------------------------
 */

#define DEVICES 8 /* "net_null0" is the one with port 0 */

static bool attached[DEVICES];
static unsigned n_attached, n_attaches, n_detaches;
static int attach_code; /* other than 0: vf_attach fails so */
static unsigned n_busy; /* so many attaches fail for the moment */
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
	if (n_busy > 0) {
		n_busy--;
		error_set(err, VF_ERROR_PROBE, "%s is busy", spec->name);
		return -EAGAIN;
	}
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

static enum vf_origin asker;

static inline void add(unsigned relay_id, int device, bool conditional, struct answer *answer)
{
	ask_add(answer, asker, relay_id, device, conditional);
}

static inline void remove_vf(unsigned relay_id, int device, bool conditional, struct answer *answer)
{
	ask_remove(answer, asker, relay_id, device, conditional);
}

static const char add_source[] = "virtio_forwarder_add_vf2()";
static const char remove_source[] = "virtio_forwarder_remove_vf2()";

static inline void expect_nothing_yet(const struct answer *answer)
{
	ck_assert_uint_eq(answer->n, 0);
}

static inline const char *to_vm_state(unsigned relay_id)
{
	struct control_relay relay;

	control_relay_read(rig, relay_id, &relay);
	return contract_state_to_vm(relay.vf_to_vm.state);
}

static inline bool is_ovsdbs(unsigned relay_id)
{
	struct device_spec device;

	return control_vf_of_origin(rig, relay_id, VF_ORIGIN_OVSDB, &device);
}

#define LONGEST_WAIT_MS 20000 /* surely longer than between two tries */

static inline void have_static(unsigned relay_id, int device)
{
	struct static_vf *vf = &rig_config.static_vfs[rig_config.n_static_vfs++];

	vf->relay_id = relay_id;
	(void)name_device(device, &vf->device);
}

/* A VF that is there. */
static inline void have(unsigned relay_id, int device)
{
	struct answer answer;

	add(relay_id, device, true, &answer);
	device_works();
	expect_ok(&answer);
}

/* --- beginning and end ----------------------------------------------------------------------- */

static inline void set_up(void)
{
	rig_create(3);
	clock_turn_ends = job_turn_ends = rig_turn_ends;
	rig->relays.device_thread = thread_of(DEVICE);
	forget_jobs();
	under_way = NULL;
	memset(attached, 0, sizeof(attached));
	n_attached = n_attaches = n_detaches = n_timers = 0;
	attach_code = attach_node = 0;
	n_busy = 0;
	asker = VF_ORIGIN_CLIENT;
	detach_fails = out_of_memory = false;
	memset(&leftover, 0, sizeof(leftover));
	memset(&health, 0, sizeof(health));
}

static inline void tear_down(void)
{
	ck_assert(device_idle());
	ck_assert_uint_eq(n_timers, 0); /* nobody waits for an answer */
	rig_destroy();
	ck_assert_int_eq(fake_packets_live, 0);
}

/* As control_quiesce and control_destroy do. */
static inline void shut_down(void)
{
	rig->relays.quiesced = true;
	for (unsigned i = 0; i < rig->workers->count; i++) {
		struct worker *worker = &rig->workers->worker[i];

		free((void *)(uintptr_t)worker_publish(worker, __real_plan_create(NULL, 0)));
	}
	for (int round = 0; round < 2; round++) {
		relays_detach_all(&rig->relays);
		if (under_way != NULL)
			device_delivers();
		while (!device_idle())
			device_works();
	}
}

#endif
