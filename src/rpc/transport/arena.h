/* Memory with a ceiling, for unpacking one message of a client: a short message can ask for many
 * small allocations. Everything is given back at once. Whoever declares an arena owns it.
 */
#ifndef RPC_TRANSPORT_ARENA_H
#define RPC_TRANSPORT_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* the newest first; only that one has room */
	size_t room;                /* bytes left in it */
	size_t budget;              /* bytes that may still be allocated */
};

void arena_init(struct arena *arena, size_t budget);
/* Aligned for any type. NULL when the budget or the system's memory is exhausted. */
void *arena_alloc(struct arena *arena, size_t size);
void arena_free(struct arena *arena); /* all of it; the arena is empty then, its budget spent */

#endif
