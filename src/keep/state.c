/* The text of what is kept. See state.h; the only file of this layer that knows jansson. */
#include "keep/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/parse.h"
#include "base/text.h"

#define FAR_KERNEL_TEXT "kernel"

/* --- reading ------------------------------------------------------------------------------- */

static int refuse(struct error *err, const char *what)
{
	return error_set(err, EINVAL, "%s", what);
}

static int relay_id_check(json_int_t id, struct error *err)
{
	if (id < 0 || id >= RELAYS_MAX)
		return error_set(err, EINVAL, "relay %lld: ids are 0 to %d", (long long)id,
		                 RELAYS_MAX - 1);
	return 0;
}

static int socket_check(const char *path, struct state_relay *out, struct error *err)
{
	if (path[0] != '/' || !text_is_clean(path))
		return error_set(err, EINVAL, "relay %u: its socket has no absolute, plain path",
		                 out->id);
	if (string_copy(out->socket, sizeof(out->socket), path) < 0)
		return error_set(err, EINVAL, "relay %u: its socket has too long a path", out->id);
	return 0;
}

static int bond_read(json_t *item, const char *name, struct state_relay *out, struct error *err)
{
	json_error_t why;
	json_t *members;
	json_int_t mode;

	if (json_unpack_ex(item, &why, JSON_STRICT, "{s:I, s:o}", "mode", &mode, "members",
	                   &members) < 0)
		return error_set(err, EINVAL, "its bond: %s", why.text);
	if (mode < 0 || mode > BOND_MODE_MAX || !json_is_array(members) ||
	    json_array_size(members) < 2 || json_array_size(members) > BOND_MEMBERS_MAX)
		return refuse(err, "its bond has no such mode, or too few or too many members");
	out->bond.mode = (uint8_t)mode;
	for (size_t i = 0; i < json_array_size(members); i++) {
		const char *text = json_string_value(json_array_get(members, i));
		struct device_spec member;

		if (text == NULL)
			return refuse(err, "a member of its bond is no text");
		if (device_spec_parse(text, &member, err) < 0)
			return -err->code;
		if (bond_spec_has(&out->bond, &member))
			return refuse(err, "its bond has a member twice");
		out->bond.members[out->bond.n_members++] = member;
	}
	return bond_device_from_name(name, &out->device, err);
}

static int relay_read(json_t *item, bool dynamic, struct state_relay *out, struct error *err)
{
	const char *device, *path = NULL, *far = NULL;
	json_t *bond = NULL;
	json_error_t why;
	json_int_t id;
	int rc;

	if (json_unpack_ex(item, &why, JSON_STRICT,
	                   dynamic ? "{s:I, s:s, s?:o, s:s}" : "{s:I, s:s, s?:o, s?:s}", "id", &id,
	                   "device", &device, "bond", &bond, dynamic ? "socket" : "far",
	                   dynamic ? &path : &far) < 0)
		return error_set(err, EINVAL, "a relay: %s", why.text);
	if (relay_id_check(id, err) < 0)
		return -err->code;
	out->id = (unsigned)id;
	if (far != NULL && strcmp(far, FAR_KERNEL_TEXT) != 0)
		return error_set(err, EINVAL,
		                 "relay %u: its far end can be \"" FAR_KERNEL_TEXT "\" only",
		                 out->id);
	out->far = far != NULL ? FAR_KERNEL : FAR_GUEST;
	rc = bond != NULL ? bond_read(bond, device, out, err)
	                  : device_spec_parse(device, &out->device, err);
	if (rc < 0)
		return error_prefix(err, "relay %u: ", out->id);
	return dynamic ? socket_check(path, out, err) : 0;
}

/* The list's last relay against those before it. */
static int relay_check_single(const struct state *state, struct error *err)
{
	const struct state_relay *last = &state->relays[state->n_relays - 1];

	for (const struct state_relay *other = state->relays; other < last; other++)
		if (other->id == last->id ||
		    bond_spec_overlap(&other->device, &other->bond, &last->device, &last->bond) ||
		    (state->dynamic_sockets && strcmp(other->socket, last->socket) == 0))
			return error_set(err, EINVAL,
			                 "relay %u: it, its device or its socket is there twice",
			                 last->id);
	return 0;
}

static int relays_read(json_t *list, struct state *out, struct error *err)
{
	if (!json_is_array(list) || json_array_size(list) > RELAYS_MAX)
		return refuse(err, "\"relays\" is not a list of relays");
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct state_relay *relay = &out->relays[out->n_relays++];

		if (relay_read(json_array_get(list, i), out->dynamic_sockets, relay, err) < 0 ||
		    relay_check_single(out, err) < 0)
			return -err->code;
	}
	return 0;
}

static bool cpu_is_possible(json_int_t cpu)
{
	return cpu >= -1 && cpu < CPU_SET_SIZE;
}

