/* Where DPDK keeps its files while it runs, and how much they take: it maps them and writes all
 * over them without asking whether there is room. Main thread.
 */
#ifndef CONFIG_RUNTIME_DIR_H
#define CONFIG_RUNTIME_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

/* A short name that is the same at each start of this instance and differs from the others':
 * DPDK's file prefix, and its directory's name, unless --eal gives another. */
#define RUNTIME_DIR_INSTANCE_MAX 32
void runtime_dir_name_instance(const struct config *config, char out[RUNTIME_DIR_INSTANCE_MAX]);

/* False when DPDK keeps no files (--eal's --in-memory, --no-shconf). */
bool runtime_dir_is_used(const struct config *config);
/* The directory, as DPDK finds it in the environment. 0 or -ENAMETOOLONG. */
int runtime_dir_path(const struct config *config, bool is_root, char *out, size_t size);

/* Bytes that DPDK's files take there. hugepages: that are reserved, of any size. */
uint64_t runtime_dir_needs(const struct config *config, unsigned nodes, uint64_t hugepages);
/* Bytes that are there already, of an earlier start: they are used again. */
uint64_t runtime_dir_holds(const char *path);

#endif
