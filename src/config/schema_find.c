/* What is asked about the rows of the configuration's table; see schema.h. Pure functions. */
#include "config/schema.h"

#include <string.h>

const char *schema_group_title(enum schema_group group)
{
	static const char *const titles[GROUP_COUNT] = {
	        [GROUP_CPUS] = "CPUs",
	        [GROUP_DEVICES] = "VFs and packets",
	        [GROUP_SOCKETS] = "Guests' sockets",
	        [GROUP_ENDPOINTS] = "Control",
	        [GROUP_BALANCER] = "Balancing",
	        [GROUP_PROCESS] = "Process",
	        [GROUP_REQUESTS] = "Instead of running",
	};

	return titles[group];
}

bool schema_is_list(const struct schema_row *row)
{
	return row->type == SCHEMA_PINS || row->type == SCHEMA_STATIC_VF ||
	       row->type == SCHEMA_KERNEL_VF || row->type == SCHEMA_VLANS ||
	       row->type == SCHEMA_WORDS;
}

bool schema_is_string(const struct schema_row *row)
{
	switch (row->type) {
	case SCHEMA_FILE:
	case SCHEMA_PATH:
	case SCHEMA_ACCOUNT:
	case SCHEMA_ENDPOINT:
	case SCHEMA_METRICS:
	case SCHEMA_PATTERN:
	case SCHEMA_TOKEN:
	case SCHEMA_CHOICE:
	case SCHEMA_BIND:
		return true;
	default:
		return false;
	}
}

const struct schema_row *schema_find_option(const char *name)
{
	for (size_t i = 0; i < schema_size; i++) {
		if (schema[i].option != NULL && strcmp(schema[i].option, name) == 0)
			return &schema[i];
	}
	return NULL;
}

const struct schema_row *schema_find_letter(int letter)
{
	for (size_t i = 0; i < schema_size; i++) {
		if (schema[i].letter != 0 && schema[i].letter == letter)
			return &schema[i];
	}
	return NULL;
}

const struct schema_row *schema_find_variable(const char *name, size_t len)
{
	for (size_t i = 0; i < schema_size; i++) {
		const char *variable = schema[i].variable;

		if (variable != NULL && strlen(variable) == len && memcmp(variable, name, len) == 0)
			return &schema[i];
	}
	return NULL;
}
