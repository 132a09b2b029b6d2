/* Proves of src/virtqueue/dirty_log.h: whatever is logged, with addresses of the guest's or its
 * front end's, no bit outside the log is touched. The log has up to LOG bytes.
 */
#include "prove.h"

#include "virtqueue/dirty_log.h"

int main(void)
{
	struct dirty_log log = {.size = any_up_to(LOG)};
	uint64_t size = nondet_uint64_t();

	log.bits = log.size == 0 ? NULL : any_bytes(log.size);
	assume(size > 0);
	dirty_log_mark(&log, nondet_uint64_t(), size);
	return 0;
}
