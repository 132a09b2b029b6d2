/* The rows of OVSDB's table Interface that name a relay, and what they ask for. Text and numbers
 * only: what comes of a row is decided in ovsdb.c. Control thread only.
 */
#ifndef OVSDB_ROWS_H
#define OVSDB_ROWS_H

#include <stdbool.h>
#include <sys/queue.h>

#include <jansson.h>

#include "base/device_spec.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "ovsdb/row_content.h"

#define ROWS_MAX 1024 /* that name a relay: many times what 64 relays can take */

LIST_HEAD(row_list, row);

struct rows {
	struct row_list list;
	unsigned count;
	bool overflow;    /* more than ROWS_MAX, and said */
	enum row_ids ids; /* constant */
	struct log_limit malformed;
};

/* clang-format's versions break braces of macros differently. */
/* clang-format off */
#define ROWS_INIT {.malformed = LOG_LIMIT(60000, 5)}
/* clang-format on */

/* The updates of RFC 7047's table-updates: inserts, changes, deletions. With whole they are the
 * table, and rows that are not among them go. 0; -EPROTO or -ENOMEM with err filled: what is in
 * rows may have changed in part, and the whole table must be read again. A row that is none is not
 * heeded, with a warning. */
int rows_apply(struct rows *rows, const json_t *updates, bool whole, struct error *err);
void rows_clear(struct rows *rows);

/* Logs what is wrong about the row, "" when nothing is any more, unless the log has it already. */
void row_report(struct row *row, const char *text);

/* Which row gets which relay: wanted[id] is the row, resolved, or NULL. Where several want the same
 * relay or device, the one that has it (has[id] is the device that OVSDB's side has there, NULL
 * without one) keeps it, else the first by name. Says of the others why not. False when devices are
 * still to be found: look again later. */
bool rows_choose(struct rows *rows, const char *sysfs,
                 const struct device_spec *const has[RELAYS_MAX], struct row *wanted[RELAYS_MAX]);

#endif
