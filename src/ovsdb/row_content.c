/* One row of table Interface. See row_content.h. */
#include "ovsdb/row_content.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "sys/pci_sysfs.h"

#define VFS_MAX        65536
#define RELAY_NAME_MAX 16

#define IDS_RELAY_REMEDY \
	"with VIRTIOFWD_OVSDB_IDS=relay (--ovsdb-ids) rows name their relays themselves"

/* --- JSON --------------------------------------------------------------------------------- */

/* Whether this is ["map", [[key, value], …]] with texts for keys and values. */
static bool is_map(const json_t *column)
{
	const json_t *pairs = json_array_get(column, 1), *pair;
	const char *tag = json_string_value(json_array_get(column, 0));
	size_t i;

	if (json_array_size(column) != 2 || tag == NULL || strcmp(tag, "map") != 0 ||
	    !json_is_array(pairs))
		return false;
	json_array_foreach(pairs, i,
	                   pair) if (json_array_size(pair) != 2 ||
	                             !json_is_string(json_array_get(pair, 0)) ||
	                             !json_is_string(json_array_get(pair, 1))) return false;
	return true;
}

/* NULL when the map does not have the key. A key with an empty value is not different. */
static const char *map_find(const json_t *column, const char *key)
{
	const json_t *pair;
	size_t i;

	json_array_foreach(json_array_get(column, 1), i, pair)
	{
		const char *value = json_string_value(json_array_get(pair, 1));

		if (strcmp(json_string_value(json_array_get(pair, 0)), key) == 0)
			return value[0] != '\0' ? value : NULL;
	}
	return NULL;
}

/* --- the relay ---------------------------------------------------------------------------- */

static int relay_read(const json_t *external_ids, enum row_ids ids, unsigned *relay_id,
                      struct error *err)
{
	const char *ours = map_find(external_ids, "virtio_forwarder");
	const char *older = map_find(external_ids, "virtio_relay");
	const char *text = ours != NULL ? ours : older;
	uint32_t id;

	if (text == NULL)
		return -ENOENT;
	if (ids == ROW_IDS_VF)
		return 0;
	if (ours != NULL && older != NULL && strcmp(ours, older) != 0)
		return error_set(err, EINVAL,
		                 "external_ids:virtio_forwarder is \"%.40s\" and virtio_relay is "
		                 "\"%.40s\": give one of them",
		                 ours, older);
	if (parse_u32(text, 0, RELAYS_MAX - 1, &id) < 0)
		return error_set(err, EINVAL,
		                 "external_ids:%s is \"%.40s\", which is no relay; ids are 0 to %d",
		                 ours != NULL ? "virtio_forwarder" : "virtio_relay", text,
		                 RELAYS_MAX - 1);
	*relay_id = id;
	return 0;
}

/* --- the device --------------------------------------------------------------------------- */

/* The number in "3", "[3]", "vf3", "vf[3]", "pf0vf3", with nothing but ',' or the end behind it:
 * lists, ranges and sub-functions name no single VF. */
static int representor_read(const char *text, unsigned *vf_index)
{
	char digits[8];
	uint32_t number;
	size_t length;
	bool bracket;

	if (string_starts_with(text, "pf")) {
		text += 2;
		text += strspn(text, "0123456789");
		if (!string_starts_with(text, "vf"))
			return -EINVAL;
	}
	if (string_starts_with(text, "vf"))
		text += 2;
	bracket = *text == '[';
	text += bracket;
	length = strspn(text, "0123456789");
	if (length >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, length);
	digits[length] = '\0';
	text += length;
	if (parse_u32(digits, 0, VFS_MAX - 1, &number) < 0 || (bracket && *text++ != ']') ||
	    (*text != '\0' && *text != ','))
		return -EINVAL;
	*vf_index = number;
	return 0;
}

/* A PCI address may have arguments for Open vSwitch's driver behind it. They are not ours, save
 * one: with representor= the port stands for a VF, and the address is its PF's. */
static int devargs_read(const char *devargs, struct row_content *out, struct error *err)
{
	static const char key[] = ",representor=";
	const char *representor = strstr(devargs, key);
	char address[DEVICE_NAME_MAX];
	size_t length = strcspn(devargs, ",");

	out->kind = ROW_DEVICE_NAMED;
	if (devargs[length] == '\0' || length >= sizeof(address) ||
	    string_starts_with(devargs, "net_"))
		return device_spec_parse(devargs, &out->device, err);
	memcpy(address, devargs, length);
	address[length] = '\0';
	if (device_spec_parse(address, &out->device, err) < 0)
		return -err->code;
	if (representor == NULL)
		return 0;
	out->kind = ROW_DEVICE_REPRESENTOR;
	if (representor_read(representor + strlen(key), &out->vf_index) < 0)
		return error_set(err, EINVAL,
		                 "\"%.80s\" does not name a single VF; give one VF in "
		                 "representor=, or its address in options:dpdk-devargs",
		                 devargs);
	return 0;
}

