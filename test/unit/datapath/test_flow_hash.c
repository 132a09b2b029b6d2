/* Which packets count as one flow, which do not, and that no byte beyond a packet's end is read:
 * every frame stands right before a page that cannot be read.
 */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "datapath/flow_hash.h"
#include "suite.h"

#define FRAME_MAX 400

/* --- frames ---------------------------------------------------------------------------------- */

struct frame {
	uint8_t data[FRAME_MAX];
	uint32_t length;
};

/* Called millions of times, for which libcheck's assertions are too slow: it notes down each one
 * that holds. */
static void put(struct frame *frame, const void *data, uint32_t length)
{
	if (frame->length + length > FRAME_MAX)
		ck_abort_msg("FRAME_MAX is too low");
	memcpy(&frame->data[frame->length], data, length);
	frame->length += length;
}

static void put8(struct frame *frame, uint8_t value)
{
	put(frame, &value, 1);
}

static void put16(struct frame *frame, uint16_t value)
{
	value = rte_cpu_to_be_16(value);
	put(frame, &value, 2);
}

static void put_zeros(struct frame *frame, uint32_t n)
{
	static const uint8_t zeros[FRAME_MAX];

	put(frame, zeros, n);
}

/* What a test varies; the rest is always the same. */
struct what {
	uint8_t mac; /* last byte of the sender's */
	uint16_t tags[3];
	unsigned n_tags;
	uint16_t type; /* 0: IP */
	unsigned version;
	uint32_t source, target; /* the addresses' last four bytes */
	uint8_t protocol;
	uint16_t ports[2];
	uint16_t fragment; /* IPv4's flags and offset */
	uint8_t ttl;
	unsigned options;          /* bytes of IPv4 options */
	const uint8_t *extensions; /* IPv6: type and length in bytes, by pairs, up to a 0 length */
	uint8_t payload;
};

static const struct what udp4 = {.version = 4,
                                 .source = 0x0a000001,
                                 .target = 0x0a000002,
                                 .protocol = IPPROTO_UDP,
                                 .ports = {1000, 2000},
                                 .ttl = 64,
                                 .payload = 20};
static const struct what udp6 = {.version = 6,
                                 .source = 1,
                                 .target = 2,
                                 .protocol = IPPROTO_UDP,
                                 .ports = {1000, 2000},
                                 .ttl = 64,
                                 .payload = 20};

static void put32(struct frame *frame, uint32_t value)
{
	put16(frame, (uint16_t)(value >> 16));
	put16(frame, (uint16_t)value);
}

static void put_ipv4(struct frame *frame, const struct what *what)
{
	put8(frame, (uint8_t)(0x40 | (5 + what->options / 4)));
	put8(frame, 0);
	put16(frame, (uint16_t)(28 + what->options + what->payload));
	put16(frame, (uint16_t)(what->ttl * 77)); /* the identification differs too */
	put16(frame, what->fragment);
	put8(frame, what->ttl);
	put8(frame, what->protocol);
	put16(frame, 0);
	put32(frame, what->source);
	put32(frame, what->target);
	put_zeros(frame, what->options);
}

static void put_ipv6(struct frame *frame, const struct what *what)
{
	const uint8_t *next = what->extensions;

	put32(frame, 0x60000000u + what->ttl); /* so the flow label differs too */
	put16(frame, 8);
	put8(frame, next != NULL && next[1] != 0 ? next[0] : what->protocol);
	put8(frame, what->ttl);
	put_zeros(frame, 12);
	put32(frame, what->source);
	put_zeros(frame, 12);
	put32(frame, what->target);
	for (; next != NULL && next[1] != 0; next += 2) {
		put8(frame, next[3] != 0 ? next[2] : what->protocol);
		/* The authentication header counts in words, less two. */
		put8(frame,
		     next[0] == 51 ? (uint8_t)(next[1] / 4 - 2) : (uint8_t)(next[1] / 8 - 1));
		put_zeros(frame, next[1] - 2u);
	}
}

