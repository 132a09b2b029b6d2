/* The arguments for EAL: what follows from each option, and what gives way to --eal.
 * WRAP: statfs
 */
#include "config_rig.h"
#include "suite.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "config/eal_args.h"

static const char *mounted; /* where hugetlbfs is, or NULL */

int __wrap_statfs(const char *path, struct statfs *out);

int __wrap_statfs(const char *path, struct statfs *out)
{
	if (strcmp(path, "/nonexistent") == 0) {
		errno = ENOENT;
		return -1;
	}
	*out = (struct statfs){.f_type = EXT4_SUPER_MAGIC};
	if (mounted != NULL && strcmp(path, mounted) == 0)
		out->f_type = HUGETLBFS_MAGIC;
	return 0;
}

/* All arguments of the configuration last loaded, joined by blanks. */
static const char *args(void)
{
	static char text[8192];
	struct error err = {0};
	size_t len = 0;
	int argc = -1;
	char **argv = eal_args_make(&rig.cfg, "vf-unit", &argc, &err);

	ck_assert_msg(argv != NULL, "%s", err.text);
	text[0] = '\0';
	for (int i = 0; i < argc; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? " " : "",
		                        argv[i]);
	ck_assert_ptr_null(argv[argc]);
	eal_args_free(argv);
	return text;
}

static bool has(const char *part)
{
	return strstr(args(), part) != NULL;
}

#define LOAD(...) ck_assert_msg(rig_load(__VA_ARGS__, NULL) == 0, "%s", rig.err.text)

START_TEST(makes_the_usual)
{
	mounted = "/mnt/huge";
	LOAD("-C1,2");
	ck_assert_str_eq(args(), "virtio-forwarder -l 0-2 --main-lcore 0 --huge-dir /mnt/huge "
	                         "--huge-unlink --file-prefix=vf-unit -a 0000:00:00.0 "
	                         "--log-level=notice --log-level=lib.telemetry:error");
	LOAD("-C1,2", "--no-huge", "-l7");
	ck_assert_str_eq(args(), "virtio-forwarder -l 0-2 --main-lcore 0 --no-huge --iova-mode=va "
	                         "-m 2048 --file-prefix=vf-unit -a 0000:00:00.0 --log-level=info "
	                         "--log-level=lib.telemetry:error");
	eal_args_free(NULL);
}
END_TEST

START_TEST(names_lcores)
{
	LOAD("-C", "0x6", "-M5");
	ck_assert(has("-l 1-2,5 --main-lcore 5 "));
	LOAD("-C0,127", "-M64");
	ck_assert(has("-l 0,64,127 --main-lcore 64 "));
	/* A mapping replaces the list; who is main stays ours to say. */
	LOAD("-C1,2", "--eal=--lcores 0@0,1@130,2@131");
	ck_assert(!has("-l "));
	ck_assert(has("virtio-forwarder --main-lcore 0 "));
	ck_assert(has(" --lcores 0@0,1@130,2@131"));
	LOAD("-C1", "--eal=--lcores=0@0,1@0");
	ck_assert(!has("-l "));
	LOAD("-C1", "--eal=-l 0-3");
	ck_assert(!has("-l 0-1"));
	LOAD("-C1", "--eal=-l0-3");
	ck_assert(!has("-l 0-1"));
	LOAD("-C1", "--eal=-c 0xf");
	ck_assert(!has("-l 0-1"));
	/* Not every word with an l is -l. */
	LOAD("-C1", "--eal=--legacy-mem");
	ck_assert(has("-l 0-1"));
}
END_TEST

START_TEST(finds_hugepages)
{
	struct error err;
	int argc;

	/* Without a mount at the default place EAL looks for others itself. */
	mounted = "/dev/hugepages";
	LOAD("-C1");
	ck_assert(!has("--huge-dir"));
	mounted = "/mnt/huge";
	ck_assert(has("--huge-dir /mnt/huge --huge-unlink"));
	mounted = "/mnt/huge/ours";
	LOAD("-C1", "-H", "/mnt/huge/ours");
	ck_assert(has("--huge-dir /mnt/huge/ours --huge-unlink"));
	/* What was asked for has to be there. */
	LOAD("-C1", "-H", "/mnt/huge");
	ck_assert_ptr_null(eal_args_make(&rig.cfg, "vf-unit", &argc, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "no hugetlbfs is mounted at /mnt/huge: mount one"));
	LOAD("-C1", "-H", "/nonexistent");
	ck_assert_ptr_null(eal_args_make(&rig.cfg, "vf-unit", &argc, &err));
	LOAD("-C1", "-H", "/nonexistent", "--eal=--in-memory");
	ck_assert(has("--in-memory"));
	LOAD("-C1", "-H", "/mnt/huge", "--eal=--huge-dir=/other");
	ck_assert(!has("--huge-dir /mnt/huge"));
	LOAD("-C1", "--eal=--huge-unlink=never");
	ck_assert(!has("--huge-unlink "));
	LOAD("-C1", "--eal=--in-memory");
	ck_assert(!has("--huge-unlink"));
	ck_assert(!has("--file-prefix"));
}
END_TEST

START_TEST(does_without_hugepages)
{
	LOAD("-C1", "--no-huge", "-H", "/mnt/huge");
	ck_assert(!has("--huge-dir") && !has("--huge-unlink"));
	LOAD("-C1", "--no-huge", "--eal=-m 512");
	ck_assert(!has("-m 2048"));
	LOAD("-C1", "--no-huge", "--eal=-m512");
	ck_assert(!has("-m 2048"));
	LOAD("-C1", "--no-huge", "--eal=--socket-mem=512");
	ck_assert(!has("-m 2048"));
	LOAD("-C1", "--no-huge", "--eal=--iova-mode=pa");
	ck_assert(!has("--iova-mode=va"));
	/* Said to EAL alone it is as good. */
	LOAD("-C1", "--eal=--no-huge");
	ck_assert(!has("--huge-unlink"));
	ck_assert(has("-m 2048"));
}
END_TEST

