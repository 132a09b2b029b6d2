/* All shapes that a buffer of some bytes can have in a ring: in one piece, cut in two at each byte,
 * in pieces of one byte, with empty ones; as a chain, a table, or a chain that ends in a table;
 * lying at the end of memory, or across the border of two regions, forwards and backwards.
 */
#ifndef GUEST_SHAPES_RIG_H
#define GUEST_SHAPES_RIG_H

#include "guest_ring_rig.h"

#define RIG_PIECES_MAX 4096U

struct rig_shape {
	struct rig_piece pieces[RIG_PIECES_MAX];
	uint32_t n, total; /* bytes in all pieces */
	uint32_t direct;   /* pieces before the table, n = there is no table */
	uint64_t table;
};

typedef void rig_shape_fn(struct rig_driver *driver, const struct rig_shape *shape, void *context);

static inline uint64_t rig_border(const struct rig_driver *driver)
{
	return RIG_DATA + driver->memory.regions[0].size;
}

static inline void rig_shape_post(struct rig_driver *driver, const struct rig_shape *shape)
{
	rig_post_mixed(driver, shape->pieces, shape->n, shape->direct, shape->table);
}

static inline void rig_shape_fill(struct rig_driver *driver, const struct rig_shape *shape,
                                  uint8_t byte)
{
	for (uint32_t i = 0; i < shape->n; i++)
		for (uint32_t k = 0; k < shape->pieces[i].length; k++)
			*rig_at(&driver->memory, shape->pieces[i].address + k) = byte;
}

/* One piece behind the other, the last of which ends at `end`; or the first one, backwards. */
static inline void rig_shape_place(struct rig_shape *shape, uint64_t end, bool backwards)
{
	for (uint32_t i = 0; i < shape->n; i++) {
		struct rig_piece *piece = &shape->pieces[backwards ? i : shape->n - 1 - i];

		end -= piece->length;
		piece->address = end;
	}
}

/* In each layout that the ring has room for. */
static inline void rig_each_layout(struct rig_driver *driver, struct rig_shape *shape,
                                   rig_shape_fn *check, void *context)
{
	const struct virtqueue_view *view = &driver->view;

	if (shape->n > view->size)
		return;
	shape->direct = shape->n;
	check(driver, shape, context);
	if (!view->indirect)
		return;
	shape->direct = 0;
	check(driver, shape, context);
	if (view->is_packed || shape->n < 2)
		return;
	shape->direct = shape->n / 2;
	check(driver, shape, context);
}

/* In each place. The table, if there will be one, stands at the end of the other region. */
static inline void rig_each_place(struct rig_driver *driver, struct rig_shape *shape,
                                  rig_shape_fn *check, void *context)
{
	uint64_t border = rig_border(driver), end = border + driver->memory.regions[1].size;
	uint32_t header = driver->view.header_size;
	const uint64_t ends[] = {end,
	                         border,
	                         border + 1,
	                         border + shape->total / 2,
	                         border + shape->total - 1,
	                         border + shape->total - RTE_MIN(header, shape->total - 1),
	                         border + shape->total - RTE_MIN(header - 1, shape->total - 1)};

	for (unsigned i = 0; i < RTE_DIM(ends); i++)
		for (unsigned backwards = 0; backwards < 2; backwards++) {
			shape->table = i == 0 ? RIG_DATA : end - 16UL * shape->n;
			rig_shape_place(shape, ends[i], backwards);
			rig_each_layout(driver, shape, check, context);
		}
}

static inline void rig_shape_add(struct rig_shape *shape, uint32_t length)
{
	rig_expect(shape->n < RIG_PIECES_MAX);
	shape->pieces[shape->n++].length = length;
	shape->total += length;
}

/* total: bytes, at least the header's. */
static inline void rig_each_shape(struct rig_driver *driver, uint32_t total, rig_shape_fn *check,
                                  void *context)
{
	struct rig_shape *shape = malloc(sizeof(*shape));
	uint32_t header = driver->view.header_size;

	rig_expect(shape != NULL);
	/* 0: one piece; others: two, one of which may be empty. */
	for (uint32_t cut = 0; cut <= total + 1; cut++) {
		shape->n = shape->total = 0;
		if (cut > 0)
			rig_shape_add(shape, cut - 1);
		rig_shape_add(shape, cut > 0 ? total - (cut - 1) : total);
		rig_each_place(driver, shape, check, context);
	}
	/* The first bytes each for themselves. */
	for (uint32_t ones = 2; ones < header + 3 && ones <= total; ones++) {
		shape->n = shape->total = 0;
		for (uint32_t i = 0; i < ones; i++)
			rig_shape_add(shape, 1);
		if (total > ones)
			rig_shape_add(shape, total - ones);
		rig_each_place(driver, shape, check, context);
	}
	/* With empty ones before, between and behind. */
	shape->n = shape->total = 0;
	rig_shape_add(shape, 0);
	rig_shape_add(shape, header);
	rig_shape_add(shape, 0);
	rig_shape_add(shape, 0);
	rig_shape_add(shape, total - header);
	rig_shape_add(shape, 0);
	rig_each_place(driver, shape, check, context);
	/* All of it byte by byte. */
	shape->n = shape->total = 0;
	for (uint32_t i = 0; i < total && total <= RIG_PIECES_MAX; i++)
		rig_shape_add(shape, 1);
	if (shape->n > 0)
		rig_each_place(driver, shape, check, context);
	free(shape);
}

/* --- rings of all kinds ---------------------------------------------------------------------- */

static const uint16_t rig_sizes_split[] = {1, 2, 4, 8, 256, 32768};
static const uint16_t rig_sizes_packed[] = {1, 2, 3, 4, 7, 8, 256, 1000, 32768};

/* Split and packed, of each size, with headers of either length, each logged and not. */
static inline void rig_each_ring(bool to_guest, void (*run)(const struct rig_ring_config *config))
{
	for (unsigned i = 0; i < 8; i++) {
		bool packed = (i & 1) != 0;
		const uint16_t *sizes = packed ? rig_sizes_packed : rig_sizes_split;
		unsigned n = packed ? RTE_DIM(rig_sizes_packed) : RTE_DIM(rig_sizes_split);

		for (unsigned k = 0; k < n; k++) {
			struct rig_ring_config config = {.packed = packed,
			                                 .to_guest = to_guest,
			                                 .size = sizes[k],
			                                 .short_header = (i & 2) != 0,
			                                 .logged = (i & 4) != 0};

			run(&config);
		}
	}
}

#endif
