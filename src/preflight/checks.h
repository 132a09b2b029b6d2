/* The checks, a file for each topic: each looks at the picture and adds its findings to the report.
 * One thread.
 */
#ifndef PREFLIGHT_CHECKS_H
#define PREFLIGHT_CHECKS_H

#include "preflight/picture.h"

void check_process(struct picture *p);
void check_memlock(struct picture *p);
void check_rooms(struct picture *p);
void check_cpus(struct picture *p);
void check_memory(struct picture *p);
void check_devices(struct picture *p);
void check_sockets(struct picture *p);
void check_pins(struct picture *p);

#endif
