/* What requests come to: a relay in some state, a request, and the verdict, a row each. The relays
 * are made up and nothing runs.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "relay/judge.h"
#include "suite.h"

static struct relays *relays;
static struct config config;

static void name_device(int number, struct device_spec *device)
{
	struct error err;
	char text[24];

	snprintf(text, sizeof(text), "net_null%d", number);
	ck_assert_int_eq(device_spec_parse(text, device, &err), 0);
}

static void set_up(void)
{
	size_t size = RTE_ALIGN_CEIL(sizeof(*relays), RTE_CACHE_LINE_SIZE);

	relays = aligned_alloc(RTE_CACHE_LINE_SIZE, size);
	ck_assert_ptr_nonnull(relays);
	memset(relays, 0, size);
	memset(&config, 0, sizeof(config));
	relays->config = &config;
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		relays->relay[i].id = i;
}

static void tear_down(void)
{
	free(relays);
}

static struct relay *have(unsigned id, int device, enum vf_phase phase, enum vf_wish wish,
                          enum vf_origin origin)
{
	struct relay *relay = &relays->relay[id];

	relay->vf_end.phase = phase;
	relay->vf_end.wish = wish;
	relay->vf_end.origin = origin;
	name_device(device, &relay->vf_end.device);
	return relay;
}

/* --- additions ---------------------------------------------------------------------------------
 */

#define CLIENT   VF_ORIGIN_CLIENT
#define RESTORED VF_ORIGIN_RESTORED
#define OVSDB    VF_ORIGIN_OVSDB
#define CONFIG   VF_ORIGIN_CONFIG
#define NONE     VF_WISH_NONE
#define ONCE     VF_WISH_ONCE
#define AWAIT    VF_WISH_AWAIT
#define KEEP     VF_WISH_KEEP

/* Relay 3 has net_null1 in that state; the request is for relay 3. */
static const struct {
	enum vf_phase phase;
	enum vf_wish wish;
	enum vf_origin origin;
	bool has_failed; /* to be attached, so far */
	enum vf_origin asker;
	int device;
	bool conditional;
	enum vf_add_verdict verdict;
} additions[] = {
        /* Nothing there. */
        {VF_ABSENT, NONE, CLIENT, false, CLIENT, 1, false, VF_ADD_BEGIN},
        {VF_ABSENT, NONE, OVSDB, false, CLIENT, 1, true, VF_ADD_BEGIN},
        {VF_ABSENT, NONE, CLIENT, false, OVSDB, 2, true, VF_ADD_BEGIN},
        /* The same again, which has to be conditional … */
        {VF_ATTACHED, KEEP, CLIENT, false, CLIENT, 1, true, VF_ADD_THERE},
        {VF_ATTACHED, KEEP, CLIENT, false, CLIENT, 1, false, VF_ADD_OCCUPIED},
        {VF_ATTACHING, ONCE, CLIENT, false, CLIENT, 1, true, VF_ADD_JOIN},
        {VF_ATTACHING, KEEP, CLIENT, false, CLIENT, 1, true, VF_ADD_JOIN},
        {VF_ATTACHING, NONE, CLIENT, false, CLIENT, 1, true, VF_ADD_OCCUPIED},
        {VF_LOST, KEEP, CLIENT, false, CLIENT, 1, true, VF_ADD_RETRY},
        {VF_LOST, KEEP, CLIENT, false, CLIENT, 1, false, VF_ADD_OCCUPIED},
        {VF_LEAVING, KEEP, CLIENT, false, CLIENT, 1, true, VF_ADD_OCCUPIED},
        {VF_LEAVING, NONE, CLIENT, false, CLIENT, 1, true, VF_ADD_OCCUPIED},
        {VF_DETACHING, NONE, CLIENT, false, CLIENT, 1, true, VF_ADD_OCCUPIED},
        {VF_ATTACHED, KEEP, OVSDB, false, OVSDB, 1, true, VF_ADD_THERE},
        /* … but for what was restored, or is static and missing. */
        {VF_ATTACHED, KEEP, RESTORED, false, CLIENT, 1, false, VF_ADD_THERE},
        {VF_ATTACHING, KEEP, RESTORED, false, CLIENT, 1, false, VF_ADD_JOIN},
        {VF_LOST, KEEP, RESTORED, true, CLIENT, 1, false, VF_ADD_RETRY},
        {VF_LOST, AWAIT, CONFIG, true, CLIENT, 1, false, VF_ADD_RETRY},
        {VF_ATTACHING, AWAIT, CONFIG, true, CLIENT, 1, false, VF_ADD_JOIN},
        {VF_ATTACHING, AWAIT, CONFIG, false, CLIENT, 1, false, VF_ADD_OCCUPIED},
        {VF_ATTACHED, KEEP, CONFIG, false, CLIENT, 1, true, VF_ADD_THERE},
        /* Another device. */
        {VF_ATTACHED, KEEP, CLIENT, false, CLIENT, 2, true, VF_ADD_OCCUPIED},
        {VF_ATTACHED, KEEP, RESTORED, false, CLIENT, 2, false, VF_ADD_OCCUPIED},
        {VF_LOST, KEEP, CLIENT, true, CLIENT, 2, true, VF_ADD_OCCUPIED},
        {VF_LOST, AWAIT, CONFIG, true, CLIENT, 2, true, VF_ADD_BEGIN},
        {VF_ATTACHING, AWAIT, CONFIG, true, CLIENT, 2, true, VF_ADD_OCCUPIED},
        /* Somebody else's. */
        {VF_ATTACHED, KEEP, OVSDB, false, CLIENT, 1, true, VF_ADD_FOREIGN},
        {VF_ATTACHED, KEEP, CLIENT, false, OVSDB, 1, true, VF_ADD_FOREIGN},
        {VF_ATTACHED, KEEP, RESTORED, false, OVSDB, 1, true, VF_ADD_FOREIGN},
        {VF_ATTACHED, KEEP, CONFIG, false, OVSDB, 1, true, VF_ADD_FOREIGN},
        {VF_ATTACHED, KEEP, CLIENT, false, CONFIG, 1, true, VF_ADD_FOREIGN},
        {VF_LOST, AWAIT, CONFIG, true, OVSDB, 1, true, VF_ADD_BEGIN},
        {VF_LOST, AWAIT, CONFIG, true, OVSDB, 2, true, VF_ADD_BEGIN},
};

