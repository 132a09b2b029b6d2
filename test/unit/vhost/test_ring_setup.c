/* From what a front end says of a ring to its view: places at the borders of regions, alignments,
 * sizes, headers, what is logged, bases.
 */
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <string.h>

#include "suite.h"
#include "vhost/ring_setup.h"

#define BIT(n) (UINT64_C(1) << (n))
#define FRONT  UINT64_C(0x7f0000000000)
#define GUEST  UINT64_C(0x40000000)
#define SIZE   0x10000U

static _Alignas(4096) uint8_t data[2][SIZE];
static struct memory memory;
static struct ring_setup ring;
static struct ring_terms terms;
static struct virtqueue_view view;
static struct error err;

/* Two regions that are neighbours for the guest and the front end, and not here. */
static void set_up(void)
{
	memset(&memory, 0, sizeof(memory));
	memset(data, 0, sizeof(data));
	for (unsigned i = 0; i < 2; i++)
		ck_assert(memory_add(&memory,
		                     &(struct memory_region){GUEST + i * SIZE, SIZE, data[i ^ 1],
		                                             FRONT + i * SIZE}));
	ring = (struct ring_setup){.num = 256,
	                           .has_addresses = true,
	                           .addresses = {.descriptors = FRONT,
	                                         .avail = FRONT + 0x2000,
	                                         .used = FRONT + 0x3000}};
	terms = (struct ring_terms){.features = BIT(VIRTIO_F_VERSION_1), .memory = &memory};
}

static int make(void)
{
	return ring_view_make(&view, 3, &ring, &terms, -1, &err);
}

START_TEST(a_split_ring)
{
	ck_assert_int_eq(make(), 0);
	ck_assert_ptr_eq(view.split, data[1]);
	ck_assert_ptr_eq(view.avail, data[1] + 0x2000);
	ck_assert_ptr_eq(view.used, data[1] + 0x3000);
	ck_assert_uint_eq(view.size, 256);
	ck_assert_ptr_eq(view.memory, &memory);
	ck_assert_ptr_null(view.log.bits);
	ck_assert(!view.is_packed && !view.mergeable && !view.indirect && !view.event_idx);
	ck_assert(view.send != NULL && view.receive != NULL);
}
END_TEST

START_TEST(header_sizes)
{
	static const struct {
		uint64_t features;
		unsigned size;
	} cases[] = {{0, 10},
	             {BIT(VIRTIO_F_VERSION_1), 12},
	             {BIT(VIRTIO_NET_F_MRG_RXBUF), 12},
	             {BIT(VIRTIO_F_RING_PACKED), 12},
	             {BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX), 10}};

	for (unsigned i = 0; i < 5; i++) {
		terms.features = cases[i].features;
		ck_assert_int_eq(make(), 0);
		ck_assert_uint_eq(view.header_size, cases[i].size);
		ck_assert_int_eq(view.mergeable, cases[i].features >> VIRTIO_NET_F_MRG_RXBUF & 1);
		ck_assert_int_eq(view.is_packed, cases[i].features >> VIRTIO_F_RING_PACKED & 1);
	}
	ck_assert(view.indirect && view.event_idx);
}
END_TEST

START_TEST(offloads)
{
	const uint64_t all = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_CSUM) |
	                     BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4);
	virtqueue_send_fn vouching;
	virtqueue_receive_fn with_headers;

	terms.features = all;
	ck_assert_int_eq(make(), 0);
	ck_assert(view.headers && view.vouched);
	ck_assert_uint_eq(view.features, all);
	vouching = view.send;
	with_headers = view.receive;
	terms.features = all & ~BIT(VIRTIO_NET_F_GUEST_CSUM);
	ck_assert_int_eq(make(), 0);
	ck_assert(view.headers && !view.vouched && view.send != vouching);
	ck_assert(view.receive == with_headers);
	terms.features = all & ~BIT(VIRTIO_NET_F_CSUM);
	ck_assert_int_eq(make(), 0);
	ck_assert(!view.headers && view.vouched && view.send == vouching);
	ck_assert(view.receive != with_headers);
}
END_TEST

START_TEST(what_is_missing)
{
	ring.num = 0;
	ck_assert_int_lt(make(), 0);
	set_up();
	ring.has_addresses = false;
	ck_assert_int_lt(make(), 0);
	set_up();
	terms.memory = NULL;
	ck_assert_int_lt(make(), 0);
}
END_TEST

START_TEST(sizes)
{
	static const uint32_t legal[] = {1, 2, 4, 1024}, odd[] = {3, 5, 255, 1000};

	for (unsigned i = 0; i < 4; i++) {
		ring.addresses.used = FRONT + SIZE;
		ring.addresses.avail = FRONT + 0x8000;
		terms.features = 0;
		ring.num = legal[i];
		ck_assert_int_eq(make(), 0);
		ring.num = odd[i];
		ck_assert_int_lt(make(), 0);
		terms.features = BIT(VIRTIO_F_RING_PACKED);
		ck_assert_int_eq(make(), 0);
		ck_assert_uint_eq(view.size, odd[i]);
	}
}
END_TEST

