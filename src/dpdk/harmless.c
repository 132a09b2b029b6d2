/* DPDK's lines that are no trouble here. See harmless.h. The words are those that DPDK 22.11
 * and 24.11 have in common; a line that some release words otherwise keeps the severity that DPDK
 * gives it.
 */
#include "dpdk/harmless.h"

#include <stddef.h>
#include <string.h>
#include <syslog.h>

static const char no_flow_rules[] = "harmless: this is about flow rules, which are not used here";
static const char waits_for_qemu[] =
        "normal until QEMU serves the socket: connecting is tried again and again";
static const char not_on[] = "harmless: the device cannot have turned it on";
static const char not_supported[] = "Operation not supported";

static const struct dpdk_harmless lines[] = {
        /* net_tap asks for queueing disciplines that many a kernel has not loaded, or lacks. It
         * wants them for flow rules and for its option remote=, whose own complaint stays. */
        {"Specified qdisc kind is unknown", NULL, LOG_DEBUG, no_flow_rules},
        {"Could not add multiq qdisc", NULL, LOG_DEBUG, no_flow_rules},
        {"Could not add ingress qdisc", NULL, LOG_DEBUG, no_flow_rules},
        {"failed to create multiq qdisc", NULL, LOG_DEBUG, no_flow_rules},
        {"failed to create ingress qdisc", NULL, LOG_DEBUG, no_flow_rules},
        {"Disabling rte flow support", NULL, LOG_DEBUG, no_flow_rules},

        /* The vhost library as a client: the guest has not been started, or has ended and left its
         * socket. relay/guest_watch.c says once what is there. Other errors, a permission that is
         * missing for one, are worth a warning. */
        {"failed to connect: No such file or directory", NULL, LOG_DEBUG, waits_for_qemu},
        {"failed to connect: Connection refused", NULL, LOG_DEBUG, waits_for_qemu},

        /* Intel's VF drivers, of each VLAN that their PF does not want. */
        {"Unable to set VF vlan", NULL, LOG_DEBUG,
         "the relay's own line says which were refused, and what helps"},

        /* A bond passes on to each member what the bond has; turning off is the usual case. */
        {"ailed to disable promiscuous mode for port", not_supported, LOG_DEBUG, not_on},
        {"ailed to disable allmulti mode for port", not_supported, LOG_DEBUG, not_on},
        {"it is necessary to do TX burst and RX burst at least every", NULL, LOG_DEBUG,
         "harmless: workers poll a bond more often than that"},
};

const struct dpdk_harmless *dpdk_harmless_find(const char *line)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (strstr(line, lines[i].words) != NULL &&
		    (lines[i].also == NULL || strstr(line, lines[i].also) != NULL))
			return &lines[i];
	}
	return NULL;
}