static struct vf_request request_of(enum vf_origin asker, unsigned relay_id, int device,
                                    bool conditional)
{
	struct vf_request request = {.origin = asker,
	                             .relay_id = relay_id,
	                             .has_device = device >= 0,
	                             .conditional = conditional};

	if (device >= 0)
		name_device(device, &request.device);
	return request;
}

START_TEST(additions_to_a_relay)
{
	const struct relay *holder = NULL;
	struct vf_request request =
	        request_of(additions[_i].asker, 3, additions[_i].device, additions[_i].conditional);
	struct relay *relay =
	        have(3, 1, additions[_i].phase, additions[_i].wish, additions[_i].origin);

	if (additions[_i].has_failed)
		snprintf(relay->vf_end.last_failure, sizeof(relay->vf_end.last_failure), "why");
	ck_assert_int_eq(judge_vf_add(relays, &request, &holder), additions[_i].verdict);
	ck_assert_ptr_null(holder);
}
END_TEST

/* The same device with another far end is another matter, whoever waits for it. */
START_TEST(another_far_end)
{
	const struct relay *holder = NULL;
	struct vf_request request = request_of(CLIENT, 3, 1, true);
	struct relay *relay = have(3, 1, VF_ATTACHED, KEEP, CLIENT);

	relay->vf_end.far = far_spec_kernel(3);
	ck_assert_int_eq(judge_vf_add(relays, &request, &holder), VF_ADD_OCCUPIED);
	request.far = far_spec_kernel(7); /* its name is not asked about */
	ck_assert_int_eq(judge_vf_add(relays, &request, &holder), VF_ADD_THERE);
	relay->vf_end.far = (struct far_spec){.kind = FAR_GUEST};
	ck_assert_int_eq(judge_vf_add(relays, &request, &holder), VF_ADD_OCCUPIED);
	have(3, 1, VF_LOST, AWAIT, CONFIG);
	ck_assert_int_eq(judge_vf_add(relays, &request, &holder), VF_ADD_BEGIN);
	ck_assert(judge_makes_room(relay, &request));
}
END_TEST

START_TEST(a_device_of_another_relay)
{
	const struct relay *holder = NULL;
	struct vf_request request = request_of(CLIENT, 3, 1, true);
	struct relay *other = have(5, 1, VF_DETACHING, NONE, OVSDB);

	ck_assert_int_eq(judge_vf_add(relays, &request, &holder), VF_ADD_HELD);
	ck_assert_ptr_eq(holder, other);
	other->vf_end.phase = VF_LOST;
	other->vf_end.wish = KEEP;
	ck_assert_int_eq(judge_vf_add(relays, &request, &holder), VF_ADD_HELD);
	ck_assert(!judge_makes_room(other, &request));
	/* A static VF that has never been there makes room, here and where it is in the way. */
	other->vf_end.wish = AWAIT;
	other->vf_end.origin = CONFIG;
	ck_assert_int_eq(judge_vf_add(relays, &request, &holder), VF_ADD_BEGIN);
	ck_assert(judge_makes_room(other, &request));
	ck_assert(judge_makes_room(have(3, 2, VF_LOST, AWAIT, CONFIG), &request));
	ck_assert(!judge_makes_room(have(4, 2, VF_LOST, AWAIT, CONFIG), &request));
	ck_assert(!judge_makes_room(&relays->relay[6], &request));
}
END_TEST

