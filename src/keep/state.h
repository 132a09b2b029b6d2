/* What the daemon keeps for its next start, and the text that it is kept as. Pure: no files, no
 * clock. Any thread.
 *
 * The text is JSON, one object:
 *   "version"          1; any other is not ours to read
 *   "boot_id"          of the host's run that it was written in
 *   "dynamic_sockets"  whether relays are made of a device and a socket at a time
 *   "relays"           [{"id", "device", "bond", "far", "socket"}]: what clients have added.
 *                      "device" is what they wrote; "bond" is there if it is one, {"mode",
 *                      "members"}, and "device" is its name then; "far" is there, and "kernel",
 *                      where no guest is wanted at the far end; "socket" is there with dynamic
 *                      sockets only
 *   "pins"             [{"id", "vf_to_vm_cpu", "vm_to_vf_cpu"}]: what clients have pinned, -1 = not
 * All other keys are wanted and no others are admitted; what they hold is checked as requests are.
 */
#ifndef KEEP_STATE_H
#define KEEP_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bond_spec.h"
#include "base/cpu_set.h"
#include "base/device_spec.h"
#include "base/error.h"
#include "base/far_spec.h"
#include "base/limits.h"
#include "guest/guest.h"

#define STATE_VERSION 1
#define STATE_FILE    "virtio-forwarder/state.json" /* below the pid file's directory */
/* Bytes of the text: 64 bonds of 8 members with long names take a quarter of it. */
#define STATE_TEXT_MAX 1048576
#define BOOT_ID_MAX    40 /* a UUID and NUL */

struct state_relay {
	unsigned id;
	struct device_spec device;
	struct bond_spec bond;       /* without members: a single device */
	enum far_kind far;           /* FAR_GUEST with dynamic sockets */
	char socket[GUEST_PATH_MAX]; /* "" without dynamic sockets */
};

struct state {
	bool dynamic_sockets;
	unsigned n_relays, n_pins;
	struct state_relay relays[RELAYS_MAX]; /* no id, device, member or socket twice */
	struct cpu_pin pins[RELAYS_MAX];       /* no relay_id twice */
};

/* Reads size bytes. 0, or -errno with err: -ESTALE the host has been booted since (*out holds
 * nothing), -ENOTSUP another version, -EINVAL not a text of ours, -ENOMEM. */
int state_parse(const char *text, size_t size, const char *boot_id, struct state *out,
                struct error *err);

/* The caller frees it. NULL: out of memory. */
char *state_format(const struct state *state, const char *boot_id);

#endif
