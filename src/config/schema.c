/* The configuration's table, see schema.h. Constant data; a new option is a new row here, and a
 * field in struct config.
 * Rows are applied in this order, so what a check looks back at stands above: the CPUs before the
 * pins, for one.
 */
#include "config/schema.h"

#include <string.h>

#include "config/config.h"

#define AT(field) offsetof(struct config, field)
#define RUN_DIR   "/var/run/virtio-forwarder/"

/* Numbers that the help quotes. */
#define JUMBO  LIMIT_TEXT(MTU_JUMBO)
#define USUAL  LIMIT_TEXT(MTU_USUAL)
#define QUEUES LIMIT_TEXT(VF_QUEUES_USUAL)
#define VLANS  LIMIT_TEXT(VLANS_MAX)

const struct schema_row schema[] = {
        /* CPUs */
        {.option = "cpus",
         .letter = 'C',
         .variable = "VIRTIOFWD_CPU_MASK",
         .type = SCHEMA_CPUS,
         .need = NEED_VALUE,
         .argument = "CPUS",
         .group = GROUP_CPUS,
         .offset = AT(worker_cpus),
         .help = "CPUs of the workers, as a list (1,2 or 1-3) or a hexadecimal mask (0x6). Must be "
                 "given, and may not hold the main lcore. CPUs from 128 on need --eal '--lcores "
                 "…'."},
        {.option = "master-lcore",
         .letter = 'M',
         .variable = "VIRTIOFWD_MASTER_LCORE",
         .type = SCHEMA_NUMBER,
         .need = NEED_VALUE,
         .argument = "CPU",
         .max = LCORES_MAX - 1,
         .absent = "0",
         .group = GROUP_CPUS,
         .offset = AT(main_cpu),
         .help = "CPU of the main lcore, which carries no packets. CPUs from 128 on as with "
                 "--cpus."},
        {.option = "virtio-cpu",
         .letter = 'c',
         .variable = "VIRTIOFWD_CPU_PINS",
         .type = SCHEMA_PINS,
         .need = NEED_VALUE,
         .argument = "RELAY:CPU[,CPU]",
         .group = GROUP_CPUS,
         .help = "Pin a relay: the first CPU serves VF to VM, the second VM to VF; one CPU serves "
                 "both. Several pins are joined by ';' or given one by one."},
        {.option = "max-queues",
         .variable = "VIRTIOFWD_MAX_QUEUES",
         .type = SCHEMA_NUMBER,
         .need = NEED_VALUE,
         .argument = "N",
         .min = 1,
         .max = VF_QUEUES_MAX,
         .group = GROUP_CPUS,
         .offset = AT(max_queues),
         .help = "VF queues that a relay sets up at attach, at most. Left out: the smallest "
                 "of " QUEUES ", the number of workers and what the VF has."},
        {.option = "same-numa",
         .letter = 'a',
         .variable = "VIRTIOFWD_CPU_NIC_SAME_NUMA",
         .type = SCHEMA_FLAG,
         .group = GROUP_CPUS,
         .offset = AT(same_numa),
         .help = "Reserve no hugepages on NUMA nodes without workers."},
        {.option = "idle-sleep",
         .variable = "VIRTIOFWD_IDLE_SLEEP",
         .type = SCHEMA_CHOICE,
         .need = NEED_VALUE,
         .argument = "{yes,no}",
         .absent = "yes",
         .group = GROUP_CPUS,
         .offset = AT(idle_sleep),
         .help = "Workers that find nothing to do sleep until a guest or a VF tells of packets, "
                 "and leave their CPUs to power saving and to others. no: they poll without end."},
        {.option = "idle-grace-us",
         .variable = "VIRTIOFWD_IDLE_GRACE_US",
         .type = SCHEMA_NUMBER,
         .need = NEED_VALUE,
         .argument = "US",
         .max = 100000,
         .absent = "50",
         .group = GROUP_CPUS,
         .offset = AT(idle_grace_us),
         .help = "How long a worker polls on after its last packet before it sleeps, at most, in "
                 "microseconds. It is less while packets come one by one."},
        {.option = "idle-timed-max-us",
         .variable = "VIRTIOFWD_IDLE_TIMED_MAX_US",
         .type = SCHEMA_NUMBER,
         .need = NEED_VALUE,
         .argument = "US",
         .max = 50000,
         .absent = "80",
         .group = GROUP_CPUS,
         .offset = AT(idle_timed_max_us),
         .help = "Some VFs cannot tell of packets: a worker that has one wakes by the clock, and "
                 "this is its longest sleep in microseconds. So much later, and the time that a "
                 "CPU takes to wake, may a first packet get through. 0: these workers poll."},
        {.option = "idle-net-ms",
         .variable = "VIRTIOFWD_IDLE_NET_MS",
         .type = SCHEMA_NUMBER,
         .need = NEED_VALUE,
         .argument = "MS",
         .max = 10000,
         .absent = "100",
         .group = GROUP_CPUS,
         .offset = AT(idle_net_ms),
         .help = "The longest sleep of any worker, in milliseconds: then it looks though nobody "
                 "has told it to. 0: it sleeps on."},
        {.option = "idle-vf-interrupts",
         .variable = "VIRTIOFWD_IDLE_VF_INTERRUPTS",
         .type = SCHEMA_CHOICE,
         .need = NEED_VALUE,
         .argument = "{auto,no}",
         .absent = "auto",
         .group = GROUP_CPUS,
         .offset = AT(idle_vf_interrupts),
         .help = "Whether VFs whose drivers have receive interrupts wake workers by them. Holds "
                 "for VFs that are attached afterwards. no: as VFs that have none."},
        {.option = "idle-awake",
         .variable = "VIRTIOFWD_IDLE_AWAKE",
         .type = SCHEMA_CPUS,
         .need = NEED_VALUE,
         .argument = "CPUS",
         .group = GROUP_CPUS,
         .offset = AT(idle_awake),
         .help = "Workers, by their lcores, that poll on while they have a relay (but give way to "
                 "others where they share a CPU)."},

        /* Devices and packets */
        {.option = "dynamic-sockets",
         .letter = 'd',
         .variable = "VIRTIOFWD_DYNAMIC_SOCKETS",
         .type = SCHEMA_FLAG,
         .group = GROUP_DEVICES,
         .offset = AT(dynamic_sockets),
         .help = "No sockets at start: clients make and end relays with ADD_SOCK and REMOVE_SOCK."},
        {.option = "add-pci-vf",
         .letter = 'P',
         .variable = "VIRTIOFWD_STATIC_VFS",
         .type = SCHEMA_STATIC_VF,
         .need = NEED_VALUE,
         .argument = "DEVICE=RELAY",
         .group = GROUP_DEVICES,
         .help = "Attach a VF at start; may be repeated. DEVICE is a PCI address (0000:05:08.1) or "
                 "a DPDK device string (net_tap0,iface=vf0), RELAY 0 to 63."},
        {.option = "kernel-vf",
         .variable = "VIRTIOFWD_KERNEL_VFS",
         .type = SCHEMA_KERNEL_VF,
         .need = NEED_VALUE,
         .argument = "DEVICE=RELAY[,INTERFACE]",
         .group = GROUP_DEVICES,
         .help = "As --add-pci-vf, but the relay serves no guest: the VF appears as a network "
                 "interface of this host, called INTERFACE, or vio4wd and the relay's number. "
                 "By vhost-net where the kernel has it, else by a tap, which costs a system "
                 "call a packet. May be repeated."},
        {.option = "enable-jumbo",
         .letter = 'J',
         .variable = "VIRTIOFWD_JUMBO",
         .type = SCHEMA_FLAG,
         .group = GROUP_DEVICES,
         .offset = AT(jumbo),
         .help = "Relay frames of MTU " JUMBO " instead of " USUAL "."},
        {.option = "enable-mrgbuf",
         .letter = 'R',
         .variable = "VIRTIOFWD_MRGBUF",
         .type = SCHEMA_FLAG,
         .group = GROUP_DEVICES,
         .offset = AT(mrgbuf),
         .help = "Offer mergeable receive buffers (VIRTIO_NET_F_MRG_RXBUF) to the guests."},
        {.option = "enable-tso",
         .letter = 'T',
         .variable = "VIRTIOFWD_TSO",
         .type = SCHEMA_FLAG,
         .group = GROUP_DEVICES,
         .offset = AT(tso),
         .help = "Offer TCP segmentation (VIRTIO_NET_F_HOST_TSO4 and TSO6) to the guests: done by the VF's NIC where "
                 "it can, else in software. Checksums are offered always."},
        {.option = "gro",
         .variable = "VIRTIOFWD_GRO",
         .type = SCHEMA_FLAG,
         .group = GROUP_DEVICES,
         .offset = AT(gro),
         .help = "Join TCP segments that VFs receive in one burst into frames of up to 64 KB, for guests "
                 "that have negotiated them (VIRTIO_NET_F_GUEST_TSO4 and TSO6). Off, since a guest that "
                 "routes or bridges what it receives, or has switched rx-gro-hw off, which we are not told, "
                 "gets them all the same."},
        {.option = "zero-copy",
         .letter = '0',
         .variable = "VIRTIOFWD_ZERO_COPY",
         .type = SCHEMA_FLAG,
         .group = GROUP_DEVICES,
         .planned = true,
         .offset = AT(zero_copy),
         .help = "Send from VM to VF without copying."},
        {.option = "sync-mac",
         .variable = "VIRTIOFWD_SYNC_MAC",
         .type = SCHEMA_FLAG,
         .group = GROUP_DEVICES,
         .offset = AT(sync_mac),
         .help = "Program the VF with the MAC address that the guest uses, as far as its PF "
                 "agrees."},
        {.option = "vlans",
         .variable = "VIRTIOFWD_VLANS",
         .type = SCHEMA_VLANS,
         .need = NEED_VALUE,
         .argument = "[RELAY:]IDS",
         .group = GROUP_DEVICES,
         .offset = AT(vlans),
         .help = "VLANs that VFs receive frames of before the guest has sent any: a list like "
                 "100,200-210, for all relays or for one; " VLANS " a relay at most. Several are "
                 "joined by ';' or given one by one. Others are learned from the guest's own "
                 "frames. Only VFs whose PF filters by VLAN need it."},
        {.option = "vfio-vf-token",
         .letter = 't',
         .variable = "VIRTIOFWD_VFIO_VF_TOKEN",
         .type = SCHEMA_TOKEN,
         .need = NEED_VALUE,
         .argument = "TOKEN",
         .group = GROUP_DEVICES,
         .offset = AT(vfio_vf_token),
         .help = "Token for VFs whose PF is bound to vfio-pci: a UUID, 0 for "
                 "14d63f20-8445-11ea-8900-1f9ce7d5650d, or empty for none."},
        {.variable = "VIRTIOFWD_BIND_VFIO_PCI",
         .type = SCHEMA_BIND,
         .need = NEED_VALUE,
         .argument = "LIST",
         .group = GROUP_DEVICES,
         .offset = AT(bind_vfio_pci),
         .help = "What --bind binds to vfio-pci, separated by commas: PCI addresses, network "
                 "devices (all their VFs), or DEVICE:COUNT (the first COUNT of them; when the "
                 "device has no VFs yet, so many are made)."},

        /* Guests' sockets */
        {.option = "vhost-path",
         .letter = 'V',
         .variable = "VIRTIOFWD_SOCKET_DIR",
         .type = SCHEMA_PATH,
         .need = NEED_VALUE,
         .argument = "DIR",
         .absent = "/tmp",
         .group = GROUP_SOCKETS,
         .offset = AT(vhost_path),
         .help = "Directory of the vhost-user sockets."},
        {.option = "vhost-socket",
         .letter = 'S',
         .variable = "VIRTIOFWD_SOCKET_FNAME_PATTERN",
         .type = SCHEMA_PATTERN,
         .need = NEED_VALUE,
         .argument = "PATTERN",
         .absent = "virtio-forwarder%u.sock",
         .group = GROUP_SOCKETS,
         .offset = AT(vhost_socket),
         .help = "File name of the sockets; its one %u becomes the relay's id."},
        {.option = "vhost-username",
         .letter = 'u',
         .variable = "VIRTIOFWD_SOCKET_OWNER",
         .type = SCHEMA_ACCOUNT,
         .need = MAY_HAVE_VALUE,
         .argument = "USER",
         .group = GROUP_SOCKETS,
         .offset = AT(vhost_username),
         .help = "Owner of the sockets. Left out or empty: the daemon's own user."},
        {.option = "vhost-groupname",
         .letter = 'g',
         .variable = "VIRTIOFWD_SOCKET_GROUP",
         .type = SCHEMA_ACCOUNT,
         .need = MAY_HAVE_VALUE,
         .argument = "GROUP",
         .group = GROUP_SOCKETS,
         .offset = AT(vhost_groupname),
         .help = "Group of the sockets. Left out or empty: the daemon's own group."},
        {.option = "vhostuser-client",
         .letter = 'i',
         .variable = "VIRTIOFWD_VHOST_CLIENT",
         .type = SCHEMA_FLAG,
         .group = GROUP_SOCKETS,
         .offset = AT(vhost_client),
         .help = "Connect to sockets that QEMU serves, and reconnect for ever, instead of serving "
                 "them."},
        {.option = "guest-backend",
         .variable = "VIRTIOFWD_GUEST_BACKEND",
         .type = SCHEMA_CHOICE,
         .need = NEED_VALUE,
         .argument = "{own,dpdk}",
         .absent = "own",
         .group = GROUP_SOCKETS,
         .offset = AT(guest_backend),
         .help = "What serves the guests' sockets and queues: own is this program itself, dpdk is DPDK's "
                 "vhost library."},

        /* Control endpoints */
        {.option = "zmq-port-control-ep",
         .letter = 'Z',
         .variable = "VIRTIOFWD_ZMQ_PORT_CONTROL_EP",
         .type = SCHEMA_ENDPOINT,
         .need = MAY_HAVE_VALUE,
         .argument = "ENDPOINT",
         .bare = "ipc://" RUN_DIR "port_control",
         .group = GROUP_ENDPOINTS,
         .offset = AT(zmq_port_control_ep),
         .help = "ZeroMQ endpoint that adds and removes VFs."},
        {.option = "zmq-stats-ep",
         .letter = 'z',
         .variable = "VIRTIOFWD_ZMQ_STATS_EP",
         .type = SCHEMA_ENDPOINT,
         .need = MAY_HAVE_VALUE,
         .argument = "ENDPOINT",
         .bare = "ipc://" RUN_DIR "stats",
         .group = GROUP_ENDPOINTS,
         .offset = AT(zmq_stats_ep),
         .help = "ZeroMQ endpoint of the statistics."},
        {.option = "zmq-core-sched-ep",
         .letter = 's',
         .variable = "VIRTIOFWD_ZMQ_CORE_SCHED_EP",
         .type = SCHEMA_ENDPOINT,
         .need = MAY_HAVE_VALUE,
         .argument = "ENDPOINT",
         .bare = "ipc://" RUN_DIR "core_sched",
         .group = GROUP_ENDPOINTS,
         .offset = AT(zmq_core_sched_ep),
         .help = "ZeroMQ endpoint that pins relays to CPUs; implies --zmq-stats-ep."},
        {.option = "zmq-config-ep",
         .letter = 'Y',
         .variable = "VIRTIOFWD_ZMQ_CONFIG_EP",
         .type = SCHEMA_ENDPOINT,
         .need = MAY_HAVE_VALUE,
         .argument = "ENDPOINT",
         .bare = "ipc://" RUN_DIR "config",
         .group = GROUP_ENDPOINTS,
         .offset = AT(zmq_config_ep),
         .help = "ZeroMQ endpoint that shows the pinned relays."},
        {.option = "metrics-ep",
         .variable = "VIRTIOFWD_METRICS_EP",
         .type = SCHEMA_METRICS,
         .need = MAY_HAVE_VALUE,
         .argument = "ENDPOINT",
         .bare = "unix:" RUN_DIR "metrics",
         .group = GROUP_ENDPOINTS,
         .offset = AT(metrics_ep),
         .help = "HTTP endpoint of the metrics, for Prometheus and its kin, which find them at "
                 "/metrics: unix:/PATH, or tcp://127.0.0.1:PORT for every user of this host. Off "
                 "unless given."},
        {.option = "zmq-events-ep",
         .variable = "VIRTIOFWD_ZMQ_EVENTS_EP",
         .type = SCHEMA_ENDPOINT,
         .need = MAY_HAVE_VALUE,
         .argument = "ENDPOINT",
         .bare = "ipc://" RUN_DIR "events",
         .group = GROUP_ENDPOINTS,
         .offset = AT(zmq_events_ep),
         .help = "ZeroMQ endpoint that publishes events: guests and VFs that come and go, and what "
                 "goes wrong."},
        {.option = "zmq-group",
         .variable = "VIRTIOFWD_ZMQ_GROUP",
         .type = SCHEMA_ACCOUNT,
         .need = NEED_VALUE,
         .argument = "GROUP",
         .group = GROUP_ENDPOINTS,
         .offset = AT(zmq_group),
         .help = "Group that may use the ipc endpoints and the metrics' unix socket, besides root and the "
                 "daemon's own user."},
        {.option = "zmq-curve-dir",
         .variable = "VIRTIOFWD_ZMQ_CURVE_DIR",
         .type = SCHEMA_PATH,
         .need = NEED_VALUE,
         .argument = "DIR",
         .group = GROUP_ENDPOINTS,
         .offset = AT(zmq_curve_dir),
         .help = "Directory of server.key and clients/*.pub (Z85 text): tcp endpoints are for "
                 "clients with these keys, and need not be on the loopback. SIGHUP reads the "
                 "clients' keys again."},
        {.option = "ovsdb-sock",
         .letter = 'O',
         .variable = "VIRTIOFWD_OVSDB_SOCK_PATH",
         .type = SCHEMA_PATH,
         .need = NEED_VALUE,
         .argument = "PATH",
         .group = GROUP_ENDPOINTS,
         .offset = AT(ovsdb_sock),
         .help = "Watch ovsdb-server's socket for interfaces to relay: those whose "
                 "external_ids:virtio_forwarder is a relay's id."},
        {.option = "ovsdb-ids",
         .variable = "VIRTIOFWD_OVSDB_IDS",
         .type = SCHEMA_CHOICE,
         .need = NEED_VALUE,
         .argument = "{relay,vf}",
         .absent = "relay",
         .group = GROUP_ENDPOINTS,
         .offset = AT(ovsdb_ids),
         .help = "What OVSDB's external_ids:virtio_forwarder means: relay, the number of a relay; "
                 "vf, no more than yes, and the relay is the VF's number on its PF."},
        {.option = "ipc",
         .letter = 'I',
         .variable = "VIRTIOFWD_IPC_PORT_CONTROL",
         .type = SCHEMA_FLAG,
         .group = GROUP_ENDPOINTS,
         .offset = AT(ipc_port_control),
         .help = "Ports are controlled by something other than OVSDB: leaves OVSDB alone even if "
                 "--ovsdb-sock is given."},

        /* The balancer */
        {.variable = "VIO4WD_CORE_SCHED_ENABLE",
         .type = SCHEMA_ENABLE,
         .need = NEED_VALUE,
         .argument = "true",
         .group = GROUP_BALANCER,
         .at_run_time = true,
         .offset = AT(core_sched_enable),
         .help = "Move relays between workers as their load asks for it."},
        {.option = "core-sched-sensitivity",
         .variable = "VIO4WD_CORE_SCHED_SENSITIVITY",
         .type = SCHEMA_FRACTION,
         .need = NEED_VALUE,
         .argument = "F",
         .max = 1,
         .lenient = true,
         .absent = "0.25",
         .group = GROUP_BALANCER,
         .at_run_time = true,
         .offset = AT(core_sched_sensitivity),
         .help = "Carry out a round of moves only if it takes away at least this share of the "
                 "busiest worker's excess over the mean."},
        {.option = "core-sched-poll-interval",
         .variable = "VIO4WD_CORE_SCHED_POLL_INTERVAL",
         .type = SCHEMA_FRACTION,
         .need = NEED_VALUE,
         .argument = "SECONDS",
         .min = 0.1,
         .max = 3600,
         .lenient = true,
         .absent = "5",
         .group = GROUP_BALANCER,
         .at_run_time = true,
         .offset = AT(core_sched_poll_interval),
         .help = "Time between two looks at the load."},
        {.option = "core-sched-loglevel",
         .variable = "VIO4WD_CORE_SCHED_LOG_LEVEL",
         .type = SCHEMA_LEVEL,
         .need = NEED_VALUE,
         .argument = "LEVEL",
         .max = 7,
         .lenient = true,
         .absent = "6",
         .group = GROUP_BALANCER,
         .at_run_time = true,
         .offset = AT(core_sched_log_level),
         .help = "Log level of the balancer."},
        {.option = "core-sched-global-numa-opt",
         .variable = "VIO4WD_CORE_SCHED_GLOBAL_NUMA_OPT",
         .type = SCHEMA_FLAG,
         .group = GROUP_BALANCER,
         .at_run_time = true,
         .offset = AT(core_sched_global_numa_opt),
         .help = "Balance over all NUMA nodes instead of within each."},
        {.option = "core-sched-pack",
         .variable = "VIO4WD_CORE_SCHED_PACK",
         .type = SCHEMA_FLAG,
         .group = GROUP_BALANCER,
         .offset = AT(core_sched_pack),
         .help = "Have idle relays share few workers, so that the CPUs of the others sleep; under "
                 "load they are spread again."},

        /* The process */
        {.option = "config",
         .type = SCHEMA_FILE,
         .need = NEED_VALUE,
         .argument = "FILE",
         .group = GROUP_PROCESS,
         .offset = AT(config_file),
         .help = "Read variables from FILE (VARIABLE=value lines). The command line beats it, one "
                 "option at a time. Without this option no file is read."},
        {.option = "nodaemon",
         .letter = 'n',
         .type = SCHEMA_FOREGROUND,
         .need = MAY_HAVE_VALUE,
         .argument = "log_syslog",
         .group = GROUP_PROCESS,
         .help = "Stay in the foreground and log to stdout, or with =log_syslog to syslog."},
        {.option = "loglevel",
         .letter = 'l',
         .variable = "VIRTIOFWD_LOG_LEVEL",
         .type = SCHEMA_LEVEL,
         .need = NEED_VALUE,
         .argument = "LEVEL",
         .max = 7,
         .lenient = true,
         .absent = "6",
         .group = GROUP_PROCESS,
         .at_run_time = true,
         .offset = AT(log_level),
         .help = "Log messages up to this syslog severity: 0 is quietest, 7 debug."},
        {.option = "pid-path",
         .letter = 'p',
         .variable = "VIRTIOFWD_PID_DIR",
         .type = SCHEMA_PATH,
         .need = NEED_VALUE,
         .argument = "DIR",
         .absent = "/var/run",
         .group = GROUP_PROCESS,
         .offset = AT(pid_dir),
         .help = "Directory of the pid file, virtio-forwarder.pid."},
        {.option = "huge-dir",
         .letter = 'H',
         .variable = "VIRTIOFWD_HUGETLBFS_MOUNT_POINT",
         .type = SCHEMA_PATH,
         .need = NEED_VALUE,
         .argument = "DIR",
         .absent = "/mnt/huge",
         .group = GROUP_PROCESS,
         .offset = AT(huge_dir),
         .help = "Where hugetlbfs is mounted."},
        {.option = "no-huge",
         .variable = "VIRTIOFWD_NO_HUGE",
         .type = SCHEMA_FLAG,
         .group = GROUP_PROCESS,
         .offset = AT(no_huge),
         .help = "Run without hugepages: for demonstrations, tests and small hosts."},
        {.option = "eal",
         .variable = "VIRTIOFWD_EAL_ARGS",
         .type = SCHEMA_WORDS,
         .need = NEED_VALUE,
         .argument = "ARGS",
         .group = GROUP_PROCESS,
         .help = "Further arguments for DPDK's EAL, separated by blanks, quoted as in a shell; may "
                 "be repeated. --lcores there says on which CPU each lcore runs."},
        {.variable = "VIRTIOFWD_BINARY",
         .type = SCHEMA_BINARY,
         .need = NEED_VALUE,
         .argument = "PATH",
         .group = GROUP_PROCESS,
         .help = "Accepted for compatibility; does not choose the binary."},

        /* Instead of running */
        {.option = "check",
         .type = SCHEMA_REQUEST,
         .request = REQUEST_CHECK,
         .group = GROUP_REQUESTS,
         .help = "Check whether the daemon could run as configured: print what is wrong, why, and "
                 "what to do about it; exit with 1 if it could not, or no packet would flow."},
        {.option = "json",
         .type = SCHEMA_FLAG,
         .group = GROUP_REQUESTS,
         .offset = AT(json),
         .help = "With --check: print the findings as JSON."},
        {.option = "bind",
         .type = SCHEMA_REQUEST,
         .request = REQUEST_BIND,
         .group = GROUP_REQUESTS,
         .help = "Bind the VFs of VIRTIOFWD_BIND_VFIO_PCI to vfio-pci and exit: with 1 when any "
                 "could not be bound, which does not keep the others from it."},
        {.option = "unbind",
         .type = SCHEMA_REQUEST,
         .request = REQUEST_UNBIND,
         .group = GROUP_REQUESTS,
         .help = "Give what --bind bound back to the drivers that had it, and exit."},
        {.option = "version",
         .letter = 'v',
         .type = SCHEMA_REQUEST,
         .request = REQUEST_VERSION,
         .group = GROUP_REQUESTS,
         .help = "Print the version and exit."},
        {.option = "help",
         .letter = 'h',
         .type = SCHEMA_REQUEST,
         .request = REQUEST_HELP,
         .group = GROUP_REQUESTS,
         .help = "Print this help and exit."},
        {.option = "man", .type = SCHEMA_REQUEST, .request = REQUEST_MAN, .group = GROUP_REQUESTS},
};

