/* Any bytes as a request of a client. The first one chooses the service and the daemon's mode, the
 * others are the message. Control is made up: it sees what the services made of it, and gives some
 * answer. Each request has one answer, which is a message that can be read again.
 * WRAP: control_add_vf control_remove_vf control_add_sock control_remove_sock endpoint_answer
 * WRAP: control_dynamic_sockets control_relay_read control_relay_rates control_rates_between
 * WRAP: control_pin_read control_pins_update control_worker_count control_worker_read
 * WRAP: control_balance_explain endpoint_drop endpoint_reply_share control_dpdk_version
 * WRAP: control_lanes_read control_cycles_per_s control_pin_is_of_client control_settings_change
 * WRAP: control_queues_read
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "config/config.h"
#include "rpc/config_service.h"
#include "rpc/core_sched.h"
#include "rpc/port_control.h"
#include "rpc/stats.h"
#include "rpc/transport/arena.h"
#include "rpc/transport/endpoint.h"
#include "virtioforwarder.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	unsigned n_answers, n_dropped;
	bool dynamic_sockets, fails;
	const ProtobufCMessageDescriptor *answer_type;
} fuzz;

static void must(bool so)
{
	if (!so)
		abort();
}

/* --- answers --------------------------------------------------------------------------------- */

void __wrap_endpoint_answer(struct endpoint_reply *reply, const ProtobufCMessage *answer)
{
	size_t size = protobuf_c_message_get_packed_size(answer);
	uint8_t *bytes = malloc(size + 1);
	ProtobufCMessage *again;

	must(reply == (struct endpoint_reply *)&fuzz && bytes != NULL);
	must(answer->descriptor == fuzz.answer_type && protobuf_c_message_check(answer));
	must(protobuf_c_message_pack(answer, bytes) == size);
	again = protobuf_c_message_unpack(fuzz.answer_type, NULL, size, bytes);
	must(again != NULL && again->n_unknown_fields == 0);
	protobuf_c_message_free_unpacked(again, NULL);
	free(bytes);
	fuzz.n_answers++;
}

void __wrap_endpoint_drop(struct endpoint_reply *reply)
{
	must(reply == (struct endpoint_reply *)&fuzz);
	fuzz.n_dropped++;
}

unsigned __wrap_endpoint_reply_share(const struct endpoint_reply *reply)
{
	(void)reply;
	return 1;
}

/* --- a made-up control ------------------------------------------------------------------------ */

static void done_call(outcome_fn done, void *context)
{
	struct outcome outcome = {.reason = fuzz.fails ? OUTCOME_PAIR_DEVICE_HELD : OUTCOME_OK};

	if (fuzz.fails)
		snprintf(outcome.text, sizeof(outcome.text), "refused: \xff\x01");
	done(context, &outcome);
}

/* Whatever control is given as a device must be one. */
static void device_check(const struct device_spec *device)
{
	struct device_spec again;
	struct error err;

	must(memchr(device->name, '\0', sizeof(device->name)) != NULL);
	must(memchr(device->devargs, '\0', sizeof(device->devargs)) != NULL);
	if (strncmp(device->name, "net_bonding", strlen("net_bonding")) != 0)
		must(device_spec_parse(device->devargs, &again, &err) == 0 &&
		     device_spec_equal(&again, device));
}

void __wrap_control_add_vf(struct control *control, const struct vf_request *request,
                           outcome_fn done, void *context)
{
	(void)control;
	must(request->has_device && !fuzz.dynamic_sockets);
	device_check(&request->device);
	done_call(done, context);
}

void __wrap_control_remove_vf(struct control *control, const struct vf_request *request,
                              outcome_fn done, void *context)
{
	(void)control;
	must(!fuzz.dynamic_sockets);
	if (request->has_device)
		device_check(&request->device);
	done_call(done, context);
}

void __wrap_control_add_sock(struct control *control, const struct sock_request *request,
                             outcome_fn done, void *context)
{
	(void)control;
	must(request->has_device);
	must(request->path == NULL || !fuzz.dynamic_sockets || text_is_clean(request->path));
	device_check(&request->device);
	done_call(done, context);
}

void __wrap_control_remove_sock(struct control *control, const struct sock_request *request,
                                outcome_fn done, void *context)
{
	(void)control;
	must(request->path == NULL || request->path[0] != '\0');
	if (request->has_device)
		device_check(&request->device);
	done_call(done, context);
}

bool __wrap_control_dynamic_sockets(const struct control *control)
{
	(void)control;
	return fuzz.dynamic_sockets;
}

void __wrap_control_relay_read(const struct control *control, unsigned relay_id,
                               struct control_relay *out)
{
	(void)control;
	must(relay_id < RELAYS_MAX);
	*out = (struct control_relay){.id = relay_id, .vhost_socket = "NONE"};
	if (relay_id != 3)
		return;
	out->active = out->has_device = true;
	out->vhost_socket = "/tmp/virtio-forwarder3.sock";
	snprintf(out->device_label, sizeof(out->device_label), "0000:05:08.1");
	out->vf_to_vm.n_lanes = out->vm_to_vf.n_lanes = GUEST_QUEUES_MAX;
}

unsigned __wrap_control_queues_read(const struct control *control, unsigned relay_id,
                                    struct control_queue out[CONTROL_QUEUES_MAX])
{
	(void)control;
	must(relay_id < RELAYS_MAX);
	if (relay_id != 3)
		return 0;
	for (unsigned i = 0; i < CONTROL_QUEUES_MAX; i++)
		out[i] = (struct control_queue){
		        .to_vm = i % 2 == 0, .queue = i / 2, .size = 32768, .stopped = "stopped"};
	return CONTROL_QUEUES_MAX;
}

