/* Clients who ask control for VFs named "net_null0" and so on, by the test's clock.
 */
#ifndef FAKE_CLIENTS_H
#define FAKE_CLIENTS_H

#include <check.h>
#include <stdbool.h>
#include <stdio.h>

#include "control_clock.h"
#include "control_rig.h"

/* False, and none is named, when the number is negative. */
static inline bool name_device(int number, struct device_spec *device)
{
	struct error err;
	char text[24];

	if (number < 0)
		return false;
	snprintf(text, sizeof(text), "net_null%d", number);
	ck_assert_int_eq(device_spec_parse(text, device, &err), 0);
	return true;
}

static inline struct vf_request vf_request_of(enum vf_origin origin, unsigned relay_id, int device,
                                              bool conditional)
{
	struct vf_request request = {
	        .origin = origin, .relay_id = relay_id, .conditional = conditional};

	request.has_device = name_device(device, &request.device);
	return request;
}

static inline void ask_add(struct answer *answer, enum vf_origin origin, unsigned relay_id,
                           int device, bool conditional)
{
	struct vf_request request = vf_request_of(origin, relay_id, device, conditional);

	*answer = (struct answer){.asked_ms = clock_ms, .request = CONTRACT_ADD};
	control_add_vf(rig, &request, on_answer, answer);
	rig_turn_ends();
}

static inline void ask_remove(struct answer *answer, enum vf_origin origin, unsigned relay_id,
                              int device, bool conditional)
{
	struct vf_request request = vf_request_of(origin, relay_id, device, conditional);

	*answer = (struct answer){.asked_ms = clock_ms, .request = CONTRACT_REMOVE};
	control_remove_vf(rig, &request, on_answer, answer);
	rig_turn_ends();
}

#endif
