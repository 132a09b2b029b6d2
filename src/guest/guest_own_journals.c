/* See guest_own_journals.h. */
#include "guest/guest_own_journals.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "vhost/session_data.h"

#define JOURNALS_FILE "virtio-forwarder/rings" /* below the pid file's directory */

/* A relay's. */
struct own_journals {
	struct journal of[SESSION_RINGS];
};

static struct own_journals *journals; /* [RELAYS_MAX], NULL = none */
static int journals_fd = -1;

/* Ours alone. */
static const char *objection(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return "it is no plain file of our user's alone";
	return NULL;
}

static const char *map(int fd)
{
	size_t size = RELAYS_MAX * sizeof(struct own_journals);
	const char *why = objection(fd);

	if (why != NULL)
		return why;
	if (ftruncate(fd, (off_t)size) < 0)
		return strerror(errno);
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return strerror(errno);
	journals = at;
	journals_fd = fd;
	return NULL;
}

static int make_path(const char *directory, char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/" JOURNALS_FILE, directory);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* The file's folder, which has to be in memory: else the kernel would write the file to a disk. */
static const char *make_folder(const char *path)
{
	char directory[PATH_MAX];
	struct statfs fs;

	memcpy(directory, path, strlen(path) + 1);
	*strrchr(directory, '/') = '\0';
	if ((mkdir(directory, 0755) < 0 && errno != EEXIST) || statfs(directory, &fs) < 0)
		return strerror(errno);
	return fs.f_type == TMPFS_MAGIC ? NULL : "it is not on a tmpfs, as /run is";
}

static const char *open_file(const char *path, int *fd)
{
	const char *why = make_folder(path);

	if (why != NULL)
		return why;
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	return *fd < 0 ? strerror(errno) : map(*fd);
}

void own_journals_open(const char *directory)
{
	const char *why = "its name is too long";
	char path[PATH_MAX];
	int fd = -1;

	if (directory == NULL || journals != NULL)
		return;
	if (make_path(directory, path) == 0)
		why = open_file(path, &fd);
	if (why == NULL)
		return;
	log_notice("guests with packed rings will have to restart when this daemon is killed: %s "
	           "cannot be used (%s)",
	           path, why);
	if (fd >= 0)
		close(fd);
}

void own_journals_discard(const char *directory)
{
	char path[PATH_MAX];

	if (directory != NULL && make_path(directory, path) == 0 && unlink(path) < 0 &&
	    errno != ENOENT && errno != ENOTDIR)
		log_warn("%s cannot be removed (%s): remove it before guests are served by "
		         "--guest-backend=own again, or those with packed rings may lose packets",
		         path, strerror(errno));
}

/* Its room is taken beforehand: a page that finds none is SIGBUS. */
struct journal *own_journals_of(unsigned relay_id)
{
	off_t at = (off_t)(relay_id * sizeof(struct own_journals));
	int rc;

	if (journals == NULL)
		return NULL;
	do
		rc = fallocate(journals_fd, 0, at, (off_t)sizeof(struct own_journals));
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return journals[relay_id].of;
	log_warn("relay %u: a guest with packed rings will have to restart when this daemon is "
	         "killed: there is no room to note where its rings stand (%s)",
	         relay_id, strerror(errno));
	return NULL;
}
