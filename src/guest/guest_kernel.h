/* The far end of a relay that serves no guest: a network interface of the host's kernel, which
 * takes a guest's place in the relay's lanes. It is a DPDK port of its own: virtio-user on
 * /dev/vhost-net, where a kernel thread moves the packets, or net_tap where that is missing, which
 * makes a system call for each.
 *
 * The interface lives as long as its port: it is gone when that is closed, and when the daemon
 * dies.
 */
#ifndef GUEST_GUEST_KERNEL_H
#define GUEST_GUEST_KERNEL_H

#include <net/ethernet.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/far_spec.h"
#include "guest/kind.h"

struct guest_kernel_params {
	unsigned relay_id;
	char interface[FAR_INTERFACE_MAX];
	struct ether_addr mac; /* the VF's … */
	uint16_t mtu;          /* … and its MTU, bytes; there may be less */
	uint16_t queues;       /* wanted, each way; there may be fewer */
	uint16_t vf_ring;   /* descriptors of a VF's queue, which hold what the kernel has sent */
	uint16_t n_workers; /* that may cache packet buffers */
	int node;           /* NUMA node of its packet memory */
	bool no_huge;
	const char *huge_dir; /* of the hugepages */
};

/* Whether the interface can be made, as far as can be told without trying: 0; -EAGAIN when the
 * relay's one before is still there; or -1 with err. Device thread. */
int guest_kernel_check(unsigned relay_id, const char *interface, struct error *err);
/* Makes the interface. 0, or -1 with err, and nothing is left. Device thread. */
int guest_kernel_open(const struct guest_kernel_params *params, struct error *err);
/* Gives the interface the VF's link, where it is open, and has not been taken out of this network
 * namespace. Device thread. */
void guest_kernel_set_link(unsigned relay_id, bool up);
/* No lane may use it any more. Harmless when it is not open. Device thread. */
void guest_kernel_close(unsigned relay_id);

/* The rest is for the control thread, from when it has heard of the opening until it asks for the
 * closing. */
struct guest *guest_kernel_get(unsigned relay_id);
void guest_kernel_read(unsigned relay_id, struct guest_state *out);
/* "net_tap", or "virtio_user". */
const char *guest_kernel_driver(unsigned relay_id);

#endif
