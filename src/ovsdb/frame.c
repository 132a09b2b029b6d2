/* Messages out of a stream. See frame.h. */
#include "ovsdb/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES_FIRST ((size_t)4 << 10)
#define FRAME_BYTES_KEPT  ((size_t)64 << 10) /* what a long message took is given back */

static int append(struct frame *frame, const char *data, size_t length)
{
	size_t size = frame->size > 0 ? frame->size : FRAME_BYTES_FIRST;
	char *grown;

	if (length > FRAME_BYTES_MAX - frame->used)
		return -EMSGSIZE;
	while (size < frame->used + length)
		size *= 2;
	if (size != frame->size) {
		grown = realloc(frame->data, size);
		if (grown == NULL)
			return -ENOMEM;
		frame->data = grown;
		frame->size = size;
	}
	memcpy(frame->data + frame->used, data, length);
	frame->used += length;
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Only what nests matters here, and strings, since they may hold braces. */
static void scan(struct frame *frame, char c)
{
	if (frame->escaped) {
		frame->escaped = false;
	} else if (frame->in_string) {
		frame->escaped = c == '\\';
		frame->in_string = c != '"';
	} else if (c == '"') {
		frame->in_string = true;
	} else if (c == '{' || c == '[') {
		frame->depth++;
	} else if (c == '}' || c == ']') {
		frame->depth--;
	}
}

static int deliver(struct frame *frame, frame_fn message, void *context)
{
	int rc = message(context, frame->data, frame->used);

	frame->used = 0;
	if (frame->size > FRAME_BYTES_KEPT)
		frame_reset(frame);
	return rc;
}

int frame_feed(struct frame *frame, const char *data, size_t length, frame_fn message,
               void *context)
{
	size_t begin = 0; /* of what is not in the frame yet */
	int rc;

	for (size_t i = 0; i < length; i++) {
		if (frame->depth == 0) {
			begin = i;
			if (is_space(data[i]))
				continue;
			if (data[i] != '{')
				return -EPROTO;
		}
		scan(frame, data[i]);
		if (frame->depth > 0)
			continue;
		rc = append(frame, data + begin, i + 1 - begin);
		if (rc == 0)
			rc = deliver(frame, message, context);
		if (rc < 0)
			return rc;
	}
	return frame->depth > 0 ? append(frame, data + begin, length - begin) : 0;
}

void frame_reset(struct frame *frame)
{
	free(frame->data);
	memset(frame, 0, sizeof(*frame));
}
