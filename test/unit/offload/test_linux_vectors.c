/* What Linux makes of frames that ask for offloads, and what we do: byte for byte the same. The
 * table says what Linux made, and make-vectors made the table.
 */
#include "offload_train.h"
#include "suite.h"

#define POOL_MBUFS 2048

struct linux_piece {
	const char *headers; /* in hexadecimal */
	uint16_t payload;
};

struct linux_vector {
	const char *name;
	struct virtio_net_hdr header;
	const char *headers;
	uint16_t payload;
	unsigned n;
	struct linux_piece pieces[12];
};

#include "linux_vectors.h"

static struct rig_pool *pool;

static uint32_t unhex(const char *text, uint8_t *bytes)
{
	uint32_t n = 0;

	for (; text[0] != '\0'; text += 2, n++) {
		const char digits[3] = {text[0], text[1], '\0'};

		bytes[n] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return n;
}

static uint32_t make_bytes(const char *headers, uint32_t at, uint32_t payload, uint8_t *bytes)
{
	uint32_t n = unhex(headers, bytes);

	for (uint32_t i = 0; i < payload; i++)
		bytes[n + i] = rig_frame_byte(0, at + i);
	return n + payload;
}

static void expect_piece(const struct linux_vector *vector, unsigned i, uint32_t at,
                         struct rte_mbuf *pkt)
{
	static uint8_t expected[RIG_OFFLOAD_BYTES], bytes[RIG_OFFLOAD_BYTES];
	const struct linux_piece *piece = &vector->pieces[i];
	uint32_t length = make_bytes(piece->headers, at, piece->payload, expected);
	struct naive_packet packet;

	ck_assert_msg(rig_bytes(pkt, bytes) == length, "%s: piece %u has %u bytes, Linux's %u",
	              vector->name, i, pkt->pkt_len, length);
	ck_assert(naive_read(expected, length, &packet));
	/* Both choose a number for them at random. */
	if (packet.is_fragment && packet.version == 6)
		memcpy(expected + packet.l4_at - 4, bytes + packet.l4_at - 4, 4);
	for (uint32_t byte = 0; byte < length; byte++)
		ck_assert_msg(bytes[byte] == expected[byte],
		              "%s: piece %u: byte %u is %02x, Linux's %02x", vector->name, i, byte,
		              bytes[byte], expected[byte]);
}

/* Software does it all, in slices of so many pieces. */
static void expect_vector(const struct linux_vector *vector, uint32_t first, uint32_t others,
                          uint16_t slice)
{
	const struct header_terms terms = {.features = UINT64_MAX, .max_frame = 9500};
	static uint8_t bytes[RIG_OFFLOAD_BYTES];
	struct rte_mbuf *pieces[12], *pkt;
	struct segmenter segmenter = {0};
	struct offload offload;
	unsigned n = 1;

	uint32_t length = make_bytes(vector->headers, 0, vector->payload, bytes);
	pkt = pieces[0] = rig_mbufs(pool, bytes, length, first, others);
	header_judge(&vector->header, &terms, pkt, &offload);
	ck_assert_msg(offload.way == (vector->n > 1 ? OFFLOAD_SEGMENT : OFFLOAD_CHECKSUM),
	              "%s: way %u, %s", vector->name, offload.way,
	              offload_fault_text(offload.fault));
	if (offload.way == OFFLOAD_CHECKSUM) {
		header_complete(pkt, &offload);
	} else {
		segment_begin(&segmenter, pkt, &offload);
		for (n = 0; !segment_is_done(&segmenter);)
			n += segment_next(&segmenter, pool->pool, pieces + n,
			                  (uint16_t)RTE_MIN(slice, 12 - n));
	}
	ck_assert_uint_eq(n, vector->n);
	for (uint32_t i = 0, at = 0; i < n; at += vector->pieces[i++].payload)
		expect_piece(vector, i, at, pieces[i]);
	rte_pktmbuf_free_bulk(pieces, n);
	ck_assert_uint_eq(pool->n_free, POOL_MBUFS);
}

/* Wherever the frame is cut behind its headers. */
START_TEST(all_as_linux)
{
	static const uint16_t others[] = {2048, 1, 7, 64, 333, 1000};
	const struct linux_vector *vector = &linux_vectors[_i];
	uint32_t headers = (uint32_t)strlen(vector->headers) / 2;

	for (unsigned i = 0; i < RTE_DIM(others); i++) {
		if (vector->payload / others[i] > POOL_MBUFS / 2)
			continue;
		expect_vector(vector, headers, others[i], 12);
		expect_vector(vector, headers + 1, others[i], 1);
		expect_vector(vector, 2048, others[i], 5);
	}
	/* A checksum is completed wherever the headers are cut, too. */
	for (uint32_t first = 1; vector->header.gso_type == 0 && first < headers; first++)
		expect_vector(vector, first, 1 + first % 5, 1);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	pool = rig_pool_open(POOL_MBUFS, 2048);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, all_as_linux, 0, RTE_DIM(linux_vectors));
	return suite_main("linux_vectors", tcase);
}
