/* Where packed rings stand, in journals that outlive the session: who comes back goes on there, who
 * is another or knows better begins where he says.
 */
#include "session_rig.h"
#include "virtqueue/descriptor.h"
#include "virtqueue/journal.h"

#define PACKED (USUAL | BIT(VIRTIO_F_RING_PACKED))
#define BASE   0x8000U /* of a new ring */

static struct journal kept[SESSION_RINGS];

static void set_up(void)
{
	memset(kept, 0, sizeof(kept));
	journals = kept;
	front_end_id = 7;
	rig_set_up();
}

static struct vring_packed_desc *descriptors(unsigned ring)
{
	return (void *)(front_end + ring * RING_BYTES);
}

static void start(uint64_t features, uint32_t base)
{
	for (unsigned ring = 0; ring < 2; ring++)
		rig_ring(MESSAGE_SET_VRING_BASE, ring, base);
	rig_start(features, 2);
}

/* As a worker would that has come to that descriptor, in the first round. */
static void walk_to(unsigned ring, uint16_t index)
{
	for (uint16_t i = 0; i < index; i++)
		descriptors(ring)[i].flags = DESCRIPTOR_AVAIL | DESCRIPTOR_USED;
	virtqueues[ring].at = (struct virtqueue_position){.index = index, .wrap = true};
	journal_show(&kept[ring], virtqueues[ring].at);
	journal_shown(&kept[ring]);
}

static void come_back(uint64_t features, uint32_t base)
{
	rig_disconnect();
	memset(virtqueues, 0, sizeof(virtqueues));
	rig_connect();
	start(features, base);
}

static void expect_at(unsigned ring, uint16_t index)
{
	ck_assert_uint_eq(virtqueues[ring].at.index, index);
	ck_assert(virtqueues[ring].at.wrap);
}

START_TEST(a_packed_ring_goes_on_where_it_stood)
{
	start(PACKED, BASE);
	walk_to(0, 100);
	walk_to(1, 3);
	for (unsigned i = 0; i < 2; i++) {
		come_back(PACKED, BASE);
		expect_at(0, 100);
		expect_at(1, 3);
	}
}
END_TEST

/* A log begins and ends while rings run, and is no other guest. */
START_TEST(a_log_changes_nothing)
{
	start(PACKED, BASE);
	walk_to(0, 100);
	come_back(PACKED | BIT(VHOST_F_LOG_ALL), BASE);
	expect_at(0, 100);
}
END_TEST

START_TEST(another_front_end_begins_anew)
{
	start(PACKED, BASE);
	walk_to(0, 100);
	front_end_id++;
	come_back(PACKED, BASE);
	expect_at(0, 0);
	walk_to(0, 50);
	front_end_id = 0; /* nobody knows who that is */
	come_back(PACKED, BASE);
	expect_at(0, 0);
}
END_TEST

START_TEST(a_front_end_that_has_moved_on_is_believed)
{
	start(PACKED, BASE);
	walk_to(0, 100);
	come_back(PACKED, BASE | 30);
	expect_at(0, 30);
}
END_TEST

START_TEST(who_was_told_the_base_is_believed)
{
	struct message message = ring_message(MESSAGE_GET_VRING_BASE, 0, 0);

	start(PACKED, BASE);
	walk_to(0, 100);
	ck_assert_int_eq(rig_send(&message, NULL, 0), SESSION_READS);
	ck_assert_uint_eq(session.reply.ring.number & UINT16_MAX, BASE | 100);
	come_back(PACKED, BASE);
	expect_at(0, 0);
}
END_TEST

START_TEST(a_ring_that_was_set_up_anew_begins_anew)
{
	start(PACKED, BASE);
	walk_to(0, 100);
	memset(descriptors(0), 0, 256 * sizeof(*descriptors(0)));
	come_back(PACKED, BASE);
	expect_at(0, 0);
}
END_TEST

START_TEST(split_rings_have_none)
{
	start(USUAL, 0);
	ck_assert_ptr_null(atomic_load(&virtqueues[0].view)->journal);
	ck_assert_uint_eq(kept[0].key, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, rig_tear_down);
	tcase_add_test(tcase, a_packed_ring_goes_on_where_it_stood);
	tcase_add_test(tcase, a_log_changes_nothing);
	tcase_add_test(tcase, another_front_end_begins_anew);
	tcase_add_test(tcase, a_front_end_that_has_moved_on_is_believed);
	tcase_add_test(tcase, who_was_told_the_base_is_believed);
	tcase_add_test(tcase, a_ring_that_was_set_up_anew_begins_anew);
	tcase_add_test(tcase, split_rings_have_none);
	return suite_main("session_journals", tcase);
}
