/* --check on a machine of our own: what it says of the process, its endpoints, limits and
 * directories, and of the sockets that QEMU has to reach.
 */
#include <check.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_machine.h"
#include "suite.h"

/* --- the process ---------------------------------------------------------------------------- */

START_TEST(another_instance)
{
	tree_file("run/virtio-forwarder.pid", "4711\n");
	finds_nothing();
	int fd = open(tree_path("run/virtio-forwarder.pid"), O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	const struct finding *finding = finds("process.runs_already", FINDING_ERROR);
	what_says(finding, "pid 4711");
	remedy_says(finding, "--pid-path");
	close(fd);
	finds_nothing();
}
END_TEST

START_TEST(endpoints_of_others)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	tree_file("run/stats", "");
	what_says(finds("endpoint.taken", FINDING_ERROR), "is no socket");
	ck_assert_int_eq(unlink(tree_path("run/stats")), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", tree_path("run/stats"));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	remedy_says(finds("endpoint.taken", FINDING_ERROR), "ss -xlp");
	close(fd);
	finds_nothing(); /* a stale one */
}
END_TEST

START_TEST(the_metrics_path_is_taken)
{
	static char text[128];

	snprintf(text, sizeof(text), "--metrics-ep=unix:%.60s/run/metrics", tree_root);
	option(text);
	finds_nothing();
	tree_file("run/metrics", "");
	const struct finding *finding = finds("endpoint.taken", FINDING_ERROR);
	what_says(finding, "--metrics-ep: ");
	what_says(finding, tree_path("run/metrics"));
}
END_TEST

START_TEST(a_port_for_the_metrics)
{
	option("--metrics-ep=tcp://127.0.0.1:9471");
	finds_nothing();
}
END_TEST

START_TEST(limits_that_are_low)
{
	tree_file("proc/self/limits", LIMITS("4096", "65536"));
	finds_nothing(); /* with every right they are no limits */
	tree_file("proc/self/status", NO_RIGHTS);
	run();
	ck_assert_int_eq(find("limit.open_files")->severity, FINDING_WARNING);
	remedy_says(find("limit.open_files"), "LimitNOFILE=524288");
	ck_assert_int_eq(find("limit.locked_memory")->severity, FINDING_ERROR);
	what_says(find("limit.locked_memory"), "64 kB");
	remedy_says(find("limit.locked_memory"), "LimitMEMLOCK=infinity");
	ck_assert_uint_eq(machine.report.count, 2);
	tree_file("proc/self/limits", LIMITS("524288", "65536"));
	finds("limit.locked_memory", FINDING_ERROR);
	/* vfio alone locks */
	machine.vf0 = "net_null0=0";
	machine.vf1 = "net_null1=1";
	finds_nothing();
}
END_TEST

START_TEST(a_pid_directory_of_somebody_else)
{
	tree_file("proc/self/status", NO_RIGHTS);
	machine.place.self = (struct path_user){.uid = 12345};
	ck_assert_int_eq(chmod(tree_path("huge"), 0777), 0);
	ck_assert_int_eq(chmod(tree_path("sockets"), 0777), 0);
	remedy_says(finds("process.pid_dir", FINDING_ERROR), "VIRTIOFWD_PID_DIR");
	ck_assert_int_eq(chmod(tree_path("run"), 0777), 0);
	finds_nothing();
}
END_TEST

START_TEST(warnings_of_the_configuration_are_findings)
{
	char text[] = "VIRTIOFWD_NOVELTY=1\n", config[80];

	rig_write(text, strlen(text));
	snprintf(config, sizeof(config), "--config=%s", rig.path);
	option(config);
	what_says(finds("config.warning", FINDING_WARNING), "VIRTIOFWD_NOVELTY");
}
END_TEST

/* --- sockets -------------------------------------------------------------------------------- */

START_TEST(accounts_that_are_unknown)
{
	option("--vhost-username=no-such-user");
	option("--vhost-groupname=no-such-group");
	option("--zmq-group=no-such-users");
	run();
	what_says(find("endpoint.unknown_group"), "no-such-users");
	remedy_says(find("endpoint.unknown_group"), "VIRTIOFWD_ZMQ_GROUP");
	what_says(find("sockets.unknown_owner"), "no-such-user");
	remedy_says(find("sockets.unknown_owner"), "VIRTIOFWD_SOCKET_OWNER");
	what_says(find("sockets.unknown_group"), "no-such-group");
	ck_assert_int_eq(find("sockets.unknown_group")->severity, FINDING_ERROR);
	ck_assert_uint_eq(machine.report.count, 3);
}
END_TEST

/* Where the daemon gives no socket away they need not be there. */
START_TEST(accounts_that_are_unknown_and_not_needed)
{
	option("--vhost-username=no-such-user");
	option("--vhost-groupname=no-such-group");
	option("--vhostuser-client");
	run();
	ck_assert_int_eq(find("sockets.unknown_owner")->severity, FINDING_WARNING);
	ck_assert_int_eq(find("sockets.unknown_group")->severity, FINDING_WARNING);
}
END_TEST

START_TEST(qemu_has_to_pass_all_directories)
{
	option("--vhost-username=12346");
	finds_nothing();
	ck_assert_int_eq(chmod(tree_path("sockets"), 0700), 0);
	const struct finding *finding = finds("sockets.unreachable", FINDING_ERROR);
	what_says(finding, "user 12346 cannot reach");
	remedy_says(finding, "chmod o+x");
	remedy_says(finding, "/sockets");
	/* further up */
	ck_assert_int_eq(chmod(tree_path("sockets"), 0755), 0);
	ck_assert_int_eq(chmod(tree_root, 0700), 0);
	what_says(finds("sockets.unreachable", FINDING_ERROR), ": /tmp/unit-tree-");
	ck_assert_int_eq(chmod(tree_root, 0711), 0);
	finds_nothing();
}
END_TEST

/* The owner may not pass, whoever is in the group may. */
START_TEST(either_owner_or_group_suffices)
{
	char group[40];

	snprintf(group, sizeof(group), "--vhost-groupname=%u", (unsigned)getegid());
	ck_assert_int_eq(chmod(tree_path("sockets"), 0710), 0);
	ck_assert_int_eq(chown(tree_path("sockets"), (uid_t)-1, getegid()), 0);
	option("--vhost-username=12346");
	finds("sockets.unreachable", FINDING_ERROR);
	option(group);
	finds_nothing();
}
END_TEST

/* What holds nothing but sockets the daemon gives to them at its start. */
START_TEST(a_directory_of_sockets_is_given_away)
{
	option("--vhost-username=12346");
	ck_assert_int_eq(chmod(tree_path("sockets"), 0700), 0);
	finds("sockets.unreachable", FINDING_ERROR);
	ck_assert_int_eq(unlink(tree_path("sockets/.keep")), 0);
	finds_nothing();
	option("--vhostuser-client");
	finds_nothing();
	tree_file("sockets/of-others", "");
	finds("sockets.closed_to_qemu", FINDING_WARNING);
}
END_TEST

START_TEST(sockets_that_cannot_be_made)
{
	option("--vhost-path=/proc/version/sockets");
	what_says(finds("sockets.not_writable", FINDING_ERROR), "/proc/version is no directory");
	machine.n_more = 0;
	tree_file("proc/self/status", NO_RIGHTS);
	machine.place.self = (struct path_user){.uid = 12345};
	ck_assert_int_eq(chmod(tree_path("huge"), 0777), 0);
	ck_assert_int_eq(chmod(tree_path("run"), 0777), 0);
	what_says(finds("sockets.not_writable", FINDING_ERROR), "user 12345 may not");
	ck_assert_int_eq(chmod(tree_path("sockets"), 0777), 0);
	finds_nothing();
}
END_TEST

START_TEST(in_client_mode_qemu_makes_the_sockets)
{
	char missing[96];

	option("--vhostuser-client");
	finds_nothing();
	option("--vhost-username=12346");
	remedy_says(finds("sockets.closed_to_qemu", FINDING_WARNING), "chown");
	ck_assert_int_eq(chmod(tree_path("sockets"), 0777), 0);
	finds_nothing();
	tree_file("proc/self/status", NO_RIGHTS);
	machine.place.self = (struct path_user){.uid = 12345};
	ck_assert_int_eq(chmod(tree_path("huge"), 0777), 0);
	ck_assert_int_eq(chmod(tree_path("run"), 0777), 0);
	finds_nothing();
	ck_assert_int_eq(chmod(tree_path("sockets"), 0700), 0);
	run();
	ck_assert_int_eq(find("sockets.closed_to_daemon")->severity, FINDING_ERROR);
	snprintf(missing, sizeof(missing), "--vhost-path=%.60s/missing", tree_root);
	option(missing);
	remedy_says(finds("sockets.no_directory", FINDING_WARNING), "install -d");
	ck_assert_int_eq(chmod(tree_root, 0777), 0); /* the daemon makes it, for user 12346 */
	finds_nothing();
}
END_TEST

/* --- what clients have left --------------------------------------------------------------------
 */

#define STATE(pins)                                                                         \
	"{\"version\": 1, \"boot_id\": \"b\", \"dynamic_sockets\": false, \"relays\": [], " \
	"\"pins\": [" pins "]}\n"
#define PIN(id) "{\"id\": " id ", \"vf_to_vm_cpu\": 1, \"vm_to_vf_cpu\": -1}"

START_TEST(pins_of_clients)
{
	static const char path[] = "run/virtio-forwarder/state.json";

	finds_nothing();
	tree_file("proc/sys/kernel/random/boot_id", "b\n");
	tree_file(path, STATE(""));
	finds_nothing();
	tree_file(path, STATE(PIN("3") "," PIN("63")));
	const struct finding *finding = finds("pins.of_clients", FINDING_WARNING);
	what_says(finding, "3,63");
	remedy_says(finding, "--virtio-cpu=3:-1");
	tree_file(path, "junk");
	finds_nothing(); /* the daemon tells of it */
	tree_file(path, STATE(PIN("3")));
	tree_file("proc/sys/kernel/random/boot_id", "c\n"); /* booted since */
	finds_nothing();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60); /* a busy machine, where forking alone takes long */
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, another_instance);
	tcase_add_test(tcase, endpoints_of_others);
	tcase_add_test(tcase, the_metrics_path_is_taken);
	tcase_add_test(tcase, a_port_for_the_metrics);
	tcase_add_test(tcase, limits_that_are_low);
	tcase_add_test(tcase, a_pid_directory_of_somebody_else);
	tcase_add_test(tcase, warnings_of_the_configuration_are_findings);
	tcase_add_test(tcase, accounts_that_are_unknown);
	tcase_add_test(tcase, pins_of_clients);
	tcase_add_test(tcase, accounts_that_are_unknown_and_not_needed);
	tcase_add_test(tcase, qemu_has_to_pass_all_directories);
	tcase_add_test(tcase, either_owner_or_group_suffices);
	tcase_add_test(tcase, a_directory_of_sockets_is_given_away);
	tcase_add_test(tcase, sockets_that_cannot_be_made);
	tcase_add_test(tcase, in_client_mode_qemu_makes_the_sockets);
	return suite_main("preflight_process", tcase);
}
