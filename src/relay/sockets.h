/* The files of the sockets that guests connect to. Control thread only. */
#ifndef RELAY_SOCKETS_H
#define RELAY_SOCKETS_H

#include "relay/relay.h"

/* From now on each is looked at once a second. */
void sockets_start(struct relays *relays);
void sockets_stop(struct relays *relays);
/* Looks at the relay's now, since something about its guest has changed. */
void sockets_look(struct relay *relay);

#endif
