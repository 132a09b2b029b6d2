/* Whose the guests' sockets are. See socket_owner.h. */
#include "relay/socket_owner.h"

#include "base/log.h"
#include "sys/accounts.h"
#include "sys/socket_dir.h"

/* Those whom QEMU runs as a member of, on Debian and Fedora alike. */
#define QEMU_GROUP "kvm"

/* Whether the sockets are ours from the start. */
static bool serves(const struct config *config)
{
	return !config->vhost_client && !config->dynamic_sockets;
}

/* A missing account: what becomes of it. */
static int miss(const struct config *config, const char *option, struct error *err)
{
	if (serves(config))
		return -err->code;
	log_warn("%s: %s; nothing is given to it", option, err->text);
	return 0;
}

int socket_owner_find(const struct config *config, uid_t *owner, gid_t *group, struct error *err)
{
	*owner = (uid_t)-1;
	*group = (gid_t)-1;
	if (config->vhost_username != NULL &&
	    account_find_user(config->vhost_username, owner, err) < 0 &&
	    miss(config, "--vhost-username (VIRTIOFWD_SOCKET_OWNER)", err) < 0)
		return -err->code;
	if (config->vhost_groupname != NULL &&
	    account_find_group(config->vhost_groupname, group, err) < 0 &&
	    miss(config, "--vhost-groupname (VIRTIOFWD_SOCKET_GROUP)", err) < 0)
		return -err->code;
	return 0;
}

int socket_owner_prepare_directory(const struct config *config, uid_t owner, gid_t group,
                                   struct error *err)
{
	/* Of sockets that QEMU makes, somebody but us must be able to write there. */
	struct socket_dir_users users = {
	        .owner = owner,
	        .group = group,
	        .group_if_new = (gid_t)-1,
	        .group_writes = config->vhost_client,
	};
	struct error ignored;
	int rc;

	if (config->vhost_client)
		(void)account_find_group(QEMU_GROUP, &users.group_if_new, &ignored);
	rc = socket_dir_prepare(config->vhost_path, &users, err);
	if (rc == SOCKET_DIR_FOREIGN)
		log_info("%s is not for sockets alone, and stays as it is", config->vhost_path);
	if (rc >= 0)
		return 0;
	if (serves(config))
		return rc;
	log_warn("the directory of the sockets: %s", err->text);
	return 0;
}
