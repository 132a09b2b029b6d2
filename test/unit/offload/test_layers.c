/* Headers found: where each stands, and what is not looked at when it is cut short. */
#include "offload_frames.h"
#include "suite.h"

#include "offload/layers.h"

static struct rig_pool *pool;
static uint8_t bytes[RIG_OFFLOAD_BYTES];
static struct layers layers;

/* In a first segment that ends with its buffer, where a sanitizer sees a byte too many. */
static void find(uint32_t length)
{
	struct rte_mbuf *pkt = rig_mbufs(pool, bytes, length, 2048, 2048);

	memset(&layers, 0xa5, sizeof(layers));
	layers_find(pkt, &layers);
	rte_pktmbuf_free(pkt);
}

static uint32_t make(const struct rig_spec *spec)
{
	uint32_t length = rig_put_frame(spec, bytes, NULL);

	find(length);
	return length;
}

/* All kinds, and all of them cut at each byte. */
START_TEST(every_kind_at_every_length)
{
	static const uint8_t protocols[] = {6, 17, 132};

	for (unsigned i = 0; i < 3 * 2 * 3 * 3; i++) {
		struct rig_spec spec = {.tags = i % 3,
		                        .version = i / 3 % 2 == 0 ? 4 : 6,
		                        .protocol = protocols[i / 6 % 3],
		                        .extensions = {0, 43, 60},
		                        .n_extensions = i / 18,
		                        .ip_options = i / 18 * 20,
		                        .tcp_options = i / 18 * 20,
		                        .payload = 3};
		bool ipv4 = spec.version == 4;
		uint32_t l2 = 14 + 4 * spec.tags, length = make(&spec), l4;
		uint32_t l3 = ipv4 ? 20 + spec.ip_options : 40 + 8 * spec.n_extensions;

		l4 = spec.protocol == 6 ? 20 + spec.tcp_options : spec.protocol == 17 ? 8 : 0;
		ck_assert_uint_eq(layers.l2_len, l2);
		ck_assert_uint_eq(layers.ip, ipv4 ? LAYERS_IPV4 : LAYERS_IPV6);
		ck_assert_uint_eq(layers.l3_len, l3);
		ck_assert_uint_eq(layers.protocol, spec.protocol);
		ck_assert_uint_eq(layers.l4_len, l4);
		ck_assert_uint_eq(layers.ip_says, length);
		ck_assert(!layers.fragment);
		ck_assert_int_eq(layers.extended, !ipv4 && spec.n_extensions > 0);
		for (uint32_t n = 1; n < l2 + l3 + l4; n++) {
			find(n);
			ck_assert_uint_eq(layers.l2_len, n < l2 ? 0 : l2);
			if (n < l2 + (ipv4 ? l3 : 40))
				ck_assert_uint_eq(layers.ip, LAYERS_NO_IP);
			ck_assert_uint_eq(layers.l4_len, 0);
			ck_assert_uint_le(layers.l2_len + layers.l3_len, n);
		}
	}
}
END_TEST

START_TEST(impossible_lengths)
{
	struct rig_spec spec = {.version = 4, .protocol = 17, .payload = 100};
	uint32_t length;

	for (unsigned words = 0; words < 16; words++) {
		length = make(&spec);
		bytes[14] = (uint8_t)(0x40 + words);
		find(length);
		ck_assert_uint_eq(layers.l3_len, words < 5 ? 0 : words * 4);
	}
	spec.protocol = 6;
	for (unsigned words = 0; words < 16; words++) {
		length = make(&spec);
		bytes[46] = (uint8_t)(words << 4);
		find(length);
		ck_assert_uint_eq(layers.l4_len, words < 5 ? 0 : words * 4);
	}
	/* A version that the type does not go with. */
	make(&spec);
	for (unsigned version = 0; version < 16; version++) {
		bytes[14] = (uint8_t)(version << 4 | 5);
		find(length);
		ck_assert_uint_eq(layers.ip, version == 4 ? LAYERS_IPV4 : LAYERS_NO_IP);
	}
}
END_TEST

START_TEST(tags)
{
	static const uint16_t types[] = {0x8100, 0x88a8, 0x9100, 0x8847};
	struct rig_spec spec = {.tags = 2, .version = 4, .protocol = 6, .payload = 10};

	for (unsigned outer = 0; outer < 4; outer++)
		for (unsigned inner = 0; inner < 4; inner++) {
			uint32_t length = make(&spec);

			rig_put_16(bytes + 12, types[outer]);
			rig_put_16(bytes + 16, types[inner]);
			find(length);
			ck_assert_uint_eq(layers.l2_len, outer == 3 ? 14 : inner == 3 ? 18 : 22);
			ck_assert_uint_eq(layers.ip,
			                  outer == 3 || inner == 3 ? LAYERS_NO_IP : LAYERS_IPV4);
		}
	spec.tags = 3;
	make(&spec);
	ck_assert_uint_eq(layers.l2_len, LAYERS_L2_MAX);
	ck_assert_uint_eq(layers.ip, LAYERS_NO_IP);
}
END_TEST

