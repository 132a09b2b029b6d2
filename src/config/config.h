/* What the operator asked for, after the command line and the configuration file have been read,
 * merged (the command line beats the file, one option at a time) and checked. Filled once by
 * config_load in main before any other thread exists; read-only from then on, except for the rows
 * that the schema marks at_run_time: the control thread changes these (config_take), and no other
 * may read them.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/bond_spec.h"
#include "base/cpu_set.h"
#include "base/device_spec.h"
#include "base/error.h"
#include "base/far_spec.h"
#include "base/limits.h"
#include "base/vlan_set.h"

#define CONFIG_ROWS_MAX 96 /* rows of the schema, with room */

struct static_vf {
	struct device_spec device;
	struct bond_spec bond; /* without members: a single device */
	unsigned relay_id;
	struct far_spec far;
};

/* Strings are owned by the struct (config_free); NULL means not given / not opened. */
struct config {
	char *config_file;
	struct cpu_set worker_cpus; /* never empty for CONFIG_RUN, never holds main_cpu */
	unsigned main_cpu;
	bool foreground;        /* -n */
	bool foreground_syslog; /* -n=log_syslog */
	int log_level;          /* 0 … 7 */
	bool log_level_given;   /* on the command line, which beats the file */
	char *pid_dir;
	char *huge_dir;
	bool huge_dir_given; /* else the default, used only where it is mounted */
	char *ovsdb_sock;    /* NULL: OVSDB is left alone */
	char *ovsdb_ids;     /* what its rows name: "relay" or "vf" */
	char *zmq_config_ep, *zmq_port_control_ep, *zmq_stats_ep, *zmq_core_sched_ep;
	char *zmq_events_ep;
	char *metrics_ep;                       /* unix:PATH or tcp://, on the loopback */
	bool ipc_port_control;                  /* -I */
	char *vhost_username, *vhost_groupname; /* NULL: the process's own */
	char *vhost_path;                       /* directory of the sockets */
	char *vhost_socket;                     /* pattern with exactly one %u */
	char *guest_backend;                    /* the name of a kind of guest end */
	char *idle_sleep;                       /* "yes" or "no": whether idle workers sleep */
	unsigned idle_grace_us, idle_timed_max_us, idle_net_ms;
	char *idle_vf_interrupts;  /* "auto" or "no" */
	struct cpu_set idle_awake; /* lcores of workers that never do */
	struct cpu_pin pins[RELAYS_MAX];
	size_t n_pins;
	bool jumbo, mrgbuf, tso;
	bool gro; /* what VFs receive is joined for guests that take it */
	struct static_vf static_vfs[RELAYS_MAX];
	size_t n_static_vfs;
	char *vfio_vf_token; /* a UUID, or NULL: off */
	bool vhost_client, zero_copy, dynamic_sockets, same_numa;
	bool no_huge;
	char **eal_args; /* --eal, split as a shell splits plain words; NULL-terminated or NULL */
	unsigned max_queues; /* 0: the default rule */
	bool sync_mac;
	struct vlan_set vlans[RELAYS_MAX]; /* VLANS_MAX members each at most; empty: none named */
	bool json;                         /* with --check */
	char *bind_vfio_pci;
	char *zmq_group, *zmq_curve_dir;
	bool core_sched_enable;
	double core_sched_sensitivity;   /* 0 … 1 */
	double core_sched_poll_interval; /* s */
	int core_sched_log_level;        /* 0 … 7 */
	bool core_sched_global_numa_opt;
	bool core_sched_pack;        /* idle relays onto few workers */
	bool given[CONFIG_ROWS_MAX]; /* by either source, in the schema's order */
	char **warnings; /* n_warnings texts to log once the log is open (unknown variables, …) */
	size_t n_warnings;
};

/* Whether idle workers sleep. */
static inline bool config_workers_sleep(const struct config *config)
{
	return config->idle_sleep != NULL && strcmp(config->idle_sleep, "yes") == 0;
}

#endif
