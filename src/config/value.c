/* From a value's text to its field in struct config; see value.h. One function per type.
 */
#include "config/value.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bind_spec.h"
#include "base/parse.h"
#include "config/address.h"
#include "config/bond.h"
#include "config/vlans.h"

/* What the reference calls "the" token. */
#define DEFAULT_TOKEN "14d63f20-8445-11ea-8900-1f9ce7d5650d"

#define EAL_WORDS_MAX 256
#define WARNINGS_MAX  100 /* a file of junk must not fill the log */

#define NUMBER_DIGITS_MAX 32 /* what is longer is no number that somebody meant */

#define LIST_WORD_MAX (DEVICE_DEVARGS_MAX + 8)

static void *field(struct config *cfg, const struct schema_row *row)
{
	return (char *)cfg + row->offset;
}

const char *value_format_limit(double limit, char *out, size_t size)
{
	snprintf(out, size, "%g", limit);
	return out;
}

static int out_of_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory");
}

int value_warn(struct config *cfg, const char *format, ...)
{
	char **warnings = reallocarray(cfg->warnings, cfg->n_warnings + 1, sizeof(*warnings));
	va_list args;
	int n;

	if (warnings == NULL)
		return -ENOMEM;
	cfg->warnings = warnings;
	if (cfg->n_warnings == WARNINGS_MAX)
		format = "more of the like is left out";
	else if (cfg->n_warnings > WARNINGS_MAX)
		return 0;
	va_start(args, format);
	n = vasprintf(&warnings[cfg->n_warnings], format, args);
	va_end(args);
	if (n < 0)
		return -ENOMEM;
	cfg->n_warnings++;
	return 0;
}

static int refuse_range(const struct schema_row *row, const char *text, struct error *err)
{
	char min[32], max[32];

	return error_set(err, EINVAL, "\"%.80s\" is not a number from %s to %s", text,
	                 value_format_limit(row->min, min, sizeof(min)),
	                 value_format_limit(row->max, max, sizeof(max)));
}

/* For a lenient row, of a text that is a number beyond its range: the number that counts instead.
 * That is the nearest limit, or the default for what is below 0 (and for 0 where that is out of
 * range). False: the text is no number, or the row is not lenient. */
static bool bring_into_range(const struct schema_row *row, const char *text, double *out)
{
	bool negative = text[0] == '-';
	double value = DBL_MAX;

	text += negative;
	if (!row->lenient || strlen(text) > NUMBER_DIGITS_MAX ||
	    (row->type == SCHEMA_LEVEL && strchr(text, '.') != NULL) ||
	    parse_fraction(text, 0, DBL_MAX, &value) == -EINVAL)
		return false;
	if (negative || value <= 0)
		(void)parse_fraction(row->absent, row->min, row->max, out);
	else
		*out = value < row->min ? row->min : row->max;
	return true;
}

/* The number that counts instead, with a warning that names both; or a refusal. */
static int apply_stray(struct config *cfg, const struct schema_row *row, const char *text,
                       double *out, struct error *err)
{
	char used[32];

	if (!bring_into_range(row, text, out))
		return refuse_range(row, text, err);
	if (value_warn(cfg, "--%s (%s) is %.40s, which is out of its range: %s is used",
	               row->option, row->variable, text,
	               value_format_limit(*out, used, sizeof(used))) < 0)
		return out_of_memory(err);
	return 0;
}

static int apply_number(struct config *cfg, const struct schema_row *row, const char *text,
                        struct error *err)
{
	uint32_t value;
	double instead = 0;

	if (parse_u32(text, (uint32_t)row->min, (uint32_t)row->max, &value) < 0) {
		if (apply_stray(cfg, row, text, &instead, err) < 0)
			return -err->code;
		value = (uint32_t)instead;
	}
	if (row->type == SCHEMA_LEVEL)
		*(int *)field(cfg, row) = (int)value;
	else
		*(unsigned *)field(cfg, row) = value;
	return 0;
}