/* Each area may end where its region does, and not a byte later; and begins aligned. */
static void check_area(uint64_t *address, uint64_t size, uint64_t alignment)
{
	uint64_t last = FRONT + SIZE - size, usual = *address;

	ck_assert_uint_eq(size % alignment, 0);
	*address = last;
	ck_assert_int_eq(make(), 0);
	*address = last + alignment; /* the rest would be the neighbour's, or all of it */
	ck_assert_int_eq(make() == 0, size == alignment);
	for (uint64_t off = 1; off < alignment; off++) {
		*address = last - alignment + off;
		ck_assert_int_lt(make(), 0);
	}
	*address = FRONT - alignment;
	ck_assert_int_lt(make(), 0);
	*address = FRONT + 2 * SIZE;
	ck_assert_int_lt(make(), 0);
	*address = UINT64_MAX - alignment + 1;
	ck_assert_int_lt(make(), 0);
	*address = 0;
	ck_assert_int_lt(make(), 0);
	*address = usual;
	ck_assert_int_eq(make(), 0);
}

START_TEST(areas_of_split_rings)
{
	ring.num = 8;
	check_area(&ring.addresses.descriptors, 128, 16);
	check_area(&ring.addresses.avail, 4 + 16, 2);
	check_area(&ring.addresses.used, 4 + 64, 4);
	terms.features |= BIT(VIRTIO_RING_F_EVENT_IDX);
	check_area(&ring.addresses.avail, 4 + 16 + 2, 2);
	/* Behind the used ring come two bytes, so that it ends two bytes before a region does. */
	ring.addresses.used = FRONT + SIZE - 4 - 64;
	ck_assert_int_lt(make(), 0);
	ring.addresses.used -= 4;
	ck_assert_int_eq(make(), 0);
}
END_TEST

START_TEST(areas_of_packed_rings)
{
	terms.features = BIT(VIRTIO_F_RING_PACKED);
	ring.num = 9;
	check_area(&ring.addresses.descriptors, 144, 16);
	check_area(&ring.addresses.avail, 4, 4);
	check_area(&ring.addresses.used, 4, 4);
}
END_TEST

/* Aligned where the front end has it is not enough. */
START_TEST(alignment_here)
{
	memory.regions[0].data = data[1] + 8;
	memory.regions[0].size -= 8;
	ck_assert_int_lt(make(), 0);
}
END_TEST

START_TEST(what_is_logged)
{
	uint8_t bits[16];

	terms.log = (struct dirty_log){bits, sizeof(bits)};
	ck_assert_int_eq(make(), 0);
	ck_assert_ptr_null(view.log.bits);
	terms.features |= BIT(VHOST_F_LOG_ALL);
	ck_assert_int_eq(make(), 0);
	ck_assert_ptr_eq(view.log.bits, bits);
	ck_assert_uint_eq(view.log_ring, GUEST + 0x3000);
	ring.addresses.flags = MESSAGE_RING_LOGGED;
	ring.addresses.log = UINT64_MAX;
	ck_assert_int_eq(make(), 0);
	ck_assert_uint_eq(view.log_ring, UINT64_MAX);
	/* The address is that of what we write beside a packed ring, and not the ring's. */
	terms.features |= BIT(VIRTIO_F_RING_PACKED);
	ring.addresses.log = GUEST + 0x3000;
	ck_assert_int_eq(make(), 0);
	ck_assert_uint_eq(view.log_ring, GUEST);
	ck_assert_uint_eq(view.log_event, GUEST + 0x3000);
	ring.addresses.flags = 0;
	ring.addresses.log = 0;
	ck_assert_int_eq(make(), 0);
	ck_assert_uint_eq(view.log_event, GUEST + 0x3000);
}
END_TEST

START_TEST(split_bases)
{
	struct virtqueue_position at;

	ring.base = 77; /* whatever the front end says */
	ring.has_base = true;
	ck_assert_int_eq(make(), 0);
	view.used->idx = 0xfffe;
	ck_assert_int_eq(ring_base_at_start(&at, 3, &ring, &view, &err), 0);
	ck_assert_uint_eq(at.index, 0xfffe);
	ck_assert_uint_eq(ring_base_of(at, false), 0xfffe);
}
END_TEST

START_TEST(packed_bases)
{
	static const struct {
		uint32_t base, again;
		bool legal;
	} cases[] = {
	        {0x80008000, 0x80008000, true},
	        {0x8000, 0x80008000, true}, /* of who knows the lower half only */
	        {0, 0, true},
	        {5, 0x00050005, true},
	        {0x80ff80ff, 0x80ff80ff, true},
	        {0x81008000, 0, false},
	        {0x80008100, 0, false},
	        {0x0100, 0, false},
	        {0x80018001, 0x80018001, true},
	        {0x80018004, 0x80018001, true}, /* three that were taken were never used */
	        {0xffffffff, 0, false},
	};
	struct virtqueue_position at;

	terms.features = BIT(VIRTIO_F_RING_PACKED);
	ck_assert_int_eq(make(), 0);
	ck_assert_int_eq(ring_base_at_start(&at, 3, &ring, &view, &err), 0);
	ck_assert(at.index == 0 && at.wrap); /* nobody has told */
	ring.has_base = true;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ring.base = cases[i].base;
		ck_assert_int_eq(ring_base_at_start(&at, 3, &ring, &view, &err) == 0,
		                 cases[i].legal);
		if (cases[i].legal)
			ck_assert_uint_eq(ring_base_of(at, true), cases[i].again);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("ring_setup");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, a_split_ring);
	tcase_add_test(tcase, header_sizes);
	tcase_add_test(tcase, offloads);
	tcase_add_test(tcase, what_is_missing);
	tcase_add_test(tcase, sizes);
	tcase_add_test(tcase, areas_of_split_rings);
	tcase_add_test(tcase, areas_of_packed_rings);
	tcase_add_test(tcase, alignment_here);
	tcase_add_test(tcase, what_is_logged);
	tcase_add_test(tcase, split_bases);
	tcase_add_test(tcase, packed_bases);
	return suite_main("ring_setup", tcase);
}