START_TEST(fragments)
{
	struct rig_spec spec = {.version = 4, .protocol = 17, .payload = 100};

	for (unsigned bit = 0; bit < 16; bit++) {
		spec.fragment = (uint16_t)(1U << bit);
		make(&spec);
		ck_assert_int_eq(layers.fragment, bit < 14);
		ck_assert_uint_eq(layers.l4_len, bit < 14 ? 0 : 8);
	}
	spec = (struct rig_spec){.version = 6,
	                         .protocol = 17,
	                         .payload = 100,
	                         .extensions = {0, 44, 60},
	                         .n_extensions = 3};
	make(&spec);
	ck_assert(layers.fragment && layers.extended);
	ck_assert_uint_eq(layers.l3_len, 48);
	ck_assert_uint_eq(layers.l4_len, 0);
}
END_TEST

/* Behind what each router has to see (RFC 8200, 4.5), in front of all else. */
START_TEST(place_of_a_fragment_header)
{
	static const struct {
		uint8_t extensions[4];
		unsigned n, before; /* how many stand in front */
	} rows[] = {{{0}, 0, 0},         {{0}, 1, 1},         {{60}, 1, 0},
	            {{43}, 1, 1},        {{0, 60}, 2, 1},     {{60, 43}, 2, 2},
	            {{0, 60, 43}, 3, 3}, {{0, 43, 60}, 3, 2}, {{0, 60, 43, 60}, 4, 3}};

	for (unsigned i = 0; i < RTE_DIM(rows); i++) {
		struct rig_spec spec = {.tags = i % 2, .version = 6, .protocol = 17, .payload = 9};
		uint32_t ip = 14 + 4 * (i % 2);

		memcpy(spec.extensions, rows[i].extensions, 4);
		spec.n_extensions = rows[i].n;
		make(&spec);
		ck_assert_uint_eq(layers.fragment_at, ip + 40 + 8 * rows[i].before);
		ck_assert_uint_eq(layers.next_at,
		                  rows[i].before == 0 ? ip + 6 : ip + 32 + 8 * rows[i].before);
		ck_assert_uint_eq(layers.l3_len, 40 + 8 * rows[i].n);
		ck_assert_uint_eq(layers.l4_len, 8);
	}
}
END_TEST

/* More of them than anybody needs are not walked, nor those whose place among them is not known. */
START_TEST(extension_headers)
{
	static const uint8_t others[] = {51, 135, 139, 140, 50, 59};
	struct rig_spec spec = {.version = 6, .protocol = 17, .payload = 9, .n_extensions = 8};
	uint32_t length;

	memset(spec.extensions, 60, sizeof(spec.extensions));
	length = make(&spec);
	ck_assert_uint_eq(layers.l4_len, 8);
	bytes[14 + 40 + 56] = 60; /* one more */
	find(length);
	ck_assert_uint_eq(layers.protocol, 60);
	ck_assert_uint_eq(layers.l4_len, 0);
	for (unsigned i = 0; i < RTE_DIM(others); i++) {
		spec.n_extensions = 1;
		spec.extensions[0] = others[i];
		make(&spec);
		ck_assert_uint_eq(layers.protocol, others[i]);
		ck_assert_int_eq(layers.extended, others[i] != 50 && others[i] != 59);
		ck_assert_uint_eq(layers.l4_len, 0);
	}
	/* All of it within LAYERS_MAX, whatever the segment has. */
	spec.extensions[0] = 60;
	spec.payload = 1500;
	length = make(&spec);
	memset(bytes + 14 + 48, 0, 1000);
	for (unsigned units = 0; units < 256; units++) {
		uint32_t at = 14 + 40 + (units + 1) * 8;

		bytes[14 + 41] = (uint8_t)units;
		find(length);
		ck_assert_uint_eq(layers.l4_len, at + 8 <= LAYERS_MAX ? 8 : 0);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	pool = rig_pool_open(64, 2048);
	tcase_add_test(tcase, every_kind_at_every_length);
	tcase_add_test(tcase, impossible_lengths);
	tcase_add_test(tcase, tags);
	tcase_add_test(tcase, fragments);
	tcase_add_test(tcase, place_of_a_fragment_header);
	tcase_add_test(tcase, extension_headers);
	return suite_main("layers", tcase);
}
