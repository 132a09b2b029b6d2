/* Grace periods for many who wait for them: the workers have one at a time, and whoever comes while
 * one is under way needs the next, together with all others who have come meanwhile. Nothing here
 * waits. Protocol thread.
 */
#ifndef VHOST_GRACE_H
#define VHOST_GRACE_H

#include <stdbool.h>
#include <stdint.h>

/* The workers' own: begin answers false while somebody else's period is under way; what it has
 * begun is asked about again and again until it is over. */
struct grace_source {
	void *context;
	bool (*begin)(void *context, uint64_t *token);
	bool (*over)(void *context, uint64_t token);
};

struct grace {
	struct grace_source source;
	uint64_t token; /* the source's, of the period under way */
	bool under_way;
	uint64_t
	        wanted; /* number of the last period that somebody wants; they are counted from 1 */
	uint64_t done;  /* number of the last one that is over */
};

void grace_init(struct grace *grace, const struct grace_source *source);

/* Number of the first period that begins from now on. */
uint64_t grace_want(struct grace *grace);

/* Whether that one is over; begins it when it can. */
bool grace_is_over(struct grace *grace, uint64_t number);

/* Looks, and begins what is wanted. True as long as it is to be called again, soon. */
bool grace_look(struct grace *grace);

#endif
