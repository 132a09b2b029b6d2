/* VFs: there, bound, and with memory and workers near them. One finding a VF: the first reason.
 */
#include "preflight/checks.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <net/if.h>
#include <string.h>

#include "preflight/needs.h"
#include "sys/pci_bind.h"
#include "sys/sysfs.h"

/* --- binding -------------------------------------------------------------------------------- */

static const char *id_of(enum pci_state state)
{
	static const char *const ids[] = {
	        [PCI_ABSENT] = "vf.absent",           [PCI_NO_NIC] = "vf.no_nic",
	        [PCI_UNBOUND] = "vf.unbound",         [PCI_KERNEL_DRIVER] = "vf.kernel_driver",
	        [PCI_NO_GROUP] = "vf.no_iommu_group", [PCI_GROUP_BLOCKED] = "vf.group_not_viable",
	};

	return ids[state];
}

/* --bind does it, once the service or the operator calls it. */
static bool bind_would_help(const struct checked_vf *vf)
{
	return vf->to_bind &&
	       (vf->verdict.state == PCI_UNBOUND || vf->verdict.state == PCI_KERNEL_DRIVER);
}

static void check_bound(struct picture *p, struct checked_vf *vf)
{
	const char *file = p->config->config_file;
	char label[64];

	if (vf->verdict.state == PCI_READY || !checked_vf_condemn(vf))
		return;
	checked_vf_label(vf, label, sizeof(label));
	struct finding *finding = report_add(p->report, FINDING_VF, id_of(vf->verdict.state));
	finding_what(finding, "%s cannot be used: %s", label, vf->verdict.what);
	finding_why(finding,
	            "DPDK gets VFs from vfio-pci (or igb_uio), whole IOMMU groups at a time");
	if (bind_would_help(vf))
		finding_remedy(finding,
		               "virtio-forwarder --bind%s%s, as root, binds all that "
		               "VIRTIOFWD_BIND_VFIO_PCI names",
		               file != NULL ? " --config " : "", file != NULL ? file : "");
	else
		finding_remedy(finding, "%s", vf->verdict.remedy);
}

/* Entries of VIRTIOFWD_BIND_VFIO_PCI that mean no VFs, or too few. */
static void check_bind_list(struct picture *p)
{
	const char *text = p->config->bind_vfio_pci;
	struct pci_address ignored[BIND_COUNT_MAX];
	struct bind_spec spec;
	struct error err;
	size_t n;

	while (text != NULL && bind_spec_next(&text, &spec, &err) > 0) {
		if (pci_bind_select(p->place->sysfs, &spec, ignored, &n, &err) == 0)
			continue;
		struct finding *finding = report_add(p->report, FINDING_WARNING, "bind.no_vfs");
		finding_what(finding, "VIRTIOFWD_BIND_VFIO_PCI: %s has %s", spec.netdev,
		             err.code == ENOENT ? "fewer VFs than are named" : "no VFs");
		finding_why(finding, "--bind can hand over only what is there");
		finding_remedy(finding, "%s", err.text);
	}
}

/* The PF in vfio's hands shares a secret with whoever may use its VFs. */
static void check_token(struct picture *p, struct checked_vf *vf)
{
	struct pci_function pf;
	char label[64], pf_name[PCI_ADDRESS_TEXT_MAX];

	if (!vf->function.has_pf || p->config->vfio_vf_token != NULL ||
	    strcmp(vf->function.driver, PCI_BIND_DRIVER) != 0 ||
	    pci_sysfs_read(p->place->sysfs, &vf->function.pf, &pf) < 0 ||
	    strcmp(pf.driver, PCI_BIND_DRIVER) != 0 || !checked_vf_condemn(vf))
		return;
	checked_vf_label(vf, label, sizeof(label));
	pci_address_format_sysfs(&vf->function.pf, pf_name);
	struct finding *finding = report_add(p->report, FINDING_VF, "vf.needs_token");
	finding_what(finding, "%s belongs to a PF (%s) that is bound to vfio-pci itself", label,
	             pf_name);
	finding_why(finding, "vfio opens such VFs only for those who know the PF's VF token");
	finding_remedy(finding,
	               "give the PF's user and --vfio-vf-token (VIRTIOFWD_VFIO_VF_TOKEN) the "
	               "same UUID, or bind the PF to its kernel driver");
}

