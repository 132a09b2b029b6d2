/* Bonds whose members come and go. Control thread only. */
#ifndef RELAY_MEMBERS_H
#define RELAY_MEMBERS_H

#include "relay/relay.h"

/* The bond has been attached; some of its members may be absent. */
void members_attached(struct relay *relay);
/* Takes out what is lost, takes back what is there. Of a bond that is VF_ATTACHED. */
void members_mend(struct relay *relay);

#endif
