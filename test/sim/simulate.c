/* Shows what the balancer does, without a machine: a table of how near to the best it keeps the
 * busiest worker, by how many moves and in what time, against a greedy that re-places everything
 * and against leaving lanes where they were first put; and a picture of load over time.
 *
 *     simulate DIRECTORY     writes DIRECTORY/load.svg (`make sim`)
 */
#include <stdio.h>
#include <time.h>

#include "traces.h"

static struct balancer *balancer;
static struct world world;

static double cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static void place_all(void)
{
	struct balancer_result result;

	if (balancer_place(balancer, &world.snapshot, &result) < 0)
		abort();
	world_apply(&world, &result);
}

static void copy_placement(int16_t *placement)
{
	for (unsigned i = 0; i < world.snapshot.n_lanes; i++)
		placement[i] = world.lanes[i].worker;
}

/* --- the table ------------------------------------------------------------------------------- */

struct figures {
	double sum, worst; /* of the hottest worker over the lower bound, node by node */
	unsigned n;
	unsigned long moves;
};

static void add_figure(struct figures *figures, const int16_t *placement)
{
	for (unsigned node = 0; node < world.shape.nodes; node++) {
		double ratio = world_hottest(&world, placement, (int)node) /
		               lower_bound(&world, (int)node);

		figures->sum += ratio;
		figures->n++;
		if (ratio > figures->worst)
			figures->worst = ratio;
	}
}

