/* Puts together what the checks look at. See picture.h. */
#include "preflight/picture.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/lcores.h"
#include "sys/pci_bind.h"
#include "sys/topology.h"

/* --- what checks ask ------------------------------------------------------------------------ */

bool checked_vf_condemn(struct checked_vf *vf)
{
	bool first = !vf->unusable;

	vf->unusable = true;
	return first;
}

void checked_vf_label(const struct checked_vf *vf, char *out, size_t size)
{
	if (vf->relay >= 0)
		snprintf(out, size, "relay %d's VF %s", vf->relay, vf->name);
	else
		snprintf(out, size, "VF %s", vf->name);
}

bool picture_has_capability(const struct picture *p, unsigned capability)
{
	return (p->capabilities >> capability & 1) != 0;
}

int picture_self_access(const struct picture *p, const char *path, int want, char *culprit,
                        size_t size)
{
	struct path_user self = p->place->self;

	self.privileged = picture_has_capability(p, CAP_DAC_OVERRIDE);
	return path_access_check(path, &self, want, culprit, size);
}

/* --- taking it ------------------------------------------------------------------------------ */

static uint64_t capabilities_read(const char *proc, const struct path_user *self)
{
	char path[PATH_MAX], line[256];
	unsigned long long bits = 0;
	bool found = false;
	int n = snprintf(path, sizeof(path), "%s/self/status", proc);
	FILE *file = n > 0 && (size_t)n < sizeof(path) ? fopen(path, "re") : NULL;

	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
		found = sscanf(line, "CapEff: %llx", &bits) == 1;
	if (file != NULL)
		fclose(file);
	return found ? bits : self->privileged ? UINT64_MAX : 0;
}

static void find_cpus(struct picture *p)
{
	const struct cpu_set *lcores = &p->config->worker_cpus;

	p->cpus_known = true;
	for (int lcore = cpu_set_next(lcores, -1); lcore >= 0;
	     lcore = cpu_set_next(lcores, lcore)) {
		int cpu = lcores_cpu(p->config, (unsigned)lcore);

		p->cpus_known &= cpu >= 0;
		if (cpu >= 0)
			cpu_set_add(&p->cpus, (unsigned)cpu);
	}
	p->main_cpu = lcores_cpu(p->config, p->config->main_cpu);
	for (int cpu = cpu_set_next(&p->cpus, -1); cpu >= 0; cpu = cpu_set_next(&p->cpus, cpu))
		cpu_set_add(&p->nodes, (unsigned)topology_cpu_node(p->place->sysfs, (unsigned)cpu));
}

/* The VF of that address, made if it is new; NULL when there are too many. */
static struct checked_vf *vf_of(struct picture *p, const struct pci_address *address)
{
	for (size_t i = 0; i < p->n_vfs; i++) {
		if (pci_address_equal(&p->vfs[i].function.address, address))
			return &p->vfs[i];
	}
	if (p->n_vfs == CHECKED_VFS_MAX)
		return NULL;
	struct checked_vf *vf = &p->vfs[p->n_vfs++];
	*vf = (struct checked_vf){.relay = -1};
	(void)pci_ready_check(p->place->sysfs, address, &vf->function, &vf->verdict);
	pci_address_format_sysfs(address, vf->name);
	return vf;
}

static void find_static_vfs(struct picture *p)
{
	for (size_t i = 0; i < p->config->n_static_vfs; i++) {
		const struct static_vf *one = &p->config->static_vfs[i];
		struct checked_vf *vf = NULL;

		if (one->device.is_pci)
			vf = vf_of(p, &one->device.pci);
		else
			p->n_vdevs++;
		if (vf != NULL)
			vf->relay = (int)one->relay_id;
	}
}

static void find_vfs_to_bind(struct picture *p)
{
	const char *text = p->config->bind_vfio_pci;
	struct pci_address addresses[BIND_COUNT_MAX];
	struct bind_spec spec;
	struct error ignored;
	size_t n;

	while (text != NULL && bind_spec_next(&text, &spec, &ignored) > 0) {
		(void)pci_bind_select(p->place->sysfs, &spec, addresses, &n, &ignored);
		for (size_t i = 0; i < n; i++) {
			struct checked_vf *vf = vf_of(p, &addresses[i]);

			if (vf != NULL)
				vf->to_bind = true;
		}
	}
}

int picture_take(struct picture *p, const struct config *config,
                 const struct preflight_place *place, struct report *report)
{
	*p = (struct picture){.config = config, .place = place, .report = report};
	p->vfs = calloc(CHECKED_VFS_MAX, sizeof(*p->vfs));
	if (p->vfs == NULL)
		return -ENOMEM;
	p->capabilities = capabilities_read(place->proc, &place->self);
	find_cpus(p);
	find_static_vfs(p);
	find_vfs_to_bind(p);
	return 0;
}

void picture_free(struct picture *p)
{
	free(p->vfs);
}
