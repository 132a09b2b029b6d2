/* What one source (the command line, or the configuration file) says: rows of the schema with
 * their values as text, in the order in which they stand there. Made and freed within one call of
 * config_load.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stddef.h>

#include "base/error.h"
#include "config/schema.h"

struct setting {
	const struct schema_row *row;
	char *text;    /* NULL: given without a value */
	unsigned line; /* in the file, from 1; 0 on the command line */
};

struct settings {
	const char *file; /* name for messages, the caller's; NULL: the command line */
	struct setting *items;
	size_t count, capacity;
};

/* Copies len bytes of text (NULL: no value). 0 or -ENOMEM. */
int settings_add(struct settings *settings, const struct schema_row *row, const char *text,
                 size_t len, unsigned line, struct error *err);
/* Forget what was said about row: a variable that is assigned again starts anew. */
void settings_drop(struct settings *settings, const struct schema_row *row);
/* The last setting of row, or NULL. */
const struct setting *settings_last(const struct settings *settings, const struct schema_row *row);
void settings_free(struct settings *settings);

/* Put the place in front of err's text: "option --cpus (-C): " or "FILE:12: VARIABLE: ". */
int settings_blame(const struct settings *settings, const struct setting *setting,
                   struct error *err);

#endif
