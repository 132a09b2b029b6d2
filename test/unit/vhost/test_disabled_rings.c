/* Rings that a guest sends on and has disabled: when they are emptied, by whom, and how they come
 * back; whatever else happens to them meanwhile.
 */
#include <linux/virtio_ring.h>

#include "session_rig.h"
#include "vhost/disabled_rings.h"

#define RING  1U /* from the guest */
#define SIZE  256U
#define LATER (DISABLED_RINGS_MS + 1U)

static uint64_t now_ms;

static const struct virtqueue_view *view_of(unsigned ring)
{
	return atomic_load(&virtqueues[ring].view);
}

/* As addresses_message has them. */
static struct vring_avail *avail_of(unsigned ring)
{
	return (struct vring_avail *)(void *)(front_end + ring * RING_BYTES + 0x1000);
}

static uint16_t used_of(unsigned ring)
{
	return ((struct vring_used *)(void *)(front_end + ring * RING_BYTES + 0x2000))->idx;
}

/* The guest sends n frames more, which lie nowhere. */
static void send(unsigned ring, uint16_t n)
{
	struct vring_avail *avail = avail_of(ring);

	avail->idx = (uint16_t)(avail->idx + n);
}

static void look_after(uint64_t ms)
{
	now_ms += ms;
	rig_assert(vhost_session_look(&session) == SESSION_READS);
	disabled_rings_look(&session, now_ms);
	worker_look();
}

/* Two pairs run, and ring 1 has been disabled; what has been sent on it is not emptied yet. */
static void start_disabled(void)
{
	memset(front_end, 0, MEMORY_BYTES);
	rig_start(USUAL, 4);
	rig_ring(MESSAGE_SET_VRING_ENABLE, RING, 0);
	send(RING, 10);
	send(3, 10);
	look_after(0);
}

START_TEST(what_is_sent_is_discarded)
{
	uint64_t discarded = summary.discarded[RING], calls = virtqueues[RING].calls;

	start_disabled();
	look_after(LATER);
	ck_assert_ptr_null(view_of(RING));
	ck_assert_uint_eq(used_of(RING), 10);
	ck_assert_uint_eq(virtqueues[RING].at.index, 10);
	ck_assert_uint_eq(summary.discarded[RING], discarded + 10);
	ck_assert_uint_eq(virtqueues[RING].calls, calls + 1);
	send(RING, 5);
	look_after(1);
	ck_assert_uint_eq(used_of(RING), 15);
	ck_assert_uint_eq(used_of(3), 0); /* which the workers have */
	ck_assert_ptr_nonnull(view_of(3));
	ck_assert_uint_eq(summary.running, 0xf);
	ck_assert_uint_eq(faults, 0);
}
END_TEST

/* As front ends do that do not wait for it before their guest sends. */
START_TEST(who_is_enabled_in_time_loses_nothing)
{
	start_disabled();
	look_after(LATER - 2);
	look_after(0);
	ck_assert_ptr_nonnull(view_of(RING));
	rig_ring(MESSAGE_SET_VRING_ENABLE, RING, 1);
	look_after(LATER);
	look_after(LATER);
	ck_assert_uint_eq(used_of(RING), 0);
	ck_assert_ptr_nonnull(view_of(RING));
	/* And waits as long when it is disabled again. */
	rig_ring(MESSAGE_SET_VRING_ENABLE, RING, 0);
	look_after(1);
	look_after(LATER - 2);
	look_after(0);
	ck_assert_ptr_nonnull(view_of(RING));
	ck_assert_uint_eq(used_of(RING), 0);
}
END_TEST

START_TEST(nothing_is_touched_before_workers_have_left)
{
	start_disabled();
	grace_at_once = false;
	look_after(LATER);
	ck_assert_ptr_null(view_of(RING));
	look_after(LATER);
	ck_assert_uint_eq(used_of(RING), 0);
	/* It is enabled before anything was: the worker has it again, as it was. */
	rig_ring(MESSAGE_SET_VRING_ENABLE, RING, 1);
	ck_assert_ptr_nonnull(view_of(RING));
	grace_pass();
	look_after(LATER);
	ck_assert_uint_eq(used_of(RING), 0);
	ck_assert_uint_eq(virtqueues[RING].at.index, 0);
}
END_TEST

START_TEST(it_is_given_back)
{
	start_disabled();
	look_after(LATER);
	look_after(1);
	send(RING, 3);
	rig_ring(MESSAGE_SET_VRING_ENABLE, RING, 1);
	ck_assert_ptr_nonnull(view_of(RING));
	look_after(LATER);
	look_after(1);
	ck_assert_uint_eq(used_of(RING), 10); /* those three are the worker's */
}
END_TEST

