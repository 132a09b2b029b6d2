/* Judges whether a plan for a domain is worth its moves, against the sensitivity and the loads' own
 * noise; and whether anything but noise has happened since the last look.
 */
#include "balancer/judge.h"

#include "base/hash.h"

/* With a sensitivity above 0, a gain must also exceed the noise of the loads, and a part of the
 * mean or of a CPU: times the sensitivity, so that at 0 any gain counts. At the default of 0.25
 * that is 5 % of the mean, or 1 % of a CPU. */
#define FLOOR_OF_MEAN (1.0 / 5)
#define FLOOR_OF_CPU  (1.0 / 25)
/* Mean deviations by which a worker and its counterpart may differ by chance; and by which a worker
 * may differ from itself, again and again. */
#define NOISE_FACTOR 4
#define QUIET_FACTOR 6

static uint64_t square_root(uint64_t x)
{
	uint64_t root = 0;

	for (uint64_t bit = 1ull << 31; bit > 0; bit >>= 1)
		if ((root + bit) * (root + bit) <= x)
			root += bit;
	return root;
}

/* The least change of a load, or the least gain, that counts beside such a mean. */
static double least_that_counts(double sensitivity, double mean)
{
	double part = mean * FLOOR_OF_MEAN, least = BALANCER_FULL * FLOOR_OF_CPU;

	return sensitivity * (part > least ? part : least);
}

/* A group's noise where it was, squared. */
static uint64_t noise_at_origin(const struct balancer *b, const struct group *group)
{
	uint64_t slowness = b->seats[group->origin].slowness;

	return group->noise_squared * slowness / SLOWNESS_ONE * slowness / SLOWNESS_ONE;
}

/* --- one domain ---------------------------------------------------------------------------- */

/* Heats that differ by less than a 256th count as the same: a round that gains no more is not worth
 * a move. */
static bool is_same(uint64_t heat, uint64_t other)
{
	return heat <= other + other / 256 && other <= heat + heat / 256;
}

/* How much the groups that were on a core vary by themselves, as pressure. */
static double core_noise(const struct balancer *b, int core)
{
	uint64_t sum = 0;

	for (unsigned g = 0; g < b->n_groups; g++)
		if (b->seats[b->groups[g].origin].core == core)
			sum += noise_at_origin(b, &b->groups[g]);
	return NOISE_FACTOR * (double)square_root(sum);
}

static int16_t busiest_seat(const struct balancer *b, int core)
{
	int16_t busiest = b->cores[core].first;

	for (int16_t s = busiest; s != NONE; s = b->seats[s].next_in_core)
		if (b->seats[s].load_before > b->seats[busiest].load_before)
			busiest = s;
	return busiest;
}

/* Compares the heats before and after, both lists falling. The first difference is the busiest
 * worker that can be relieved: the ones before it stay as they are, and it and those after it count
 * for the mean. */
void judge_domain(struct balancer *b, const struct domain *domain, struct balancer_verdict *verdict)
{
	double sensitivity = b->snapshot->settings.sensitivity;
	double load = 0, capacity = 0, mean, gain = 0, share, needed;
	unsigned k = 0;

	model_rank(b, domain, b->after);
	verdict->found = model_moved_lanes(b, domain);
	while (verdict->found > 0 && k + 1 < domain->n_cores &&
	       is_same(b->before[k].heat, b->after[k].heat))
		k++;
	for (unsigned i = k; i < domain->n_cores; i++) {
		load += (double)b->before[i].load;
		capacity += (double)b->before[i].capacity;
	}
	mean = load / capacity * BALANCER_FULL / 2;
	if (!is_same(b->before[k].heat, b->after[k].heat))
		gain = ((double)b->before[k].heat - (double)b->after[k].heat) / 2;
	share = sensitivity * ((double)b->before[k].heat / 2 - mean);
	needed = sensitivity > 0
	                 ? least_that_counts(sensitivity, mean) + core_noise(b, b->before[k].core)
	                 : 0;
	if (needed < share)
		needed = share;

	verdict->busiest = busiest_seat(b, b->before[k].core);
	verdict->before = (uint32_t)(b->before[k].heat / 2);
	verdict->after = (uint32_t)(b->after[k].heat / 2);
	verdict->mean = (uint32_t)mean;
	verdict->needed = (uint32_t)needed;
	if (gain <= 0 || gain < share)
		verdict->outcome = BALANCER_TOO_SMALL;
	else if (gain < needed)
		verdict->outcome = BALANCER_NOISE;
	else
		verdict->outcome = BALANCER_MOVED;
}