START_TEST(a_member_of_another_bond)
{
	const struct relay *holder = NULL;
	struct vf_request request = request_of(CLIENT, 3, 1, false);
	struct relay *bond = have(5, 9, VF_ATTACHED, KEEP, CLIENT);

	bond->vf_end.bond.n_members = 2;
	name_device(1, &bond->vf_end.bond.members[0]);
	name_device(2, &bond->vf_end.bond.members[1]);
	ck_assert_int_eq(judge_vf_add(relays, &request, &holder), VF_ADD_HELD);
	ck_assert_ptr_eq(holder, bond);
}
END_TEST

START_TEST(relays_that_do_not_exist)
{
	const struct relay *holder = NULL;
	static const unsigned ids[] = {RELAYS_MAX, RELAYS_MAX + 1, UINT32_MAX};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct vf_request request = request_of(CLIENT, ids[i], 1, true);

		ck_assert_int_eq(judge_vf_add(relays, &request, &holder), VF_ADD_BAD_RELAY);
		ck_assert_int_eq(judge_vf_remove(relays, &request), VF_REMOVE_BAD_RELAY);
	}
}
END_TEST

/* --- removals ----------------------------------------------------------------------------------
 */

static const struct {
	enum vf_phase phase;
	enum vf_origin origin, asker;
	int device; /* -1: none is named */
	bool conditional;
	enum vf_remove_verdict verdict;
} removals[] = {
        {VF_ABSENT, CLIENT, CLIENT, -1, true, VF_REMOVE_NOTHING},
        {VF_ABSENT, CLIENT, CLIENT, 1, true, VF_REMOVE_NOTHING},
        {VF_ABSENT, CLIENT, CLIENT, 1, false, VF_REMOVE_NOTHING_THERE},
        {VF_ATTACHED, CLIENT, CLIENT, 1, false, VF_REMOVE_BEGIN},
        {VF_ATTACHED, CLIENT, CLIENT, -1, false, VF_REMOVE_BEGIN},
        {VF_ATTACHED, RESTORED, CLIENT, 1, false, VF_REMOVE_BEGIN},
        {VF_ATTACHED, CONFIG, CLIENT, 1, false, VF_REMOVE_BEGIN},
        {VF_ATTACHING, CLIENT, CLIENT, 1, false, VF_REMOVE_BEGIN},
        {VF_LEAVING, CLIENT, CLIENT, 1, false, VF_REMOVE_BEGIN},
        {VF_DETACHING, CLIENT, CLIENT, 1, false, VF_REMOVE_BEGIN},
        {VF_LOST, CLIENT, CLIENT, 1, false, VF_REMOVE_AT_ONCE},
        {VF_ATTACHED, CLIENT, CLIENT, 2, true, VF_REMOVE_OTHER_DEVICE},
        {VF_ATTACHED, OVSDB, CLIENT, 1, true, VF_REMOVE_FOREIGN},
        {VF_ATTACHED, CLIENT, OVSDB, 1, true, VF_REMOVE_FOREIGN},
        {VF_ATTACHED, CONFIG, OVSDB, -1, true, VF_REMOVE_FOREIGN},
        {VF_ATTACHED, OVSDB, OVSDB, -1, true, VF_REMOVE_BEGIN},
};

START_TEST(removals_from_a_relay)
{
	struct vf_request request =
	        request_of(removals[_i].asker, 3, removals[_i].device, removals[_i].conditional);

	have(3, 1, removals[_i].phase, KEEP, removals[_i].origin);
	ck_assert_int_eq(judge_vf_remove(relays, &request), removals[_i].verdict);
}
END_TEST

/* --- pairs -------------------------------------------------------------------------------------
 */

static struct relay *have_pair(unsigned id, int device, const char *path, enum pair_phase phase,
                               bool wanted)
{
	struct relay *relay = have(id, device, VF_ATTACHED, KEEP, CLIENT);

	relay->pair.state = (struct pair_state){phase, wanted};
	relay->guest_end.phase = GUEST_OPEN;
	snprintf(relay->guest_end.path, sizeof(relay->guest_end.path), "%s", path);
	return relay;
}

