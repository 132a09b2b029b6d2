/* The configuration and the machine as all checks look at them, taken before the first one looks.
 * The checks only read it, but for `unusable`. One thread.
 */
#ifndef PREFLIGHT_PICTURE_H
#define PREFLIGHT_PICTURE_H

#include <stdbool.h>

#include "config/config.h"
#include "preflight/place.h"
#include "preflight/report.h"
#include "sys/pci_ready.h"

#define CHECKED_VFS_MAX  512
#define CHECKED_NODE_MAX 64 /* NUMA nodes that are looked at */

/* A VF that is attached at start, or that --bind is to prepare for later. */
struct checked_vf {
	struct pci_function function;
	struct pci_verdict verdict;
	char name[PCI_ADDRESS_TEXT_MAX];
	int relay;     /* -1: attached by somebody later */
	bool to_bind;  /* VIRTIOFWD_BIND_VFIO_PCI names it */
	bool unusable; /* by a finding */
};

struct picture {
	const struct config *config;
	const struct preflight_place *place;
	struct report *report;
	uint64_t capabilities;  /* effective, CAP_… as bits */
	struct cpu_set cpus;    /* the workers', as far as known */
	int main_cpu;           /* -1: not known */
	struct cpu_set nodes;   /* that have workers */
	bool cpus_known;        /* false: --eal's lcores say more than we read */
	unsigned n_vdevs;       /* static VFs that are no PCI devices */
	struct checked_vf *vfs; /* PCI */
	size_t n_vfs;
};

/* Takes the picture. The other three outlive it. 0 or -ENOMEM; picture_free in either case. */
int picture_take(struct picture *p, const struct config *config,
                 const struct preflight_place *place, struct report *report);
void picture_free(struct picture *p);

/* Marks a VF as unusable; false when it was already, so that one reason is told, not three. */
bool checked_vf_condemn(struct checked_vf *vf);
/* "relay 3's VF 0000:05:08.1" or "VF 0000:05:08.1". */
void checked_vf_label(const struct checked_vf *vf, char *out, size_t size);

bool picture_has_capability(const struct picture *p, unsigned capability);
/* Whether this process could do `want` (R_OK …) to path. As path_access_check. */
int picture_self_access(const struct picture *p, const char *path, int want, char *culprit,
                        size_t size);

#endif
