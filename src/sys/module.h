/* Kernel modules. Blocks while modprobe works. */
#ifndef SYS_MODULE_H
#define SYS_MODULE_H

#include "base/error.h"

/* Has modprobe(8) load it, with the options and bans of the administrator. 0, also when it was
 * there, or -errno with err. */
int module_load(const char *name, struct error *err);

#endif
