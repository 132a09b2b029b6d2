/* What one row of table Interface says about relays: columns name, options and external_ids, as
 * RFC 7047 writes them in JSON. Pure functions.
 */
#ifndef OVSDB_ROW_CONTENT_H
#define OVSDB_ROW_CONTENT_H

#include "ovsdb/rows.h"

/* 0 (maybe with out->fault), -ENOENT when the row names no relay, -EINVAL when it is no row. */
int row_content_read(const json_t *columns, struct row_content *out);
bool row_content_equal(const struct row_content *a, const struct row_content *b);

#endif
