/* Any bytes as the configuration file: through the parser, the merge with a command line, all
 * checks, and what is made of the result.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "config/eal_args.h"
#include "config/load.h"
#include "config/reload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(const char *text)
{
	(void)text;
}

/* What holds for every configuration that is accepted. */
static void examine(const struct config *cfg)
{
	char text[256];
	struct error err;
	int argc;
	char **args;

	if (cpu_set_count(&cfg->worker_cpus) == 0 ||
	    cpu_set_has(&cfg->worker_cpus, cfg->main_cpu) || cfg->log_level < 0 ||
	    cfg->log_level > 7 || cfg->n_pins > RELAYS_MAX || cfg->n_static_vfs > RELAYS_MAX ||
	    strstr(cfg->vhost_socket, "%u") == NULL)
		abort();
	for (size_t i = 0; i < cfg->n_warnings; i++) {
		if (cfg->warnings[i] == NULL)
			abort();
	}
	config_warn_unavailable(cfg, ignore);
	if (config_differences(cfg, cfg, text, sizeof(text)) != 0) /* read again, it is the same */
		abort();
	args = eal_args_make(cfg, "fuzz", &argc, &err);
	if (args != NULL && args[argc] != NULL)
		abort();
	eal_args_free(args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	char *argv[] = {"virtio-forwarder", "--config", path, NULL};
	enum config_action action;
	struct config cfg;
	struct error err = {0};
	int fd = memfd_create("fuzz", MFD_CLOEXEC), rc;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = config_load(3, argv, &cfg, &action, stdout, &err);
	if (rc == 0)
		examine(&cfg);
	else if (rc != -err.code || err.text[0] == '\0')
		abort();
	config_free(&cfg);
	close(fd);
	return 0;
}
