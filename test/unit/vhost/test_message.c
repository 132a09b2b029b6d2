/* The table of requests: sizes and descriptors at their bounds, headers, and what is not offered.
 */
#include <string.h>

#include "suite.h"
#include "vhost/message.h"

static struct error err;

static int header(uint32_t request, uint32_t flags, uint32_t size)
{
	struct message message = {.request = request, .flags = flags, .size = size};

	return message_check_header(&message, &err);
}

static const struct {
	uint32_t request;
	uint32_t size;
	unsigned fds_min, fds_max;
} fixed[] = {
        {MESSAGE_GET_FEATURES, 0, 0, 0},
        {MESSAGE_SET_FEATURES, 8, 0, 0},
        {MESSAGE_SET_OWNER, 0, 0, 0},
        {MESSAGE_RESET_OWNER, 0, 0, 0},
        {MESSAGE_SET_LOG_BASE, 16, 1, 1},
        {MESSAGE_SET_VRING_NUM, 8, 0, 0},
        {MESSAGE_SET_VRING_ADDR, 40, 0, 0},
        {MESSAGE_SET_VRING_BASE, 8, 0, 0},
        {MESSAGE_GET_VRING_BASE, 8, 0, 0},
        {MESSAGE_SET_VRING_KICK, 8, 1, 1},
        {MESSAGE_SET_VRING_CALL, 8, 1, 1},
        {MESSAGE_SET_VRING_ERR, 8, 1, 1},
        {MESSAGE_GET_PROTOCOL_FEATURES, 0, 0, 0},
        {MESSAGE_SET_PROTOCOL_FEATURES, 8, 0, 0},
        {MESSAGE_GET_QUEUE_NUM, 0, 0, 0},
        {MESSAGE_SET_VRING_ENABLE, 8, 0, 0},
        {MESSAGE_SEND_RARP, 8, 0, 0},
        {MESSAGE_NET_SET_MTU, 8, 0, 0},
        {MESSAGE_GET_MAX_MEM_SLOTS, 0, 0, 0},
        {MESSAGE_ADD_MEM_REG, 40, 1, 1},
        {MESSAGE_REM_MEM_REG, 40, 0, 1},
};

START_TEST(sizes_and_descriptors)
{
	for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		struct message message = {.request = fixed[i].request, .flags = 1};

		ck_assert(message_is_known(message.request));
		for (message.size = 0; message.size < 400; message.size++)
			ck_assert_int_eq(message_check_header(&message, &err) == 0,
			                 message.size == fixed[i].size);
		message.size = fixed[i].size;
		for (unsigned fds = 0; fds <= MESSAGE_FDS_ROOM; fds++)
			ck_assert_int_eq(message_check(&message, fds, &err) == 0,
			                 fds >= fixed[i].fds_min && fds <= fixed[i].fds_max);
		ck_assert_int_lt(header(message.request, 1, UINT32_MAX), 0);
	}
}
END_TEST

START_TEST(tables_of_memory)
{
	struct message message = {.request = MESSAGE_SET_MEM_TABLE, .flags = 1};

	for (uint32_t n = 0; n <= 10; n++) {
		bool fits = n >= 1 && n <= 8;

		message.table.n_regions = n;
		message.size = 8 + 32 * n;
		ck_assert_int_eq(message_check(&message, n, &err) == 0, fits);
		ck_assert_int_lt(message_check(&message, n + 1, &err), 0);
		ck_assert_int_lt(message_check(&message, n - 1, &err), 0);
		message.size++;
		ck_assert_int_lt(message_check(&message, n, &err), 0);
		message.size -= 2;
		ck_assert_int_lt(message_check(&message, n, &err), 0);
	}
	message.table.n_regions = UINT32_MAX;
	message.size = 8 + 32;
	ck_assert_int_lt(message_check(&message, 1, &err), 0);
	message.table.n_regions = 0x8000001; /* times 32 it is one */
	ck_assert_int_lt(message_check(&message, 1, &err), 0);
}
END_TEST

START_TEST(without_a_descriptor)
{
	static const uint32_t requests[] = {MESSAGE_SET_VRING_KICK, MESSAGE_SET_VRING_CALL,
	                                    MESSAGE_SET_VRING_ERR};

	for (unsigned i = 0; i < 3; i++) {
		struct message message = {
		        .request = requests[i], .flags = 1, .size = 8, .number = 5};

		ck_assert_int_lt(message_check(&message, 0, &err), 0);
		ck_assert_int_eq(message_check(&message, 1, &err), 0);
		message.number |= MESSAGE_NO_FD;
		ck_assert_int_eq(message_check(&message, 0, &err), 0);
		ck_assert_int_lt(message_check(&message, 1, &err), 0);
		ck_assert_uint_eq(message_fd_ring(&message), 5);
		ck_assert(message_has_no_fd(&message));
	}
}
END_TEST

START_TEST(headers)
{
	for (uint32_t flags = 0; flags < 16; flags++)
		ck_assert_int_eq(header(MESSAGE_GET_FEATURES, flags, 0) == 0, (flags & 7) == 1);
	ck_assert_str_ne(err.text, "");
}
END_TEST

/* Whatever its size, as far as there is room, and its descriptors. */
START_TEST(what_is_not_offered)
{
	static const uint32_t requests[] = {0,  7,  21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
	                                    31, 32, 33, 34, 35, 39, 40, 41, 42, 43, 44, UINT32_MAX};

	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct message message = {.request = requests[i], .flags = 1};

		ck_assert(!message_is_known(requests[i]));
		ck_assert_int_eq(message_check(&message, 8, &err), 0);
		ck_assert_int_eq(header(requests[i], 1, MESSAGE_PAYLOAD_MAX), 0);
		ck_assert_int_lt(header(requests[i], 1, MESSAGE_PAYLOAD_MAX + 1), 0);
	}
	ck_assert_str_eq(message_name(MESSAGE_SET_VRING_NUM), "SET_VRING_NUM");
	ck_assert_str_eq(message_name(7), "a request that is not offered");
}
END_TEST

START_TEST(layout)
{
	struct message message;

	ck_assert_uint_eq((uintptr_t)&message.number - (uintptr_t)&message, MESSAGE_HEADER_BYTES);
	ck_assert_uint_eq(sizeof(message.table), 8 + 32 * 8);
	ck_assert_uint_eq(sizeof(message.slot), 40);
	ck_assert_uint_eq(sizeof(message.addresses), 40);
	ck_assert_uint_eq(sizeof(message.log), 16);
}
END_TEST

START_TEST(replies)
{
	struct message reply;

	message_reply_number(&reply, MESSAGE_GET_FEATURES, 7);
	ck_assert_uint_eq(reply.request, MESSAGE_GET_FEATURES);
	ck_assert_uint_eq(reply.flags, 5);
	ck_assert_uint_eq(reply.size, 8);
	ck_assert_uint_eq(reply.number, 7);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("message");

	tcase_add_test(tcase, sizes_and_descriptors);
	tcase_add_test(tcase, tables_of_memory);
	tcase_add_test(tcase, without_a_descriptor);
	tcase_add_test(tcase, headers);
	tcase_add_test(tcase, what_is_not_offered);
	tcase_add_test(tcase, layout);
	tcase_add_test(tcase, replies);
	return suite_main("message", tcase);
}
