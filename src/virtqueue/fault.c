/* See fault.h. */
#include "virtqueue/fault.h"

const char *virtqueue_fault_text(enum virtqueue_fault fault)
{
	static const char *const texts[VIRTQUEUE_FAULTS] = {
	        [FAULT_NONE] = "it has broken no rule",
	        [FAULT_AVAIL_INDEX] = "it made more entries available than the ring has",
	        [FAULT_HEAD] = "an available entry names a descriptor that the ring does not have",
	        [FAULT_NEXT] = "a descriptor's next is not in its table",
	        [FAULT_CHAIN] =
	                "a chain of descriptors does not end within the ring, or leads to one "
	                "that is not available",
	        [FAULT_DIRECTION] = "a buffer to be written is marked to be read, or the other way "
	                            "round",
	        [FAULT_INDIRECT] =
	                "an indirect table is not negotiated, or is nested, chained, empty, "
	                "too long or no whole number of descriptors",
	        [FAULT_ADDRESS] = "a descriptor's address is outside its memory",
	        [FAULT_SHORT_BUFFER] = "a buffer to receive in is shorter than a packet's header",
	        [FAULT_CHANGED] = "it changed a buffer that it had made available",
	};

	return (unsigned)fault < VIRTQUEUE_FAULTS ? texts[fault] : "it has broken an unknown rule";
}
