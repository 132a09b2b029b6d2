/* One answer with all metrics. See scrape.h. */
#include "metrics/scrape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_MAX (2 * FAMILY_LINES_MAX)

struct scrape {
	const struct families *families;
	const struct control *control;
	uint64_t start_s;
	struct snapshot *snapshot; /* NULL: not taken yet */
	unsigned family, index;    /* what comes next: samples about this thing */
	bool head_put, ended;
	struct lines piece; /* its buffer is the one below */
	size_t given;       /* of the piece */
	char buffer[PIECE_MAX];
};

struct scrape *scrape_create(const struct families *families, const struct control *control,
                             enum metrics_format format, uint64_t start_s)
{
	struct scrape *scrape = malloc(sizeof(*scrape));

	if (scrape == NULL)
		return NULL;
	scrape->families = families;
	scrape->control = control;
	scrape->start_s = start_s;
	scrape->snapshot = NULL;
	scrape->family = scrape->index = 0;
	scrape->head_put = scrape->ended = false;
	scrape->piece = (struct lines){scrape->buffer, PIECE_MAX, 0, false, format};
	scrape->given = 0;
	return scrape;
}

void scrape_free(struct scrape *scrape)
{
	if (scrape == NULL)
		return;
	free(scrape->snapshot);
	free(scrape);
}

/* A family's lines about one thing are there as a whole or not at all. */
static void put_samples(struct scrape *scrape, const struct family *family)
{
	size_t before = scrape->piece.used;

	if (!families_has(family, scrape->snapshot, scrape->index))
		return;
	family->put(family, scrape->snapshot, scrape->index, &scrape->piece);
	if (!scrape->piece.full)
		return;
	scrape->piece.used = before;
	scrape->piece.full = false;
}

/* Each step has room for what it may write. */
static void put_next(struct scrape *scrape)
{
	const struct family *family = &scrape->families->list[scrape->family];

	if (scrape->family == scrape->families->n) {
		lines_put_end(&scrape->piece);
		scrape->ended = true;
	} else if (!scrape->head_put) {
		lines_put_head(&scrape->piece, &family->head);
		scrape->head_put = true;
	} else if (scrape->index < families_count(family, scrape->snapshot)) {
		put_samples(scrape, family);
		scrape->index++;
	} else {
		scrape->family++;
		scrape->index = 0;
		scrape->head_put = false;
	}
}

static void fill_piece(struct scrape *scrape)
{
	scrape->piece.used = scrape->given = 0;
	while (!scrape->ended && scrape->piece.size - scrape->piece.used >= FAMILY_LINES_MAX)
		put_next(scrape);
}

ssize_t scrape_read(struct scrape *scrape, char *out, size_t max)
{
	size_t n;

	if (scrape->snapshot == NULL) {
		scrape->snapshot = malloc(sizeof(*scrape->snapshot));
		if (scrape->snapshot == NULL)
			return -ENOMEM;
		snapshot_take(scrape->snapshot, scrape->control, scrape->start_s);
	}
	if (scrape->given == scrape->piece.used)
		fill_piece(scrape);
	n = scrape->piece.used - scrape->given;
	if (n > max)
		n = max;
	memcpy(out, scrape->buffer + scrape->given, n);
	scrape->given += n;
	return (ssize_t)n;
}
