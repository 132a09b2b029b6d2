/* The guests' sockets: their owner, their directory, and whether QEMU can reach them.
 */
#include "preflight/checks.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/accounts.h"
#include "sys/socket_dir.h"

#define TEXT_MAX (FINDING_TEXT_MAX / 2)

/* Who is meant to use the sockets: the user and the group that are configured. */
struct peers {
	struct path_user users[2];
	size_t count;
	char names[TEXT_MAX]; /* "user libvirt-qemu, group kvm" */
};

static void report_unknown(struct picture *p, const char *id, const char *what, const char *option)
{
	bool serves = !p->config->vhost_client && !p->config->dynamic_sockets;
	struct finding *finding =
	        report_add(p->report, serves ? FINDING_ERROR : FINDING_WARNING, id);

	finding_what(finding, "%s", what);
	finding_why(finding, "%s",
	            serves ? "the sockets are to belong to it, and the daemon refuses to start"
	                   : "the sockets' directory is to belong to it, and so are sockets that "
	                     "the daemon serves; they stay the daemon's own");
	finding_remedy(finding,
	               "give %s a name that getent knows (libvirt-qemu, qemu or hugetlbfs, by "
	               "distribution), a number, or nothing",
	               option);
}

static void add_name(struct peers *peers, const char *kind, const char *name)
{
	size_t len = strlen(peers->names);

	snprintf(peers->names + len, sizeof(peers->names) - len, "%s%s %s", len > 0 ? ", " : "",
	         kind, name);
}

static void find_peers(struct picture *p, struct peers *peers)
{
	const char *owner = p->config->vhost_username, *group = p->config->vhost_groupname;
	struct error err;
	uid_t uid;
	gid_t gid;

	*peers = (struct peers){.count = 0};
	if (owner != NULL && account_find_user(owner, &uid, &err) < 0) {
		report_unknown(p, "sockets.unknown_owner", err.text,
		               "--vhost-username (VIRTIOFWD_SOCKET_OWNER)");
	} else if (owner != NULL) {
		path_user_from_uid(uid, &peers->users[peers->count++]);
		add_name(peers, "user", owner);
	}
	if (group != NULL && account_find_group(group, &gid, &err) < 0) {
		report_unknown(p, "sockets.unknown_group", err.text,
		               "--vhost-groupname (VIRTIOFWD_SOCKET_GROUP)");
	} else if (group != NULL) {
		path_user_from_group(gid, &peers->users[peers->count++]);
		add_name(peers, "group", group);
	}
}

/* One of them suffices. */
static bool peers_reach(const struct peers *peers, const char *path, int want, char *culprit,
                        size_t size)
{
	for (size_t i = 0; i < peers->count; i++) {
		if (path_access_check(path, &peers->users[i], want, culprit, size) == 0)
			return true;
	}
	return peers->count == 0;
}

/* Whether it is the sockets' directory itself that is closed to QEMU, and one that the daemon gives
 * away when it starts. */
static bool is_mended_at_start(const struct picture *p, const char *culprit)
{
	const char *path = p->config->vhost_path;
	char real[PATH_MAX];

	return picture_has_capability(p, CAP_CHOWN) &&
	       path_existing_part(path, real, sizeof(real)) == 0 && strcmp(culprit, real) == 0 &&
	       socket_dir_is_for_sockets(path);
}

/* The daemon makes what is missing of the directory, for all to pass. */
static void check_own(struct picture *p, const char *part)
{
	char culprit[TEXT_MAX];
	struct stat st;
	bool is_directory = stat(part, &st) == 0 && S_ISDIR(st.st_mode);

	if (is_directory &&
	    picture_self_access(p, part, W_OK | X_OK, culprit, sizeof(culprit)) == 0)
		return;
	struct finding *finding = report_add(p->report, FINDING_ERROR, "sockets.not_writable");
	if (is_directory)
		finding_what(finding, "user %u may not make sockets in %s: %s is in the way",
		             (unsigned)p->place->self.uid, p->config->vhost_path, culprit);
	else
		finding_what(finding, "sockets cannot be made in %s: %s is no directory",
		             p->config->vhost_path, part);
	finding_why(finding, "no guest can connect to a socket that is not there");
	finding_remedy(finding, "choose another --vhost-path (VIRTIOFWD_SOCKET_DIR), or give that "
	                        "directory to the daemon's user");
}