const size_t schema_size = sizeof(schema) / sizeof(schema[0]);
_Static_assert(sizeof(schema) / sizeof(schema[0]) <= CONFIG_ROWS_MAX, "CONFIG_ROWS_MAX is too low");

const char *schema_group_title(enum schema_group group)
{
	static const char *const titles[GROUP_COUNT] = {
	        [GROUP_CPUS] = "CPUs",
	        [GROUP_DEVICES] = "VFs and packets",
	        [GROUP_SOCKETS] = "Guests' sockets",
	        [GROUP_ENDPOINTS] = "Control",
	        [GROUP_BALANCER] = "Balancing",
	        [GROUP_PROCESS] = "Process",
	        [GROUP_REQUESTS] = "Instead of running",
	};

	return titles[group];
}

bool schema_is_list(const struct schema_row *row)
{
	return row->type == SCHEMA_PINS || row->type == SCHEMA_STATIC_VF ||
	       row->type == SCHEMA_KERNEL_VF || row->type == SCHEMA_VLANS ||
	       row->type == SCHEMA_WORDS;
}

bool schema_is_string(const struct schema_row *row)
{
	switch (row->type) {
	case SCHEMA_FILE:
	case SCHEMA_PATH:
	case SCHEMA_ACCOUNT:
	case SCHEMA_ENDPOINT:
	case SCHEMA_METRICS:
	case SCHEMA_PATTERN:
	case SCHEMA_TOKEN:
	case SCHEMA_CHOICE:
	case SCHEMA_BIND:
		return true;
	default:
		return false;
	}
}

const struct schema_row *schema_find_option(const char *name)
{
	for (size_t i = 0; i < schema_size; i++) {
		if (schema[i].option != NULL && strcmp(schema[i].option, name) == 0)
			return &schema[i];
	}
	return NULL;
}

const struct schema_row *schema_find_letter(int letter)
{
	for (size_t i = 0; i < schema_size; i++) {
		if (schema[i].letter != 0 && schema[i].letter == letter)
			return &schema[i];
	}
	return NULL;
}

const struct schema_row *schema_find_variable(const char *name, size_t len)
{
	for (size_t i = 0; i < schema_size; i++) {
		const char *variable = schema[i].variable;

		if (variable != NULL && strlen(variable) == len && memcmp(variable, name, len) == 0)
			return &schema[i];
	}
	return NULL;
}
