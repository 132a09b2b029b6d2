/* Sets of CPUs (which are DPDK lcore ids here, see the manual's section on CPUs), of any width
 * up to CPU_SET_SIZE. Plain values: whoever holds one owns it.
 */
#ifndef BASE_CPU_SET_H
#define BASE_CPU_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"

#define CPU_SET_SIZE 1024 /* CPUs 0 … 1023 can be named */

struct cpu_set {
	uint64_t words[CPU_SET_SIZE / 64];
};

_Static_assert(CPU_SET_SIZE % 64 == 0, "a set is whole words");
_Static_assert(LCORES_MAX <= CPU_SET_SIZE, "a set holds every lcore");

/* "1,2", "1-3,8" or a hexadecimal mask "0x6" of any length. Empty sets are refused. */
int cpu_set_parse(const char *text, struct cpu_set *out, struct error *err);
void cpu_set_add(struct cpu_set *set, unsigned cpu); /* cpu < CPU_SET_SIZE */
bool cpu_set_has(const struct cpu_set *set, unsigned cpu);
unsigned cpu_set_count(const struct cpu_set *set);
int cpu_set_next(const struct cpu_set *set, int after); /* first member > after, or -1 */
/* "1-3,8"; always NUL-terminated, cut with "…" where size is too small. Returns out. */
char *cpu_set_format(const struct cpu_set *set, char *out, size_t size);

/* One -c pin: relay `relay_id`'s lanes of each direction on a CPU, -1 = not pinned. */
struct cpu_pin {
	unsigned relay_id; /* 0 … 63 */
	int vf_to_vm_cpu, vm_to_vf_cpu;
};
/* "id:cpu[,cpu]" joined by ';'. Appends to pins[*count]; capacity entries fit. A relay named
 * twice is refused; one cpu serves both directions. */
int cpu_pins_parse(const char *text, struct cpu_pin *pins, size_t capacity, size_t *count,
                   struct error *err);

#endif
