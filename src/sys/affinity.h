/* Which CPUs a thread runs on, and whether it may run on others. Pure system calls, any thread.
 * A thread's set may be wider than what its cgroup's cpuset and the CPUs online leave of it, and a
 * process may leave the set that it was started with (isolcpus= and CPUAffinity= give narrow ones):
 * so whether a CPU can be had is found out by asking for it.
 */
#ifndef SYS_AFFINITY_H
#define SYS_AFFINITY_H

#include <sys/types.h>

#include "base/cpu_set.h"

/* tid 0: the calling thread. 0 or -errno. */
int affinity_read(pid_t tid, struct cpu_set *out);
/* -EINVAL: none of these CPUs is online and in the cpuset. */
int affinity_write(pid_t tid, const struct cpu_set *cpus);

/* Whether the calling thread could run on that CPU; it stays where it is. 0, -EINVAL as above, or
 * another -errno. */
int affinity_try(unsigned cpu);

#endif
