/* See sigbus.h. The table is an array of slots with a sequence number each, odd while the slot is
 * being written: the handler passes those by, for the mapping that it was called for is in the
 * table for as long as it is used.
 */
#include "vhost/sigbus.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"

/* A guest has 32 regions and a log at most, and twice that while one memory replaces another. */
#define SLOTS (RELAYS_MAX * 80)

struct slot {
	_Atomic unsigned sequence;
	_Atomic uintptr_t start; /* 0 = free */
	_Atomic size_t length;
	_Atomic(_Atomic bool *) lost;
};

/* slots: writers under the lock, the handler without; used: slots from there on have never been
 * used. previous: written once. */
static struct {
	struct slot slots[SLOTS];
	_Atomic unsigned used;
	pthread_mutex_t lock;
	struct sigaction previous;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void slot_write(struct slot *slot, uintptr_t start, size_t length, _Atomic bool *lost)
{
	atomic_fetch_add(&slot->sequence, 1);
	atomic_store(&slot->start, start);
	atomic_store(&slot->length, length);
	atomic_store(&slot->lost, lost);
	atomic_fetch_add(&slot->sequence, 1);
}

int sigbus_add(void *start, size_t length, _Atomic bool *lost)
{
	int rc = -ENOSPC;

	pthread_mutex_lock(&table.lock);
	for (unsigned i = 0; i < SLOTS && rc < 0; i++) {
		if (atomic_load(&table.slots[i].start) != 0)
			continue;
		if (i >= atomic_load(&table.used))
			atomic_store(&table.used, i + 1);
		slot_write(&table.slots[i], (uintptr_t)start, length, lost);
		rc = 0;
	}
	pthread_mutex_unlock(&table.lock);
	return rc;
}

void sigbus_remove(const void *start)
{
	if (start == NULL)
		return;
	pthread_mutex_lock(&table.lock);
	for (unsigned i = 0; i < atomic_load(&table.used); i++) {
		if (atomic_load(&table.slots[i].start) != (uintptr_t)start)
			continue;
		slot_write(&table.slots[i], 0, 0, NULL);
		break;
	}
	pthread_mutex_unlock(&table.lock);
}

/* Puts zeroes in the place of the mapping that has the address. false when it is in none. */
static bool mapping_replace(uintptr_t address)
{
	unsigned used = atomic_load(&table.used);

	for (unsigned i = 0; i < used; i++) {
		struct slot *slot = &table.slots[i];
		unsigned sequence = atomic_load(&slot->sequence);
		uintptr_t start = atomic_load(&slot->start);
		size_t length = atomic_load(&slot->length);
		_Atomic bool *lost = atomic_load(&slot->lost);

		if (address - start >= length || sequence % 2 != 0 ||
		    atomic_load(&slot->sequence) != sequence)
			continue;
		/* The system call itself: what a sanitizer makes of mmap is not for handlers. */
		if (syscall(SYS_mmap, start, length, PROT_READ | PROT_WRITE,
		            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) < 0)
			return false;
		atomic_store(lost, true);
		return true;
	}
	return false;
}

/* What would have happened without us. */
static void pass_on(int signal, siginfo_t *info, void *context)
{
	if (table.previous.sa_flags & SA_SIGINFO) {
		table.previous.sa_sigaction(signal, info, context);
	} else if (table.previous.sa_handler != SIG_DFL && table.previous.sa_handler != SIG_IGN) {
		table.previous.sa_handler(signal);
	} else {
		/* The access is made again, and ends the process as it would have. */
		struct sigaction action = {.sa_handler = SIG_DFL};

		sigaction(SIGBUS, &action, NULL);
		if (info->si_code <= 0) /* it was sent, and comes again only if it is */
			raise(SIGBUS);
	}
}

static void on_sigbus(int signal, siginfo_t *info, void *context)
{
	int code = errno;

	/* One that was sent, by kill, has no address. */
	if (info->si_code <= 0 || !mapping_replace((uintptr_t)info->si_addr))
		pass_on(signal, info, context);
	errno = code;
}

int sigbus_install(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, &table.previous) < 0 ? -errno : 0;
}
