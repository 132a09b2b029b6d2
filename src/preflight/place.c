/* This machine and this process, as the preflight looks at them. */
#include "preflight/place.h"

#include "sys/affinity.h"
#include "sys/sysfs.h"

#define PROC_ROOT "/proc"

void preflight_place_real(struct preflight_place *out)
{
	*out = (struct preflight_place){.sysfs = SYSFS_ROOT, .proc = PROC_ROOT};
	path_user_self(&out->self);
	(void)affinity_read(0, &out->allowed);
}
