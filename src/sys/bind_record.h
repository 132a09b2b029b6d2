/* What --bind has taken, and from which driver: a small file in the runtime directory, so that
 * --unbind gives back that and nothing else. Each change replaces the file as a whole, and whoever
 * holds the record open keeps others out. One thread.
 */
#ifndef SYS_BIND_RECORD_H
#define SYS_BIND_RECORD_H

#include <stddef.h>

#include "base/device_spec.h"
#include "base/error.h"
#include "sys/pci_sysfs.h"

struct bind_entry {
	struct pci_address address;
	char driver[PCI_DRIVER_NAME_MAX]; /* what it was bound to before; "" = none */
};

struct bind_record {
	int directory; /* descriptor, locked */
	struct bind_entry *entries;
	size_t count;
};

/* Waits for others, makes the directory if it is missing, reads the file. 0, or -errno with err (a
 * damaged or somebody else's file is refused); to be closed after 0 only. */
int bind_record_open(struct bind_record *record, const char *directory, struct error *err);
void bind_record_close(struct bind_record *record);

const struct bind_entry *bind_record_find(const struct bind_record *record,
                                          const struct pci_address *address);
/* Adds an entry (one that is there stays as it is) or removes it, and writes the file. 0 or -errno
 * with err. */
int bind_record_put(struct bind_record *record, const struct pci_address *address,
                    const char *driver, struct error *err);
int bind_record_drop(struct bind_record *record, const struct pci_address *address,
                     struct error *err);

#endif
