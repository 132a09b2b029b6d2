/* Kernel modules. See module.h. */
#include "sys/module.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int module_load(const char *name, struct error *err)
{
	char program[] = "modprobe", option[] = "--", module[64];
	char *argv[] = {program, option, module, NULL};
	pid_t pid;
	int status;

	if (strlen(name) >= sizeof(module))
		return error_set(err, EINVAL, "\"%.80s\" is no kernel module", name);
	memcpy(module, name, strlen(name) + 1);
	int code = posix_spawnp(&pid, program, NULL, NULL, argv, environ);
	if (code != 0)
		return error_set(err, code, "modprobe cannot be run: %s", strerror(code));
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return error_set(err, errno, "modprobe is lost: %s", strerror(errno));
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return error_set(err, ENODEV,
	                 "the kernel module %s cannot be loaded (modprobe %s says why): install "
	                 "the kernel's full set of modules",
	                 name, name);
}
