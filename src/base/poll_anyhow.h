/* poll for more descriptors than the limit of open files allows. The kernel refuses that with
 * EINVAL, which happens when somebody lowers the limit of a process that runs: libzmq then aborts
 * it, and DPDK's vhost library turns in circles. So the poll of this program is ours (a program's
 * own function comes before libc's, for libraries too), and asks select instead, which knows no
 * such limit. It has poll's prototype, and is called as ever. No state, any thread.
 */
#ifndef BASE_POLL_ANYHOW_H
#define BASE_POLL_ANYHOW_H

#include <poll.h>
#include <stddef.h>

/* What select finds, as poll would say it: an end that has hung up, or is in error, is readable,
 * and writable if that was asked. -1 with errno EINTR or ENOMEM. */
int poll_by_select(struct pollfd *fds, nfds_t n, int timeout_ms);

/* poll's name where calls are checked (_FORTIFY_SOURCE), as in DPDK and ZeroMQ of distributions. */
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t size);

#endif
