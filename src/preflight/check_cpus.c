/* CPUs: there, ours, left alone by others, and new enough.
 */
#include "preflight/checks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sys/sysfs.h"
#include "sys/topology.h"

#define CPU_LIST_TEXT_MAX 256

/* What the compiler was allowed to use for us and DPDK's inline code, as /proc/cpuinfo names it. */
static const char *const instructions[] = {
#if defined(__x86_64__)
        "sse3", /* "pni" in /proc/cpuinfo, see name_has */
        "ssse3",   "sse4_1", "sse4_2", "popcnt",
#ifdef __AVX__
        "avx",
#endif
#ifdef __AVX2__
        "avx2",
#endif
#ifdef __AVX512F__
        "avx512f",
#endif
#elif defined(__aarch64__)
        "asimd",
#ifdef __ARM_FEATURE_CRC32
        "crc32",
#endif
#ifdef __ARM_FEATURE_ATOMICS
        "atomics",
#endif
#endif
        NULL,
};

/* --- instructions --------------------------------------------------------------------------- */

/* Whether a line of flags has the word. */
static bool flags_have(const char *flags, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = strstr(flags, word); at != NULL; at = strstr(at + 1, word)) {
		if ((at == flags || at[-1] == ' ' || at[-1] == '\t') &&
		    (at[len] == ' ' || at[len] == '\0'))
			return true;
	}
	return false;
}

/* The first CPU's "flags" or "Features" line, to be freed; NULL when there is none. */
static char *flags_read(const char *proc)
{
	char path[256], *line = NULL;
	size_t size = 0;
	bool found = false;

	snprintf(path, sizeof(path), "%s/cpuinfo", proc);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return NULL;
	while (!found && getline(&line, &size, file) > 0)
		found = strncmp(line, "flags", 5) == 0 || strncmp(line, "Features", 8) == 0;
	fclose(file);
	if (found) {
		line[strcspn(line, "\n")] = '\0';
		return line;
	}
	free(line);
	return NULL;
}

static void check_instructions(struct picture *p)
{
	char missing[128] = "";
	char *flags = flags_read(p->place->proc);
	size_t len = 0;

	for (size_t i = 0; flags != NULL && instructions[i] != NULL; i++) {
		const char *name = strcmp(instructions[i], "sse3") == 0 ? "pni" : instructions[i];

		if (!flags_have(flags, name) && len < sizeof(missing))
			len += (size_t)snprintf(missing + len, sizeof(missing) - len, "%s%s",
			                        len > 0 ? ", " : "", instructions[i]);
	}
	free(flags);
	if (missing[0] == '\0')
		return;
	struct finding *finding = report_add(p->report, FINDING_ERROR, "cpu.instructions");
	finding_what(finding, "the CPU lacks %s", missing);
	finding_why(finding,
	            "DPDK was built to use these instructions and refuses to start without");
	finding_remedy(finding, "in a virtual machine give it the host's CPU (QEMU: -cpu host; "
	                        "libvirt: <cpu mode='host-passthrough'/>); else use a newer "
	                        "machine");
}

/* --- which CPUs ----------------------------------------------------------------------------- */

/* The wanted CPUs, main lcore's included, that are not in `good`. */
static bool find_outside(const struct picture *p, const struct cpu_set *good, struct cpu_set *out)
{
	*out = (struct cpu_set){0};
	for (int cpu = cpu_set_next(&p->cpus, -1); cpu >= 0; cpu = cpu_set_next(&p->cpus, cpu)) {
		if (!cpu_set_has(good, (unsigned)cpu))
			cpu_set_add(out, (unsigned)cpu);
	}
	if (p->main_cpu >= 0 && !cpu_set_has(good, (unsigned)p->main_cpu))
		cpu_set_add(out, (unsigned)p->main_cpu);
	return cpu_set_count(out) > 0;
}

static void check_online(struct picture *p)
{
	struct cpu_set online, outside;
	char text[CPU_LIST_TEXT_MAX], all[CPU_LIST_TEXT_MAX];

	if (topology_online(p->place->sysfs, &online) < 0 || !find_outside(p, &online, &outside))
		return;
	cpu_set_format(&outside, text, sizeof(text));
	struct finding *finding = report_add(p->report, FINDING_ERROR, "cpu.absent");
	finding_what(finding, "CPU %s, which --cpus or --master-lcore names, is not online", text);
	finding_why(finding, "DPDK refuses to start with lcores that have no CPU");
	finding_remedy(finding,
	               "choose from %s, or switch it on (echo 1 > "
	               "/sys/devices/system/cpu/cpuN/online)",
	               cpu_set_format(&online, all, sizeof(all)));
}

