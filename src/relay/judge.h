/* What requests come to, by what the relays are: pure functions, so that each verdict can be tested
 * as a row of a table. Carrying it out is request.c's and pairing.c's. Control thread only, as they
 * read the relays.
 */
#ifndef RELAY_JUDGE_H
#define RELAY_JUDGE_H

#include <stdbool.h>

#include "relay/relay.h"

struct vf_request {
	enum vf_origin origin; /* not VF_ORIGIN_RESTORED */
	unsigned relay_id;     /* any value: checked */
	bool has_device;       /* false: remove what is there (removal only) */
	struct device_spec device;
	struct bond_spec bond; /* its members if device is a bond; a removal may go without */
	struct far_spec far;   /* of an addition; a removal goes without */
	bool conditional;
};

struct sock_request {
	const char *path; /* NULL: not given (removal only); valid during the call */
	bool has_device;  /* always for an addition */
	struct device_spec device;
	struct bond_spec bond; /* as above */
	bool conditional;
};

enum vf_add_verdict {
	VF_ADD_BEGIN,     /* attach it; who is in the way gives way */
	VF_ADD_THERE,     /* it is there already, and that is fine */
	VF_ADD_JOIN,      /* it is being attached, and that is fine */
	VF_ADD_RETRY,     /* it is waited for: attach it now */
	VF_ADD_BAD_RELAY, /* there is no such relay */
	VF_ADD_FOREIGN,   /* the relay's VF is somebody else's */
	VF_ADD_OCCUPIED,  /* the relay has a VF, or gives one back */
	VF_ADD_HELD,      /* *holder has the device, or a member of the bond */
};

/* relay_id counts as checked only unless VF_ADD_BAD_RELAY. *holder is set with VF_ADD_HELD. */
enum vf_add_verdict judge_vf_add(const struct relays *relays, const struct vf_request *request,
                                 const struct relay **holder);
/* Whether the relay's VF has to make room for the one that is asked for: it is in its way, and is a
 * static one that has never been there. */
bool judge_makes_room(const struct relay *relay, const struct vf_request *request);

enum vf_remove_verdict {
	VF_REMOVE_BEGIN,
	VF_REMOVE_AT_ONCE, /* it is not there, only waited for */
	VF_REMOVE_NOTHING, /* there is none, and that is fine */
	VF_REMOVE_BAD_RELAY,
	VF_REMOVE_FOREIGN,
	VF_REMOVE_OTHER_DEVICE,
	VF_REMOVE_NOTHING_THERE, /* there is none, and that is an error */
};

enum vf_remove_verdict judge_vf_remove(const struct relays *relays,
                                       const struct vf_request *request);

enum sock_add_verdict {
	SOCK_ADD_BEGIN, /* *relay is the lowest idle one */
	SOCK_ADD_THERE, /* *relay is that pair already, and that is fine */
	SOCK_ADD_JOIN,  /* … or is about to be */
	SOCK_ADD_NO_PATH,
	SOCK_ADD_NOT_DYNAMIC,
	SOCK_ADD_GOING,        /* *relay is giving that pair back */
	SOCK_ADD_DEVICE_HELD,  /* by *relay */
	SOCK_ADD_DEVICE_GOING, /* *relay is giving it back, with another socket or not */
	SOCK_ADD_SOCKET_TAKEN, /* by *relay */
	SOCK_ADD_NO_RELAY,
};

enum sock_add_verdict judge_sock_add(struct relays *relays, const struct sock_request *request,
                                     struct relay **relay);

enum sock_remove_verdict {
	SOCK_REMOVE_BEGIN,   /* *relay */
	SOCK_REMOVE_NOTHING, /* there is none, and that is fine */
	SOCK_REMOVE_NOT_GIVEN,
	SOCK_REMOVE_NOT_DYNAMIC,
	SOCK_REMOVE_NO_RELAY,
	SOCK_REMOVE_OTHER_MEMBERS, /* the bond has others than those named */
	SOCK_REMOVE_MISMATCH,      /* the socket and the device are not one relay's */
};

enum sock_remove_verdict
judge_sock_remove(struct relays *relays, const struct sock_request *request, struct relay **relay);

#endif
