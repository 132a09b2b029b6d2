/* WRAP: ioctl open */
/* What vfio answers, and that nothing of the question stays open. Its nodes are files of a tree of
 * the test's; the kernel behind them is below.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "fake_tree.h"
#include "suite.h"
#include "sys/vfio.h"

/* --- the kernel --------------------------------------------------------------------------- */

static struct {
	int open_errno;       /* other than 0: the group cannot be opened */
	int container_errno;  /* … does not go into a container */
	int device_errno;     /* … does not give the function */
	unsigned long model;  /* the one that fits */
	int group, container; /* as they were joined */
	bool has_model;
	unsigned n_devices;
} kernel;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

static bool is_group(const char *path)
{
	return strcmp(path + strlen(path) - 2, "/7") == 0 ||
	       strcmp(path + strlen(path) - 2, "-7") == 0;
}

int __wrap_open(const char *path, int flags, ...)
{
	if (is_group(path) && kernel.open_errno != 0 && access(path, F_OK) == 0) {
		errno = kernel.open_errno;
		return -1;
	}
	return __real_open(path, flags, 0600);
}

static int refuse_with(int code)
{
	errno = code;
	return -1;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	va_start(args, request);
	const void *argument = va_arg(args, const void *);
	va_end(args);
	switch (request) {
	case VFIO_GROUP_SET_CONTAINER:
		if (kernel.container_errno != 0)
			return refuse_with(kernel.container_errno);
		kernel.group = fd;
		kernel.container = *(const int *)argument;
		return 0;
	case VFIO_SET_IOMMU:
		ck_assert_int_eq(fd, kernel.container);
		kernel.has_model = (unsigned long)argument == kernel.model;
		return kernel.has_model ? 0 : refuse_with(ENODEV);
	case VFIO_GROUP_GET_DEVICE_FD:
		ck_assert_int_eq(fd, kernel.group);
		ck_assert(kernel.has_model);
		ck_assert_str_eq(argument, "0000:01:10.2");
		kernel.n_devices++;
		if (kernel.device_errno != 0)
			return refuse_with(kernel.device_errno);
		return dup(fd);
	}
	return refuse_with(ENOTTY);
}

/* --- the question ------------------------------------------------------------------------- */

static struct pci_function function;

static void set_up(void)
{
	tree_create();
	tree_file("vfio/vfio", "");
	tree_file("vfio/7", "");
	memset(&kernel, 0, sizeof(kernel));
	kernel.model = VFIO_TYPE1v2_IOMMU;
	function = (struct pci_function){.address = {.bus = 1, .slot = 0x10, .function = 2},
	                                 .driver = "vfio-pci",
	                                 .iommu_group = 7};
}

static unsigned count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static void expect(enum vfio_answer answer)
{
	unsigned before = count_descriptors();

	ck_assert_int_eq(vfio_ask(tree_root, &function), answer);
	ck_assert_uint_eq(count_descriptors(), before);
}

START_TEST(free_for_us)
{
	expect(VFIO_FREE);
	kernel.model = VFIO_TYPE1_IOMMU;
	expect(VFIO_FREE);
	ck_assert_uint_eq(kernel.n_devices, 2);
}
END_TEST

START_TEST(locked_for_a_moment)
{
	kernel.device_errno = EAGAIN;
	expect(VFIO_BUSY);
	kernel.device_errno = EBUSY;
	expect(VFIO_BUSY);
	kernel.device_errno = EPERM; /* wants a token, for one */
	expect(VFIO_UNKNOWN);
	kernel.device_errno = EIO;
	expect(VFIO_UNKNOWN);
}
END_TEST

START_TEST(another_process_has_the_group)
{
	kernel.open_errno = EBUSY;
	expect(VFIO_IN_USE);
	kernel.open_errno = EACCES;
	expect(VFIO_UNKNOWN);
	ck_assert_uint_eq(kernel.n_devices, 0);
}
END_TEST

/* DPDK has another function of the group, and the group with it. */
START_TEST(the_group_is_our_own)
{
	int group = open(tree_path("vfio/7"), O_RDWR);

	ck_assert_int_ge(group, 0);
	kernel.open_errno = EBUSY;
	kernel.group = group;
	kernel.has_model = true;
	expect(VFIO_FREE);
	kernel.device_errno = EAGAIN;
	expect(VFIO_BUSY);
	ck_assert_int_eq(kernel.container, 0); /* it has one */
	close(group);
	expect(VFIO_IN_USE);
}
END_TEST

START_TEST(without_an_iommu)
{
	ck_assert_int_eq(unlink(tree_path("vfio/7")), 0);
	expect(VFIO_UNKNOWN);
	tree_file("vfio/noiommu-7", "");
	kernel.model = VFIO_NOIOMMU_IOMMU;
	expect(VFIO_FREE);
	kernel.device_errno = EAGAIN;
	expect(VFIO_BUSY);
	kernel.open_errno = EBUSY;
	expect(VFIO_IN_USE);
}
END_TEST

START_TEST(no_answer)
{
	kernel.container_errno = EINVAL; /* the group is not viable */
	expect(VFIO_UNKNOWN);
	kernel.container_errno = 0;
	kernel.model = VFIO_SPAPR_TCE_v2_IOMMU;
	expect(VFIO_UNKNOWN);
	kernel.model = VFIO_TYPE1v2_IOMMU;
	ck_assert_int_eq(unlink(tree_path("vfio/vfio")), 0);
	expect(VFIO_UNKNOWN);
	function.iommu_group = -1;
	expect(VFIO_UNKNOWN);
	function.iommu_group = 7;
	memcpy(function.driver, "igb_uio", sizeof("igb_uio"));
	expect(VFIO_UNKNOWN);
	ck_assert_uint_eq(kernel.n_devices, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tree_remove);
	tcase_add_test(tcase, free_for_us);
	tcase_add_test(tcase, locked_for_a_moment);
	tcase_add_test(tcase, another_process_has_the_group);
	tcase_add_test(tcase, the_group_is_our_own);
	tcase_add_test(tcase, without_an_iommu);
	tcase_add_test(tcase, no_answer);
	return suite_main("vfio", tcase);
}
