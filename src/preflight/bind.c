/* --bind and --unbind. See bind.h.
 *
 * A VF is entered in the record before it is touched, so that a run that is cut short can be undone
 * as well. VFs that were bound already are not ours, and stay out of it.
 */
#include "preflight/bind.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sys/bind_record.h"
#include "sys/module.h"
#include "sys/pci_bind.h"
#include "sys/pci_ready.h"
#include "sys/sysfs.h"

#define RUNTIME_DIRECTORY "/var/run/virtio-forwarder"
#define FUNCTIONS_MAX     1024

struct run {
	const struct bind_place *place;
	FILE *out, *complaints;
	struct bind_record record;
	struct pci_address done[FUNCTIONS_MAX]; /* an entry may name a VF that another one means */
	size_t n_done;
	bool failed;
};

struct bind_place bind_place_real(void)
{
	static char directory[PATH_MAX];
	const char *given = getenv("RUNTIME_DIRECTORY");

	/* A unit may have several; the first is ours. */
	if (given != NULL && given[0] == '/' && strcspn(given, ":") < sizeof(directory))
		snprintf(directory, sizeof(directory), "%.*s", (int)strcspn(given, ":"), given);
	else
		snprintf(directory, sizeof(directory), RUNTIME_DIRECTORY);
	return (struct bind_place){.sysfs = SYSFS_ROOT, .dev = "/dev", .directory = directory};
}

static void complain(struct run *run, const struct error *err)
{
	fprintf(run->complaints, "virtio-forwarder: %s\n", err->text);
	run->failed = true;
}

static bool note_done(struct run *run, const struct pci_address *address)
{
	for (size_t i = 0; i < run->n_done; i++) {
		if (pci_address_equal(&run->done[i], address))
			return false;
	}
	if (run->n_done == FUNCTIONS_MAX)
		return false;
	run->done[run->n_done++] = *address;
	return true;
}

static int take(struct run *run, const struct pci_function *function, struct error *err)
{
	const char *sysfs = run->place->sysfs;

	if (!pci_bind_driver_is_there(sysfs) && module_load(PCI_BIND_DRIVER, err) < 0)
		return -err->code;
	if (bind_record_put(&run->record, &function->address, function->driver, err) < 0)
		return -err->code;
	if (pci_bind_take(sysfs, function, err) < 0) {
		struct error ignored;

		(void)bind_record_drop(&run->record, &function->address, &ignored);
		return -err->code;
	}
	return 0;
}

static void take_one(struct run *run, const struct pci_address *address)
{
	char name[PCI_ADDRESS_TEXT_MAX];
	struct pci_function function;
	struct error err;

	if (!note_done(run, address))
		return;
	pci_address_format_sysfs(address, name);
	int need = pci_bind_judge(run->place->sysfs, address, &function, &err);
	if (need == PCI_BIND_DONE)
		fprintf(run->out, "%s: bound to " PCI_BIND_DRIVER " already\n", name);
	else if (need == PCI_BIND_OTHER)
		fprintf(run->out, "%s: bound to %s, which DPDK can use: left as it is\n", name,
		        function.driver);
	else if (need < 0 || take(run, &function, &err) < 0)
		complain(run, &err);
	else
		fprintf(run->out, "%s: bound to " PCI_BIND_DRIVER ", was bound to %s\n", name,
		        function.driver[0] != '\0' ? function.driver : "no driver");
}

static void take_entry(struct run *run, const struct bind_spec *spec)
{
	struct pci_address functions[BIND_COUNT_MAX];
	size_t n = 0;
	struct error err;
	int made = pci_bind_make_vfs(run->place->sysfs, spec, &err);

	if (made < 0) {
		complain(run, &err);
		return;
	}
	if (made > 0)
		fprintf(run->out, "%s: made %d VFs\n", spec->netdev, made);
	if (pci_bind_select(run->place->sysfs, spec, functions, &n, &err) < 0)
		complain(run, &err);
	for (size_t i = 0; i < n; i++)
		take_one(run, &functions[i]);
}

/* Only now: the members of a group may all be named, one after the other. */
static void check_groups(struct run *run)
{
	struct pci_function function;
	struct pci_verdict verdict;

	for (size_t i = 0; i < run->n_done; i++) {
		struct error err;

		if (pci_ready_check(run->place->sysfs, &run->done[i], &function, &verdict) !=
		    PCI_GROUP_BLOCKED)
			continue;
		error_set(&err, EBUSY, "%s: %s", verdict.what, verdict.remedy);
		complain(run, &err);
	}
}

int bind_take_all(const struct config *config, const struct bind_place *place, FILE *out,
                  FILE *complaints)
{
	struct run run = {.place = place, .out = out, .complaints = complaints};
	const char *text = config->bind_vfio_pci;
	struct bind_spec spec;
	struct error err;

	if (text == NULL) {
		fprintf(out, "VIRTIOFWD_BIND_VFIO_PCI names nothing to bind\n");
		return EXIT_SUCCESS;
	}
	if (bind_record_open(&run.record, place->directory, &err) < 0) {
		complain(&run, &err);
		return EXIT_FAILURE;
	}
	while (bind_spec_next(&text, &spec, &err) > 0)
		take_entry(&run, &spec);
	check_groups(&run);
	bind_record_close(&run.record);
	return run.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Whether the entry is settled, well or not. */
static bool give_back_one(struct run *run, const struct bind_entry *entry)
{
	char name[PCI_ADDRESS_TEXT_MAX];
	struct error err;
	int rc = pci_bind_give_back(run->place->sysfs, run->place->dev, &entry->address,
	                            entry->driver, &err);

	pci_address_format_sysfs(&entry->address, name);
	if (rc == 0)
		fprintf(run->out, "%s: given back to %s\n", name,
		        entry->driver[0] != '\0' ? entry->driver : "no driver");
	else if (rc == -ESTALE)
		fprintf(run->out, "%s\n", err.text);
	else
		complain(run, &err);
	return rc == 0 || rc == -ESTALE;
}

int bind_give_back_all(const struct bind_place *place, FILE *out, FILE *complaints)
{
	struct run run = {.place = place, .out = out, .complaints = complaints};
	struct error err;

	if (bind_record_open(&run.record, place->directory, &err) < 0) {
		complain(&run, &err);
		return EXIT_FAILURE;
	}
	if (run.record.count == 0)
		fprintf(out, "nothing to give back\n");
	/* From the last: what is settled leaves the record. */
	for (size_t i = run.record.count; i-- > 0;) {
		const struct bind_entry entry = run.record.entries[i];

		if (give_back_one(&run, &entry) &&
		    bind_record_drop(&run.record, &entry.address, &err) < 0)
			complain(&run, &err);
	}
	bind_record_close(&run.record);
	return run.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
