/* What the machine looks like: NUMA nodes, CPUs that are online and that this process may use,
 * hyper-threads of one core. Read afresh at each call, since CPUs come and go; a machine (or a
 * container) that tells nothing about NUMA has one node, 0. Pure functions, any thread. CPUs here
 * are the kernel's, which are DPDK's lcore ids only as long as --lcores does not map them.
 */
#ifndef SYS_TOPOLOGY_H
#define SYS_TOPOLOGY_H

#include <stdbool.h>

#include "base/cpu_set.h"

unsigned topology_node_count(const char *sysfs);        /* >= 1: the highest node's number + 1 */
int topology_cpu_node(const char *sysfs, unsigned cpu); /* 0 when unknown */

/* The CPUs online; where sysfs does not say, those that this process may use. 0 or -errno. */
int topology_online(const char *sysfs, struct cpu_set *out);

/* The CPUs that share the core with cpu, itself included: that one alone when unknown. */
void topology_siblings(const char *sysfs, unsigned cpu, struct cpu_set *out);

#endif