static int apply_fraction(struct config *cfg, const struct schema_row *row, const char *text,
                          struct error *err)
{
	if (parse_fraction(text, row->min, row->max, field(cfg, row)) == 0)
		return 0;
	return apply_stray(cfg, row, text, field(cfg, row), err);
}

/* People expect "n" or "0" to switch something off, where the file's rule is that any value
 * switches it on. */
static int apply_flag(struct config *cfg, const struct schema_row *row, const char *text,
                      struct error *err)
{
	static const char *const denials[] = {"n", "no", "off", "false", "0"};

	*(bool *)field(cfg, row) = true;
	for (size_t i = 0; text != NULL && i < sizeof(denials) / sizeof(denials[0]); i++) {
		if (strcasecmp(text, denials[i]) == 0 &&
		    value_warn(cfg,
		               "%s=%s switches it on, as any value does: leave the value empty to "
		               "switch it off",
		               row->variable, text) < 0)
			return out_of_memory(err);
	}
	return 0;
}

/* Only "true" counts, and nothing else stops a file that was written for the reference. */
static int apply_enable(struct config *cfg, const struct schema_row *row, const char *text,
                        struct error *err)
{
	bool on = strcmp(text, "true") == 0;

	*(bool *)field(cfg, row) = on;
	if (!on && strcmp(text, "false") != 0 &&
	    value_warn(cfg, "%s=%.80s is neither true nor false: it counts as false", row->variable,
	               text) < 0)
		return out_of_memory(err);
	return 0;
}

static int apply_foreground(struct config *cfg, const char *text, struct error *err)
{
	if (text != NULL && strcmp(text, "log_syslog") != 0)
		return error_set(err, EINVAL,
		                 "\"%.80s\" is unknown: leave the value out to log to stdout, or "
		                 "give log_syslog",
		                 text);
	cfg->foreground = true;
	cfg->foreground_syslog = text != NULL;
	return 0;
}

/* --- strings ------------------------------------------------------------------------------- */

static int store_string(struct config *cfg, const struct schema_row *row, const char *text,
                        struct error *err)
{
	char **place = field(cfg, row);

	free(*place);
	*place = strdup(text);
	return *place != NULL ? 0 : out_of_memory(err);
}

/* As seen from anywhere: a daemon in the background is in "/", and reads its file again. */
static int store_file(struct config *cfg, const struct schema_row *row, const char *text,
                      struct error *err)
{
	char directory[PATH_MAX], *path;
	int rc;

	if (text[0] == '/')
		return store_string(cfg, row, text, err);
	if (getcwd(directory, sizeof(directory)) == NULL)
		return error_set(
		        err, EINVAL,
		        "the working directory cannot be told (%s): write an absolute path",
		        strerror(errno));
	if (asprintf(&path, "%s/%s", directory, text) < 0)
		return out_of_memory(err);
	rc = store_string(cfg, row, path, err);
	free(path);
	return rc;
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static int check_path(const char *text, struct error *err)
{
	if (text[0] != '/')
		return error_set(err, EINVAL,
		                 "\"%.80s\" is not an absolute path: it must begin "
		                 "with '/'",
		                 text);
	if (!is_printable(text))
		return error_set(err, EINVAL, "the path holds control characters");
	return 0;
}

static int check_pattern(const char *text, struct error *err)
{
	const char *place = strstr(text, "%u");

	if (strchr(text, '/') != NULL)
		return error_set(err, EINVAL,
		                 "\"%.80s\" holds a '/': the directory is --vhost-path's", text);
	if (place == NULL || strchr(text, '%') != place || strchr(place + 1, '%') != NULL)
		return error_set(
		        err, EINVAL,
		        "\"%.80s\" must hold exactly one %%u, for the relay's id, and no other "
		        "'%%'",
		        text);
	return is_printable(text) ? 0
	                          : error_set(err, EINVAL, "the pattern holds control characters");
}

static bool is_uuid(const char *text)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (strlen(text) != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		bool hex = strchr("0123456789abcdefABCDEF", text[i]) != NULL;

		if (shape[i] == 'x' ? !hex : text[i] != '-')
			return false;
	}
	return true;
}

