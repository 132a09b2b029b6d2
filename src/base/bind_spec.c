/* Entries of VIRTIOFWD_BIND_VFIO_PCI. See bind_spec.h. */
#include "base/bind_spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define WORD_MAX 64

/* The kernel's own rule for names. */
static bool is_interface_name(const char *name)
{
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (const char *c = name; *c != '\0'; c++) {
		if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '/' || *c == ':')
			return false;
	}
	return true;
}

static int word_parse(const char *word, struct bind_spec *out)
{
	const char *colon = strchr(word, ':');
	char name[WORD_MAX];
	struct error ignored;
	uint32_t count = 0;

	*out = (struct bind_spec){.is_pci = true};
	if (pci_address_parse(word, &out->pci, &ignored) == 0)
		return 0;
	*out = (struct bind_spec){.is_pci = false};
	if (colon != NULL && parse_u32(colon + 1, 1, BIND_COUNT_MAX, &count) < 0)
		return -EINVAL;
	out->count = count;
	snprintf(name, sizeof(name), "%.*s",
	         (int)(colon != NULL ? (size_t)(colon - word) : strlen(word)), word);
	return is_interface_name(name) ? string_copy(out->netdev, sizeof(out->netdev), name)
	                               : -EINVAL;
}

int bind_spec_next(const char **text, struct bind_spec *out, struct error *err)
{
	char word[WORD_MAX];

	*text += strspn(*text, ","); /* a comma too many does no harm */
	size_t len = strcspn(*text, ",");
	if (len == 0)
		return 0;
	snprintf(word, sizeof(word), "%.*s", (int)len, *text);
	if (len >= sizeof(word) || word_parse(word, out) < 0)
		return error_set(err, EINVAL,
		                 "\"%s\" is neither a PCI address (0000:05:08.1), nor a network "
		                 "device (ens1f0), nor DEVICE:COUNT (ens1f0:4, 1 to %d)",
		                 word, BIND_COUNT_MAX);
	*text += len;
	return 1;
}
