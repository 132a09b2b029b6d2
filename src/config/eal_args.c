/* The arguments for DPDK's EAL, made from the configuration. What the operator gives with --eal
 * comes last and replaces ours where the two would contradict each other.
 */
#include "config/eal_args.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

/* Without hugepages EAL takes its memory at once, but as address space only: pages are touched as
 * pools are made. Enough for 64 relays of one queue. */
#define NO_HUGE_MB     2048
#define EAL_NO_HUGE_MB 64 /* EAL's own choice */

#define ARGS_MAX 300 /* ours and --eal's (EAL_WORDS_MAX) */

struct list {
	char **args;
	int n;
	bool failed;
};

bool eal_args_have(const struct config *cfg, const char *argument)
{
	size_t len = strlen(argument);

	for (size_t i = 0; cfg->eal_args != NULL && cfg->eal_args[i] != NULL; i++) {
		const char *word = cfg->eal_args[i];

		if (strncmp(word, argument, len) != 0)
			continue;
		if (argument[1] != '-' || word[len] == '\0' || word[len] == '=')
			return true;
	}
	return false;
}

const char *eal_args_value(const struct config *cfg, const char *argument)
{
	size_t len = strlen(argument);
	const char *value = NULL;

	for (size_t i = 0; cfg->eal_args != NULL && cfg->eal_args[i] != NULL; i++) {
		const char *word = cfg->eal_args[i];

		if (strncmp(word, argument, len) != 0)
			continue;
		if (word[len] == '\0' && cfg->eal_args[i + 1] != NULL)
			value = cfg->eal_args[i + 1];
		else if (argument[1] != '-' && word[len] != '\0')
			value = word + len;
		else if (word[len] == '=')
			value = word + len + 1;
	}
	return value;
}

int eal_args_check(const struct config *cfg, struct error *err)
{
	/* DPDK leaves words that are no options to the application, so it would not complain. */
	if (cfg->eal_args != NULL && cfg->eal_args[0][0] != '-')
		return error_set(err, EINVAL,
		                 "\"%.80s\" is not an argument of EAL: they begin with '-', as in "
		                 "--eal='--lcores 0@0,1@1'",
		                 cfg->eal_args[0]);
	for (size_t i = 0; cfg->eal_args != NULL && cfg->eal_args[i] != NULL; i++) {
		if (strcmp(cfg->eal_args[i], "--") == 0)
			return error_set(err, EINVAL,
			                 "\"--\" would end EAL's arguments: leave it out");
	}
	if (eal_args_have(cfg, "--main-lcore"))
		return error_set(
		        err, EINVAL,
		        "the main lcore is --master-lcore's to name: leave --main-lcore out");
	if (eal_args_have(cfg, "--proc-type"))
		return error_set(err, EINVAL,
		                 "the daemon is a primary process: leave --proc-type out");
	return 0;
}

static void __attribute__((format(printf, 2, 3))) add(struct list *list, const char *format, ...)
{
	va_list args;

	if (list->failed || list->n == ARGS_MAX) {
		list->failed = true;
		return;
	}
	va_start(args, format);
	if (vasprintf(&list->args[list->n], format, args) < 0) {
		list->args[list->n] = NULL;
		list->failed = true;
	} else {
		list->n++;
	}
	va_end(args);
}

bool eal_args_map_lcores(const struct config *cfg)
{
	return eal_args_have(cfg, "--lcores") || eal_args_have(cfg, "-l") ||
	       eal_args_have(cfg, "-c");
}

static void add_lcores(struct list *list, const struct config *cfg)
{
	struct cpu_set all = cfg->worker_cpus;
	char text[CPU_SET_SIZE * 4];

	if (!eal_args_map_lcores(cfg)) {
		cpu_set_add(&all, cfg->main_cpu);
		add(list, "-l");
		add(list, "%s", cpu_set_format(&all, text, sizeof(text)));
	}
	add(list, "--main-lcore");
	add(list, "%u", cfg->main_cpu);
}

