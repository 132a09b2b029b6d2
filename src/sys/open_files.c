/* File descriptors: plenty of them, and calls that survive their end. See open_files.h.
 */
#include "sys/open_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/poll_anyhow.h"

/* 64 guests with 32 queue pairs each hold a few thousand descriptors, the clients of the endpoints
 * as many. */
#define OPEN_FILES_WANTED 524288
#define OPEN_FILES_NEEDED 16384
#define CLIENT_SOCKETS    32
#define NAP_MS            10

/* The process has one table of descriptors, and accept4 no argument to bring along what it needs:
 * hence this. limit and the sockets are written by one thread and read by any. */
static struct {
	atomic_uint limit;                         /* 0 until open_files_prepare */
	atomic_int client_sockets[CLIENT_SOCKETS]; /* listening; 0 = none */
	pthread_mutex_t spare_lock;
	int spare; /* given away to drop a newcomer; under the lock */
} open_files = {.spare_lock = PTHREAD_MUTEX_INITIALIZER, .spare = -1};

static int spare_open(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void open_files_prepare(void)
{
	struct rlimit limit;
	struct rlimit more = {OPEN_FILES_WANTED, OPEN_FILES_WANTED};

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < OPEN_FILES_WANTED) {
		if (limit.rlim_max >= OPEN_FILES_WANTED)
			more.rlim_max = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &more) == 0) {
			limit = more;
		} else {
			limit.rlim_cur = limit.rlim_max;
			if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
				getrlimit(RLIMIT_NOFILE, &limit);
		}
	}
	if (limit.rlim_cur < OPEN_FILES_NEEDED)
		log_warn("no more than %llu files can be open at a time: that holds few guests and "
		         "clients; allow %d (LimitNOFILE= of the service, ulimit -n)",
		         (unsigned long long)limit.rlim_cur, OPEN_FILES_NEEDED);
	open_files.spare = spare_open();
	atomic_store(&open_files.limit,
	             limit.rlim_cur < INT_MAX ? (unsigned)limit.rlim_cur : INT_MAX);
}

unsigned open_files_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT_MAX)
		return INT_MAX;
	return (unsigned)limit.rlim_cur;
}

unsigned open_files_left(void)
{
	unsigned limit = open_files_limit(), used = 0;
	DIR *directory = opendir("/proc/self/fd");

	if (directory == NULL)
		return errno == EMFILE ? 0 : limit / 2;
	while (readdir(directory) != NULL)
		used++;
	closedir(directory);
	used -= used < 3 ? used : 3; /* ".", ".." and the directory itself */
	return used < limit ? limit - used : 0;
}

/* --- accept ------------------------------------------------------------------------------- */

void open_files_limit_clients(int listening_fd)
{
	for (unsigned i = 0; i < CLIENT_SOCKETS; i++) {
		int none = 0;

		if (atomic_compare_exchange_strong(&open_files.client_sockets[i], &none,
		                                   listening_fd))
			return;
	}
}

void open_files_forget(int listening_fd)
{
	for (unsigned i = 0; listening_fd > 0 && i < CLIENT_SOCKETS; i++) {
		int fd = listening_fd;

		atomic_compare_exchange_strong(&open_files.client_sockets[i], &fd, 0);
	}
}

/* Somebody may have lowered it since the start. */
static unsigned limit_now(void)
{
	unsigned prepared = atomic_load_explicit(&open_files.limit, memory_order_relaxed);
	unsigned now = open_files_limit();

	return now < prepared ? now : prepared;
}

/* Descriptors are given out from the lowest on, so the number tells how many there are at least. */
static bool is_beyond_clients(int listening_fd, int fd)
{
	unsigned limit = limit_now();

	if (limit == 0 || (unsigned)fd < limit - limit / 4)
		return false;
	for (unsigned i = 0; i < CLIENT_SOCKETS; i++)
		if (atomic_load_explicit(&open_files.client_sockets[i], memory_order_relaxed) ==
		    listening_fd)
			return true;
	return false;
}

/* Gives the reserve away for what comes of call(argument), and takes a new one as soon as there is
 * one: what is let go has the lowest number, which a lowered limit still allows. -1 when there is
 * no reserve either. */
static int spare_use(int (*call)(int argument), int argument)
{
	int fd = -1;

	pthread_mutex_lock(&open_files.spare_lock);
	if (open_files.spare < 0)
		open_files.spare = spare_open();
	if (open_files.spare >= 0) {
		close(open_files.spare);
		fd = call(argument);
		open_files.spare = spare_open();
	}
	pthread_mutex_unlock(&open_files.spare_lock);
	return fd;
}

static int accept_call(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	return (int)syscall(SYS_accept4, fd, address, length, flags);
}

static int accept_and_drop(int listening_fd)
{
	int fd = accept_call(listening_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

/* Left in the queue it would have its listener turn in circles. */
static void newcomer_drop(int listening_fd)
{
	static struct log_limit limit = LOG_LIMIT(60000, 1);
	struct pollfd queue = {.fd = listening_fd, .events = POLLIN};

	if (poll(&queue, 1, 0) != 1)
		return;
	log_write_limited(&limit, LOG_WARNING,
	                  "no file descriptor is left (%u may be open): clients and guests that "
	                  "come now are turned away; raise the limit (LimitNOFILE= of the "
	                  "service, prlimit --nofile)",
	                  open_files_limit());
	/* Under a limit of 0 nobody can be let go, so the circles are at least slow ones. */
	if (spare_use(accept_and_drop, listening_fd) < 0)
		(void)poll(NULL, 0, NAP_MS);
}

/* In place of libc's; ECONNABORTED is what every listener has to expect. */
int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	int accepted = accept_call(fd, address, length, flags);

	if (accepted >= 0 && is_beyond_clients(fd, accepted)) {
		close(accepted);
		accepted = -1;
		errno = ECONNABORTED;
	} else if (accepted < 0 && (errno == EMFILE || errno == ENFILE)) {
		newcomer_drop(fd);
		errno = ECONNABORTED;
	}
	return accepted;
}

int accept(int fd, struct sockaddr *address, socklen_t *length)
{
	return accept4(fd, address, length, 0);
}

/* --- epoll_create --------------------------------------------------------------------------- */

static int epoll_create_call(int flags)
{
	return (int)syscall(SYS_epoll_create1, flags);
}

/* In place of libc's: DPDK's interrupt thread closes its epoll descriptor and makes another one
 * whenever a device comes or goes, and panics if it cannot. */
int epoll_create(int size)
{
	if (size <= 0) {
		errno = EINVAL;
		return -1;
	}
	int fd = epoll_create_call(0);
	return fd < 0 && errno == EMFILE ? spare_use(epoll_create_call, 0) : fd;
}
