/* The drop-in contract's numbers, as the contract lists them: a row for each request and outcome.
 */
#include <check.h>
#include <errno.h>

#include "rpc/contract.h"
#include "suite.h"
#include "vf/vf.h"

static const struct {
	enum contract_request request;
	enum outcome_reason reason;
	int vf_error;
	int code;
	const char *source;
} errors[] = {
        {CONTRACT_ADD, OUTCOME_BAD_RELAY, 0, 1, "virtio_forwarder_add_vf2()"},
        {CONTRACT_ADD, OUTCOME_OCCUPIED, 0, 8, "virtio_forwarder_add_vf2()"},
        {CONTRACT_ADD, OUTCOME_DEVICE_HELD, 0, 2, "virtio_forwarder_add_vf2()"},
        {CONTRACT_ADD, OUTCOME_LATE, 0, 2, "virtio_forwarder_add_vf2()"},
        {CONTRACT_ADD, OUTCOME_UNWANTED, 0, 2, "virtio_forwarder_add_vf2()"},
        {CONTRACT_ADD, OUTCOME_NO_MEMORY, 0, -1, "virtio_forwarder_add_vf2()"},
        {CONTRACT_ADD, OUTCOME_NODE_REFUSED, 0, -1, "virtio_forwarder_add_vf2()"},
        {CONTRACT_ADD, OUTCOME_ATTACH_FAILED, VF_ERROR_NO_MEMPOOL, -1,
         "virtio_forwarder_add_vf2()"},
        {CONTRACT_ADD, OUTCOME_ATTACH_FAILED, VF_ERROR_START, 1, "virtio_forwarder_add_vf2()"},
        {CONTRACT_ADD, OUTCOME_ATTACH_FAILED, VF_ERROR_PROBE, 2, "virtio_forwarder_add_vf2()"},
        {CONTRACT_ADD, OUTCOME_ATTACH_FAILED, VF_ERROR_CONFIGURE, 4, "virtio_forwarder_add_vf2()"},
        {CONTRACT_ADD, OUTCOME_ATTACH_FAILED, VF_ERROR_RX_QUEUE, 5, "virtio_forwarder_add_vf2()"},
        {CONTRACT_ADD, OUTCOME_ATTACH_FAILED, VF_ERROR_TX_QUEUE, 6, "virtio_forwarder_add_vf2()"},

        {CONTRACT_ADD_BOND, OUTCOME_BAD_RELAY, 0, 1, "virtio_forwarder_bond_add()"},
        {CONTRACT_ADD_BOND, OUTCOME_OCCUPIED, 0, 8, "virtio_forwarder_bond_add()"},
        {CONTRACT_ADD_BOND, OUTCOME_MEMBER_HELD, 0, 3, "virtio_forwarder_bond_add()"},
        {CONTRACT_ADD_BOND, OUTCOME_ATTACH_FAILED, BOND_ERROR_CREATE, 2,
         "virtio_forwarder_bond_add()"},
        {CONTRACT_ADD_BOND, OUTCOME_ATTACH_FAILED, BOND_ERROR_MEMBER_IN_USE, 3,
         "virtio_forwarder_bond_add()"},
        {CONTRACT_ADD_BOND, OUTCOME_ATTACH_FAILED, BOND_ERROR_CONFIGURE, 4,
         "virtio_forwarder_bond_add()"},
        {CONTRACT_ADD_BOND, OUTCOME_ATTACH_FAILED, BOND_ERROR_MEMBER, 5,
         "virtio_forwarder_bond_add()"},
        {CONTRACT_ADD_BOND, OUTCOME_ATTACH_FAILED, BOND_ERROR_START, 6,
         "virtio_forwarder_bond_add()"},

        {CONTRACT_REMOVE, OUTCOME_BAD_RELAY, 0, 1, "virtio_forwarder_remove_vf2()"},
        {CONTRACT_REMOVE, OUTCOME_DETACH_FAILED, 0, 2, "virtio_forwarder_remove_vf2()"},
        {CONTRACT_REMOVE, OUTCOME_FOREIGN, 0, 2, "virtio_forwarder_remove_vf2()"},
        {CONTRACT_REMOVE, OUTCOME_OTHER_DEVICE, 0, 3, "virtio_forwarder_remove_vf2()"},
        {CONTRACT_REMOVE, OUTCOME_NOTHING_THERE, 0, 4, "virtio_forwarder_remove_vf2()"},
        {CONTRACT_REMOVE, OUTCOME_LATE, 0, 5, "virtio_forwarder_remove_vf2()"},

        {CONTRACT_ADD_SOCK, OUTCOME_NOT_GIVEN, 0, -1, "virtio_add_sock_dev_pair()"},
        {CONTRACT_ADD_SOCK, OUTCOME_PAIR_DEVICE_HELD, 0, -17, "virtio_add_sock_dev_pair()"},
        {CONTRACT_ADD_SOCK, OUTCOME_SOCKET_TAKEN, 0, 1, "virtio_add_sock_dev_pair()"},
        {CONTRACT_ADD_SOCK, OUTCOME_NO_RELAY, 0, 2, "virtio_add_sock_dev_pair()"},
        {CONTRACT_ADD_SOCK, OUTCOME_NOT_DYNAMIC, 0, 2, "virtio_add_sock_dev_pair()"},
        {CONTRACT_ADD_SOCK, OUTCOME_PAIR_DEVICE_FAILED, 0, 3, "virtio_add_sock_dev_pair()"},
        {CONTRACT_ADD_SOCK, OUTCOME_PAIR_BOND_FAILED, 0, 4, "virtio_add_sock_dev_pair()"},
        {CONTRACT_ADD_SOCK, OUTCOME_PAIR_SOCKET_FAILED, 0, 5, "virtio_add_sock_dev_pair()"},

        {CONTRACT_REMOVE_SOCK, OUTCOME_NOT_GIVEN, 0, -1, "virtio_remove_sock_dev_pair()"},
        {CONTRACT_REMOVE_SOCK, OUTCOME_NO_RELAY, 0, 1, "virtio_remove_sock_dev_pair()"},
        {CONTRACT_REMOVE_SOCK, OUTCOME_MISMATCH, 0, 2, "virtio_remove_sock_dev_pair()"},
        {CONTRACT_REMOVE_SOCK, OUTCOME_PAIR_DEVICE_FAILED, 0, 4, "virtio_remove_sock_dev_pair()"},
        {CONTRACT_REMOVE_SOCK, OUTCOME_LATE, 0, 5, "virtio_remove_sock_dev_pair()"},

        {CONTRACT_QUERY_PCI, OUTCOME_NO_RELAY, 0, 2, "virtio_query_pci()"},
        {CONTRACT_UPDATE, OUTCOME_BAD_RELAY, 0, 1, "migrate_relay_cpus()"},
        {CONTRACT_UPDATE, OUTCOME_BAD_CPU, 0, 2, "migrate_relay_cpus()"},
};

