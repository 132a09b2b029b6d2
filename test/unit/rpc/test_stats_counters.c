/* What the tables of counters have, the messages have, and the other way round.
 */
#include "suite.h"

#include <string.h>

#include "rpc/stats_codec.h"

/* Looks a counter up by its name on the wire, in a message that has travelled. */
static uint64_t told(const ProtobufCMessage *message, const char *name)
{
	const ProtobufCFieldDescriptor *field =
	        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
	const char *base = (const char *)message;

	ck_assert_msg(field != NULL, "%s has no %s", message->descriptor->name, name);
	ck_assert_msg(*(const protobuf_c_boolean *)(base + field->quantifier_offset),
	              "%s is not sent", name);
	return *(const uint64_t *)(base + field->offset);
}

static size_t count_fields(const ProtobufCMessageDescriptor *message, ProtobufCType type)
{
	size_t n = 0;

	for (unsigned i = 0; i < message->n_fields; i++)
		n += message->fields[i].type == type;
	return n;
}

/* Each field of a struct of counters gets a number of its own. */
static void number(void *counters, size_t n, uint64_t first)
{
	for (size_t i = 0; i < n; i++)
		((uint64_t *)counters)[i] = first + i;
}

static Virtioforwarder__StatsResponse *travel(const struct control_relay *reading)
{
	static struct stats_codec codec;
	static uint8_t bytes[65536];
	struct control_rates in = {1, 2, 3, 4}, out = {5, 6, 7, 8};
	Virtioforwarder__StatsResponse *response;
	size_t size;

	ck_assert_int_eq(stats_codec_init(&codec), 0);
	stats_codec_begin(&codec);
	stats_codec_add(&codec, reading, &in, &out);
	size = protobuf_c_message_get_packed_size(&codec.message.base);
	ck_assert_uint_le(size, sizeof(bytes));
	protobuf_c_message_pack(&codec.message.base, bytes);
	response = virtioforwarder__stats_response__unpack(NULL, size, bytes);
	ck_assert_ptr_nonnull(response);
	return response;
}

static void check_direction(const ProtobufCMessage *message, enum lane_direction direction,
                            const struct lane_counters *counters)
{
	for (size_t i = 0; i < LANE_COUNTERS; i++) {
		const struct lane_counter *row = &lane_counter_table[i];

		ck_assert_uint_eq(told(message, row->wire[direction]),
		                  *lane_counter_of(counters, row));
	}
	/* Nor is there any other. */
	ck_assert_uint_eq(count_fields(message->descriptor, PROTOBUF_C_TYPE_UINT64), LANE_COUNTERS);
	ck_assert_uint_eq(count_fields(message->descriptor, PROTOBUF_C_TYPE_FLOAT), STATS_RATES);
}

static void check_vf(const ProtobufCMessage *message, bool is_member,
                     const struct vf_counts *counts)
{
	size_t n = 0;

	for (size_t i = 0; i < VF_COUNTS; i++) {
		const struct vf_count *row = &vf_count_table[i];

		if (row->of_member && !is_member)
			continue;
		ck_assert_uint_eq(told(message, row->wire), *vf_count_of(counts, row));
		n++;
	}
	ck_assert_uint_eq(count_fields(message->descriptor, PROTOBUF_C_TYPE_UINT64), n);
}

START_TEST(every_counter_travels)
{
	struct control_relay reading = {
	        .vhost_socket = "NONE", .has_device = true, .n_members = BOND_MEMBERS_MAX};
	Virtioforwarder__StatsResponse *response;
	Virtioforwarder__RelayState *relay;

	number(&reading.vf_to_vm.counters, LANE_COUNTERS, 1000);
	number(&reading.vm_to_vf.counters, LANE_COUNTERS, 2000);
	number(&reading.counts, VF_COUNTS, 3000);
	for (unsigned i = 0; i < BOND_MEMBERS_MAX; i++)
		number(&reading.members[i].counts, VF_COUNTS, 4000 + 100 * i);
	response = travel(&reading);
	relay = response->relay[0];
	check_direction(&relay->vf_to_vm->base, LANE_VF_TO_VM, &reading.vf_to_vm.counters);
	check_direction(&relay->vm_to_vf->base, LANE_VM_TO_VF, &reading.vm_to_vf.counters);
	check_vf(&relay->vf->base, false, &reading.counts);
	ck_assert_uint_eq(relay->vf->n_member, BOND_MEMBERS_MAX);
	for (unsigned i = 0; i < BOND_MEMBERS_MAX; i++)
		check_vf(&relay->vf->member[i]->base, true, &reading.members[i].counts);
	virtioforwarder__stats_response__free_unpacked(response, NULL);
}
END_TEST

START_TEST(every_rate_travels)
{
	struct control_relay reading = {.vhost_socket = "NONE"};
	Virtioforwarder__StatsResponse *response;
	Virtioforwarder__RelayState *relay;

	response = travel(&reading);
	relay = response->relay[0];
	ck_assert_float_eq(relay->vf_to_vm->pkt_rate_rx_from_vf, 1);
	ck_assert_float_eq(relay->vf_to_vm->byte_rate_rx_from_vf, 2);
	ck_assert_float_eq(relay->vf_to_vm->pkt_rate_tx_to_vm, 3);
	ck_assert_float_eq(relay->vf_to_vm->byte_rate_tx_to_vm, 4);
	ck_assert_float_eq(relay->vm_to_vf->pkt_rate_rx_from_vm, 5);
	ck_assert_float_eq(relay->vm_to_vf->byte_rate_rx_from_vm, 6);
	ck_assert_float_eq(relay->vm_to_vf->pkt_rate_tx_to_vf, 7);
	ck_assert_float_eq(relay->vm_to_vf->byte_rate_tx_to_vf, 8);
	virtioforwarder__stats_response__free_unpacked(response, NULL);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, every_counter_travels);
	tcase_add_test(tcase, every_rate_travels);
	return suite_main("stats_counters", tcase);
}
