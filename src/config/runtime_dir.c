/* DPDK's runtime directory. See runtime_dir.h; what is said here of EAL's files was seen in DPDK
 * 22.11: of its memory it keeps a table with an entry for each page, in files that have
 * all their pages from the start on.
 */
#include "config/runtime_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/parse.h"
#include "base/sizes.h"
#include "config/eal_args.h"

#define KB UINT64_C(1024)

#define PAGE_BYTES  (4 * KB)   /* EAL's, without hugepages, on any machine */
#define FIXED_BYTES (512 * KB) /* its configuration, the table of memory zones, sockets */

/* With hugepages the tables are for as many pages as a node may ever have, and a list of the pages
 * that there are is kept besides when all are taken at the start. */
#define LIST_PAGES   8192
#define LISTS        4
#define PATH_OF_PAGE 4352 /* bytes of an entry of that list */

/* It stands on the pid file's path: that keeps two instances apart. */
void runtime_dir_name_instance(const struct config *config, char out[RUNTIME_DIR_INSTANCE_MAX])
{
	static const char file[] = "/virtio-forwarder.pid";
	uint64_t hash = hash_bytes(HASH_START, config->pid_dir, strlen(config->pid_dir));

	hash = hash_bytes(hash, file, strlen(file));
	snprintf(out, RUNTIME_DIR_INSTANCE_MAX, "virtio-forwarder-%08x", hash_fold(hash));
}

bool runtime_dir_is_used(const struct config *config)
{
	return !eal_args_have(config, "--in-memory") && !eal_args_have(config, "--no-shconf");
}

/* EAL takes whatever the environment says as it is. */
static const char *parent_find(bool is_root)
{
	const char *directory = getenv("RUNTIME_DIRECTORY");

	if (directory == NULL && is_root)
		return "/var/run";
	if (directory == NULL)
		directory = getenv("XDG_RUNTIME_DIR");
	return directory != NULL ? directory : "/tmp";
}

int runtime_dir_path(const struct config *config, bool is_root, char *out, size_t size)
{
	const char *prefix = eal_args_value(config, "--file-prefix");
	char instance[RUNTIME_DIR_INSTANCE_MAX];

	runtime_dir_name_instance(config, instance);
	int n = snprintf(out, size, "%s/dpdk/%s", parent_find(is_root),
	                 prefix != NULL ? prefix : instance);
	return n >= 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

static uint64_t table_bytes(uint64_t pages)
{
	return pages * SIZES_MEMSEG_BYTES + pages / 8 + PAGE_BYTES;
}

uint64_t runtime_dir_needs(const struct config *config, unsigned nodes, uint64_t hugepages)
{
	const char *given = eal_args_value(config, "-m");
	uint64_t mb;

	if (!config->no_huge) {
		uint64_t bytes = FIXED_BYTES + nodes * LISTS * table_bytes(LIST_PAGES);

		return eal_args_have(config, "--legacy-mem") ? bytes + hugepages * PATH_OF_PAGE
		                                             : bytes;
	}
	if (given == NULL || parse_u64(given, 1, UINT32_MAX, &mb) < 0)
		mb = eal_args_no_huge_mb(config);
	return FIXED_BYTES + table_bytes(mb * KB * KB / PAGE_BYTES);
}

uint64_t runtime_dir_holds(const char *path)
{
	DIR *directory = opendir(path);
	uint64_t bytes = 0;
	struct dirent *entry;
	struct stat st;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		if (fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			bytes += (uint64_t)st.st_blocks * 512;
	}
	if (directory != NULL)
		closedir(directory);
	return bytes;
}
