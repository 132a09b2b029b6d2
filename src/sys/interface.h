/* The host's network interfaces, as this process's network namespace has them: what they are like,
 * and the few settings that we change back. Any thread; only the setters may block.
 */
#ifndef SYS_INTERFACE_H
#define SYS_INTERFACE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct interface {
	char name[IF_NAMESIZE];
	unsigned flags; /* IFF_UP, IFF_PROMISC, IFF_ALLMULTI, … */
	uint32_t mtu;
};

/* 0, -ENODEV when there is none of that index (or not in this namespace), or -errno. */
int interface_read(unsigned index, struct interface *out);

/* 0 or -errno. */
int interface_set_mtu(const char *name, uint32_t mtu);
int interface_clear_flags(const char *name, unsigned flags);
/* Of an interface whose driver lets others say so, as tun's does: -EOPNOTSUPP where not, -ENODEV as
 * above. */
int interface_set_carrier(unsigned index, bool carrier);

#endif
