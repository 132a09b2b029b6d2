/* The life of a relay's VF: attaching and detaching it on the device thread, and what becomes of it
 * when it is lost. Control thread only.
 */
#ifndef RELAY_VF_LIFE_H
#define RELAY_VF_LIFE_H

#include "relay/relay.h"

/* Attaches that device, paired with that far end, for that origin: VF_EVENT_ADD, _AWAIT or _RESTORE
 * say how much it is wanted. VF_ABSENT only. */
void vf_life_begin(struct relay *relay, const struct device_spec *device,
                   const struct bond_spec *bond, const struct far_spec *far, enum vf_origin origin,
                   enum vf_event wish);
/* Somebody knows that it is back: it is attached now. VF_LOST only. */
void vf_life_retry(struct relay *relay);
/* Nobody waits for its first attach any more. */
void vf_life_give_up(struct relay *relay);
/* Begins its end, in whatever phase it is; the report vf_gone tells when it is over, unless it was
 * VF_LOST or VF_ABSENT: then it is over when this returns. */
void vf_life_remove(struct relay *relay);
/* All of it was reset, or has gone: detaches it, and attaches it when it is there again. */
void vf_life_return(struct relay *relay);
/* The plans were published: what is VF_LEAVING is in none of them any more. */
void vf_life_unplanned(struct relay *relay);
/* What its attaches and mendings are given. */
struct vf_params vf_life_params(struct relay *relay);
/* Whether a client's VF is there, or is to be there again. */
bool vf_life_is_kept(const struct relay *relay);

#endif
