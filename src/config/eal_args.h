/* EAL's arguments: what --eal says, and what the rest of the configuration makes of them. Main
 * thread.
 */
#ifndef CONFIG_EAL_ARGS_H
#define CONFIG_EAL_ARGS_H

#include <stdbool.h>

#include "config/config.h"

/* True when --eal gives this argument: "--lcores" as a word or with "=…", "-l" also with its value
 * attached. */
bool eal_args_have(const struct config *cfg, const char *argument);

/* The value that --eal gives it: "2" of "-m 2", "-m2", "--file-prefix=2" and "--file-prefix 2"; the
 * last one, or NULL. */
const char *eal_args_value(const struct config *cfg, const char *argument);

/* MB that EAL takes without hugepages when --eal's -m says nothing. */
unsigned eal_args_no_huge_mb(const struct config *cfg);

/* The directory of the hugetlbfs that EAL is told to use; "": it chooses one; NULL: it uses none.
 */
const char *eal_args_huge_dir(const struct config *cfg);

/* Refuses what could only be misunderstood. 0 or -EINVAL with err. */
int eal_args_check(const struct config *cfg, struct error *err);

/* Whether --eal says on which CPUs the lcores run: else lcore n is CPU n. */
bool eal_args_map_lcores(const struct config *cfg);

/* The arguments for rte_eal_init: NULL-terminated, freed with eal_args_free. instance is a short
 * name, the same at each start of this instance (DPDK's file prefix). NULL with err. */
char **eal_args_make(const struct config *cfg, const char *instance, int *argc, struct error *err);
void eal_args_free(char **args);

#endif
