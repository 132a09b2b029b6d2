/* The vhost-user protocol's table of requests. See message.h; sizes are those of the
 * specification's section "Message types", counts of descriptors those of its "Ancillary data".
 */
#include "vhost/message.h"

#include <errno.h>
#include <string.h>

#define NUMBER_BYTES    8U
#define RING_BYTES      8U
#define ADDRESSES_BYTES 40U
#define LOG_BYTES       16U
#define SLOT_BYTES      40U
#define TABLE_BYTES(n)  (8U + 32U * (n))

/* How many descriptors come with a request. */
enum fds_rule {
	FDS_COUNT,      /* from fds_min to fds_max */
	FDS_OF_RING,    /* one, or none where the number says so */
	FDS_OF_REGIONS, /* one a region */
};

struct row {
	const char *name;
	uint16_t size_min, size_max;
	uint8_t fds_min, fds_max;
	enum fds_rule fds;
};

/* Not offered, and so without a row, are post-copy (28 to 30), the back end's channel (21) and the
 * IOTLB (22). */
static const struct row rows[MESSAGE_REQUESTS] = {
        [MESSAGE_GET_FEATURES] = {.name = "GET_FEATURES"},
        [MESSAGE_SET_FEATURES] = {"SET_FEATURES", NUMBER_BYTES, NUMBER_BYTES},
        [MESSAGE_SET_OWNER] = {.name = "SET_OWNER"},
        [MESSAGE_RESET_OWNER] = {.name = "RESET_OWNER"},
        [MESSAGE_SET_MEM_TABLE] = {"SET_MEM_TABLE", TABLE_BYTES(1),
                                   TABLE_BYTES(MESSAGE_REGIONS_MAX), 1, MESSAGE_REGIONS_MAX,
                                   FDS_OF_REGIONS},
        [MESSAGE_SET_LOG_BASE] = {"SET_LOG_BASE", LOG_BYTES, LOG_BYTES, 1, 1},
        [MESSAGE_SET_VRING_NUM] = {"SET_VRING_NUM", RING_BYTES, RING_BYTES},
        [MESSAGE_SET_VRING_ADDR] = {"SET_VRING_ADDR", ADDRESSES_BYTES, ADDRESSES_BYTES},
        [MESSAGE_SET_VRING_BASE] = {"SET_VRING_BASE", RING_BYTES, RING_BYTES},
        [MESSAGE_GET_VRING_BASE] = {"GET_VRING_BASE", RING_BYTES, RING_BYTES},
        [MESSAGE_SET_VRING_KICK] = {"SET_VRING_KICK", NUMBER_BYTES, NUMBER_BYTES, 0, 1,
                                    FDS_OF_RING},
        [MESSAGE_SET_VRING_CALL] = {"SET_VRING_CALL", NUMBER_BYTES, NUMBER_BYTES, 0, 1,
                                    FDS_OF_RING},
        [MESSAGE_SET_VRING_ERR] = {"SET_VRING_ERR", NUMBER_BYTES, NUMBER_BYTES, 0, 1, FDS_OF_RING},
        [MESSAGE_GET_PROTOCOL_FEATURES] = {.name = "GET_PROTOCOL_FEATURES"},
        [MESSAGE_SET_PROTOCOL_FEATURES] = {"SET_PROTOCOL_FEATURES", NUMBER_BYTES, NUMBER_BYTES},
        [MESSAGE_GET_QUEUE_NUM] = {.name = "GET_QUEUE_NUM"},
        [MESSAGE_SET_VRING_ENABLE] = {"SET_VRING_ENABLE", RING_BYTES, RING_BYTES},
        [MESSAGE_SEND_RARP] = {"SEND_RARP", NUMBER_BYTES, NUMBER_BYTES},
        [MESSAGE_NET_SET_MTU] = {"NET_SET_MTU", NUMBER_BYTES, NUMBER_BYTES},
        [MESSAGE_GET_MAX_MEM_SLOTS] = {.name = "GET_MAX_MEM_SLOTS"},
        [MESSAGE_ADD_MEM_REG] = {"ADD_MEM_REG", SLOT_BYTES, SLOT_BYTES, 1, 1},
        [MESSAGE_REM_MEM_REG] = {"REM_MEM_REG", SLOT_BYTES, SLOT_BYTES, 0, 1},
};

static const struct row *row_of(uint32_t request)
{
	return request < MESSAGE_REQUESTS && rows[request].name != NULL ? &rows[request] : NULL;
}

bool message_is_known(uint32_t request)
{
	return row_of(request) != NULL;
}

const char *message_name(uint32_t request)
{
	const struct row *row = row_of(request);

	return row != NULL ? row->name : "a request that is not offered";
}

int message_check_header(const struct message *message, struct error *err)
{
	const struct row *row = row_of(message->request);

	if ((message->flags & MESSAGE_VERSION_MASK) != MESSAGE_VERSION ||
	    (message->flags & MESSAGE_IS_REPLY) != 0)
		return error_set(err, EPROTO,
		                 "sent a header with flags 0x%x, which is no request of vhost-user",
		                 message->flags);
	if (message->size <= MESSAGE_PAYLOAD_MAX &&
	    (row == NULL || (message->size >= row->size_min && message->size <= row->size_max)))
		return 0;
	return error_set(err, EPROTO, "sent %s (%u) with %u bytes, which it does not have",
	                 message_name(message->request), message->request, message->size);
}

static bool fds_fit(const struct message *message, const struct row *row, unsigned n_fds)
{
	switch (row->fds) {
	case FDS_OF_RING:
		return n_fds == (message_has_no_fd(message) ? 0 : 1);
	case FDS_OF_REGIONS:
		return n_fds == message->table.n_regions;
	default:
		return n_fds >= row->fds_min && n_fds <= row->fds_max;
	}
}

int message_check(const struct message *message, unsigned n_fds, struct error *err)
{
	const struct row *row = row_of(message->request);

	if (message_check_header(message, err) < 0)
		return -err->code;
	if (row == NULL)
		return 0;
	if (message->request == MESSAGE_SET_MEM_TABLE &&
	    (message->table.n_regions < 1 || message->table.n_regions > MESSAGE_REGIONS_MAX ||
	     message->size != TABLE_BYTES(message->table.n_regions)))
		return error_set(err, EPROTO, "sent a table of %u memory regions in %u bytes",
		                 message->table.n_regions, message->size);
	if (!fds_fit(message, row, n_fds))
		return error_set(err, EPROTO, "sent %s with %u descriptors, which it does not have",
		                 row->name, n_fds);
	return 0;
}

void message_reply(struct message *reply, uint32_t request, uint32_t size)
{
	reply->request = request;
	reply->flags = MESSAGE_VERSION | MESSAGE_IS_REPLY;
	reply->size = size;
}

void message_reply_number(struct message *reply, uint32_t request, uint64_t number)
{
	message_reply(reply, request, sizeof(number));
	reply->number = number;
}
