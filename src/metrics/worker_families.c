/* The families of metrics about workers and the daemon. See worker_families.h. */
#include "metrics/worker_families.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- the daemon ------------------------------------------------------------------------------ */

static void put_build(const struct family *family, const struct snapshot *snapshot, unsigned index,
                      struct lines *lines)
{
	const struct metric_label labels[] = {
	        {"version", VERSION},
	        {"dpdk", control_dpdk_version()},
	};

	(void)snapshot;
	(void)index;
	lines_put_number(lines, &family->head, labels, COUNT(labels), 1);
}

static void put_start(const struct family *family, const struct snapshot *snapshot, unsigned index,
                      struct lines *lines)
{
	(void)index;
	lines_put_number(lines, &family->head, NULL, 0, snapshot->start_s);
}

/* --- workers --------------------------------------------------------------------------------- */

static void put_info(const struct family *family, const struct snapshot *snapshot, unsigned index,
                     struct lines *lines)
{
	const struct control_worker *worker = &snapshot->workers[index];
	const struct family_number id = family_number(worker->cpu);
	const struct family_number host_cpu = family_number(worker->host_cpu);
	char numa_node[12];
	const struct metric_label labels[] = {
	        {"worker", id.text},
	        {"host_cpu", host_cpu.text},
	        {"numa_node", numa_node},
	};

	snprintf(numa_node, sizeof(numa_node), "%d", worker->numa_node);
	lines_put_number(lines, &family->head, labels, COUNT(labels), 1);
}

static void put_real(const struct family *family, unsigned id, double value, struct lines *lines)
{
	const struct family_number number = family_number(id);
	const struct metric_label labels[] = {{"worker", number.text}};

	lines_put_real(lines, &family->head, labels, COUNT(labels), value);
}

static void put_busy(const struct family *family, const struct snapshot *snapshot, unsigned index,
                     struct lines *lines)
{
	const struct control_worker *worker = &snapshot->workers[index];

	put_real(family, worker->cpu, family_share(worker->busy), lines);
}

static void put_busy_seconds(const struct family *family, const struct snapshot *snapshot,
                             unsigned index, struct lines *lines)
{
	const struct control_worker *worker = &snapshot->workers[index];

	put_real(family, worker->cpu, family_seconds(snapshot, worker->busy_cycles), lines);
}

static void put_asleep(const struct family *family, const struct snapshot *snapshot, unsigned index,
                       struct lines *lines)
{
	const struct control_worker *worker = &snapshot->workers[index];

	put_real(family, worker->cpu, family_share(worker->asleep), lines);
}

static void put_sleeps(const struct family *family, const struct snapshot *snapshot, unsigned index,
                       struct lines *lines)
{
	const struct control_worker *worker = &snapshot->workers[index];

	family_put_about(family, lines, "worker", worker->cpu, worker->sleeps);
}

static void put_lanes(const struct family *family, const struct snapshot *snapshot, unsigned index,
                      struct lines *lines)
{
	const struct control_worker *worker = &snapshot->workers[index];

	family_put_about(family, lines, "worker", worker->cpu, worker->n_lanes);
}

static void put_shares(const struct family *family, const struct snapshot *snapshot, unsigned index,
                       struct lines *lines)
{
	const struct control_worker *worker = &snapshot->workers[index];

	family_put_about(family, lines, "worker", worker->cpu, worker->shares_cpu);
}

/* --- the list -------------------------------------------------------------------------------- */

/* clang-format off */
const struct family worker_families[] = {
        {{"vio4wd_build", NULL, METRIC_INFO, "What runs here."}, ABOUT_DAEMON, put_build, NULL},
        {{"vio4wd_start_time_seconds", "seconds", METRIC_GAUGE,
          "When the daemon started, in seconds since the epoch."},
         ABOUT_DAEMON, put_start, NULL},
        {{"vio4wd_worker", NULL, METRIC_INFO,
          "A worker, by its lcore: the CPU that it runs on, and that one's NUMA node."},
         ABOUT_WORKER, put_info, NULL},
        {{"vio4wd_worker_busy_ratio", "ratio", METRIC_GAUGE,
          "Share of the last second that the worker has spent on packets."},
         ABOUT_WORKER, put_busy, NULL},
        {{"vio4wd_worker_busy_seconds", "seconds", METRIC_COUNTER,
          "Time that the worker has spent on packets."},
         ABOUT_WORKER, put_busy_seconds, NULL},
        {{"vio4wd_worker_asleep_ratio", "ratio", METRIC_GAUGE,
          "Share of the last second that the worker has slept."},
         ABOUT_WORKER, put_asleep, NULL},
        {{"vio4wd_worker_sleeps", NULL, METRIC_COUNTER, "How often the worker has gone to sleep."},
         ABOUT_WORKER, put_sleeps, NULL},
        {{"vio4wd_worker_lanes", NULL, METRIC_GAUGE, "Lanes that the worker polls."},
         ABOUT_WORKER, put_lanes, NULL},
        {{"vio4wd_worker_shares_cpu", NULL, METRIC_GAUGE,
          "Whether the worker has to share its CPU with another one or with the main lcore."},
         ABOUT_WORKER, put_shares, NULL},
};
/* clang-format on */

const unsigned worker_families_count = COUNT(worker_families);
