/* Proves of src/virtqueue/to_guest.c: a burst of frames, of one mbuf or two, to any guest, on rings
 * of RING entries. Chains are any_chain.h's.
 */
#define SMALL
#include "prove.h"

#include "any_chain.h"
#include "any_queue.h"
#include "virtqueue/memory.c"

#include "virtqueue/to_guest.c"

static struct rte_mbuf any_first[VIRTQUEUE_BURST], any_second[VIRTQUEUE_BURST];

/* Behind all data there is nothing. */
static void any_data(struct rte_mbuf *m)
{
	static uint8_t bytes[VIRTQUEUE_FRAME_MAX];

	m->data_len = (uint16_t)any_up_to(sizeof(bytes));
	m->buffer = bytes + (sizeof(bytes) - m->data_len);
	m->buffer_size = m->data_len;
}

static void any_frame(struct rte_mbuf *pkt, struct rte_mbuf *second)
{
	any_data(pkt);
	pkt->nb_segs = 1;
	pkt->pkt_len = pkt->data_len;
	if (nondet_bool())
		return;
	any_data(second);
	pkt->nb_segs = 2;
	pkt->next = second;
	pkt->pkt_len += second->data_len;
}

int main(void)
{
	struct rte_mbuf *pkts[VIRTQUEUE_BURST];
	uint16_t n = (uint16_t)any_up_to(VIRTQUEUE_BURST), sent;
	uint32_t mbufs = 0;
	bool call;

	for (uint16_t i = 0; i < VIRTQUEUE_BURST; i++) {
		pkts[i] = &any_first[i];
		any_frame(pkts[i], &any_second[i]);
		assume(pkts[i]->pkt_len <= VIRTQUEUE_FRAME_MAX);
	}
	any_queue_make();
	sent = to_guest_choose(PACKED, LOGGED)(&any_queue, &any_ring, pkts, n, &call);
	prove_queue();
	prove(sent <= n, "no more frames are sent than there are");
	for (uint16_t i = 0; i < sent; i++)
		mbufs += pkts[i]->nb_segs;
	prove(prove_freed == mbufs, "frames that were sent are given back, and no others");
	return 0;
}
