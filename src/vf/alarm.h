/* How workers that sleep get to know of packets that a VF has received: which drivers can tell, and
 * by what. Device thread, while nobody polls the VF.
 */
#ifndef VF_ALARM_H
#define VF_ALARM_H

#include "vf/quirks.h"
#include "vf/vf.h"

/* Whether the VF is to be configured with receive interrupts: its driver has them, really. */
bool vf_alarm_wanted(const struct vf *vf, const struct vf_quirks *quirks,
                     const struct vf_params *params);

/* Fills in vf->alarms of a VF that has been started, as far as all of its queues have one; and says
 * so. */
void vf_alarm_find(struct vf *vf, const struct vf_params *params);

#endif
