/* The formats of the metrics. See format.h. */
#include "metrics/format.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"

#define BLANKS    " \t"
#define PARAM_MAX 32

/* A stretch of the header, without the blanks around it. */
struct part {
	const char *text;
	size_t len;
};

static struct part part_trim(const char *text, size_t len)
{
	while (len > 0 && strchr(BLANKS, text[0]) != NULL) {
		text++;
		len--;
	}
	while (len > 0 && strchr(BLANKS, text[len - 1]) != NULL)
		len--;
	return (struct part){text, len};
}

static bool part_is(struct part part, const char *text)
{
	return part.len == strlen(text) && strncasecmp(part.text, text, part.len) == 0;
}

/* The next part of a list, which is shortened by it. False at the list's end. */
static bool part_next(struct part *list, const char *separator, struct part *out)
{
	size_t len;

	if (list->text == NULL)
		return false;
	for (len = 0; len < list->len && list->text[len] != separator[0]; len++)
		;
	*out = part_trim(list->text, len);
	if (len == list->len) {
		list->text = NULL;
	} else {
		list->text += len + 1;
		list->len -= len + 1;
	}
	return true;
}

/* The value of "name=value", or false. One that is too long is none that is looked for: "". */
static bool param_value(struct part param, const char *name, char out[PARAM_MAX])
{
	size_t len = strlen(name);

	if (param.len <= len || param.text[len] != '=' || strncasecmp(param.text, name, len) != 0)
		return false;
	param.text += len + 1;
	param.len -= len + 1;
	if (param.len >= PARAM_MAX)
		param.len = 0;
	memcpy(out, param.text, param.len);
	out[param.len] = '\0';
	return true;
}

/* The weights that the header gives to the two. */
struct weights {
	double text, openmetrics;
};

static void weigh(struct part range, struct weights *weights)
{
	struct part type, param;
	char value[PARAM_MAX];
	bool version_known = true;
	double q = 1;

	if (!part_next(&range, ";", &type))
		return;
	while (part_next(&range, ";", &param)) {
		if (param_value(param, "version", value))
			version_known = strcmp(value, "1.0.0") == 0;
		else if (param_value(param, "q", value) && parse_fraction(value, 0, 1, &q) < 0)
			q = 0; /* what cannot be read is not preferred */
	}
	if (part_is(type, "application/openmetrics-text")) {
		if (version_known && q > weights->openmetrics)
			weights->openmetrics = q;
	} else if (part_is(type, "text/plain") || part_is(type, "text/*") || part_is(type, "*/*")) {
		if (q > weights->text)
			weights->text = q;
	}
}

enum metrics_format metrics_format_choose(const char *accept)
{
	struct weights weights = {0, 0};
	struct part list = {accept, accept != NULL ? strlen(accept) : 0}, range;

	while (part_next(&list, ",", &range))
		weigh(range, &weights);
	return weights.openmetrics > 0 && weights.openmetrics >= weights.text ? METRICS_OPENMETRICS
	                                                                      : METRICS_TEXT;
}

const char *metrics_format_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS
	               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
	               : "text/plain; version=0.0.4; charset=utf-8";
}
