/* Completing checksums, held against sums that are made byte by byte. */
#include "offload_frames.h"
#include "suite.h"

#include "offload/checksum.h"

#define POOL_MBUFS 256

static struct rig_pool *pool;
static uint8_t bytes[RIG_OFFLOAD_BYTES], after[RIG_OFFLOAD_BYTES];

static void fill(uint32_t n, uint64_t *random)
{
	for (uint32_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)rig_random(random);
}

/* The frame but for the field, which is at an even place, is as it was. */
static void expect_sum(const struct rte_mbuf *pkt, uint32_t start, uint32_t offset)
{
	uint32_t length = rig_bytes(pkt, after), field = start + offset;

	/* With what was in the field before, the pseudo header's sum, it is right. */
	ck_assert_uint_eq(
	        (naive_sum(after + start, length - start) + naive_16(bytes + field)) % 65535, 0);
	ck_assert(after[field] != 0 || after[field + 1] != 0);
	ck_assert_mem_eq(after, bytes, field);
	ck_assert_mem_eq(after + field + 2, bytes + field + 2, length - field - 2);
}

START_TEST(any_place_in_any_pieces)
{
	uint64_t random = 1;

	for (unsigned i = 0; i < 3000; i++) {
		uint32_t length = 14 + rig_random(&random) % 300;
		uint32_t start = rig_random(&random) % (length - 2);
		uint32_t offset = rig_random(&random) % (length - start - 1) / 2 * 2;

		fill(length, &random);
		struct rte_mbuf *pkt =
		        rig_mbufs(pool, bytes, length, 1 + rig_random(&random) % length,
		                  2 + rig_random(&random) % 40);
		uint32_t sum = naive_sum(bytes + start, length - start);

		uint16_t ours = rte_be_to_cpu_16(checksum_sum(pkt, start, length - start));
		ck_assert_uint_eq(ours % 65535, sum);
		ck_assert(checksum_complete(pkt, start, offset));
		expect_sum(pkt, start, offset);
		rte_pktmbuf_free(pkt);
	}
	ck_assert_uint_eq(pool->n_free, POOL_MBUFS);
}
END_TEST

/* Of all ones: sums carry the most. */
START_TEST(carries)
{
	memset(bytes, 0xff, sizeof(bytes));
	for (uint32_t others = 501; others < 2048; others += 512) {
		struct rte_mbuf *pkt = rig_mbufs(pool, bytes, 65535, 35, others);

		ck_assert(checksum_complete(pkt, 34, 16));
		expect_sum(pkt, 34, 16);
		rte_pktmbuf_free(pkt);
	}
}
END_TEST

START_TEST(zero_is_never_stored)
{
	struct rte_mbuf *pkt;

	memset(bytes, 0, 64);
	bytes[40] = bytes[41] = 0xff; /* what sums to 0xffff has the complement 0 */
	pkt = rig_mbufs(pool, bytes, 64, 64, 1);
	ck_assert(checksum_complete(pkt, 34, 6));
	rig_bytes(pkt, after);
	/* The field itself was 0xffff. */
	ck_assert_uint_eq(naive_16(after + 40), 0xffff);
	rte_pktmbuf_free(pkt);
}
END_TEST

START_TEST(borders_of_a_frame)
{
	struct rte_mbuf *pkt;

	memset(bytes, 0x5a, 64);
	pkt = rig_mbufs(pool, bytes, 64, 20, 1);
	ck_assert(!checksum_complete(pkt, 0, 63));
	ck_assert(!checksum_complete(pkt, 63, 0));
	ck_assert(!checksum_complete(pkt, 64, 0));
	ck_assert(!checksum_complete(pkt, 65, 0));
	ck_assert(!checksum_complete(pkt, 0, 64));
	ck_assert(!checksum_complete(pkt, 0xffff, 0xffff));
	ck_assert(!checksum_complete_sctp(pkt, 53));
	ck_assert(!checksum_complete_sctp(pkt, 64));
	ck_assert(!checksum_complete_sctp(pkt, 0xffff));
	rig_bytes(pkt, after);
	ck_assert_mem_eq(bytes, after, 64);
	ck_assert(checksum_complete(pkt, 0, 62));
	ck_assert(checksum_complete(pkt, 62, 0));
	ck_assert(checksum_complete_sctp(pkt, 52));
	rte_pktmbuf_free(pkt);
}
END_TEST

/* RFC 3720, B.4's numbers hold our naive one; it holds the other. */
START_TEST(sctp_in_any_pieces)
{
	uint64_t random = 3;

	ck_assert_uint_eq(naive_crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
	memset(bytes, 0, 32);
	ck_assert_uint_eq(naive_crc32c(bytes, 32), 0x8a9136aa);
	for (unsigned i = 0; i < 500; i++) {
		uint32_t length = 46 + rig_random(&random) % 1000;

		fill(length, &random);
		struct rte_mbuf *pkt =
		        rig_mbufs(pool, bytes, length, 1 + rig_random(&random) % length,
		                  8 + rig_random(&random) % 40);

		ck_assert(checksum_complete_sctp(pkt, 34));
		rig_bytes(pkt, after);
		ck_assert_mem_eq(after, bytes, 42);
		ck_assert_mem_eq(after + 46, bytes + 46, length - 46);
		uint32_t crc = after[42] | (uint32_t)after[43] << 8 | (uint32_t)after[44] << 16 |
		               (uint32_t)after[45] << 24;
		memset(after + 42, 0, 4);
		ck_assert_uint_eq(crc, naive_crc32c(after + 34, length - 34));
		rte_pktmbuf_free(pkt);
	}
}
END_TEST

START_TEST(sums_add_up)
{
	ck_assert_uint_eq(checksum_add(0xffff, 0xffff), 0xffff);
	ck_assert_uint_eq(checksum_add(0xffff, 1), 1);
	ck_assert_uint_eq(checksum_add(0x8000, 0x8000), 1);
	ck_assert_uint_eq(checksum_add(0, 0), 0);
	for (uint32_t a = 0; a < 65536; a += 77)
		for (uint32_t b = 0; b < 65536; b += 991)
			ck_assert_uint_eq(checksum_subtract(checksum_add((uint16_t)a, (uint16_t)b),
			                                    (uint16_t)b) %
			                          65535,
			                  a % 65535);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	pool = rig_pool_open(POOL_MBUFS, 2048);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, any_place_in_any_pieces);
	tcase_add_test(tcase, carries);
	tcase_add_test(tcase, zero_is_never_stored);
	tcase_add_test(tcase, borders_of_a_frame);
	tcase_add_test(tcase, sctp_in_any_pieces);
	tcase_add_test(tcase, sums_add_up);
	return suite_main("checksum", tcase);
}
