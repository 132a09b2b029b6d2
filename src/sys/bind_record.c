/* What --bind has taken. See bind_record.h. A line an entry: "0000:01:10.0 igbvf", with "-" for no
 * driver. The directory may belong to the daemon's user while root reads the file, hence the care
 * about links and owners.
 */
#include "sys/bind_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"
#include "sys/socket_file.h"

#define FILE_NAME   "bound"
#define NEW_NAME    "bound.new"
#define ENTRIES_MAX 4096

static int append(struct bind_record *record, const struct pci_address *address, const char *driver)
{
	struct bind_entry *entries =
	        reallocarray(record->entries, record->count + 1, sizeof(*entries));

	if (entries == NULL)
		return -ENOMEM;
	record->entries = entries;
	entries[record->count].address = *address;
	int rc = string_copy(entries[record->count].driver, PCI_DRIVER_NAME_MAX, driver);
	if (rc == 0)
		record->count++;
	return rc;
}

static void remove_at(struct bind_record *record, size_t index)
{
	record->count--;
	memmove(&record->entries[index], &record->entries[index + 1],
	        (record->count - index) * sizeof(*record->entries));
}

/* --- the file ------------------------------------------------------------------------------- */

static int parse_line(struct bind_record *record, char *line)
{
	char *driver = strchr(line, ' ');
	struct pci_address address;
	struct error ignored;

	if (driver == NULL || record->count == ENTRIES_MAX)
		return -EINVAL;
	*driver++ = '\0';
	if (strcmp(driver, "-") == 0)
		driver = "";
	if (driver[0] == '.' || strpbrk(driver, "/ ") != NULL ||
	    pci_address_parse(line, &address, &ignored) < 0)
		return -EINVAL;
	return append(record, &address, driver);
}

static int parse_lines(struct bind_record *record, FILE *file, struct error *err)
{
	char line[PCI_ADDRESS_TEXT_MAX + PCI_DRIVER_NAME_MAX + 2];
	unsigned number = 0;
	int rc = 0;

	while (rc == 0 && fgets(line, sizeof(line), file) != NULL) {
		number++;
		line[strcspn(line, "\n")] = '\0';
		rc = parse_line(record, line);
	}
	if (rc == 0)
		return 0;
	return error_set(err, -rc,
	                 "line %u of the record of what was bound (" FILE_NAME ") cannot be read: "
	                 "remove the file, and give the VFs back by hand (driverctl "
	                 "unset-override)",
	                 number);
}

static int file_read(struct bind_record *record, struct error *err)
{
	struct stat st;
	int fd = openat(record->directory, FILE_NAME,
	                O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_set(err, errno, "cannot read the record of what was bound: %s",
		                 strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) {
		close(fd);
		return error_set(err, EPERM,
		                 "the record of what was bound (" FILE_NAME ") is not a file of "
		                 "this user's: remove it");
	}
	FILE *file = fdopen(fd, "r");
	if (file == NULL) {
		close(fd);
		return error_set(err, ENOMEM, "out of memory");
	}
	int rc = parse_lines(record, file, err);
	fclose(file);
	return rc;
}

static int entries_write(const struct bind_record *record, FILE *file)
{
	bool failed = false;

	for (size_t i = 0; i < record->count; i++) {
		const struct bind_entry *entry = &record->entries[i];
		char name[PCI_ADDRESS_TEXT_MAX];

		pci_address_format_sysfs(&entry->address, name);
		fprintf(file, "%s %s\n", name, entry->driver[0] != '\0' ? entry->driver : "-");
	}
	failed = ferror(file) != 0;
	return fclose(file) != 0 || failed ? -EIO : 0;
}

static int file_replace(const struct bind_record *record)
{
	int dir = record->directory;

	if (record->count == 0)
		return unlinkat(dir, FILE_NAME, 0) < 0 && errno != ENOENT ? -errno : 0;
	/* What an interrupted run has left. */
	if (unlinkat(dir, NEW_NAME, 0) < 0 && errno != ENOENT)
		return -errno;
	int fd = openat(dir, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	FILE *file = fdopen(fd, "w");
	if (file == NULL) {
		int code = errno;

		close(fd);
		return -code;
	}
	int rc = entries_write(record, file);
	if (rc == 0 && renameat(dir, NEW_NAME, dir, FILE_NAME) < 0)
		rc = -errno;
	if (rc < 0)
		(void)unlinkat(dir, NEW_NAME, 0);
	return rc;
}

static int save(const struct bind_record *record, struct error *err)
{
	int rc = file_replace(record);

	if (rc == 0)
		return 0;
	return error_set(err, -rc,
	                 "cannot write the record of what was bound, without which --unbind would "
	                 "not know: %s",
	                 strerror(-rc));
}

/* --- entries -------------------------------------------------------------------------------- */

int bind_record_open(struct bind_record *record, const char *directory, struct error *err)
{
	*record = (struct bind_record){.directory = -1};
	if (socket_file_make_directory(directory, err) < 0)
		return -err->code;
	record->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (record->directory < 0 || flock(record->directory, LOCK_EX) < 0)
		error_set(err, errno, "cannot open %s: %s", directory, strerror(errno));
	else if (file_read(record, err) == 0)
		return 0;
	bind_record_close(record);
	return -err->code;
}

void bind_record_close(struct bind_record *record)
{
	if (record->directory >= 0)
		close(record->directory);
	free(record->entries);
	*record = (struct bind_record){.directory = -1};
}

const struct bind_entry *bind_record_find(const struct bind_record *record,
                                          const struct pci_address *address)
{
	for (size_t i = 0; i < record->count; i++) {
		if (pci_address_equal(&record->entries[i].address, address))
			return &record->entries[i];
	}
	return NULL;
}

int bind_record_put(struct bind_record *record, const struct pci_address *address,
                    const char *driver, struct error *err)
{
	if (bind_record_find(record, address) != NULL)
		return 0;
	if (record->count == ENTRIES_MAX)
		return error_set(err, ENOSPC, "more than %d VFs cannot be bound", ENTRIES_MAX);
	if (append(record, address, driver) < 0)
		return error_set(err, ENOMEM, "out of memory");
	if (save(record, err) == 0)
		return 0;
	remove_at(record, record->count - 1);
	return -err->code;
}

int bind_record_drop(struct bind_record *record, const struct pci_address *address,
                     struct error *err)
{
	const struct bind_entry *entry = bind_record_find(record, address);

	if (entry == NULL)
		return 0;
	remove_at(record, (size_t)(entry - record->entries));
	return save(record, err);
}
