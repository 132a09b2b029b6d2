/* What all files of src/vf share. See vf.h. */
#include "vf/vf.h"

#include <stdio.h>

const char *vf_mac_format(const struct ether_addr *mac, char text[VF_MAC_TEXT_MAX])
{
	const uint8_t *bytes = mac->ether_addr_octet;

	snprintf(text, VF_MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1],
	         bytes[2], bytes[3], bytes[4], bytes[5]);
	return text;
}

const char *vf_explain(int rc)
{
	/* EPERM tells nothing: several PMDs return -1 for anything. */
	return rc == -1 ? "its driver failed" : strerror(-rc);
}
