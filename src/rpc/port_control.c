/* The port_control service. See port_control.h.
 *
 * A request is checked in three steps, as the wire contract orders them: what the message alone
 * tells (port_control_decode; ERROR without a code), what the daemon's mode allows, and what the
 * relay's state allows (control's answer, with code and source).
 */
#include "rpc/port_control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "rpc/contract.h"
#include "sys/socket_path.h"

/* --- from the message -------------------------------------------------------------------- */

static int devices_decode(const Virtioforwarder__PortControlRequest *message,
                          struct port_control_request *out, struct error *err)
{
	size_t count = message->n_pci_addrs + message->n_device;

	if (message->n_pci_addrs > 0 && message->n_device > 0)
		return error_set(err, EINVAL,
		                 "devices are given as pci_addrs and as device strings; give all "
		                 "of them one way");
	if (count > BOND_MEMBERS_MAX)
		return error_set(err, EINVAL, "%zu devices are given, a bond has at most %d", count,
		                 BOND_MEMBERS_MAX);

	for (size_t i = 0; i < message->n_pci_addrs; i++) {
		const Virtioforwarder__PortControlRequest__PciAddress *pci = message->pci_addrs[i];
		struct pci_address address;
		int rc = pci_address_from_numbers(pci->domain, pci->bus, pci->slot, pci->function,
		                                  &address, err);

		if (rc < 0)
			return rc;
		device_spec_from_pci(&address, &out->devices[out->n_devices++]);
	}
	for (size_t i = 0; i < message->n_device; i++) {
		int rc = device_spec_parse(message->device[i], &out->devices[out->n_devices], err);

		if (rc < 0)
			return rc;
		out->n_devices++;
	}
	for (unsigned i = 1; i < out->n_devices; i++) {
		for (unsigned j = 0; j < i; j++) {
			if (device_spec_equal(&out->devices[i], &out->devices[j]))
				return error_set(err, EINVAL, "device %s is given twice",
				                 out->devices[i].name);
		}
	}
	return 0;
}

static bool is_removal(enum port_control_op op)
{
	return op == PORT_CONTROL_REMOVE || op == PORT_CONTROL_REMOVE_SOCK;
}

static int bond_decode(const Virtioforwarder__PortControlRequest *message,
                       struct port_control_request *out, struct error *err)
{
	const char *name = message->name != NULL && message->name[0] != '\0' ? message->name : NULL;

	if (name == NULL) {
		if (out->n_devices > 1)
			return error_set(err, EINVAL,
			                 "%u devices make a bond, which needs a name such "
			                 "as " BOND_DRIVER "0",
			                 out->n_devices);
		return 0;
	}
	if (out->n_devices < 2 && !(out->n_devices == 0 && is_removal(out->op)))
		return error_set(err, EINVAL,
		                 "a name is for a bond, which needs two to %d devices; %u given",
		                 BOND_MEMBERS_MAX, out->n_devices);
	if (message->has_mode && message->mode > BOND_MODE_MAX)
		return error_set(err, EINVAL, "bond mode %u: 0 to %d are known", message->mode,
		                 BOND_MODE_MAX);
	out->bond_mode = message->has_mode ? (uint8_t)message->mode : BOND_MODE_ACTIVE_BACKUP;
	out->is_bond = true;
	return bond_device_from_name(name, &out->bond_device, err);
}

/* What is not an addition has no far end to choose. */
static int far_decode(const Virtioforwarder__PortControlRequest *message,
                      struct port_control_request *out, struct error *err)
{
	bool kernel = message->far == VIRTIOFORWARDER__PORT_CONTROL_REQUEST__FAR__KERNEL;

	if (!message->has_far || is_removal(out->op))
		return 0;
	if (!kernel && message->far != VIRTIOFORWARDER__PORT_CONTROL_REQUEST__FAR__GUEST)
		return error_set(err, EINVAL, "far %d is not known; 0 (GUEST) and 1 (KERNEL) are",
		                 (int)message->far);
	if (kernel && out->op != PORT_CONTROL_ADD)
		return error_set(err, EINVAL,
		                 "the kernel at the far end is for ADD: ADD_SOCK pairs the device "
		                 "with the guest behind a socket");
	out->far = kernel ? FAR_KERNEL : FAR_GUEST;
	return 0;
}

static bool has_path(const struct port_control_request *request)
{
	return request->vhost_path != NULL && request->vhost_path[0] != '\0';
}

