/* The kinds of guest ends, and the calls that go to the one that was chosen; see guest.h. Nothing
 * here is in the packets' way: plans hold the burst operations themselves. The choice is made at
 * the start, before there are other threads, and stays.
 */
#include "guest/guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest/guest_own_journals.h"

static const struct guest_kind *const kinds[] = {&guest_kind_own, &guest_kind_dpdk};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* guest_init: wo, all else: ro. Before that, one of whom nothing is open yet. */
static const struct guest_kind *chosen = &guest_kind_dpdk;

/* Of the sockets that are open and that we serve. The guest thread's while it opens or closes one,
 * else the control thread's. */
static struct socket_name socket_names[RELAYS_MAX];

static int refuse_kind(const char *kind, struct error *err)
{
	char names[128] = "";
	size_t length = 0;

	for (size_t i = 0; i < N_KINDS && length < sizeof(names); i++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
		                           i > 0 ? ", " : "", kinds[i]->name);
	return error_set(err, EINVAL, "there is no guest backend \"%.40s\"; there is: %s", kind,
	                 names);
}

int guest_init(const char *kind, const struct guest_user *user, struct error *err)
{

	for (size_t i = 0; i < N_KINDS; i++) {
		if (strcmp(kinds[i]->name, kind) != 0)
			continue;
		chosen = kinds[i];
		if (chosen != &guest_kind_own)
			own_journals_discard(user->directory);
		chosen->init(user);
		return 0;
	}
	return refuse_kind(kind, err);
}

struct guest *guest_get(unsigned relay_id)
{
	return chosen->get(relay_id);
}

int guest_open(const struct guest_params *params, struct error *err)
{
	int rc = chosen->open(params, err);

	/* A socket that is gone already will be seen to be. */
	if (rc == 0 && !params->client)
		(void)socket_name_hold(&socket_names[params->relay_id], params->path,
		                       params->makes_directory);
	return rc;
}

enum socket_name_state guest_look(unsigned relay_id, bool in_use, struct error *err)
{
	return socket_name_look(&socket_names[relay_id], in_use, err);
}

int guest_reopen(const struct guest_params *params, struct error *err)
{
	guest_refuse(params->relay_id);
	guest_close(params->relay_id);
	return guest_open(params, err);
}

void guest_refuse(unsigned relay_id)
{
	chosen->refuse(relay_id);
}

void guest_close(unsigned relay_id)
{
	struct socket_name *name = &socket_names[relay_id];

	/* DPDK's library unlinks whatever stands there. */
	socket_name_guard(name);
	chosen->close(relay_id);
	socket_name_unguard(name);
	socket_name_remove(name);
}

void guest_unlink(unsigned relay_id)
{
	socket_name_unlink(&socket_names[relay_id]);
}

void guest_admit(unsigned relay_id, unsigned session)
{
	if (chosen->admit != NULL)
		chosen->admit(relay_id, session);
}

void guest_read(unsigned relay_id, struct guest_state *out)
{
	chosen->read(relay_id, out);
}

unsigned guest_read_queues(unsigned relay_id, struct guest_queue out[GUEST_RINGS_MAX])
{
	return chosen->read_queues != NULL ? chosen->read_queues(relay_id, out) : 0;
}
