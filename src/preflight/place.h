/* The machine that is looked at, and who we are on it; tests make up their own. One thread. */
#ifndef PREFLIGHT_PLACE_H
#define PREFLIGHT_PLACE_H

#include "base/cpu_set.h"
#include "sys/path_access.h"

struct preflight_place {
	const char *sysfs, *proc; /* roots; literals, or the test's */
	struct path_user self;    /* root's rights are in proc's CapEff, not in its number */
	struct cpu_set allowed;   /* CPUs that this process may use */
};

/* This machine and this process. */
void preflight_place_real(struct preflight_place *out);

#endif