int port_control_decode(const Virtioforwarder__PortControlRequest *message,
                        struct port_control_request *out, struct error *err)
{
	static const enum port_control_op ops[] = {
	        [VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__ADD] = PORT_CONTROL_ADD,
	        [VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__REMOVE] = PORT_CONTROL_REMOVE,
	        [VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__ADD_SOCK] = PORT_CONTROL_ADD_SOCK,
	        [VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__REMOVE_SOCK] = PORT_CONTROL_REMOVE_SOCK,
	        [VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__QUERY_PCI] = PORT_CONTROL_QUERY_PCI,
	};
	int rc;

	*out = (struct port_control_request){0};
	/* protobuf-c hands over any number that stood in the enum's place. */
	if ((unsigned)message->op >= sizeof(ops) / sizeof(ops[0]))
		return error_set(err, EINVAL, "op %d is not known; 0 (ADD) to 4 (QUERY_PCI) are",
		                 (int)message->op);
	out->op = ops[message->op];
	out->conditional = message->conditional;
	out->vhost_path = message->vhost_path;
	if (out->op == PORT_CONTROL_QUERY_PCI)
		return has_path(out) ? 0
		                     : error_set(err, EINVAL,
		                                 "QUERY_PCI needs vhost_path, the path of a "
		                                 "vhost-user socket");

	rc = devices_decode(message, out, err);
	if (rc == 0)
		rc = bond_decode(message, out, err);
	if (rc == 0)
		rc = far_decode(message, out, err);
	if (rc < 0)
		return rc;

	out->relay_id = message->virtio_id;
	if ((out->op == PORT_CONTROL_ADD || out->op == PORT_CONTROL_REMOVE) &&
	    !message->has_virtio_id)
		return error_set(err, EINVAL, "ADD and REMOVE need virtio_id, a relay from 0 to %d",
		                 RELAYS_MAX - 1);
	if ((out->op == PORT_CONTROL_ADD || out->op == PORT_CONTROL_ADD_SOCK) &&
	    out->n_devices == 0)
		return error_set(err, EINVAL,
		                 "ADD and ADD_SOCK need a device: a PCI address, or a device "
		                 "string such as net_tap0,iface=vf0");
	return 0;
}

/* --- answers ----------------------------------------------------------------------------- */

