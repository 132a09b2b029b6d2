/* Files that say "this is taken, by process N": the pid file, and the lock files beside ipc
 * endpoints. What counts is the lock on the open file (flock), which ends with its holder however
 * that ends; the number in it is for people. The file of a dead process is simply taken over.
 * The lock is inherited by a forked child. Any thread.
 */
#ifndef SYS_PID_FILE_H
#define SYS_PID_FILE_H

#include "base/error.h"

/* Creates or takes over the file, locks it and writes our process id into it. Returns the
 * descriptor (close-on-exec) to keep open, or -errno with err: -EADDRINUSE another instance runs,
 * -EEXIST something that is no plain file stands there, … */
int pid_file_lock(const char *path, struct error *err);

/* Whether another process holds the file now. 0, or -EADDRINUSE with err; what cannot be told is 0.
 */
int pid_file_look(const char *path, struct error *err);

/* Looks whether the file that pid_file_lock gave *fd for still stands at the path. If nothing does,
 * another one is made, locked and filled, and *fd is that one's. 0: it stands; 1: it was made anew;
 * or -errno with err and nothing changed: -EEXIST, when somebody else's file stands there. */
int pid_file_keep(const char *path, int *fd, struct error *err);

/* Removes the file that pid_file_lock gave fd for, unless another one stands at the path by now,
 * and closes it. */
void pid_file_unlock(const char *path, int fd);

#endif