static void report_unreachable(struct picture *p, const struct peers *peers, const char *culprit)
{
	struct finding *finding = report_add(p->report, FINDING_ERROR, "sockets.unreachable");

	finding_what(finding, "%s cannot reach the sockets in %s: %s is closed to them",
	             peers->names, p->config->vhost_path, culprit);
	finding_why(finding, "QEMU must pass each directory on the way, or it finds no socket");
	finding_remedy(finding,
	               "chmod o+x %s, or choose another --vhost-path (VIRTIOFWD_SOCKET_DIR)",
	               culprit);
}

/* The daemon serves, QEMU comes. */
static void check_served(struct picture *p, const struct peers *peers)
{
	char part[PATH_MAX], culprit[TEXT_MAX];

	if (path_existing_part(p->config->vhost_path, part, sizeof(part)) < 0)
		return;
	check_own(p, part);
	if (!peers_reach(peers, part, X_OK, culprit, sizeof(culprit)) &&
	    !is_mended_at_start(p, culprit))
		report_unreachable(p, peers, culprit);
}

/* QEMU is to make its sockets in a directory that the daemon makes at its start. */
static void check_to_be_made(struct picture *p, const struct peers *peers)
{
	const char *path = p->config->vhost_path;
	char part[PATH_MAX], culprit[TEXT_MAX];
	struct error ignored;
	struct stat st;
	gid_t group;
	bool can_be_made = path_existing_part(path, part, sizeof(part)) == 0 &&
	                   stat(part, &st) == 0 && S_ISDIR(st.st_mode) &&
	                   picture_self_access(p, part, W_OK | X_OK, culprit, sizeof(culprit)) == 0;

	if (can_be_made && (peers->count > 0 || account_find_group("kvm", &group, &ignored) == 0))
		return;
	struct finding *finding = report_add(p->report, FINDING_WARNING, "sockets.no_directory");
	finding_what(finding, "the directory %s, where QEMU is to make the sockets, is not there%s",
	             path, can_be_made ? "" : ", and the daemon cannot make it");
	finding_why(finding,
	            "in client mode (-i) QEMU makes them, and must be able to write there");
	finding_remedy(finding,
	               "give QEMU's user or group as --vhost-username, --vhost-groupname "
	               "(VIRTIOFWD_SOCKET_OWNER, _GROUP), or install -d -o USER -m 0755 %s",
	               path);
}

/* QEMU serves, the daemon comes: again and again, so that this may still become right. */
static void check_awaited(struct picture *p, const struct peers *peers)
{
	const char *path = p->config->vhost_path;
	char culprit[TEXT_MAX];
	struct stat st;
	struct finding *finding;

	if (stat(path, &st) < 0 && errno == ENOENT) {
		check_to_be_made(p, peers);
		return;
	}
	if (picture_self_access(p, path, X_OK, culprit, sizeof(culprit)) < 0) {
		finding = report_add(p->report, FINDING_ERROR, "sockets.closed_to_daemon");
		finding_what(finding, "user %u cannot reach the sockets in %s: %s is closed to it",
		             (unsigned)p->place->self.uid, path, culprit);
		finding_why(finding,
		            "in client mode (-i) the daemon connects to QEMU's sockets there");
		finding_remedy(finding,
		               "chmod o+x %s, or start the daemon as root or in QEMU's "
		               "group",
		               culprit);
	}
	if (peers_reach(peers, path, W_OK | X_OK, culprit, sizeof(culprit)) ||
	    is_mended_at_start(p, culprit))
		return;
	finding = report_add(p->report, FINDING_WARNING, "sockets.closed_to_qemu");
	finding_what(finding, "%s cannot make sockets in %s: %s is closed to them", peers->names,
	             path, culprit);
	finding_why(finding, "in client mode (-i) QEMU makes the sockets");
	finding_remedy(finding, "give the directory to QEMU's user (chown), or choose another "
	                        "--vhost-path (VIRTIOFWD_SOCKET_DIR)");
}

void check_sockets(struct picture *p)
{
	struct peers peers;

	find_peers(p, &peers);
	if (p->config->dynamic_sockets)
		return; /* clients choose the paths */
	if (p->config->vhost_client)
		check_awaited(p, &peers);
	else
		check_served(p, &peers);
}
