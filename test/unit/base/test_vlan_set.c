/* TSAN: also run under the thread sanitizer */
/* Sets of VLANs: as text, by arithmetic, and shared between threads. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/vlan_set.h"
#include "suite.h"

static struct vlan_set set_of(const char *text)
{
	struct vlan_set set = {{0}};
	struct error err;

	if (*text != '\0')
		ck_assert_msg(vlan_set_parse(text, &set, &err) == 0, "%s: %s", text, err.text);
	return set;
}

static void expect(const struct vlan_set *set, const char *text)
{
	char found[VLAN_SET_TEXT_MAX];

	ck_assert_str_eq(vlan_set_format(set, found, sizeof(found)), text);
}

static const struct {
	const char *text, *reads;
	unsigned count;
} good[] = {
        {"1", "1", 1},     {"4094", "4094", 1},   {"0005", "5", 1},
        {"5,7", "5,7", 2}, {"7,5,7", "5,7", 2},   {"100-103,5", "5,100-103", 5},
        {"5,6", "5-6", 2}, {"63-64", "63-64", 2}, {"1-4094", "1-4094", 4094},
        {"9-9", "9", 1},
};

START_TEST(takes_lists)
{
	struct vlan_set set = set_of(good[_i].text);

	expect(&set, good[_i].reads);
	ck_assert_uint_eq(vlan_set_count(&set), good[_i].count);
}
END_TEST

static const char *const bad[] = {"",
                                  "0",
                                  "4095",
                                  "4096",
                                  "-1",
                                  "5-",
                                  "5,",
                                  ",5",
                                  "5-4",
                                  "5 6",
                                  "5;6",
                                  "1,x",
                                  "0x5",
                                  "5-6-7",
                                  "1.5",
                                  "+5",
                                  "5,,6",
                                  "0-5",
                                  "1-",
                                  "99999999",
                                  "5:6",
                                  "1-4095",
                                  "12345678901234567890123"};

START_TEST(refuses_what_is_none)
{
	struct vlan_set set = set_of("3");
	struct error err = {0};

	ck_assert_int_eq(vlan_set_parse(bad[_i], &set, &err), -EINVAL);
	ck_assert_str_ne(err.text, "");
	expect(&set, "3");
}
END_TEST

START_TEST(members)
{
	struct vlan_set set = set_of("1,64,4094");
	const struct vlan_set other = set_of("2,64"), none = {{0}};

	ck_assert(vlan_set_has(&set, 1) && vlan_set_has(&set, 64) && !vlan_set_has(&set, 65));
	ck_assert_int_eq(vlan_set_next(&set, -1), 1);
	ck_assert_int_eq(vlan_set_next(&set, 1), 64);
	ck_assert_int_eq(vlan_set_next(&set, 64), 4094);
	ck_assert_int_eq(vlan_set_next(&set, 4094), -1);
	ck_assert_int_eq(vlan_set_next(&set, VLAN_ID_MASK), -1);
	vlan_set_join(&set, &other);
	expect(&set, "1-2,64,4094");
	vlan_set_meet(&set, &other);
	expect(&set, "2,64");
	vlan_set_remove(&set, 2);
	expect(&set, "64");
	vlan_set_leave(&set, &other);
	ck_assert(vlan_set_is_empty(&set) && vlan_set_is_empty(&none));
	expect(&none, "");
	ck_assert(!vlan_set_is_empty(&other));
}
END_TEST

/* As many as a VF gets fit, however they lie; where there are more it shows. */
START_TEST(long_texts)
{
	struct vlan_set set = {{0}};
	char text[VLAN_SET_TEXT_MAX], little[8];

	for (unsigned i = 0; i < VLANS_MAX; i++)
		vlan_set_add(&set, 4094 - 2 * i);
	vlan_set_format(&set, text, sizeof(text));
	ck_assert_str_eq(text + strlen(text) - 10, ",4092,4094");
	struct vlan_set again = set_of(text);
	ck_assert_uint_eq(vlan_set_count(&again), VLANS_MAX);
	for (unsigned id = 1; id < 4094; id += 2)
		vlan_set_add(&set, id);
	for (unsigned id = 2; id < 3000; id += 4)
		vlan_set_add(&set, id);
	vlan_set_format(&set, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "…"));
	ck_assert_uint_lt(strlen(text), sizeof(text));
	set = set_of("1000-1001,2000");
	ck_assert_str_eq(vlan_set_format(&set, little, sizeof(little)), "…");
}
END_TEST

static struct vlan_set shared;

static void *hear(void *context)
{
	const unsigned *first = context;

	for (unsigned id = *first; id <= VLAN_ID_MAX; id += 2)
		vlan_set_hear(&shared, id);
	return NULL;
}

START_TEST(workers_share_one)
{
	unsigned first[] = {1, 2};
	pthread_t threads[2];

	vlan_set_forget(&shared);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hear, &first[i]), 0);
	struct vlan_set some = vlan_set_read(&shared);
	ck_assert_uint_le(vlan_set_count(&some), VLAN_ID_MAX);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	struct vlan_set all = vlan_set_read(&shared);
	expect(&all, "1-4094");
	vlan_set_unhear(&shared, 7);
	ck_assert(!vlan_set_heard(&shared, 7) && vlan_set_heard(&shared, 6));
	vlan_set_forget(&shared);
	ck_assert(vlan_set_is_empty(&shared));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_loop_test(tcase, takes_lists, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tcase, refuses_what_is_none, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tcase, members);
	tcase_add_test(tcase, long_texts);
	tcase_add_test(tcase, workers_share_one);
	return suite_main("vlan_set", tcase);
}
