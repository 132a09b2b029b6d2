/* Each rule that a guest's ring can break, by the least that breaks it, and beside it what is just
 * still legal: in rings of both kinds, in both directions, first of all and behind buffers that are
 * good. These are used and shown to the guest; the one that breaks the rule is not, and nothing
 * behind it.
 */
#include <check.h>

#include "faults_rig.h"
#include "suite.h"

#define DATA_SIZE 0x4000U
#define END       (RIG_DATA + 2ULL * DATA_SIZE)
#define TABLE     (RIG_DATA + 0x3000U)

/* The buffer in question, and where its descriptors stand. */
struct spot {
	struct rig_driver *driver;
	uint64_t at[SIZE]; /* guest addresses */
	uint32_t argument;
};

/* --- changing what was made available ---------------------------------------------------------
 */

static void set_address(const struct spot *spot, unsigned i, uint64_t address)
{
	rig_write(&spot->driver->memory, spot->at[i], &address, 8);
}

static void set_length(const struct spot *spot, unsigned i, uint32_t length)
{
	rig_write(&spot->driver->memory, spot->at[i] + 8, &length, 4);
}

static void set_next(const struct spot *spot, unsigned i, uint16_t next)
{
	rig_write(&spot->driver->memory, spot->at[i] + 14, &next, 2);
}

static void flip_flags(const struct spot *spot, unsigned i, uint16_t bits)
{
	uint64_t at = spot->at[i] + (spot->driver->view.is_packed ? 14 : 12);
	uint16_t flags;

	rig_read(&spot->driver->memory, at, &flags, 2);
	flags ^= bits;
	rig_write(&spot->driver->memory, at, &flags, 2);
}

static uint16_t index_of(const struct spot *spot, unsigned i)
{
	return (uint16_t)((spot->at[i] - spot->driver->areas[0]) / 16);
}

/* n descriptors of `length` bytes each in the ring. */
static void post(struct spot *spot, uint32_t n, uint32_t length)
{
	struct rig_driver *driver = spot->driver;
	struct virtqueue_position at = driver->next_avail;
	struct rig_piece pieces[SIZE];

	for (uint32_t i = 0; i < n; i++)
		pieces[i] = (struct rig_piece){PLACE + (uint64_t)i * length, length};
	rig_post(driver, pieces, n);
	uint16_t index = driver->posted[(driver->n_posted - 1) % SIZE].id;
	for (uint32_t i = 0; i < n; i++) {
		if (driver->view.is_packed)
			index = (uint16_t)((at.index + i) % SIZE);
		spot->at[i] = driver->areas[0] + 16UL * index;
		if (!driver->view.is_packed)
			index = driver->view.split[index].next;
	}
}

/* at[0] names a table; at[1] and on are the table's. */
static void post_table(struct spot *spot, uint32_t n, uint32_t length, uint64_t table)
{
	struct rig_driver *driver = spot->driver;
	uint16_t index = driver->next_avail.index;
	struct rig_piece pieces[SIZE];

	for (uint32_t i = 0; i < n; i++)
		pieces[i] = (struct rig_piece){PLACE + (uint64_t)i * length, length};
	rig_post_mixed(driver, pieces, n, 0, table);
	if (!driver->view.is_packed)
		index = driver->posted[(driver->n_posted - 1) % SIZE].id;
	spot->at[0] = driver->areas[0] + 16UL * index;
	for (uint32_t i = 0; i + 1 < SIZE && i < n; i++)
		spot->at[i + 1] = table + 16UL * i;
}

/* --- what breaks a rule, or just not ----------------------------------------------------------
 */

static void entry(struct spot *spot)
{
	struct rig_driver *driver = spot->driver;

	post(spot, 1, GOOD);
	driver->view.avail->ring[(driver->next_avail.index - 1) % SIZE] = (uint16_t)spot->argument;
	/* What the entry names, if anything. */
	spot->at[0] = driver->areas[0] + 16UL * (SIZE - 1);
	rig_put_descriptor(driver, spot->at[0], &(struct rig_piece){PLACE, GOOD},
	                   rig_direction(driver), 0);
}

