/* The memory that this process may lock, which vfio counts what VFs may write to against. At the
 * start, before other threads.
 */
#ifndef SYS_MEMLOCK_H
#define SYS_MEMLOCK_H

/* Raises the limit that holds to the one that may be had, which is what --check judges. */
void memlock_prepare(void);

#endif
