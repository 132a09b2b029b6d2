/* DPDK's runtime directory: where it is, what it takes, what is there of it. */
#include "config_rig.h"
#include "fake_tree.h"
#include "suite.h"

#include <stdlib.h>

#include "config/runtime_dir.h"

#define MB (UINT64_C(1) << 20)

#define LOAD(...) ck_assert_msg(rig_load(__VA_ARGS__, NULL) == 0, "%s", rig.err.text)

static const struct {
	const char *runtime, *xdg;
	bool is_root;
	const char *eal, *expected;
} places[] = {
        {NULL, NULL, true, "--eal=-n 4", "/var/run/dpdk/virtio-forwarder-"},
        {NULL, "/run/user/5", true, "--eal=-n 4", "/var/run/dpdk/virtio-forwarder-"},
        {NULL, "/run/user/5", false, "--eal=-n 4", "/run/user/5/dpdk/virtio-forwarder-"},
        {NULL, NULL, false, "--eal=-n 4", "/tmp/dpdk/virtio-forwarder-"},
        {"/run/vf", "/run/user/5", true, "--eal=-n 4", "/run/vf/dpdk/virtio-forwarder-"},
        {"/run/vf", NULL, false, "--eal=--file-prefix=mine", "/run/vf/dpdk/mine"},
        {"/run/vf", NULL, false, "--eal=--file-prefix mine", "/run/vf/dpdk/mine"},
};

static void environment(const char *name, const char *value)
{
	if (value != NULL)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

START_TEST(follows_the_environment)
{
	char path[256];

	environment("RUNTIME_DIRECTORY", places[_i].runtime);
	environment("XDG_RUNTIME_DIR", places[_i].xdg);
	LOAD("-C1", places[_i].eal);
	ck_assert_int_eq(runtime_dir_path(&rig.cfg, places[_i].is_root, path, sizeof(path)), 0);
	ck_assert_msg(strncmp(path, places[_i].expected, strlen(places[_i].expected)) == 0, "%s",
	              path);
	ck_assert_int_eq(runtime_dir_path(&rig.cfg, true, path, 10), -ENAMETOOLONG);
}
END_TEST

START_TEST(instances_differ_by_their_pid_files)
{
	char one[RUNTIME_DIR_INSTANCE_MAX], two[RUNTIME_DIR_INSTANCE_MAX];

	LOAD("-C1", "--pid-path=/run/a");
	runtime_dir_name_instance(&rig.cfg, one);
	LOAD("-C2", "--pid-path=/run/a");
	runtime_dir_name_instance(&rig.cfg, two);
	ck_assert_str_eq(one, two);
	LOAD("-C1", "--pid-path=/run/b");
	runtime_dir_name_instance(&rig.cfg, two);
	ck_assert_str_ne(one, two);
}
END_TEST

START_TEST(some_keep_no_files)
{
	LOAD("-C1");
	ck_assert(runtime_dir_is_used(&rig.cfg));
	LOAD("-C1", "--eal=--in-memory");
	ck_assert(!runtime_dir_is_used(&rig.cfg));
	LOAD("-C1", "--eal=--no-shconf");
	ck_assert(!runtime_dir_is_used(&rig.cfg));
}
END_TEST

/* What EAL 22.11 was seen to take, in bytes. */
static const struct {
	const char *first, *second;
	unsigned nodes;
	uint64_t hugepages, taken;
} needs[] = {
        {"--no-huge", "--eal=-m 512", 1, 0, 25344 + 188416 + 6311936},
        {"--no-huge", "--eal=-m512", 1, 0, 25344 + 188416 + 6311936},
        {"--no-huge", "--eal=-n 4", 1, 0, 25344 + 188416 + 25235456},
        {"--no-huge", "--eal=--no-huge -m 2048", 1, 0, 25344 + 188416 + 25235456},
        {"--eal=-n 4", NULL, 1, 512, 25344 + 188416 + 12720 + 4 * 397312},
        {"--eal=-n 4", NULL, 2, 512, 25344 + 188416 + 12720 + 8 * 397312},
        {"--eal=--legacy-mem", NULL, 1, 512, 25344 + 188416 + 12720 + 4 * 397312 + 512 * 4136},
};

START_TEST(takes_as_much_as_dpdk)
{
	const char *second = needs[_i].second;

	if (second == NULL)
		LOAD("-C1", needs[_i].first);
	else
		LOAD("-C1", needs[_i].first, second);
	uint64_t bytes = runtime_dir_needs(&rig.cfg, needs[_i].nodes, needs[_i].hugepages);
	ck_assert_uint_ge(bytes, needs[_i].taken);
	ck_assert_uint_le(bytes, needs[_i].taken + MB / 2);
}
END_TEST

START_TEST(what_is_there_counts)
{
	char path[96];
	uint64_t empty;

	tree_create();
	tree_file("dpdk/.keep", "");
	snprintf(path, sizeof(path), "%s/dpdk", tree_root);
	empty = runtime_dir_holds(path);
	tree_file("dpdk/config", "something");
	tree_file("dpdk/below/config", "something");
	ck_assert_uint_gt(runtime_dir_holds(path), empty);
	ck_assert_uint_le(runtime_dir_holds(path), empty + 64 * 1024);
	ck_assert_uint_eq(runtime_dir_holds("/no/such/directory"), 0);
	tree_remove();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_add_loop_test(tcase, follows_the_environment, 0, sizeof(places) / sizeof(places[0]));
	tcase_add_test(tcase, instances_differ_by_their_pid_files);
	tcase_add_test(tcase, some_keep_no_files);
	tcase_add_loop_test(tcase, takes_as_much_as_dpdk, 0, sizeof(needs) / sizeof(needs[0]));
	tcase_add_test(tcase, what_is_there_counts);
	return suite_main("runtime_dir", tcase);
}