static struct sock_request sock_of(int device, const char *path, bool conditional)
{
	struct sock_request request = {
	        .path = path, .has_device = device >= 0, .conditional = conditional};

	if (device >= 0)
		name_device(device, &request.device);
	return request;
}

/* Relay 0 is the pair of net_null1 and /tmp/a in that state. */
static const struct {
	enum pair_phase phase;
	bool wanted;
	int device;
	const char *path;
	bool conditional;
	enum sock_add_verdict verdict;
	int relay; /* -1: none */
} sock_additions[] = {
        {PAIR_MADE, true, 1, NULL, true, SOCK_ADD_NO_PATH, -1},
        {PAIR_MADE, true, 1, "/tmp/a", true, SOCK_ADD_THERE, 0},
        {PAIR_MADE, true, 1, "/tmp/a", false, SOCK_ADD_DEVICE_HELD, 0},
        {PAIR_ATTACHING, true, 1, "/tmp/a", true, SOCK_ADD_JOIN, 0},
        {PAIR_OPENING, true, 1, "/tmp/a", true, SOCK_ADD_JOIN, 0},
        {PAIR_OPENING, false, 1, "/tmp/a", true, SOCK_ADD_GOING, 0},
        {PAIR_REMOVING, false, 1, "/tmp/a", true, SOCK_ADD_GOING, 0},
        {PAIR_ATTACHING, true, 1, "/tmp/a", false, SOCK_ADD_DEVICE_HELD, 0},
        {PAIR_ATTACHING, false, 1, "/tmp/a", false, SOCK_ADD_DEVICE_GOING, 0},
        {PAIR_OPENING, false, 1, "/tmp/b", true, SOCK_ADD_DEVICE_GOING, 0},
        {PAIR_REMOVING, false, 1, "/tmp/a", false, SOCK_ADD_DEVICE_GOING, 0},
        {PAIR_REMOVING, true, 1, "/tmp/b", true, SOCK_ADD_DEVICE_GOING, 0},
        {PAIR_REMOVING, false, 2, "/tmp/a", true, SOCK_ADD_GOING, 0},
        {PAIR_ATTACHING, false, 2, "/tmp/a", false, SOCK_ADD_GOING, 0},
        {PAIR_MADE, true, 1, "/tmp/b", true, SOCK_ADD_DEVICE_HELD, 0},
        {PAIR_MADE, true, 2, "/tmp/a", true, SOCK_ADD_SOCKET_TAKEN, 0},
        {PAIR_MADE, true, 2, "/tmp/b", true, SOCK_ADD_BEGIN, 1},
};

START_TEST(additions_of_pairs)
{
	struct sock_request request = sock_of(sock_additions[_i].device, sock_additions[_i].path,
	                                      sock_additions[_i].conditional);
	struct relay *relay = NULL;

	config.dynamic_sockets = true;
	have_pair(0, 1, "/tmp/a", sock_additions[_i].phase, sock_additions[_i].wanted);
	ck_assert_int_eq(judge_sock_add(relays, &request, &relay), sock_additions[_i].verdict);
	ck_assert_ptr_eq(relay, sock_additions[_i].relay < 0
	                                ? NULL
	                                : &relays->relay[sock_additions[_i].relay]);
}
END_TEST

/* The pair has ended, and its device has not quite. */
START_TEST(a_device_that_outlives_its_pair)
{
	struct sock_request request = sock_of(1, "/tmp/a", false);
	struct relay *holder, *relay = NULL;

	config.dynamic_sockets = true;
	holder = have(4, 1, VF_DETACHING, NONE, CLIENT);
	ck_assert_int_eq(judge_sock_add(relays, &request, &relay), SOCK_ADD_DEVICE_GOING);
	ck_assert_ptr_eq(relay, holder);
	holder->vf_end.wish = KEEP; /* it is lost, and comes back */
	ck_assert_int_eq(judge_sock_add(relays, &request, &relay), SOCK_ADD_DEVICE_HELD);
}
END_TEST