static struct frame frame_of(const struct what *what)
{
	static const uint8_t macs[11] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0};
	struct frame frame = {.length = 0};

	put(&frame, macs, sizeof(macs));
	put8(&frame, what->mac);
	for (unsigned i = 0; i < what->n_tags; i++) {
		put16(&frame, what->tags[i]);
		put16(&frame, (uint16_t)(100 + i));
	}
	if (what->type != 0) {
		put16(&frame, what->type);
	} else if (what->version == 4) {
		put16(&frame, 0x0800);
		put_ipv4(&frame, what);
	} else {
		put16(&frame, 0x86dd);
		put_ipv6(&frame, what);
	}
	put16(&frame, what->ports[0]);
	put16(&frame, what->ports[1]);
	put_zeros(&frame, 4u + what->payload);
	return frame;
}

/* --- hashing, up against the edge ------------------------------------------------------------ */

static uint8_t *edge; /* nothing can be read from here on */

static void set_up(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *pages =
	        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(pages, MAP_FAILED);
	edge = pages + page;
	ck_assert_int_eq(mprotect(edge, page, PROT_NONE), 0);
}

static void tear_down(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	munmap(edge - page, 2 * page);
}

static uint32_t hash_bytes(const uint8_t *data, uint32_t length)
{
	memcpy(edge - length, data, length);
	return flow_hash_frame(edge - length, length);
}

static uint32_t hash_of(const struct what *what)
{
	struct frame frame = frame_of(what);

	return hash_bytes(frame.data, frame.length);
}

static void expect_same(const struct what *a, const struct what *b)
{
	ck_assert_uint_eq(hash_of(a), hash_of(b));
}

static void expect_different(const struct what *a, const struct what *b)
{
	ck_assert_uint_ne(hash_of(a), hash_of(b));
}

/* `changed` is what there is with some fields set otherwise. */
#define with(from, ...)                        \
	({                                     \
		struct what changed_ = (from); \
		struct what *w = &changed_;    \
		__VA_ARGS__;                   \
		changed_;                      \
	})

#define same(from, ...)                                        \
	do {                                                   \
		struct what changed = with(from, __VA_ARGS__); \
		expect_same(&(from), &changed);                \
	} while (0)

#define different(from, ...)                                   \
	do {                                                   \
		struct what changed = with(from, __VA_ARGS__); \
		expect_different(&(from), &changed);           \
	} while (0)

/* --- flows ----------------------------------------------------------------------------------- */

START_TEST(ipv4)
{
	same(udp4, w->ttl = 3);
	same(udp4, w->mac = 3);
	same(udp4, w->payload = 200);
	same(udp4, w->options = 4);
	same(udp4, w->options = 40);
	same(udp4, w->fragment = 0x4000); /* don't fragment */
	different(udp4, w->source++);
	different(udp4, w->target++);
	different(udp4, w->ports[0]++);
	different(udp4, w->ports[1]++);
	different(udp4, w->protocol = IPPROTO_TCP);
	different(udp4, w->source = udp4.target, w->target = udp4.source);
}
END_TEST

START_TEST(ipv6)
{
	same(udp6, w->ttl = 3);
	same(udp6, w->mac = 3);
	same(udp6, w->payload = 200);
	different(udp6, w->source++);
	different(udp6, w->target++);
	different(udp6, w->ports[0]++);
	different(udp6, w->ports[1]++);
	different(udp6, w->protocol = IPPROTO_TCP);
}
END_TEST

START_TEST(protocols_with_ports_and_without)
{
	static const uint8_t ports[] = {6, 17, 33, 50, 132, 136}, none[] = {1, 2, 47, 58, 59, 89};
	const struct what *of[] = {&udp4, &udp6};

	for (unsigned v = 0; v < 2; v++) {
		for (unsigned i = 0; i < sizeof(ports); i++) {
			struct what base = with(*of[v], w->protocol = ports[i]);

			different(base, w->ports[1]++);
		}
		for (unsigned i = 0; i < sizeof(none); i++) {
			struct what base = with(*of[v], w->protocol = none[i]);

			same(base, w->ports[0]++);
			same(base, w->ports[1]++);
			different(base, w->source++);
		}
	}
}
END_TEST

