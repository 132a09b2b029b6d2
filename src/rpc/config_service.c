/* The config service. See config_service.h. */
#include "rpc/config_service.h"

#include "config/load.h"

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

static void request_handle(void *context, struct endpoint_reply *reply,
                           const ProtobufCMessage *request)
{
	const struct config_service *service = context;
	Virtioforwarder__ConfigResponse answer = VIRTIOFORWARDER__CONFIG_RESPONSE__INIT;
	Virtioforwarder__ConfigResponse__RelayCPU entries[RELAYS_MAX], *pinned[RELAYS_MAX];
	const char *features[FEATURES_MAX];
	size_t n_features = config_features(service->config, features, FEATURES_MAX);

	(void)request; /* it has no fields */
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
}

const struct endpoint_service config_service = {
        .name = "config",
        .request_type = &virtioforwarder__config_request__descriptor,
        .request = request_handle,
        .refuse = answer_refuse,
};
