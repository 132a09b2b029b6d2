/* Dynamic sockets: relays that are made of a device and a socket together, and end together.
 *
 * The device is attached first, on the device thread, then the socket is opened, on the guest
 * thread. When the second half fails, or nobody waits for it any more, the first is taken back,
 * and only then the relay is idle again. A removal ends both at once. What the ends do, relay_vf.c
 * and relay_guest.c know; here is what has to follow. Control thread only.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "relay/relay.h"
#include "sys/socket_path.h"

static const char add_source[] = "virtio_add_sock_dev_pair()";
static const char remove_source[] = "virtio_remove_sock_dev_pair()";

/* The wire contract's codes. */
enum add_code {
	ADD_NO_PATH = -1,
	ADD_DEVICE_IN_USE = -EEXIST,
	ADD_SOCKET_REGISTERED = 1,
	ADD_NO_RELAY = 2,
	ADD_DEVICE = 3,
	ADD_BOND = 4,
	ADD_SOCKET = 5,
};

enum remove_code {
	REMOVE_NOTHING_GIVEN = -1,
	REMOVE_NO_RELAY = 1,
	REMOVE_MISMATCH = 2,
	REMOVE_DEVICE = 4,
	REMOVE_TIMED_OUT = 5,
};

bool control_dynamic_sockets(const struct control *control)
{
	return control->config->dynamic_sockets;
}

/* --- the end of a pair ----------------------------------------------------------------------- */

static void finish(struct relay *relay)
{
	struct control_result failure = relay->pair_failure;
	char error[ERROR_TEXT_MAX];

	if (relay->pair_phase != PAIR_REMOVING || relay->guest_phase != GUEST_CLOSED ||
	    relay->vf_phase != VF_ABSENT)
		return;
	memcpy(error, relay->pair_error, sizeof(error));
	relay->pair_phase = PAIR_NONE;
	relay->socket_path[0] = '\0';
	waiters_answer_error(&relay->pair_adders, add_source, failure.code, failure.text);
	if (error[0] != '\0')
		waiters_answer_error(&relay->pair_removers, remove_source, REMOVE_DEVICE, error);
	else
		saved_answer_all(&relay->pair_removers);
}

/* Both ends; either may be gone, or going, already. */
static void begin_removal(struct relay *relay)
{
	relay->pair_phase = PAIR_REMOVING;
	relay->pair_error[0] = '\0';
	saved_changed(relay);
	if (relay->guest_phase == GUEST_OPEN)
		relay_guest_leave(relay);
	relay_vf_leave(relay);
	finish(relay);
}

