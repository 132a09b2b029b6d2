/* See sigbus.h. The table is an array of slots with a sequence number each, odd while the slot is
 * being written: the handler passes those by, for the mapping that it was called for is in the
 * table for as long as it is used.
 */
#include "vhost/sigbus.h"

#include <dlfcn.h>
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
 * used. */
static struct {
	struct slot slots[SLOTS];
	_Atomic unsigned used;
	pthread_mutex_t lock;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Who else in the process wants the signal, as he believes to have it. call is what the handler
 * goes by, one word: his function, and whether it takes three arguments. Of his mask and flags
 * nothing else is heeded. */
#define TAKES_INFO (UINT64_C(1) << 63) /* no function has such an address */

_Static_assert(sizeof(uintptr_t) == 8, "an address has room for a flag");

static struct {
	_Atomic uintptr_t call;
	struct sigaction told; /* under the lock, as the next */
	bool is_ours;          /* the signal */
	pthread_mutex_t lock;
} others = {.lock = PTHREAD_MUTEX_INITIALIZER};

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

/* --- the signal ------------------------------------------------------------------------------- */

typedef int (*sigaction_fn)(int signal, const struct sigaction *action, struct sigaction *before);

static int libc_sigaction(int signal, const struct sigaction *action, struct sigaction *before)
{
	static _Atomic(sigaction_fn) found;
	sigaction_fn call = atomic_load(&found);

	if (call == NULL) {
		call = (sigaction_fn)(uintptr_t)dlsym(RTLD_NEXT, "sigaction");
		atomic_store(&found, call);
	}
	if (call == NULL) {
		errno = ENOSYS;
		return -1;
	}
	return call(signal, action, before);
}

/* What would have happened without us. */
static void pass_on(int signal, siginfo_t *info, void *context)
{
	uintptr_t call = atomic_load(&others.call), function = call & ~TAKES_INFO;

	if ((call & TAKES_INFO) != 0) {
		((void (*)(int, siginfo_t *, void *))function)(signal, info, context);
	} else if (function != (uintptr_t)SIG_DFL && function != (uintptr_t)SIG_IGN) {
		((void (*)(int))function)(signal);
	} else {
		/* The access is made again, and ends the process as it would have. */
		struct sigaction action = {.sa_handler = SIG_DFL};

		libc_sigaction(SIGBUS, &action, NULL);
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

static void others_set(const struct sigaction *action)
{
	bool takes_info = (action->sa_flags & SA_SIGINFO) != 0;
	uintptr_t function =
	        takes_info ? (uintptr_t)action->sa_sigaction : (uintptr_t)action->sa_handler;

	others.told = *action;
	atomic_store(&others.call, function | (takes_info ? TAKES_INFO : 0));
}

/* In place of libc's: DPDK has a handler of its own for SIGBUS while it allocates hugepages, as it
 * does when a VF is added, and jumps out of that to where it was. It is called for what is not a
 * guest's, and ours stays. */
int sigaction(int signal, const struct sigaction *action, struct sigaction *before)
{
	struct sigaction told;

	if (signal != SIGBUS) /* may be called where no lock may be taken */
		return libc_sigaction(signal, action, before);
	pthread_mutex_lock(&others.lock);
	if (!others.is_ours) {
		pthread_mutex_unlock(&others.lock);
		return libc_sigaction(signal, action, before);
	}
	told = others.told;
	if (action != NULL)
		others_set(action);
	if (before != NULL)
		*before = told;
	pthread_mutex_unlock(&others.lock);
	return 0;
}

int sigbus_install(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO}, before;
	int rc = 0;

	sigemptyset(&action.sa_mask);
	pthread_mutex_lock(&others.lock);
	if (libc_sigaction(SIGBUS, &action, &before) < 0)
		rc = -errno;
	else if (before.sa_sigaction != on_sigbus)
		others_set(&before);
	others.is_ours = others.is_ours || rc == 0;
	pthread_mutex_unlock(&others.lock);
	return rc;
}
