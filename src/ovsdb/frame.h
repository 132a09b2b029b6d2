/* A stream of JSON objects cut into its messages, without a bound on how the stream comes in pieces
 * and with one on how long a message gets. What a message says is left to the JSON parser. Belongs
 * to the connection that it is fed from.
 */
#ifndef OVSDB_FRAME_H
#define OVSDB_FRAME_H

#include <stdbool.h>
#include <stddef.h>

/* The longest is the first answer: the whole table, some 400 bytes a row. */
#define FRAME_BYTES_MAX ((size_t)4 << 20)

struct frame {
	char *data; /* of the message that has begun */
	size_t used, size;
	unsigned depth; /* open braces and brackets; 0 between messages */
	bool in_string, escaped;
};

/* 0, or a negative value that ends the feeding and is its result. */
typedef int (*frame_fn)(void *context, const char *text, size_t length);

/* Calls message for each message that data completes. 0; -EPROTO when something else than a JSON
 * object begins, -EMSGSIZE when one gets too long, -ENOMEM, or what message returned. After an
 * error the rest is lost: frame_reset. */
int frame_feed(struct frame *frame, const char *data, size_t length, frame_fn message,
               void *context);
void frame_reset(struct frame *frame); /* also frees */

#endif
