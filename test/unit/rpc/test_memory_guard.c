/* The limit to what clients make the daemon keep, with made-up clients. */
#include <check.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "loop_clock.h"
#include "rpc/transport/memory_guard.h"
#include "suite.h"

#define PIECE  65536
#define PIECES (2 * MEMORY_GUARD_MAX / PIECE)

static struct {
	struct loop *loop;
	struct memory_guard guard;
	char *kept[PIECES];
	unsigned connections;
	unsigned n_cut[CLIENTS_ALL + 1];
	int frees_at; /* the blame at which all is given back; -1 = never */
} rig;

static unsigned connections(void *context)
{
	(void)context;
	return rig.connections;
}

static void give_back(void)
{
	for (unsigned i = 0; i < PIECES; i++) {
		free(rig.kept[i]);
		rig.kept[i] = NULL;
	}
}

static void cut(void *context, enum clients_blame blame)
{
	(void)context;
	rig.n_cut[blame]++;
	if ((int)blame == rig.frees_at)
		give_back();
}

static void end(void *context)
{
	loop_quit(context);
}

static void turn(unsigned ms)
{
	struct loop_timer timer = {0};

	loop_timer_start(rig.loop, &timer, ms, end, rig.loop);
	ck_assert_int_eq(loop_run(rig.loop), 0);
}

static void keep(size_t bytes)
{
	for (unsigned i = 0; i < bytes / PIECE; i++) {
		rig.kept[i] = malloc(PIECE - 64);
		ck_assert_ptr_nonnull(rig.kept[i]);
		memset(rig.kept[i], 1, PIECE - 64);
	}
}

static void set_up(void)
{
	static const struct memory_guard_ops ops = {.connections = connections, .cut = cut};

	memset(&rig, 0, sizeof(rig));
	log_open(LOG_TO_STDOUT, LOG_EMERG, "test");
	rig.loop = loop_create("control");
	rig.connections = 1;
	memory_guard_start(&rig.guard, rig.loop, &ops, NULL);
}

static void tear_down(void)
{
	memory_guard_stop(&rig.guard);
	memory_guard_stop(&rig.guard); /* harmless */
	loop_destroy(rig.loop);
	give_back();
	log_close();
}

START_TEST(little_is_nobodys_concern)
{
	keep(MEMORY_GUARD_MAX / 2);
	turn(300);
	ck_assert_uint_eq(rig.n_cut[CLIENTS_FLOODING], 0);
	ck_assert(!rig.guard.alert);
}
END_TEST

START_TEST(connections_have_a_share)
{
	rig.connections = 1024;
	keep(MEMORY_GUARD_MAX + 32 * 1024 * 1024);
	turn(300);
	ck_assert_uint_eq(rig.n_cut[CLIENTS_FLOODING], 0);
	rig.connections = 1;
	rig.frees_at = CLIENTS_FLOODING;
	turn(300);
	ck_assert_uint_gt(rig.n_cut[CLIENTS_FLOODING], 0);
}
END_TEST

START_TEST(the_guilty_go_and_nobody_else)
{
	rig.frees_at = CLIENTS_FLOODING;
	keep(MEMORY_GUARD_MAX + MEMORY_GUARD_MAX / 2);
	turn(500);
	ck_assert_uint_ge(rig.n_cut[CLIENTS_FLOODING], 1);
	ck_assert_uint_le(rig.n_cut[CLIENTS_FLOODING], 2);
	ck_assert_uint_eq(rig.n_cut[CLIENTS_SILENT], 0);
	ck_assert(!rig.guard.alert); /* it is over */

	/* And again. */
	memset(rig.n_cut, 0, sizeof(rig.n_cut));
	keep(MEMORY_GUARD_MAX + MEMORY_GUARD_MAX / 2);
	turn(500);
	ck_assert_uint_ge(rig.n_cut[CLIENTS_FLOODING], 1);
}
END_TEST

START_TEST(all_go_in_the_end)
{
	rig.frees_at = CLIENTS_ALL;
	keep(MEMORY_GUARD_MAX + MEMORY_GUARD_MAX / 2);
	turn(4000);
	ck_assert_uint_eq(rig.n_cut[CLIENTS_SILENT], 2);
	ck_assert_uint_eq(rig.n_cut[CLIENTS_BUSIEST], 1);
	ck_assert_uint_eq(rig.n_cut[CLIENTS_ALL], 1);
	ck_assert(!rig.guard.alert);
}
END_TEST

START_TEST(what_is_not_the_clients_becomes_usual)
{
	rig.frees_at = -1;
	keep(MEMORY_GUARD_MAX + MEMORY_GUARD_MAX / 2);
	turn(4000);
	ck_assert_uint_eq(rig.n_cut[CLIENTS_ALL], 1);
	ck_assert(!rig.guard.alert);
	memset(rig.n_cut, 0, sizeof(rig.n_cut));
	turn(500);
	ck_assert_uint_eq(rig.n_cut[CLIENTS_FLOODING], 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");
	void *probe = malloc(100000);
	bool heap_tells = probe != NULL && mallinfo2().uordblks >= 100000;

	free(probe);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, little_is_nobodys_concern);
	if (heap_tells) { /* a sanitizer's does not */
		tcase_add_test(tcase, connections_have_a_share);
		tcase_add_test(tcase, the_guilty_go_and_nobody_else);
		tcase_add_test(tcase, all_go_in_the_end);
		tcase_add_test(tcase, what_is_not_the_clients_becomes_usual);
	}
	return suite_main("memory_guard", tcase);
}
