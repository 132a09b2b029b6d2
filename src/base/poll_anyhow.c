/* poll without a limit. See poll_anyhow.h. */
#undef _FORTIFY_SOURCE /* with it poll is a macro of sorts */
#include "base/poll_anyhow.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* select's sets, as long as the highest descriptor needs. */
#define WORD_BITS (sizeof(unsigned long) * CHAR_BIT)

struct sets {
	unsigned long *words; /* three sets of n_words, one after another */
	size_t n_words;
};

enum { READABLE, WRITABLE, URGENT, SETS };

static const struct {
	short asked, told;
} events[SETS] = {
        [READABLE] = {POLLIN | POLLRDNORM, POLLIN | POLLRDNORM},
        [WRITABLE] = {POLLOUT | POLLWRNORM, POLLOUT | POLLWRNORM},
        [URGENT] = {POLLPRI, POLLPRI},
};

static unsigned long *word_of(const struct sets *sets, int set, int fd)
{
	return &sets->words[(size_t)set * sets->n_words + (size_t)fd / WORD_BITS];
}

static unsigned long bit_of(int fd)
{
	return 1UL << (size_t)fd % WORD_BITS;
}

/* Says of descriptors that are closed what poll says of them, and how many they are. */
static int find_closed(struct pollfd *fds, nfds_t n, int *highest)
{
	int closed = 0;

	*highest = -1;
	for (nfds_t i = 0; i < n; i++) {
		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		if (fcntl(fds[i].fd, F_GETFD) < 0) {
			fds[i].revents = POLLNVAL;
			closed++;
		} else if (fds[i].fd > *highest) {
			*highest = fds[i].fd;
		}
	}
	return closed;
}

static bool is_asked(const struct pollfd *one)
{
	return one->fd >= 0 && one->revents != POLLNVAL;
}

static void fill(const struct sets *sets, const struct pollfd *fds, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++) {
		for (int set = 0; is_asked(&fds[i]) && set < SETS; set++) {
			if (fds[i].events & events[set].asked)
				*word_of(sets, set, fds[i].fd) |= bit_of(fds[i].fd);
		}
	}
}

static int read_off(const struct sets *sets, struct pollfd *fds, nfds_t n)
{
	int found = 0;

	for (nfds_t i = 0; i < n; i++) {
		for (int set = 0; is_asked(&fds[i]) && set < SETS; set++) {
			if (*word_of(sets, set, fds[i].fd) & bit_of(fds[i].fd))
				fds[i].revents |= (short)(fds[i].events & events[set].told);
		}
		found += fds[i].revents != 0;
	}
	return found;
}

static struct timespec *timespec_of(int timeout_ms, struct timespec *out)
{
	out->tv_sec = timeout_ms / 1000;
	out->tv_nsec = timeout_ms % 1000 * 1000000L;
	return timeout_ms < 0 ? NULL : out;
}

int poll_by_select(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	int highest, closed = find_closed(fds, n, &highest);
	struct sets sets = {.n_words = (size_t)(highest + 1) / WORD_BITS + 1};
	struct timespec time;

	sets.words = calloc(SETS * sets.n_words, sizeof(*sets.words));
	if (sets.words == NULL) {
		errno = ENOMEM;
		return -1;
	}
	fill(&sets, fds, n);
	int rc = pselect(highest + 1, (fd_set *)word_of(&sets, READABLE, 0),
	                 (fd_set *)word_of(&sets, WRITABLE, 0), (fd_set *)word_of(&sets, URGENT, 0),
	                 timespec_of(closed > 0 ? 0 : timeout_ms, &time), NULL);
	int code = errno;
	if (rc >= 0)
		rc = read_off(&sets, fds, n);
	else /* EBADF: one was closed just now; callers ask again after EINTR */
		code = code == ENOMEM ? ENOMEM : EINTR;
	free(sets.words);
	errno = code;
	return rc;
}

int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct timespec time;
	long rc = syscall(SYS_ppoll, fds, n, timespec_of(timeout_ms, &time), NULL, 0);

	return rc < 0 && errno == EINVAL ? poll_by_select(fds, n, timeout_ms) : (int)rc;
}

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t size)
{
	if (size / sizeof(*fds) < n)
		abort();
	return poll(fds, n, timeout_ms);
}