START_TEST(probes_no_device_by_itself)
{
	static const char *const lists[] = {"-a 0000:05:08.1",
	                                    "-a0000:05:08.1",
	                                    "--allow=0000:05:08.1",
	                                    "--allow 0000:05:08.1",
	                                    "-b 0000:05:08.1",
	                                    "--block=0000:05:08.1",
	                                    "--no-pci"};

	LOAD("-C1");
	ck_assert(has(" -a 0000:00:00.0"));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		char word[64];

		snprintf(word, sizeof(word), "--eal=%s", lists[i]);
		LOAD("-C1", word);
		ck_assert(!has("0000:00:00.0"));
	}
}
END_TEST

START_TEST(passes_the_rest)
{
	LOAD("-C1", "-t0");
	ck_assert(has(" --vfio-vf-token=14d63f20-8445-11ea-8900-1f9ce7d5650d"));
	LOAD("-C1", "-t0", "--eal=--vfio-vf-token=1");
	ck_assert(!has("14d63f20"));
	LOAD("-C1", "--eal=--file-prefix other");
	ck_assert(!has("vf-unit"));
	LOAD("-C1", "--eal=--log-level=pmd:debug");
	ck_assert(!has("=notice"));
	/* Ours first: where EAL takes the last, the operator's counts. */
	LOAD("-C1", "--eal=--vdev 'net_tap9,iface=a b' --foo", "--eal=-v");
	ck_assert_str_eq(strstr(args(), "--vdev"), "--vdev net_tap9,iface=a b --foo -v");
}
END_TEST

START_TEST(takes_as_many_words_as_it_admits)
{
	char text[4096] = "--eal=", *end = text + strlen(text);

	for (int i = 0; i < 256; i++)
		end += snprintf(end, 8, "-x%d ", i);
	LOAD("-C1", text);
	ck_assert(has(" -x255"));
	snprintf(end, 8, "-y");
	ck_assert_int_eq(rig_load("-C1", text, NULL), -EINVAL);
	rig_says("option --eal: more than 256 words");
}
END_TEST

START_TEST(knows_what_is_given)
{
	LOAD("-C1", "--eal=--lcores=0@0 -m512 --no-pci");
	ck_assert(eal_args_have(&rig.cfg, "--lcores"));
	ck_assert(eal_args_have(&rig.cfg, "-m"));
	ck_assert(eal_args_have(&rig.cfg, "--no-pci"));
	ck_assert(!eal_args_have(&rig.cfg, "--no-p"));
	ck_assert(!eal_args_have(&rig.cfg, "-l"));
	ck_assert(!eal_args_have(&rig.cfg, "--lcore"));
	LOAD("-C1");
	ck_assert(!eal_args_have(&rig.cfg, "-m"));
}
END_TEST

static const struct {
	const char *eal, *argument, *value;
} values[] = {
        {"--eal=-m 512", "-m", "512"},
        {"--eal=-m512", "-m", "512"},
        {"--eal=-m 512 -m 64", "-m", "64"},
        {"--eal=-n 4", "-m", NULL},
        {"--eal=-n 4 -m", "-m", NULL},
        {"--eal=--file-prefix=one", "--file-prefix", "one"},
        {"--eal=--file-prefix one", "--file-prefix", "one"},
        {"--eal=--file-prefixes=one", "--file-prefix", NULL},
        {"--eal=--huge-dir=/a --huge-dir /b", "--huge-dir", "/b"},
};

START_TEST(values_are_read_as_eal_reads_them)
{
	LOAD("-C1", values[_i].eal);
	const char *value = eal_args_value(&rig.cfg, values[_i].argument);
	if (values[_i].value == NULL)
		ck_assert_ptr_null(value);
	else
		ck_assert_str_eq(value, values[_i].value);
}
END_TEST

START_TEST(the_hugetlbfs_that_eal_uses)
{
	mounted = NULL;
	LOAD("-C1");
	ck_assert_str_eq(eal_args_huge_dir(&rig.cfg), "");
	mounted = "/mnt/huge";
	ck_assert_str_eq(eal_args_huge_dir(&rig.cfg), "/mnt/huge");
	LOAD("-C1", "--huge-dir=/elsewhere");
	ck_assert_str_eq(eal_args_huge_dir(&rig.cfg), "/elsewhere");
	LOAD("-C1", "--eal=--huge-dir=/third");
	ck_assert_str_eq(eal_args_huge_dir(&rig.cfg), "/third");
	LOAD("-C1", "--eal=--in-memory");
	ck_assert_ptr_null(eal_args_huge_dir(&rig.cfg));
	LOAD("-C1", "--no-huge");
	ck_assert_ptr_null(eal_args_huge_dir(&rig.cfg));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_add_test(tcase, makes_the_usual);
	tcase_add_test(tcase, names_lcores);
	tcase_add_test(tcase, finds_hugepages);
	tcase_add_test(tcase, does_without_hugepages);
	tcase_add_test(tcase, probes_no_device_by_itself);
	tcase_add_test(tcase, passes_the_rest);
	tcase_add_test(tcase, takes_as_many_words_as_it_admits);
	tcase_add_test(tcase, knows_what_is_given);
	tcase_add_loop_test(tcase, values_are_read_as_eal_reads_them, 0,
	                    sizeof(values) / sizeof(values[0]));
	tcase_add_test(tcase, the_hugetlbfs_that_eal_uses);
	return suite_main("eal_args", tcase);
}
