/* What has become of a request. See outcome.h. */
#include "relay/outcome.h"

#include <stdarg.h>
#include <stdio.h>

void outcome_ok(outcome_fn done, void *context)
{
	done(context, &(struct outcome){.reason = OUTCOME_OK});
}

void outcome_fail(outcome_fn done, void *context, enum outcome_reason reason, const char *format,
                  ...)
{
	struct outcome outcome = {.reason = reason};
	va_list args;

	va_start(args, format);
	vsnprintf(outcome.text, sizeof(outcome.text), format, args);
	va_end(args);
	done(context, &outcome);
}
