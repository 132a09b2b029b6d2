/* Numbers and strings from outside: ends of ranges, and what is nearly a number. */
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/parse.h"
#include "suite.h"

#define NINES_40 "9999999999999999999999999999999999999999"

static const struct {
	const char *text;
	uint64_t min, max;
	int rc;
	uint64_t value;
} numbers[] = {
        {"0", 0, UINT64_MAX, 0, 0},
        {"7", 7, 7, 0, 7},
        {"6", 7, 7, -ERANGE, 0},
        {"8", 7, 7, -ERANGE, 0},
        {"007", 0, 9, 0, 7},
        {"18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", 0, UINT64_MAX, -ERANGE, 0},
        {"18446744073709551617", 0, 9, -ERANGE, 0},
        {"36893488147419103233", 0, UINT64_MAX, -ERANGE, 0},
        {NINES_40, 0, UINT64_MAX, -ERANGE, 0},
        {NINES_40 "x", 0, UINT64_MAX, -EINVAL, 0},
        {"", 0, 9, -EINVAL, 0},
        {" 1", 0, 9, -EINVAL, 0},
        {"1 ", 0, 9, -EINVAL, 0},
        {"1\n", 0, 9, -EINVAL, 0},
        {"+1", 0, 9, -EINVAL, 0},
        {"-1", 0, UINT64_MAX, -EINVAL, 0},
        {"-0", 0, 9, -EINVAL, 0},
        {"0x1", 0, 9, -EINVAL, 0},
        {"1e0", 0, 9, -EINVAL, 0},
        {"1.0", 0, 9, -EINVAL, 0},
        {"1,000", 0, 9999, -EINVAL, 0},
        {"\xd9\xa1", 0, 9, -EINVAL, 0}, /* an Arabic 1 */
};

START_TEST(numbers_are_whole_and_in_range)
{
	uint64_t value = 42;

	ck_assert_int_eq(parse_u64(numbers[_i].text, numbers[_i].min, numbers[_i].max, &value),
	                 numbers[_i].rc);
	/* Untouched unless it is good. */
	ck_assert_uint_eq(value, numbers[_i].rc == 0 ? numbers[_i].value : 42);
}
END_TEST

START_TEST(numbers_fit_32_bits)
{
	uint32_t value = 42;

	ck_assert_int_eq(parse_u32("4294967295", 0, UINT32_MAX, &value), 0);
	ck_assert_uint_eq(value, UINT32_MAX);
	ck_assert_int_eq(parse_u32("4294967296", 0, UINT32_MAX, &value), -ERANGE);
	ck_assert_int_eq(parse_u32("4294967297", 0, 9, &value), -ERANGE);
	ck_assert_int_eq(parse_u32("one", 0, 9, &value), -EINVAL);
	ck_assert_uint_eq(value, UINT32_MAX);
}
END_TEST

START_TEST(hexadecimal_is_bounded)
{
	uint64_t value = 42;

	ck_assert_int_eq(parse_hex("0", 1, 1, &value), 0);
	ck_assert_uint_eq(value, 0);
	ck_assert_int_eq(parse_hex("aF09", 4, 4, &value), 0);
	ck_assert_uint_eq(value, 0xaf09);
	ck_assert_int_eq(parse_hex("aF09rest", 4, 4, &value), 0);
	ck_assert_int_eq(parse_hex("ffffffffffffffff", 16, 16, &value), 0);
	ck_assert_uint_eq(value, UINT64_MAX);
	ck_assert_int_eq(parse_hex("10000000000000000", 17, 32, &value), -ERANGE);
	ck_assert_int_eq(parse_hex("123", 3, 2, &value), -ERANGE);
	ck_assert_int_eq(parse_hex("", 0, 2, &value), -EINVAL);
	ck_assert_int_eq(parse_hex("0x", 2, 2, &value), -EINVAL);
	ck_assert_int_eq(parse_hex("g", 1, 2, &value), -EINVAL);
	ck_assert_int_eq(parse_hex("-1", 2, 2, &value), -EINVAL);
	ck_assert_int_eq(parse_hex("1\0", 2, 2, &value), -EINVAL);
	ck_assert_uint_eq(value, UINT64_MAX);
}
END_TEST

