/* The port_control service: attach devices to relays and take them away. Stateless: what a
 * request is waiting for, control knows. Runs on the control thread.
 */
#ifndef RPC_PORT_CONTROL_H
#define RPC_PORT_CONTROL_H

#include "control/control.h"
#include "rpc/transport/endpoint.h"
#include "virtioforwarder.pb-c.h"

/* A request that has passed the checks which need no more than the message itself. */
struct port_control_request {
	enum port_control_op {
		PORT_CONTROL_ADD,
		PORT_CONTROL_REMOVE,
		PORT_CONTROL_ADD_SOCK,
		PORT_CONTROL_REMOVE_SOCK,
		PORT_CONTROL_QUERY_PCI,
	} op;
	bool conditional;
	unsigned relay_id; /* ADD and REMOVE; any value */
	unsigned n_devices;
	struct device_spec devices[BOND_MEMBERS_MAX];
	bool is_bond;
	struct device_spec bond_device; /* if is_bond */
	uint8_t bond_mode;
	const char *vhost_path; /* NULL or "" = not given */
	enum far_kind far;      /* ADD; FAR_GUEST else */
};

/* 0, or -EINVAL with err: what is wrong and what would be right. */
int port_control_decode(const Virtioforwarder__PortControlRequest *message,
                        struct port_control_request *out, struct error *err);

/* service_context is the struct control. */
extern const struct endpoint_service port_control_service;

#endif
