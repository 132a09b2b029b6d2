/* DPDK's own log lines, brought into ours with their severity. Any thread of DPDK's may write them;
 * their state is one static struct in log.c, guarded by the stream's lock. */
#ifndef DPDK_LOG_H
#define DPDK_LOG_H

#include <stdbool.h>

/* Once, before rte_eal_init, so that nothing goes elsewhere; it lasts as long as the process.
 * 0 or -errno. */
int dpdk_log_open(void);

/* DPDK returns -1 when vfio does not give it a device, whatever the reason; that somebody only
 * holds the device for a moment (EAGAIN, EBUSY: it is just being bound, or reset) is known to its
 * log lines alone. Whether there was such a line since dpdk_log_busy_forget. Any thread, but of no
 * use unless one at a time probes devices. */
void dpdk_log_busy_forget(void);
bool dpdk_log_busy_seen(void);

#endif
