/* The rows that are followed, and which of them gets what. See rows.h; what a single row says is
 * read in row_content.c.
 */
#include "ovsdb/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "ovsdb/row_content.h"

static void row_remove(struct rows *rows, struct row *row)
{
	LIST_REMOVE(row, link);
	free(row);
	rows->count--;
}

void rows_clear(struct rows *rows)
{
	struct row *row;

	while ((row = LIST_FIRST(&rows->list)) != NULL)
		row_remove(rows, row);
}

static struct row *row_find(const struct rows *rows, const char *uuid)
{
	struct row *row;

	LIST_FOREACH (row, &rows->list, link)
		if (strcmp(row->uuid, uuid) == 0)
			return row;
	return NULL;
}

void row_report(struct row *row, const char *text)
{
	if (strcmp(row->said, text) == 0)
		return;
	if (text[0] != '\0')
		log_warn("OVSDB: interface \"%s\": %s", row->content.name, text);
	else
		log_notice("OVSDB: interface \"%s\": all is well now, relay %u has %s",
		           row->content.name, row->relay_id, row->device.name);
	snprintf(row->said, sizeof(row->said), "%s", text);
}

/* --- updates ------------------------------------------------------------------------------ */

/* NULL without memory, or without room: then *rc is 0, since the others go on. */
static struct row *row_insert(struct rows *rows, const char *uuid, int *rc)
{
	struct row *row;

	*rc = 0;
	if (rows->count == ROWS_MAX) {
		if (!rows->overflow)
			log_warn("OVSDB: more than %d interfaces name a relay; the others are not "
			         "followed",
			         ROWS_MAX);
		rows->overflow = true;
		return NULL;
	}
	row = calloc(1, sizeof(*row));
	if (row == NULL) {
		*rc = -ENOMEM;
		return NULL;
	}
	snprintf(row->uuid, sizeof(row->uuid), "%s", uuid);
	LIST_INSERT_HEAD(&rows->list, row, link);
	rows->count++;
	return row;
}

static int row_update(struct rows *rows, const char *uuid, const json_t *columns)
{
	struct row *row = row_find(rows, uuid);
	struct row_content content;
	int rc = row_content_read(columns, rows->ids, &content);

	if (rc == -EINVAL) {
		log_write_limited(&rows->malformed, LOG_WARNING,
		                  "OVSDB: row %s of table Interface is malformed and not heeded",
		                  uuid);
		if (row != NULL)
			row->stale = false;
		return 0;
	}
	if (rc == -ENOENT) { /* names no relay */
		if (row != NULL)
			row_remove(rows, row);
		return 0;
	}
	if (row == NULL) {
		row = row_insert(rows, uuid, &rc);
		if (row == NULL)
			return rc;
	} else if (row_content_equal(&row->content, &content)) {
		row->stale = false;
		return 0;
	}
	row->stale = false;
	row->resolved = false;
	row->said[0] = '\0'; /* a changed row is a new question */
	row->content = content;
	return 0;
}

int rows_apply(struct rows *rows, const json_t *updates, bool whole, struct error *err)
{
	json_t *table = json_object_get(updates, "Interface");
	struct row *row, *next;
	const char *uuid;
	json_t *update;

	if (!json_is_object(updates) || (table != NULL && !json_is_object(table)))
		return error_set(err, EPROTO, "the server sends table updates that are none");
	LIST_FOREACH (row, &rows->list, link)
		row->stale = whole;
	rows->overflow &= !whole;
	json_object_foreach(table, uuid, update)
	{
		json_t *columns = json_object_get(update, "new");

		if (!json_is_object(update) || strlen(uuid) >= ROW_UUID_MAX)
			return error_set(err, EPROTO, "the server sends a row update that is none");
		if (columns == NULL || json_is_null(columns)) {
			row = row_find(rows, uuid);
			if (row != NULL)
				row_remove(rows, row);
		} else if (row_update(rows, uuid, columns) < 0) {
			return error_set(err, ENOMEM, "out of memory");
		}
	}
	for (row = LIST_FIRST(&rows->list); row != NULL; row = next) {
		next = LIST_NEXT(row, link);
		if (row->stale)
			row_remove(rows, row);
	}
	return 0;
}

