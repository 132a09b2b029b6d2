/* On which CPU an lcore runs: the CPU of its number, unless --eal's --lcores says otherwise. Reads
 * the plain forms of that ("0@0,1@130,2"), not EAL's sets in parentheses. Pure function.
 */
#ifndef CONFIG_LCORES_H
#define CONFIG_LCORES_H

#include "config/config.h"

/* The CPU, or -1: not one that can be told from the arguments. */
int lcores_cpu(const struct config *cfg, unsigned lcore);

#endif
