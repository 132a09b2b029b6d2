/* The core_sched service. See core_sched.h.
 *
 * An UPDATE may name a relay as often as it likes; what a frame can hold bounds it.
 */
#include "rpc/core_sched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "rpc/contract.h"

#define EXPLAIN_LINES_MAX 255 /* and one that says how many are missing */

/* error is NULL where the contract has no code. */
static void answer_error(struct endpoint_reply *reply, const struct contract_error *error,
                         const char *why)
{
	Virtioforwarder__CoreSchedResponse answer = VIRTIOFORWARDER__CORE_SCHED_RESPONSE__INIT;
	char text[ERROR_TEXT_MAX];

	answer.status = VIRTIOFORWARDER__CORE_SCHED_RESPONSE__STATUS__ERROR;
	if (error != NULL) {
		answer.has_error_code = true;
		answer.error_code = error->code;
		answer.error_code_source = (char *)error->source;
	}
	if (why[0] != '\0') {
		snprintf(text, sizeof(text), "%s", why);
		text_make_utf8(text);
		answer.error_text = text;
	}
	endpoint_answer(reply, &answer.base);
}

static void on_updated(void *context, const struct outcome *outcome)
{
	Virtioforwarder__CoreSchedResponse answer = VIRTIOFORWARDER__CORE_SCHED_RESPONSE__INIT;
	struct endpoint_reply *reply = context;

	if (outcome->reason != OUTCOME_OK) {
		struct contract_error error = contract_error(CONTRACT_UPDATE, outcome);

		answer_error(reply, &error, outcome->text);
		return;
	}
	answer.status = VIRTIOFORWARDER__CORE_SCHED_RESPONSE__STATUS__OK;
	endpoint_answer(reply, &answer.base);
}

static void answer_refuse(struct endpoint_reply *reply, enum endpoint_refusal refusal,
                          const char *why)
{
	(void)refusal; /* one answer for all: ERROR without a code */
	answer_error(reply, NULL, why);
}

/* --- UPDATE ------------------------------------------------------------------------------ */

static void update(struct control *control, struct endpoint_reply *reply,
                   const Virtioforwarder__CoreSchedRequest *request)
{
	struct cpu_pin *pins = calloc(request->n_relay_cpu_map + 1, sizeof(*pins));

	if (pins == NULL) {
		answer_refuse(reply, ENDPOINT_BUSY, "out of memory; try again");
		return;
	}
	for (size_t i = 0; i < request->n_relay_cpu_map; i++)
		pins[i] = (struct cpu_pin){
		        .relay_id = request->relay_cpu_map[i]->relay_number,
		        .vf_to_vm_cpu = request->relay_cpu_map[i]->vf2virtio_cpu,
		        .vm_to_vf_cpu = request->relay_cpu_map[i]->virtio2vf_cpu,
		};
	control_pins_update(control, pins, request->n_relay_cpu_map, on_updated, reply);
	free(pins);
}

/* --- GET_EAL_CORES ------------------------------------------------------------------------ */

static void workers_encode(const struct control *control, uint32_t *cpus, int32_t *nodes,
                           Virtioforwarder__CoreSchedResponse *answer)
{
	answer->n_eal_cores = answer->n_eal_core_nodes = control_worker_count(control);
	answer->eal_cores = cpus;
	answer->eal_core_nodes = nodes;
	for (unsigned i = 0; i < answer->n_eal_cores; i++) {
		struct control_worker worker;

		control_worker_read(control, i, &worker);
		cpus[i] = worker.cpu;
		nodes[i] = worker.numa_node;
	}
}

