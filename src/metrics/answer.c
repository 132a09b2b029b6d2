/* Answers to the requests of HTTP. See answer.h.
 * Each answer is its connection's last: a scraper comes a few times a minute, and those who have
 * been here need not be kept apart from those who are yet to ask.
 */
#include "metrics/answer.h"

#include <string.h>

#define METRICS_PATH "/metrics"
#define METHODS      "GET, HEAD"
#define PIECE_SIZE   16384 /* that libmicrohttpd asks for at a time */

/* 0 if a header could not be added. */
static int add_header(struct MHD_Response *response, const char *name, const char *value)
{
	return MHD_add_response_header(response, name, value) == MHD_YES;
}

/* Queues the response, which may be NULL, and lets go of it. MHD_NO has the connection closed. */
static enum MHD_Result give(struct MHD_Connection *connection, unsigned status, const char *type,
                            const char *allow, struct MHD_Response *response)
{
	enum MHD_Result result = MHD_NO;

	if (response == NULL)
		return MHD_NO;
	if (add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) &&
	    add_header(response, MHD_HTTP_HEADER_CONNECTION, "close") &&
	    (allow == NULL || add_header(response, MHD_HTTP_HEADER_ALLOW, allow)))
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *allow,
                              const char *text)
{
	return give(connection, status, "text/plain; charset=utf-8", allow,
	            MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
	                                            MHD_RESPMEM_PERSISTENT));
}

static ssize_t on_read(void *context, uint64_t position, char *out, size_t max)
{
	ssize_t n = scrape_read(context, out, max);

	(void)position; /* it is always where the last piece has ended */
	if (n > 0)
		return n;
	return n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void on_free(void *context)
{
	scrape_free(context);
}

static enum MHD_Result give_metrics(const struct answers *answers,
                                    struct MHD_Connection *connection)
{
	const char *accept =
	        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	enum metrics_format format = metrics_format_choose(accept);
	struct scrape *scrape =
	        scrape_create(&answers->families, answers->control, format, answers->start_s);
	struct MHD_Response *response;

	if (scrape == NULL)
		return MHD_NO;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_SIZE, on_read, scrape,
	                                             on_free);
	if (response == NULL)
		scrape_free(scrape);
	return give(connection, MHD_HTTP_OK, metrics_format_type(format), NULL, response);
}

enum MHD_Result answer_request(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **request)
{
	(void)version;
	(void)upload;
	(void)upload_size; /* it is asked before the rest has come, which is not looked at then */
	(void)request;
	if (strcmp(url, METRICS_PATH) != 0)
		return refuse(connection, MHD_HTTP_NOT_FOUND, NULL,
		              "There is nothing here: the metrics are at " METRICS_PATH ".\n");
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, METHODS,
		              "The metrics can be read, and nothing else: " METHODS ".\n");
	return give_metrics(context, connection);
}
