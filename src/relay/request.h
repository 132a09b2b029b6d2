/* What is asked of relays' VFs: adding and removing, single devices and bonds. Control thread only.
 * A request is answered when its work is done or after WAITER_MS, whichever comes first.
 */
#ifndef RELAY_REQUEST_H
#define RELAY_REQUEST_H

#include "relay/judge.h"
#include "relay/outcome.h"

void request_vf_add(struct relays *relays, const struct vf_request *request, outcome_fn done,
                    void *context);
void request_vf_remove(struct relays *relays, const struct vf_request *request, outcome_fn done,
                       void *context);
/* Answers OK when what has changed about the relay is kept. */
void request_answer_kept(struct relay *relay, outcome_fn done, void *context);

#endif
