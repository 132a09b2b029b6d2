/* What the rows want against what OVSDB's side has. See ovsdb.h.
 *
 * There is no list of things to do: each turn compares the two and makes one request that brings
 * them closer, removals first, since a device or a relay may only be changing places. So it does
 * not matter what was missed while the server was away, or in which order the rows came. What
 * control refuses is asked again, later and later. One request at a time is enough: the device
 * thread does one at a time anyway, and each has the whole of its time to be answered in.
 */
#include "ovsdb/ovsdb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "event/backoff.h"
#include "ovsdb/client.h"
#include "ovsdb/rows.h"
#include "sys/sysfs.h"

#define RETRY_REMOVAL_MS 1000U
#define LOOK_AGAIN_MS    5000U /* for devices that are not there yet */

/* A relay's last attempt to add what is wanted. */
struct slot {
	struct device_spec device; /* that was wanted */
	bool failed;
	char why[ERROR_TEXT_MAX];
	struct backoff backoff;
	uint64_t not_before_ms;
};

static const struct backoff_waits waits = {.first_ms = 500, .longest_ms = 10000};
static const struct slot no_attempt = {.backoff = {.waits = &waits}};

struct ovsdb {
	struct control *control;
	struct loop *loop;
	struct ovsdb_client *client;
	struct rows rows;
	struct slot slots[RELAYS_MAX];
	struct loop_timer timer; /* the next turn */
	bool known;              /* the table was read: before that nothing is wanted or unwanted */
	bool stopped;
	unsigned asked; /* request under way: of which relay; RELAYS_MAX = none */
	bool removing;  /* it is a removal */
	uint64_t remove_not_before_ms;
};

static void reconcile(void *context);

static void turn_after(struct ovsdb *ovsdb, uint64_t delay_ms)
{
	loop_timer_start(ovsdb->loop, &ovsdb->timer, delay_ms, reconcile, ovsdb);
}

static void on_added(struct slot *slot, const struct outcome *outcome)
{
	slot->failed = outcome->reason != OUTCOME_OK;
	if (outcome->reason == OUTCOME_OK) {
		backoff_reset(&slot->backoff);
		slot->not_before_ms = 0;
		return;
	}
	slot->not_before_ms = clock_now_ms() + backoff_wait_ms(&slot->backoff);
	snprintf(slot->why, sizeof(slot->why), "%s", outcome->text);
}

static void on_answer(void *context, const struct outcome *outcome)
{
	struct ovsdb *ovsdb = context;
	unsigned id = ovsdb->asked;

	ovsdb->asked = RELAYS_MAX;
	if (ovsdb->stopped) {
		free(ovsdb);
		return;
	}
	if (!ovsdb->removing) {
		on_added(&ovsdb->slots[id], outcome);
	} else if (outcome->reason != OUTCOME_OK) {
		log_warn("OVSDB: %s", outcome->text);
		ovsdb->remove_not_before_ms = clock_now_ms() + RETRY_REMOVAL_MS;
	}
	/* Not here: the answer may come from within the request. */
	turn_after(ovsdb, 0);
}

/* Shortens the wait to what ends at until_ms. */
static void wait_at_most(uint64_t *wait_ms, uint64_t until_ms, uint64_t now_ms)
{
	if (until_ms - now_ms < *wait_ms)
		*wait_ms = until_ms - now_ms;
}

/* Removes one device that is there and belongs elsewhere. True if it has made a request; else it
 * shortens *wait_ms to when one is due. */
static bool remove_one(struct ovsdb *ovsdb, const struct device_spec *const has[RELAYS_MAX],
                       struct row *const wanted[RELAYS_MAX], uint64_t *wait_ms)
{
	uint64_t now = clock_now_ms();

	for (unsigned id = 0; id < RELAYS_MAX; id++) {
		struct vf_request request = {
		        .origin = VF_ORIGIN_OVSDB, .relay_id = id, .conditional = true};

		if (has[id] == NULL ||
		    (wanted[id] != NULL && device_spec_equal(has[id], &wanted[id]->device)))
			continue;
		if (now < ovsdb->remove_not_before_ms) {
			wait_at_most(wait_ms, ovsdb->remove_not_before_ms, now);
			continue;
		}
		log_info("OVSDB: relay %u shall not have %s any more", id, has[id]->name);
		ovsdb->asked = id;
		ovsdb->removing = true;
		control_remove_vf(ovsdb->control, &request, on_answer, ovsdb);
		return true;
	}
	return false;
}

