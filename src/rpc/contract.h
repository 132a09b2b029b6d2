/* The drop-in contract's numbers and texts: error codes with their sources, and the states' names.
 * The only place that knows them. Pure; any thread.
 */
#ifndef RPC_CONTRACT_H
#define RPC_CONTRACT_H

#include <stdbool.h>

#include "control/control.h"

/* What can be asked for, as far as errors are told apart. */
enum contract_request {
	CONTRACT_ADD,
	CONTRACT_ADD_BOND,
	CONTRACT_REMOVE,
	CONTRACT_ADD_SOCK,
	CONTRACT_REMOVE_SOCK,
	CONTRACT_QUERY_PCI,
	CONTRACT_UPDATE, /* of core_sched */
};

struct contract_error {
	int code;           /* error_code */
	const char *source; /* error_code_source, a literal */
};

/* For an outcome that is not OUTCOME_OK. */
struct contract_error contract_error(enum contract_request request, const struct outcome *outcome);

/* internal_state: a literal. */
const char *contract_state_to_vm(enum control_state state);
const char *contract_state_to_vf(enum control_state state);

#endif
