/* A guest for tests: DPDK's net_virtio_user on a vhost-user socket, sending sequence-numbered
 * packets and accounting for each of them when it comes back. It runs without hugepages, several
 * at once, and sleeps between polls. One thread touches all data here; signals set one flag.
 *
 * usage: seqguest [EAL options] -- --path SOCKET [options]; --help lists them. While it runs,
 * commands are read from stdin and answered by JSON lines on stdout:
 *   queues N · stall Q · resume Q · stop · start · rate R · raw LENGTH COUNT QUEUE · reconnect ·
 *   detach · attach · reset · stats · quit
 * A command's answer is {"event":"done","command":…,"ok":…}; "report" and "final" lines carry
 * the counters. Exit status 0; with --strict 1 unless every packet came back once and in order.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "seq_flow.h"
#include "seq_frame.h"
#include "seq_options.h"
#include "seq_port.h"

#define BURST      32
#define POOL_CACHE 64

struct guest {
	struct options opt;
	struct port port;
	bool stalled[QUEUES_MAX];
	bool sending;
	struct flow *flows;
	unsigned next_flow;
	double credit; /* packets that --rate allows by now */
	uint64_t credit_at_us, last_rx_us, silence_max_us;
	uint64_t unexpected, raw_sent, raw_received, tx_full, forgiven, reflected;
	uint64_t rx_on_queue[QUEUES_MAX], tx_on_queue[QUEUES_MAX];
	uint64_t strayed; /* packets that came by another queue than their flow's last one */
	uint8_t rx_queue_of[FLOWS_MAX]; /* + 1; 0 = none yet */
	uint32_t random;
	char line[256]; /* a command as far as it has been read */
	size_t line_len;
	bool quit, stdin_gone;
	uint8_t frame[FRAME_MAX];
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
	(void)number;
	stop_asked = 1;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint32_t next_random(struct guest *g)
{
	g->random = g->random * 1664525u + 1013904223u;
	return g->random >> 8;
}

/* --- frames ------------------------------------------------------------------------------ */

static void guest_fill(struct guest *g, uint16_t magic, unsigned flow, uint32_t seq,
                       unsigned length, uint64_t now)
{
	struct probe p = {.magic = magic,
	                  .sender = (uint16_t)g->opt.id,
	                  .flow = (uint16_t)flow,
	                  .seq = seq,
	                  .sent_us = (uint32_t)now,
	                  .length = (uint16_t)length};

	frame_fill(g->frame, &p, &g->port.mac);
}

/* Copies the frame into a chain of mbufs, as a frame larger than one mbuf needs several. */
static struct rte_mbuf *frame_to_mbufs(struct guest *g, unsigned length)
{
	struct rte_mbuf *head = NULL, *seg;
	unsigned done = 0, part;

	do {
		seg = rte_pktmbuf_alloc(g->port.pool);
		if (!seg) {
			rte_pktmbuf_free(head);
			return NULL;
		}
		part = RTE_MIN(length - done, (unsigned)rte_pktmbuf_tailroom(seg));
		memcpy(rte_pktmbuf_append(seg, (uint16_t)part), g->frame + done, part);
		done += part;
		if (!head)
			head = seg;
		else if (rte_pktmbuf_chain(head, seg) < 0) {
			rte_pktmbuf_free(seg);
			rte_pktmbuf_free(head);
			return NULL;
		}
	} while (done < length);
	return head;
}

static bool frame_send(struct guest *g, unsigned queue, unsigned length)
{
	struct rte_mbuf *m = frame_to_mbufs(g, length);

	if (!m || rte_eth_tx_burst(g->port.id, (uint16_t)queue, &m, 1) != 1) {
		rte_pktmbuf_free(m);
		g->tx_full++;
		return false;
	}
	g->tx_on_queue[queue]++;
	return true;
}

static void frame_receive(struct guest *g, unsigned queue, const struct rte_mbuf *m, uint64_t now)
{
	unsigned length = rte_pktmbuf_pkt_len(m);
	const uint8_t *data = NULL;
	struct probe p;
	struct flow *f;

	if (length >= FRAME_MIN && length <= FRAME_MAX)
		data = rte_pktmbuf_read(m, 0, length, g->frame);
	if (!data || !frame_probe(data, &p) || p.flow >= FLOWS_MAX ||
	    (g->opt.mode == MODE_ECHO && p.sender != g->opt.id)) {
		g->unexpected++;
		return;
	}
	if (p.magic == PROBE_RAW) {
		g->raw_received++;
		return;
	}
	f = &g->flows[p.flow];
	if (g->rx_queue_of[p.flow] != 0 && g->rx_queue_of[p.flow] != queue + 1)
		g->strayed++;
	g->rx_queue_of[p.flow] = (uint8_t)(queue + 1);
	if (!frame_intact(data, length, &p))
		f->count.corrupted++;
	if (g->last_rx_us && now - g->last_rx_us > g->silence_max_us)
		g->silence_max_us = now - g->last_rx_us;
	g->last_rx_us = now;
	if (g->opt.mode != MODE_ECHO)
		flow_heard(f, p.seq);
	else if (!flow_back(f, p.seq, now))
		g->unexpected++;
}