static int device_read(const json_t *options, const json_t *external_ids, struct row_content *out,
                       struct error *err)
{
	const char *devargs = map_find(options, "dpdk-devargs");
	const char *vf_pci = map_find(external_ids, "vf-pci");
	const char *from = devargs != NULL ? "options:dpdk-devargs" : "external_ids:vf-pci";
	int rc;

	if (devargs != NULL)
		rc = devargs_read(devargs, out, err);
	else if (vf_pci != NULL)
		rc = device_spec_parse(vf_pci, &out->device, err);
	else {
		out->kind = ROW_DEVICE_NETDEV;
		return 0;
	}
	return rc < 0 ? error_prefix(err, "%s: ", from) : 0;
}

/* --- the row ------------------------------------------------------------------------------ */

int row_content_read(const json_t *columns, enum row_ids ids, struct row_content *out)
{
	const char *name = json_string_value(json_object_get(columns, "name"));
	const json_t *options = json_object_get(columns, "options");
	const json_t *external_ids = json_object_get(columns, "external_ids");
	struct error err = {0};
	int rc;

	*out = (struct row_content){.ids = ids};
	if (name == NULL || !is_map(options) || !is_map(external_ids))
		return -EINVAL;
	rc = relay_read(external_ids, ids, &out->relay_id, &err);
	if (rc == -ENOENT)
		return rc;
	snprintf(out->name, sizeof(out->name), "%s", name);
	if (rc == 0)
		rc = device_read(options, external_ids, out, &err);
	if (rc < 0)
		snprintf(out->fault, sizeof(out->fault), "%s", err.text);
	return 0;
}

bool row_content_equal(const struct row_content *a, const struct row_content *b)
{
	return strcmp(a->name, b->name) == 0 && a->relay_id == b->relay_id && a->kind == b->kind &&
	       strcmp(a->device.devargs, b->device.devargs) == 0 && a->vf_index == b->vf_index &&
	       strcmp(a->fault, b->fault) == 0;
}

static const char *relay_name(const struct row_content *content, char out[RELAY_NAME_MAX])
{
	if (content->ids == ROW_IDS_VF)
		return "\"the VF's number\"";
	snprintf(out, RELAY_NAME_MAX, "%u", content->relay_id);
	return out;
}

static int device_resolve(struct row *row, const char *sysfs, struct error *err)
{
	const struct row_content *content = &row->content;
	struct pci_address address;
	char name[RELAY_NAME_MAX];

	switch (content->kind) {
	case ROW_DEVICE_NAMED:
		row->device = content->device;
		break;
	case ROW_DEVICE_REPRESENTOR:
		if (!content->device.is_pci ||
		    pci_sysfs_find_vf(sysfs, &content->device.pci, content->vf_index, &address) < 0)
			return error_set(err, ENODEV,
			                 "options:dpdk-devargs names VF %u of %s, which has no "
			                 "such VF; create it (sriov_numvfs), or give another "
			                 "device",
			                 content->vf_index, content->device.name);
		device_spec_from_pci(&address, &row->device);
		break;
	case ROW_DEVICE_NETDEV:
		if (pci_sysfs_find_netdev(sysfs, content->name, &address) < 0)
			return error_set(err, ENODEV,
			                 "it names relay %s but no device, and no PCI device is "
			                 "behind a network interface of this name; give a VF in "
			                 "options:dpdk-devargs or external_ids:vf-pci",
			                 relay_name(content, name));
		device_spec_from_pci(&address, &row->device);
		break;
	}
	return 0;
}

/* The device is known. */
static int relay_resolve(struct row *row, const char *sysfs, struct error *err)
{
	const struct row_content *content = &row->content;
	struct pci_function function = {.has_pf = false};

	row->relay_id = content->relay_id;
	if (content->ids == ROW_IDS_RELAY)
		return 0;
	if (row->device.is_pci)
		(void)pci_sysfs_read(sysfs, &row->device.pci, &function);
	if (!function.has_pf)
		return error_set(err, ENODEV,
		                 "%s is no VF of a PF on this machine, whose number would be its "
		                 "relay; " IDS_RELAY_REMEDY,
		                 row->device.name);
	if (function.vf_index >= RELAYS_MAX)
		return error_set(err, ENODEV,
		                 "%s is VF %u, and relays are 0 to %d; " IDS_RELAY_REMEDY,
		                 row->device.name, function.vf_index, RELAYS_MAX - 1);
	row->relay_id = function.vf_index;
	return 0;
}

int row_resolve(struct row *row, const char *sysfs, struct error *err)
{
	if (!row->resolved &&
	    (device_resolve(row, sysfs, err) < 0 || relay_resolve(row, sysfs, err) < 0))
		return -err->code;
	row->resolved = true;
	return 0;
}
