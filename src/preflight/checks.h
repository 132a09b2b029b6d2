/* What the files of the preflight share: the configuration and the machine as all of them look at
 * it. Made by preflight.c; the checks only read it, but for `unusable`. One thread.
 */
#ifndef PREFLIGHT_CHECKS_H
#define PREFLIGHT_CHECKS_H

#include <stdbool.h>

#include "preflight/preflight.h"
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

struct preflight {
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

void check_process(struct preflight *p);
void check_cpus(struct preflight *p);
void check_memory(struct preflight *p);
void check_devices(struct preflight *p);
void check_sockets(struct preflight *p);

/* Marks a VF as unusable; false when it was already, so that one reason is told, not three. */
bool checked_vf_condemn(struct checked_vf *vf);
/* "relay 3's VF 0000:05:08.1" or "VF 0000:05:08.1". */
void checked_vf_label(const struct checked_vf *vf, char *out, size_t size);

bool preflight_has_capability(const struct preflight *p, unsigned capability);
/* Whether this process could do `want` (R_OK …) to path. As path_access_check. */
int preflight_self_access(const struct preflight *p, const char *path, int want, char *culprit,
                          size_t size);

/* Bytes of hugepages that a relay takes with so many VF queues; as dpdk/pool.h has it. */
uint64_t preflight_relay_bytes(const struct config *config, unsigned queues);
/* VF queues that a relay sets up at most. */
unsigned preflight_queues(const struct config *config);

#endif
