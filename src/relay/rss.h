/* A VF's RSS table follows its guest's queues. Control thread only. */
#ifndef RELAY_RSS_H
#define RELAY_RSS_H

#include "relay/relay.h"

/* The plans were published: brings the VF's table in line with its guest, if it is not. */
void rss_follow(struct relay *relay);

#endif
