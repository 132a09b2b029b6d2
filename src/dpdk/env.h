/* DPDK's environment (EAL): started once, on the main thread, before anything else of the port
 * layer; it lasts as long as the process.
 */
#ifndef DPDK_ENV_H
#define DPDK_ENV_H

#include "base/error.h"

/* argv as config's eal_args_make makes it; EAL keeps pointers to its strings. DPDK's log goes into
 * ours from here on. 0 or -errno. */
int dpdk_env_start(int argc, char *argv[], int syslog_level, struct error *err);

/* All of DPDK's chatter with level 7 (LOG_DEBUG), else what an operator should know. */
void dpdk_env_set_log_level(int syslog_level);

/* "DPDK 22.11.3": what runs, not what was compiled against. */
const char *dpdk_env_version(void);

#endif
