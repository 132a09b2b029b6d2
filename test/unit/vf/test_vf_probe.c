/* Probes that fail: what may succeed in a moment is told from what will not. */
/* WRAP: rte_dev_probe pci_ready_check vfio_ask */
#include <check.h>
#include <errno.h>
#include <string.h>

#include <rte_dev.h>

#include "base/log.h"
#include "suite.h"
#include "sys/pci_ready.h"
#include "sys/vfio.h"
#include "vf/attach.h"
#include "vf/probe.h"
#include "vf/vf.h"

static int probe_rc, probes, questions;
static enum vfio_answer answers[2]; /* vfio's, one after the other */

int __wrap_rte_dev_probe(const char *devargs);
enum pci_state __wrap_pci_ready_check(const char *sysfs, const struct pci_address *address,
                                      struct pci_function *function, struct pci_verdict *out);
enum vfio_answer __wrap_vfio_ask(const char *dev, const struct pci_function *function);

int __wrap_rte_dev_probe(const char *devargs)
{
	(void)devargs;
	probes++;
	return probe_rc;
}

enum vfio_answer __wrap_vfio_ask(const char *dev, const struct pci_function *function)
{
	ck_assert_str_eq(dev, "/dev");
	ck_assert_int_eq(function->iommu_group, 7);
	ck_assert_int_eq(questions, probes - 1);
	ck_assert_int_lt(questions, 2);
	return answers[questions++];
}

enum pci_state __wrap_pci_ready_check(const char *sysfs, const struct pci_address *address,
                                      struct pci_function *function, struct pci_verdict *out)
{
	(void)sysfs;
	(void)address;
	*function = (struct pci_function){.iommu_group = 7};
	*out = (struct pci_verdict){0};
	return PCI_READY;
}

static struct error err; /* of the last attach */

static int attach(const char *text)
{
	const struct vf_params params = {.relay_id = 1, .max_queues = 1, .mtu = 2100};
	struct device_spec spec;
	struct vf vf;

	ck_assert_int_eq(device_spec_parse(text, &spec, &err), 0);
	probes = questions = 0;
	int rc = vf_attach(&spec, &params, &vf, &err);
	ck_assert_int_eq(err.code, VF_ERROR_PROBE);
	ck_assert_str_ne(err.text, "");
	return rc;
}

static void expect(const char *text, int rc, int n_probes, int n_questions)
{
	ck_assert_int_eq(attach(text), rc);
	ck_assert_int_eq(probes, n_probes);
	ck_assert_int_eq(questions, n_questions);
}

START_TEST(busy_for_a_moment)
{
	probe_rc = -1;
	answers[0] = VFIO_BUSY;
	expect("0000:ff:1f.7", -EAGAIN, 1, 1);
	ck_assert_ptr_nonnull(strstr(err.text, "binding or resetting 0000:ff:1f.7"));
	probe_rc = -EBUSY;
	expect("0000:ff:1f.7", -EAGAIN, 1, 0);
	probe_rc = -EAGAIN;
	expect("0000:ff:1f.7", -EAGAIN, 1, 0);
}
END_TEST

START_TEST(not_for_a_moment)
{
	probe_rc = -1;
	answers[0] = VFIO_IN_USE;
	expect("0000:ff:1f.7", -1, 1, 1);
	ck_assert_ptr_nonnull(strstr(err.text, "another process"));
	ck_assert_ptr_nonnull(strstr(err.text, "fuser -v /dev/vfio/7"));
	answers[0] = VFIO_UNKNOWN;
	expect("0000:ff:1f.7", -1, 1, 1);
	ck_assert_ptr_nonnull(strstr(err.text, "DPDK cannot use"));
	probe_rc = -ENOTSUP;
	expect("0000:ff:1f.7", -1, 1, 0);
	probe_rc = -EBUSY; /* no vfio's */
	expect("net_null3", -1, 1, 0);
	probe_rc = -1;
	expect("net_null3", -1, 1, 0);
}
END_TEST

/* What locked it has gone, or vfio was not the reason. */
START_TEST(once_more_when_vfio_has_it)
{
	probe_rc = -1;
	answers[0] = VFIO_FREE;
	answers[1] = VFIO_FREE;
	expect("0000:ff:1f.7", -1, 2, 2);
	ck_assert_ptr_nonnull(strstr(err.text, "DPDK cannot use"));
	answers[1] = VFIO_BUSY;
	expect("0000:ff:1f.7", -EAGAIN, 2, 2);
	answers[1] = VFIO_IN_USE;
	expect("0000:ff:1f.7", -1, 2, 2);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	log_open(LOG_TO_STDOUT, LOG_CRIT, "test");
	tcase_add_test(tcase, busy_for_a_moment);
	tcase_add_test(tcase, not_for_a_moment);
	tcase_add_test(tcase, once_more_when_vfio_has_it);
	return suite_main("vf_probe", tcase);
}
