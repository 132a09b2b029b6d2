/* Segmentation in software: a frame of up to 64 KB is cut into frames that the VF may send. TCP and
 * UDP over IPv4 and IPv6, behind up to two VLAN tags; IPv6's extension headers stay. A datagram
 * that is to be fragmented becomes IP's fragments.
 *
 * The work is done in slices: a call makes as many pieces as it is asked for, and the next one goes
 * on behind them. So neither the time nor the packet buffers of a call depend on what the guest has
 * sent, 64 KB in segments of a single byte included, and a pool that is empty costs a pause, no
 * data: a piece is there as a whole, or its bytes are still in the frame. Those of the frame itself
 * are freed with the last piece.
 *
 * A segmenter belongs to the lane that cuts; nothing is logged or waited for.
 */
#ifndef OFFLOAD_SEGMENT_H
#define OFFLOAD_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/header.h"

struct rte_mbuf;
struct rte_mempool;

/* What a packet buffer of the pool has to hold in one piece. */
#define SEGMENT_ROOM_MIN (LAYERS_MAX + 8U)

/* A frame that is being cut. All zero: there is none. */
struct segmenter {
	struct rte_mbuf *pkt;        /* ours; NULL: there is none, or it is done */
	const struct rte_mbuf *from; /* where the next piece's payload begins, and … */
	uint32_t from_at;            /* … how far in that segment's data */
	uint32_t done, payload;      /* bytes of payload, of all that there are */
	uint32_t fragment_id;        /* of IPv6's fragments */
	uint16_t headers;            /* bytes that are in front of each piece */
	uint16_t number;             /* of the next piece, modulo 65536 */
	struct offload offload;
};

/* Takes the frame, with its verdict OFFLOAD_SEGMENT. *segmenter has none before. */
void segment_begin(struct segmenter *segmenter, struct rte_mbuf *pkt,
                   const struct offload *offload);

/* Makes n pieces at most, which are the caller's, and returns how many. Fewer than n: the frame is
 * done, or the pool has no more buffers now. pool: of buffers with room for SEGMENT_ROOM_MIN bytes.
 */
uint16_t segment_next(struct segmenter *segmenter, struct rte_mempool *pool,
                      struct rte_mbuf **pieces, uint16_t n);

static inline bool segment_is_done(const struct segmenter *segmenter)
{
	return segmenter->pkt == NULL;
}

/* Frees the frame, of which no more is wanted. Returns how many bytes of payload were left. */
uint32_t segment_drop(struct segmenter *segmenter);

#endif