static void next(struct spot *spot)
{
	post(spot, 2, 40);
	struct spot last = *spot;

	last.at[0] = spot->driver->areas[0] + 16UL * (SIZE - 1);
	rig_put_descriptor(spot->driver, last.at[0], &(struct rig_piece){PLACE, GOOD},
	                   rig_direction(spot->driver), 0);
	set_next(spot, 0, (uint16_t)spot->argument);
}

/* A table of three: 0, 2, 1. */
static void next_in_table(struct spot *spot)
{
	post_table(spot, 3, 30, TABLE);
	set_next(spot, 2 + 1, (uint16_t)spot->argument);
}

static void loop_of_one(struct spot *spot)
{
	post(spot, 2, spot->argument);
	set_next(spot, 0, index_of(spot, 0));
}

static void loop_of_two(struct spot *spot)
{
	post(spot, 2, spot->argument);
	flip_flags(spot, 1, VRING_DESC_F_NEXT);
	set_next(spot, 1, index_of(spot, 0));
}

static void loop_in_table(struct spot *spot)
{
	post_table(spot, 2, spot->argument, TABLE);
	flip_flags(spot, 2, VRING_DESC_F_NEXT);
	set_next(spot, 2, 0);
}

/* It goes on to a descriptor that is not available. */
static void chain_into_nowhere(struct spot *spot)
{
	post(spot, 2, 20);
	flip_flags(spot, 1, VRING_DESC_F_NEXT);
	set_next(spot, 1, SIZE);
}

static void table_of(struct spot *spot)
{
	post_table(spot, SIZE, 20, TABLE);
	set_length(spot, 0, spot->argument);
	/* A split table goes on from its first to its last one; these end sooner. */
	if (!spot->driver->view.is_packed && spot->argument < 16 * SIZE) {
		flip_flags(spot, 1, VRING_DESC_F_NEXT);
		set_length(spot, 1, GOOD);
	}
	if (spot->argument == 16)
		set_length(spot, 1, GOOD);
}

static void table_with_next(struct spot *spot)
{
	post_table(spot, 2, 100, TABLE);
	flip_flags(spot, 0, VRING_DESC_F_NEXT);
}

static void table_in_table(struct spot *spot)
{
	post_table(spot, 2, 40, TABLE);
	flip_flags(spot, 1 + spot->argument, VRING_DESC_F_INDIRECT);
	if (spot->argument == 1)
		set_length(spot, 2, 16);
}

static void table_behind(struct spot *spot)
{
	post(spot, 2, 40);
	flip_flags(spot, 1, VRING_DESC_F_INDIRECT | spot->argument);
	set_length(spot, 1, 16);
	set_address(spot, 1, TABLE);
	rig_put_descriptor(spot->driver, TABLE, &(struct rig_piece){PLACE, GOOD},
	                   rig_direction(spot->driver), 0);
}

static void table_with_direction(struct spot *spot)
{
	post_table(spot, 2, 100, TABLE);
	flip_flags(spot, 0, VRING_DESC_F_WRITE);
}

static void direction(struct spot *spot)
{
	post(spot, 3, 40);
	flip_flags(spot, spot->argument, VRING_DESC_F_WRITE);
}

static void direction_alone(struct spot *spot)
{
	post(spot, 1, GOOD);
	flip_flags(spot, 0, VRING_DESC_F_WRITE);
}

static void direction_in_table(struct spot *spot)
{
	post_table(spot, 2, 40, TABLE);
	flip_flags(spot, spot->argument, VRING_DESC_F_WRITE);
}

