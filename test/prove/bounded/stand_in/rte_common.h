/* In the place of DPDK's: what the walkers use of it. */
#ifndef STAND_IN_RTE_COMMON_H
#define STAND_IN_RTE_COMMON_H

#define RTE_CACHE_LINE_SIZE 64
#define RTE_MIN(a, b)       ((a) < (b) ? (a) : (b))
#define __rte_always_inline inline
#define __rte_noinline

#endif