static int apply_token(struct config *cfg, const struct schema_row *row, const char *text,
                       struct error *err)
{
	if (text[0] == '\0') {
		free(cfg->vfio_vf_token);
		cfg->vfio_vf_token = NULL;
		return 0;
	}
	if (strcmp(text, "0") == 0)
		text = DEFAULT_TOKEN;
	else if (!is_uuid(text))
		return error_set(
		        err, EINVAL,
		        "\"%.80s\" is neither a UUID nor 0 (which stands for " DEFAULT_TOKEN ")",
		        text);
	return store_string(cfg, row, text, err);
}

static int check_bind_list(const char *text, struct error *err)
{
	struct bind_spec spec;
	int rc;

	do
		rc = bind_spec_next(&text, &spec, err);
	while (rc > 0);
	return rc;
}

/* The choices are what the help shows: {a,b}. */
static int check_choice(const struct schema_row *row, const char *text, struct error *err)
{
	const char *choices = row->argument + 1;
	size_t length = strlen(text), end = strcspn(choices, "}");

	for (const char *choice = choices; choice < choices + end;) {
		size_t n = strcspn(choice, ",}");

		if (n == length && memcmp(choice, text, n) == 0)
			return 0;
		choice += n + 1;
	}
	return error_set(err, EINVAL, "\"%.80s\" is none of those that there are: %.*s", text,
	                 (int)end, choices);
}

static int check_string(const struct schema_row *row, const char *text, struct error *err)
{
	switch (row->type) {
	case SCHEMA_PATH:
		return check_path(text, err);
	case SCHEMA_PATTERN:
		return check_pattern(text, err);
	case SCHEMA_CHOICE:
		return check_choice(row, text, err);
	case SCHEMA_BIND:
		return check_bind_list(text, err);
	case SCHEMA_ENDPOINT:
		return address_check(text, err);
	case SCHEMA_METRICS:
		return address_http_parse(text, &(struct address_http){0}, err);
	default:
		if (is_printable(text) && text[0] != '\0')
			return 0;
		return error_set(err, EINVAL, "the value is empty or holds control characters");
	}
}

static int apply_string(struct config *cfg, const struct schema_row *row, const char *text,
                        struct error *err)
{
	if (text == NULL)
		text = row->bare;
	if (text == NULL) { /* an account left out: the process's own */
		char **place = field(cfg, row);

		free(*place);
		*place = NULL;
		return 0;
	}
	if (row->type == SCHEMA_TOKEN)
		return apply_token(cfg, row, text, err);
	if (check_string(row, text, err) < 0)
		return -err->code;
	if (row->type == SCHEMA_FILE)
		return store_file(cfg, row, text, err);
	return store_string(cfg, row, text, err);
}

/* --- lists --------------------------------------------------------------------------------- */

typedef int list_word_fn(struct config *cfg, const char *word, struct error *err);

/* Values of a list may be joined by blanks: that is what scripts made of an array. */
static int apply_each(struct config *cfg, const char *text, list_word_fn *apply, struct error *err)
{
	char word[LIST_WORD_MAX];
	size_t len;
	int rc;

	do {
		text += strspn(text, " \t");
		len = strcspn(text, " \t");
		if (len >= sizeof(word))
			return error_set(err, EINVAL, "\"%.80s…\" is longer than %zu characters",
			                 text, sizeof(word) - 1);
		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		rc = apply(cfg, word, err);
		text += len;
	} while (rc == 0 && text[strspn(text, " \t")] != '\0');
	return rc;
}

