/* Going into the background the classic way: the process that was started stays until the daemon
 * says how its start went, and ends with that exit status. Main thread, before any other exists.
 */
#ifndef SYS_BACKGROUND_H
#define SYS_BACKGROUND_H

/* Forks. In the daemon it returns the descriptor for background_report; in the process that was
 * started it does not return, but exits with the status reported (1 if the daemon dies before).
 * -errno when it could not fork. */
int background_enter(void);

/* The start is over: the waiting process exits with status, and the daemon lets go of the
 * terminal. */
void background_report(int fd, int status);

#endif
