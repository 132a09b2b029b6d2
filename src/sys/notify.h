/* Telling systemd how we are. Without systemd (no NOTIFY_SOCKET) every call does nothing. Any
 * thread.
 */
#ifndef SYS_NOTIFY_H
#define SYS_NOTIFY_H

#include <stdint.h>

void notify_ready(void);
void notify_reloading(void); /* notify_ready ends it */
void notify_stopping(void);

/* How often at least notify_watchdog is expected; 0 = nobody waits for it. */
uint64_t notify_watchdog_interval_us(void);
void notify_watchdog(void);

#endif
