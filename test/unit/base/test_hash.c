/* FNV-1a against its published values. */
#include <check.h>
#include <string.h>

#include "base/hash.h"
#include "suite.h"

static uint64_t of(const char *text)
{
	return hash_bytes(HASH_START, text, strlen(text));
}

START_TEST(hashes_are_fnv_1a)
{
	ck_assert_uint_eq(of(""), 0xcbf29ce484222325ull);
	ck_assert_uint_eq(of("a"), 0xaf63dc4c8601ec8cull);
	ck_assert_uint_eq(of("foobar"), 0x85944171f73967e8ull);
}
END_TEST

START_TEST(pieces_hash_as_the_whole)
{
	ck_assert_uint_eq(hash_bytes(of("foo"), "bar", 3), of("foobar"));
	ck_assert_uint_eq(hash_number(of("fooba"), 'r'), of("foobar"));
	ck_assert_uint_ne(hash_number(hash_number(HASH_START, 1), 2),
	                  hash_number(hash_number(HASH_START, 2), 1));
}
END_TEST

START_TEST(bytes_above_127_are_no_negative_numbers)
{
	ck_assert_uint_eq(hash_bytes(HASH_START, "\xff", 1), hash_number(HASH_START, 255));
}
END_TEST

START_TEST(a_folded_hash_depends_on_both_halves)
{
	ck_assert_uint_eq(hash_fold(0x85944171f73967e8ull), 0x85944171u ^ 0xf73967e8u);
	ck_assert_uint_eq(hash_fold(0), 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, hashes_are_fnv_1a);
	tcase_add_test(tcase, pieces_hash_as_the_whole);
	tcase_add_test(tcase, bytes_above_127_are_no_negative_numbers);
	tcase_add_test(tcase, a_folded_hash_depends_on_both_halves);
	return suite_main("hash", tcase);
}
