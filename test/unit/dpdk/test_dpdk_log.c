/* DPDK's lines in our log: whole ones, with their severity or the one that they are worth, and not
 * too many. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_log.h>

#include "base/log.h"
#include "dpdk/log.h"
#include "suite.h"

#define TEXT_MAX 65536

static char text[TEXT_MAX];

/* What a step writes to stdout, where the log goes. */
static const char *capture(void (*step)(void))
{
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);

	ck_assert_ptr_nonnull(file);
	fflush(stdout);
	ck_assert_int_ge(dup2(fileno(file), STDOUT_FILENO), 0);
	step();
	fflush(stdout);
	ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
	close(saved);
	rewind(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static unsigned count(const char *words)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, words)) != NULL; at++)
		n++;
	return n;
}

static void in_pieces(void)
{
	rte_log(RTE_LOG_WARNING, RTE_LOGTYPE_EAL, "begun");
	rte_log(RTE_LOG_ERR, RTE_LOGTYPE_EAL, " and ended\nnext");
	rte_log(RTE_LOG_ERR, RTE_LOGTYPE_EAL, " line\n\n");
}

START_TEST(puts_lines_together)
{
	capture(in_pieces);
	ck_assert_ptr_nonnull(strstr(text, "WARNING dpdk: begun and ended\n"));
	ck_assert_ptr_nonnull(strstr(text, "dpdk: next line\n"));
	ck_assert_uint_eq(count("\n"), 2);
}
END_TEST

static void a_long_one(void)
{
	char line[3000];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	rte_log(RTE_LOG_ERR, RTE_LOGTYPE_EAL, "%s\n", line);
	rte_log(RTE_LOG_ERR, RTE_LOGTYPE_EAL, "\033[2Jtricky\r\n");
}

START_TEST(bears_long_and_odd_lines)
{
	capture(a_long_one);
	ck_assert_uint_eq(count("x"), 2999);
	ck_assert_uint_eq(count("dpdk: "), 3000 / 400 + 2);
	ck_assert_uint_eq(count("\033"), 0);
	ck_assert_uint_eq(count("\r"), 0);
}
END_TEST

static void a_flood(void)
{
	for (int i = 0; i < 1000; i++) {
		rte_log(RTE_LOG_NOTICE, RTE_LOGTYPE_EAL, "again\n");
		rte_log(RTE_LOG_DEBUG, RTE_LOGTYPE_EAL, "not at this level\n");
	}
	rte_log(RTE_LOG_CRIT, RTE_LOGTYPE_EAL, "of another severity\n");
}

static void later(void)
{
	rte_log(RTE_LOG_NOTICE, RTE_LOGTYPE_EAL, "again\n");
}

START_TEST(leaves_out_a_flood)
{
	capture(a_flood);
	/* a second may end in the midst of it */
	ck_assert_uint_ge(count("again"), 20);
	ck_assert_uint_le(count("again"), 40);
	ck_assert_uint_eq(count("of another severity"), 1);
	ck_assert_uint_eq(count("not at this level"), 0);
	usleep(1100 * 1000);
	capture(later);
	ck_assert_uint_eq(count("again"), 2); /* itself, and in what is told of the flood */
	ck_assert_ptr_nonnull(strstr(text, "left out, the last of them: "));
}
END_TEST

static void while_vfio_refuses(void)
{
	errno = EAGAIN;
	rte_log(RTE_LOG_WARNING, RTE_LOGTYPE_EAL, "EAL: Getting a vfio_dev_fd failed\n");
	ck_assert_int_eq(errno, EAGAIN);
}

START_TEST(leaves_errno_alone)
{
	capture(while_vfio_refuses);
	ck_assert_uint_eq(count("vfio_dev_fd"), 1);
}
END_TEST

/* --- what looks like trouble ----------------------------------------------------------------- */

static const char *line_now;

static void an_error(void)
{
	rte_log(RTE_LOG_ERR, RTE_LOGTYPE_EAL, "%s\n", line_now);
}

static const char *shown(const char *line)
{
	line_now = line;
	return capture(an_error);
}

