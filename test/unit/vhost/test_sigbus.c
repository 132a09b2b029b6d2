/* Pages of a front end's that are gone: whoever touches them goes on with zeroes, and the guest is
 * known to have lost its memory; what is none of ours goes to who had the signal before.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "vhost/memory_map.h"
#include "vhost/sigbus.h"

#define SIZE UINT64_C(0x10000)

static int file;
static _Atomic bool lost, other_lost;
static struct mapping mapping, other;
static struct error err;

static void set_up(void)
{
	file = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(ftruncate(file, SIZE), 0);
	lost = other_lost = false;
	ck_assert_int_eq(sigbus_install(), 0);
	ck_assert_int_eq(mapping_make(&mapping, file, 0, SIZE, &lost, &err), 0);
	ck_assert_int_eq(mapping_make(&other, file, 0, 0x1000, &other_lost, &err), 0);
	memset(mapping.data, 0x55, SIZE);
}

static void tear_down(void)
{
	mapping_end(&mapping);
	mapping_end(&other);
	close(file);
}

START_TEST(truncated)
{
	ck_assert_int_eq(ftruncate(file, 0x1000), 0);
	ck_assert(!lost);
	ck_assert_uint_eq(*(volatile uint8_t *)&mapping.data[0xfff], 0x55);
	ck_assert(!lost);
	ck_assert_uint_eq(*(volatile uint8_t *)&mapping.data[0x1000], 0);
	ck_assert(lost && !other_lost);
	/* All of it is zeroes, and may be written to. */
	ck_assert_uint_eq(mapping.data[0], 0);
	memset(mapping.data, 1, SIZE);
	ck_assert_uint_eq(other.data[0], 0x55);
}
END_TEST

/* In the middle of a copy, which ends as any other. */
START_TEST(in_a_copy)
{
	static uint8_t frame[SIZE];

	memset(frame, 7, sizeof(frame));
	ck_assert_int_eq(ftruncate(file, 0x8000), 0);
	memcpy(mapping.data, frame, SIZE);
	ck_assert(lost);
	ck_assert_uint_eq(mapping.data[SIZE - 1], 7);
}
END_TEST

static void *touch(void *context)
{
	volatile uint8_t *at = context;

	*at = 1;
	return NULL;
}

START_TEST(by_several_threads)
{
	pthread_t threads[8];

	ck_assert_int_eq(ftruncate(file, 0), 0);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, touch,
		                                (i % 2 == 0 ? mapping.data : other.data) + 64 * i),
		                 0);
	for (unsigned i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	ck_assert(lost && other_lost);
}
END_TEST

static sigjmp_buf jump;

static void on_others(int signal)
{
	(void)signal;
	siglongjmp(jump, 1);
}

START_TEST(of_others)
{
	struct sigaction action = {.sa_handler = on_others};
	uint8_t *page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	sigaction(SIGBUS, &action, NULL);
	ck_assert_int_eq(sigbus_install(), 0);
	ck_assert_int_eq(ftruncate(file, 0), 0);
	if (sigsetjmp(jump, 1) == 0) {
		*(volatile uint8_t *)page = 1;
		ck_abort_msg("there is no such page");
	}
	ck_assert(!lost && !other_lost);
	mapping.data[0] = 1;
	ck_assert(lost);
	munmap(page, SIZE);
}
END_TEST

static struct sigaction told_before;

static void on_later_ones(int signal, siginfo_t *info, void *context)
{
	(void)context;
	ck_assert_int_eq(signal, SIGBUS);
	ck_assert_ptr_nonnull(info->si_addr);
	siglongjmp(jump, 2);
}

/* As DPDK does while it allocates memory: a handler of its own, which jumps, for a moment; and then
 * back what was there before. A guest's fault in that moment is none of its business. */
START_TEST(of_others_who_come_later)
{
	struct sigaction theirs = {.sa_sigaction = on_later_ones, .sa_flags = SA_SIGINFO}, now;
	uint8_t *page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	int jumped;

	ck_assert_int_eq(sigaction(SIGBUS, &theirs, &told_before), 0);
	ck_assert_int_eq(sigaction(SIGBUS, NULL, &now), 0);
	ck_assert(now.sa_sigaction == on_later_ones);
	ck_assert_int_eq(ftruncate(file, 0), 0);
	mapping.data[0] = 1;
	ck_assert(lost && !other_lost);
	jumped = sigsetjmp(jump, 1);
	if (jumped == 0) {
		*(volatile uint8_t *)page = 1;
		ck_abort_msg("there is no such page");
	}
	ck_assert_int_eq(jumped, 2);
	ck_assert_int_eq(sigaction(SIGBUS, &told_before, &now), 0);
	ck_assert(now.sa_sigaction == on_later_ones);
	other.data[0] = 1;
	ck_assert(other_lost);
	munmap(page, SIZE);
}
END_TEST

/* Other signals are nobody's but who asks for them. */
START_TEST(other_signals)
{
	struct sigaction action = {.sa_handler = on_others}, now;

	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
	ck_assert_int_eq(sigaction(SIGUSR1, NULL, &now), 0);
	ck_assert(now.sa_handler == on_others);
	if (sigsetjmp(jump, 1) == 0) {
		raise(SIGUSR1);
		ck_abort_msg("it has not come");
	}
	ck_assert_int_eq(sigaction(-1, &action, NULL), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* Without anybody before us the process ends, as it has to. */
START_TEST(of_nobody)
{
	int status;
	pid_t child;

	signal(SIGBUS, SIG_DFL);
	ck_assert_int_eq(sigbus_install(), 0);
	child = fork();
	if (child == 0) {
		uint8_t *page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

		if (ftruncate(file, 0) == 0)
			*(volatile uint8_t *)page = 1;
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	child = fork();
	if (child == 0) {
		kill(getpid(), SIGBUS);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}
END_TEST

START_TEST(a_full_table)
{
	static uint8_t bytes[8192];
	unsigned n = 0;

	while (n < sizeof(bytes) && sigbus_add(bytes + n, 1, &lost) == 0)
		n++;
	ck_assert_uint_gt(n, 64 * 66);
	ck_assert_uint_lt(n, sizeof(bytes));
	while (n-- > 0)
		sigbus_remove(bytes + n);
	sigbus_remove(bytes);
	sigbus_remove(NULL);
	mapping_end(&mapping);
	ck_assert_int_eq(mapping_make(&mapping, file, 0, SIZE, &lost, &err), 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("sigbus");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, truncated);
	tcase_add_test(tcase, in_a_copy);
	tcase_add_test(tcase, by_several_threads);
	tcase_add_test(tcase, of_others);
	tcase_add_test(tcase, of_others_who_come_later);
	tcase_add_test(tcase, other_signals);
	tcase_add_test(tcase, of_nobody);
	tcase_add_test(tcase, a_full_table);
	return suite_main("sigbus", tcase);
}
