/* The far end of a relay that is an interface of the host's kernel, in the place of a guest: its
 * data, which is the control thread's, except where a comment says whose it is. What the lanes see
 * of it stands in guest_end.guest, as a guest would.
 */
#ifndef RELAY_KERNEL_END_H
#define RELAY_KERNEL_END_H

#include <stdbool.h>

#include "event/job.h"

enum kernel_phase {
	KERNEL_NONE,
	KERNEL_UP,      /* lanes may use it */
	KERNEL_LEAVING, /* its lanes have to leave the plans */
	KERNEL_CLOSING, /* a close job is under way */
};

struct kernel_end {
	enum kernel_phase phase;
	bool socket_withdrawn; /* the relay's socket was closed for it, and is to be opened again */
	struct job job;        /* the device thread's while KERNEL_CLOSING */
};

#endif
