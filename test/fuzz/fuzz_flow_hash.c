/* Any bytes as a packet: in one piece and cut in pieces it has the same hash, and no byte is read
 * beyond its end (which a sanitizer sees). The first two bytes say where it is cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "datapath/flow_hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* With memory of its own, which ends where the segment does. */
static void segment_init(struct rte_mbuf *segment, const uint8_t *data, size_t length)
{
	memset(segment, 0, sizeof(*segment));
	segment->buf_addr = malloc(length > 0 ? length : 1);
	if (segment->buf_addr == NULL)
		abort();
	memcpy(segment->buf_addr, data, length);
	segment->data_len = segment->pkt_len = (uint16_t)length;
	segment->nb_segs = 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rte_mbuf whole, pieces[3];
	size_t length, first, second;

	if (size < 2 || size > 2002)
		return 0;
	length = size - 2;
	first = length > 0 ? data[0] % (length + 1) : 0;
	second = first + data[1] % (length - first + 1);
	data += 2;

	segment_init(&whole, data, length);
	segment_init(&pieces[0], data, first);
	segment_init(&pieces[1], data + first, second - first);
	segment_init(&pieces[2], data + second, length - second);
	pieces[0].next = &pieces[1];
	pieces[1].next = &pieces[2];
	pieces[0].pkt_len = (uint32_t)length;
	pieces[0].nb_segs = 3;
	if (flow_hash(&whole) != flow_hash(&pieces[0]))
		abort();
	for (uint32_t n = 1; n <= 32; n++)
		if (flow_hash_pick(flow_hash(&whole), n) >= n)
			abort();
	free(whole.buf_addr);
	for (unsigned i = 0; i < 3; i++)
		free(pieces[i].buf_addr);
	return 0;
}
