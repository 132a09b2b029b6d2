/* What becomes of events on the wire: each is published, if the endpoint is configured, and the
 * last ones are kept for those who come too late. Control thread.
 */
#ifndef RPC_EVENT_STREAM_H
#define RPC_EVENT_STREAM_H

#include "rpc/transport/publisher.h"
#include "virtioforwarder.pb-c.h"

#define EVENT_STREAM_KEPT 256

struct event_stream {
	struct publisher *publisher; /* NULL: not configured */
	struct {
		uint8_t *bytes; /* a packed Event */
		size_t size;
	} kept[EVENT_STREAM_KEPT]; /* a ring */
	unsigned next, n_kept;
};

/* Hears of all events from now on. address may be NULL. 0, or -errno with err. */
int event_stream_start(struct event_stream *stream, void *zmq, const char *address,
                       const struct endpoint_access *access, struct loop *loop, struct error *err);
/* Harmless when zero-initialised. */
void event_stream_stop(struct event_stream *stream);

/* The last `count` that are kept, oldest first, into out, which has room for as many. Returns how
 * many there are; each is the caller's to free (virtioforwarder__event__free_unpacked). */
size_t event_stream_read(const struct event_stream *stream, size_t count,
                         Virtioforwarder__Event **out);

#endif