/* Named once per PF: when its first VF comes by. */
static void check_pf_up(struct picture *p, const struct checked_vf *vf)
{
	const char *pf = vf->function.pf_netdev;
	int64_t flags;

	if (!vf->function.has_pf || pf[0] == '\0' ||
	    sysfs_read_number(&flags, p->place->sysfs, "class/net/%s/flags", pf) < 0 ||
	    (flags & IFF_UP) != 0)
		return;
	for (const struct checked_vf *other = p->vfs; other < vf; other++) {
		if (strcmp(other->function.pf_netdev, pf) == 0)
			return;
	}
	struct finding *finding = report_add(p->report, FINDING_WARNING, "pf.down");
	finding_what(finding, "the PF %s, whose VFs are used, is down", pf);
	finding_why(finding,
	            "most NICs' VFs have no link, and pass no packet, until their PF is up");
	finding_remedy(finding, "ip link set %s up", pf);
}

/* clang-format off */
#define UIO_REMEDY \
	"bind it to vfio-pci; or restart the service, which then adds the drop-in " \
	"/usr/share/virtio-forwarder/igb_uio.conf by itself; outside it, start the daemon as root"
/* clang-format on */

/* --- the IOMMU ------------------------------------------------------------------------------ */

static bool has_groups(const char *sysfs)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	bool found = false;
	int n = snprintf(path, sizeof(path), "%s/kernel/iommu_groups", sysfs);
	DIR *dir = n > 0 && (size_t)n < sizeof(path) ? opendir(path) : NULL;

	while (dir != NULL && !found && (entry = readdir(dir)) != NULL)
		found = entry->d_name[0] != '.';
	if (dir != NULL)
		closedir(dir);
	return found;
}

static bool cmdline_has(const char *proc, const char *word)
{
	char text[4097]; /* the kernel's is not longer on what we run on */
	char *rest = text, *one;

	if (sysfs_read_text(text, sizeof(text), proc, "cmdline") < 0)
		return false;
	while ((one = strsep(&rest, " ")) != NULL) {
		if (strcmp(one, word) == 0)
			return true;
	}
	return false;
}

/* Whether the host's own devices see memory as it is. */
static bool is_passthrough(const struct picture *p)
{
	static const char *const words[] = {"iommu=pt", "iommu.passthrough=1",
	                                    "iommu.passthrough=y", "iommu.passthrough=on"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (cmdline_has(p->place->proc, words[i]))
			return true;
	}
	return false;
}

static bool group_translates(const struct picture *p, const struct checked_vf *vf)
{
	char type[32];

	if (vf->function.iommu_group < 0)
		return false;
	if (sysfs_read_text(type, sizeof(type), p->place->sysfs, "kernel/iommu_groups/%d/type",
	                    vf->function.iommu_group) < 0)
		return !is_passthrough(p);
	return strcmp(type, "identity") != 0;
}

static void report_iommu_off(struct picture *p)
{
	struct finding *finding = report_add(p->report, FINDING_VF, "iommu.off");

	finding_what(finding, "the IOMMU is off: the machine has no IOMMU groups");
	finding_why(finding, "vfio-pci takes no VF without%s",
	            cmdline_has(p->place->proc, "intel_iommu=pt")
	                    ? "; intel_iommu=pt does not switch it on"
	                    : "");
	finding_remedy(finding,
	               "switch VT-d or AMD-Vi on in the firmware, boot with intel_iommu=on "
	               "iommu=pt (AMD: iommu=pt); on a machine without any: "
	               "enable_unsafe_noiommu_mode of vfio");
}

static void report_not_pt(struct picture *p)
{
	struct finding *finding = report_add(p->report, FINDING_WARNING, "iommu.not_pt");

	finding_what(finding, "the IOMMU translates for the host's own devices too (no iommu=pt)");
	finding_why(finding, "that costs the PF and every other device speed, and stops VFs on "
	                     "igb_uio");
	finding_remedy(finding, "add iommu=pt to the kernel's command line, and reboot");
}

/* A device that reaches memory by physical addresses while the IOMMU expects others. */
static void check_uio(struct picture *p, struct checked_vf *vf)
{
	char label[64];

	if (!pci_driver_is_uio(vf->function.driver) || !group_translates(p, vf) ||
	    !checked_vf_condemn(vf))
		return;
	checked_vf_label(vf, label, sizeof(label));
	struct finding *finding = report_add(p->report, FINDING_VF, "iommu.stops_uio");
	finding_what(finding, "%s is bound to %s, and the IOMMU translates its addresses", label,
	             vf->function.driver);
	finding_why(finding, "its DMA faults (dmesg: DMAR), and no packet gets through");
	finding_remedy(finding, "bind it to vfio-pci, or boot with iommu=pt");
}