static void roll_back(struct relay *relay, enum add_code code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void roll_back(struct relay *relay, enum add_code code, const char *format, ...)
{
	va_list args;

	relay->pair_failure = (struct control_result){.code = code};
	va_start(args, format);
	vsnprintf(relay->pair_failure.text, sizeof(relay->pair_failure.text), format, args);
	va_end(args);
	log_warn("relay %u: %s and %s are not paired: %s", relay->id, relay->device.name,
	         relay->socket_path, relay->pair_failure.text);
	begin_removal(relay);
}

void relay_pair_vf_gone(struct relay *relay, const char *error)
{
	/* Refused after all when it was to come back: a socket alone is no relay. */
	if (relay->pair_phase == PAIR_MADE && !relay->control->quiesced) {
		log_warn("relay %u: %s ends too, as %s does not come back", relay->id,
		         relay->socket_path, relay->device.name);
		relay->pair_unwanted = true; /* its socket may still be opening */
		begin_removal(relay);
		return;
	}
	if (relay->pair_phase != PAIR_REMOVING)
		return;
	if (error != NULL)
		snprintf(relay->pair_error, sizeof(relay->pair_error), "%s", error);
	finish(relay);
}

void relay_pair_closed(struct relay *relay)
{
	finish(relay);
}

/* --- its beginning --------------------------------------------------------------------------- */

void relay_pair_opened(struct relay *relay, const char *error)
{
	if (error != NULL) {
		roll_back(relay, ADD_SOCKET, "%s", error);
	} else if (relay->pair_unwanted) {
		roll_back(relay, ADD_SOCKET, "removed again before it was ready");
	} else {
		relay->pair_phase = PAIR_MADE;
		saved_changed(relay);
		log_notice("relay %u: %s and %s are paired", relay->id, relay->device.name,
		           relay->socket_path);
		saved_answer_all(&relay->pair_adders);
	}
}

/* What it is called when the device is to blame. */
static enum add_code device_code(const struct relay *relay)
{
	return relay->bond.n_members > 0 ? ADD_BOND : ADD_DEVICE;
}

static void on_attached(void *context, const struct control_result *result)
{
	struct relay *relay = context;

	if (!result->ok) {
		roll_back(relay, device_code(relay), "%s", result->text);
	} else if (relay->pair_unwanted) {
		roll_back(relay, device_code(relay), "removed again before it was ready");
	} else {
		relay->pair_phase = PAIR_OPENING;
		relay_guest_open(relay);
	}
}

static void begin_pair(struct relay *relay, const struct control_sock_request *request)
{
	struct control_vf_request attach = {
	        .relay_id = relay->id,
	        .has_device = true,
	        .device = request->device,
	        .bond = request->bond,
	};

	relay->pair_phase = PAIR_ATTACHING;
	relay->pair_unwanted = false;
	control_add_vf(relay->control, &attach, on_attached, relay);
}

/* --- requests that take too long ---------------------------------------------------------------
 */

static void on_add_late(void *context)
{
	struct waiter *waiter = context;
	struct relay *relay = waiter->relay;
	enum add_code code = relay->pair_phase == PAIR_ATTACHING ? device_code(relay) : ADD_SOCKET;

	if (relay->pair_phase == PAIR_REMOVING)
		code = (enum add_code)relay->pair_failure.code;
	answer_error(
	        waiter->done, waiter->context, add_source, code,
	        "relay %u: %s is not ready after %u ms, so the relay is given up; see the log, "
	        "and try again",
	        relay->id, code == ADD_SOCKET ? "the socket" : "the device", CONTROL_ANSWER_MS);
	waiter_free(waiter);
	if (LIST_EMPTY(&relay->pair_adders))
		relay->pair_unwanted = true;
}

static void on_remove_late(void *context)
{
	struct waiter *waiter = context;

	answer_error(waiter->done, waiter->context, remove_source, REMOVE_TIMED_OUT,
	             "relay %u: the removal takes longer than %u ms; it goes on", waiter->relay->id,
	             CONTROL_ANSWER_MS);
	waiter_free(waiter);
}

/* --- requests ----------------------------------------------------------------------------------
 */

static struct relay *relay_at(struct control *control, const char *path)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &control->relays[i];

		if (relay->pair_phase != PAIR_NONE && socket_path_same(path, relay->socket_path))
			return relay;
	}
	return NULL;
}

static struct relay *lowest_idle(struct control *control)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &control->relays[i];

		if (relay->pair_phase == PAIR_NONE && relay->guest_phase == GUEST_CLOSED &&
		    relay->vf_phase == VF_ABSENT)
			return relay;
	}
	return NULL;
}

/* ADD_SOCK of what this relay is already, or is becoming. */
static void add_again(struct relay *relay, control_done_fn done, void *context)
{
	if (relay->pair_phase == PAIR_MADE)
		saved_answer(relay, done, context);
	else if (relay->pair_phase == PAIR_REMOVING || relay->pair_unwanted)
		answer_error(done, context, add_source, ADD_SOCKET_REGISTERED,
		             "relay %u is still giving back %s and %s; try again in a moment",
		             relay->id, relay->device.name, relay->socket_path);
	else if (waiter_add(&relay->pair_adders, relay, on_add_late, done, context) < 0)
		answer_error(done, context, add_source, ADD_DEVICE, "out of memory");
}

void control_add_sock(struct control *control, const struct control_sock_request *request,
                      control_done_fn done, void *context)
{
	const struct relay *holder = relay_using(control, &request->device, &request->bond);
	struct relay *there, *relay;
	struct error err;

	if (request->path == NULL) {
		answer_error(done, context, add_source, ADD_NO_PATH,
		             "the path of the vhost-user socket is missing");
		return;
	}
	if (!control_dynamic_sockets(control)) {
		answer_error(done, context, add_source, ADD_NO_RELAY,
		             "dynamic sockets are off: start the daemon with --dynamic-sockets, or "
		             "use ADD with the id of a relay");
		return;
	}
	there = relay_at(control, request->path);
	if (there != NULL && (request->conditional || there->restored) &&
	    relay_has_exactly(there, &request->device, &request->bond)) {
		there->restored = false; /* somebody has asked */
		add_again(there, done, context);
		return;
	}
	if (holder != NULL) {
		answer_error(done, context, add_source, ADD_DEVICE_IN_USE,
		             "relay %u has %s with the socket %s; remove that first", holder->id,
		             holder->device.name, holder->socket_path);
		return;
	}
	if (there != NULL) {
		answer_error(done, context, add_source, ADD_SOCKET_REGISTERED,
		             "the socket %s belongs to relay %u with %s; remove that first",
		             there->socket_path, there->id, there->device.name);
		return;
	}
	relay = lowest_idle(control);
	if (relay == NULL) {
		answer_error(done, context, add_source, ADD_NO_RELAY,
		             "all %d relays are in use; remove one first", RELAYS_MAX);
		return;
	}
	if (socket_path_check(request->path, sizeof(relay->socket_path), &err) < 0) {
		answer_error(done, context, add_source, ADD_SOCKET, "%s", err.text);
		return;
	}
	if (waiter_add(&relay->pair_adders, relay, on_add_late, done, context) < 0) {
		answer_error(done, context, add_source, ADD_DEVICE, "out of memory");
		return;
	}
	snprintf(relay->socket_path, sizeof(relay->socket_path), "%s", request->path);
	begin_pair(relay, request);
}

