/* What has become of a request, in terms of the relays: the wire contract's numbers for it are
 * rpc/contract.c's. Any thread.
 */
#ifndef RELAY_OUTCOME_H
#define RELAY_OUTCOME_H

#include "base/error.h"

enum outcome_reason {
	OUTCOME_OK,
	OUTCOME_NO_MEMORY,
	OUTCOME_LATE,     /* still under way when the client's time was up */
	OUTCOME_UNWANTED, /* removed again before it was ready */
	/* of a VF's addition */
	OUTCOME_BAD_RELAY,     /* there is no such relay; of a removal and of a pin too */
	OUTCOME_OCCUPIED,      /* the relay has another VF, or still gives one back */
	OUTCOME_DEVICE_HELD,   /* another relay has the device … */
	OUTCOME_MEMBER_HELD,   /* … or a member of the bond */
	OUTCOME_ATTACH_FAILED, /* vf_error says at which step */
	OUTCOME_NODE_REFUSED,  /* no worker runs on the VF's NUMA node (--same-numa) */
	/* of a VF's removal */
	OUTCOME_FOREIGN,       /* the VF is not the asker's to remove */
	OUTCOME_OTHER_DEVICE,  /* the relay has another device than the one named */
	OUTCOME_NOTHING_THERE, /* the relay has no VF */
	OUTCOME_DETACH_FAILED,
	/* of a pair's addition and removal */
	OUTCOME_NOT_GIVEN,   /* the path, or path and device, are missing */
	OUTCOME_NOT_DYNAMIC, /* dynamic sockets are off */
	OUTCOME_NO_RELAY,    /* none is idle; or none has what is to be removed */
	OUTCOME_SOCKET_TAKEN,
	OUTCOME_PAIR_DEVICE_HELD,
	OUTCOME_PAIR_DEVICE_FAILED,
	OUTCOME_PAIR_BOND_FAILED,
	OUTCOME_PAIR_SOCKET_FAILED,
	OUTCOME_MISMATCH, /* the socket and the device are not one relay's */
	/* of pins */
	OUTCOME_BAD_CPU,
};

struct outcome {
	enum outcome_reason reason;
	int vf_error;              /* OUTCOME_ATTACH_FAILED: enum vf_error */
	char text[ERROR_TEXT_MAX]; /* for people: why, and what would work; "" when OK */
};

/* Called exactly once for each request, on the control thread, maybe before the call that made the
 * request returns. outcome is valid during the call only. */
typedef void (*outcome_fn)(void *context, const struct outcome *outcome);

void outcome_ok(outcome_fn done, void *context);
void outcome_fail(outcome_fn done, void *context, enum outcome_reason reason, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));

#endif
