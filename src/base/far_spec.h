/* What a relay's VF is paired with: a guest behind a vhost-user socket, or an interface of the
 * host's kernel. Pure text and numbers: whether the kernel can make the interface is asked later.
 */
#ifndef BASE_FAR_SPEC_H
#define BASE_FAR_SPEC_H

#include "base/error.h"

enum far_kind {
	FAR_GUEST,
	FAR_KERNEL,
};

#define FAR_INTERFACE_MAX 16 /* the kernel's IFNAMSIZ, NUL included */

struct far_spec {
	enum far_kind kind;
	char interface[FAR_INTERFACE_MAX]; /* FAR_KERNEL: its name; else "" */
};

/* An interface of the kernel's with the name that it has when nobody gives it one: vio4wd3. */
struct far_spec far_spec_kernel(unsigned relay_id);

/* Letters, digits, '.', '_' and '-', 15 at most, and not all of them dots. 0 or -EINVAL. */
int far_interface_check(const char *name, struct error *err);

/* Takes apart "DEVICE=RELAY,INTERFACE", whose comma and interface may be missing: *out is the
 * interface or "", and the length of what is before the comma is returned; or -EINVAL. */
int far_spec_split(const char *text, char out[FAR_INTERFACE_MAX], struct error *err);

#endif