static const struct {
	const char *text;
	double min, max;
	int rc;
	double value;
} fractions[] = {
        {"0", 0, 1, 0, 0},
        {"0.25", 0, 1, 0, 0.25},
        {".5", 0, 1, 0, 0.5},
        {"5.", 0, 5, 0, 5},
        {"1.0000", 0, 1, 0, 1},
        {"0.1", 0.1, 3600, 0, 0.1},
        {"0.0999", 0.1, 3600, -ERANGE, 0},
        {"3600", 0.1, 3600, 0, 3600},
        {"3600.0001", 0.1, 3600, -ERANGE, 0},
        {"0." NINES_40, 0, 1, 0, 1},
        {"0.0000000000000000000000000000000000000000000001", 0, 1, 0, 0},
        {NINES_40, 0, 1e300, -ERANGE, 0},
        {NINES_40 ".5", 0, 1, -ERANGE, 0},
        {"", 0, 1, -EINVAL, 0},
        {".", 0, 1, -EINVAL, 0},
        {"0.2.5", 0, 1, -EINVAL, 0},
        {"0,25", 0, 1, -EINVAL, 0},
        {"-0.5", -1, 1, -EINVAL, 0},
        {"+0.5", 0, 1, -EINVAL, 0},
        {"1e-1", 0, 1, -EINVAL, 0},
        {"inf", 0, 1e300, -EINVAL, 0},
        {"nan", 0, 1, -EINVAL, 0},
        {"0x1p-1", 0, 1, -EINVAL, 0},
        {" 1", 0, 1, -EINVAL, 0},
};

START_TEST(fractions_are_plain_decimals)
{
	double value = 42;

	ck_assert_int_eq(
	        parse_fraction(fractions[_i].text, fractions[_i].min, fractions[_i].max, &value),
	        fractions[_i].rc);
	ck_assert_double_eq_tol(value, fractions[_i].rc == 0 ? fractions[_i].value : 42, 1e-15);
}
END_TEST

START_TEST(copies_are_whole_or_empty)
{
	char out[4] = "old";

	ck_assert_int_eq(string_copy(out, sizeof(out), "abc"), 0);
	ck_assert_str_eq(out, "abc");
	ck_assert_int_eq(string_copy(out, sizeof(out), "abcd"), -ENAMETOOLONG);
	ck_assert_str_eq(out, "");
	ck_assert_int_eq(string_copy(out, 1, ""), 0);
	ck_assert_int_eq(string_copy(out, 0, ""), -ENAMETOOLONG);
	ck_assert(string_starts_with("net_tap0", "net_"));
	ck_assert(string_starts_with("net_", ""));
	ck_assert(!string_starts_with("net", "net_"));
}
END_TEST

START_TEST(errors_are_one_line)
{
	struct error err;
	char long_text[2000];

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	ck_assert_int_eq(error_set(&err, EINVAL, "\"%s\" is %d", "a\nb\x1b\x7f", 1), -EINVAL);
	ck_assert_str_eq(err.text, "\"a?b??\" is 1");
	ck_assert_int_eq(error_prefix(&err, "option --%s: ", "x"), -EINVAL);
	ck_assert_str_eq(err.text, "option --x: \"a?b??\" is 1");
	/* Its own text among the arguments. */
	error_set(&err, ENOENT, "%s, once more", err.text);
	ck_assert_str_eq(err.text, "option --x: \"a?b??\" is 1, once more");
	error_prefix(&err, "%s", long_text);
	ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_MAX - 1);
	error_set(&err, EINVAL, "%s", long_text);
	ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_MAX - 1);
	error_set(&err, 0, "%s", "");
	ck_assert_str_eq(err.text, "");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_loop_test(tcase, numbers_are_whole_and_in_range, 0,
	                    sizeof(numbers) / sizeof(numbers[0]));
	tcase_add_test(tcase, numbers_fit_32_bits);
	tcase_add_test(tcase, hexadecimal_is_bounded);
	tcase_add_loop_test(tcase, fractions_are_plain_decimals, 0,
	                    sizeof(fractions) / sizeof(fractions[0]));
	tcase_add_test(tcase, copies_are_whole_or_empty);
	tcase_add_test(tcase, errors_are_one_line);
	return suite_main("parse", tcase);
}
