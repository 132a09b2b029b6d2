/* The VF's RSS table. Device thread only.
 */
#ifndef VF_RSS_H
#define VF_RSS_H

#include "vf/vf.h"

/* Has the VF's RSS table spread flows evenly over so many guest queues, at least 1, of which VF
 * queue i serves those that are i modulo n_queues. May be called while traffic flows. Returns by
 * how many of its queues the VF receives then, or -errno: it goes on as it did. */
int vf_rss_spread(const struct vf *vf, unsigned guest_queues);

#endif
