/* What ports tell of themselves; see vf_health_read in vf.h. Device thread only.
 */
#ifndef VF_HEALTH_H
#define VF_HEALTH_H

#include "vf/vf.h"

/* What the port does not tell stays as it is. */
void vf_port_read(uint16_t port_id, bool *link_up, uint32_t *link_speed_mbps,
                  struct vf_counts *counts);

#endif
