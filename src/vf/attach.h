/* Making a VF of a device, and letting go of it: what a relay begins and ends with. Device thread
 * only.
 */
#ifndef VF_ATTACH_H
#define VF_ATTACH_H

#include <stdint.h>

#include "base/device_spec.h"
#include "base/error.h"
#include "vf/vf.h"

/* What a removed VF still held; the packets are freed. */
struct vf_leftover {
	uint64_t pkts, bytes;
};

/* Probe, configure (queues, RSS, MTU, offloads), make the pool, start; spec names the bond if
 * params tells of one. On failure everything is undone, err->code is an enum vf_error and
 * err->text says why and what to do; returns -EAGAIN when another trial in a moment may succeed,
 * else -1. Refuses a device that DPDK has already. */
int vf_attach(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
              struct error *err);

/* No lane may use the VF any more. Empties the rx queues, stops, closes and detaches the device.
 * Goes on to the end whatever fails; returns -1 with err->code VF_ERROR_DETACH if something did.
 * The pool is freed when all its mbufs are back, else by a later pool_reclaim. */
int vf_detach(struct vf *vf, struct vf_leftover *leftover, struct error *err);

#endif
