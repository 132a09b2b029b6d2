/* From a value's text to its field in struct config; see value.h. One function per type.
 */
#include "config/value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

/* What the reference calls "the" token. */
#define DEFAULT_TOKEN "14d63f20-8445-11ea-8900-1f9ce7d5650d"

#define EAL_WORDS_MAX 256

#define IPC_PATH_MAX 107 /* sun_path without its NUL */

static void *field(struct config *cfg, const struct schema_row *row)
{
	return (char *)cfg + row->offset;
}

const char *value_format_limit(double limit, char *out, size_t size)
{
	snprintf(out, size, "%g", limit);
	return out;
}

int value_warn(struct config *cfg, const char *format, ...)
{
	char **warnings = reallocarray(cfg->warnings, cfg->n_warnings + 1, sizeof(*warnings));
	va_list args;
	int n;

	if (warnings == NULL)
		return -ENOMEM;
	cfg->warnings = warnings;
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

	return error_set(err, EINVAL, "\"%s\" is not a number from %s to %s", text,
			 value_format_limit(row->min, min, sizeof(min)),
			 value_format_limit(row->max, max, sizeof(max)));
}

static int apply_number(struct config *cfg, const struct schema_row *row, const char *text,
			struct error *err)
{
	uint32_t value;

	if (parse_u32(text, (uint32_t)row->min, (uint32_t)row->max, &value) < 0)
		return refuse_range(row, text, err);
	if (row->type == SCHEMA_LEVEL)
		*(int *)field(cfg, row) = (int)value;
	else
		*(unsigned *)field(cfg, row) = value;
	return 0;
}

static int apply_fraction(struct config *cfg, const struct schema_row *row, const char *text,
			  struct error *err)
{
	if (parse_fraction(text, row->min, row->max, field(cfg, row)) < 0)
		return refuse_range(row, text, err);
	return 0;
}

static int apply_enable(struct config *cfg, const struct schema_row *row, const char *text,
			struct error *err)
{
	bool on = strcmp(text, "true") == 0;

	if (!on && strcmp(text, "false") != 0)
		return error_set(err, EINVAL, "\"%s\" is neither true nor false", text);
	*(bool *)field(cfg, row) = on;
	return 0;
}

static int apply_foreground(struct config *cfg, const char *text, struct error *err)
{
	if (text != NULL && strcmp(text, "log_syslog") != 0)
		return error_set(err, EINVAL,
				 "\"%s\" is unknown: leave the value out to log to stdout, or give "
				 "log_syslog", text);
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
	return *place != NULL ? 0 : error_set(err, ENOMEM, "out of memory");
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
		return error_set(err, EINVAL, "\"%s\" is not an absolute path", text);
	if (!is_printable(text))
		return error_set(err, EINVAL, "the path holds control characters");
	return 0;
}

static int check_pattern(const char *text, struct error *err)
{
	const char *place = strstr(text, "%u");

	if (strchr(text, '/') != NULL)
		return error_set(err, EINVAL,
				 "\"%s\" holds a '/': the directory is --vhost-path's", text);
	if (place == NULL || strchr(text, '%') != place || strchr(place + 1, '%') != NULL)
		return error_set(err, EINVAL,
				 "\"%s\" must hold exactly one %%u, for the relay's id, and no other "
				 "'%%'", text);
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
		return error_set(err, EINVAL,
				 "\"%s\" is neither a UUID nor 0 (which stands for " DEFAULT_TOKEN ")",
				 text);
	return store_string(cfg, row, text, err);
}

static bool is_loopback(const char *host)
{
	return string_starts_with(host, "127.") || string_starts_with(host, "localhost:") ||
	       string_starts_with(host, "[::1]:");
}

/* What depends on other options (tcp beyond the loopback) is config.c's. */
static int check_endpoint(const char *text, struct error *err)
{
	if (!is_printable(text))
		return error_set(err, EINVAL, "the endpoint holds control characters");
	if (string_starts_with(text, "tcp://"))
		return 0;
	if (!string_starts_with(text, "ipc://"))
		return error_set(err, EINVAL, "\"%s\" is not an endpoint: write ipc:///path or "
				 "tcp://address:port", text);
	text += strlen("ipc://");
	if (text[0] != '/')
		return error_set(err, EINVAL, "ipc endpoints want an absolute path: ipc:///path");
	if (strlen(text) > IPC_PATH_MAX)
		return error_set(err, EINVAL, "the path of an ipc endpoint may have %d bytes",
				 IPC_PATH_MAX);
	return 0;
}

