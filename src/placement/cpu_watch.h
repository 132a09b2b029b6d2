/* Once a second: is each worker on the CPU that it was given? Control thread only. */
#ifndef PLACEMENT_CPU_WATCH_H
#define PLACEMENT_CPU_WATCH_H

#include "datapath/worker.h"
#include "event/loop.h"

struct cpu_watch;

/* Both outlive it. NULL + errno. */
struct cpu_watch *cpu_watch_create(struct workers *workers, struct loop *loop);
void cpu_watch_destroy(struct cpu_watch *watch);

#endif