static int pins_read(json_t *list, struct state *out, struct error *err)
{
	if (!json_is_array(list) || json_array_size(list) > RELAYS_MAX)
		return refuse(err, "\"pins\" is not a list of pins");
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_int_t id, vf_to_vm, vm_to_vf;
		json_error_t why;

		if (json_unpack_ex(json_array_get(list, i), &why, JSON_STRICT, "{s:I, s:I, s:I}",
		                   "id", &id, "vf_to_vm_cpu", &vf_to_vm, "vm_to_vf_cpu",
		                   &vm_to_vf) < 0)
			return error_set(err, EINVAL, "a pin: %s", why.text);
		if (relay_id_check(id, err) < 0)
			return error_prefix(err, "a pin of ");
		if (!cpu_is_possible(vf_to_vm) || !cpu_is_possible(vm_to_vf))
			return refuse(err, "a pin: no CPU has such a number");
		for (unsigned j = 0; j < out->n_pins; j++)
			if (out->pins[j].relay_id == (unsigned)id)
				return refuse(err, "a relay is pinned twice");
		out->pins[out->n_pins++] = (struct cpu_pin){.relay_id = (unsigned)id,
		                                            .vf_to_vm_cpu = (int)vf_to_vm,
		                                            .vm_to_vf_cpu = (int)vm_to_vf};
	}
	return 0;
}

/* The version comes first: of another one nothing else can be known. */
static int object_read(json_t *root, const char *boot_id, struct state *out, struct error *err)
{
	const char *written_in;
	json_t *relays, *pins;
	json_error_t why;
	json_int_t version;
	int dynamic;

	if (json_unpack_ex(root, &why, 0, "{s:I}", "version", &version) < 0)
		return error_set(err, EINVAL, "no version: %s", why.text);
	if (version != STATE_VERSION)
		return error_set(err, ENOTSUP, "it is of version %lld, and this build reads %d",
		                 (long long)version, STATE_VERSION);
	if (json_unpack_ex(root, &why, JSON_STRICT, "{s:I, s:s, s:b, s:o, s:o}", "version",
	                   &version, "boot_id", &written_in, "dynamic_sockets", &dynamic, "relays",
	                   &relays, "pins", &pins) < 0)
		return error_set(err, EINVAL, "%s", why.text);
	if (strcmp(written_in, boot_id) != 0)
		return error_set(err, ESTALE, "the host has been booted since");
	out->dynamic_sockets = dynamic != 0;
	if (relays_read(relays, out, err) < 0 || pins_read(pins, out, err) < 0)
		return -err->code;
	return 0;
}

int state_parse(const char *text, size_t size, const char *boot_id, struct state *out,
                struct error *err)
{
	json_error_t why;
	json_t *root;
	int rc;

	memset(out, 0, sizeof(*out));
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
	if (root == NULL && json_error_code(&why) == json_error_out_of_memory)
		return error_set(err, ENOMEM, "out of memory");
	if (root == NULL)
		rc = error_set(err, EINVAL, "line %d: %s", why.line, why.text);
	else
		rc = object_read(root, boot_id, out, err);
	json_decref(root);
	if (rc < 0) {
		memset(out, 0, sizeof(*out));
		text_make_utf8(err->text); /* it may quote the file */
	}
	return rc;
}

/* --- writing ------------------------------------------------------------------------------- */

/* Both take over `item` and answer false when it, or anything on the way, is NULL. */
static bool append(json_t *list, json_t *item)
{
	return json_array_append_new(list, item) == 0;
}

/* NULL without a bond, which leaves the key out; also when memory runs out, as for all of them:
 * then *whole is false. */
static json_t *bond_make(const struct bond_spec *bond, bool *whole)
{
	json_t *members;

	if (bond->n_members == 0)
		return NULL;
	members = json_array();
	for (unsigned i = 0; i < bond->n_members && *whole; i++)
		*whole = append(members, json_string(bond->members[i].devargs));
	/* json_pack takes over the list. */
	json_t *made = json_pack("{s:i, s:o}", "mode", bond->mode, "members", members);
	*whole = *whole && made != NULL;
	return made;
}

static json_t *relays_make(const struct state *state)
{
	json_t *list = json_array();
	bool whole = list != NULL;

	for (unsigned i = 0; whole && i < state->n_relays; i++) {
		const struct state_relay *relay = &state->relays[i];

		json_t *bond = bond_make(&relay->bond, &whole);
		json_t *item = json_pack("{s:i, s:s, s:o*, s:s*, s:s*}", "id", (int)relay->id,
		                         "device", relay->device.devargs, "bond", bond, "far",
		                         relay->far == FAR_KERNEL ? FAR_KERNEL_TEXT : NULL,
		                         "socket", state->dynamic_sockets ? relay->socket : NULL);

		whole = append(list, item) && whole;
	}
	if (whole)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *pins_make(const struct state *state)
{
	json_t *list = json_array();
	bool whole = list != NULL;

	for (unsigned i = 0; whole && i < state->n_pins; i++) {
		const struct cpu_pin *pin = &state->pins[i];

		whole = append(list, json_pack("{s:i, s:i, s:i}", "id", (int)pin->relay_id,
		                               "vf_to_vm_cpu", pin->vf_to_vm_cpu, "vm_to_vf_cpu",
		                               pin->vm_to_vf_cpu));
	}
	if (whole)
		return list;
	json_decref(list);
	return NULL;
}

char *state_format(const struct state *state, const char *boot_id)
{
	/* json_pack takes over both lists, also when it fails or one is NULL. */
	json_t *root = json_pack("{s:i, s:s, s:b, s:o, s:o}", "version", STATE_VERSION, "boot_id",
	                         boot_id, "dynamic_sockets", state->dynamic_sockets, "relays",
	                         relays_make(state), "pins", pins_make(state));
	char *text = NULL;

	if (root != NULL)
		text = json_dumps(root, JSON_INDENT(1));
	json_decref(root);
	return text;
}
