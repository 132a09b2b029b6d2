/* In the place of DPDK's: a prefetch is harmless wherever it goes. */
#ifndef STAND_IN_RTE_PREFETCH_H
#define STAND_IN_RTE_PREFETCH_H

#define rte_prefetch0(at)       ((void)(at))
#define rte_prefetch0_write(at) ((void)(at))

#endif
