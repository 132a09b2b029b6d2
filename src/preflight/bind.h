/* --bind and --unbind: the VFs of VIRTIOFWD_BIND_VFIO_PCI go to vfio-pci before the daemon starts,
 * and back. One process, no threads.
 */
#ifndef PREFLIGHT_BIND_H
#define PREFLIGHT_BIND_H

#include <stdio.h>

#include "config/config.h"

/* Where the machine is; tests build one of their own. */
struct bind_place {
	const char *sysfs;     /* "/sys" */
	const char *dev;       /* "/dev" */
	const char *directory; /* where the record of what was bound is kept */
};

/* The real one: the record is in systemd's RUNTIME_DIRECTORY, else in /var/run/virtio-forwarder.
 * The strings live as long as the process. */
struct bind_place bind_place_real(void);

/* A line to out for each VF, a line to complaints for each that failed; the others are done all the
 * same. Return the exit status: 0, or 1 when anything failed. */
int bind_take_all(const struct config *config, const struct bind_place *place, FILE *out,
                  FILE *complaints);
/* Gives back what bind_take_all has taken, whatever the configuration says by now. */
int bind_give_back_all(const struct bind_place *place, FILE *out, FILE *complaints);

#endif
