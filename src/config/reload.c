/* Comparing two configurations, row by row of the schema. See reload.h. */
#include "config/reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES  96
#define VALUE_MAX_BYTES 64

static const void *field(const struct config *config, const struct schema_row *row)
{
	return (const char *)config + row->offset;
}

/* --- equality ------------------------------------------------------------------------------ */

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_words(char *const *a, char *const *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	while (*a != NULL && *b != NULL && strcmp(*a, *b) == 0) {
		a++;
		b++;
	}
	return *a == NULL && *b == NULL;
}

static bool same_pins(const struct config *a, const struct config *b)
{
	bool same = a->n_pins == b->n_pins;

	for (size_t i = 0; same && i < a->n_pins; i++)
		same = a->pins[i].relay_id == b->pins[i].relay_id &&
		       a->pins[i].vf_to_vm_cpu == b->pins[i].vf_to_vm_cpu &&
		       a->pins[i].vm_to_vf_cpu == b->pins[i].vm_to_vf_cpu;
	return same;
}

static bool same_static_vfs(const struct config *a, const struct config *b)
{
	bool same = a->n_static_vfs == b->n_static_vfs;

	for (size_t i = 0; same && i < a->n_static_vfs; i++)
		same = a->static_vfs[i].relay_id == b->static_vfs[i].relay_id &&
		       strcmp(a->static_vfs[i].device.devargs, b->static_vfs[i].device.devargs) ==
		               0 &&
		       bond_spec_equal(&a->static_vfs[i].bond, &b->static_vfs[i].bond);
	return same;
}

static bool same_value(const struct config *a, const struct config *b, const struct schema_row *row)
{
	if (schema_is_string(row))
		return same_text(*(char *const *)field(a, row), *(char *const *)field(b, row));
	switch (row->type) {
	case SCHEMA_FLAG:
	case SCHEMA_ENABLE:
		return *(const bool *)field(a, row) == *(const bool *)field(b, row);
	case SCHEMA_LEVEL:
	case SCHEMA_NUMBER:
		return memcmp(field(a, row), field(b, row), sizeof(unsigned)) == 0;
	case SCHEMA_FRACTION:
		return memcmp(field(a, row), field(b, row), sizeof(double)) == 0;
	case SCHEMA_CPUS:
		return memcmp(field(a, row), field(b, row), sizeof(struct cpu_set)) == 0;
	case SCHEMA_PINS:
		return same_pins(a, b);
	case SCHEMA_STATIC_VF:
		return same_static_vfs(a, b);
	case SCHEMA_VLANS:
		return memcmp(a->vlans, b->vlans, sizeof(a->vlans)) == 0;
	case SCHEMA_WORDS:
		return same_words(a->eal_args, b->eal_args);
	default: /* of the command line alone, which stays what it is */
		return true;
	}
}

/* --- differences --------------------------------------------------------------------------- */

static void name_row(const struct schema_row *row, char out[NAME_MAX_BYTES])
{
	if (row->variable == NULL)
		snprintf(out, NAME_MAX_BYTES, "--%s", row->option);
	else if (row->option == NULL)
		snprintf(out, NAME_MAX_BYTES, "%s", row->variable);
	else
		snprintf(out, NAME_MAX_BYTES, "%s (--%s)", row->variable, row->option);
}

unsigned config_differences(const struct config *running, const struct config *wanted, char *out,
                            size_t size)
{
	unsigned count = 0;
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < schema_size; i++) {
		char name[NAME_MAX_BYTES];
		int n;

		if (schema[i].at_run_time || schema[i].variable == NULL ||
		    same_value(running, wanted, &schema[i]))
			continue;
		name_row(&schema[i], name);
		n = snprintf(out + len, size - len, "%s%s", count > 0 ? ", " : "", name);
		if (n > 0 && (size_t)n < size - len)
			len += (size_t)n;
		count++;
	}
	return count;
}

/* Of the types that rows of this kind have; see the assertion in test_reload.c. */
static void format_value(const struct config *config, const struct schema_row *row,
                         char out[VALUE_MAX_BYTES])
{
	switch (row->type) {
	case SCHEMA_LEVEL:
		snprintf(out, VALUE_MAX_BYTES, "%d", *(const int *)field(config, row));
		break;
	case SCHEMA_FRACTION:
		snprintf(out, VALUE_MAX_BYTES, "%g", *(const double *)field(config, row));
		break;
	default:
		snprintf(out, VALUE_MAX_BYTES, "%s",
		         *(const bool *)field(config, row) ? "on" : "off");
	}
}

static size_t value_size(const struct schema_row *row)
{
	switch (row->type) {
	case SCHEMA_LEVEL:
		return sizeof(int);
	case SCHEMA_FRACTION:
		return sizeof(double);
	default:
		return sizeof(bool);
	}
}

unsigned config_take(struct config *running, const struct config *wanted, config_change_fn *tell,
                     void *context)
{
	unsigned count = 0;

	for (size_t i = 0; i < schema_size; i++) {
		const struct schema_row *row = &schema[i];
		char name[NAME_MAX_BYTES], before[VALUE_MAX_BYTES], now[VALUE_MAX_BYTES];

		if (!row->at_run_time || same_value(running, wanted, row))
			continue;
		name_row(row, name);
		format_value(running, row, before);
		format_value(wanted, row, now);
		memcpy((char *)running + row->offset, field(wanted, row), value_size(row));
		tell(context, name, before, now);
		count++;
	}
	return count;
}

bool config_is_new_warning(const struct config *running, const char *warning)
{
	for (size_t i = 0; i < running->n_warnings; i++)
		if (strcmp(running->warnings[i], warning) == 0)
			return false;
	return true;
}

int config_check_number(const char *option, double value, struct error *err)
{
	const struct schema_row *row = schema_find_option(option);

	if (value >= row->min && value <= row->max)
		return 0;
	return error_set(err, EINVAL, "%s is %g, which is not a number from %g to %g", option,
	                 value, row->min, row->max);
}
