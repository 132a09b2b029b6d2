/* The corpus of the requests' fuzz target, replayed: what once broke stays mended.
 * WRAP: control_add_vf control_remove_vf control_add_sock control_remove_sock endpoint_answer
 * WRAP: control_dynamic_sockets control_relay_read control_relay_rates control_rates_between
 * WRAP: control_pin_read control_pins_update control_worker_count control_worker_read
 * WRAP: control_balance_explain endpoint_drop endpoint_reply_share control_dpdk_version
 * WRAP: control_lanes_read control_cycles_per_s
 */
#include "../fuzz/fuzz_request.c"
#include "../fuzz/replay.h"

START_TEST(request)
{
	replay_corpus("test/fuzz/corpus/request", LLVMFuzzerTestOneInput, 30);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fuzz_corpus_request");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, request);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
