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

/* apply is an ioctl or some, and fails as they do. */
static int change(const char *name, int (*apply)(int fd, struct ifreq *request, unsigned value),
                  unsigned value)
{
	struct ifreq request = {0};
	int fd, rc;

	if (string_copy(request.ifr_name, sizeof(request.ifr_name), name) < 0)
		return -ENODEV;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = apply(fd, &request, value) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static int apply_mtu(int fd, struct ifreq *request, unsigned mtu)
{
	request->ifr_mtu = (int)mtu;
	return ioctl(fd, SIOCSIFMTU, request);
}

static int apply_cleared(int fd, struct ifreq *request, unsigned flags)
{
	if (ioctl(fd, SIOCGIFFLAGS, request) < 0)
		return -1;
	request->ifr_flags = (short)(request->ifr_flags & (short)~flags);
	return ioctl(fd, SIOCSIFFLAGS, request);
}

int interface_set_mtu(const char *name, uint32_t mtu)
{
	return change(name, apply_mtu, mtu);
}

int interface_clear_flags(const char *name, unsigned flags)
{
	return change(name, apply_cleared, flags);
}