START_TEST(tags_are_looked_through)
{
	const struct what *of[] = {&udp4, &udp6};

	for (unsigned v = 0; v < 2; v++) {
		same(*of[v], w->n_tags = 1, w->tags[0] = 0x8100);
		same(*of[v], w->n_tags = 2, w->tags[0] = 0x88a8, w->tags[1] = 0x8100);
		same(*of[v], w->n_tags = 2, w->tags[0] = 0x9100, w->tags[1] = 0x8100);
	}
	/* More than two: whatever it is, it goes by the MAC addresses. */
	struct what three =
	        with(udp4, w->n_tags = 3, w->tags[0] = w->tags[1] = w->tags[2] = 0x8100);
	same(three, w->source++);
	different(three, w->mac++);
}
END_TEST

/* But the first has no ports. */
START_TEST(fragments_of_a_datagram_stay_together)
{
	struct what first = with(udp4, w->fragment = 0x2000);
	uint8_t extension[] = {44, 8, 0, 0};
	struct what six = with(udp6, w->extensions = extension);

	same(first, w->fragment = 0x2001, w->ports[0] = 0x1234, w->ports[1] = 7);
	same(first, w->fragment = 0x00b9, w->ports[0] = 1); /* the last one */
	same(first, w->fragment = 0x1fff, w->protocol = IPPROTO_TCP);
	different(first, w->source++);
	same(six, w->ports[0] = 1, w->ports[1] = 2);
	different(six, w->target++);
}
END_TEST

START_TEST(ipv6_extensions)
{
	static const uint8_t chains[][24] = {
	        {0, 8, 0, 0},
	        {43, 24, 0, 0},
	        {60, 64, 0, 0},
	        {51, 24, 0, 0},
	        {135, 16, 0, 0},
	        {139, 40, 0, 0},
	        {140, 8, 0, 0},
	        {0, 8, 60, 16, 43, 24, 51, 12, 60, 8, 0, 0},
	        {0, 8, 60, 8, 60, 8, 60, 8, 60, 8, 60, 8, 60, 8, 60, 8, 0, 0},
	};
	static const uint8_t too_many[] = {0,  8, 60, 8, 60, 8, 60, 8, 60, 8,
	                                   60, 8, 60, 8, 60, 8, 60, 8, 0,  0};
	static const uint8_t hidden[] = {0, 8, 60, 8, 44, 8, 0, 0};

	for (unsigned i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
		same(udp6, w->extensions = chains[i]);
	struct what long_chain = with(udp6, w->extensions = too_many);
	same(long_chain, w->ports[0]++); /* the search has an end */
	struct what fragment = with(udp6, w->extensions = hidden);
	same(fragment, w->ports[0]++);
	different(fragment, w->source++);
}
END_TEST

START_TEST(anything_else_by_its_mac_addresses)
{
	struct what arp = with(udp4, w->type = 0x0806);

	same(arp, w->ports[0]++);
	different(arp, w->mac++);
}
END_TEST

/* --- what is not as it should be ------------------------------------------------------------- */

/* A version or a header length that cannot be: by what is known. */
START_TEST(malformed_headers)
{
	struct frame frame = frame_of(&udp4), other = frame_of(&udp4);

	other.data[30]++; /* an address */
	frame.data[14] = other.data[14] = 0x65;
	ck_assert_uint_eq(hash_bytes(frame.data, frame.length),
	                  hash_bytes(other.data, other.length));
	frame.data[14] = 0x44; /* four words of header */
	other = frame;
	other.data[34]++; /* a port */
	ck_assert_uint_eq(hash_bytes(frame.data, frame.length),
	                  hash_bytes(other.data, other.length));
	other.data[30]++;
	ck_assert_uint_ne(hash_bytes(frame.data, frame.length),
	                  hash_bytes(other.data, other.length));
}
END_TEST

/* Cut at any byte, it is hashed by what is left: by all once the ports are there. */
START_TEST(cut_at_any_byte)
{
	static const uint8_t chain[] = {0, 8, 60, 16, 51, 24, 0, 0};
	struct what frames[] = {udp4, with(udp4, w->options = 12),
	                        with(udp4, w->n_tags = 2, w->tags[0] = 0x88a8, w->tags[1] = 0x8100),
	                        udp6, with(udp6, w->extensions = chain)};

	for (unsigned i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct frame frame = frame_of(&frames[i]);
		uint32_t ports_end = frame.length - 4 - frames[i].payload;
		uint32_t whole = hash_bytes(frame.data, frame.length);

		for (uint32_t length = 0; length <= frame.length; length++) {
			uint32_t hash = hash_bytes(frame.data, length);

			ck_assert((hash == whole) == (length >= ports_end));
		}
	}
}
END_TEST

static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33);
}