static void check_allowed(struct picture *p)
{
	struct cpu_set online, outside, reported = {0};
	char text[CPU_LIST_TEXT_MAX], all[CPU_LIST_TEXT_MAX];

	if (topology_online(p->place->sysfs, &online) < 0 ||
	    !find_outside(p, &p->place->allowed, &outside))
		return;
	/* What is not there at all has been told. */
	for (int cpu = cpu_set_next(&outside, -1); cpu >= 0; cpu = cpu_set_next(&outside, cpu)) {
		if (cpu_set_has(&online, (unsigned)cpu))
			cpu_set_add(&reported, (unsigned)cpu);
	}
	if (cpu_set_count(&reported) == 0)
		return;
	cpu_set_format(&reported, text, sizeof(text));
	struct finding *finding = report_add(p->report, FINDING_ERROR, "cpu.not_allowed");
	finding_what(finding, "CPU %s is not among those that this process may use (%s)", text,
	             cpu_set_format(&p->place->allowed, all, sizeof(all)));
	finding_why(finding, "a cpuset, taskset or the unit's CPUAffinity keeps it away, and DPDK "
	                     "refuses to start");
	finding_remedy(finding, "choose from those, or widen the cpuset (systemd: AllowedCPUs=, "
	                        "CPUAffinity=)");
}

static void check_isolated(struct picture *p)
{
	char text[4096], names[CPU_LIST_TEXT_MAX];
	struct cpu_set isolated = {0}, outside = {0};
	struct error ignored;

	if (sysfs_read_text(text, sizeof(text), p->place->sysfs, "devices/system/cpu/isolated") < 0)
		return; /* nobody knows */
	if (text[0] != '\0' && cpu_set_parse(text, &isolated, &ignored) < 0)
		return;
	for (int cpu = cpu_set_next(&p->cpus, -1); cpu >= 0; cpu = cpu_set_next(&p->cpus, cpu)) {
		if (!cpu_set_has(&isolated, (unsigned)cpu))
			cpu_set_add(&outside, (unsigned)cpu);
	}
	if (cpu_set_count(&outside) == 0)
		return;
	cpu_set_format(&outside, names, sizeof(names));
	struct finding *finding = report_add(p->report, FINDING_WARNING, "cpu.not_isolated");
	finding_what(finding, "worker CPU %s is not isolated", names);
	finding_why(finding,
	            "whatever else the kernel runs there holds up packets for milliseconds, "
	            "and drops them under load");
	finding_remedy(finding,
	               "add isolcpus=%s (and nohz_full=%s rcu_nocbs=%s) to the kernel's "
	               "command line, and reboot",
	               names, names, names);
}

/* Workers that share a core, with each other or with the main lcore. */
static void check_cores(struct picture *p)
{
	struct cpu_set shared = {0};
	char names[CPU_LIST_TEXT_MAX];

	for (int cpu = cpu_set_next(&p->cpus, -1); cpu >= 0; cpu = cpu_set_next(&p->cpus, cpu)) {
		struct cpu_set siblings;

		topology_siblings(p->place->sysfs, (unsigned)cpu, &siblings);
		for (int other = cpu_set_next(&siblings, -1); other >= 0;
		     other = cpu_set_next(&siblings, other)) {
			if (other != cpu &&
			    (other == p->main_cpu || cpu_set_has(&p->cpus, (unsigned)other))) {
				cpu_set_add(&shared, (unsigned)cpu);
				cpu_set_add(&shared, (unsigned)other);
			}
		}
	}
	if (cpu_set_count(&shared) == 0)
		return;
	cpu_set_format(&shared, names, sizeof(names));
	struct finding *finding = report_add(p->report, FINDING_WARNING, "cpu.shared_core");
	finding_what(finding, "CPUs %s are hyper-threads of cores that they share", names);
	finding_why(finding, "a worker that polls takes half of its core from the other thread");
	finding_remedy(finding, "give --cpus one thread of each core, and keep the other idle "
	                        "(lscpu -e shows which)");
}

static void check_overlap(struct picture *p)
{
	if (p->main_cpu < 0 || !cpu_set_has(&p->cpus, (unsigned)p->main_cpu))
		return;
	struct finding *finding = report_add(p->report, FINDING_WARNING, "cpu.main_overlap");
	finding_what(finding, "the main lcore and a worker both run on CPU %d", p->main_cpu);
	finding_why(finding, "--eal's --lcores puts them there; requests and packets wait for each "
	                     "other");
	finding_remedy(finding, "map the main lcore or the worker to another CPU");
}

void check_cpus(struct picture *p)
{
	check_instructions(p);
	check_online(p);
	check_allowed(p);
	check_overlap(p);
	check_isolated(p);
	check_cores(p);
}
