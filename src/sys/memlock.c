/* The limit of locked memory. See memlock.h. */
#include "sys/memlock.h"

#include <sys/resource.h>

void memlock_prepare(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_MEMLOCK, &limit); /* up to the hard limit anybody may */
}
