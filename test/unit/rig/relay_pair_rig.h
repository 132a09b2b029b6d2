/* A control layer with dynamic sockets whose helper threads, VFs, guests and clock are the test's,
 * and the clients who ask it for pairs: nothing happens before the test says so.
 *
 * WRAP: vf_attach vf_detach vf_health_read plan_create guest_open guest_close guest_refuse
 * WRAP: guest_read
 */
#ifndef RELAY_PAIR_RIG_H
#define RELAY_PAIR_RIG_H

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_clients.h"
#include "fake_jobs.h"

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

static inline void expect_unplanned(unsigned relay_id, enum lane_direction direction)
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

static inline void guest_comes(unsigned relay_id)
{
	guest_states[relay_id] = (struct guest_state){
	        .connected = true, .rx_queues = 1, .tx_queues = 1, .sessions = 1};
	guest_life_changed(&rig->relays.relay[relay_id]);
	rig_turn_ends();
}

/* --- requests ----------------------------------------------------------------------------------
 */

static const char adding[] = "virtio_add_sock_dev_pair()";
static const char removing[] = "virtio_remove_sock_dev_pair()";

static char directory[32];

/* "a" stands for a socket in the test's directory; device < 0: none is given. */
static inline struct sock_request request_of(int device, const char *name, bool conditional,
                                             char path[128])
{
	struct sock_request request = {.conditional = conditional};

	if (name != NULL && name[0] != '/' && name[0] != '\0')
		snprintf(path, 128, "%s/%s", directory, name);
	else if (name != NULL)
		snprintf(path, 128, "%s", name);
	request.path = name != NULL ? path : NULL;
	request.has_device = name_device(device, &request.device);
	return request;
}

static inline void add_if(bool conditional, int device, const char *name, struct answer *answer)
{
	char path[128];
	struct sock_request request = request_of(device, name, conditional, path);

	*answer = (struct answer){.asked_ms = clock_ms, .request = CONTRACT_ADD_SOCK};
	control_add_sock(rig, &request, on_answer, answer);
	rig_turn_ends();
}

static inline void remove_if(bool conditional, int device, const char *name, struct answer *answer)
{
	char path[128];
	struct sock_request request = request_of(device, name, conditional, path);

	*answer = (struct answer){.asked_ms = clock_ms, .request = CONTRACT_REMOVE_SOCK};
	control_remove_sock(rig, &request, on_answer, answer);
	rig_turn_ends();
}

static inline void expect_waits(const struct answer *answer)
{
	ck_assert_uint_eq(answer->n, 0);
}

static inline void made(int device, const char *name)
{
	struct answer answer;

	add_if(false, device, name, &answer);
	ends_work();
	expect_ok(&answer);
}

static inline void expect_states(unsigned relay_id, const char *vf_to_vm, const char *vm_to_vf)
{
	struct control_relay reading;

	control_relay_read(rig, relay_id, &reading);
	ck_assert_str_eq(contract_state_to_vm(reading.vf_to_vm.state), vf_to_vm);
	ck_assert_str_eq(contract_state_to_vf(reading.vm_to_vf.state), vm_to_vf);
}

/* Nothing is left of the relay's pair. */
static inline void expect_idle(unsigned relay_id)
{
	struct control_relay reading;

	control_relay_read(rig, relay_id, &reading);
	ck_assert(!reading.has_device);
	ck_assert_str_eq(reading.vhost_socket, "NONE");
	expect_states(relay_id, "DPDK_UNINIT", "VIRTIO_UNINIT");
	ck_assert_int_eq(rig->relays.relay[relay_id].pair.state.phase, PAIR_NONE);
	expect_unplanned(relay_id, LANE_VF_TO_VM);
	expect_unplanned(relay_id, LANE_VM_TO_VF);
}

static inline void expect_made(unsigned relay_id, const char *device, const char *name)
{
	struct control_relay reading;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	control_relay_read(rig, relay_id, &reading);
	ck_assert_str_eq(reading.device_label, device);
	ck_assert_str_eq(reading.vhost_socket, path);
}

static inline void set_up(void)
{
	rig_create(2);
	clock_turn_ends = job_turn_ends = rig_turn_ends;
	rig_config.dynamic_sockets = true;
	rig->relays.device_thread = thread_of(DEVICE);
	rig->relays.guest_thread = thread_of(GUEST);
	rig->relays.guest_params = (struct guest_params){.client = true, .mrgbuf = true};
	forget_jobs();
	n_attached = n_open = n_timers = 0;
	attach_fails = detach_fails = open_fails = out_of_memory = false;
	memset(guest_states, 0, sizeof(guest_states));
	memset(refusing, 0, sizeof(refusing));
	snprintf(directory, sizeof(directory), "/tmp/vf-pair-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
}

static inline void tear_down(void)
{
	ck_assert_uint_eq(n_timers, 0);
	relays_forget_waiters(&rig->relays);
	rig_destroy();
	ck_assert_int_eq(rmdir(directory), 0);
}

#endif