/* Frames with a few bytes that are wrong, of any length: the page behind them is the judge. */
START_TEST(anything_at_all)
{
	static const uint8_t chain[] = {0, 8, 60, 16, 43, 24, 0, 0};
	struct what bases[] = {udp4, udp6, with(udp6, w->extensions = chain),
	                       with(udp4, w->n_tags = 1, w->tags[0] = 0x8100)};
	uint64_t random = 1;

	for (unsigned i = 0; i < 400000; i++) {
		struct frame frame = frame_of(&bases[i % 4]);
		uint32_t length = next_random(&random) % (frame.length + 1);

		for (unsigned n = next_random(&random) % 6; n > 0; n--)
			frame.data[12 + next_random(&random) % (frame.length - 12)] =
			        (uint8_t)next_random(&random);
		uint32_t hash = hash_bytes(frame.data, length);
		if (hash != flow_hash_frame(frame.data, length))
			ck_abort_msg("the same bytes hash differently");
	}
}
END_TEST

/* --- packets --------------------------------------------------------------------------------- */

/* The frame in pieces, each before the edge of its own memory. */
static uint32_t hash_pieces(const struct frame *frame, const uint32_t *ends, unsigned n)
{
	struct rte_mbuf segments[3];
	uint8_t *memory[3];
	uint32_t begin = 0, hash;

	memset(segments, 0, sizeof(segments));
	for (unsigned i = 0; i < n; i++) {
		uint32_t length = ends[i] - begin;

		memory[i] = malloc(length > 0 ? length : 1); /* address sanitizers watch its end */
		ck_assert_ptr_nonnull(memory[i]);
		memcpy(memory[i], &frame->data[begin], length);
		segments[i].buf_addr = memory[i];
		segments[i].data_len = (uint16_t)length;
		segments[i].next = i + 1 < n ? &segments[i + 1] : NULL;
		begin = ends[i];
	}
	segments[0].nb_segs = (uint16_t)n;
	segments[0].pkt_len = frame->length;
	hash = flow_hash(&segments[0]);
	for (unsigned i = 0; i < n; i++)
		free(memory[i]);
	return hash;
}

START_TEST(headers_in_pieces)
{
	static const uint8_t chain[] = {0, 8, 60, 16, 51, 24, 0, 0};
	struct what frames[] = {udp4, with(udp6, w->extensions = chain, w->payload = 200)};

	for (unsigned i = 0; i < 2; i++) {
		struct frame frame = frame_of(&frames[i]);
		uint32_t whole = hash_bytes(frame.data, frame.length);
		uint32_t ends[] = {frame.length, frame.length, frame.length};

		ck_assert_uint_eq(hash_pieces(&frame, ends, 1), whole);
		for (ends[0] = 0; ends[0] <= frame.length; ends[0]++)
			for (ends[1] = ends[0]; ends[1] <= frame.length; ends[1] += 7)
				ck_assert_uint_eq(hash_pieces(&frame, ends, 3), whole);
	}
}
END_TEST

/* Whatever a chain's lengths say, nothing is read that is not there. */
START_TEST(a_chain_shorter_than_it_says)
{
	struct frame frame = frame_of(&udp4);
	uint32_t ends[] = {10, 20};

	(void)hash_pieces(&frame, ends, 2); /* pkt_len is the whole frame's */
}
END_TEST