static void print_figures(const char *name, const struct figures *figures)
{
	printf("  %s +%5.1f %% +%5.1f %% %7lu", name, (figures->sum / figures->n - 1) * 100,
	       (figures->worst - 1) * 100, figures->moves);
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

#define ROUNDS    3
#define TIMES_MAX 20000

static void run_row(const struct world_shape *shape, enum trace_kind kind, unsigned seeds,
                    unsigned phases, double sensitivity)
{
	static int16_t still[WORLD_LANES], greedy[WORLD_LANES], ours[WORLD_LANES];
	static double times[TIMES_MAX];
	struct figures without = {0}, rival = {0}, with = {0};
	unsigned n_times = 0, rounds_most = 0;

	for (unsigned seed = 0; seed < seeds; seed++) {
		world_init(&world, seed, kind, shape);
		world.snapshot.settings.sensitivity = sensitivity;
		place_all();
		copy_placement(still);
		copy_placement(greedy);
		for (unsigned phase = 0; phase < phases; phase++, world_advance(&world)) {
			unsigned rounds = 0;

			for (; rounds < ROUNDS; rounds++) {
				struct balancer_result result;
				double before;

				world_measure(&world);
				before = cpu_us();
				if (balancer_round(balancer, &world.snapshot, &result) < 0)
					abort();
				if (n_times < TIMES_MAX)
					times[n_times++] = cpu_us() - before;
				if (result.n_moves == 0)
					break;
				with.moves += result.n_moves;
				world_apply(&world, &result);
			}
			if (rounds > rounds_most)
				rounds_most = rounds;
			rival.moves += greedy_place(&world, greedy);
			copy_placement(ours);
			add_figure(&without, still);
			add_figure(&rival, greedy);
			add_figure(&with, ours);
		}
	}
	qsort(times, n_times, sizeof(*times), by_size);
	printf("%-12s %4u %3u %2u %5.2f", trace_names[kind], world.snapshot.n_lanes, shape->workers,
	       shape->nodes, sensitivity);
	print_figures("", &without);
	print_figures("", &rival);
	print_figures("", &with);
	printf(" %4.0f %% %3u %5.0f %5.0f\n", 100.0 * (double)with.moves / (double)rival.moves,
	       rounds_most, times[n_times / 2], times[n_times * 99 / 100]);
}

static void print_table(void)
{
	static const struct {
		struct world_shape shape;
		unsigned seeds, phases;
	} sizes[] = {
	        {{.relays = 64, .pairs = 8, .workers = 64, .nodes = 4, .mean_load = 0.5}, 4, 24},
	        {{.relays = 32, .pairs = 1, .workers = 8, .nodes = 2, .mean_load = 0.5}, 50, 24},
	        {{.relays = 16, .pairs = 2, .workers = 16, .nodes = 1, .mean_load = 0.4}, 50, 24},
	        {{.relays = 4, .pairs = 2, .workers = 4, .nodes = 1, .mean_load = 0.3}, 50, 24},
	};

	printf("How much busier the busiest worker of a node is than the lower bound of what is "
	       "possible (mean, worst), and the lanes moved.\n"
	       "Time: CPU time of a decision in us, median and 99th percentile.\n\n");
	printf("%-12s %4s %3s %2s %5s  %-24s %-25s %-25s %6s %3s %11s\n", "trace", "lane", "wrk",
	       "nd", "sens.", "   as placed first", "  greedy, all re-placed", "  balancer",
	       "moves", "rnd", "time");
	for (unsigned size = 0; size < sizeof(sizes) / sizeof(*sizes); size++) {
		for (int s = 0; s < 2; s++)
			for (int kind = 0; kind < TRACE_KINDS; kind++)
				run_row(&sizes[size].shape, (enum trace_kind)kind,
				        sizes[size].seeds, sizes[size].phases,
				        s == 0 ? 0 : BALANCER_SENSITIVITY);
		printf("\n");
	}
}

/* --- the picture ----------------------------------------------------------------------------- */

#define INTERVALS 240
#define PANELS    4

struct panel {
	enum trace_kind kind;
	unsigned hold; /* intervals between changes */
	const char *title;
	double without[INTERVALS], with[INTERVALS], best[INTERVALS];
	unsigned moves[INTERVALS];
};

/* As in the daemon: one sample and one round per interval, meters, memory and the default
 * sensitivity; the loads jitter all the time, and change by the trace's kind now and then. */
static void simulate_panel(struct panel *panel)
{
	const struct world_shape shape = {
	        .relays = 24, .pairs = 2, .workers = 8, .nodes = 1, .mean_load = 0.45};
	static struct balancer_meter meters[WORLD_LANES];
	static struct balancer_memory memory;
	static double steady[WORLD_LANES];
	static int16_t still[WORLD_LANES], ours[WORLD_LANES];

	world_init(&world, 7, panel->kind, &shape);
	world.snapshot.settings.sensitivity = BALANCER_SENSITIVITY;
	world.snapshot.memory = &memory;
	memset(&memory, 0, sizeof(memory));
	memset(meters, 0, sizeof(meters));
	place_all();
	copy_placement(still);
	memcpy(steady, world.demand, sizeof(steady));
	for (unsigned t = 0; t < INTERVALS; t++) {
		struct balancer_result result;

		if (t % panel->hold == panel->hold - 1) {
			world_advance(&world);
			memcpy(steady, world.demand, sizeof(steady));
		}
		for (unsigned i = 0; i < world.snapshot.n_lanes; i++)
			world.demand[i] = steady[i] * (0.95 + 0.1 * dice_unit(&world.dice));
		copy_placement(ours);
		panel->without[t] = world_hottest(&world, still, 0);
		panel->with[t] = world_hottest(&world, ours, 0);
		panel->best[t] = lower_bound(&world, 0);
		world_measure(&world);
		for (unsigned i = 0; i < world.snapshot.n_lanes; i++) {
			balancer_meter_add(&meters[i], world.lanes[i].load);
			world.lanes[i].load = meters[i].load;
			world.lanes[i].noise = meters[i].noise;
		}
		if (balancer_round(balancer, &world.snapshot, &result) < 0)
			abort();
		panel->moves[t] = result.n_moves;
		world_apply(&world, &result);
	}
}

#define PANEL_WIDTH  560
#define PANEL_HEIGHT 250
#define MARGIN       50

static double x_of(unsigned t)
{
	return MARGIN + t * (PANEL_WIDTH - MARGIN - 15.0) / INTERVALS;
}

static double y_of(double load)
{
	return PANEL_HEIGHT - 40 - load * (PANEL_HEIGHT - 80) / 1.2;
}

static void draw_line(FILE *file, const double *values, const char *style)
{
	fprintf(file, "<polyline fill='none' %s points='", style);
	for (unsigned t = 0; t < INTERVALS; t++)
		fprintf(file, "%.1f,%.1f ", x_of(t), y_of(values[t] < 1.2 ? values[t] : 1.2));
	fprintf(file, "'/>\n");
}

static const char without_style[] = "stroke='#d1495b' stroke-width='1.5'";
static const char with_style[] = "stroke='#00798c' stroke-width='2'";
static const char best_style[] = "stroke='#222' stroke-width='1' stroke-dasharray='2,3'";

static void draw_panel(FILE *file, const struct panel *panel, unsigned index)
{
	unsigned moves = 0;

	fprintf(file, "<g transform='translate(%u,%u)'>\n", index % 2 * PANEL_WIDTH,
	        60 + index / 2 * PANEL_HEIGHT);
	for (unsigned percent = 0; percent <= 120; percent += 20)
		fprintf(file,
		        "<line x1='%d' x2='%.1f' y1='%.1f' y2='%.1f' stroke='%s'/>"
		        "<text x='%d' y='%.1f' text-anchor='end'>%u %%</text>\n",
		        MARGIN, x_of(INTERVALS), y_of(percent / 100.0), y_of(percent / 100.0),
		        percent == 100 ? "#888" : "#e5e5e5", MARGIN - 6, y_of(percent / 100.0) + 4,
		        percent);
	for (unsigned t = 0; t <= INTERVALS; t += 60)
		fprintf(file, "<text x='%.1f' y='%d' text-anchor='middle'>%u</text>\n", x_of(t),
		        PANEL_HEIGHT - 14, t);
	draw_line(file, panel->without, without_style);
	draw_line(file, panel->best, best_style);
	draw_line(file, panel->with, with_style);
	for (unsigned t = 0; t < INTERVALS; t++) {
		moves += panel->moves[t];
		if (panel->moves[t] > 0)
			fprintf(file,
			        "<line x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f' stroke='#edae49' "
			        "stroke-width='2'/>\n",
			        x_of(t), x_of(t), y_of(0),
			        y_of(0) - (panel->moves[t] < 20 ? panel->moves[t] : 20) * 2.0);
	}
	fprintf(file, "<text x='%d' y='22' class='title'>%s (%u moves)</text>\n</g>\n", MARGIN,
	        panel->title, moves);
}

static void draw_legend(FILE *file)
{
	static const struct {
		const char *style, *text;
	} entries[] = {{without_style, "lanes stay where they were first placed"},
	               {with_style, "balancer, sensitivity 0.25"},
	               {best_style, "lower bound of what is possible"},
	               {"stroke='#edae49' stroke-width='3'", "lanes moved"}};

	fprintf(file,
	        "<text x='%d' y='24' class='title'>The busiest of 8 workers, 96 lanes; the loads "
	        "jitter by 5 %%</text>\n",
	        MARGIN);
	for (unsigned i = 0; i < 4; i++)
		fprintf(file,
		        "<line x1='%u' x2='%u' y1='44' y2='44' %s/><text x='%u' y='48'>%s</text>\n",
		        MARGIN + i * 290, MARGIN + i * 290 + 30, entries[i].style,
		        MARGIN + i * 290 + 38, entries[i].text);
}

static int draw(const char *path)
{
	static struct panel panels[PANELS] = {
	        {.kind = TRACE_STEADY, .hold = 20, .title = "steady"},
	        {.kind = TRACE_BURSTY,
	         .hold = 20,
	         .title = "bursty: relays wake up and fall silent"},
	        {.kind = TRACE_DIURNAL,
	         .hold = 5,
	         .title = "diurnal: each relay has its own time of day"},
	        {.kind = TRACE_ADVERSARIAL,
	         .hold = 30,
	         .title = "adversarial: what shares a worker grows together"}};
	FILE *file = fopen(path, "w");

	if (file == NULL)
		return -1;
	fprintf(file,
	        "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' "
	        "font-family='sans-serif' font-size='11' fill='#444'>\n"
	        "<style>.title { font-size: 14px; font-weight: bold; fill: #222 }</style>\n"
	        "<rect width='100%%' height='100%%' fill='white'/>\n",
	        2 * PANEL_WIDTH, 60 + PANELS / 2 * PANEL_HEIGHT);
	draw_legend(file);
	for (unsigned i = 0; i < PANELS; i++) {
		simulate_panel(&panels[i]);
		draw_panel(file, &panels[i], i);
	}
	fprintf(file, "</svg>\n");
	return fclose(file);
}

int main(int argc, char **argv)
{
	char path[512];

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return EXIT_FAILURE;
	}
	balancer = balancer_create(WORLD_LANES, WORLD_WORKERS);
	if (balancer == NULL) {
		perror("balancer");
		return EXIT_FAILURE;
	}
	print_table();
	snprintf(path, sizeof(path), "%s/load.svg", argv[1]);
	if (draw(path) != 0) {
		perror(path);
		return EXIT_FAILURE;
	}
	printf("%s: load over time, with and without the balancer\n", path);
	balancer_destroy(balancer);
	return EXIT_SUCCESS;
}
