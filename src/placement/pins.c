/* Pins: which CPU a direction of a relay is bound to, by the configuration or by a client.
 * Control thread only.
 */
#include "placement/pins.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "config/config.h"
#include "relay/request.h"

#define CPU_LIST_MAX 256

static int16_t worker_of_cpu(const struct workers *workers, int cpu)
{
	for (unsigned i = 0; cpu >= 0 && i < workers->count; i++)
		if (workers->worker[i].lcore == (unsigned)cpu)
			return (int16_t)i;
	return LANE_UNPLACED;
}

static int cpu_of_worker(const struct workers *workers, int16_t worker)
{
	return worker == LANE_UNPLACED ? -1 : (int)workers->worker[worker].lcore;
}

static void pin(struct relays *relays, const struct cpu_pin *entry)
{
	struct relay *relay = &relays->relay[entry->relay_id];

	relay->lanes.vf_to_vm_pin = worker_of_cpu(relays->workers, entry->vf_to_vm_cpu);
	relay->lanes.vm_to_vf_pin = worker_of_cpu(relays->workers, entry->vm_to_vf_cpu);
}

void pins_init(struct relays *relays)
{
	for (size_t i = 0; i < relays->config->n_pins; i++)
		pin(relays, &relays->config->pins[i]);
}

static struct cpu_pin configured(const struct relays *relays, unsigned relay_id)
{
	for (size_t i = 0; i < relays->config->n_pins; i++)
		if (relays->config->pins[i].relay_id == relay_id)
			return relays->config->pins[i];
	return (struct cpu_pin){.relay_id = relay_id, .vf_to_vm_cpu = -1, .vm_to_vf_cpu = -1};
}

static bool same(const struct cpu_pin *a, const struct cpu_pin *b)
{
	return a->vf_to_vm_cpu == b->vf_to_vm_cpu && a->vm_to_vf_cpu == b->vm_to_vf_cpu;
}

bool pins_are_changed(const struct relays *relays, unsigned relay_id, struct cpu_pin *out)
{
	struct cpu_pin file = configured(relays, relay_id);

	pins_read(relays, relay_id, out);
	return !same(out, &file);
}

void pins_restore(struct relays *relays, const struct cpu_pin *saved)
{
	struct cpu_pin file = configured(relays, saved->relay_id), now;

	if (file.vf_to_vm_cpu != -1 || file.vm_to_vf_cpu != -1) {
		if (!same(saved, &file))
			log_warn("relay %u: pinned to CPU %d and %d as the configuration says, not "
			         "to %d and %d as before the restart (-1: not pinned)",
			         saved->relay_id, file.vf_to_vm_cpu, file.vm_to_vf_cpu,
			         saved->vf_to_vm_cpu, saved->vm_to_vf_cpu);
		return;
	}
	pin(relays, saved);
	pins_read(relays, saved->relay_id, &now);
	if (!same(saved, &now))
		log_warn("relay %u: its pins to CPU %d and %d (-1: none) cannot all be had back: "
		         "no worker is there any more",
		         saved->relay_id, saved->vf_to_vm_cpu, saved->vm_to_vf_cpu);
}

bool pins_read(const struct relays *relays, unsigned relay_id, struct cpu_pin *out)
{
	const struct relay *relay = &relays->relay[relay_id];

	out->relay_id = relay_id;
	out->vf_to_vm_cpu = cpu_of_worker(relays->workers, relay->lanes.vf_to_vm_pin);
	out->vm_to_vf_cpu = cpu_of_worker(relays->workers, relay->lanes.vm_to_vf_pin);
	return relay->lanes.vf_to_vm_pin != LANE_UNPLACED ||
	       relay->lanes.vm_to_vf_pin != LANE_UNPLACED;
}

/* --- changing it ----------------------------------------------------------------------------- */

static void refuse(struct outcome *outcome, enum outcome_reason reason, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void refuse(struct outcome *outcome, enum outcome_reason reason, const char *format, ...)
{
	va_list args;

	*outcome = (struct outcome){.reason = reason};
	va_start(args, format);
	vsnprintf(outcome->text, sizeof(outcome->text), format, args);
	va_end(args);
}

static const char *list_workers(const struct workers *workers, char out[CPU_LIST_MAX])
{
	struct cpu_set cpus = {0};

	for (unsigned i = 0; i < workers->count; i++)
		cpu_set_add(&cpus, workers->worker[i].lcore);
	return cpu_set_format(&cpus, out, CPU_LIST_MAX);
}

static bool cpu_is_good(const struct relays *relays, const struct cpu_pin *entry, int cpu,
                        const char *direction, struct outcome *outcome)
{
	char list[CPU_LIST_MAX];

	if (cpu == -1 || worker_of_cpu(relays->workers, cpu) != LANE_UNPLACED)
		return true;
	refuse(outcome, OUTCOME_BAD_CPU,
	       "relay %u, %s: there is no worker on CPU %d, so nothing was changed; workers are on "
	       "%s, and -1 releases a pin",
	       entry->relay_id, direction, cpu, list_workers(relays->workers, list));
	return false;
}

static bool entry_is_good(const struct relays *relays, const struct cpu_pin *entry,
                          struct outcome *outcome)
{
	if (entry->relay_id >= RELAYS_MAX) {
		refuse(outcome, OUTCOME_BAD_RELAY,
		       "there is no relay %u, so nothing was changed; ids are 0 to %d",
		       entry->relay_id, RELAYS_MAX - 1);
		return false;
	}
	return cpu_is_good(relays, entry, entry->vf_to_vm_cpu, "VF to VM", outcome) &&
	       cpu_is_good(relays, entry, entry->vm_to_vf_cpu, "VM to VF", outcome);
}

void pins_update(struct relays *relays, const struct cpu_pin *pins, size_t count, outcome_fn done,
                 void *context)
{
	struct outcome outcome;

	for (size_t i = 0; i < count; i++) {
		if (!entry_is_good(relays, &pins[i], &outcome)) {
			done(context, &outcome);
			return;
		}
	}
	for (size_t i = 0; i < count; i++) {
		pin(relays, &pins[i]);
		relay_keep(&relays->relay[pins[i].relay_id]);
		log_debug("relay %u: pinned to CPU %d (VF to VM) and %d (VM to VF); -1: not pinned",
		          pins[i].relay_id, pins[i].vf_to_vm_cpu, pins[i].vm_to_vf_cpu);
	}
	relays->hooks.changed(relays->hooks.context);
	if (count == 0)
		outcome_ok(done, context);
	else /* the last change is written last */
		request_answer_kept(&relays->relay[pins[count - 1].relay_id], done, context);
}
