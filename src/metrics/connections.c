/* Who is connected to the metrics' endpoint. See connections.h. */
#include "metrics/connections.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

struct connection_entry {
	TAILQ_ENTRY(connection_entry) link;
	int fd;
	uint64_t deadline_ms;
	bool ended; /* hung up on, and not closed yet */
};

void connections_init(struct connections *connections)
{
	TAILQ_INIT(&connections->list);
	connections->n = 0;
}

static void end(struct connections *connections, struct connection_entry *entry)
{
	(void)shutdown(entry->fd, SHUT_RDWR);
	entry->ended = true;
	connections->n--;
}

static struct connection_entry *find_oldest(struct connections *connections)
{
	struct connection_entry *entry;

	TAILQ_FOREACH (entry, &connections->list, link)
		if (!entry->ended)
			return entry;
	return NULL;
}

struct connection_entry *connections_add(struct connections *connections, int fd, uint64_t now_ms)
{
	struct connection_entry *entry = malloc(sizeof(*entry));

	if (entry == NULL) {
		(void)shutdown(fd, SHUT_RDWR);
		return NULL;
	}
	*entry = (struct connection_entry){.fd = fd, .deadline_ms = now_ms + CONNECTIONS_LIFE_MS};
	TAILQ_INSERT_TAIL(&connections->list, entry, link);
	if (++connections->n > CONNECTIONS_MAX)
		end(connections, find_oldest(connections));
	return entry;
}

void connections_remove(struct connections *connections, struct connection_entry *entry)
{
	if (entry == NULL)
		return;
	if (!entry->ended)
		connections->n--;
	TAILQ_REMOVE(&connections->list, entry, link);
	free(entry);
}

int64_t connections_expire(struct connections *connections, uint64_t now_ms)
{
	struct connection_entry *oldest = find_oldest(connections);

	while (oldest != NULL && oldest->deadline_ms <= now_ms) {
		end(connections, oldest);
		oldest = find_oldest(connections);
	}
	return oldest != NULL ? (int64_t)(oldest->deadline_ms - now_ms) : -1;
}