static bool is_hugetlbfs(const char *directory)
{
	struct statfs fs;

	return statfs(directory, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
}

const char *eal_args_huge_dir(const struct config *cfg)
{
	if (cfg->no_huge || eal_args_have(cfg, "--in-memory"))
		return NULL;
	if (eal_args_have(cfg, "--huge-dir"))
		return eal_args_value(cfg, "--huge-dir");
	if (cfg->huge_dir == NULL || (!cfg->huge_dir_given && !is_hugetlbfs(cfg->huge_dir)))
		return "";
	return cfg->huge_dir;
}

/* EAL would only say that it found no hugepage information. */
static int check_huge_dir(const struct config *cfg, struct error *err)
{
	if (cfg->no_huge || !cfg->huge_dir_given || eal_args_have(cfg, "--huge-dir") ||
	    eal_args_have(cfg, "--in-memory") || is_hugetlbfs(cfg->huge_dir))
		return 0;
	return error_set(
	        err, EINVAL,
	        "option --huge-dir (-H): no hugetlbfs is mounted at %.160s: mount one there "
	        "(mount -t hugetlbfs none %.160s), name another directory, or use --no-huge",
	        cfg->huge_dir, cfg->huge_dir);
}

static bool says_how_much(const struct config *cfg)
{
	return eal_args_have(cfg, "-m") || eal_args_have(cfg, "--socket-mem") ||
	       eal_args_have(cfg, "--numa-mem");
}

unsigned eal_args_no_huge_mb(const struct config *cfg)
{
	return says_how_much(cfg) ? EAL_NO_HUGE_MB : NO_HUGE_MB;
}

static void add_memory(struct list *list, const struct config *cfg)
{
	if (cfg->no_huge) {
		if (!eal_args_have(cfg, "--no-huge"))
			add(list, "--no-huge");
		if (!eal_args_have(cfg, "--iova-mode"))
			add(list, "--iova-mode=va");
		if (!says_how_much(cfg)) {
			add(list, "-m");
			add(list, "%d", NO_HUGE_MB);
		}
		return;
	}
	/* A default that is not mounted is left out: EAL takes the mount points that it finds. */
	if (!eal_args_have(cfg, "--huge-dir") &&
	    (cfg->huge_dir_given || is_hugetlbfs(cfg->huge_dir))) {
		add(list, "--huge-dir");
		add(list, "%s", cfg->huge_dir);
	}
	/* So that hugepages are free again however we end. */
	if (!eal_args_have(cfg, "--huge-unlink") && !eal_args_have(cfg, "--in-memory"))
		add(list, "--huge-unlink");
}

char **eal_args_make(const struct config *cfg, const char *instance, int *argc, struct error *err)
{
	struct list list = {0};

	if (check_huge_dir(cfg, err) < 0)
		return NULL;
	list.args = calloc(ARGS_MAX + 1, sizeof(char *));
	if (list.args == NULL) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	add(&list, "virtio-forwarder");
	add_lcores(&list, cfg);
	add_memory(&list, cfg);
	if (!eal_args_have(cfg, "--file-prefix") && !eal_args_have(cfg, "--in-memory"))
		add(&list, "--file-prefix=%s", instance);
	/* A device that is no network card: none is probed at start; VFs are plugged in later. */
	if (!eal_args_have(cfg, "-a") && !eal_args_have(cfg, "-b") &&
	    !eal_args_have(cfg, "--allow") && !eal_args_have(cfg, "--block") &&
	    !eal_args_have(cfg, "--no-pci")) {
		add(&list, "-a");
		add(&list, "0000:00:00.0");
	}
	if (cfg->vfio_vf_token != NULL && !eal_args_have(cfg, "--vfio-vf-token"))
		add(&list, "--vfio-vf-token=%s", cfg->vfio_vf_token);
	if (!eal_args_have(cfg, "--log-level"))
		add(&list, "--log-level=%s", cfg->log_level >= 7 ? "info" : "notice");
	/* Without a driver that has any, it warns at each start that it lacks legacy callbacks. */
	add(&list, "--log-level=lib.telemetry:error");
	for (size_t i = 0; cfg->eal_args != NULL && cfg->eal_args[i] != NULL; i++)
		add(&list, "%s", cfg->eal_args[i]);
	if (list.failed) {
		eal_args_free(list.args);
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	*argc = list.n;
	return list.args;
}

void eal_args_free(char **args)
{
	for (size_t i = 0; args != NULL && args[i] != NULL; i++)
		free(args[i]);
	free(args);
}
