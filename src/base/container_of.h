/* From a member back to the struct that holds it, for callbacks that are handed the member alone (a
 * job, a guest). The member may stand anywhere in the struct. Usable on any thread.
 */
#ifndef BASE_CONTAINER_OF_H
#define BASE_CONTAINER_OF_H

#include <stddef.h>

/* The struct of that type whose member the pointer points to. A pointer of any other type than the
 * member's does not compile. In capitals, since DPDK's headers define the lower-case name. */
/* cppcheck takes the type that is asked for without a value for a null pointer that is followed. */
#ifdef __cppcheck__
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#else
/* clang-format's versions align the end of its first line differently. */
/* clang-format off */
#define CONTAINER_OF(pointer, type, member) \
	((type *)(_Generic((pointer), __typeof__(((type *)0)->member) *: (char *)(pointer)) - \
	          offsetof(type, member)))
/* clang-format on */
#endif

#endif
