/* One answer with all metrics: a snapshot, written piece by piece as the client takes it. Belongs
 * to the connection that asked; control thread.
 */
#ifndef METRICS_SCRAPE_H
#define METRICS_SCRAPE_H

#include <sys/types.h>

#include "metrics/families.h"
#include "metrics/format.h"

struct scrape;

/* families and control outlive it. Nothing is read of control yet. NULL without memory. */
struct scrape *scrape_create(const struct families *families, const struct control *control,
                             enum metrics_format format, uint64_t start_s);
void scrape_free(struct scrape *scrape);

/* The next bytes, at most max > 0 of them; what the relays tell is read with the first. 0: that was
 * the end; -ENOMEM: there is no memory for what they tell. */
ssize_t scrape_read(struct scrape *scrape, char *out, size_t max);

#endif
