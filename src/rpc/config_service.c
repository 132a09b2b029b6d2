/* The config service. See config_service.h. */
#include "rpc/config_service.h"

#include "config/load.h"
#include "config/reload.h"

#define FEATURES_MAX 32 /* switches in the schema; what is beyond is left out */

static void answer_refuse(struct endpoint_reply *reply, enum endpoint_refusal refusal,
                          const char *why)
{
	Virtioforwarder__ConfigResponse answer = VIRTIOFORWARDER__CONFIG_RESPONSE__INIT;

	(void)refusal;
	answer.status = VIRTIOFORWARDER__CONFIG_RESPONSE__STATUS__EBADR;
	answer.error_text = (char *)why;
	endpoint_answer(reply, &answer.base);
}

/* --- settings ---------------------------------------------------------------------------- */

static bool asks_for_change(const Virtioforwarder__ConfigRequest *request)
{
	return request->has_log_level || request->has_balancer || request->has_balancer_sensitivity;
}

/* All of the request's, or none. 0, or -EINVAL with err. */
static int settings_change(const struct config_service *service,
                           const Virtioforwarder__ConfigRequest *request, struct error *err)
{
	struct config wanted = *service->config; /* borrows its strings */

	if (request->has_log_level) {
		if (config_check_number("loglevel", request->log_level, err) < 0)
			return -err->code;
		wanted.log_level = (int)request->log_level;
	}
	if (request->has_balancer_sensitivity) {
		double value = request->balancer_sensitivity;

		if (config_check_number("core-sched-sensitivity", value, err) < 0)
			return -err->code;
		wanted.core_sched_sensitivity = value;
	}
	if (request->has_balancer)
		wanted.core_sched_enable = request->balancer;
	control_settings_change(service->control, service->config, &wanted, "a client");
	return 0;
}

static void settings_encode(const struct config *config, Virtioforwarder__Settings *out)
{
	*out = (Virtioforwarder__Settings)VIRTIOFORWARDER__SETTINGS__INIT;
	out->has_log_level = out->has_balancer = out->has_balancer_sensitivity = true;
	out->has_balancer_interval_s = out->has_balancer_log_level = true;
	out->has_balancer_global_numa = true;
	out->log_level = (uint32_t)config->log_level;
	out->balancer = config->core_sched_enable;
	out->balancer_sensitivity = config->core_sched_sensitivity;
	out->balancer_interval_s = config->core_sched_poll_interval;
	out->balancer_log_level = (uint32_t)config->core_sched_log_level;
	out->balancer_global_numa = config->core_sched_global_numa_opt;
}

/* --- requests ---------------------------------------------------------------------------- */

static void request_handle(void *context, struct endpoint_reply *reply,
                           const ProtobufCMessage *message)
{
	const Virtioforwarder__ConfigRequest *request =
	        (const Virtioforwarder__ConfigRequest *)message;
	const struct config_service *service = context;
	Virtioforwarder__Event *events[EVENT_STREAM_KEPT];
	Virtioforwarder__Settings settings;
	struct error err;
	Virtioforwarder__ConfigResponse answer = VIRTIOFORWARDER__CONFIG_RESPONSE__INIT;
	Virtioforwarder__ConfigResponse__RelayCPU entries[RELAYS_MAX], *pinned[RELAYS_MAX];
	const char *features[FEATURES_MAX];
	size_t n_features = config_features(service->config, features, FEATURES_MAX);

	if (asks_for_change(request) && settings_change(service, request, &err) < 0) {
		answer_refuse(reply, ENDPOINT_MALFORMED, err.text);
		return;
	}
	if (service->events != NULL && request->has_events) {
		answer.n_event = event_stream_read(
		        service->events,
		        request->events < EVENT_STREAM_KEPT ? request->events : EVENT_STREAM_KEPT,
		        events);
		answer.event = events;
	}
	if (request->tell_settings || asks_for_change(request)) {
		settings_encode(service->config, &settings);
		answer.settings = &settings;
	}
	answer.status = VIRTIOFORWARDER__CONFIG_RESPONSE__STATUS__OK;
	answer.version = (char *)VERSION;
	answer.dpdk_version = (char *)control_dpdk_version();
	answer.features = (char **)features;
	answer.n_features = n_features < FEATURES_MAX ? n_features : FEATURES_MAX;
	answer.relay_cpu_map = pinned;
	for (unsigned id = 0; id < RELAYS_MAX; id++) {
		Virtioforwarder__ConfigResponse__RelayCPU *entry = &entries[answer.n_relay_cpu_map];
		struct cpu_pin pin;

		if (!control_pin_read(service->control, id, &pin))
			continue;
		*entry = (Virtioforwarder__ConfigResponse__RelayCPU)
		        VIRTIOFORWARDER__CONFIG_RESPONSE__RELAY_CPU__INIT;
		entry->relay_number = id;
		entry->vf2virtio_cpu = pin.vf_to_vm_cpu;
		entry->virtio2vf_cpu = pin.vm_to_vf_cpu;
		entry->has_by_client = entry->by_client =
		        control_pin_is_of_client(service->control, id);
		pinned[answer.n_relay_cpu_map++] = entry;
	}
	endpoint_answer(reply, &answer.base);
	for (size_t i = 0; i < answer.n_event; i++)
		virtioforwarder__event__free_unpacked(events[i], NULL);
}

const struct endpoint_service config_service = {
        .name = "config",
        .request_type = &virtioforwarder__config_request__descriptor,
        .request = request_handle,
        .refuse = answer_refuse,
};
