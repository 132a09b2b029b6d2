/* See memory.h. */
#include "virtqueue/memory.h"

#include <stddef.h>

#include "virtqueue/guest_word.h"

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a - b < b_size || b - a < a_size;
}

bool memory_add(struct memory *memory, const struct memory_region *region)
{
	uint32_t at = memory->n_regions;

	if (at == MEMORY_REGIONS_MAX || region->size == 0 ||
	    region->guest_address + (region->size - 1) < region->guest_address ||
	    region->front_end_address + (region->size - 1) < region->front_end_address)
		return false;
	for (uint32_t i = 0; i < memory->n_regions; i++) {
		const struct memory_region *other = &memory->regions[i];

		if (overlap(region->guest_address, region->size, other->guest_address,
		            other->size) ||
		    overlap(region->front_end_address, region->size, other->front_end_address,
		            other->size))
			return false;
	}
	for (; at > 0 && memory->regions[at - 1].guest_address > region->guest_address; at--)
		memory->regions[at] = memory->regions[at - 1];
	memory->regions[at] = *region;
	memory->n_regions++;
	return true;
}

const struct memory_region *memory_find(const struct memory *memory, uint64_t guest_address)
{
	for (uint32_t i = 0; i < memory->n_regions; i++)
		if (memory_region_room(&memory->regions[i], guest_address) > 0)
			return &memory->regions[i];
	return NULL;
}

uint8_t *memory_of_front_end(const struct memory *memory, uint64_t front_end_address, uint64_t size,
                             uint64_t alignment, uint64_t *guest_address)
{
	for (uint32_t i = 0; i < memory->n_regions; i++) {
		const struct memory_region *region = &memory->regions[i];
		uint64_t offset = front_end_address - region->front_end_address;

		if (offset >= region->size)
			continue;
		if (size > region->size - offset || front_end_address % alignment != 0 ||
		    (uintptr_t)(region->data + offset) % alignment != 0)
			return NULL;
		*guest_address = region->guest_address + offset;
		return region->data + offset;
	}
	return NULL;
}

bool memory_read(const struct memory *memory, uint64_t guest_address, void *to, uint16_t size)
{
	uint8_t *bytes = to;

	while (size > 0) {
		const struct memory_region *region = memory_find(memory, guest_address);

		if (region == NULL)
			return false;
		uint64_t room = memory_region_room(region, guest_address);
		uint16_t part = room < size ? (uint16_t)room : size;

		guest_load_bytes(bytes, memory_region_at(region, guest_address), part);
		bytes += part;
		guest_address += part;
		size = (uint16_t)(size - part);
	}
	return true;
}