START_TEST(pairs_need_their_mode_and_room)
{
	struct sock_request request = sock_of(65, "/tmp/new", true);
	struct relay *relay = NULL;

	ck_assert_int_eq(judge_sock_add(relays, &request, &relay), SOCK_ADD_NOT_DYNAMIC);
	ck_assert_int_eq(judge_sock_remove(relays, &request, &relay), SOCK_REMOVE_NOT_DYNAMIC);
	config.dynamic_sockets = true;
	for (int i = 0; i < RELAYS_MAX; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/tmp/%d", i);
		have_pair((unsigned)i, i, path, PAIR_MADE, true);
	}
	ck_assert_int_eq(judge_sock_add(relays, &request, &relay), SOCK_ADD_NO_RELAY);
	relays->relay[63].pair.state.phase = PAIR_NONE; /* its ends are on their way out */
	ck_assert_int_eq(judge_sock_add(relays, &request, &relay), SOCK_ADD_NO_RELAY);
	relays->relay[63].vf_end.phase = VF_ABSENT;
	relays->relay[63].guest_end.phase = GUEST_CLOSED;
	ck_assert_int_eq(judge_sock_add(relays, &request, &relay), SOCK_ADD_BEGIN);
	ck_assert_ptr_eq(relay, &relays->relay[63]);
}
END_TEST

/* Relay 0 is the pair of net_null1 and /tmp/a, relay 1 that of net_null2 and /tmp/b; relay 2 has
 * net_null3 without a pair. */
static const struct {
	int device;
	const char *path;
	bool conditional;
	enum sock_remove_verdict verdict;
	int relay;
} sock_removals[] = {
        {-1, NULL, true, SOCK_REMOVE_NOT_GIVEN, -1},
        {1, NULL, false, SOCK_REMOVE_BEGIN, 0},
        {-1, "/tmp/b", false, SOCK_REMOVE_BEGIN, 1},
        {2, "/tmp/b", false, SOCK_REMOVE_BEGIN, 1},
        {2, "/tmp/a", true, SOCK_REMOVE_MISMATCH, -1},
        {1, "/tmp/c", true, SOCK_REMOVE_MISMATCH, -1},
        {7, "/tmp/a", true, SOCK_REMOVE_MISMATCH, -1},
        {7, "/tmp/c", true, SOCK_REMOVE_NOTHING, -1},
        {7, "/tmp/c", false, SOCK_REMOVE_NO_RELAY, -1},
        {3, NULL, true, SOCK_REMOVE_NOTHING, -1},
        {3, NULL, false, SOCK_REMOVE_NO_RELAY, -1},
};

START_TEST(removals_of_pairs)
{
	struct sock_request request = sock_of(sock_removals[_i].device, sock_removals[_i].path,
	                                      sock_removals[_i].conditional);
	struct relay *relay = NULL;

	config.dynamic_sockets = true;
	have_pair(0, 1, "/tmp/a", PAIR_MADE, true);
	have_pair(1, 2, "/tmp/b", PAIR_MADE, true);
	have(2, 3, VF_ATTACHED, KEEP, CLIENT);
	ck_assert_int_eq(judge_sock_remove(relays, &request, &relay), sock_removals[_i].verdict);
	ck_assert_ptr_eq(relay, sock_removals[_i].relay < 0
	                                ? NULL
	                                : &relays->relay[sock_removals[_i].relay]);
}
END_TEST

START_TEST(a_bond_with_other_members)
{
	struct sock_request request = sock_of(1, NULL, false);
	struct relay *pair, *relay = NULL;

	config.dynamic_sockets = true;
	pair = have_pair(0, 1, "/tmp/a", PAIR_MADE, true);
	pair->vf_end.bond.n_members = request.bond.n_members = 1;
	name_device(8, &pair->vf_end.bond.members[0]);
	name_device(9, &request.bond.members[0]);
	ck_assert_int_eq(judge_sock_remove(relays, &request, &relay), SOCK_REMOVE_OTHER_MEMBERS);
	name_device(8, &request.bond.members[0]);
	ck_assert_int_eq(judge_sock_remove(relays, &request, &relay), SOCK_REMOVE_BEGIN);
}
END_TEST

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, additions_to_a_relay, 0, ROWS(additions));
	tcase_add_test(tcase, another_far_end);
	tcase_add_test(tcase, a_device_of_another_relay);
	tcase_add_test(tcase, a_member_of_another_bond);
	tcase_add_test(tcase, relays_that_do_not_exist);
	tcase_add_loop_test(tcase, removals_from_a_relay, 0, ROWS(removals));
	tcase_add_loop_test(tcase, additions_of_pairs, 0, ROWS(sock_additions));
	tcase_add_test(tcase, a_device_that_outlives_its_pair);
	tcase_add_test(tcase, pairs_need_their_mode_and_room);
	tcase_add_loop_test(tcase, removals_of_pairs, 0, ROWS(sock_removals));
	tcase_add_test(tcase, a_bond_with_other_members);
	return suite_main("relay_judge", tcase);
}
