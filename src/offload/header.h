/* The header that a guest sends before a frame (struct virtio_net_hdr; virtio 1.2, 5.1.6), judged:
 * whether it may ask for what it asks for, whether the frame is what the header says, and who does
 * the work: the VF's NIC, whose fields in the mbuf are filled then, or software. Pure but for those
 * fields: nothing is allocated, logged or waited for, and the time does not depend on the frame's
 * length. For the owner of the frame.
 *
 * The law: what the guest says chooses, what stands in the frame decides. Lengths come from the
 * frame's headers, never from hdr_len. A NIC gets what is beyond doubt; whatever is unusual but
 * harmless is done in software; what cannot be done as it was asked for is invalid.
 */
#ifndef OFFLOAD_HEADER_H
#define OFFLOAD_HEADER_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

#include "offload/layers.h"

struct rte_mbuf;

/* Of virtio 1.2, which older kernels' headers do not have. */
#define OFFLOAD_HOST_USO   56 /* feature bit: UDP datagrams are cut */
#define OFFLOAD_GSO_UDP_L4 5  /* gso_type of that */

/* TSO by the NIC, in bytes of payload a segment. iavf and i40e take a smaller one for an attack,
 * and igb no larger one; all others can do more. What is outside is cut in software. */
#define OFFLOAD_NIC_MSS_MIN 256U
#define OFFLOAD_NIC_MSS_MAX 9216U

enum offload_way {
	OFFLOAD_PLAIN,    /* there is nothing to do */
	OFFLOAD_NIC,      /* the NIC does it all: the mbuf says so */
	OFFLOAD_CHECKSUM, /* header_complete does it all */
	OFFLOAD_SEGMENT,  /* segment.h cuts it in software */
	OFFLOAD_INVALID,  /* the frame is to be dropped: `fault` */
};

enum offload_cut {
	OFFLOAD_CUT_TCP,      /* a stream, into segments */
	OFFLOAD_CUT_UDP,      /* datagrams that stand one behind another, apart (USO) */
	OFFLOAD_CUT_FRAGMENT, /* a datagram, into IP's fragments (UFO) */
};

/* Rules that a header can break. */
enum offload_fault {
	OFFLOAD_FAULT_NONE,
	OFFLOAD_FAULT_UNASKED_CHECKSUM, /* CSUM was not negotiated */
	OFFLOAD_FAULT_UNKNOWN_TYPE,     /* of segmentation: virtio has none such */
	OFFLOAD_FAULT_UNASKED_TYPE,     /* its feature was not negotiated */
	OFFLOAD_FAULT_NO_CHECKSUM,      /* segmentation without NEEDS_CSUM */
	OFFLOAD_FAULT_SIZE,             /* gso_size is 0, or less than a fragment's 8 bytes */
	OFFLOAD_FAULT_PLACE,      /* the checksum is outside the frame, or in Ethernet's header */
	OFFLOAD_FAULT_FRAME,      /* it is not of the kind that the type of segmentation says */
	OFFLOAD_FAULT_DISAGREES,  /* the checksum is not where the frame's headers have it, or
	                           * IP's length is not the frame's */
	OFFLOAD_FAULT_UNCUTTABLE, /* a SYN, a reset, or a fragment */
	OFFLOAD_FAULT_TOO_LONG,   /* segments would be longer than the VF may send */
};
#define OFFLOAD_FAULTS 11

/* What a lane's two ends can do and have agreed on: constant while its plan holds. */
struct header_terms {
	uint64_t features;     /* virtio's feature bits that the guest has acknowledged */
	uint64_t capabilities; /* RTE_ETH_TX_OFFLOAD_* that the VF was configured with */
	uint32_t max_frame;    /* bytes; the longest frame that the VF may send */
	uint16_t max_mbufs;    /* of a frame that the NIC cuts */
};

/* What is to be done with a frame. */
struct offload {
	uint8_t way;       /* enum offload_way */
	uint8_t fault;     /* enum offload_fault */
	uint8_t cut;       /* enum offload_cut */
	bool nic_checksum; /* the NIC can do the checksums of what is cut in software */
	bool sctp;         /* the checksum is CRC32c */
	uint16_t mss;      /* bytes of payload in each piece, > 0 */
	uint16_t checksum_start, checksum_offset; /* bytes; both within the frame */
	struct layers layers;                     /* filled unless PLAIN or INVALID */
};

/* Whether there is anything to judge; most headers ask for nothing. */
static inline bool header_asks(const struct virtio_net_hdr *header)
{
	return header->gso_type != VIRTIO_NET_HDR_GSO_NONE ||
	       (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
}

/* Fills *offload; of the mbuf, the fields for the NIC (ol_flags, lengths, tso_segsz) if `way` is
 * OFFLOAD_NIC, or else nothing. *header is a copy: the guest cannot change it any more. A frame
 * that is to be cut has all its headers in its first segment. */
void header_judge(const struct virtio_net_hdr *header, const struct header_terms *terms,
                  struct rte_mbuf *pkt, struct offload *offload);

/* Does what OFFLOAD_CHECKSUM asks for. */
void header_complete(struct rte_mbuf *pkt, const struct offload *offload);

/* The fields for the NIC that has to do the checksums of a frame with such headers. */
void header_ask_nic(struct rte_mbuf *pkt, const struct layers *layers);

/* What the guest has done, as a part of a sentence: "it asks for segments of no size". */
const char *offload_fault_text(enum offload_fault fault);

#endif