/* --- traffic ----------------------------------------------------------------------------- */

static void reflect(struct guest *g, unsigned queue, struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ether_addr other;

	if (rte_pktmbuf_data_len(m) < sizeof(*eth)) {
		rte_pktmbuf_free(m);
		return;
	}
	other = eth->dst_addr;
	eth->dst_addr = eth->src_addr;
	eth->src_addr = other;
	if (rte_eth_tx_burst(g->port.id, (uint16_t)queue, &m, 1) == 1) {
		g->reflected++;
		return;
	}
	g->tx_full++;
	rte_pktmbuf_free(m);
}

static unsigned guest_receive(struct guest *g)
{
	struct rte_mbuf *pkts[BURST];
	unsigned total = 0, rounds;
	uint16_t n;

	for (unsigned q = 0; q < g->port.queues; q++) {
		for (rounds = 0; !g->stalled[q] && rounds < 8; rounds++) {
			n = rte_eth_rx_burst(g->port.id, (uint16_t)q, pkts, BURST);
			for (unsigned i = 0; i < n; i++) {
				if (g->opt.mode == MODE_REFLECT) {
					reflect(g, q, pkts[i]);
					continue;
				}
				frame_receive(g, q, pkts[i], now_us());
				rte_pktmbuf_free(pkts[i]);
			}
			g->rx_on_queue[q] += n;
			total += n;
			if (n < BURST)
				break;
		}
	}
	return total;
}

static bool flow_send(struct guest *g, unsigned index, uint64_t now)
{
	struct flow *f = &g->flows[index];
	unsigned range = g->opt.size_max - g->opt.size_min + 1;
	unsigned length = g->opt.size_min + next_random(g) % range;

	/* A share for each flow, or one that is held up would use up the window of all. */
	if (g->opt.mode == MODE_ECHO &&
	    !flow_has_room(f, RTE_MAX(1u, g->opt.window / g->opt.flows)))
		return false;
	guest_fill(g, PROBE_SEQUENCED, index, f->next_seq, length, now);
	if (!frame_send(g, index % g->port.queues, length))
		return false;
	flow_sent(f, now, g->opt.mode == MODE_ECHO);
	return true;
}

static void guest_transmit(struct guest *g, uint64_t now)
{
	unsigned tried = 0;

	g->credit += (double)(now - g->credit_at_us) * g->opt.rate / 1e6;
	g->credit_at_us = now;
	if (g->credit > 64) /* after a pause, no burst to catch up */
		g->credit = 64;
	while (g->credit >= 1 && tried < g->opt.flows) {
		unsigned index = g->next_flow++ % g->opt.flows;

		if (flow_send(g, index, now)) {
			g->credit -= 1;
			tried = 0;
		} else {
			tried++;
		}
	}
}

static int raw_send(struct guest *g, unsigned length, unsigned count, unsigned queue)
{
	if (length == 0 || length > FRAME_MAX || queue >= g->port.queues || !g->port.attached)
		return -EINVAL;
	for (unsigned i = 0; i < count && !stop_asked; i++) {
		unsigned tries = 0;

		guest_fill(g, PROBE_RAW, 0, i, RTE_MAX(length, (unsigned)FRAME_MIN), now_us());
		while (!frame_send(g, queue, length)) {
			if (++tries > 20000)
				return -ETIMEDOUT;
			/* tx completions and other queues' packets come meanwhile */
			guest_receive(g);
			usleep(100);
		}
		g->raw_sent++;
		if (i % BURST == BURST - 1)
			guest_receive(g);
	}
	return 0;
}

/* --- leaving and coming back ---------------------------------------------------------------- */

/* DPDK 24.11 takes no more than 127 bytes of arguments for a device that comes at run time. */
static bool path_shorten(const char **path)
{
	const char *name = strrchr(*path, '/');
	char directory[256];

	if (name == NULL)
		return true;
	snprintf(directory, sizeof(directory), "%.*s", (int)(name - *path) + 1, *path);
	*path = name + 1;
	return chdir(directory) == 0;
}

