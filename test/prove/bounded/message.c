/* Proves of src/vhost/message.c: any 524 bytes that may come as a message, with any number of
 * descriptors. What is let through has the size that its request says, as many regions as there is
 * room for, and a descriptor for each.
 */
#include "prove.h"

#include "vhost/message.c"

int error_set(struct error *err, int code, const char *format, ...)
{
	(void)format;
	err->code = code;
	return -code;
}

static void prove_let_through(const struct message *message, unsigned n_fds)
{
	prove((message->flags & MESSAGE_VERSION_MASK) == MESSAGE_VERSION &&
	              (message->flags & MESSAGE_IS_REPLY) == 0,
	      "it is a request");
	prove(message->size <= MESSAGE_PAYLOAD_MAX, "its payload has room");
	if (!message_is_known(message->request))
		return;
	prove(n_fds <= MESSAGE_FDS_MAX, "there is room for its descriptors");
	if (message->request != MESSAGE_SET_MEM_TABLE)
		return;
	uint32_t n = message->table.n_regions;

	prove(n >= 1 && n <= MESSAGE_REGIONS_MAX && n == n_fds, "a descriptor for each region");
	prove(message->size == 8 + n * sizeof(struct message_region), "and all of it was sent");
}

int main(void)
{
	struct message message, reply;
	unsigned n_fds = nondet_uint32_t();
	struct error err;
	int header, all;

	__CPROVER_havoc_object(&message);
	header = message_check_header(&message, &err);
	prove(header == 0 || header == -EPROTO, "a header is one, or is not");
	all = message_check(&message, n_fds, &err);
	prove(all == 0 || all == -EPROTO, "a message is one, or is not");
	prove(header == 0 || all != 0, "none is let through whose header is none");
	if (all == 0)
		prove_let_through(&message, n_fds);
	prove(message_name(message.request) != NULL, "each has a name");
	message_reply_number(&reply, message.request, message.number);
	prove(reply.size == sizeof(reply.number), "a reply is as long as it says");
	return 0;
}
