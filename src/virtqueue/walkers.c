/* See walkers.h. */
#include "virtqueue/walkers.h"

#include <stddef.h>

#include "virtqueue/from_guest.h"
#include "virtqueue/to_guest.h"

void walkers_choose(struct virtqueue_view *view)
{
	bool logged = view->log.bits != NULL;

	view->send = to_guest_choose(view->is_packed, logged, view->vouched);
	view->receive = from_guest_choose(view->is_packed, logged, view->headers);
}