/* The relay that a removal means; NULL and *code when there is none, or another than meant. */
static struct relay *relay_meant(struct control *control,
                                 const struct control_sock_request *request, enum remove_code *code,
                                 const char **why)
{
	struct relay *there = request->path != NULL ? relay_at(control, request->path) : NULL;
	const struct relay *holder =
	        request->has_device ? relay_of_device(control, &request->device) : NULL;

	if (holder != NULL && holder->pair_phase == PAIR_NONE)
		holder = NULL; /* not of this making */
	*code = REMOVE_NO_RELAY;
	*why = "no relay has it";
	if (there == NULL && holder == NULL)
		return NULL;
	if (holder != NULL && request->bond.n_members > 0 &&
	    !bond_spec_same_members(&holder->bond, &request->bond)) {
		*code = REMOVE_MISMATCH;
		*why = "the bond has other members; its name alone is enough";
		return NULL;
	}
	if (request->path != NULL && request->has_device && there != holder) {
		*code = REMOVE_MISMATCH;
		*why = "the socket and the device are not one relay's; give one of them, or those "
		       "that the statistics show together";
		return NULL;
	}
	return there != NULL ? there : &control->relays[holder->id];
}

void control_remove_sock(struct control *control, const struct control_sock_request *request,
                         control_done_fn done, void *context)
{
	enum remove_code code;
	const char *why;
	struct relay *relay;

	if (request->path == NULL && !request->has_device) {
		answer_error(done, context, remove_source, REMOVE_NOTHING_GIVEN,
		             "the path of the vhost-user socket, the device, or both are wanted");
		return;
	}
	if (!control_dynamic_sockets(control)) {
		answer_error(done, context, remove_source, REMOVE_NO_RELAY,
		             "dynamic sockets are off, so there is no relay to remove; use REMOVE "
		             "with the id of a relay");
		return;
	}
	relay = relay_meant(control, request, &code, &why);
	if (relay == NULL) {
		if (code == REMOVE_NO_RELAY && request->conditional)
			answer_ok(done, context);
		else
			answer_error(done, context, remove_source, code, "%s%s%s: %s",
			             request->path != NULL ? request->path : "",
			             request->path != NULL && request->has_device ? " and " : "",
			             request->has_device ? request->device.name : "", why);
		return;
	}
	if (waiter_add(&relay->pair_removers, relay, on_remove_late, done, context) < 0) {
		answer_error(done, context, remove_source, REMOVE_DEVICE, "out of memory");
		return;
	}
	relay->pair_unwanted = true;
	if (relay->pair_phase == PAIR_MADE)
		begin_removal(relay);
	else if (relay->pair_phase == PAIR_ATTACHING)
		relay_vf_leave(relay); /* on_attached hears of it */
}

void relay_pair_restore(struct relay *relay, const struct device_spec *device,
                        const struct bond_spec *bond, const char *path)
{
	struct error err;

	if (socket_path_check(path, sizeof(relay->socket_path), &err) < 0) {
		log_err("relay %u: what a client had added before the restart is given up: %s",
		        relay->id, err.text);
		return;
	}
	snprintf(relay->socket_path, sizeof(relay->socket_path), "%s", path);
	relay->pair_unwanted = false;
	relay->pair_phase = PAIR_MADE; /* both ends come each in its time */
	relay_guest_open(relay);
	relay_vf_restore(relay, device, bond);
}

void relay_pair_forget_all(struct control *control)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &control->relays[i];
		struct waiter *waiter;

		while ((waiter = LIST_FIRST(&relay->pair_adders)) != NULL)
			waiter_free(waiter);
		while ((waiter = LIST_FIRST(&relay->pair_removers)) != NULL)
			waiter_free(waiter);
	}
}
