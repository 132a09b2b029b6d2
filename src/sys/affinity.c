/* See affinity.h. */
#include "sys/affinity.h"

#include <errno.h>
#include <sched.h>

_Static_assert(CPU_SET_SIZE <= CPU_SETSIZE, "sched_getaffinity's default set holds ours");

int affinity_read(pid_t tid, struct cpu_set *out)
{
	cpu_set_t mask;

	*out = (struct cpu_set){0};
	if (sched_getaffinity(tid, sizeof(mask), &mask) < 0)
		return -errno;
	for (unsigned cpu = 0; cpu < CPU_SET_SIZE; cpu++) {
		if (CPU_ISSET(cpu, &mask))
			cpu_set_add(out, cpu);
	}
	return 0;
}

int affinity_write(pid_t tid, const struct cpu_set *cpus)
{
	cpu_set_t mask;

	CPU_ZERO(&mask);
	for (int cpu = cpu_set_next(cpus, -1); cpu >= 0; cpu = cpu_set_next(cpus, cpu))
		CPU_SET(cpu, &mask);
	return sched_setaffinity(tid, sizeof(mask), &mask) < 0 ? -errno : 0;
}

int affinity_try(unsigned cpu)
{
	struct cpu_set before, wanted = {0};
	int rc = affinity_read(0, &before);

	if (rc < 0)
		return rc;
	if (cpu >= CPU_SET_SIZE)
		return -EINVAL;
	cpu_set_add(&wanted, cpu);
	rc = affinity_write(0, &wanted);
	if (rc == 0)
		rc = affinity_write(0, &before);
	return rc;
}