/* Rings that the guest receives on are left alone, and so are those that nobody may disable. */
START_TEST(others_are_left_alone)
{
	memset(front_end, 0, MEMORY_BYTES);
	rig_start(USUAL, 2);
	rig_ring(MESSAGE_SET_VRING_ENABLE, 0, 0);
	look_after(0);
	look_after(LATER);
	look_after(1);
	ck_assert_ptr_nonnull(view_of(0));
	rig_disconnect();
	rig_connect();
	rig_start(BIT(VIRTIO_F_VERSION_1), 0);
	rig_start_ring(RING);
	send(RING, 4);
	look_after(0);
	look_after(LATER);
	look_after(1);
	ck_assert_ptr_nonnull(view_of(RING));
	ck_assert_uint_eq(used_of(RING), 0);
}
END_TEST

START_TEST(it_is_stopped_and_started)
{
	struct message message = ring_message(MESSAGE_GET_VRING_BASE, RING, 0);

	start_disabled();
	look_after(LATER);
	look_after(1);
	rig_assert(rig_send(&message, NULL, 0) == SESSION_READS);
	ck_assert_uint_eq(session.reply.ring.number, 10);
	look_after(LATER); /* the others pause */
	rig_ring(MESSAGE_SET_VRING_BASE, RING, 10);
	close(rig_fd_message(MESSAGE_SET_VRING_KICK, RING));
	ck_assert_ptr_nonnull(view_of(RING));
	send(RING, 2);
	look_after(0);
	look_after(LATER);
	ck_assert_ptr_null(view_of(RING));
	look_after(1);
	ck_assert_uint_eq(used_of(RING), 12);
}
END_TEST

START_TEST(rules_are_broken_here_too)
{
	start_disabled();
	look_after(LATER);
	send(RING, SIZE + 1);
	look_after(1);
	ck_assert_uint_eq(faults, 0);
	look_after(1);
	ck_assert_uint_eq(faults, 1);
	ck_assert_uint_eq(fault_ring, RING);
	ck_assert_int_eq(fault_seen, FAULT_AVAIL_INDEX);
	look_after(LATER);
	look_after(1);
	/* A kick revives it, for nobody as yet but the workers. */
	avail_of(RING)->idx = 0;
	close(rig_fd_message(MESSAGE_SET_VRING_KICK, RING));
	ck_assert_ptr_nonnull(view_of(RING));
}
END_TEST

/* What is published meanwhile is not for the workers; and all of it goes by its grace period. */
START_TEST(its_view_is_swapped)
{
	struct message message = addresses_message(RING, 1);
	struct message table = table_message();

	start_disabled();
	look_after(LATER);
	look_after(1);
	close(rig_fd_message(MESSAGE_SET_VRING_CALL, RING));
	ck_assert_ptr_null(view_of(RING));
	rig_number(MESSAGE_SET_FEATURES, USUAL | BIT(VHOST_F_LOG_ALL));
	rig_silent(&message, NULL, 0);
	rig_assert(pwrite(memory_fd_2, front_end, MEMORY_BYTES, 0) == MEMORY_BYTES);
	rig_silent(&table, &memory_fd_2, 1); /* another file with the same in it */
	ck_assert_ptr_null(view_of(RING));
	ck_assert_ptr_nonnull(view_of(3));
	look_after(1);
	look_after(1);
	ck_assert_ptr_null(view_of(RING));
	ck_assert_ptr_nonnull(session.views[RING]);
	rig_ring(MESSAGE_SET_VRING_ENABLE, RING, 1);
	ck_assert_ptr_eq(view_of(RING), session.views[RING]);
}
END_TEST

/* In turn, and none is forgotten. */
START_TEST(many)
{
	memset(front_end, 0, MEMORY_BYTES);
	rig_start(USUAL, 64);
	for (unsigned ring = 1; ring < 64; ring += 2) {
		rig_ring(MESSAGE_SET_VRING_ENABLE, ring, 0);
		send(ring, 1);
	}
	look_after(0);
	look_after(LATER);
	for (unsigned i = 0; i < 32; i++)
		look_after(1);
	for (unsigned ring = 0; ring < 64; ring++)
		ck_assert_uint_eq(used_of(ring), ring % 2);
	send(63, 1);
	for (unsigned i = 0; i < 32; i++)
		look_after(1);
	ck_assert_uint_eq(used_of(63), 2);
}
END_TEST

START_TEST(the_front_end_leaves)
{
	start_disabled();
	grace_at_once = _i % 2 == 0;
	look_after(LATER);
	if (_i / 2 == 1)
		look_after(1);
	rig_disconnect();
	rig_connect();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_add_test(tcase, what_is_sent_is_discarded);
	tcase_add_test(tcase, who_is_enabled_in_time_loses_nothing);
	tcase_add_test(tcase, nothing_is_touched_before_workers_have_left);
	tcase_add_test(tcase, it_is_given_back);
	tcase_add_test(tcase, others_are_left_alone);
	tcase_add_test(tcase, it_is_stopped_and_started);
	tcase_add_test(tcase, rules_are_broken_here_too);
	tcase_add_test(tcase, its_view_is_swapped);
	tcase_add_test(tcase, many);
	tcase_add_loop_test(tcase, the_front_end_leaves, 0, 4);
	return suite_main("disabled_rings", tcase);
}