static void forgive_outstanding(struct guest *g)
{
	for (unsigned i = 0; i < g->opt.flows; i++)
		g->forgiven += flow_forgive(&g->flows[i]);
}

static int guest_detach(struct guest *g)
{
	if (g->port.attached)
		forgive_outstanding(g);
	return port_detach(&g->port);
}

/* As QEMU does, try again for a while: the backend may not have seen yet that we left. */
static int guest_reconnect(struct guest *g)
{
	int rc = guest_detach(g);

	for (unsigned tries = 0; tries < 20 && !g->port.attached && !stop_asked; tries++) {
		if (tries)
			usleep(50000);
		rc = port_attach(&g->port, &g->opt);
	}
	return rc;
}

/* --- reports and commands ---------------------------------------------------------------- */

static void print_list(const char *name, const uint64_t *values)
{
	printf(",\"%s\":[", name);
	for (unsigned q = 0; q < QUEUES_MAX; q++)
		printf("%s%" PRIu64, q ? "," : "", values[q]);
	putchar(']');
}

static void report(const struct guest *g, const char *event)
{
	struct counters t = flows_count(g->flows);
	uint64_t now = now_us();

	printf("{\"event\":\"%s\",\"time_ms\":%" PRIu64 ",", event, now / 1000);
	counters_print(&t);
	printf(",\"outstanding\":%u,\"unexpected\":%" PRIu64 ",\"raw_sent\":%" PRIu64
	       ",\"raw_received\":%" PRIu64 ",\"tx_full\":%" PRIu64 ",\"forgiven\":%" PRIu64
	       ",\"reflected\":%" PRIu64 ",\"rtt_max_us\":%" PRIu64 ",\"silence_max_ms\":%" PRIu64
	       ",\"silent_ms\":%" PRIu64 ",\"queues\":%u,\"strayed\":%" PRIu64,
	       flows_outstanding(g->flows), g->unexpected, g->raw_sent, g->raw_received, g->tx_full,
	       g->forgiven, g->reflected, flows_rtt_max(g->flows), g->silence_max_us / 1000,
	       g->last_rx_us ? (now - g->last_rx_us) / 1000 : 0, g->port.queues, g->strayed);
	print_list("rx_on_queue", g->rx_on_queue);
	print_list("tx_on_queue", g->tx_on_queue);
	printf(",\"flows\":[");
	for (unsigned i = 0; i < g->opt.flows; i++) {
		printf("%s{", i ? "," : "");
		counters_print(&g->flows[i].count);
		putchar('}');
	}
	printf("]}\n");
	fflush(stdout);
}

static void reset_counts(struct guest *g)
{
	forgive_outstanding(g);
	for (unsigned i = 0; i < FLOWS_MAX; i++) {
		memset(&g->flows[i].count, 0, sizeof(g->flows[i].count));
		g->flows[i].rtt_max_us = 0;
	}
	g->unexpected = g->raw_sent = g->raw_received = g->tx_full = g->forgiven = g->reflected = 0;
	g->silence_max_us = g->last_rx_us = g->strayed = 0;
	memset(g->rx_queue_of, 0, sizeof(g->rx_queue_of));
	memset(g->rx_on_queue, 0, sizeof(g->rx_on_queue));
	memset(g->tx_on_queue, 0, sizeof(g->tx_on_queue));
}

static int command_run(struct guest *g, const char *line)
{
	unsigned a = 0, b = 0, c = 0;
	char word[16] = "";
	int n = sscanf(line, "%15s %u %u %u", word, &a, &b, &c);

	if (!strcmp(word, "queues") && n == 2)
		return port_set_queues(&g->port, &g->opt, a);
	if ((!strcmp(word, "stall") || !strcmp(word, "resume")) && n == 2 && a < QUEUES_MAX) {
		g->stalled[a] = word[0] == 's';
		return 0;
	}
	if (!strcmp(word, "raw") && n == 4)
		return raw_send(g, a, b, c);
	if (!strcmp(word, "rate") && n == 2) {
		g->opt.rate = a;
		return 0;
	}
	if (n != 1)
		return -EINVAL;
	if (!strcmp(word, "stop"))
		g->sending = false;
	else if (!strcmp(word, "start"))
		g->sending = true;
	else if (!strcmp(word, "stats"))
		report(g, "report");
	else if (!strcmp(word, "reset"))
		reset_counts(g);
	else if (!strcmp(word, "detach"))
		return guest_detach(g);
	else if (!strcmp(word, "attach"))
		return port_attach(&g->port, &g->opt);
	else if (!strcmp(word, "reconnect"))
		return guest_reconnect(g);
	else if (!strcmp(word, "quit"))
		g->quit = true;
	else
		return -EINVAL;
	return 0;
}