static int apply_endpoint(struct config *cfg, const struct schema_row *row, const char *text,
			  struct error *err)
{
	if (check_endpoint(text, err) < 0)
		return -err->code;
	if (string_starts_with(text, "tcp://") && is_loopback(text + strlen("tcp://")) &&
	    value_warn(cfg, "%s: every user of this machine can use it; ipc:// endpoints have "
		       "permissions", text) < 0)
		return error_set(err, ENOMEM, "out of memory");
	return store_string(cfg, row, text, err);
}

/* "0000:05:08.1", "ens1f0" or "ens1f0:4". */
static int check_bind_word(const char *word, struct error *err)
{
	struct pci_address address;
	struct error ignored;
	const char *colon = strchr(word, ':');
	uint32_t count;

	if (pci_address_parse(word, &address, &ignored) == 0)
		return 0;
	if (word[0] == '\0' || strlen(word) > 32 || strchr(word, '/') != NULL ||
	    strchr(word, ' ') != NULL)
		return error_set(err, EINVAL,
				 "\"%s\" is neither a PCI address, nor a network device, nor "
				 "DEVICE:COUNT", word);
	if (colon != NULL && parse_u32(colon + 1, 1, 256, &count) < 0)
		return error_set(err, EINVAL, "\"%s\": the count is a number from 1 to 256", word);
	return 0;
}

static int check_bind_list(const char *text, struct error *err)
{
	char word[64];

	while (*text != '\0') {
		size_t len = strcspn(text, ",");

		if (len >= sizeof(word))
			return error_set(err, EINVAL, "\"%.*s\" is too long", (int)len, text);
		memcpy(word, text, len);
		word[len] = '\0';
		if (check_bind_word(word, err) < 0)
			return -err->code;
		text += len + (text[len] == ',');
	}
	return 0;
}

static int check_string(const struct schema_row *row, const char *text, struct error *err)
{
	switch (row->type) {
	case SCHEMA_PATH:
		return check_path(text, err);
	case SCHEMA_PATTERN:
		return check_pattern(text, err);
	case SCHEMA_BIND:
		return check_bind_list(text, err);
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
	if (row->type == SCHEMA_ENDPOINT)
		return apply_endpoint(cfg, row, text, err);
	if (check_string(row, text, err) < 0)
		return -err->code;
	return store_string(cfg, row, text, err);
}

/* --- lists --------------------------------------------------------------------------------- */

static int apply_static_vf(struct config *cfg, const char *text, struct error *err)
{
	struct static_vf vf;

	if (string_starts_with(text, "net_bonding")) {
		if (value_warn(cfg, "%s: bonds are not available yet in this build; left out",
			       text) < 0)
			return error_set(err, ENOMEM, "out of memory");
		return 0;
	}
	if (static_vf_parse(text, &vf.device, &vf.relay_id, err) < 0)
		return -err->code;
	for (size_t i = 0; i < cfg->n_static_vfs; i++) {
		if (cfg->static_vfs[i].relay_id == vf.relay_id)
			return error_set(err, EINVAL, "\"%s\": relay %u has %s already", text,
					 vf.relay_id, cfg->static_vfs[i].device.name);
		if (device_spec_equal(&cfg->static_vfs[i].device, &vf.device))
			return error_set(err, EINVAL, "\"%s\": %s is relay %u's already", text,
					 vf.device.name, cfg->static_vfs[i].relay_id);
	}
	cfg->static_vfs[cfg->n_static_vfs++] = vf; /* there are as many as relay ids */
	return 0;
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
		return error_set(err, ENOMEM, "out of memory");
	cfg->eal_args = words;
	words[n] = strndup(word, len);
	words[n + 1] = NULL;
	return words[n] != NULL ? 0 : error_set(err, ENOMEM, "out of memory");
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
		return error_set(err, ENOMEM, "out of memory");
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
	if (value_warn(cfg, "VIRTIOFWD_BINARY names %s, which does not choose the binary here: the "
		       "service's unit does", text) < 0)
		return error_set(err, ENOMEM, "out of memory");
	return 0;
}

int value_apply(struct config *cfg, const struct schema_row *row, const char *text,
		struct error *err)
{
	switch (row->type) {
	case SCHEMA_FLAG:
		*(bool *)field(cfg, row) = true;
		return 0;
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
		return cpu_pins_parse(text, cfg->pins, RELAYS_MAX, &cfg->n_pins, err);
	case SCHEMA_STATIC_VF:
		return apply_static_vf(cfg, text, err);
	case SCHEMA_WORDS:
		return apply_words(cfg, text, err);
	default:
		return apply_string(cfg, row, text, err);
	}
}