/* Adds what is wanted; answers like remove_one. */
static bool add_one(struct ovsdb *ovsdb, const struct device_spec *const has[RELAYS_MAX],
                    struct row *const wanted[RELAYS_MAX], uint64_t *wait_ms)
{
	uint64_t now = clock_now_ms();

	for (unsigned id = 0; id < RELAYS_MAX; id++) {
		struct slot *slot = &ovsdb->slots[id];
		struct vf_request request = {.origin = VF_ORIGIN_OVSDB,
		                             .relay_id = id,
		                             .has_device = true,
		                             .conditional = true};

		if (wanted[id] == NULL || !device_spec_equal(&slot->device, &wanted[id]->device))
			*slot = no_attempt;
		if (wanted[id] == NULL ||
		    (has[id] != NULL && !device_spec_equal(has[id], &wanted[id]->device)))
			continue;
		slot->device = wanted[id]->device;
		if (!slot->failed && has[id] != NULL) {
			row_report(wanted[id], "");
			continue;
		}
		if (slot->failed)
			row_report(wanted[id], slot->why);
		if (now < slot->not_before_ms) {
			wait_at_most(wait_ms, slot->not_before_ms, now);
			continue;
		}
		request.device = wanted[id]->device;
		ovsdb->asked = id;
		ovsdb->removing = false;
		control_add_vf(ovsdb->control, &request, on_answer, ovsdb);
		return true;
	}
	return false;
}

static void reconcile(void *context)
{
	struct ovsdb *ovsdb = context;
	struct device_spec devices[RELAYS_MAX];
	const struct device_spec *has[RELAYS_MAX];
	struct row *wanted[RELAYS_MAX];
	uint64_t wait_ms = UINT64_MAX;

	if (!ovsdb->known || ovsdb->asked < RELAYS_MAX)
		return;
	for (unsigned id = 0; id < RELAYS_MAX; id++)
		has[id] = control_vf_of_origin(ovsdb->control, id, VF_ORIGIN_OVSDB, &devices[id])
		                  ? &devices[id]
		                  : NULL;
	if (!rows_choose(&ovsdb->rows, SYSFS_ROOT, has, wanted))
		wait_ms = LOOK_AGAIN_MS;
	if (remove_one(ovsdb, has, wanted, &wait_ms) || add_one(ovsdb, has, wanted, &wait_ms))
		return;
	if (wait_ms < UINT64_MAX)
		turn_after(ovsdb, wait_ms);
}

static int on_table(void *context, const json_t *updates, bool whole, struct error *err)
{
	struct ovsdb *ovsdb = context;
	int rc = rows_apply(&ovsdb->rows, updates, whole, err);

	if (rc < 0)
		return rc;
	ovsdb->known = true;
	turn_after(ovsdb, 0);
	return 0;
}

struct ovsdb *ovsdb_start(const char *socket, bool ids_mean_vf, struct control *control,
                          struct loop *loop, struct error *err)
{
	struct ovsdb *ovsdb = calloc(1, sizeof(*ovsdb));

	if (ovsdb == NULL) {
		error_set(err, ENOMEM, "cannot watch OVSDB: out of memory");
		return NULL;
	}
	ovsdb->control = control;
	ovsdb->loop = loop;
	ovsdb->rows = (struct rows)ROWS_INIT;
	ovsdb->rows.ids = ids_mean_vf ? ROW_IDS_VF : ROW_IDS_RELAY;
	ovsdb->asked = RELAYS_MAX;
	ovsdb->client = ovsdb_client_create(socket, loop, on_table, ovsdb, err);
	if (ovsdb->client == NULL) {
		free(ovsdb);
		return NULL;
	}
	return ovsdb;
}

void ovsdb_stop(struct ovsdb *ovsdb)
{
	if (ovsdb == NULL)
		return;
	ovsdb_client_destroy(ovsdb->client);
	loop_timer_stop(&ovsdb->timer);
	rows_clear(&ovsdb->rows);
	if (ovsdb->asked < RELAYS_MAX)
		ovsdb->stopped = true; /* on_answer frees it */
	else
		free(ovsdb);
}
