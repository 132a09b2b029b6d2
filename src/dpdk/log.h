/* DPDK's own log lines, brought into ours with their severity. Any thread of DPDK's may write them;
 * their state is one static struct in log.c, guarded by the stream's lock.
 */
#ifndef DPDK_LOG_H
#define DPDK_LOG_H

/* Once, before rte_eal_init, so that nothing goes elsewhere; it lasts as long as the process.
 * 0 or -errno. */
int dpdk_log_open(void);

#endif