START_TEST(the_nics_hash_is_taken)
{
	struct frame frame = frame_of(&udp4);
	struct rte_mbuf pkt = {.buf_addr = frame.data,
	                       .data_len = (uint16_t)frame.length,
	                       .pkt_len = frame.length,
	                       .nb_segs = 1,
	                       .hash.rss = 0x1234};
	uint32_t ours = flow_hash(&pkt), theirs;

	pkt.ol_flags = RTE_MBUF_F_RX_RSS_HASH;
	theirs = flow_hash(&pkt);
	ck_assert_uint_ne(ours, theirs);
	frame.data[37]++; /* another flow, but the NIC knows better */
	ck_assert_uint_eq(flow_hash(&pkt), theirs);
	pkt.hash.rss++;
	ck_assert_uint_ne(flow_hash(&pkt), theirs);
}
END_TEST

/* --- how even it is -------------------------------------------------------------------------- */

/* Chance alone leaves a share within five standard deviations of its mean. */
static void expect_even(const uint32_t *hashes, uint32_t n)
{
	for (uint32_t queues = 2; queues <= 32; queues++) {
		double mean = (double)n / queues;
		uint32_t count[32] = {0};

		for (uint32_t i = 0; i < n; i++)
			count[flow_hash_pick(hashes[i], queues)]++;
		for (uint32_t q = 0; q < queues; q++) {
			double off = count[q] - mean;

			ck_assert_msg(off * off <= 25 * mean, "%u of %u in queue %u of %u",
			              count[q], n, q, queues);
		}
	}
}

START_TEST(flows_spread_evenly)
{
	enum { N = 8192 };
	static uint32_t hashes[N];
	struct what what;

	for (unsigned version = 4; version <= 6; version += 2)
		for (unsigned kind = 0; kind < 4; kind++) {
			for (unsigned i = 0; i < N; i++) {
				what = version == 4 ? udp4 : udp6;
				what.ports[0] = (uint16_t)(what.ports[0] + (kind == 0 ? i : 0));
				what.ports[1] = (uint16_t)(what.ports[1] + (kind == 1 ? i : 0));
				what.source += kind == 2 ? i : 0;
				what.target += kind == 3 ? i << 8 : 0;
				hashes[i] = hash_of(&what);
			}
			expect_even(hashes, N);
		}
}
END_TEST

/* NICs differ: 16 bits of hash, or the bits left when the low ones have chosen the VF's queue. */
START_TEST(the_nics_hash_spreads_evenly)
{
	enum { N = 8192 };
	static uint32_t hashes[N];

	for (unsigned shift = 0; shift <= 16; shift += 8) {
		for (uint32_t i = 0; i < N; i++) {
			struct rte_mbuf pkt = {.ol_flags = RTE_MBUF_F_RX_RSS_HASH,
			                       .hash.rss = i << shift};

			hashes[i] = flow_hash(&pkt);
		}
		expect_even(hashes, N);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, ipv4);
	tcase_add_test(tcase, ipv6);
	tcase_add_test(tcase, protocols_with_ports_and_without);
	tcase_add_test(tcase, tags_are_looked_through);
	tcase_add_test(tcase, fragments_of_a_datagram_stay_together);
	tcase_add_test(tcase, ipv6_extensions);
	tcase_add_test(tcase, anything_else_by_its_mac_addresses);
	tcase_add_test(tcase, malformed_headers);
	tcase_add_test(tcase, cut_at_any_byte);
	tcase_add_test(tcase, anything_at_all);
	tcase_add_test(tcase, headers_in_pieces);
	tcase_add_test(tcase, a_chain_shorter_than_it_says);
	tcase_add_test(tcase, the_nics_hash_is_taken);
	tcase_add_test(tcase, flows_spread_evenly);
	tcase_add_test(tcase, the_nics_hash_spreads_evenly);
	return suite_main("flow_hash", tcase);
}