static void commands_read(struct guest *g)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	ssize_t n;
	char c;

	while (!g->stdin_gone && poll(&in, 1, 0) == 1) {
		n = read(STDIN_FILENO, &c, 1);
		if (n <= 0) {
			g->stdin_gone = true;
		} else if (c != '\n') {
			if (g->line_len < sizeof(g->line) - 1)
				g->line[g->line_len++] = c;
		} else {
			int rc;

			g->line[g->line_len] = '\0';
			g->line_len = 0;
			rc = command_run(g, g->line);
			printf("{\"event\":\"done\",\"command\":\"%.40s\",\"ok\":%s,\"error\":\"%"
			       "s\"}\n",
			       g->line, rc == 0 ? "true" : "false", rc < 0 ? strerror(-rc) : "");
			fflush(stdout);
		}
	}
}

/* --- life -------------------------------------------------------------------------------- */

static void guest_run(struct guest *g)
{
	uint64_t start = now_us(), next_report = start + g->opt.report_ms * 1000ull;
	uint64_t next_slow = start, now;

	g->credit_at_us = start;
	while (!stop_asked && !g->quit) {
		unsigned n = g->port.attached ? guest_receive(g) : 0;

		now = now_us();
		if (g->port.attached && g->sending && g->opt.mode <= MODE_SOURCE)
			guest_transmit(g, now);
		else
			g->credit_at_us = now;
		if (now >= next_slow) {
			next_slow = now + 1000;
			commands_read(g);
			flows_expire(g->flows, now, g->opt.timeout_ms * 1000ull);
		}
		if (g->opt.report_ms && now >= next_report) {
			next_report = now + g->opt.report_ms * 1000ull;
			report(g, "report");
		}
		if (g->opt.seconds && now - start >= g->opt.seconds * 1000000ull)
			break;
		if (!g->opt.busy && n < BURST)
			usleep(g->opt.poll_us);
	}
	/* What is still under way may come back until its time is over. */
	now = now_us();
	while (g->port.attached && (flows_outstanding(g->flows) ||
	                            flows_overtaken(g->flows, now, g->opt.timeout_ms * 1000ull))) {
		guest_receive(g);
		now = now_us();
		flows_expire(g->flows, now, g->opt.timeout_ms * 1000ull);
		usleep(g->opt.poll_us);
	}
}

static bool guest_clean(const struct guest *g)
{
	struct counters t = flows_count(g->flows);

	return t.sent && t.sent == t.received + g->forgiven && !t.lost && !t.late && !t.reordered &&
	       !t.duplicated && !t.corrupted && !g->unexpected;
}

int main(int argc, char **argv)
{
	static struct guest g = {
	        .opt = {.mac = "02:00:00:00:00:01",
	                .queues = 1,
	                .queue_size = 256,
	                .window = 256,
	                .rate = 5000,
	                .size_min = 60,
	                .size_max = 1514,
	                .timeout_ms = 1000,
	                .poll_us = 200,
	                .mbuf_size = 2048,
	                .id = 1},
	        .random = 1,
	};
	struct sigaction action = {.sa_handler = on_signal};
	unsigned mbufs;
	int rc;

	rc = rte_eal_init(argc, argv);
	if (rc < 0)
		return 2;
	if (!options_parse(argc - rc, argv + rc, &g.opt))
		return 2;
	if (!path_shorten(&g.opt.path)) {
		fprintf(stderr, "seqguest: the socket's directory: %s\n", strerror(errno));
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Both rings of each queue full, as many again under way for frames of several mbufs. */
	mbufs = g.opt.queues * g.opt.queue_size * 3 + 2048;
	g.port.pool = rte_pktmbuf_pool_create("seqguest", mbufs, POOL_CACHE, 0,
	                                      (uint16_t)(g.opt.mbuf_size + RTE_PKTMBUF_HEADROOM),
	                                      SOCKET_ID_ANY);
	g.flows = calloc(FLOWS_MAX, sizeof(*g.flows));
	if (!g.port.pool || !g.flows) {
		fprintf(stderr, "seqguest: no memory for %u packet buffers: give a larger -m\n",
		        mbufs);
		return 2;
	}
	rc = port_attach(&g.port, &g.opt);
	if (rc < 0) {
		fprintf(stderr, "seqguest: %s: %s\n", g.opt.path, strerror(-rc));
		return 2;
	}
	g.sending = !g.opt.stopped;
	report(&g, "ready");
	guest_run(&g);
	report(&g, "final");
	if (g.port.attached)
		guest_detach(&g);
	rte_eal_cleanup();
	return g.opt.strict && !guest_clean(&g) ? 1 : 0;
}
