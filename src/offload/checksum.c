/* Checksums in software. See checksum.h.
 *
 * rte_raw_cksum_mbuf is not used: in DPDK 22.11 it loses carries where a segment of odd length
 * stands before another. rte_raw_cksum, of one piece, is right, and the compiler makes vectors of
 * it.
 */
#include "offload/checksum.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_sctp.h>

/* The segment in which a frame's byte is, *at of which becomes the offset in it. The frame has the
 * byte, or *at is its end. */
static const struct rte_mbuf *seek(const struct rte_mbuf *segment, uint32_t *at)
{
	while (segment->next != NULL && *at >= segment->data_len) {
		*at -= segment->data_len;
		segment = segment->next;
	}
	return segment;
}

/* Stores bytes that may lie in several segments. */
static void store(struct rte_mbuf *pkt, uint32_t at, const void *bytes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t in_segment = at + i;
		const struct rte_mbuf *segment = seek(pkt, &in_segment);

		rte_pktmbuf_mtod(segment, uint8_t *)[in_segment] = ((const uint8_t *)bytes)[i];
	}
}

uint16_t checksum_sum(const struct rte_mbuf *pkt, uint32_t start, uint32_t length)
{
	const struct rte_mbuf *segment = seek(pkt, &start);
	uint16_t sum = 0;
	bool odd = false; /* bytes so far */

	for (; length > 0 && segment != NULL; segment = segment->next, start = 0) {
		uint32_t n = RTE_MIN(length, segment->data_len - start);
		uint16_t part =
		        rte_raw_cksum(rte_pktmbuf_mtod_offset(segment, const void *, start), n);

		sum = checksum_add(sum, odd ? rte_bswap16(part) : part);
		odd ^= (n & 1) != 0;
		length -= n;
	}
	return sum;
}

bool checksum_complete(struct rte_mbuf *pkt, uint32_t start, uint32_t offset)
{
	uint32_t length = rte_pktmbuf_pkt_len(pkt);
	uint16_t sum;

	if (start > length || offset > length - start || length - start - offset < sizeof(sum))
		return false;
	sum = (uint16_t)~checksum_sum(pkt, start, length - start);
	if (sum == 0)
		sum = 0xffff;
	store(pkt, start + offset, &sum, sizeof(sum));
	return true;
}

/* rte_hash_crc itself reads words from where no words may stand. */
static uint32_t add_crc(uint32_t crc, const uint8_t *bytes, uint32_t n)
{
	for (; n >= sizeof(uint64_t); bytes += sizeof(uint64_t), n -= sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, bytes, sizeof(word));
		crc = rte_hash_crc_8byte(word, crc);
	}
	for (; n > 0; bytes++, n--)
		crc = rte_hash_crc_1byte(*bytes, crc);
	return crc;
}

bool checksum_complete_sctp(struct rte_mbuf *pkt, uint32_t start)
{
	uint32_t length = rte_pktmbuf_pkt_len(pkt), crc = 0xffffffff, left, at = start;
	const struct rte_mbuf *segment;

	if (start > length || length - start < sizeof(struct rte_sctp_hdr))
		return false;
	store(pkt, start + offsetof(struct rte_sctp_hdr, cksum), &(uint32_t){0}, sizeof(crc));
	segment = seek(pkt, &at);
	for (left = length - start; left > 0 && segment != NULL; segment = segment->next, at = 0) {
		uint32_t n = RTE_MIN(left, segment->data_len - at);

		crc = add_crc(crc, rte_pktmbuf_mtod_offset(segment, const uint8_t *, at), n);
		left -= n;
	}
	crc = rte_cpu_to_le_32(~crc);
	store(pkt, start + offsetof(struct rte_sctp_hdr, cksum), &crc, sizeof(crc));
	return true;
}
