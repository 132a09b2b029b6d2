/* DPDK's own log lines, brought into ours with their severity. */
#ifndef PORT_DPDK_LOG_H
#define PORT_DPDK_LOG_H

/* Once, before rte_eal_init, so that nothing goes elsewhere; it lasts as long as the process.
 * 0 or -errno. */
int dpdk_log_open(void);

#endif