/* The workers' row stands above this one, so they are known by now. */
static int apply_pins(struct config *cfg, const char *word, struct error *err)
{
	size_t first = cfg->n_pins;

	if (cpu_pins_parse(word, cfg->pins, RELAYS_MAX, &cfg->n_pins, err) < 0)
		return -err->code;
	for (size_t i = first; i < cfg->n_pins && cpu_set_count(&cfg->worker_cpus) > 0; i++) {
		const struct cpu_pin *pin = &cfg->pins[i];
		int cpu = pin->vf_to_vm_cpu;

		if (cpu_set_has(&cfg->worker_cpus, (unsigned)cpu))
			cpu = pin->vm_to_vf_cpu;
		if (!cpu_set_has(&cfg->worker_cpus, (unsigned)cpu))
			return error_set(
			        err, EINVAL,
			        "relay %u is pinned to CPU %d, which is no worker's: pin it "
			        "to one of --cpus, or add the CPU there",
			        pin->relay_id, cpu);
	}
	return 0;
}

/* Whether the relay or the device has been given away by an earlier word; why says by which. */
static bool is_taken(const struct config *cfg, const char *word, const struct static_vf *vf,
                     struct error *why)
{
	for (size_t i = 0; i < cfg->n_static_vfs; i++) {
		const struct static_vf *other = &cfg->static_vfs[i];

		if (other->relay_id == vf->relay_id) {
			error_set(why, EINVAL, "\"%s\": relay %u has %s already", word,
			          vf->relay_id, other->device.name);
			return true;
		}
		if (bond_spec_overlap(&other->device, &other->bond, &vf->device, &vf->bond)) {
			error_set(why, EINVAL,
			          "\"%s\": %s, or a member of it, is relay %u's already", word,
			          vf->device.name, other->relay_id);
			return true;
		}
		if (vf->far.kind == FAR_KERNEL && other->far.kind == FAR_KERNEL &&
		    strcmp(vf->far.interface, other->far.interface) == 0) {
			error_set(why, EINVAL, "\"%s\": the interface %s is relay %u's already",
			          word, vf->far.interface, other->relay_id);
			return true;
		}
	}
	return false;
}

/* What stands there first is kept: files with a VF twice have always been started with. */
static int add_static_vf(struct config *cfg, const char *word, const struct static_vf *vf,
                         const char *option, struct error *err)
{
	struct error why;

	if (is_taken(cfg, word, vf, &why)) {
		if (value_warn(cfg, "%s: %s, and keeps it", option, why.text) < 0)
			return out_of_memory(err);
		return 0;
	}
	cfg->static_vfs[cfg->n_static_vfs++] = *vf; /* there are as many as relay ids */
	return 0;
}

static int parse_static_vf(const char *word, struct static_vf *vf, struct error *err)
{
	if (bond_is_named(word))
		return bond_parse(word, vf, err);
	return static_vf_parse(word, &vf->device, &vf->relay_id, err);
}

static int apply_static_vf(struct config *cfg, const char *word, struct error *err)
{
	struct static_vf vf = {0};

	if (parse_static_vf(word, &vf, err) < 0)
		return -err->code;
	return add_static_vf(cfg, word, &vf, "--add-pci-vf (VIRTIOFWD_STATIC_VFS)", err);
}

/* As above, with the name of an interface behind a comma, or the usual one. */
static int apply_kernel_vf(struct config *cfg, const char *word, struct error *err)
{
	char interface[FAR_INTERFACE_MAX];
	struct static_vf vf = {0};
	int len = far_spec_split(word, interface, err);
	char *rest = len < 0 ? NULL : strndup(word, (size_t)len);

	if (len < 0)
		return error_prefix(err, "\"%.80s\": ", word);
	if (rest == NULL)
		return out_of_memory(err);
	int rc = parse_static_vf(rest, &vf, err);
	free(rest);
	if (rc < 0)
		return -err->code;
	vf.far = far_spec_kernel(vf.relay_id);
	if (interface[0] != '\0')
		memcpy(vf.far.interface, interface, sizeof(interface));
	return add_static_vf(cfg, word, &vf, "--kernel-vf (VIRTIOFWD_KERNEL_VFS)", err);
}

