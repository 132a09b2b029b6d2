/* The keys of tcp endpoints. See curve_keys.h.
 */
#include "rpc/transport/curve_keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#define KEY_SUFFIX    ".pub"
#define KEY_FILE_MAX  128 /* bytes; the key, and what an editor leaves behind it */
#define SECRET_FORBID (S_IRWXO | S_IWGRP)
#define PUBLIC_FORBID (S_IWOTH | S_IWGRP)

/* --- files --------------------------------------------------------------------------------- */

static int access_check(int fd, const char *path, mode_t forbidden, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, errno, "%s: %s", path, strerror(errno));
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return error_set(err, EPERM,
		                 "%s belongs to user %u: keys are taken from root and the "
		                 "daemon's own user only",
		                 path, (unsigned)st.st_uid);
	if ((st.st_mode & forbidden) != 0)
		return error_set(err, EPERM, "%s has mode %04o, so that others can %s it: chmod %s",
		                 path, (unsigned)st.st_mode & 07777U,
		                 (st.st_mode & forbidden & S_IROTH) != 0 ? "read" : "change",
		                 (forbidden & S_IROTH) != 0 ? "600" : "go-w");
	return 0;
}

/* A directory's or a file's; *fd is open after 0. */
static int checked_open(int at, const char *name, const char *path, int flags, mode_t forbidden,
                        int *fd, struct error *err)
{
	*fd = openat(at, name, flags | O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0)
		return error_set(err, errno, "%s: %s", path, strerror(errno));
	if (access_check(*fd, path, forbidden, err) < 0) {
		close(*fd);
		return -err->code;
	}
	return 0;
}

static int key_read(int at, const char *name, const char *path, mode_t forbidden,
                    char text[CURVE_KEY_TEXT], uint8_t key[CURVE_KEY_SIZE], struct error *err)
{
	char bytes[KEY_FILE_MAX + 1];
	ssize_t size;
	size_t length;
	int fd;

	if (checked_open(at, name, path, 0, forbidden, &fd, err) < 0)
		return -err->code;
	size = read(fd, bytes, KEY_FILE_MAX);
	if (size < 0)
		error_set(err, errno, "%s: %s", path, strerror(errno));
	close(fd);
	if (size < 0)
		return -err->code;
	bytes[size] = '\0';
	length = strcspn(bytes, " \t\r\n");
	if (length == CURVE_KEY_TEXT - 1 &&
	    bytes[length + strspn(bytes + length, " \t\r\n")] == 0) {
		bytes[length] = '\0';
		memcpy(text, bytes, CURVE_KEY_TEXT);
		if (zmq_z85_decode(key, text) != NULL)
			return 0;
	}
	explicit_bzero(bytes, sizeof(bytes));
	return error_set(err, EINVAL, "%s holds no key: 40 characters of Z85 text are wanted",
	                 path);
}

/* --- clients ------------------------------------------------------------------------------- */

static int client_add(struct curve_keys *keys, const uint8_t key[CURVE_KEY_SIZE], const char *path,
                      struct error *err)
{
	void *more;

	if (keys->n_clients == CURVE_CLIENTS_MAX)
		return error_set(err, E2BIG, "%s: more than %d clients have keys", path,
		                 CURVE_CLIENTS_MAX);
	more = realloc(keys->clients, (keys->n_clients + 1) * sizeof(keys->clients[0]));
	if (more == NULL)
		return error_set(err, ENOMEM, "%s: out of memory", path);
	keys->clients = more;
	memcpy(keys->clients[keys->n_clients++], key, CURVE_KEY_SIZE);
	return 0;
}

static int clients_load(struct curve_keys *keys, DIR *directory, const char *path,
                        struct error *err)
{
	const struct dirent *entry;
	char text[CURVE_KEY_TEXT], file[PATH_MAX + NAME_MAX + 2];
	uint8_t key[CURVE_KEY_SIZE];

	while (errno = 0, (entry = readdir(directory)) != NULL) {
		const char *suffix = strrchr(entry->d_name, '.');

		if (suffix == NULL || suffix == entry->d_name || strcmp(suffix, KEY_SUFFIX) != 0)
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (key_read(dirfd(directory), entry->d_name, file, PUBLIC_FORBID, text, key, err) <
		            0 ||
		    client_add(keys, key, file, err) < 0)
			return -err->code;
	}
	return errno == 0 ? 0 : error_set(err, errno, "%s: %s", path, strerror(errno));
}

static int clients_open(struct curve_keys *keys, int at, const char *directory, struct error *err)
{
	char path[PATH_MAX];
	DIR *clients;
	int fd, rc;

	snprintf(path, sizeof(path), "%s/clients", directory);
	rc = checked_open(at, "clients", path, O_DIRECTORY, PUBLIC_FORBID, &fd, err);
	if (rc < 0)
		return rc;
	clients = fdopendir(fd);
	if (clients == NULL) {
		close(fd);
		return error_set(err, errno, "%s: %s", path, strerror(errno));
	}
	rc = clients_load(keys, clients, path, err);
	closedir(clients);
	return rc;
}

/* --- all ----------------------------------------------------------------------------------- */

int curve_keys_load(const char *directory, struct curve_keys *out, struct error *err)
{
	uint8_t secret[CURVE_KEY_SIZE];
	char path[PATH_MAX];
	int fd, rc;

	*out = (struct curve_keys){0};
	if (!zmq_has("curve"))
		return error_set(err, ENOTSUP,
		                 "this libzmq is built without CURVE: have no tcp "
		                 "endpoints that need keys, or another libzmq");
	if (checked_open(AT_FDCWD, directory, directory, O_DIRECTORY, PUBLIC_FORBID, &fd, err) < 0)
		return -err->code;
	snprintf(path, sizeof(path), "%s/server.key", directory);
	rc = key_read(fd, "server.key", path, SECRET_FORBID, out->secret, secret, err);
	explicit_bzero(secret, sizeof(secret));
	if (rc == 0)
		rc = clients_open(out, fd, directory, err);
	close(fd);
	if (rc < 0)
		curve_keys_free(out);
	return rc;
}

void curve_keys_free(struct curve_keys *keys)
{
	explicit_bzero(keys->secret, sizeof(keys->secret));
	free(keys->clients);
	*keys = (struct curve_keys){0};
}

/* They are public, so how long it takes may tell. */
bool curve_keys_admit(const struct curve_keys *keys, const uint8_t key[CURVE_KEY_SIZE])
{
	for (size_t i = 0; i < keys->n_clients; i++)
		if (memcmp(keys->clients[i], key, CURVE_KEY_SIZE) == 0)
			return true;
	return false;
}

static bool admits_all(const struct curve_keys *keys, const struct curve_keys *other)
{
	for (size_t i = 0; i < other->n_clients; i++)
		if (!curve_keys_admit(keys, other->clients[i]))
			return false;
	return true;
}

bool curve_keys_same_clients(const struct curve_keys *a, const struct curve_keys *b)
{
	return admits_all(a, b) && admits_all(b, a);
}
