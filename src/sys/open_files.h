/* File descriptors: plenty of them, and what happens when they run out all the same, or somebody
 * lowers the limit while the daemon runs. libzmq aborts the process when accept4 has none left for
 * it, the vhost library turns in circles with accept, and DPDK's interrupt thread panics when it
 * cannot have another epoll descriptor. So these three of this program are ours (a program's own
 * function comes before libc's, for libraries too): they drop the newcomer, or give the reserve
 * away. poll is in poll_anyhow.h. Any thread, but for what is said at a function.
 */
#ifndef SYS_OPEN_FILES_H
#define SYS_OPEN_FILES_H

/* Raises the limit to what 64 guests and all clients can use, or to what may be had. Then keeps
 * one descriptor in reserve, to be able to drop newcomers. At the start, before other threads. */
void open_files_prepare(void);

/* The limit, and how many of it are not in use. */
unsigned open_files_limit(void);
unsigned open_files_left(void);

/* Connections that come by this listening socket are dropped when they would take one of the last
 * quarter of all descriptors: that is for the guests. Up to 32 sockets; of no effect for more.
 * Before the socket is polled. */
void open_files_limit_clients(int listening_fd);
void open_files_forget(int listening_fd); /* before it is closed; harmless for others */

#endif