static size_t count_words(char *const *words)
{
	size_t n = 0;

	while (words != NULL && words[n] != NULL)
		n++;
	return n;
}

static int add_word(struct config *cfg, const char *word, size_t len, struct error *err)
{
	size_t n = count_words(cfg->eal_args);
	char **words;

	if (n >= EAL_WORDS_MAX)
		return error_set(err, EINVAL, "more than %d words", EAL_WORDS_MAX);
	words = reallocarray(cfg->eal_args, n + 2, sizeof(*words));
	if (words == NULL)
		return out_of_memory(err);
	cfg->eal_args = words;
	words[n] = strndup(word, len);
	words[n + 1] = NULL;
	return words[n] != NULL ? 0 : out_of_memory(err);
}

/* Splits at blanks; '…' and "…" keep them, as a shell would. */
static int apply_words(struct config *cfg, const char *text, struct error *err)
{
	char *word = malloc(strlen(text) + 1);
	size_t len = 0;
	bool any = false;
	char quote = '\0';
	int rc = 0;

	if (word == NULL)
		return out_of_memory(err);
	for (const char *c = text; rc == 0; c++) {
		bool blank = *c == ' ' || *c == '\t' || *c == '\0';

		if (quote != '\0' && *c == '\0') {
			rc = error_set(err, EINVAL, "the quote %c is not closed", quote);
		} else if (quote != '\0' && *c == quote) {
			quote = '\0';
		} else if (quote == '\0' && (*c == '\'' || *c == '"')) {
			quote = *c;
			any = true;
		} else if (quote == '\0' && blank) {
			if (any)
				rc = add_word(cfg, word, len, err);
			any = false;
			len = 0;
		} else {
			word[len++] = *c;
			any = true;
		}
		if (*c == '\0')
			break;
	}
	free(word);
	return rc;
}

static int apply_binary(struct config *cfg, const char *text, struct error *err)
{
	const char *name = strrchr(text, '/');

	if (strcmp(name != NULL ? name + 1 : text, "virtio-forwarder") == 0)
		return 0;
	if (value_warn(cfg,
	               "VIRTIOFWD_BINARY names %.200s, but does not choose the binary here: "
	               "the service's unit does",
	               text) < 0)
		return out_of_memory(err);
	return 0;
}

int value_apply(struct config *cfg, const struct schema_row *row, const char *text,
                struct error *err)
{
	switch (row->type) {
	case SCHEMA_FLAG:
		return apply_flag(cfg, row, text, err);
	case SCHEMA_ENABLE:
		return apply_enable(cfg, row, text, err);
	case SCHEMA_FOREGROUND:
		return apply_foreground(cfg, text, err);
	case SCHEMA_LEVEL:
	case SCHEMA_NUMBER:
		return apply_number(cfg, row, text, err);
	case SCHEMA_FRACTION:
		return apply_fraction(cfg, row, text, err);
	case SCHEMA_CPUS:
		return cpu_set_parse(text, field(cfg, row), err);
	case SCHEMA_BINARY:
		return apply_binary(cfg, text, err);
	case SCHEMA_PINS:
		return apply_each(cfg, text, apply_pins, err);
	case SCHEMA_STATIC_VF:
		return apply_each(cfg, text, apply_static_vf, err);
	case SCHEMA_KERNEL_VF:
		return apply_each(cfg, text, apply_kernel_vf, err);
	case SCHEMA_VLANS:
		return apply_each(cfg, text, vlans_apply, err);
	case SCHEMA_WORDS:
		return apply_words(cfg, text, err);
	default:
		return apply_string(cfg, row, text, err);
	}
}
