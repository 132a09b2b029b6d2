/* Messages of the vhost-user protocol: how they lie on the wire, and what each may look like, in a
 * table with a row a request. No I/O and no state: what a message says is checked for its form
 * here, and for its meaning by the session. For any thread.
 *
 * Whatever is not offered has no row of its own: its payload is skipped, its descriptors are
 * closed, and it is acknowledged as refused where it asks.
 */
#ifndef VHOST_MESSAGE_H
#define VHOST_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define MESSAGE_HEADER_BYTES 12U
#define MESSAGE_PAYLOAD_MAX  512U /* of requests that nobody knows; ours have 264 at most */
#define MESSAGE_FDS_MAX      8U   /* a region each */
#define MESSAGE_FDS_ROOM     9U   /* to notice one more */
#define MESSAGE_REGIONS_MAX  8U   /* in one table */

/* In a header. */
#define MESSAGE_VERSION      1U
#define MESSAGE_VERSION_MASK 3U
#define MESSAGE_IS_REPLY     4U
#define MESSAGE_NEED_REPLY   8U

/* In the number of a kick, call or error descriptor. */
#define MESSAGE_RING_MASK 0xffU
#define MESSAGE_NO_FD     0x100U

#define MESSAGE_RING_LOGGED 1U /* in the flags of a ring's addresses */

enum message_request {
	MESSAGE_GET_FEATURES = 1,
	MESSAGE_SET_FEATURES = 2,
	MESSAGE_SET_OWNER = 3,
	MESSAGE_RESET_OWNER = 4,
	MESSAGE_SET_MEM_TABLE = 5,
	MESSAGE_SET_LOG_BASE = 6,
	MESSAGE_SET_VRING_NUM = 8,
	MESSAGE_SET_VRING_ADDR = 9,
	MESSAGE_SET_VRING_BASE = 10,
	MESSAGE_GET_VRING_BASE = 11,
	MESSAGE_SET_VRING_KICK = 12,
	MESSAGE_SET_VRING_CALL = 13,
	MESSAGE_SET_VRING_ERR = 14,
	MESSAGE_GET_PROTOCOL_FEATURES = 15,
	MESSAGE_SET_PROTOCOL_FEATURES = 16,
	MESSAGE_GET_QUEUE_NUM = 17,
	MESSAGE_SET_VRING_ENABLE = 18,
	MESSAGE_SEND_RARP = 19,
	MESSAGE_NET_SET_MTU = 20,
	MESSAGE_GET_MAX_MEM_SLOTS = 36,
	MESSAGE_ADD_MEM_REG = 37,
	MESSAGE_REM_MEM_REG = 38,
};
#define MESSAGE_REQUESTS 39 /* in the table */

/* Protocol features (vhost-user, "Protocol features"). */
enum message_protocol_feature {
	PROTOCOL_MQ = 0,
	PROTOCOL_LOG_SHMFD = 1,
	PROTOCOL_RARP = 2,
	PROTOCOL_REPLY_ACK = 3,
	PROTOCOL_NET_MTU = 4,
	PROTOCOL_BACKEND_REQ = 5,
	PROTOCOL_PAGEFAULT = 8,
	PROTOCOL_MEM_SLOTS = 15,
};

struct message_region {
	uint64_t guest_address, size, front_end_address, file_offset;
};

struct message_ring {
	uint32_t index, number;
};

struct message_ring_addresses {
	uint32_t index, flags;
	uint64_t descriptors, used, avail; /* in the front end's address space */
	uint64_t log;                      /* a guest address */
};

/* As it lies on the wire: little-endian, as this machine is. */
struct message {
	uint32_t request, flags, size;
	union {
		uint64_t number;
		struct message_ring ring;
		struct message_ring_addresses addresses;
		struct {
			uint32_t n_regions, padding;
			struct message_region regions[MESSAGE_REGIONS_MAX];
		} table;
		struct {
			uint64_t padding;
			struct message_region region;
		} slot;
		struct {
			uint64_t size, offset;
		} log;
		uint8_t bytes[MESSAGE_PAYLOAD_MAX];
	} __attribute__((packed));
} __attribute__((packed));

_Static_assert(sizeof(struct message) == MESSAGE_HEADER_BYTES + MESSAGE_PAYLOAD_MAX,
               "a message lies in memory as on the wire");

/* Before the payload is read: whether the header is one, and its size one that this request may
 * have. 0, or -EPROTO with err. */
int message_check_header(const struct message *message, struct error *err);

/* With its payload, and with so many descriptors. Likewise. */
int message_check(const struct message *message, unsigned n_fds, struct error *err);

/* Whether it is one of the table's; others are not offered. */
bool message_is_known(uint32_t request);

/* "SET_VRING_NUM", for logs. */
const char *message_name(uint32_t request);

static inline bool message_needs_reply(const struct message *message)
{
	return (message->flags & MESSAGE_NEED_REPLY) != 0;
}

/* The ring that a message of kick, call or error descriptors is about, and whether it brings one.
 */
static inline unsigned message_fd_ring(const struct message *message)
{
	return (unsigned)(message->number & MESSAGE_RING_MASK);
}

static inline bool message_has_no_fd(const struct message *message)
{
	return (message->number & MESSAGE_NO_FD) != 0;
}

/* Replies to a request, of `size` bytes of payload that are still to be filled in; of a number. */
void message_reply(struct message *reply, uint32_t request, uint32_t size);
void message_reply_number(struct message *reply, uint32_t request, uint64_t number);

#endif
