/* Probes that fail: what may succeed in a moment is told from what will not. */
/* WRAP: rte_dev_probe pci_ready_check */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include <rte_dev.h>
#include <rte_log.h>

#include "base/log.h"
#include "dpdk/log.h"
#include "suite.h"
#include "sys/pci_ready.h"
#include "vf/attach.h"
#include "vf/probe.h"
#include "vf/vf.h"

static int probe_rc, probes;
static const char *probe_line; /* DPDK's, NULL = none */
static int probe_errno;

int __wrap_rte_dev_probe(const char *devargs);
enum pci_state __wrap_pci_ready_check(const char *sysfs, const struct pci_address *address,
                                      struct pci_function *function, struct pci_verdict *out);

int __wrap_rte_dev_probe(const char *devargs)
{
	(void)devargs;
	probes++;
	errno = probe_errno;
	if (probe_line != NULL)
		rte_log(RTE_LOG_ERR, RTE_LOGTYPE_EAL, "%s\n", probe_line);
	return probe_rc;
}

enum pci_state __wrap_pci_ready_check(const char *sysfs, const struct pci_address *address,
                                      struct pci_function *function, struct pci_verdict *out)
{
	(void)sysfs;
	(void)address;
	*function = (struct pci_function){0};
	*out = (struct pci_verdict){0};
	return PCI_READY;
}

static int attach(const char *text)
{
	const struct vf_params params = {.relay_id = 1, .max_queues = 1, .mtu = 2100};
	struct device_spec spec;
	struct error err;
	struct vf vf;

	ck_assert_int_eq(device_spec_parse(text, &spec, &err), 0);
	probes = 0;
	int rc = vf_attach(&spec, &params, &vf, &err);
	ck_assert_int_eq(err.code, VF_ERROR_PROBE);
	ck_assert_str_ne(err.text, "");
	ck_assert_int_eq(probes, 1);
	return rc;
}

START_TEST(busy_for_a_moment)
{
	probe_rc = -1;
	probe_line = "EAL: Unable to reset device! Error: 11 (Resource temporarily unavailable)";
	ck_assert_int_eq(attach("0000:ff:1f.7"), -EAGAIN);
	probe_line = "EAL: Getting a vfio_dev_fd for 0000:ff:1f.7 failed";
	probe_errno = EAGAIN;
	ck_assert_int_eq(attach("0000:ff:1f.7"), -EAGAIN);
	probe_line = NULL;
	probe_rc = -EBUSY;
	ck_assert_int_eq(attach("0000:ff:1f.7"), -EAGAIN);
	probe_rc = -EAGAIN;
	ck_assert_int_eq(attach("0000:ff:1f.7"), -EAGAIN);
}
END_TEST

START_TEST(not_for_a_moment)
{
	probe_rc = -1;
	probe_errno = EBUSY;
	probe_line = "EAL: Failed to open VFIO group 7";
	ck_assert_int_eq(attach("0000:ff:1f.7"), -1);
	probe_line = NULL; /* nothing of the trial before it counts */
	ck_assert_int_eq(attach("0000:ff:1f.7"), -1);
	probe_rc = -ENOTSUP;
	ck_assert_int_eq(attach("0000:ff:1f.7"), -1);
	probe_rc = -EBUSY; /* no vfio's */
	ck_assert_int_eq(attach("net_null3"), -1);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	log_open(LOG_TO_STDOUT, LOG_CRIT, "test");
	if (dpdk_log_open() < 0)
		return EXIT_FAILURE;
	rte_log_set_level(RTE_LOGTYPE_EAL, RTE_LOG_NOTICE);
	tcase_add_test(tcase, busy_for_a_moment);
	tcase_add_test(tcase, not_for_a_moment);
	return suite_main("vf_probe", tcase);
}
