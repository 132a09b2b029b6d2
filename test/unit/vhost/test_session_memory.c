/* Memory of a session: tables and slots that come again, grow, shrink and are wrong, while rings
 * run and while they do not.
 */
#include "session_rig.h"

static const struct virtqueue_view *view_of(unsigned ring)
{
	return atomic_load(&virtqueues[ring].view);
}

/* Two regions, the second behind the first. */
static struct message two_regions(void)
{
	struct message message = table_message();

	message.size = 8 + 64;
	message.table.n_regions = 2;
	message.table.regions[1] = (struct message_region){GUEST_BASE + MEMORY_BYTES, MEMORY_BYTES,
	                                                   FRONT_BASE + 0x40000000, 0};
	return message;
}

static struct message second_slot(uint32_t request)
{
	return region_message(request, GUEST_BASE + MEMORY_BYTES, MEMORY_BYTES,
	                      FRONT_BASE + 0x40000000, 0);
}

static void finish_waiting(enum session_next next)
{
	ck_assert_int_eq(next, SESSION_WAITS);
	ck_assert_int_eq(vhost_session_continue(&session), SESSION_WAITS);
	grace_pass();
	ck_assert_int_eq(vhost_session_continue(&session), SESSION_READS);
	worker_look();
}

START_TEST(the_same_table_again)
{
	struct message message = table_message();
	const struct virtqueue_view *before;
	uint64_t graces_before;

	rig_start(USUAL, 2);
	before = view_of(0);
	graces_before = graces;
	grace_at_once = false;
	rig_silent(&message, &memory_fd, 1);
	ck_assert_ptr_eq(view_of(0), before);
	ck_assert_uint_eq(graces, graces_before);
}
END_TEST

START_TEST(a_table_that_grows_and_shrinks)
{
	struct message message = two_regions();
	int fds[2] = {memory_fd, memory_fd_2};
	uint8_t *first;

	rig_start(USUAL, 3);
	first = session.map.regions[0].mapping.start;
	grace_at_once = false;
	virtqueues[1].at.index = 17;
	ck_assert_int_eq(rig_send(&message, fds, 2), SESSION_WAITS);
	for (unsigned ring = 0; ring < 3; ring++)
		ck_assert_ptr_null(view_of(ring));
	ck_assert_uint_eq(summary.running, 7); /* they pause */
	grace_pass();
	ck_assert_int_eq(vhost_session_continue(&session), SESSION_READS);
	worker_look();
	ck_assert_uint_eq(view_of(1)->memory->n_regions, 2);
	ck_assert_uint_eq(virtqueues[1].at.index, 17);
	ck_assert(virtqueues[1].call_anyhow);
	ck_assert_ptr_eq(session.map.regions[0].mapping.start, first);
	message = table_message();
	message.flags |= MESSAGE_NEED_REPLY;
	finish_waiting(rig_send(&message, fds, 1));
	ck_assert_uint_eq(session.reply.request, MESSAGE_SET_MEM_TABLE);
	ck_assert_uint_eq(view_of(1)->memory->n_regions, 1);
}
END_TEST

START_TEST(tables_while_nothing_runs)
{
	struct message message = two_regions();
	int fds[2] = {memory_fd, memory_fd_2};

	grace_at_once = false;
	rig_memory();
	rig_silent(&message, fds, 2);
	fds[0] = memory_fd_2;
	rig_silent(&message, fds, 2);
	ck_assert_uint_eq(session.map.n_regions, 2);
	ck_assert_uint_eq(graces, 0);
}
END_TEST

/* A ring's places are not in the new memory: that ends the session, and nothing was let go of too
 * early. */
START_TEST(a_table_without_the_rings)
{
	struct message message = table_message();

	rig_start(USUAL, 2);
	grace_at_once = false;
	message.table.regions[0].front_end_address += 0x10000000;
	ck_assert_int_eq(rig_send(&message, &memory_fd_2, 1), SESSION_WAITS);
	grace_pass();
	ck_assert_int_eq(vhost_session_continue(&session), SESSION_BREAKS);
}
END_TEST

START_TEST(the_end_in_the_midst)
{
	struct message message = two_regions();
	int fds[2] = {memory_fd, memory_fd_2};

	rig_start(USUAL, 2);
	grace_at_once = false;
	ck_assert_int_eq(rig_send(&message, fds, 2), SESSION_WAITS);
	ck_assert_int_eq(vhost_session_end(&session), SESSION_WAITS);
	ck_assert_int_eq(vhost_session_end(&session), SESSION_WAITS);
	ck_assert_int_eq(vhost_session_continue(&session), SESSION_WAITS);
	worker_touch();
}
END_TEST

