/* Any bytes from a server, through the session, the rows, and the choice of what is to be attached.
 * The first byte says how long the pieces are that they come in; the others are the stream.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ovsdb/rows.h"
#include "ovsdb/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_send(void *context, const char *text, size_t length, struct error *err)
{
	(void)context;
	(void)err;
	if (length == 0 || text[0] != '{' || text[length - 1] != '}')
		abort();
	return 0;
}

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static void examine(struct rows *rows)
{
	const struct device_spec *has[RELAYS_MAX] = {NULL};
	struct row *wanted[RELAYS_MAX];
	struct row *row;
	unsigned count = 0;

	rows_choose(rows, "/nowhere", has, wanted);
	LIST_FOREACH (row, &rows->list, link) {
		count++;
		if (!is_text(row->uuid, sizeof(row->uuid)) ||
		    !is_text(row->content.name, sizeof(row->content.name)) ||
		    !is_text(row->content.fault, sizeof(row->content.fault)) ||
		    !is_text(row->said, sizeof(row->said)) ||
		    (row->content.fault[0] == '\0' && row->content.relay_id >= RELAYS_MAX))
			abort();
	}
	if (count != rows->count || count > ROWS_MAX)
		abort();
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct device_spec spec;
		struct error err;

		if (wanted[i] == NULL)
			continue;
		if (wanted[i]->content.relay_id != i || !wanted[i]->resolved ||
		    device_spec_parse(wanted[i]->device.devargs, &spec, &err) < 0)
			abort();
		for (unsigned j = 0; j < i; j++)
			if (wanted[j] != NULL &&
			    device_spec_equal(&wanted[i]->device, &wanted[j]->device))
				abort();
	}
}

static int on_table(void *context, const json_t *updates, bool whole, struct error *err)
{
	struct rows *rows = context;
	int rc = rows_apply(rows, updates, whole, err);

	if (rc == 0)
		examine(rows);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rows rows = ROWS_INIT;
	struct session session = {.send = on_send, .table = on_table, .context = &rows};
	struct error err = {0};
	size_t piece;
	int rc = 0;

	if (size == 0)
		return 0;
	log_set_level(LOG_EMERG);
	piece = data[0] > 0 ? data[0] : size;
	for (size_t done = 1; done < size && rc == 0; done += piece) {
		size_t length = size - done < piece ? size - done : piece;

		rc = session_feed(&session, (const char *)data + done, length, &err);
	}
	if (rc < 0 && (rc != -err.code || err.text[0] == '\0'))
		abort();
	session_end(&session);
	rows_clear(&rows);
	return 0;
}
