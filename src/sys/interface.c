/* The host's network interfaces. See interface.h. The kernel reads by ioctl without the lock that
 * changes take, so reading waits for nobody.
 */
#include "sys/interface.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/parse.h"

static int request_make(struct ifreq *request, const char *name)
{
	memset(request, 0, sizeof(*request));
	if (string_copy(request->ifr_name, sizeof(request->ifr_name), name) < 0)
		return -ENODEV;
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static int read_by(int fd, unsigned index, struct interface *out)
{
	struct ifreq request = {.ifr_ifindex = (int)index};

	if (ioctl(fd, SIOCGIFNAME, &request) < 0)
		return -errno;
	memcpy(out->name, request.ifr_name, sizeof(out->name));
	out->name[sizeof(out->name) - 1] = '\0';
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	out->flags = (unsigned short)request.ifr_flags;
	if (ioctl(fd, SIOCGIFMTU, &request) < 0)
		return -errno;
	out->mtu = (uint32_t)request.ifr_mtu;
	return 0;
}

int interface_read(unsigned index, struct interface *out)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	*out = (struct interface){0};
	if (fd < 0)
		return -errno;
	rc = read_by(fd, index, out);
	close(fd);
	return rc;
}

int interface_set_mtu(const char *name, uint32_t mtu)
{
	struct ifreq request;
	int fd = request_make(&request, name), rc = 0;

	if (fd < 0)
		return fd == -1 ? -errno : fd;
	request.ifr_mtu = (int)mtu;
	if (ioctl(fd, SIOCSIFMTU, &request) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int interface_clear_flags(const char *name, unsigned flags)
{
	struct ifreq request;
	int fd = request_make(&request, name), rc = 0;

	if (fd < 0)
		return fd == -1 ? -errno : fd;
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0) {
		rc = -errno;
	} else {
		request.ifr_flags = (short)(request.ifr_flags & (short)~flags);
		if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
			rc = -errno;
	}
	close(fd);
	return rc;
}
