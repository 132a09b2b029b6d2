/* Answers to the requests of HTTP, as libmicrohttpd asks for them. Control thread.
 */
#ifndef METRICS_ANSWER_H
#define METRICS_ANSWER_H

#include <microhttpd.h>

#include "metrics/scrape.h"

/* What all answers are made of; outlives them. */
struct answers {
	struct families families;
	const struct control *control;
	uint64_t start_s; /* of the metrics, since the epoch */
};

/* An MHD_AccessHandlerCallback, whose context are the struct answers. */
enum MHD_Result answer_request(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **request);

#endif
