/* The tables of counters say all about the structs' fields, and each once.
 */
#include "suite.h"

#include <string.h>

#include "datapath/counters.h"
#include "vf/counts.h"

/* "pkts_…" or "bytes_…". */
static void check_name(const char *name, enum counter_unit unit)
{
	const char *start = unit == COUNTER_PACKETS ? "pkts_" : "bytes_";

	ck_assert_msg(strncmp(name, start, strlen(start)) == 0, "%s", name);
}

START_TEST(each_counter_has_one_row)
{
	bool seen[LANE_COUNTERS] = {false};

	for (size_t i = 0; i < LANE_COUNTERS; i++) {
		const struct lane_counter *row = &lane_counter_table[i];
		size_t field = row->offset / sizeof(uint64_t);

		ck_assert_uint_eq(row->offset % sizeof(uint64_t), 0);
		ck_assert_msg(field < LANE_COUNTERS && !seen[field], "row %zu", i);
		seen[field] = true;
	}
}
END_TEST

START_TEST(rows_are_named_and_explained)
{
	for (size_t i = 0; i < LANE_COUNTERS; i++) {
		const struct lane_counter *row = &lane_counter_table[i];

		for (int d = 0; d < LANE_DIRECTIONS; d++)
			check_name(row->wire[d], row->unit);
		/* Bytes are explained with their packets. */
		if (row->unit == COUNTER_PACKETS || row->help != NULL) {
			ck_assert_msg(row->help != NULL, "%s", row->wire[0]);
			ck_assert_int_eq(row->help[strlen(row->help) - 1], '.');
			continue;
		}
		ck_assert_uint_gt(i, 0);
		ck_assert_int_eq(row[-1].unit, COUNTER_PACKETS);
		ck_assert_str_eq(strchr(row->wire[0], '_'), strchr(row[-1].wire[0], '_'));
		ck_assert_str_eq(strchr(row->wire[1], '_'), strchr(row[-1].wire[1], '_'));
	}
}
END_TEST

START_TEST(sums_have_every_counter)
{
	struct lane_counters one, sum;

	for (size_t i = 0; i < LANE_COUNTERS; i++) {
		((uint64_t *)&one)[i] = i + 1;
		((uint64_t *)&sum)[i] = 1000;
	}
	lane_counters_add(&sum, &one);
	lane_counters_add(&sum, &one);
	for (size_t i = 0; i < LANE_COUNTERS; i++)
		ck_assert_uint_eq(((uint64_t *)&sum)[i], 1000 + 2 * (i + 1));
}
END_TEST

START_TEST(each_count_of_a_vf_has_one_row)
{
	bool seen[VF_COUNTS] = {false};

	for (size_t i = 0; i < VF_COUNTS; i++) {
		const struct vf_count *row = &vf_count_table[i];
		size_t field = row->offset / sizeof(uint64_t);

		ck_assert_uint_eq(row->offset % sizeof(uint64_t), 0);
		ck_assert_msg(field < VF_COUNTS && !seen[field], "row %zu", i);
		seen[field] = true;
		ck_assert_ptr_nonnull(row->wire);
		ck_assert_ptr_nonnull(row->help);
		ck_assert_int_eq(row->help[strlen(row->help) - 1], '.');
		if (row->of_member)
			check_name(row->wire, row->unit);
	}
}
END_TEST

START_TEST(sums_have_every_count_of_a_vf)
{
	struct vf_counts one, sum;

	for (size_t i = 0; i < VF_COUNTS; i++) {
		((uint64_t *)&one)[i] = i + 1;
		((uint64_t *)&sum)[i] = 1000;
	}
	vf_counts_add(&sum, &one);
	for (size_t i = 0; i < VF_COUNTS; i++)
		ck_assert_uint_eq(((uint64_t *)&sum)[i], 1000 + i + 1);
}
END_TEST

START_TEST(losses_of_a_vf_by_direction)
{
	const struct vf_counts counts = {.missed = 1,
	                                 .no_mbuf = 10,
	                                 .rx_errors = 100,
	                                 .tx_errors = 1000,
	                                 .rx_pkts = 5,
	                                 .tx_bytes = 5};

	ck_assert_uint_eq(vf_counts_lost(&counts, LANE_VF_TO_VM), 111);
	ck_assert_uint_eq(vf_counts_lost(&counts, LANE_VM_TO_VF), 1000);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, each_counter_has_one_row);
	tcase_add_test(tcase, rows_are_named_and_explained);
	tcase_add_test(tcase, sums_have_every_counter);
	tcase_add_test(tcase, each_count_of_a_vf_has_one_row);
	tcase_add_test(tcase, sums_have_every_count_of_a_vf);
	tcase_add_test(tcase, losses_of_a_vf_by_direction);
	return suite_main("counters", tcase);
}
