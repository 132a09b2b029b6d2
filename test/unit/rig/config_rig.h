/* Loads configurations for tests, from words and from a file that is written on the spot. One
 * configuration at a time, freed by the next and by rig_tear_down.
 */
#ifndef CONFIG_RIG_H
#define CONFIG_RIG_H

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/load.h"

#define RIG_WORDS_MAX 128

static struct {
	struct config cfg;
	struct error err;
	enum config_action action;
	char path[64]; /* of the file */
	char *output;  /* what the last load printed */
	size_t output_len;
} rig;

static inline void rig_set_up(void)
{
	memset(&rig, 0, sizeof(rig));
	snprintf(rig.path, sizeof(rig.path), "/tmp/unit-config-XXXXXX");
	int fd = mkstemp(rig.path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static inline void rig_tear_down(void)
{
	config_free(&rig.cfg);
	free(rig.output);
	unlink(rig.path);
}

static inline int rig_load_argv(int argc, char *argv[])
{
	config_free(&rig.cfg);
	free(rig.output);
	memset(&rig.err, 0, sizeof(rig.err));
	FILE *out = open_memstream(&rig.output, &rig.output_len);
	ck_assert_ptr_nonnull(out);
	int rc = config_load(argc, argv, &rig.cfg, &rig.action, out, &rig.err);
	fclose(out);
	/* An error is told, in one line, and only then. */
	ck_assert_int_eq(rc, -rig.err.code);
	ck_assert((rc == 0) == (rig.err.text[0] == '\0'));
	ck_assert_ptr_null(strchr(rig.err.text, '\n'));
	return rc;
}

/* Options, ended by NULL. */
static inline int rig_load(const char *first, ...)
{
	char *argv[RIG_WORDS_MAX + 2] = {"virtio-forwarder"};
	int argc = 1;
	va_list args;

	va_start(args, first);
	for (const char *word = first; word != NULL; word = va_arg(args, const char *)) {
		ck_assert_int_le(argc, RIG_WORDS_MAX);
		argv[argc++] = (char *)(uintptr_t)word;
	}
	va_end(args);
	return rig_load_argv(argc, argv);
}

static inline void rig_write(const char *text, size_t len)
{
	FILE *file = fopen(rig.path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, len, file), len);
	fclose(file);
}

/* A file with this text alone. */
static inline int rig_load_text(const char *text)
{
	rig_write(text, strlen(text));
	return rig_load("--config", rig.path, NULL);
}

static inline void rig_says(const char *text)
{
	ck_assert_msg(strstr(rig.err.text, text) != NULL, "\"%s\" does not say \"%s\"",
	              rig.err.text, text);
}

/* "FILE:LINE: " stands in front. */
static inline void rig_says_line(unsigned line)
{
	char place[96];

	snprintf(place, sizeof(place), "%s:%u: ", rig.path, line);
	ck_assert_msg(strncmp(rig.err.text, place, strlen(place)) == 0,
	              "\"%s\" is not about line %u", rig.err.text, line);
}

static inline bool rig_warned(const char *text)
{
	for (size_t i = 0; i < rig.cfg.n_warnings; i++) {
		if (strstr(rig.cfg.warnings[i], text) != NULL)
			return true;
	}
	return false;
}

#endif
