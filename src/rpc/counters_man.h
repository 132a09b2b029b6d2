/* The manual page's lists of counters, made from their tables.
 */
#ifndef RPC_COUNTERS_MAN_H
#define RPC_COUNTERS_MAN_H

#include <stdio.h>

/* In man(7)'s language: each counter's names on the wire, and what it means. */
void counters_man_print_lanes(FILE *out);
void counters_man_print_vfs(FILE *out);

#endif
