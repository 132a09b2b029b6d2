/* Descriptors that a front end wants to be told by. They are eventfds, or refused: a write to
 * anything else may wait for ever, or hit what is not ours to write to. No state, any thread.
 */
#ifndef VHOST_EVENT_FD_H
#define VHOST_EVENT_FD_H

#include <stdbool.h>

/* Whether fd is an eventfd. Leaves it as it is. */
bool event_fd_is(int fd);

/* Whether fd is an eventfd; if so it does not block from now on. Its open file is shared with the
 * front end, which can undo that: whoever writes may be held up, and is to be freed by a signal. */
bool event_fd_take(int fd);

/* Wakes whoever waits for it, if that can be done without waiting. Harmless on -1. */
void event_fd_signal(int fd);

#endif
