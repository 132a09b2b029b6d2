/* On which CPU an lcore runs. See lcores.h. */
#include "config/lcores.h"

#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "config/eal_args.h"

#define OPTION "--lcores"

/* The value of the last --lcores, joined by '=' or the next word; NULL: none. */
static const char *value_find(const struct config *cfg)
{
	const char *value = NULL;

	for (size_t i = 0; cfg->eal_args != NULL && cfg->eal_args[i] != NULL; i++) {
		const char *word = cfg->eal_args[i];

		if (strcmp(word, OPTION) == 0 && cfg->eal_args[i + 1] != NULL)
			value = cfg->eal_args[i + 1];
		else if (string_starts_with(word, OPTION "="))
			value = word + strlen(OPTION "=");
	}
	return value;
}

/* "1@130" or "1": the CPU when it is about this lcore, -1 when not. */
static int element_cpu(const char *element, unsigned lcore)
{
	char text[24];
	uint32_t id, cpu;

	if (string_copy(text, sizeof(text), element) < 0)
		return -1;
	char *at = strchr(text, '@');
	if (at != NULL)
		*at++ = '\0';
	if (parse_u32(text, 0, LCORES_MAX - 1, &id) < 0 || id != lcore)
		return -1;
	if (at == NULL)
		return (int)id;
	return parse_u32(at, 0, CPU_SET_SIZE - 1, &cpu) == 0 ? (int)cpu : -1;
}

int lcores_cpu(const struct config *cfg, unsigned lcore)
{
	const char *value = value_find(cfg);

	if (value == NULL)
		return eal_args_have(cfg, "-l") || eal_args_have(cfg, "-c") ? -1 : (int)lcore;
	while (*value != '\0') {
		char element[24];
		size_t len = strcspn(value, ",");

		snprintf(element, sizeof(element), "%.*s", (int)len, value);
		if (strchr(element, '(') != NULL)
			return -1;
		int cpu = element_cpu(element, lcore);
		if (cpu >= 0)
			return cpu;
		value += len + (value[len] == ',');
	}
	return -1;
}