static void cores_tell(const struct control *control, struct endpoint_reply *reply)
{
	Virtioforwarder__CoreSchedResponse answer = VIRTIOFORWARDER__CORE_SCHED_RESPONSE__INIT;
	Virtioforwarder__CoreSchedRequest__RelayCPU entries[RELAYS_MAX], *pinned[RELAYS_MAX];
	uint32_t cpus[CPU_SET_SIZE]; /* no more workers than CPUs can be named */
	int32_t nodes[CPU_SET_SIZE];

	answer.status = VIRTIOFORWARDER__CORE_SCHED_RESPONSE__STATUS__OK;
	workers_encode(control, cpus, nodes, &answer);
	answer.pinned = pinned;
	for (unsigned id = 0; id < RELAYS_MAX; id++) {
		Virtioforwarder__CoreSchedRequest__RelayCPU *entry = &entries[answer.n_pinned];
		struct cpu_pin pin;

		if (!control_pin_read(control, id, &pin))
			continue;
		*entry = (Virtioforwarder__CoreSchedRequest__RelayCPU)
		        VIRTIOFORWARDER__CORE_SCHED_REQUEST__RELAY_CPU__INIT;
		entry->relay_number = id;
		entry->vf2virtio_cpu = pin.vf_to_vm_cpu;
		entry->virtio2vf_cpu = pin.vm_to_vf_cpu;
		pinned[answer.n_pinned++] = entry;
	}
	endpoint_answer(reply, &answer.base);
}

/* --- EXPLAIN ------------------------------------------------------------------------------ */

struct explanation {
	char *lines[EXPLAIN_LINES_MAX + 1];
	unsigned n_lines;
	unsigned n_left_out;
};

static void explanation_add(void *context, const char *text)
{
	struct explanation *explanation = context;
	char *line = explanation->n_lines < EXPLAIN_LINES_MAX ? strdup(text) : NULL;

	if (line == NULL)
		explanation->n_left_out++;
	else
		explanation->lines[explanation->n_lines++] = line;
}

static void explain(struct control *control, struct endpoint_reply *reply)
{
	Virtioforwarder__CoreSchedResponse answer = VIRTIOFORWARDER__CORE_SCHED_RESPONSE__INIT;
	struct explanation explanation = {.n_lines = 0};
	char rest[64];

	if (control_balance_explain(control, explanation_add, &explanation) < 0) {
		answer_refuse(reply, ENDPOINT_BUSY, "the balancer refuses its input; see the log");
		goto out;
	}
	answer.status = VIRTIOFORWARDER__CORE_SCHED_RESPONSE__STATUS__OK;
	answer.explanation = explanation.lines;
	answer.n_explanation = explanation.n_lines;
	if (explanation.n_left_out > 0) {
		snprintf(rest, sizeof(rest), "and %u lines more", explanation.n_left_out);
		answer.explanation[answer.n_explanation++] = rest;
	}
	endpoint_answer(reply, &answer.base);
out:
	for (unsigned i = 0; i < explanation.n_lines; i++)
		free(explanation.lines[i]);
}

static void request_handle(void *context, struct endpoint_reply *reply,
                           const ProtobufCMessage *message)
{
	const Virtioforwarder__CoreSchedRequest *request =
	        (const Virtioforwarder__CoreSchedRequest *)message;
	struct control *control = context;

	/* protobuf-c hands over any number that stood in the enum's place. */
	switch ((int)request->op) {
	case VIRTIOFORWARDER__CORE_SCHED_REQUEST__OP__UPDATE:
		update(control, reply, request);
		break;
	case VIRTIOFORWARDER__CORE_SCHED_REQUEST__OP__GET_EAL_CORES:
		cores_tell(control, reply);
		break;
	case VIRTIOFORWARDER__CORE_SCHED_REQUEST__OP__EXPLAIN:
		explain(control, reply);
		break;
	default:
		answer_refuse(
		        reply, ENDPOINT_MALFORMED,
		        "the op is not known; 0 (UPDATE), 1 (GET_EAL_CORES) and 100 (EXPLAIN) are");
	}
}

const struct endpoint_service core_sched_service = {
        .name = "core_sched",
        .request_type = &virtioforwarder__core_sched_request__descriptor,
        .request = request_handle,
        .refuse = answer_refuse,
};
