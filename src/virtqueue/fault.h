/* Rules that a guest's ring can break. The one that was broken first is the reason why a ring
 * stands still until the guest's driver sets it up anew.
 */
#ifndef VIRTQUEUE_FAULT_H
#define VIRTQUEUE_FAULT_H

enum virtqueue_fault {
	FAULT_NONE,
	FAULT_AVAIL_INDEX, /* more entries made available than the ring has */
	FAULT_HEAD,        /* an available entry names no descriptor */
	FAULT_NEXT,        /* a descriptor's next is none of its table's */
	FAULT_CHAIN,     /* a chain is longer than its ring, or leads into what is not available */
	FAULT_DIRECTION, /* to be written where it is to be read, or the other way round */
	FAULT_INDIRECT,  /* not negotiated, nested, chained, empty, longer than the ring, or not
	                  * in whole descriptors */
	FAULT_ADDRESS,   /* outside the guest's memory */
	FAULT_SHORT_BUFFER, /* one to receive in is shorter than the header */
	FAULT_CHANGED,      /* a buffer was changed while it was ours */
};
#define VIRTQUEUE_FAULTS 10

/* What the guest has done, as a part of a sentence: "a descriptor's address is outside its memory".
 */
const char *virtqueue_fault_text(enum virtqueue_fault fault);

#endif