START_TEST(puts_harmless_lines_in_their_place)
{
	/* as DPDK 22.11 and 24.11 say it */
	static const char *const lines[] = {
	        "tap_nl_dump_ext_ack(): Specified qdisc kind is unknown",
	        "TAP: tap_nl_dump_ext_ack(): Specified qdisc kind is unknown",
	        "qdisc_create_multiq(): Could not add multiq qdisc (2): No such file or directory",
	        "TAP: eth_dev_tap_create(): wire0: failed to create multiq qdisc.",
	        "eth_dev_tap_create():  Disabling rte flow support: No such file or directory(2)",
	        "bond_ethdev_promiscuous_disable(2515) - Failed to disable promiscuous mode for "
	        "port "
	        "1: Operation not supported",
	        "bond_mode_8023ad_unregister_lacp_mac(1153) - failed to disable allmulti mode for "
	        "port 1: Operation not supported",
	        "bond_ethdev_mode_set(1610) - Using mode 4, it is necessary to do TX burst and RX "
	        "burst at least every 100ms.",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ck_assert_str_eq(shown(lines[i]), "");
		log_set_level(LOG_DEBUG);
		ck_assert_ptr_nonnull(strstr(shown(lines[i]), "DEBUG dpdk: "));
		log_set_level(LOG_INFO);
		ck_assert_ptr_nonnull(strstr(text, lines[i]));
		ck_assert_ptr_nonnull(strstr(text, " (harmless: "));
	}
}
END_TEST

START_TEST(waiting_for_a_guest_is_no_warning)
{
	log_set_level(LOG_DEBUG);
	shown("VHOST_CONFIG: (/run/0.sock) failed to connect: No such file or directory");
	ck_assert_ptr_nonnull(strstr(text,
	                             "DEBUG dpdk: VHOST_CONFIG: (/run/0.sock) failed to connect: "
	                             "No such file or directory (normal until QEMU "));
	shown("VHOST_CONFIG: (/run/0.sock) failed to connect: Connection refused");
	ck_assert_ptr_nonnull(strstr(text, "DEBUG dpdk: "));
	log_set_level(LOG_INFO);
}
END_TEST

START_TEST(refused_vlans_are_told_by_the_relay)
{
	ck_assert_str_eq(shown("igbvf_vlan_filter_set(): Unable to set VF vlan"), "");
}
END_TEST

START_TEST(what_is_like_them_stays_an_error)
{
	static const char *const lines[] = {
	        "VHOST_CONFIG: (/run/0.sock) failed to connect: Permission denied",
	        "bond_ethdev_promiscuous_disable(2515) - Failed to disable promiscuous mode for "
	        "port "
	        "1: Input/output error",
	        "bond_ethdev_promiscuous_enable(2470) - Failed to enable promiscuous mode for port "
	        "1: "
	        "Operation not supported",
	        "TAP: eth_dev_tap_create(): Remote feature requires flow support.",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ck_assert_ptr_nonnull(strstr(shown(lines[i]), "ERROR dpdk: "));
		ck_assert_ptr_nonnull(strstr(text, lines[i]));
		ck_assert_ptr_null(strstr(text, "harmless"));
		ck_assert_ptr_null(strstr(text, "normal"));
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	log_open(LOG_TO_STDOUT, LOG_INFO, "test_dpdk_log");
	if (dpdk_log_open() < 0)
		return EXIT_FAILURE;
	rte_log_set_global_level(RTE_LOG_DEBUG);
	rte_log_set_level(RTE_LOGTYPE_EAL, RTE_LOG_DEBUG);
	tcase_add_test(tcase, puts_lines_together);
	tcase_add_test(tcase, bears_long_and_odd_lines);
	tcase_add_test(tcase, leaves_out_a_flood);
	tcase_add_test(tcase, leaves_errno_alone);
	tcase_add_test(tcase, puts_harmless_lines_in_their_place);
	tcase_add_test(tcase, refused_vlans_are_told_by_the_relay);
	tcase_add_test(tcase, waiting_for_a_guest_is_no_warning);
	tcase_add_test(tcase, what_is_like_them_stays_an_error);
	return suite_main("dpdk_log", tcase);
}