/* --- since the last look ------------------------------------------------------------------- */

static uint64_t mix(uint64_t signature, int64_t value)
{
	return hash_number(signature, (uint64_t)value);
}

/* A hash of all that the snapshot says, but for the loads. It is never 0. */
static uint64_t signature_of(const struct balancer_snapshot *snapshot)
{
	const struct balancer_settings *settings = &snapshot->settings;
	uint64_t x = HASH_START;

	x = mix(x, (int64_t)(settings->sensitivity * BALANCER_FULL));
	x = mix(x, settings->global_numa_opt + 2 * settings->spill_over + 4 * settings->pack);
	x = mix(x, settings->spill_at);
	x = mix(x, settings->spill_idle);
	x = mix(x, settings->return_at);
	x = mix(x, settings->moves_max);
	for (unsigned i = 0; i < snapshot->n_workers; i++) {
		const struct balancer_worker *worker = &snapshot->workers[i];

		x = mix(x, worker->node * 65536 + worker->core);
		x = mix(x, worker->capacity);
	}
	for (unsigned i = 0; i < snapshot->n_lanes; i++) {
		const struct balancer_lane *lane = &snapshot->lanes[i];

		x = mix(x, lane->relay * 65536 + lane->direction * 256 + lane->group);
		x = mix(x, lane->worker * 65536 + lane->pin);
		x = mix(x, lane->vf_node * 65536 + lane->pool_node);
		x = mix(x, lane->guest_node);
	}
	return x | 1;
}

/* The noise of all groups, squared. */
static double all_noise(const struct balancer *b)
{
	double sum = 0;

	for (unsigned g = 0; g < b->n_groups; g++)
		sum += (double)b->groups[g].noise_squared;
	return sum;
}

bool judge_is_quiet(struct balancer *b)
{
	const struct balancer_memory *memory = b->snapshot->memory;
	double sensitivity = b->snapshot->settings.sensitivity;

	if (memory == NULL || sensitivity <= 0 || memory->signature != signature_of(b->snapshot))
		return false;
	if (all_noise(b) < memory->noise / 4)
		return false;
	for (unsigned i = 0; i < b->n_seats; i++)
		b->noise[i] = 0;
	for (unsigned g = 0; g < b->n_groups; g++)
		b->noise[b->groups[g].seat] += noise_at_origin(b, &b->groups[g]);
	for (unsigned i = 0; i < b->n_seats; i++) {
		double load = (double)b->seats[i].load, was = memory->load[i];
		double change = load > was ? load - was : was - load;

		if (change > least_that_counts(sensitivity, was) +
		                     QUIET_FACTOR * (double)square_root(b->noise[i]))
			return false;
	}
	return true;
}

/* A round that moved something is followed by one that looks again. */
void judge_remember(struct balancer *b)
{
	struct balancer_memory *memory = b->snapshot->memory;

	if (memory == NULL)
		return;
	memory->signature = b->n_moves == 0 ? signature_of(b->snapshot) : 0;
	memory->noise = all_noise(b);
	for (unsigned i = 0; i < b->n_seats; i++)
		memory->load[i] =
		        b->seats[i].load < UINT32_MAX ? (uint32_t)b->seats[i].load : UINT32_MAX;
}
