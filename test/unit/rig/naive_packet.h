/* A packet as somebody reads it who knows the RFCs and none of our code: whether it is well-formed
 * in full, and what its checksums come to. Byte by byte, with no thought of speed. For tests of
 * offloads and their fuzz target; without libcheck.
 */
#ifndef NAIVE_PACKET_H
#define NAIVE_PACKET_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct naive_packet {
	const uint8_t *bytes;
	uint32_t length;
	uint32_t ip_at, l4_at, data_at; /* data_at: of a fragment, what it is a part of */
	uint8_t version, protocol;
	uint8_t destination[16]; /* the final one, which checksums are about */
	bool is_fragment, more;  /* fragments */
	uint32_t offset, id;     /* of a fragment: in bytes */
};

static inline uint32_t naive_16(const uint8_t *at)
{
	return (uint32_t)at[0] * 256 + at[1];
}

static inline uint32_t naive_32(const uint8_t *at)
{
	return naive_16(at) * 65536 + naive_16(at + 2);
}

/* The ones' complement sum of bytes, modulo 65535: 0 if they hold a right checksum. */
static inline uint32_t naive_sum(const uint8_t *bytes, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += (uint64_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
	return (uint32_t)(sum % 65535);
}

/* Bit by bit: Castagnoli's polynomial, reflected. */
static inline uint32_t naive_crc32c(const uint8_t *bytes, uint32_t n)
{
	uint32_t crc = 0xffffffff;

	for (uint32_t i = 0; i < n; i++) {
		crc ^= bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static inline bool naive_read_ipv4(struct naive_packet *packet)
{
	const uint8_t *ip = packet->bytes + packet->ip_at;
	uint32_t left = packet->length - packet->ip_at, header;

	if (left < 20 || ip[0] / 16 != 4)
		return false;
	header = ip[0] % 16 * 4U;
	if (header < 20 || header > left || naive_16(ip + 2) != left || naive_sum(ip, header) != 0)
		return false;
	packet->version = 4;
	packet->protocol = ip[9];
	packet->l4_at = packet->ip_at + header;
	packet->more = (ip[6] & 0x20) != 0;
	packet->offset = (naive_16(ip + 6) & 0x1fff) * 8;
	packet->is_fragment = packet->more || packet->offset > 0;
	packet->id = naive_16(ip + 4);
	memcpy(packet->destination, ip + 16, 4);
	return true;
}

/* The last address of a routing header of type 0, 2 or 3 is where the packet goes, unless it is
 * there already; segment routing (4) lists them backwards. */
static inline void naive_route(struct naive_packet *packet, const uint8_t *header, uint32_t length)
{
	if (header[3] == 0 || length < 24)
		return;
	if (header[2] == 0 || header[2] == 2)
		memcpy(packet->destination, header + length - 16, 16);
	else if (header[2] == 4)
		memcpy(packet->destination, header + 8, 16);
}

static inline bool naive_read_ipv6(struct naive_packet *packet)
{
	const uint8_t *ip = packet->bytes + packet->ip_at;
	uint32_t left = packet->length - packet->ip_at, at = 40;
	uint8_t next;

	if (left < 40 || ip[0] / 16 != 6 || naive_16(ip + 4) != left - 40)
		return false;
	packet->version = 6;
	memcpy(packet->destination, ip + 24, 16);
	next = ip[6];
	while (next == 0 || next == 43 || next == 60 || next == 44) {
		uint32_t length;

		if (left - at < 8)
			return false;
		length = next == 44 ? 8 : (ip[at + 1] + 1U) * 8;
		if (length > left - at)
			return false;
		if (next == 44) {
			packet->is_fragment = true;
			packet->offset = naive_16(ip + at + 2) & 0xfff8U;
			packet->more = (ip[at + 3] & 1) != 0;
			packet->id = naive_32(ip + at + 4);
		} else if (next == 43) {
			naive_route(packet, ip + at, length);
		}
		next = ip[at];
		at += length;
		if (packet->is_fragment)
			break;
	}
	packet->protocol = next;
	packet->l4_at = packet->ip_at + at;
	return true;
}

static inline bool naive_read_l4(struct naive_packet *packet)
{
	const uint8_t *l4 = packet->bytes + packet->l4_at;
	uint32_t left = packet->length - packet->l4_at, header = 0;

	packet->data_at = packet->l4_at;
	if (packet->is_fragment)
		return true;
	if (packet->protocol == 6) {
		if (left < 20)
			return false;
		header = l4[12] / 16 * 4U;
		if (header < 20)
			return false;
	} else if (packet->protocol == 17) {
		header = 8;
	}
	if (header > left)
		return false;
	packet->data_at += header;
	return true;
}

/* Whether all of it is as it should be, its checksum and UDP's length aside. */
static inline bool naive_read(const uint8_t *bytes, uint32_t length, struct naive_packet *packet)
{
	uint32_t at = 12, type;

	memset(packet, 0, sizeof(*packet));
	packet->bytes = bytes;
	packet->length = length;
	if (length < 14)
		return false;
	type = naive_16(bytes + at);
	for (unsigned tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8 || type == 0x9100);
	     tags++) {
		at += 4;
		if (length < at + 2)
			return false;
		type = naive_16(bytes + at);
	}
	packet->ip_at = at + 2;
	if (type == 0x0800 ? !naive_read_ipv4(packet) : type != 0x86dd || !naive_read_ipv6(packet))
		return false;
	return naive_read_l4(packet);
}

/* What the pseudo header comes to, modulo 65535. */
static inline uint32_t naive_pseudo(const struct naive_packet *packet)
{
	const uint8_t *ip = packet->bytes + packet->ip_at;
	uint32_t size = packet->version == 4 ? 4 : 16;
	uint32_t length = packet->length - packet->l4_at;

	return (naive_sum(ip + (packet->version == 4 ? 12 : 8), size) +
	        naive_sum(packet->destination, size) + packet->protocol + length / 65536 +
	        length % 65536) %
	       65535;
}

/* 0 if the checksum of TCP's or UDP's is right: how far it is off, otherwise. */
static inline uint32_t naive_error(const struct naive_packet *packet)
{
	return (naive_pseudo(packet) +
	        naive_sum(packet->bytes + packet->l4_at, packet->length - packet->l4_at)) %
	       65535;
}

#endif