/* Some bytes before, at and behind borders of memory; in one piece, and as the last piece. */
static const struct {
	uint64_t address;
	uint32_t length;
	bool legal;
} places[] = {
        {RIG_DATA, 72, true},
        {RIG_DATA - 1, 72, false},
        {RIG_DATA + DATA_SIZE - 1, 72, true},
        {END - 72, 72, true},
        {END - 71, 72, false},
        {END - 1, 72, false},
        {END, 72, false},
        {END - 72, 0xffffffff, false},
        {0, 72, false},
        {UINT64_MAX, 72, false},
        {UINT64_MAX - 71, 72, false},
        {UINT64_MAX - 70, 72, false},
        {RIG_DATA + (1ULL << 63), 72, false},
};

static void place(struct spot *spot)
{
	post(spot, 1, 72);
	set_address(spot, 0, places[spot->argument].address);
	set_length(spot, 0, places[spot->argument].length);
}

static void place_in_chain(struct spot *spot)
{
	post(spot, 2, 0);
	set_address(spot, 1, places[spot->argument].address);
	set_length(spot, 1, places[spot->argument].length);
}

static void place_in_table(struct spot *spot)
{
	post_table(spot, 2, 0, TABLE);
	set_address(spot, 2, places[spot->argument].address);
	set_length(spot, 2, places[spot->argument].length);
}

static const struct {
	uint64_t address;
	bool legal;
} tables[] = {
        {RIG_DATA, true},
        {RIG_DATA - 1, false},
        {END - 48, true},
        {END - 47, false},
        {END - 32, false},
        {END, false},
        {RIG_DATA + DATA_SIZE - 1, true},
        {RIG_DATA + DATA_SIZE - 8, true},
        {RIG_DATA + DATA_SIZE - 17, true},
        {UINT64_MAX, false},
        {UINT64_MAX - 47, false},
        {UINT64_MAX - 46, false},
        {1, false},
};

static void table_at(struct spot *spot)
{
	uint64_t at = tables[spot->argument].address;
	bool legal = tables[spot->argument].legal;
	uint8_t table[48];

	post_table(spot, 3, 30, legal ? at : TABLE);
	set_address(spot, 0, at);
	if (legal)
		return;
	/* As much of it as is in memory. */
	rig_read(&spot->driver->memory, TABLE, table, sizeof(table));
	for (uint64_t i = 0; i < sizeof(table); i++)
		if (at + i >= RIG_DATA && at + i < END)
			rig_write(&spot->driver->memory, at + i, &table[i], 1);
}

static void short_buffer(struct spot *spot)
{
	post(spot, 1, spot->argument);
}

static void short_chain(struct spot *spot)
{
	post(spot, 2, spot->argument / 2);
	set_length(spot, 1, spot->argument - spot->argument / 2);
}

static void short_table(struct spot *spot)
{
	post_table(spot, 2, spot->argument / 2, TABLE);
	set_length(spot, 2, spot->argument - spot->argument / 2);
}

/* --- each of them, everywhere -----------------------------------------------------------------
 */

enum {
	S = 1, /* split */
	P = 2, /* packed */
	T = 4, /* to the guest */
	F = 8, /* from it */
	NO_INDIRECT = 16,
	REFUSED = 32, /* it will never fit, which is no fault */
};

struct fault_case {
	void (*prepare)(struct spot *spot);
	uint32_t argument;
	unsigned where;
	enum virtqueue_fault fault;
};

static void expect_used(struct rig_driver *driver, uint32_t n)
{
	uint32_t written;

	for (uint32_t i = 0; i < n; i++)
		rig_expect(rig_collect(driver, &written) != NULL);
	rig_expect(driver->virtqueue.at.index == (driver->view.is_packed ? n % SIZE : n));
}

