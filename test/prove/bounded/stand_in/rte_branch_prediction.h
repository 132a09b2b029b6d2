/* In the place of DPDK's. */
#ifndef STAND_IN_RTE_BRANCH_PREDICTION_H
#define STAND_IN_RTE_BRANCH_PREDICTION_H

#define likely(condition)   (condition)
#define unlikely(condition) (condition)

#endif
