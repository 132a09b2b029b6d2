/* What drivers do not tell of themselves, or tell wrongly: one table of their traits, which the
 * rest of src/vf asks instead of comparing names. Constant data, any thread.
 */
#ifndef VF_QUIRKS_H
#define VF_QUIRKS_H

#include <stdbool.h>
#include <stdint.h>

#include "datapath/plan.h"

struct vf_quirks {
	/* --- sizes and queues --- */
	uint16_t max_mtu;       /* bytes; 0 = what the device says */
	uint16_t max_frame;     /* bytes of the longest frame that it sends; 0 = likewise */
	bool counts_whole_kb;   /* receives into whole KB of a buffer: 2176 bytes count as 2048 */
	bool makes_any_size;    /* its argument "size" decides how much it writes into a buffer */
	bool no_rss;            /* offers RSS, but only by flow rules */
	bool spreads_by_itself; /* flows come by several queues without RSS: the kernel, or whoever
	                           is at the other end, sees to that */
	bool leaves_checksums;  /* asked to check them, it hands on frames of its host's with
	                           checksums  that nobody has completed */
	bool counts_refusals;   /* among its errors: packets that it did not take yet, and is given
	                           again */
	bool dies_of_resets; /* when a bond lets it go: unless it runs then, as it is not reset */
	/* --- interrupts --- */
	enum vf_alarm_kind rx_alarm; /* how it tells of packets, where that is known to work */
	/* --- links --- */
	bool uses_interface;     /* stands on one of the host's that is there already */
	bool makes_interface;    /* makes one of its own, which goes with it */
	bool loses_link_changes; /* takes the interrupt for link changes, and tells nobody */
	/* --- its PF --- */
	bool needs_pf_up;       /* nothing reaches it while its PF is down, and it has to be reset
	                           once that is up */
	bool hides_refusals;    /* setting the default address succeeds even if the PF refuses */
	bool never_promiscuous; /* its PF's kernel driver lets no VF be, trusted or not */
	bool filters_vlans; /* its PF passes it untagged frames, and tagged ones only of VLANs that
	                       it has asked for. Others pass all until they are told to filter */
	bool many_pfs;      /* a bond: which addresses it receives for, its members' PFs decide */
};

/* The traits of the port's driver; none when the port or its driver is not known. Never NULL. */
const struct vf_quirks *vf_quirks_of(uint16_t port_id);

/* The same by the driver's name, as ethdev tells it; NULL is allowed. */
const struct vf_quirks *vf_quirks_of_driver(const char *driver);

#endif
