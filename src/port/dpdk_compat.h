/* What differs between the DPDK releases that we build with (22.11, 24.11, 25.11 LTS): the only
 * file that asks for RTE_VERSION.
 */
#ifndef PORT_DPDK_COMPAT_H
#define PORT_DPDK_COMPAT_H

#include <stdint.h>

#include <rte_version.h>

/* For the one file that includes rte_vhost.h, before this header. */
#ifdef _RTE_VHOST_H_
/* Up to 23.11 the library takes as many queue pairs as it can (128), and cannot be told. */
static inline int dpdk_vhost_set_max_queue_pairs(const char *path, uint32_t n)
{
#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
	return rte_vhost_driver_set_max_queue_num(path, n);
#else
	(void)path;
	(void)n;
	return 0;
#endif
}
#endif

#endif