START_TEST(codes_and_sources)
{
	struct outcome outcome = {.reason = errors[_i].reason, .vf_error = errors[_i].vf_error};
	struct contract_error error = contract_error(errors[_i].request, &outcome);

	ck_assert_int_eq(error.code, errors[_i].code);
	ck_assert_str_eq(error.source, errors[_i].source);
}
END_TEST

START_TEST(names_of_states)
{
	ck_assert_str_eq(contract_state_to_vm(CONTROL_NONE), "DPDK_UNINIT");
	ck_assert_str_eq(contract_state_to_vm(CONTROL_ALONE), "DPDK_ADDED");
	ck_assert_str_eq(contract_state_to_vm(CONTROL_READY), "DPDK_READY");
	ck_assert_str_eq(contract_state_to_vm(CONTROL_LEAVING), "DPDK_REMOVING1");
	ck_assert_str_eq(contract_state_to_vm(CONTROL_ENDING), "DPDK_REMOVING2");
	ck_assert_str_eq(contract_state_to_vf(CONTROL_NONE), "VIRTIO_UNINIT");
	ck_assert_str_eq(contract_state_to_vf(CONTROL_READY), "VIRTIO_READY");
	ck_assert_str_eq(contract_state_to_vf(CONTROL_LEAVING), "VIRTIO_REMOVING1");
	ck_assert_str_eq(contract_state_to_vf(CONTROL_ENDING), "VIRTIO_REMOVING2");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_loop_test(tcase, codes_and_sources, 0, (int)(sizeof(errors) / sizeof(errors[0])));
	tcase_add_test(tcase, names_of_states);
	return suite_main("contract", tcase);
}
