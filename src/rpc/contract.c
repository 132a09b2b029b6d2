/* The drop-in contract's numbers and texts. See contract.h. */
#include "rpc/contract.h"

#include <errno.h>
#include <stddef.h>

#include "vf/vf.h"

struct code {
	enum outcome_reason reason;
	int code;
};

/* Each list ends with the code of whatever else goes wrong. */
static const struct code add_codes[] = {
        {OUTCOME_BAD_RELAY, 1},     {OUTCOME_OCCUPIED, 8},   {OUTCOME_MEMBER_HELD, 3},
        {OUTCOME_NODE_REFUSED, -1}, {OUTCOME_NO_MEMORY, -1}, {OUTCOME_OK, 2},
};
static const struct code remove_codes[] = {
        {OUTCOME_BAD_RELAY, 1}, {OUTCOME_OTHER_DEVICE, 3}, {OUTCOME_NOTHING_THERE, 4},
        {OUTCOME_LATE, 5},      {OUTCOME_NO_MEMORY, -1},   {OUTCOME_OK, 2},
};
static const struct code add_sock_codes[] = {
        {OUTCOME_NOT_GIVEN, -1},         {OUTCOME_PAIR_DEVICE_HELD, -EEXIST},
        {OUTCOME_SOCKET_TAKEN, 1},       {OUTCOME_NO_RELAY, 2},
        {OUTCOME_NOT_DYNAMIC, 2},        {OUTCOME_PAIR_BOND_FAILED, 4},
        {OUTCOME_PAIR_SOCKET_FAILED, 5}, {OUTCOME_OK, 3},
};
static const struct code remove_sock_codes[] = {
        {OUTCOME_NOT_GIVEN, -1}, {OUTCOME_NO_RELAY, 1}, {OUTCOME_NOT_DYNAMIC, 1},
        {OUTCOME_MISMATCH, 2},   {OUTCOME_LATE, 5},     {OUTCOME_OK, 4},
};
static const struct code query_codes[] = {{OUTCOME_OK, 2}};
/* The contract has no numbers for these; they are ours. */
static const struct code update_codes[] = {
        {OUTCOME_BAD_RELAY, 1}, {OUTCOME_BAD_CPU, 2}, {OUTCOME_OK, 3}};

static const struct {
	const char *source;
	const struct code *codes;
} requests[] = {
        [CONTRACT_ADD] = {"virtio_forwarder_add_vf2()", add_codes},
        [CONTRACT_ADD_BOND] = {"virtio_forwarder_bond_add()", add_codes},
        [CONTRACT_REMOVE] = {"virtio_forwarder_remove_vf2()", remove_codes},
        [CONTRACT_ADD_SOCK] = {"virtio_add_sock_dev_pair()", add_sock_codes},
        [CONTRACT_REMOVE_SOCK] = {"virtio_remove_sock_dev_pair()", remove_sock_codes},
        [CONTRACT_QUERY_PCI] = {"virtio_query_pci()", query_codes},
        [CONTRACT_UPDATE] = {"migrate_relay_cpus()", update_codes},
};

/* The step of an attach at which it has failed. */
static int attach_code(int vf_error)
{
	switch ((enum vf_error)vf_error) {
	case VF_ERROR_NO_MEMPOOL:
		return -1;
	case VF_ERROR_START:
		return 1;
	case VF_ERROR_PROBE:
	case VF_ERROR_DETACH:
	case BOND_ERROR_CREATE:
		return 2;
	case BOND_ERROR_MEMBER_IN_USE:
		return 3;
	case VF_ERROR_CONFIGURE:
	case BOND_ERROR_CONFIGURE:
		return 4;
	case VF_ERROR_RX_QUEUE:
	case BOND_ERROR_MEMBER:
		return 5;
	case VF_ERROR_TX_QUEUE:
	case BOND_ERROR_START:
		return 6;
	}
	return 2;
}

struct contract_error contract_error(enum contract_request request, const struct outcome *outcome)
{
	const struct code *code = requests[request].codes;
	struct contract_error error = {.source = requests[request].source};

	if (outcome->reason == OUTCOME_ATTACH_FAILED) {
		error.code = attach_code(outcome->vf_error);
		return error;
	}
	while (code->reason != outcome->reason && code->reason != OUTCOME_OK)
		code++;
	error.code = code->code;
	return error;
}

const char *contract_state_to_vm(enum control_state state)
{
	static const char *const names[] = {
	        [CONTROL_NONE] = "DPDK_UNINIT",      [CONTROL_ALONE] = "DPDK_ADDED",
	        [CONTROL_READY] = "DPDK_READY",      [CONTROL_LEAVING] = "DPDK_REMOVING1",
	        [CONTROL_ENDING] = "DPDK_REMOVING2",
	};

	return names[state];
}

const char *contract_state_to_vf(enum control_state state)
{
	static const char *const names[] = {
	        [CONTROL_NONE] = "VIRTIO_UNINIT",      [CONTROL_ALONE] = "VIRTIO_READY",
	        [CONTROL_READY] = "VIRTIO_READY",      [CONTROL_LEAVING] = "VIRTIO_REMOVING1",
	        [CONTROL_ENDING] = "VIRTIO_REMOVING2",
	};

	return names[state];
}
