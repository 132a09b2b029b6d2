/* Starting EAL; see env.h.
 */
#include "dpdk/env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_memory.h>
#include <rte_version.h>

#include "base/device_spec.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/sizes.h"
#include "dpdk/log.h"

/* What base says of DPDK without knowing it. */
_Static_assert(DEVICE_NAME_MAX == RTE_DEV_NAME_MAX_LEN,
               "EAL's device names fit ours, and ours EAL's");
_Static_assert(sizeof(struct rte_memseg) == SIZES_MEMSEG_BYTES,
               "a page of memory has so large an entry in EAL's table");
_Static_assert(LCORES_MAX <= RTE_MAX_LCORE, "EAL knows each lcore that we admit");

void dpdk_env_set_log_level(int syslog_level)
{
	/* RTE_LOG_EMERG is 1 where LOG_EMERG is 0. DPDK's "info" tells of each vhost-user message,
	 * which is what our "debug" is for. */
	uint32_t level = syslog_level >= LOG_DEBUG ? RTE_LOG_INFO : RTE_LOG_NOTICE;

	if (syslog_level < LOG_NOTICE)
		level = (uint32_t)syslog_level + 1;
	rte_log_set_global_level(level);
	/* Lines of the packet path, written by workers as often as a guest likes. */
	rte_log_set_level_pattern("lib.vhost.data", RTE_LOG_EMERG);
}

int dpdk_env_start(int argc, char *argv[], int syslog_level, struct error *err)
{
	/* EAL writes into the array that it gets. */
	char **copy = calloc((size_t)argc + 1, sizeof(*copy));

	if (copy == NULL)
		return error_set(err, ENOMEM, "DPDK's log cannot be taken over");
	int rc = dpdk_log_open();
	if (rc < 0) {
		free(copy);
		return error_set(err, -rc, "DPDK's log cannot be taken over");
	}
	memcpy(copy, argv, (size_t)argc * sizeof(*copy));
	rc = rte_eal_init(argc, copy);
	free(copy);
	if (rc < 0)
		return error_set(err, rte_errno > 0 ? rte_errno : EIO,
		                 "DPDK does not start%s%s%s; its own lines in the log say why. "
		                 "Without hugepages use --no-huge; another instance, or one that "
		                 "is still stopping, needs its own "
		                 "--pid-path",
		                 rte_errno > 0 ? " (" : "",
		                 rte_errno > 0 ? rte_strerror(rte_errno) : "",
		                 rte_errno > 0 ? ")" : "");
	dpdk_env_set_log_level(syslog_level);
	return 0;
}

const char *dpdk_env_version(void)
{
	return rte_version();
}
