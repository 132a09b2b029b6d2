/* Lists of settings, see settings.h. Each belongs to the call that made it. */
#include "config/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int settings_add(struct settings *settings, const struct schema_row *row, const char *text,
                 size_t len, unsigned line, struct error *err)
{
	struct setting *item;

	if (settings->count == settings->capacity) {
		size_t capacity = settings->capacity == 0 ? 32 : settings->capacity * 2;
		struct setting *items = reallocarray(settings->items, capacity, sizeof(*items));

		if (items == NULL)
			return error_set(err, ENOMEM, "out of memory");
		settings->items = items;
		settings->capacity = capacity;
	}
	item = &settings->items[settings->count];
	*item = (struct setting){.row = row, .line = line};
	if (text != NULL) {
		item->text = strndup(text, len);
		if (item->text == NULL)
			return error_set(err, ENOMEM, "out of memory");
	}
	settings->count++;
	return 0;
}

void settings_drop(struct settings *settings, const struct schema_row *row)
{
	size_t kept = 0;

	for (size_t i = 0; i < settings->count; i++) {
		if (settings->items[i].row == row)
			free(settings->items[i].text);
		else
			settings->items[kept++] = settings->items[i];
	}
	settings->count = kept;
}

const struct setting *settings_last(const struct settings *settings, const struct schema_row *row)
{
	for (size_t i = settings->count; i > 0; i--) {
		if (settings->items[i - 1].row == row)
			return &settings->items[i - 1];
	}
	return NULL;
}

void settings_free(struct settings *settings)
{
	for (size_t i = 0; i < settings->count; i++)
		free(settings->items[i].text);
	free(settings->items);
	settings->items = NULL;
	settings->count = settings->capacity = 0;
}

int settings_blame(const struct settings *settings, const struct setting *setting,
                   struct error *err)
{
	const struct schema_row *row = setting->row;

	if (settings->file != NULL)
		return error_prefix(err, "%s:%u: %s: ", settings->file, setting->line,
		                    row->variable);
	if (row->letter != 0)
		return error_prefix(err, "option --%s (-%c): ", row->option, row->letter);
	return error_prefix(err, "option --%s: ", row->option);
}
