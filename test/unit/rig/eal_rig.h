/* A real EAL for unit tests: no hugepages, no PCI, nothing shared with other processes; and what a
 * test may not leave behind in it.
 */
#ifndef EAL_RIG_H
#define EAL_RIG_H

#include <check.h>
#include <dirent.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_mempool.h>

#include "suite.h"

/* The kernel sends nothing by itself to the test's network devices. */
static inline void eal_rig_silence_ipv6(void)
{
	FILE *file = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w");

	if (file == NULL)
		return; /* without IPv6 there is nothing to silence */
	fputs("1", file);
	fclose(file);
}

/* With the lcores given, as EAL's --lcores has them; in a network namespace of its own where that
 * is possible: *netns tells. */
static inline void eal_rig_start_lcores(char *lcores, bool *netns)
{
	/* rte_eal_init keeps the strings. */
	static char *argv[] = {
	        "unit-test", "--no-shconf", "--no-huge", "--no-pci", "--no-telemetry",
	        "-m",        "512",         "--lcores",  NULL,       NULL};

	argv[8] = lcores;
	*netns = unshare(CLONE_NEWNET) == 0;
	if (*netns)
		eal_rig_silence_ipv6();
	rte_log_set_global_level(getenv("VERBOSE") != NULL ? RTE_LOG_INFO : RTE_LOG_EMERG);
	if (rte_eal_init((int)(sizeof(argv) / sizeof(argv[0])) - 1, argv) < 0) {
		fprintf(stderr, "rte_eal_init: %s\n", rte_strerror(rte_errno));
		exit(EXIT_FAILURE);
	}
	rte_log_set_global_level(getenv("VERBOSE") != NULL ? RTE_LOG_INFO : RTE_LOG_EMERG);
}

static inline void eal_rig_start(bool *netns)
{
	static char lcores[] = "0";

	eal_rig_start_lcores(lcores, netns);
}

/* The end of main: suite_main for tests on a real EAL, which is given up. */
static inline int eal_rig_main(const char *name, TCase *tcase)
{
	Suite *suite = suite_create(name);
	int status;

	suite_add_tcase(suite, tcase);
	status = suite_run(suite, CK_NOFORK); /* DPDK's threads do not survive a fork */
	rte_eal_cleanup();
	return status;
}

/* Everything that an attached device takes. */
struct eal_rig_usage {
	unsigned ports, pools, fds;
	unsigned allocations; /* on DPDK's heap; their bytes vary with the cuttings */
};

static inline void eal_rig_count_pool(struct rte_mempool *pool, void *count)
{
	(void)pool;
	(*(unsigned *)count)++;
}

static inline struct eal_rig_usage eal_rig_usage(void)
{
	struct eal_rig_usage usage = {.ports = rte_eth_dev_count_total()};
	struct rte_malloc_socket_stats stats;
	DIR *dir = opendir("/proc/self/fd");

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		usage.fds++;
	closedir(dir);
	rte_mempool_walk(eal_rig_count_pool, &usage.pools);
	ck_assert_int_eq(rte_malloc_get_socket_stats(0, &stats), 0);
	usage.allocations = stats.alloc_count;
	return usage;
}

static inline void eal_rig_expect_usage(const struct eal_rig_usage *before)
{
	struct eal_rig_usage now = eal_rig_usage();

	ck_assert_uint_eq(now.ports, before->ports);
	ck_assert_uint_eq(now.pools, before->pools);
	ck_assert_uint_eq(now.fds, before->fds);
	ck_assert_uint_eq(now.allocations, before->allocations);
}

#endif
