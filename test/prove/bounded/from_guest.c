/* Proves of src/virtqueue/from_guest.c: a burst of any guest's, on rings of RING entries. Chains
 * are any_chain.h's.
 */
#define SMALL
#include "prove.h"

#define memset(to, value, size) prove_room(to, size)

#include "any_chain.h"
#include "any_queue.h"
#include "virtqueue/memory.c"

#include "virtqueue/from_guest.c"

/* Behind its header, a frame is what came with it; each mbuf is a frame's, or was given back. */
static void prove_frames(struct rte_mbuf *const *pkts, uint16_t n)
{
	uint32_t mbufs = 0;

	for (uint16_t i = 0; i < n; i++) {
		prove(pkts[i]->pkt_len <= VIRTQUEUE_FRAME_MAX, "no frame is longer than is taken");
		prove(pkts[i]->nb_segs > 0, "a frame has an mbuf");
		mbufs += pkts[i]->nb_segs;
	}
	prove(mbufs + prove_freed == prove_allocated, "no mbuf is lost, and none is given twice");
}

int main(void)
{
	static uint8_t buffer[RTE_PKTMBUF_HEADROOM + VIRTQUEUE_FRAME_MAX / 2];
	/* Half of the longest frame fits, so that there are mbufs that follow. */
	struct rte_mempool pool = {.buffer = buffer, .data_room = sizeof(buffer)};
	struct rte_mbuf *pkts[VIRTQUEUE_BURST];
	uint16_t asked = (uint16_t)any_up_to(VIRTQUEUE_BURST), n;
	bool call;

	any_queue_make();
	n = from_guest_choose(PACKED, LOGGED, HEADERS)(&any_queue, &any_ring, &pool, pkts, asked,
	                                               &call);
	prove(n <= asked, "no more frames are taken than were asked for");
	prove_queue();
	prove_frames(pkts, n);
	return 0;
}