/* --- who gets what -------------------------------------------------------------------------- */

struct candidate {
	struct row *row;
	bool holds; /* its device is on its relay already */
};

static int compare(const void *a, const void *b)
{
	const struct candidate *one = a, *other = b;
	int order;

	if (one->holds != other->holds)
		return one->holds ? -1 : 1;
	order = strcmp(one->row->content.name, other->row->content.name);
	return order != 0 ? order : strcmp(one->row->uuid, other->row->uuid);
}

/* Those whose relay and device are known; the others are told why not. */
static unsigned find_candidates(struct rows *rows, const char *sysfs,
                                const struct device_spec *const has[RELAYS_MAX],
                                struct candidate *out, bool *all_found)
{
	unsigned count = 0;
	struct row *row;

	*all_found = true;
	LIST_FOREACH (row, &rows->list, link) {
		const struct device_spec *there;
		struct error err;

		if (row->content.fault[0] != '\0') {
			row_report(row, row->content.fault);
			continue;
		}
		if (row_resolve(row, sysfs, &err) < 0) {
			row_report(row, err.text);
			*all_found = false;
			continue;
		}
		there = has[row->relay_id];
		out[count].row = row;
		out[count++].holds = there != NULL && device_spec_equal(there, &row->device);
	}
	return count;
}

/* The row that has been given the device, or NULL. */
static const struct row *owner_of(struct row *const wanted[RELAYS_MAX],
                                  const struct device_spec *device)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		if (wanted[i] != NULL && device_spec_equal(&wanted[i]->device, device))
			return wanted[i];
	return NULL;
}

#define OTHER_RELAY                                                                            \
	"give this one another relay, or take external_ids:virtio_forwarder away from one of " \
	"them; if it only means yes in this database, set VIRTIOFWD_OVSDB_IDS=vf (--ovsdb-ids)"
#define OTHER_PF                                                                                  \
	"VFs of two PFs have the same number; with VIRTIOFWD_OVSDB_IDS=relay (--ovsdb-ids) rows " \
	"name their relays themselves"

/* Gives the row its relay, unless the relay or the device has been given to another one. */
static void choose(struct row *row, struct row *wanted[RELAYS_MAX])
{
	unsigned id = row->relay_id;
	const struct row *owner = owner_of(wanted, &row->device);
	char text[ERROR_TEXT_MAX];

	if (wanted[id] != NULL)
		snprintf(text, sizeof(text), "relay %u belongs to interface \"%s\" already; %s", id,
		         wanted[id]->content.name,
		         row->content.ids == ROW_IDS_RELAY ? OTHER_RELAY : OTHER_PF);
	else if (owner != NULL)
		snprintf(text, sizeof(text),
		         "%s belongs to interface \"%s\" on relay %u already; a device serves one "
		         "relay",
		         row->device.name, owner->content.name, owner->relay_id);
	else
		wanted[id] = row;
	if (wanted[id] != row)
		row_report(row, text);
}

bool rows_choose(struct rows *rows, const char *sysfs,
                 const struct device_spec *const has[RELAYS_MAX], struct row *wanted[RELAYS_MAX])
{
	struct candidate candidates[ROWS_MAX];
	unsigned count;
	bool all_found;

	memset(wanted, 0, RELAYS_MAX * sizeof(struct row *));
	count = find_candidates(rows, sysfs, has, candidates, &all_found);
	qsort(candidates, count, sizeof(candidates[0]), compare);
	for (unsigned i = 0; i < count; i++)
		choose(candidates[i].row, wanted);
	return all_found;
}
