/* ZeroMQ's calls, made anew when a signal's handler has run in them.
 *
 * Even one that does not wait looks by poll(2) for what ZeroMQ's threads have to tell, and gives
 * EINTR, with nothing done, when a signal comes at that moment. Signals do come: for its packets
 * net_tap has them sent to the process, which means to the control thread. An answer that is given
 * up for one is lost for good, and one that is given up halfway spoils the next.
 */
#ifndef RPC_TRANSPORT_UNINTERRUPTED_H
#define RPC_TRANSPORT_UNINTERRUPTED_H

#include <errno.h>
#include <unistd.h>

#define UNINTERRUPTED(call) ((int)TEMP_FAILURE_RETRY(call))

#endif