/* error is NULL where the contract has no code. */
static void answer_error(struct endpoint_reply *reply, const struct contract_error *error,
                         const char *why)
{
	Virtioforwarder__PortControlResponse answer = VIRTIOFORWARDER__PORT_CONTROL_RESPONSE__INIT;
	char text[ERROR_TEXT_MAX];

	answer.status = VIRTIOFORWARDER__PORT_CONTROL_RESPONSE__STATUS__ERROR;
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

/* query is NULL, or what QUERY_PCI has found. */
static void answer_ok(struct endpoint_reply *reply, const char *query)
{
	Virtioforwarder__PortControlResponse answer = VIRTIOFORWARDER__PORT_CONTROL_RESPONSE__INIT;

	answer.status = VIRTIOFORWARDER__PORT_CONTROL_RESPONSE__STATUS__OK;
	answer.query_string = (char *)query;
	endpoint_answer(reply, &answer.base);
}

static void answer_outcome(struct endpoint_reply *reply, enum contract_request request,
                           const struct outcome *outcome)
{
	struct contract_error error;

	if (outcome->reason == OUTCOME_OK) {
		answer_ok(reply, NULL);
		return;
	}
	error = contract_error(request, outcome);
	answer_error(reply, &error, outcome->text);
}

/* One of each request, since what an error is called depends on what was asked. */
static void on_added(void *reply, const struct outcome *outcome)
{
	answer_outcome(reply, CONTRACT_ADD, outcome);
}

static void on_bond_added(void *reply, const struct outcome *outcome)
{
	answer_outcome(reply, CONTRACT_ADD_BOND, outcome);
}

static void on_removed(void *reply, const struct outcome *outcome)
{
	answer_outcome(reply, CONTRACT_REMOVE, outcome);
}

static void on_sock_added(void *reply, const struct outcome *outcome)
{
	answer_outcome(reply, CONTRACT_ADD_SOCK, outcome);
}

static void on_sock_removed(void *reply, const struct outcome *outcome)
{
	answer_outcome(reply, CONTRACT_REMOVE_SOCK, outcome);
}

static void answer_refuse(struct endpoint_reply *reply, enum endpoint_refusal refusal,
                          const char *why)
{
	(void)refusal; /* one answer for all: ERROR without a code */
	answer_error(reply, NULL, why);
}

/* --- the operations ---------------------------------------------------------------------- */

/* False when the request names no device; a bond's device has the bond's name. */
static bool device_of_request(const struct port_control_request *request, struct device_spec *out,
                              struct bond_spec *bond)
{
	*bond = (struct bond_spec){0};
	if (!request->is_bond) {
		*out = request->devices[0];
		return request->n_devices == 1;
	}
	*out = request->bond_device;
	bond->mode = request->bond_mode;
	bond->n_members = request->n_devices;
	memcpy(bond->members, request->devices, sizeof(bond->members));
	return true;
}

static void vf_change(struct control *control, struct endpoint_reply *reply,
                      const struct port_control_request *request)
{
	struct vf_request change = {
	        .origin = VF_ORIGIN_CLIENT,
	        .relay_id = request->relay_id,
	        .conditional = request->conditional,
	};

	if (control_dynamic_sockets(control)) {
		answer_refuse(reply, ENDPOINT_MALFORMED,
		              "dynamic sockets are on: use ADD_SOCK and REMOVE_SOCK");
		return;
	}
	change.has_device = device_of_request(request, &change.device, &change.bond);
	if (request->far == FAR_KERNEL)
		change.far = far_spec_kernel(request->relay_id);
	if (request->op == PORT_CONTROL_REMOVE)
		control_remove_vf(control, &change, on_removed, reply);
	else
		control_add_vf(control, &change, request->is_bond ? on_bond_added : on_added,
		               reply);
}

static void sock_change(struct control *control, struct endpoint_reply *reply,
                        const struct port_control_request *request)
{
	struct sock_request change = {
	        .path = has_path(request) ? request->vhost_path : NULL,
	        .conditional = request->conditional,
	};
	bool add = request->op == PORT_CONTROL_ADD_SOCK;
	bool checked = add && change.path != NULL && control_dynamic_sockets(control);

	if (checked && !text_is_clean(change.path)) {
		outcome_fail(on_sock_added, reply, OUTCOME_PAIR_SOCKET_FAILED,
		             "the path of the socket has control characters, or is not UTF-8");
		return;
	}
	change.has_device = device_of_request(request, &change.device, &change.bond);
	if (add)
		control_add_sock(control, &change, on_sock_added, reply);
	else
		control_remove_sock(control, &change, on_sock_removed, reply);
}

static void pci_query(const struct control *control, struct endpoint_reply *reply,
                      const struct port_control_request *request)
{
	struct control_relay relay;

	for (unsigned id = 0; id < RELAYS_MAX; id++) {
		control_relay_read(control, id, &relay);
		if (!socket_path_same(request->vhost_path, relay.vhost_socket))
			continue;
		text_make_utf8(relay.device_label);
		answer_ok(reply, relay.has_device ? relay.device_label : "");
		return;
	}
	answer_outcome(
	        reply, CONTRACT_QUERY_PCI,
	        &(struct outcome){.reason = OUTCOME_NO_RELAY,
	                          .text = "no relay has this socket; the statistics list the "
	                                  "sockets that there are"});
}

static void request_handle(void *context, struct endpoint_reply *reply,
                           const ProtobufCMessage *message)
{
	struct control *control = context;
	struct port_control_request request;
	struct error err = {0};

	if (port_control_decode((const Virtioforwarder__PortControlRequest *)message, &request,
	                        &err) < 0) {
		answer_refuse(reply, ENDPOINT_MALFORMED, err.text);
		return;
	}
	switch (request.op) {
	case PORT_CONTROL_ADD:
	case PORT_CONTROL_REMOVE:
		vf_change(control, reply, &request);
		break;
	case PORT_CONTROL_ADD_SOCK:
	case PORT_CONTROL_REMOVE_SOCK:
		sock_change(control, reply, &request);
		break;
	case PORT_CONTROL_QUERY_PCI:
		pci_query(control, reply, &request);
		break;
	}
}

const struct endpoint_service port_control_service = {
        .name = "port_control",
        .request_type = &virtioforwarder__port_control_request__descriptor,
        .request = request_handle,
        .refuse = answer_refuse,
};
