/* Room for the files that the daemon and DPDK make: DPDK's own, which it maps and writes all over
 * (so a full file system kills the process), the pid file and the saved state.
 */
#include "preflight/checks.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "config/runtime_dir.h"
#include "sys/hugepages.h"
#include "sys/room.h"
#include "sys/topology.h"

#define KB UINT64_C(1024)

#define RUNTIME_FILES 8 /* beside those of each node */
#define NODE_FILES    4
#define PID_BYTES     (4 * KB) /* a block */
#define STATE_BYTES                                                                  \
	(64 * KB) /* 64 relays with all that may be said of them, twice for a moment \
	           */

/* Where nothing can be found out, nothing is wrong: who makes the files tells. */
static int judge(struct picture *p, const char *path, const char *whose, uint64_t bytes,
                 uint64_t files, struct error *err)
{
	struct room room;

	if (room_look(path, p->place->self.privileged, &room) < 0)
		return 0;
	return room_check(&room, whose, bytes, files, err);
}

/* What an earlier start has left of its files there is used again. */
static void find_runtime_needs(struct picture *p, const char *path, uint64_t *bytes,
                               uint64_t *files)
{
	unsigned nodes = topology_node_count(p->place->sysfs);
	int64_t pages = hugepages_count(p->place->sysfs, -1,
	                                hugepages_default_bytes(p->place->proc), "nr_hugepages");
	uint64_t needs = runtime_dir_needs(p->config, nodes, pages > 0 ? (uint64_t)pages : 0);
	uint64_t holds = runtime_dir_holds(path);

	*bytes = holds < needs ? needs - holds : 0;
	*files = holds > 0 ? 0 : RUNTIME_FILES + NODE_FILES * (p->config->no_huge ? 1 : nodes);
}

static void check_runtime_access(struct picture *p, const char *path)
{
	char part[PATH_MAX], culprit[FINDING_TEXT_MAX / 2];

	if (path_existing_part(path, part, sizeof(part)) < 0 ||
	    picture_self_access(p, part, W_OK | X_OK, culprit, sizeof(culprit)) == 0)
		return;
	struct finding *finding = report_add(p->report, FINDING_ERROR, "runtime_dir.not_writable");
	finding_what(finding, "user %u may not make files in %.160s, for DPDK's %.120s",
	             (unsigned)p->place->self.uid, part, path);
	finding_why(finding, "DPDK keeps its own files there, and does not start without");
	finding_remedy(finding, "name a directory of that user in RUNTIME_DIRECTORY (the service's "
	                        "RuntimeDirectory= does), or start as root");
}

static void check_runtime_dir(struct picture *p)
{
	char path[PATH_MAX];
	uint64_t bytes, files;
	struct error err;

	if (!runtime_dir_is_used(p->config) ||
	    runtime_dir_path(p->config, p->place->self.uid == 0, path, sizeof(path)) < 0)
		return;
	check_runtime_access(p, path);
	find_runtime_needs(p, path, &bytes, &files);
	if (judge(p, path, "DPDK's files", bytes, files, &err) == 0)
		return;
	struct finding *finding = report_add(p->report, FINDING_ERROR, "runtime_dir.no_room");
	finding_what(finding, "%s", err.text);
	finding_why(finding, "DPDK writes into these files without asking for room, and the kernel "
	                     "ends the process with SIGBUS; the daemon refuses to start");
	finding_remedy(
	        finding,
	        "make room (df -h and df -i %.120s), or name another directory in "
	        "RUNTIME_DIRECTORY%s",
	        path, p->config->no_huge ? ", or give DPDK less memory, as in --eal '-m 512'" : "");
	finding->refuses = true;
}

static void check_pid_room(struct picture *p)
{
	char path[PATH_MAX];
	struct error err;
	int n = snprintf(path, sizeof(path), "%s/virtio-forwarder.pid", p->config->pid_dir);

	if (n < 0 || (size_t)n >= sizeof(path))
		return;
	bool is_there = access(path, F_OK) == 0; /* its block is given back before it is written */
	if (judge(p, p->config->pid_dir, "the pid file", is_there ? 0 : PID_BYTES, is_there ? 0 : 1,
	          &err) == 0)
		return;
	struct finding *finding = report_add(p->report, FINDING_ERROR, "process.pid_room");
	finding_what(finding, "%s", err.text);
	finding_why(finding, "the pid file keeps two instances apart; none starts without");
	finding_remedy(finding, "make room there, or name another directory with --pid-path "
	                        "(VIRTIOFWD_PID_DIR)");
	finding->refuses = true;
}

static void check_state_room(struct picture *p)
{
	char path[PATH_MAX];
	struct error err;
	int n = snprintf(path, sizeof(path), "%s/virtio-forwarder/state.json", p->config->pid_dir);

	if (n < 0 || (size_t)n >= sizeof(path) ||
	    judge(p, path, "the saved state", STATE_BYTES, 2, &err) == 0)
		return;
	struct finding *finding = report_add(p->report, FINDING_WARNING, "process.state_room");
	finding_what(finding, "%s", err.text);
	finding_why(finding, "what clients add would not come back after a restart");
	finding_remedy(finding, "make room there, or name another directory with --pid-path "
	                        "(VIRTIOFWD_PID_DIR)");
}

void check_rooms(struct picture *p)
{
	check_runtime_dir(p);
	check_pid_room(p);
	check_state_room(p);
}
