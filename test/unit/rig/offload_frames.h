/* Frames of TCP, UDP and SCTP as guests and NICs have them, made of a description. What is not said
 * is as most often: no tags, no options.
 */
#ifndef OFFLOAD_FRAMES_H
#define OFFLOAD_FRAMES_H

#include <linux/virtio_net.h>

#include "offload_rig.h"

struct rig_spec {
	unsigned tags;        /* VLAN's: 0 to 3 */
	uint8_t version;      /* 4 or 6 */
	uint8_t protocol;     /* 6, 17, 132 */
	uint8_t tcp_flags;    /* 0: ACK and PSH */
	uint32_t ip_options;  /* bytes, of IPv4; whole words */
	uint32_t tcp_options; /* bytes; whole words */
	/* IPv6: extension headers, numbers up to the first 0xff; 0 is hop-by-hop. Eight bytes each
	 */
	uint8_t extensions[8];
	unsigned n_extensions;
	uint16_t fragment; /* IPv4: that field, as a number */
	uint32_t payload;  /* bytes */
	uint32_t number;   /* of the payload, and IPv4's identity: as in rig_frame_byte */
	uint32_t seq;      /* TCP's; 0: some number */
	uint32_t ack;      /* likewise */
	bool complete;     /* the checksum is */
	uint16_t port;     /* added to the source's */
};

static inline void rig_put_16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void rig_put_32(uint8_t *at, uint32_t value)
{
	rig_put_16(at, value >> 16);
	rig_put_16(at + 2, value);
}

static inline uint32_t rig_put_ethernet(const struct rig_spec *spec, uint8_t *bytes)
{
	uint32_t at = 12;

	for (unsigned i = 0; i < 12; i++)
		bytes[i] = (uint8_t)(i % 6 == 0 ? 2 : 10 + i);
	for (unsigned i = 0; i < spec->tags; i++, at += 4) {
		rig_put_16(bytes + at, i + 1 < spec->tags ? 0x88a8 : 0x8100);
		rig_put_16(bytes + at + 2, 100 + i);
	}
	rig_put_16(bytes + at, spec->version == 4 ? 0x0800 : 0x86dd);
	return at + 2;
}

static inline uint32_t rig_put_ipv4(const struct rig_spec *spec, uint8_t *ip, uint32_t l4)
{
	uint32_t header = 20 + spec->ip_options;

	memset(ip, 0, header);
	ip[0] = (uint8_t)(0x40 + header / 4);
	rig_put_16(ip + 2, header + l4);
	rig_put_16(ip + 4, 0x1000 + spec->number);
	rig_put_16(ip + 6, spec->fragment);
	ip[8] = 64;
	ip[9] = spec->protocol;
	rig_put_32(ip + 12, 0x0a010203);
	rig_put_32(ip + 16, 0x0a040506);
	memset(ip + 20, 1, spec->ip_options); /* no operation */
	rig_put_16(ip + 10, (65535 - naive_sum(ip, header)) % 65535);
	return header;
}

static inline uint32_t rig_put_ipv6(const struct rig_spec *spec, uint8_t *ip, uint32_t l4)
{
	uint32_t at = 40;
	uint8_t *next = ip + 6;

	memset(ip, 0, 40);
	rig_put_32(ip, 0x60212345);
	rig_put_16(ip + 4, spec->n_extensions * 8 + l4);
	ip[7] = 63;
	ip[8] = ip[24] = 0xfd;
	ip[23] = 1;
	ip[39] = 2;
	for (unsigned i = 0; i < spec->n_extensions; i++, at += 8) {
		*next = spec->extensions[i];
		memset(ip + at, 0, 8);
		if (*next == 0 || *next == 60)
			ip[at + 2] = 1, ip[at + 3] = 4; /* padding */
		next = ip + at;
	}
	*next = spec->protocol;
	return at;
}

static inline uint32_t rig_put_l4(const struct rig_spec *spec, uint8_t *l4)
{
	uint32_t header = spec->protocol == 17    ? 8
	                  : spec->protocol == 132 ? 12
	                                          : 20 + spec->tcp_options;

	memset(l4, 0, header);
	rig_put_16(l4, 40000U + spec->port);
	rig_put_16(l4 + 2, 5001);
	if (spec->protocol == 17)
		rig_put_16(l4 + 4, 8 + spec->payload);
	if (spec->protocol != 6)
		return header;
	rig_put_32(l4 + 4, spec->seq != 0 ? spec->seq : 0xffffff00);
	rig_put_32(l4 + 8, spec->ack != 0 ? spec->ack : 0x01020304);
	l4[12] = (uint8_t)(header / 4 << 4);
	l4[13] = spec->tcp_flags != 0 ? spec->tcp_flags : 0x18;
	rig_put_16(l4 + 14, 501);
	memset(l4 + 20, 1, spec->tcp_options);
	return header;
}

/* Fills bytes, and *header (which may be NULL) to ask for the checksum. Returns the frame's length.
 */
static inline uint32_t rig_put_frame(const struct rig_spec *spec, uint8_t *bytes,
                                     struct virtio_net_hdr *header)
{
	uint32_t place = spec->protocol == 6 ? 16 : spec->protocol == 17 ? 6 : 8;
	uint32_t ip_at = rig_put_ethernet(spec, bytes), ip_len, l4_len, l4;
	struct naive_packet packet;

	l4 = spec->payload + (spec->protocol == 17    ? 8
	                      : spec->protocol == 132 ? 12
	                                              : 20 + spec->tcp_options);
	ip_len = spec->version == 4 ? rig_put_ipv4(spec, bytes + ip_at, l4)
	                            : rig_put_ipv6(spec, bytes + ip_at, l4);
	l4_len = rig_put_l4(spec, bytes + ip_at + ip_len);
	for (uint32_t i = 0; i < spec->payload; i++)
		bytes[ip_at + ip_len + l4_len + i] = rig_frame_byte(spec->number, i);
	if (spec->protocol != 132 && naive_read(bytes, ip_at + ip_len + l4, &packet) &&
	    !packet.is_fragment) {
		uint32_t sum =
		        spec->complete ? 65535 - naive_error(&packet) : naive_pseudo(&packet);

		rig_put_16(bytes + ip_at + ip_len + place, sum);
	}
	if (header != NULL)
		*header = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		                                  .csum_start = (uint16_t)(ip_at + ip_len),
		                                  .csum_offset = (uint16_t)place};
	return ip_at + ip_len + l4;
}

#endif