static void run_case(const struct fault_case *c, unsigned kind, uint32_t good)
{
	struct rig_ring_config config = {.packed = (kind & P) != 0,
	                                 .to_guest = (kind & T) != 0,
	                                 .size = SIZE,
	                                 .no_indirect = (c->where & NO_INDIRECT) != 0,
	                                 .data_size = DATA_SIZE,
	                                 .logged = true};
	struct rig_driver *driver = rig_driver_open(&config);
	struct rig_pool *pool = rig_pool_open(64, 2048);
	struct spot spot = {.driver = driver, .argument = c->argument};
	bool broken = c->fault != FAULT_NONE || (c->where & REFUSED) != 0;
	struct memory before;

	for (uint32_t i = 0; i < good; i++)
		rig_post_one(driver, RIG_DATA + 0x1000 + i * GOOD, GOOD);
	c->prepare(&spot);
	rig_memory_copy(&before, &driver->memory);
	rig_expect(walk(driver, pool) == good + !broken);
	rig_expect(rig_fault(driver) == c->fault);
	rig_expect(driver->virtqueue.refused == ((c->where & REFUSED) != 0));
	rig_log_expect_changes(&driver->view.log, &driver->memory, &before);
	if (broken) {
		uint32_t written;

		expect_used(driver, good);
		rig_expect(rig_collect(driver, &written) == NULL);
	}
	rig_memory_free(&before);
	rig_pool_close(pool);
	rig_driver_close(driver);
}

static void run(const struct fault_case *c)
{
	for (unsigned packed = 0; packed < 2; packed++)
		for (unsigned to_guest = 0; to_guest < 2; to_guest++) {
			unsigned kind = (packed ? P : S) | (to_guest ? T : F);

			for (uint32_t good = 0; good <= 3 && (kind & c->where) == kind; good++)
				run_case(c, kind, good);
		}
}

START_TEST(rules)
{
	static const struct fault_case cases[] = {
	        {entry, SIZE - 1, S | T | F, FAULT_NONE},
	        {entry, SIZE, S | T | F, FAULT_HEAD},
	        {entry, 0xffff, S | T | F, FAULT_HEAD},
	        {next, SIZE - 1, S | T | F, FAULT_NONE},
	        {next, SIZE, S | T | F, FAULT_NEXT},
	        {next, 0xffff, S | T | F, FAULT_NEXT},
	        {next_in_table, 1, S | T | F, FAULT_NONE},
	        {next_in_table, 3, S | T | F, FAULT_NEXT},
	        {next_in_table, 0xffff, S | T | F, FAULT_NEXT},
	        {loop_of_one, 0, S | T | F, FAULT_CHAIN},
	        {loop_of_one, 1, S | T | F, FAULT_CHAIN},
	        {loop_of_two, 0, S | T | F, FAULT_CHAIN},
	        {loop_of_two, 1, S | T | F, FAULT_CHAIN},
	        {loop_in_table, 0, S | T | F, FAULT_CHAIN},
	        {loop_in_table, 1, S | T | F, FAULT_CHAIN},
	        {chain_into_nowhere, 0, P | T | F, FAULT_CHAIN},
	        {chain_into_nowhere, 0, S | T | F, FAULT_NEXT},
	        {table_of, 16, S | P | T | F, FAULT_NONE},
	        {table_of, 16 * SIZE, S | P | T | F, FAULT_NONE},
	        {table_of, 16 * SIZE, S | P | T | F | NO_INDIRECT, FAULT_INDIRECT},
	        {table_of, 0, S | P | T | F, FAULT_INDIRECT},
	        {table_of, 1, S | P | T | F, FAULT_INDIRECT},
	        {table_of, 15, S | P | T | F, FAULT_INDIRECT},
	        {table_of, 17, S | P | T | F, FAULT_INDIRECT},
	        {table_of, 16 * SIZE + 1, S | P | T | F, FAULT_INDIRECT},
	        {table_of, 16 * SIZE + 16, S | P | T | F, FAULT_INDIRECT},
	        {table_of, 0x100010, S | P | T | F, FAULT_INDIRECT},
	        {table_of, 0xfffffff0, S | P | T | F, FAULT_INDIRECT},
	        {table_with_next, 0, S | P | T | F, FAULT_INDIRECT},
	        {table_with_direction, 0, S | P | T | F, FAULT_NONE},
	        {table_in_table, 0, S | P | T | F, FAULT_INDIRECT},
	        {table_in_table, 1, S | P | T | F, FAULT_INDIRECT},
	        {table_behind, 0, S | T | F, FAULT_NONE},
	        {table_behind, 0, S | T | F | NO_INDIRECT, FAULT_INDIRECT},
	        {table_behind, 0, P | T | F, FAULT_INDIRECT},
	        {table_behind, VRING_DESC_F_NEXT, S | P | T | F, FAULT_INDIRECT},
	        {direction_alone, 0, S | P | T | F, FAULT_DIRECTION},
	        {direction, 0, S | P | T | F, FAULT_DIRECTION},
	        {direction, 1, S | P | T | F, FAULT_DIRECTION},
	        {direction, 2, P | T | F, FAULT_DIRECTION},
	        {direction, 2, S | F, FAULT_DIRECTION},
	        {direction, 2, S | T, FAULT_NONE}, /* nobody gets there */
	        {direction_in_table, 1, S | T | F, FAULT_DIRECTION},
	        {direction_in_table, 2, S | T | F, FAULT_DIRECTION},
	        {direction_in_table, 1, P | T, FAULT_DIRECTION},
	        {direction_in_table, 2, P | T, FAULT_DIRECTION},
	        {direction_in_table, 1, P | F, FAULT_NONE}, /* DPDK's driver does that */
	        {direction_in_table, 2, P | F, FAULT_NONE},
	        {short_buffer, 12, S | P | F, FAULT_NONE},
	        {short_buffer, 0, S | P | F, FAULT_NONE},
	        {short_buffer, 0, S | P | T, FAULT_SHORT_BUFFER},
	        {short_buffer, 11, S | P | T, FAULT_SHORT_BUFFER},
	        {short_buffer, 12, S | P | T | REFUSED, FAULT_NONE},
	        {short_chain, 0, S | P | T, FAULT_SHORT_BUFFER},
	        {short_chain, 11, S | P | T, FAULT_SHORT_BUFFER},
	        {short_chain, 12, S | P | T | REFUSED, FAULT_NONE},
	        {short_table, 0, S | P | T, FAULT_SHORT_BUFFER},
	        {short_table, 11, S | P | T, FAULT_SHORT_BUFFER},
	        {short_table, 12, S | P | T | REFUSED, FAULT_NONE},
	};

	for (unsigned i = 0; i < RTE_DIM(cases); i++)
		run(&cases[i]);
}
END_TEST

