/* The process to be: nobody has its place, and its limits are wide enough.
 */
#include "preflight/checks.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"
#include "preflight/needs.h"
#include "sys/accounts.h"
#include "sys/pid_file.h"
#include "sys/socket_file.h"

#define OPEN_FILES_LEAST 8192 /* 64 guests with a few queues each, clients, hugepages */
#define MB               (UINT64_C(1) << 20)

/* --- its place ------------------------------------------------------------------------------ */

static bool check_instance(struct picture *p)
{
	char path[PATH_MAX];
	struct error err;
	int n = snprintf(path, sizeof(path), "%s/virtio-forwarder.pid", p->config->pid_dir);

	if (n < 0 || (size_t)n >= sizeof(path) || pid_file_look(path, &err) != -EADDRINUSE)
		return true;
	struct finding *finding = report_add(p->report, FINDING_ERROR, "process.runs_already");
	finding_what(finding, "%s", err.text);
	finding_why(finding,
	            "a second one of the same --pid-path is refused; the memory and the VFs "
	            "that the first one has count as taken here");
	finding_remedy(finding, "stop it first (systemctl stop virtio-forwarder), or give this one "
	                        "its own --pid-path (VIRTIOFWD_PID_DIR)");
	return false;
}

static void check_pid_dir(struct picture *p)
{
	char part[PATH_MAX], culprit[FINDING_TEXT_MAX / 2];

	if (path_existing_part(p->config->pid_dir, part, sizeof(part)) < 0 ||
	    picture_self_access(p, part, W_OK | X_OK, culprit, sizeof(culprit)) == 0)
		return;
	struct finding *finding = report_add(p->report, FINDING_ERROR, "process.pid_dir");
	finding_what(finding, "user %u may not make files in %s", (unsigned)p->place->self.uid,
	             part);
	finding_why(finding, "the pid file keeps two instances apart; none starts without");
	finding_remedy(finding,
	               "name a directory of that user with --pid-path (VIRTIOFWD_PID_DIR), "
	               "or start as root");
}

static void check_endpoint(struct picture *p, const char *name, const char *endpoint)
{
	enum socket_file_kind kind = SOCKET_FILE_NONE;
	const char *path;

	if (endpoint == NULL || string_starts_with(endpoint, "tcp://"))
		return;
	path = strchr(endpoint, ':') + 1; /* of ipc:///path, unix:/path */
	while (path[0] == '/' && path[1] == '/')
		path++;
	if (socket_file_look(path, &kind) < 0 ||
	    (kind != SOCKET_FILE_LIVE && kind != SOCKET_FILE_FOREIGN))
		return;
	struct finding *finding = report_add(p->report, FINDING_ERROR, "endpoint.taken");
	finding_what(finding, "--%s: %s %s", name, path,
	             kind == SOCKET_FILE_LIVE ? "is served by another process"
	                                      : "is there and is no socket");
	finding_why(finding, "clients would talk to somebody else; the daemon refuses to start");
	finding_remedy(finding,
	               kind == SOCKET_FILE_LIVE ? "stop that process (ss -xlp src %s names it), or "
	                                          "choose another endpoint"
	                                        : "move %s away, or choose another endpoint",
	               path);
}

static void check_group(struct picture *p)
{
	struct error err;
	gid_t group;

	if (p->config->zmq_group == NULL ||
	    account_find_group(p->config->zmq_group, &group, &err) == 0)
		return;
	struct finding *finding = report_add(p->report, FINDING_ERROR, "endpoint.unknown_group");
	finding_what(finding, "%s", err.text);
	finding_why(finding,
	            "its members are to use the endpoints, and the daemon refuses to start");
	finding_remedy(finding, "groupadd --system it, or give --zmq-group (VIRTIOFWD_ZMQ_GROUP) a "
	                        "group that getent knows");
}

static void check_endpoints(struct picture *p)
{
	check_group(p);
	check_endpoint(p, "zmq-port-control-ep", p->config->zmq_port_control_ep);
	check_endpoint(p, "zmq-stats-ep", p->config->zmq_stats_ep);
	check_endpoint(p, "zmq-core-sched-ep", p->config->zmq_core_sched_ep);
	check_endpoint(p, "zmq-config-ep", p->config->zmq_config_ep);
	check_endpoint(p, "metrics-ep", p->config->metrics_ep);
	check_endpoint(p, "zmq-events-ep", p->config->zmq_events_ep);
}

/* --- its limits ----------------------------------------------------------------------------- */

/* A hard limit as /proc/self/limits has it. UINT64_MAX: none, or nobody knows. */
static uint64_t limit_read(const struct picture *p, const char *name)
{
	char path[PATH_MAX], line[160], hard[32];
	uint64_t value = UINT64_MAX;
	size_t len = strlen(name);
	int n = snprintf(path, sizeof(path), "%s/self/limits", p->place->proc);
	FILE *file = n > 0 && (size_t)n < sizeof(path) ? fopen(path, "re") : NULL;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, name, len) == 0 && sscanf(line + len, " %*s %31s", hard) == 1 &&
		    parse_u64(hard, 0, UINT64_MAX, &value) < 0)
			value = UINT64_MAX; /* "unlimited" */
	}
	if (file != NULL)
		fclose(file);
	return value;
}

static void check_open_files(struct picture *p)
{
	uint64_t limit = limit_read(p, "Max open files");

	if (limit >= OPEN_FILES_LEAST || picture_has_capability(p, CAP_SYS_RESOURCE))
		return;
	struct finding *finding = report_add(p->report, FINDING_WARNING, "limit.open_files");
	finding_what(finding, "the process may open %llu files at most", (unsigned long long)limit);
	finding_why(finding,
	            "each guest's queue takes two, each hugepage one; guests beyond the limit "
	            "are turned away");
	finding_remedy(finding, "LimitNOFILE=524288 in the service's unit, or ulimit -n 524288");
}

/* vfio pins what a device may reach, on its user's account. */
void check_memlock(struct picture *p)
{
	uint64_t limit = limit_read(p, "Max locked memory"), wanted;
	unsigned with_vfio = 0;

	for (size_t i = 0; i < p->n_vfs; i++)
		with_vfio += !pci_driver_is_uio(p->vfs[i].function.driver) &&
		             !pci_driver_is_bifurcated(p->vfs[i].function.driver);
	wanted = (with_vfio + 1) * needs_relay_bytes(p->config, needs_queues(p->config));
	if (with_vfio == 0 || limit >= wanted || picture_has_capability(p, CAP_IPC_LOCK))
		return;
	struct finding *finding = report_add(p->report, FINDING_ERROR, "limit.locked_memory");
	finding_what(finding, "the process may lock %llu kB of memory, and some %llu MB are needed",
	             (unsigned long long)(limit / 1024), (unsigned long long)(wanted / MB));
	finding_why(finding,
	            "vfio locks what VFs may write to: without, it maps no memory for them");
	finding_remedy(finding,
	               "LimitMEMLOCK=infinity in the service's unit, ulimit -l unlimited, or "
	               "the capability CAP_IPC_LOCK");
}

void check_process(struct picture *p)
{
	if (check_instance(p)) {
		check_pid_dir(p);
		check_endpoints(p);
	}
	check_open_files(p);
}