/* Slots are added while rings run, and a second time once for each pair of them. */
START_TEST(slots)
{
	struct message first =
	        region_message(MESSAGE_ADD_MEM_REG, GUEST_BASE, MEMORY_BYTES, FRONT_BASE, 0);
	struct message add = second_slot(MESSAGE_ADD_MEM_REG);
	struct message rem = second_slot(MESSAGE_REM_MEM_REG);
	const struct virtqueue_view *before;

	rig_number(MESSAGE_SET_FEATURES, USUAL);
	rig_silent(&rem, NULL, 0); /* of nothing */
	rig_silent(&first, &memory_fd, 1);
	rig_start_ring(0);
	rig_start_ring(1);
	grace_at_once = false;
	before = view_of(0);
	rig_silent(&add, &memory_fd_2, 1);
	ck_assert_ptr_ne(view_of(0), before);
	ck_assert_uint_eq(view_of(0)->memory->n_regions, 2);
	before = view_of(0);
	rig_silent(&add, &memory_fd_2, 1);
	ck_assert_ptr_eq(view_of(0), before);
	grace_pass();
	rem.slot.region.file_offset = 0x1000; /* is none of its business */
	finish_waiting(rig_send(&rem, &memory_fd_2, 1));
	ck_assert_uint_eq(view_of(0)->memory->n_regions, 1);
	rig_silent(&rem, NULL, 0);
	ck_assert_uint_eq(session.map.n_regions, 1);
	/* And what the rings lie in. */
	first.request = MESSAGE_REM_MEM_REG;
	ck_assert_int_eq(rig_send(&first, NULL, 0), SESSION_WAITS);
	grace_pass();
	ck_assert_int_eq(vhost_session_continue(&session), SESSION_BREAKS);
}
END_TEST

START_TEST(slots_outlive_a_stop)
{
	struct message first =
	        region_message(MESSAGE_ADD_MEM_REG, GUEST_BASE, MEMORY_BYTES, FRONT_BASE, 0);
	struct message stop = ring_message(MESSAGE_GET_VRING_BASE, 0, 0);

	rig_silent(&first, &memory_fd, 1);
	rig_start_ring(0);
	ck_assert_int_eq(rig_send(&stop, NULL, 0), SESSION_READS);
	rig_start_ring(0);
	ck_assert_ptr_nonnull(view_of(0));
}
END_TEST

START_TEST(all_slots)
{
	struct message message;

	for (unsigned i = 0; i < 33; i++) {
		message = region_message(MESSAGE_ADD_MEM_REG, i * MEMORY_BYTES, 4096,
		                         i * MEMORY_BYTES, 0);
		if (i < 32)
			rig_silent(&message, &memory_fd, 1);
	}
	rig_breaks(&message, &memory_fd, 1);
}
END_TEST

START_TEST(wrong_regions)
{
	static const struct {
		uint64_t guest, size, front, offset;
	} wrong[] = {
	        {GUEST_BASE, 0, FRONT_BASE, 0},
	        {GUEST_BASE, MEMORY_BYTES, FRONT_BASE, 1},
	        {GUEST_BASE, MEMORY_BYTES + 1, FRONT_BASE, 0},
	        {GUEST_BASE, UINT64_MAX, FRONT_BASE, 0},
	        {GUEST_BASE, UINT64_MAX, FRONT_BASE, 1},
	        {GUEST_BASE, 4096, FRONT_BASE, UINT64_MAX - 4095},
	        {GUEST_BASE, 4096, FRONT_BASE, UINT64_C(1) << 63},
	        {UINT64_MAX - 4094, 4096, FRONT_BASE, 0},
	        {GUEST_BASE, 4096, UINT64_MAX - 4094, 0},
	};
	struct message message = two_regions();
	int fds[2] = {memory_fd, memory_fd_2};
	int event = eventfd(0, EFD_CLOEXEC);

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct message_region region = {wrong[i].guest, wrong[i].size, wrong[i].front,
		                                wrong[i].offset};

		message = table_message();
		message.table.regions[0] = region;
		rig_breaks(&message, &memory_fd, 1);
		message = rig_message(MESSAGE_ADD_MEM_REG, 40);
		message.slot.region = region;
		rig_breaks(&message, &memory_fd, 1);
	}
	/* Two that overlap, in one of the two address spaces. */
	message = two_regions();
	message.table.regions[1].guest_address--;
	rig_breaks(&message, fds, 2);
	message = two_regions();
	message.table.regions[1].front_end_address = FRONT_BASE + MEMORY_BYTES - 1;
	rig_breaks(&message, fds, 2);
	rig_memory();
	message = region_message(MESSAGE_ADD_MEM_REG, GUEST_BASE + 1, 4096, 0, 0);
	rig_breaks(&message, fds, 1);
	message = table_message();
	rig_breaks(&message, &event, 1);
	close(event);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("session_memory");

	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_add_test(tcase, the_same_table_again);
	tcase_add_test(tcase, a_table_that_grows_and_shrinks);
	tcase_add_test(tcase, tables_while_nothing_runs);
	tcase_add_test(tcase, a_table_without_the_rings);
	tcase_add_test(tcase, the_end_in_the_midst);
	tcase_add_test(tcase, slots);
	tcase_add_test(tcase, slots_outlive_a_stop);
	tcase_add_test(tcase, all_slots);
	tcase_add_test(tcase, wrong_regions);
	return suite_main("session_memory", tcase);
}