START_TEST(addresses)
{
	static void (*const prepares[])(struct spot * spot) = {place, place_in_chain,
	                                                       place_in_table};

	for (unsigned i = 0; i < RTE_DIM(places); i++)
		for (unsigned k = 0; k < RTE_DIM(prepares); k++) {
			struct fault_case c = {prepares[k], i, S | P | T | F, FAULT_ADDRESS};

			if (places[i].legal)
				c.fault = FAULT_NONE;
			/* No frame needs so much that anybody would look where it ends. */
			if (places[i].length == 0xffffffff) {
				c.where = S | P | T;
				c.fault = FAULT_NONE;
			}
			run(&c);
		}
	for (unsigned i = 0; i < RTE_DIM(tables); i++) {
		struct fault_case c = {table_at, i, S | P | T | F, FAULT_ADDRESS};

		if (tables[i].legal)
			c.fault = FAULT_NONE;
		run(&c);
	}
}
END_TEST

START_TEST(texts)
{
	for (unsigned i = 0; i <= VIRTQUEUE_FAULTS; i++) {
		const char *text = virtqueue_fault_text((enum virtqueue_fault)i);

		ck_assert_ptr_nonnull(text);
		for (unsigned k = 0; k < i; k++)
			ck_assert_str_ne(text, virtqueue_fault_text((enum virtqueue_fault)k));
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("faults");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, rules);
	tcase_add_test(tcase, addresses);
	tcase_add_test(tcase, texts);
	return suite_main("faults", tcase);
}
