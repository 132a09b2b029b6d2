/* --check on a machine of our own, and the start on this one: what they say when there is no room
 * for files, or hugepages that are free are not for us.
 * WRAP: statvfs statfs
 */
#include <check.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fake_machine.h"
#include "suite.h"

#define KB   UINT64_C(1024)
#define MB   (KB * KB)
#define PAGE (2 * MB)

/* File systems: the first one whose place is the path's beginning below the tree. */
static struct {
	const char *place;
	uint64_t bytes, files;
	bool read_only;
} full[3];
static uint64_t mount_pages; /* of the hugetlbfs; 0: no limit */

int __wrap_statvfs(const char *path, struct statvfs *out);
int __wrap_statfs(const char *path, struct statfs *out);

int __wrap_statvfs(const char *path, struct statvfs *out)
{
	*out = (struct statvfs){.f_frsize = 1};
	for (size_t i = 0; i < 3; i++) {
		const char *place = full[i].place;

		if (place == NULL || strncmp(path, tree_path(place), strlen(tree_path(place))) != 0)
			continue;
		out->f_blocks = out->f_files = 1000 * MB;
		out->f_bfree = full[i].bytes;
		out->f_ffree = full[i].files;
		out->f_flag = full[i].read_only ? ST_RDONLY : 0;
		break;
	}
	return 0;
}

int __wrap_statfs(const char *path, struct statfs *out)
{
	*out = (struct statfs){.f_type = HUGETLBFS_MAGIC, .f_bsize = (long)PAGE};
	(void)path;
	out->f_blocks = mount_pages > 0 ? mount_pages + 1 : 0;
	out->f_bavail = mount_pages;
	return 0;
}

/* --- --check -------------------------------------------------------------------------------- */

static const struct {
	const char *place;
	uint64_t bytes, files;
	bool read_only;
	const char *option; /* or NULL */
	const char *id;     /* or NULL: nothing is found */
	enum finding_severity severity;
	const char *what, *remedy;
} rooms[] = {
        {"runtime", 16 * MB, 100, false, "--no-huge", "runtime_dir.no_room", FINDING_ERROR,
         "/runtime has room for 16 MB, and 25 MB are wanted for DPDK's files", "--eal '-m 512'"},
        {"runtime", 26 * MB, 100, false, "--no-huge", NULL, FINDING_ERROR, NULL, NULL},
        {"runtime", 16 * MB, 100, false, NULL, NULL, FINDING_ERROR, NULL, NULL},
        {"runtime", 2 * MB, 100, false, NULL, "runtime_dir.no_room", FINDING_ERROR,
         "/runtime has room for 2048 kB", "RUNTIME_DIRECTORY"},
        {"runtime", 16 * MB, 1, false, NULL, "runtime_dir.no_room", FINDING_ERROR,
         "/runtime has room for 1 more files", "df -i"},
        {"runtime", 16 * MB, 100, true, NULL, "runtime_dir.no_room", FINDING_ERROR,
         "is mounted read-only", "RUNTIME_DIRECTORY"},
        {"runtime", 0, 0, true, "--eal=--in-memory", NULL, FINDING_ERROR, NULL, NULL},
        {"runtime", 0, 0, true, "--eal=--no-shconf", NULL, FINDING_ERROR, NULL, NULL},
        {"run", 60 * KB, 100, false, NULL, "process.state_room", FINDING_WARNING,
         "and 64 kB are wanted for the saved state", "VIRTIOFWD_PID_DIR"},
};

START_TEST(each_lack_of_room_has_its_finding)
{
	finds_nothing();
	full[0].place = rooms[_i].place;
	full[0].bytes = rooms[_i].bytes;
	full[0].files = rooms[_i].files;
	full[0].read_only = rooms[_i].read_only;
	/* "run" is the beginning of "runtime" */
	full[1] = full[0];
	full[0].place = "runtime";
	full[0].bytes = rooms[_i].place[3] == '\0' ? 1000 * MB : full[0].bytes;
	if (rooms[_i].option != NULL)
		option(rooms[_i].option);
	if (rooms[_i].id == NULL) {
		finds_nothing();
		return;
	}
	const struct finding *finding = finds(rooms[_i].id, rooms[_i].severity);
	what_says(finding, rooms[_i].what);
	remedy_says(finding, rooms[_i].remedy);
}
END_TEST

START_TEST(the_pid_file_needs_a_block)
{
	full[0].place = "run/";
	full[0].files = 100;
	full[1].place = "runtime";
	full[1].bytes = 100 * MB;
	full[1].files = 100;
	full[2].place = "run";
	full[2].files = 100;
	run();
	what_says(find("process.pid_room"),
	          "/run has room for 0 kB, and 4 kB are wanted for the pid file");
	ck_assert_int_eq(find("process.pid_room")->severity, FINDING_ERROR);
	ck_assert(find("process.pid_room")->refuses);
	ck_assert_int_eq(find("process.state_room")->severity, FINDING_WARNING);
	/* one that is there has it */
	tree_file("run/virtio-forwarder.pid", "4711\n");
	finds("process.state_room", FINDING_WARNING);
}
END_TEST

