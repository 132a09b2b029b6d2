/* Who is connected to the metrics' endpoint, in the order in which they came. Each has a while to
 * ask and to take the answer; when there are too many, whoever came first goes. So nobody can keep
 * others out by staying. Those who have to go are hung up on, and whoever serves the connection
 * finds its end. libmicrohttpd overlooks it when a client hangs up in the midst of a request and
 * all comes at once, so such ones end here too. Control thread.
 */
#ifndef METRICS_CONNECTIONS_H
#define METRICS_CONNECTIONS_H

#include <stdint.h>
#include <sys/queue.h>

#define CONNECTIONS_MAX     32
#define CONNECTIONS_LIFE_MS 10000

struct connection_entry;

struct connections {
	TAILQ_HEAD(connection_list, connection_entry) list; /* the oldest first */
	unsigned n;                                         /* that have not been hung up on */
};

void connections_init(struct connections *connections);

/* Takes note of a connection that is open until connections_remove. Beyond CONNECTIONS_MAX the
 * oldest is hung up on. NULL without memory: then this one is. */
struct connection_entry *connections_add(struct connections *connections, int fd, uint64_t now_ms);
/* Before its descriptor is closed. Harmless on NULL. */
void connections_remove(struct connections *connections, struct connection_entry *entry);

/* Hangs up on those whose time is over. In how many ms the next one's will be, or -1: there is
 * none. */
int64_t connections_expire(struct connections *connections, uint64_t now_ms);

#endif
