/* What one row of table Interface says about relays: columns name, options and external_ids, as
 * RFC 7047 writes them in JSON. Pure functions.
 */
#ifndef OVSDB_ROW_CONTENT_H
#define OVSDB_ROW_CONTENT_H

#include <stdbool.h>
#include <sys/queue.h>

#include <jansson.h>

#include "base/device_spec.h"
#include "base/error.h"
#include "base/limits.h"

#define ROW_NAME_MAX 64 /* longer names are cut */
#define ROW_UUID_MAX 37 /* NUL included */

/* What external_ids:virtio_forwarder (or virtio_relay) means. */
enum row_ids {
	ROW_IDS_RELAY, /* the number of a relay */
	ROW_IDS_VF,    /* yes, whatever it is: the relay is the VF's number on its PF */
};

/* What a row says, and nothing else: rows with equal contents ask for the same. */
struct row_content {
	char name[ROW_NAME_MAX]; /* the interface's */
	enum row_ids ids;
	unsigned relay_id; /* with ROW_IDS_RELAY */
	enum row_device {
		ROW_DEVICE_NAMED,       /* device is it */
		ROW_DEVICE_REPRESENTOR, /* VF vf_index of the PF that device is */
		ROW_DEVICE_NETDEV,      /* what is behind the network interface called name */
	} kind;
	struct device_spec device;
	unsigned vf_index;
	char fault[ERROR_TEXT_MAX]; /* why the row asks for nothing; "" = it does */
};

struct row {
	LIST_ENTRY(row) link;
	char uuid[ROW_UUID_MAX];
	struct row_content content;
	bool resolved; /* device and relay are what the content means; stays until that changes */
	struct device_spec device; /* when resolved */
	unsigned relay_id;         /* likewise */
	char said[ERROR_TEXT_MAX]; /* the warning that stands in the log; "" = none */
	bool stale;                /* not seen yet in the table that is being read */
};

/* 0 (maybe with out->fault), -ENOENT when the row names no relay, -EINVAL when it is no row. */
int row_content_read(const json_t *columns, enum row_ids ids, struct row_content *out);
bool row_content_equal(const struct row_content *a, const struct row_content *b);

/* The row's device and relay, looked up in sysfs where they are not named; once found they are
 * kept, since a netdev goes when its function is bound to vfio-pci. 0, -ENODEV with err filled. */
int row_resolve(struct row *row, const char *sysfs, struct error *err);

#endif