START_TEST(files_of_an_earlier_start_are_room)
{
	char path[128], *zeros;

	full[0].place = "runtime";
	full[0].bytes = 2 * MB;
	full[0].files = 100;
	finds("runtime_dir.no_room", FINDING_ERROR);
	option("--eal=--file-prefix=mine");
	finds("runtime_dir.no_room", FINDING_ERROR);
	tree_file("runtime/dpdk/mine/config", "");
	finds("runtime_dir.no_room", FINDING_ERROR);
	zeros = calloc(1, 4 * MB);
	ck_assert_ptr_nonnull(zeros);
	snprintf(path, sizeof(path), "%s", tree_path("runtime/dpdk/mine/config"));
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(zeros, 4 * MB, 1, file), 1);
	fclose(file);
	free(zeros);
	finds_nothing();
}
END_TEST

START_TEST(a_runtime_directory_of_somebody_else)
{
	tree_file("proc/self/status", NO_RIGHTS);
	machine.place.self = (struct path_user){.uid = 12345};
	ck_assert_int_eq(chmod(tree_path("huge"), 0777), 0);
	ck_assert_int_eq(chmod(tree_path("run"), 0777), 0);
	ck_assert_int_eq(chmod(tree_path("sockets"), 0777), 0);
	finds_nothing();
	ck_assert_int_eq(chmod(tree_path("runtime"), 0755), 0);
	const struct finding *finding = finds("runtime_dir.not_writable", FINDING_ERROR);
	what_says(finding, "user 12345 may not");
	remedy_says(finding, "RuntimeDirectory=");
}
END_TEST

/* 8 MB are for DPDK, a relay takes 5 at least, and the two of them some 20 each. */
START_TEST(hugepages_that_are_not_for_us)
{
	mount_pages = 4;
	const struct finding *finding = finds("hugepages.mount_limit", FINDING_ERROR);
	what_says(finding, "is mounted with a size of 10 MB, of which 8 MB are left");
	remedy_says(finding, "umount");
	mount_pages = 10;
	finds("hugepages.mount_limit", FINDING_WARNING);
	mount_pages = 100;
	finds_nothing();
	tree_file("proc/self/cgroup", "0::/box\n");
	tree_file("sys/fs/cgroup/box/hugetlb.2MB.max", "10485760\n");
	tree_file("sys/fs/cgroup/box/hugetlb.2MB.current", "0\n");
	finding = finds("hugepages.cgroup_limit", FINDING_ERROR);
	what_says(finding, "fs/cgroup/box may have 10 MB");
	option("--eal=--in-memory");
	finds("hugepages.cgroup_limit", FINDING_ERROR);
	option("--no-huge");
	finds_nothing();
}
END_TEST

/* --- the start ------------------------------------------------------------------------------ */

static unsigned warnings;

static void warn(const char *text)
{
	ck_assert_str_ne(text, "");
	warnings++;
}

START_TEST(the_start_refuses_what_would_kill_it)
{
	struct error err = {0};

	option("--no-huge");
	run();
	warnings = 0;
	ck_assert_int_eq(preflight_allow_start(&rig.cfg, warn, &err), 0);
	full[0].place = "runtime";
	full[0].files = 100;
	full[0].bytes = 16 * MB;
	run();
	ck_assert_int_eq(preflight_allow_start(&rig.cfg, warn, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "/runtime has room for 16 MB"));
	ck_assert_ptr_nonnull(strstr(err.text, "and 25 MB are wanted for DPDK's files"));
	ck_assert_ptr_nonnull(strstr(err.text, "; make room"));
	ck_assert_uint_eq(warnings, 0);
}
END_TEST

START_TEST(the_start_tells_what_it_bears)
{
	struct error err = {0};

	run();
	warnings = 0;
	/* No hugetlbfs of this machine's stands at that place. */
	ck_assert_int_eq(preflight_allow_start(&rig.cfg, warn, &err), 0);
	ck_assert_uint_ge(warnings, 1);
}
END_TEST

START_TEST(the_cause_replaces_what_dpdk_says)
{
	struct error err;

	run();
	error_set(&err, EPERM, "DPDK does not start (Permission denied)");
	preflight_explain_start(&rig.cfg, &err);
	ck_assert_ptr_nonnull(strstr(err.text, "DPDK does not start: "));
	ck_assert_ptr_nonnull(strstr(err.text, "no hugetlbfs is mounted at "));
	/* Where there is none to be found it stays. */
	option("--no-huge");
	run();
	error_set(&err, EPERM, "DPDK does not start (Permission denied)");
	preflight_explain_start(&rig.cfg, &err);
	ck_assert_str_eq(err.text, "DPDK does not start (Permission denied)");
}
END_TEST

static void set_up_rooms(void)
{
	memset(full, 0, sizeof(full));
	mount_pages = 0;
	set_up();
}

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60); /* a busy machine, where forking alone takes long */
	tcase_add_checked_fixture(tcase, set_up_rooms, tear_down);
	tcase_add_loop_test(tcase, each_lack_of_room_has_its_finding, 0,
	                    sizeof(rooms) / sizeof(rooms[0]));
	tcase_add_test(tcase, the_pid_file_needs_a_block);
	tcase_add_test(tcase, files_of_an_earlier_start_are_room);
	tcase_add_test(tcase, a_runtime_directory_of_somebody_else);
	tcase_add_test(tcase, hugepages_that_are_not_for_us);
	tcase_add_test(tcase, the_start_refuses_what_would_kill_it);
	tcase_add_test(tcase, the_start_tells_what_it_bears);
	tcase_add_test(tcase, the_cause_replaces_what_dpdk_says);
	return suite_main("preflight_rooms", tcase);
}
