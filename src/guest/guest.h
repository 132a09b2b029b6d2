/* The guest end of a relay, behind one interface: open and close its vhost-user socket, what the
 * guest has negotiated and enabled, events. The burst operations are datapath/end.h's, and plans
 * hold them themselves.
 *
 * Who serves the guests is chosen at the start: one of the kinds that kind.h names, for all relays.
 *
 * Threads: guest_open and guest_close on the guest thread (they may take long), all else where its
 * comment says. Events come from a thread of the kind's own.
 */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include "guest/kind.h"
#include "sys/socket_name.h"

/* Once, before the first guest_open; kind names who serves the guests ("dpdk"). The user's workers
 * and context outlive the process's last guest. 0, or -EINVAL with err naming the kinds that there
 * are. */
int guest_init(const char *kind, const struct guest_user *user, struct error *err);

/* The slot of relay_id < RELAYS_MAX; it lives as long as the process. Any thread. */
struct guest *guest_get(unsigned relay_id);

/* 0, or -1 with err->code EADDRINUSE (somebody serves the path), EEXIST (a foreign file is
 * there), or another errno. */
int guest_open(const struct guest_params *params, struct error *err);

/* How the name of a socket that we serve is (see socket_name.h, where err is explained too), and
 * what can be done for it without disturbing anybody; in_use: somebody is connected. LOST: a
 * guest_reopen is due. Control thread, between an open and what follows it. */
enum socket_name_state guest_look(unsigned relay_id, bool in_use, struct error *err);

/* Closes what is open and opens it anew: for a socket to which nobody is connected and nobody can
 * connect. As guest_open; when it fails all is closed. Guest thread. */
int guest_reopen(const struct guest_params *params, struct error *err);

/* From here on no front end is admitted to this relay, and for the lanes the one that is there is
 * gone: burst operations answer END_GONE. Does not wait. Control thread. */
void guest_refuse(unsigned relay_id);

/* After guest_refuse, and after the guest's lanes have left the plan. May wait for the peer. */
void guest_close(unsigned relay_id);

/* Takes the name of a socket that we serve away at once, for a quick shutdown; guest_close is
 * still due. Control thread, when nothing of the relay's is under way on the guest thread. */
void guest_unlink(unsigned relay_id);

/* From here on workers may serve the guest of that session (guest_state.sessions): there is a plan
 * for it, or there will be before the loop's turn ends, and none for a guest before it. Control
 * thread. */
void guest_admit(unsigned relay_id, unsigned session);

/* A consistent reading. Control thread. */
void guest_read(unsigned relay_id, struct guest_state *out);

/* What is known of its rings, in the order of their numbers; returns how many. Each value is right
 * by itself. Control thread. */
unsigned guest_read_queues(unsigned relay_id, struct guest_queue out[GUEST_RINGS_MAX]);

#endif
