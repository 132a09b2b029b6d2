/* Events on the wire. See event_stream.h. */
#include "rpc/event_stream.h"

#include <stdlib.h>

#include "rpc/event_message.h"

/* Where there is no memory, one event is missing among those that are kept. */
static void keep(struct event_stream *stream, uint8_t *bytes, size_t size)
{
	free(stream->kept[stream->next].bytes);
	stream->kept[stream->next].bytes = bytes;
	stream->kept[stream->next].size = size;
	stream->next = (stream->next + 1) % EVENT_STREAM_KEPT;
	if (stream->n_kept < EVENT_STREAM_KEPT)
		stream->n_kept++;
}

static void on_event(void *context, const struct event *event)
{
	struct event_stream *stream = context;
	uint64_t missed = stream->publisher != NULL ? publisher_missed(stream->publisher) : 0;
	struct event_message made;
	uint8_t *bytes;
	size_t size;

	event_message_make(event, missed, &made);
	size = virtioforwarder__event__get_packed_size(&made.message);
	bytes = malloc(size);
	if (bytes == NULL)
		return;
	virtioforwarder__event__pack(&made.message, bytes);
	if (stream->publisher != NULL)
		publisher_send(stream->publisher, made.message.name, bytes, size);
	keep(stream, bytes, size);
}

int event_stream_start(struct event_stream *stream, void *zmq, const char *address,
                       const struct endpoint_access *access, struct loop *loop, struct error *err)
{
	if (address != NULL) {
		stream->publisher = publisher_open(zmq, address, access, "events", loop, err);
		if (stream->publisher == NULL)
			return -err->code;
	}
	events_listen(on_event, stream);
	return 0;
}

void event_stream_stop(struct event_stream *stream)
{
	events_listen(NULL, NULL);
	publisher_close(stream->publisher);
	stream->publisher = NULL;
	for (unsigned i = 0; i < EVENT_STREAM_KEPT; i++)
		free(stream->kept[i].bytes);
	stream->n_kept = 0;
}

size_t event_stream_read(const struct event_stream *stream, size_t count,
                         Virtioforwarder__Event **out)
{
	size_t n = 0;

	if (count > stream->n_kept)
		count = stream->n_kept;
	for (size_t i = count; i > 0; i--) {
		size_t at = (stream->next + EVENT_STREAM_KEPT - i) % EVENT_STREAM_KEPT;

		out[n] = virtioforwarder__event__unpack(NULL, stream->kept[at].size,
		                                        stream->kept[at].bytes);
		n += out[n] != NULL;
	}
	return n;
}