/* Any network device of the host that igb_uio or its like has. False: there is none. */
static bool find_uio(const char *sysfs, struct pci_function *out)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	bool found = false;
	int n = snprintf(path, sizeof(path), "%s/bus/pci/devices", sysfs);
	DIR *dir = n > 0 && (size_t)n < sizeof(path) ? opendir(path) : NULL;

	while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
		struct pci_address address;
		struct error ignored;

		found = pci_address_parse(entry->d_name, &address, &ignored) == 0 &&
		        pci_sysfs_read(sysfs, &address, out) == 0 && pci_function_is_network(out) &&
		        pci_driver_is_uio(out->driver);
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}

/* The service's sandbox leaves that right out where no VF needs it: virtio-forwarder-uio goes by
 * this finding's id. */
static void check_uio_rights(struct picture *p, struct checked_vf *vf)
{
	char label[64];

	if (!pci_driver_is_uio(vf->function.driver) || picture_has_capability(p, CAP_SYS_ADMIN) ||
	    !checked_vf_condemn(vf))
		return;
	checked_vf_label(vf, label, sizeof(label));
	struct finding *finding = report_add(p->report, FINDING_VF, "vf.uio_not_allowed");
	finding_what(finding, "%s is bound to %s, and CAP_SYS_ADMIN is missing", label,
	             vf->function.driver);
	finding_why(finding,
	            "the VF is to be given physical addresses, which the kernel tells only "
	            "those who have it");
	finding_remedy(finding, "%s", UIO_REMEDY);
}

/* Where the configuration names no VF, clients add them, and any on the host may be meant. */
static void check_uio_of_clients(struct picture *p)
{
	struct pci_function function;

	if (p->n_vfs > 0 || p->n_vdevs > 0 || picture_has_capability(p, CAP_SYS_ADMIN) ||
	    !find_uio(p->place->sysfs, &function))
		return;
	char name[PCI_ADDRESS_TEXT_MAX];
	struct finding *finding = report_add(p->report, FINDING_WARNING, "vf.uio_not_allowed");

	pci_address_format_sysfs(&function.address, name);
	finding_what(finding,
	             "%s, which clients may add, is bound to %s, and CAP_SYS_ADMIN is missing",
	             name, function.driver);
	finding_why(finding,
	            "such a VF is to be given physical addresses, which the kernel tells only "
	            "those who have it");
	finding_remedy(finding, "%s", UIO_REMEDY);
}

static void check_iommu(struct picture *p)
{
	bool on = has_groups(p->place->sysfs), wanted = false, with_vfio = false;

	for (size_t i = 0; i < p->n_vfs; i++) {
		struct checked_vf *vf = &p->vfs[i];
		enum pci_state state = vf->verdict.state;

		check_uio(p, vf);
		check_uio_rights(p, vf);
		with_vfio |= vf->function.iommu_group >= 0;
		if (state != PCI_UNBOUND && state != PCI_KERNEL_DRIVER && state != PCI_NO_GROUP)
			continue;
		/* Told here for all of them, since binding would not help. */
		if (!on && !pci_noiommu_is_on(p->place->sysfs)) {
			wanted = true;
			(void)checked_vf_condemn(vf);
		}
	}
	if (wanted)
		report_iommu_off(p);
	if (on && with_vfio && !is_passthrough(p))
		report_not_pt(p);
}

/* --- NUMA ----------------------------------------------------------------------------------- */

static void check_node(struct picture *p, struct checked_vf *vf)
{
	int node = vf->function.numa_node;
	char label[64];

	if (!p->cpus_known || vf->verdict.state == PCI_ABSENT || node >= CPU_SET_SIZE ||
	    cpu_set_has(&p->nodes, (unsigned)node))
		return;
	/* One that is unusable anyway need not be told of twice. */
	if (vf->unusable || (p->config->same_numa && !checked_vf_condemn(vf)))
		return;
	checked_vf_label(vf, label, sizeof(label));
	struct finding *finding = report_add(
	        p->report, p->config->same_numa ? FINDING_VF : FINDING_WARNING, "numa.no_workers");
	finding_what(finding, "%s is on NUMA node %d, where no worker runs", label, node);
	finding_why(finding, "%s",
	            p->config->same_numa ? "--same-numa (-a) has such VFs refused"
	                                 : "every packet crosses between the nodes");
	finding_remedy(finding,
	               "add CPUs of node %d to --cpus (lscpu -e), or take a NIC of the "
	               "workers' node",
	               node);
}

void check_devices(struct picture *p)
{
	check_bind_list(p);
	check_iommu(p);
	check_uio_of_clients(p);
	for (size_t i = 0; i < p->n_vfs; i++) {
		struct checked_vf *vf = &p->vfs[i];

		check_bound(p, vf);
		check_token(p, vf);
		check_node(p, vf);
		check_pf_up(p, vf);
	}
}
