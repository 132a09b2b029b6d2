/* NUMA nodes and CPUs from sysfs. See topology.h. */
#include "sys/topology.h"

#include <stdio.h>

#include "sys/affinity.h"
#include "sys/sysfs.h"

#define CPU_LIST_TEXT_MAX 4096 /* a page: sysfs gives no more */

/* "0-3,8" and the like; nodes are numbered like CPUs. */
static int list_read(struct cpu_set *out, const char *sysfs, const char *path)
{
	char text[CPU_LIST_TEXT_MAX];
	struct error err;
	int rc = sysfs_read_text(text, sizeof(text), sysfs, "%s", path);

	return rc < 0 ? rc : cpu_set_parse(text, out, &err);
}

static bool node_has_cpu(const char *sysfs, int node, unsigned cpu)
{
	char path[64], text[CPU_LIST_TEXT_MAX];
	struct cpu_set cpus;
	struct error err;

	snprintf(path, sizeof(path), "devices/system/node/node%d/cpulist", node);
	return sysfs_read_text(text, sizeof(text), sysfs, "%s", path) == 0 && text[0] != '\0' &&
	       cpu_set_parse(text, &cpus, &err) == 0 && cpu_set_has(&cpus, cpu);
}

unsigned topology_node_count(const char *sysfs)
{
	struct cpu_set nodes;
	int highest = 0;

	if (list_read(&nodes, sysfs, "devices/system/node/online") < 0)
		return 1;
	for (int node = cpu_set_next(&nodes, -1); node >= 0; node = cpu_set_next(&nodes, node))
		highest = node;
	return (unsigned)highest + 1;
}

int topology_cpu_node(const char *sysfs, unsigned cpu)
{
	struct cpu_set nodes;

	if (cpu >= CPU_SET_SIZE || list_read(&nodes, sysfs, "devices/system/node/online") < 0)
		return 0;
	for (int node = cpu_set_next(&nodes, -1); node >= 0; node = cpu_set_next(&nodes, node)) {
		if (node_has_cpu(sysfs, node, cpu))
			return node;
	}
	return 0;
}

int topology_online(const char *sysfs, struct cpu_set *out)
{
	return list_read(out, sysfs, "devices/system/cpu/online") == 0 ? 0 : affinity_read(0, out);
}

void topology_siblings(const char *sysfs, unsigned cpu, struct cpu_set *out)
{
	char path[80];

	snprintf(path, sizeof(path), "devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
	if (list_read(out, sysfs, path) == 0)
		return;
	*out = (struct cpu_set){0};
	if (cpu < CPU_SET_SIZE)
		cpu_set_add(out, cpu);
}