unsigned __wrap_control_lanes_read(const struct control *control, unsigned relay_id,
                                   struct control_lane out[CONTROL_LANES_MAX])
{
	(void)control;
	must(relay_id < RELAYS_MAX);
	for (unsigned i = 0; i < CONTROL_LANES_MAX; i++)
		out[i] = (struct control_lane){.queue = i, .targets = UINT32_MAX};
	return relay_id == 3 ? CONTROL_LANES_MAX : 0;
}

uint64_t __wrap_control_cycles_per_s(const struct control *control)
{
	(void)control;
	return UINT64_MAX;
}

void __wrap_control_relay_rates(const struct control *control, unsigned relay_id,
                                struct control_rates *vf_to_vm, struct control_rates *vm_to_vf)
{
	(void)control;
	must(relay_id < RELAYS_MAX);
	*vf_to_vm = *vm_to_vf = (struct control_rates){0};
}

void __wrap_control_rates_between(const struct lane_counters *before,
                                  const struct lane_counters *after, double elapsed_s,
                                  struct control_rates *out)
{
	(void)before;
	(void)after;
	must(elapsed_s > 0);
	*out = (struct control_rates){0};
}

bool __wrap_control_pin_read(const struct control *control, unsigned relay_id, struct cpu_pin *out)
{
	(void)control;
	must(relay_id < RELAYS_MAX);
	*out = (struct cpu_pin){.relay_id = relay_id, .vf_to_vm_cpu = 1, .vm_to_vf_cpu = -1};
	return relay_id % 2 == 0;
}

bool __wrap_control_pin_is_of_client(const struct control *control, unsigned relay_id)
{
	(void)control;
	return relay_id % 2 == 0;
}

void __wrap_control_pins_update(struct control *control, const struct cpu_pin *pins, size_t count,
                                outcome_fn done, void *context)
{
	volatile unsigned sum = 0; /* reads them all, for the address sanitizer */

	(void)control;
	for (size_t i = 0; i < count; i++)
		sum += pins[i].relay_id + (unsigned)pins[i].vf_to_vm_cpu +
		       (unsigned)pins[i].vm_to_vf_cpu;
	done_call(done, context);
}

/* What gets here is in its range, whatever the request says. */
unsigned __wrap_control_settings_change(struct control *control, struct config *config,
                                        const struct config *wanted, const char *who)
{
	(void)control;
	(void)config;
	(void)who;
	if (wanted->log_level < 0 || wanted->log_level > 7 ||
	    !(wanted->core_sched_sensitivity >= 0 && wanted->core_sched_sensitivity <= 1))
		abort();
	return 1;
}

unsigned __wrap_control_worker_count(const struct control *control)
{
	(void)control;
	return 5;
}

void __wrap_control_worker_read(const struct control *control, unsigned index,
                                struct control_worker *out)
{
	(void)control;
	must(index < 5);
	*out = (struct control_worker){.cpu = 1 + index, .numa_node = -1};
}

int __wrap_control_balance_explain(struct control *control, line_fn line, void *context)
{
	(void)control;
	for (unsigned i = 0; i < 300; i++)
		line(context, "a line");
	return fuzz.fails ? -EINVAL : 0;
}

const char *__wrap_control_dpdk_version(void)
{
	return "DPDK";
}

/* --- the target ------------------------------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config; /* all defaults */
	struct control *control = (struct control *)&config;
	struct config_service config_context = {.config = &config, .control = control};
	struct loop *loop = loop_create("control");
	struct stats *stats = stats_create(control, loop);
	const struct {
		const struct endpoint_service *service;
		void *context;
		const ProtobufCMessageDescriptor *answer_type;
	} services[] = {
	        {&port_control_service, control,
	         &virtioforwarder__port_control_response__descriptor},
	        {&stats_service, stats, &virtioforwarder__stats_response__descriptor},
	        {&config_service, &config_context, &virtioforwarder__config_response__descriptor},
	        {&core_sched_service, control, &virtioforwarder__core_sched_response__descriptor},
	};
	unsigned chosen = size > 0 ? data[0] % 4 : 0;
	struct endpoint_reply *reply = (struct endpoint_reply *)&fuzz;
	ProtobufCMessage *request;
	struct arena arena;
	uint8_t *body;

	if (size == 0)
		goto out;
	log_set_level(LOG_EMERG);
	memset(&fuzz, 0, sizeof(fuzz));
	fuzz.dynamic_sockets = (data[0] & 4) != 0;
	fuzz.fails = (data[0] & 8) != 0;
	fuzz.answer_type = services[chosen].answer_type;

	/* Just as large as it is, for the address sanitizer to see what lies beyond. */
	body = malloc(size - 1 + (size == 1));
	must(body != NULL);
	memcpy(body, data + 1, size - 1);
	request = endpoint_request_unpack(services[chosen].service, &arena, body, size - 1);
	if (request == NULL)
		services[chosen].service->refuse(reply, ENDPOINT_MALFORMED, "malformed");
	else
		services[chosen].service->request(services[chosen].context, reply, request);
	arena_free(&arena);
	free(body);
out:
	stats_destroy(stats); /* drops what waits for its delay */
	loop_destroy(loop);
	must(size == 0 || fuzz.n_answers + fuzz.n_dropped == 1);
	return 0;
}
