/* Memory with a ceiling: chunks from malloc, cut from the front. See arena.h for the rules. */
#include "rpc/transport/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#define CHUNK_MIN 8192 /* bytes; holds all that an honest request needs */

struct arena_chunk {
	struct arena_chunk *next;
	char *free; /* where the next allocation starts */
	alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *arena, size_t budget)
{
	*arena = (struct arena){.budget = budget};
}

void *arena_alloc(struct arena *arena, size_t size)
{
	const size_t align = alignof(max_align_t);

	if (size > SIZE_MAX - align)
		return NULL;
	size = size == 0 ? align : (size + align - 1) / align * align;

	if (size > arena->room) {
		size_t capacity = size > CHUNK_MIN ? size : CHUNK_MIN;

		if (capacity > arena->budget)
			return NULL;
		struct arena_chunk *chunk = malloc(sizeof(*chunk) + capacity);
		if (chunk == NULL)
			return NULL;
		*chunk = (struct arena_chunk){.next = arena->chunks, .free = chunk->bytes};
		arena->chunks = chunk;
		arena->room = capacity;
		arena->budget -= capacity;
	}
	void *result = arena->chunks->free;
	arena->chunks->free += size;
	arena->room -= size;
	return result;
}

void arena_free(struct arena *arena)
{
	while (arena->chunks != NULL) {
		struct arena_chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		free(chunk);
	}
	*arena = (struct arena){0};
}
