/* The values of the configuration, from the command line and from the file: each row of the schema
 * in range and out of it. What beats what is test_config_rules', the file's language
 * test_config_file's.
 */
#include "config/load.h"
#include "config_rig.h"
#include "suite.h"

#include <errno.h>

#include "config/schema.h"

#define TOKEN      "14d63f20-8445-11ea-8900-1f9ce7d5650d"
#define LONG_NAME  "0123456789012345678901234567890123456789012345678901234567890123456789"
#define LONG_VALUE LONG_NAME LONG_NAME LONG_NAME LONG_NAME LONG_NAME LONG_NAME LONG_NAME LONG_NAME

static const char yes[] = "yes", off[] = "";

/* A value that row takes, and what its field then reads as; with reads NULL, one that it refuses,
 * and a part of what is said. Flags have no value on the command line. */
struct value_case {
	const char *name; /* of the option, or of the variable where there is none */
	const char *value;
	const char *reads;
	const char *says;
};

static const struct value_case cases[] = {
        {"cpus", "1", "1", NULL},
        {"cpus", "1,2", "1-2", NULL},
        {"cpus", "0x6", "1-2", NULL},
        {"cpus", "127", "127", NULL},
        {"cpus", "128", NULL, "--lcores"},
        {"cpus", "1,200", NULL, "CPU 200"},
        {"cpus", "0", NULL, "main lcore"},
        {"cpus", "0x7", NULL, "main lcore"},
        {"cpus", "one", NULL, "\"one\" is not a CPU number"},
        {"cpus", "1024", NULL, "0 to 1023"},
        {"cpus", "-1", NULL, "not a CPU number"},
        {"cpus", "0x", NULL, "no digits"},
        {"master-lcore", "0", "0", NULL},
        {"master-lcore", "127", "127", NULL},
        {"master-lcore", "128", NULL, "0 to 127"},
        {"master-lcore", "1024", NULL, "0 to 127"},
        {"master-lcore", "zero", NULL, "\"zero\" is not a number"},
        {"virtio-cpu", "3:9", "3:9,9", NULL},
        {"virtio-cpu", "3:9;0:9,9", "3:9,9 0:9,9", NULL},
        {"virtio-cpu", "3:9 0:9", "3:9,9 0:9,9", NULL},
        {"virtio-cpu", "3:8", NULL, "CPU 8, which is no worker's"},
        {"virtio-cpu", "3:9,8", NULL, "CPU 8, which is no worker's"},
        {"virtio-cpu", "64:9", NULL, "0 to 63"},
        {"virtio-cpu", "3", NULL, "3:1,2"},
        {"virtio-cpu", "3:9;3:9", NULL, "pinned twice"},
        {"idle-sleep", "yes", "yes", NULL},
        {"idle-sleep", "no", "no", NULL},
        {"idle-sleep", "1", NULL, "yes,no"},
        {"idle-grace-us", "0", "0", NULL},
        {"idle-grace-us", "100001", NULL, "0 to 100000"},
        {"idle-timed-max-us", "50000", "50000", NULL},
        {"idle-timed-max-us", "50001", NULL, "0 to 50000"},
        {"idle-net-ms", "0", "0", NULL},
        {"idle-net-ms", "10000", "10000", NULL},
        {"idle-net-ms", "10001", NULL, "0 to 10000"},
        {"idle-vf-interrupts", "auto", "auto", NULL},
        {"idle-vf-interrupts", "no", "no", NULL},
        {"idle-vf-interrupts", "yes", NULL, "auto,no"},
        {"idle-awake", "9", "9", NULL},
        {"idle-awake", "8,9", NULL, "no worker's"},
        {"max-queues", "1", "1", NULL},
        {"max-queues", "32", "32", NULL},
        {"max-queues", "0", NULL, "1 to 32"},
        {"max-queues", "33", NULL, "1 to 32"},
        {"max-queues", "4294967297", NULL, "1 to 32"},
        {"max-queues", "18446744073709551617", NULL, "1 to 32"},
        {"same-numa", "y", yes, NULL},
        {"dynamic-sockets", "y", yes, NULL},
        {"add-pci-vf", "0000:05:08.1=3", "0000:05:08.1=3", NULL},
        {"add-pci-vf", "AF:1f.7=63", "0000:af:1f.7=63", NULL},
        {"add-pci-vf", "net_tap0,iface=vf0=0", "net_tap0,iface=vf0=0", NULL},
        {"add-pci-vf", "05:08.1=1 05:08.2=2", "0000:05:08.1=1 0000:05:08.2=2", NULL},
        {"add-pci-vf", "05:08.1=64", NULL, "0 to 63"},
        {"add-pci-vf", "05:08.1", NULL, "the relay is missing"},
        {"add-pci-vf", "05:08.8=1", NULL, "neither a PCI address"},
        {"add-pci-vf", "net_pcap0,tx_pcap=/etc/passwd=1", NULL, "not admitted"},
        {"add-pci-vf", "05:08.1=1 05:08.2=1", "0000:05:08.1=1", NULL},
        {"add-pci-vf", "05:08.1=1 0000:05:08.1=2", "0000:05:08.1=1", NULL},
        {"add-pci-vf", LONG_VALUE "=1", NULL, "is longer than"},
        {"add-pci-vf", "net_bonding0,slave=05:08.1,slave=05:08.2,mode=4=5",
         "net_bonding0[4:0000:05:08.1,0000:05:08.2]=5", NULL},
        {"add-pci-vf", "net_bonding0,member=net_ring0,slave=net_ring1=5",
         "net_bonding0[1:net_ring0,net_ring1]=5", NULL},
        {"add-pci-vf", "net_bonding0,slave=net_ring0,slave=net_ring0=5", NULL, "twice"},
        {"add-pci-vf", "net_bonding/0,slave=net_ring0,slave=net_ring1=5", NULL, "letters"},
        {"add-pci-vf", "net_bonding0,primary=net_ring0=5", NULL, "not known"},
        {"add-pci-vf", "net_bonding0,slave=05:08.1=5", NULL, "two members"},
        {"add-pci-vf", "net_bonding0,slave=05:08.1,member=net_pcap0=5", NULL, "not admitted"},
        {"add-pci-vf", "net_bonding0,slave=05:08.1,slave=05:08.2,mode=7=5", NULL, "0 to 6"},
        {"add-pci-vf", "net_bonding0,junk,slave=05:08.2=5", NULL, "key=value"},
        {"add-pci-vf", "net_bonding0=64", NULL, "0 to 63"},
        {"kernel-vf", "05:08.1=3", "0000:05:08.1=3,vio4wd3", NULL},
        {"kernel-vf", "05:08.1=3,wan.0_a-B", "0000:05:08.1=3,wan.0_a-B", NULL},
        {"kernel-vf", "net_tap0,iface=vf0=63,fifteen_letters",
         "net_tap0,iface=vf0=63,fifteen_letters", NULL},
        {"kernel-vf", "05:08.1=1 05:08.2=2,b", "0000:05:08.1=1,vio4wd1 0000:05:08.2=2,b", NULL},
        {"kernel-vf", "net_bonding0,slave=05:08.1,slave=05:08.2=5,wan",
         "net_bonding0[1:0000:05:08.1,0000:05:08.2]=5,wan", NULL},
        {"kernel-vf", "05:08.1=1 05:08.2=1,b", "0000:05:08.1=1,vio4wd1", NULL},
        {"kernel-vf", "05:08.1=1,a 05:08.1=2,b", "0000:05:08.1=1,a", NULL},
        {"kernel-vf", "05:08.1=1,a 05:08.2=2,a", "0000:05:08.1=1,a", NULL},
        {"kernel-vf", "05:08.1=1 05:08.2=2,vio4wd1", "0000:05:08.1=1,vio4wd1", NULL},
        {"kernel-vf", "05:08.1", NULL, "the relay is missing"},
        {"kernel-vf", "05:08.1=64,a", NULL, "0 to 63"},
        {"kernel-vf", "05:08.1=1,", NULL, "cannot be the name of a network interface"},
        {"kernel-vf", "05:08.1=1,a,b", NULL, "cannot be the name of a network interface"},
        {"kernel-vf", "05:08.1=1,..", NULL, "cannot be the name of a network interface"},
        {"kernel-vf", "05:08.1=1,a/b", NULL, "cannot be the name of a network interface"},
        {"kernel-vf", "05:08.1=1,a:b", NULL, "cannot be the name of a network interface"},
        {"kernel-vf", "05:08.1=1,sixteen_letters_", NULL, "1 to 15 letters"},
        {"kernel-vf", "net_pcap0,tx_pcap=/etc/passwd=1,a", NULL, "not admitted"},
        {"enable-jumbo", "y", yes, NULL},
        {"enable-mrgbuf", "y", yes, NULL},
        {"enable-tso", "y", yes, NULL},
        {"gro", "y", yes, NULL},
        {"zero-copy", "y", yes, NULL},
        {"sync-mac", "y", yes, NULL},
        {"vlans", "5", "0:5 63:5", NULL},
        {"vlans", "5,100-103;3:7", "0:5,100-103 3:5,7,100-103 63:5,100-103", NULL},
        {"vlans", "0:1-64 63:4094", "0:1-64 63:4094", NULL},
        {"vlans", "0:1-65", NULL, "relay 0 would have 65 VLANs"},
        {"vlans", "1-64;3:70", NULL, "relay 3 would have 65 VLANs"},
        {"vlans", "64:5", NULL, "not a relay (0 to 63)"},
        {"vlans", ":5", NULL, "not a relay (0 to 63)"},
        {"vlans", "3:", NULL, "a number from 1 to 4094"},
        {"vlans", "0", NULL, "a number from 1 to 4094"},
        {"vlans", "3:4095", NULL, "a number from 1 to 4094"},
        {"vlans", "5;;6", NULL, "a number from 1 to 4094"},
        {"vlans", "9-5", NULL, "write 5-9"},
        {"vlans", "1:2:3", NULL, "is not expected behind a VLAN"},
        {"vlans", LONG_VALUE, NULL, "is longer than"},
        {"vfio-vf-token", "0", TOKEN, NULL},
        {"vfio-vf-token", "0123ABCD-0000-0000-0000-0123456789ab",
         "0123ABCD-0000-0000-0000-0123456789ab", NULL},
        {"vfio-vf-token", "1", NULL, "UUID"},
        {"vfio-vf-token", "14d63f20-8445-11ea-8900-1f9ce7d5650", NULL, "UUID"},
        {"vfio-vf-token", "14d63f20084450-1ea-8900-1f9ce7d5650d", NULL, "UUID"},
        {"VIRTIOFWD_BIND_VFIO_PCI", "05:08.1,ens1f0,ens1f1:4", "05:08.1,ens1f0,ens1f1:4", NULL},
        {"VIRTIOFWD_BIND_VFIO_PCI", "ens1f0:256,", "ens1f0:256,", NULL},
        {"VIRTIOFWD_BIND_VFIO_PCI", "ens1f0:0", NULL, "DEVICE:COUNT"},
        {"VIRTIOFWD_BIND_VFIO_PCI", "ens1f0:257", NULL, "1 to 256"},
        {"VIRTIOFWD_BIND_VFIO_PCI", "../../etc", NULL, "neither a PCI address"},
        {"VIRTIOFWD_BIND_VFIO_PCI", "..", NULL, "neither a PCI address"},
        {"VIRTIOFWD_BIND_VFIO_PCI", "ens1f0,fifteen_letters", "ens1f0,fifteen_letters", NULL},
        {"VIRTIOFWD_BIND_VFIO_PCI", "sixteen_letters_", NULL, "neither a PCI address"},
        {"VIRTIOFWD_BIND_VFIO_PCI", LONG_NAME, NULL, "neither a PCI address"},
        {"vhost-path", "/run/guests", "/run/guests", NULL},
        {"vhost-path", "run/guests", NULL, "not an absolute path"},
        {"vhost-path", "/" LONG_NAME "/" LONG_NAME, NULL, "107 are possible"},
        {"vhost-socket", "vm%u", "vm%u", NULL},
        {"vhost-socket", "%u", "%u", NULL},
        {"vhost-socket", "vm", NULL, "exactly one %u"},
        {"vhost-socket", "vm%u%u", NULL, "exactly one %u"},
        {"vhost-socket", "vm%%u", NULL, "exactly one %u"},
        {"vhost-socket", "vm%u%s", NULL, "exactly one %u"},
        {"vhost-socket", "vm%5u", NULL, "exactly one %u"},
        {"vhost-socket", "../vm%u", NULL, "holds a '/'"},
        {"vhost-username", "libvirt-qemu", "libvirt-qemu", NULL},
        {"vhost-groupname", "kvm", "kvm", NULL},
        {"vhostuser-client", "y", yes, NULL},
        {"guest-backend", "dpdk", "dpdk", NULL},
        {"guest-backend", "own", "own", NULL},
        {"guest-backend", "dpd", NULL, "those that there are: own,dpdk"},
        {"guest-backend", "dpdk2", NULL, "\"dpdk2\" is none of those"},
        {"guest-backend", "dpdk}", NULL, "those that there are: own,dpdk"},
        {"zmq-port-control-ep", "ipc:///tmp/pc", "ipc:///tmp/pc", NULL},
        {"zmq-port-control-ep", "tcp://127.0.0.1:5555", "tcp://127.0.0.1:5555", NULL},
        {"zmq-port-control-ep", "tcp://[::1]:5555", "tcp://[::1]:5555", NULL},
        {"zmq-port-control-ep", "tcp://127.255.1.2:1", "tcp://127.255.1.2:1", NULL},
        {"zmq-port-control-ep", "tcp://128.0.0.1:5555", "", NULL},
        {"zmq-port-control-ep", "tcp://127.0.0.1.example.org:5555", "", NULL},
        {"zmq-port-control-ep", "tcp://*:5555", "", NULL},
        {"zmq-port-control-ep", "tcp://eth0:5555", "", NULL},
        {"zmq-port-control-ep", "tcp://localhost:5555", NULL, "127.0.0.1"},
        {"zmq-port-control-ep", "tcp://127.0.0.1", NULL, "a port from 1 to 65535"},
        {"zmq-port-control-ep", "tcp://127.0.0.1:0", NULL, "a port from 1 to 65535"},
        {"zmq-port-control-ep", "tcp://127.0.0.1:65536", NULL, "a port from 1 to 65535"},
        {"zmq-port-control-ep", "tcp://:5555", NULL, "a port from 1 to 65535"},
        {"zmq-port-control-ep", "tcp://" LONG_NAME ":5555", NULL, "a port from 1 to 65535"},
        {"zmq-port-control-ep", "/tmp/pc", NULL, "not an endpoint"},
        {"zmq-port-control-ep", "udp://127.0.0.1:5555", NULL, "not an endpoint"},
        {"zmq-port-control-ep", "ipc://pc", NULL, "absolute path"},
        {"zmq-port-control-ep", "ipc://@pc", NULL, "absolute path"},
        {"zmq-port-control-ep", "ipc://", NULL, "absolute path"},
        {"zmq-port-control-ep", "ipc:///tmp/", NULL, "name a file"},
        {"zmq-port-control-ep", "ipc:///" LONG_NAME LONG_NAME, NULL, "107 at most"},
        {"zmq-port-control-ep", "ipc:///tmp/a b", NULL, "blanks"},
        {"zmq-stats-ep", "ipc:///tmp/st", "ipc:///tmp/st", NULL},
        {"zmq-core-sched-ep", "ipc:///tmp/cs", "ipc:///tmp/cs", NULL},
        {"zmq-config-ep", "ipc:///tmp/cf", "ipc:///tmp/cf", NULL},
        {"metrics-ep", "unix:/run/m", "unix:/run/m", NULL},
        {"metrics-ep", "unix:///run/m", "unix:///run/m", NULL},
        {"metrics-ep", "tcp://127.0.0.1:9100", "tcp://127.0.0.1:9100", NULL},
        {"metrics-ep", "tcp://127.255.0.1:1", "tcp://127.255.0.1:1", NULL},
        {"metrics-ep", "tcp://[::1]:65535", "tcp://[::1]:65535", NULL},
        {"metrics-ep", "tcp://0.0.0.0:9100", NULL, "write tcp://127.0.0.1:9100 or unix:/path"},
        {"metrics-ep", "tcp://*:9100", NULL, "loopback only"},
        {"metrics-ep", "tcp://10.0.0.1:9100", NULL, "loopback only"},
        {"metrics-ep", "tcp://[::]:9100", NULL, "loopback only"},
        {"metrics-ep", "tcp://eth0:9100", NULL, "loopback only"},
        {"metrics-ep", "tcp://127.0.0.1", NULL, "a port from 1 to 65535"},
        {"metrics-ep", "tcp://127.0.0.1:0", NULL, "a port from 1 to 65535"},
        {"metrics-ep", "unix:run/m", NULL, "absolute path"},
        {"metrics-ep", "unix:/run/", NULL, "name a file"},
        {"metrics-ep", "unix:", NULL, "absolute path"},
        {"metrics-ep", "unix:/" LONG_NAME LONG_NAME, NULL, "107 at most"},
        {"metrics-ep", "unix:/run/a b", NULL, "blanks"},
        {"metrics-ep", "ipc:///run/m", NULL, "unix:/path or tcp://127.0.0.1:port"},
        {"metrics-ep", "9100", NULL, "unix:/path or tcp://127.0.0.1:port"},
        {"zmq-events-ep", "ipc:///tmp/ev", "ipc:///tmp/ev", NULL},
        {"zmq-group", "wheel", "wheel", NULL},
        {"zmq-curve-dir", "/etc/keys", "/etc/keys", NULL},
        {"zmq-curve-dir", "keys", NULL, "not an absolute path"},
        {"ovsdb-sock", "/var/run/openvswitch/db.sock", "/var/run/openvswitch/db.sock", NULL},
        {"ovsdb-sock", "db.sock", NULL, "not an absolute path"},
        {"ipc", "y", yes, NULL},
        {"VIO4WD_CORE_SCHED_ENABLE", "true", yes, NULL},
        {"VIO4WD_CORE_SCHED_ENABLE", "false", off, NULL},
        {"VIO4WD_CORE_SCHED_ENABLE", "yes", off, NULL},
        {"ovsdb-ids", "relay", "relay", NULL},
        {"ovsdb-ids", "vf", "vf", NULL},
        {"ovsdb-ids", "VF", NULL, "none of those that there are: relay,vf"},
        {"core-sched-sensitivity", "0", "0", NULL},
        {"core-sched-sensitivity", "0.5", "0.5", NULL},
        {"core-sched-sensitivity", "1", "1", NULL},
        {"core-sched-sensitivity", "1.01", "1", NULL},
        {"core-sched-sensitivity", "2", "1", NULL},
        {"core-sched-sensitivity", "99999999999999999999999999", "1", NULL},
        {"core-sched-sensitivity", "-0.1", "0.25", NULL},
        {"core-sched-sensitivity", "-", NULL, "0 to 1"},
        {"core-sched-sensitivity", "--1", NULL, "0 to 1"},
        {"core-sched-sensitivity", "nan", NULL, "0 to 1"},
        {"core-sched-sensitivity", "1e-1", NULL, "0 to 1"},
        {"core-sched-poll-interval", "0.1", "0.1", NULL},
        {"core-sched-poll-interval", "3600", "3600", NULL},
        {"core-sched-poll-interval", "0.09", "0.1", NULL},
        {"core-sched-poll-interval", "3600.5", "3600", NULL},
        {"core-sched-poll-interval", "0", "5", NULL},
        {"core-sched-poll-interval", "0.0", "5", NULL},
        {"core-sched-poll-interval", "-3", "5", NULL},
        {"core-sched-poll-interval", "5s", NULL, "0.1 to 3600"},
        {"core-sched-loglevel", "7", "7", NULL},
        {"core-sched-loglevel", "8", "7", NULL},
        {"core-sched-loglevel", "6.5", NULL, "0 to 7"},
        {"core-sched-global-numa-opt", "y", yes, NULL},
        {"core-sched-pack", "y", yes, NULL},
        {"nodaemon", "log_syslog", yes, NULL},
        {"nodaemon", "syslog", NULL, "log_syslog"},
        {"loglevel", "0", "0", NULL},
        {"loglevel", "7", "7", NULL},
        {"loglevel", "8", "7", NULL},
        {"loglevel", "4294967296", "7", NULL},
        {"loglevel", "-1", "6", NULL},
        {"loglevel", "8x", NULL, "0 to 7"},
        {"loglevel", "debug", NULL, "0 to 7"},
        {"loglevel", LONG_VALUE, NULL, "0 to 7"},
        {"pid-path", "/run/vf", "/run/vf", NULL},
        {"pid-path", ".", NULL, "not an absolute path"},
        {"huge-dir", "/dev/hugepages", "/dev/hugepages", NULL},
        {"huge-dir", "hugepages", NULL, "not an absolute path"},
        {"no-huge", "y", yes, NULL},
        {"eal", "-m 512 --lcores '0@0, 1@1'", "[-m][512][--lcores][0@0, 1@1]", NULL},
        {"eal", "--no-pci \"a\"'b' ''", "[--no-pci][ab][]", NULL},
        {"eal", "  -m\t512  ", "[-m][512]", NULL},
        {"eal", "-m '512", NULL, "not closed"},
        {"eal", "lcores 0@0", NULL, "begin with '-'"},
        {"eal", "-m 512 -- foo", NULL, "leave it out"},
        {"eal", "--main-lcore=1", NULL, "--master-lcore"},
        {"eal", "--proc-type secondary", NULL, "--proc-type"},
        {"VIRTIOFWD_BINARY", "/usr/bin/virtio-forwarder", NULL, NULL},
        {"VIRTIOFWD_BINARY", "/usr/bin/other", NULL, NULL},
};

static const struct schema_row *row_of(const char *name)
{
	const struct schema_row *row = schema_find_option(name);

	if (row == NULL)
		row = schema_find_variable(name, strlen(name));
	ck_assert_msg(row != NULL, "%s is not in the schema", name);
	return row;
}

/* What row's field holds. */
static void write_static_vf(FILE *text, const char *before, const struct static_vf *vf)
{
	fprintf(text, "%s%s", before, vf->device.devargs);
	for (unsigned i = 0; i < vf->bond.n_members; i++) {
		if (i == 0)
			fprintf(text, "[%u:", vf->bond.mode);
		fprintf(text, "%s%s", vf->bond.members[i].name,
		        i + 1 < vf->bond.n_members ? "," : "]");
	}
	fprintf(text, "=%u", vf->relay_id);
	if (vf->far.kind == FAR_KERNEL)
		fprintf(text, ",%s", vf->far.interface);
}

/* The first relay, the last, and those between that differ from the first. */
static void write_vlans(FILE *text)
{
	const char *separator = "";

	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		const struct vlan_set *set = &rig.cfg.vlans[i];
		char list[VLAN_SET_TEXT_MAX];

		if (vlan_set_is_empty(set) || (i > 0 && i < RELAYS_MAX - 1 &&
		                               memcmp(set, &rig.cfg.vlans[0], sizeof(*set)) == 0))
			continue;
		fprintf(text, "%s%u:%s", separator, i, vlan_set_format(set, list, sizeof(list)));
		separator = " ";
	}
}

static const char *read_field(const struct schema_row *row, char *out, size_t size)
{
	const char *place = (const char *)&rig.cfg + row->offset;
	FILE *text = fmemopen(out, size, "w");

	memset(out, 0, size);
	switch (row->type) {
	case SCHEMA_FLAG:
	case SCHEMA_ENABLE:
		fputs(*(const bool *)place ? yes : off, text);
		break;
	case SCHEMA_FOREGROUND:
		fputs(rig.cfg.foreground && rig.cfg.foreground_syslog ? yes : off, text);
		break;
	case SCHEMA_LEVEL:
		fprintf(text, "%d", *(const int *)place);
		break;
	case SCHEMA_NUMBER:
		fprintf(text, "%u", *(const unsigned *)place);
		break;
	case SCHEMA_FRACTION:
		fprintf(text, "%g", *(const double *)place);
		break;
	case SCHEMA_CPUS: {
		char list[256];

		fputs(cpu_set_format((const struct cpu_set *)place, list, sizeof(list)), text);
		break;
	}
	case SCHEMA_PINS:
		for (size_t i = 0; i < rig.cfg.n_pins; i++)
			fprintf(text, "%s%u:%d,%d", i > 0 ? " " : "", rig.cfg.pins[i].relay_id,
			        rig.cfg.pins[i].vf_to_vm_cpu, rig.cfg.pins[i].vm_to_vf_cpu);
		break;
	case SCHEMA_STATIC_VF:
	case SCHEMA_KERNEL_VF:
		for (size_t i = 0; i < rig.cfg.n_static_vfs; i++)
			write_static_vf(text, i > 0 ? " " : "", &rig.cfg.static_vfs[i]);
		break;
	case SCHEMA_VLANS:
		write_vlans(text);
		break;
	case SCHEMA_WORDS:
		for (char **word = rig.cfg.eal_args; word != NULL && *word != NULL; word++)
			fprintf(text, "[%s]", *word);
		break;
	default:
		ck_assert(schema_is_string(row));
		if (*(char *const *)place != NULL)
			fputs(*(char *const *)place, text);
	}
	fclose(text);
	return out;
}

static bool is_flag(const struct schema_row *row)
{
	return row->type == SCHEMA_FLAG;
}

/* What a case needs around it to be a configuration. */
static const char *usual(const struct value_case *c)
{
	return strcmp(c->name, "cpus") == 0 ? "--loglevel=6" : "--cpus=9";
}

static void judge(const struct value_case *c, int rc)
{
	char text[512];

	if (c->says != NULL) {
		ck_assert_msg(rc == -EINVAL, "%s=%s: %d %s", c->name, c->value, rc, rig.err.text);
		rig_says(c->says);
		return;
	}
	ck_assert_msg(rc == 0, "%s=%s: %s", c->name, c->value, rig.err.text);
	if (c->reads != NULL)
		ck_assert_str_eq(read_field(row_of(c->name), text, sizeof(text)), c->reads);
}

START_TEST(takes_options)
{
	const struct value_case *c = &cases[_i];
	const struct schema_row *row = row_of(c->name);
	char words[3][sizeof(LONG_VALUE) + 64];

	if (row->option == NULL)
		return;
	if (is_flag(row)) {
		snprintf(words[0], sizeof(words[0]), "--%s", row->option);
		judge(c, rig_load(usual(c), words[0], NULL));
		snprintf(words[0], sizeof(words[0]), "--%s=%s", row->option, c->value);
		ck_assert_int_eq(rig_load(usual(c), words[0], NULL), -EINVAL);
		rig_says("takes no value");
		return;
	}
	snprintf(words[0], sizeof(words[0]), "--%s=%s", row->option, c->value);
	judge(c, rig_load(usual(c), words[0], NULL));
	if (c->says != NULL) {
		snprintf(words[1], sizeof(words[1]), "option --%s", row->option);
		rig_says(words[1]);
	}
	if (row->need == NEED_VALUE) {
		snprintf(words[0], sizeof(words[0]), "--%s", row->option);
		judge(c, rig_load(usual(c), words[0], c->value, NULL));
		ck_assert_int_eq(rig_load(usual(c), words[0], NULL), -EINVAL);
		rig_says("needs a value");
	}
	if (row->letter == 0)
		return;
	snprintf(words[0], sizeof(words[0]), "-%c", row->letter);
	snprintf(words[1], sizeof(words[1]), "-%c%s", row->letter, c->value);
	snprintf(words[2], sizeof(words[2]), "-%c=%s", row->letter, c->value);
	if (row->need == NEED_VALUE)
		judge(c, rig_load(usual(c), words[0], c->value, NULL));
	judge(c, rig_load(usual(c), words[1], NULL));
	judge(c, rig_load(usual(c), words[2], NULL));
}
END_TEST

START_TEST(takes_variables)
{
	const struct value_case *c = &cases[_i];
	const struct schema_row *row = row_of(c->name);
	char text[sizeof(LONG_VALUE) + 128], place[128];
	bool flat = strchr(c->value, '\'') == NULL;

	if (row->variable == NULL)
		return;
	snprintf(text, sizeof(text), "# a comment\n\n%s=%c%s%c\n", row->variable, flat ? '\'' : ' ',
	         c->value, flat ? '\'' : ' ');
	if (!flat) /* the one with both sorts of quotes */
		return;
	rig_write(text, strlen(text));
	judge(c, rig_load(usual(c), "--config", rig.path, NULL));
	if (c->says == NULL)
		return;
	rig_says_line(3);
	snprintf(place, sizeof(place), ":3: %s: ", row->variable);
	rig_says(place);
}
END_TEST

START_TEST(tests_every_row)
{
	for (size_t i = 0; i < schema_size; i++) {
		const struct schema_row *row = &schema[i];
		const char *name = row->option != NULL ? row->option : row->variable;
		bool found = row->type == SCHEMA_REQUEST || row->type == SCHEMA_FILE ||
		             strcmp(name, "json") == 0;

		for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++)
			found |= row_of(cases[j].name) == row;
		ck_assert_msg(found, "no value of %s is tested", name);
	}
}
END_TEST

/* Names are the contract's, to the letter. */
START_TEST(has_the_contracts_names)
{
	static const char options[] =
	        "cpus C master-lcore M nodaemon n loglevel l pid-path p huge-dir H ovsdb-sock O "
	        "zmq-config-ep Y zmq-port-control-ep Z zmq-stats-ep z zmq-core-sched-ep s ipc I "
	        "vhost-username u vhost-groupname g vhost-path V vhost-socket S virtio-cpu c "
	        "enable-jumbo J enable-mrgbuf R enable-tso T add-pci-vf P vfio-vf-token t "
	        "vhostuser-client i zero-copy 0 dynamic-sockets d same-numa a version v help h ";
	static const char variables[] =
	        "VIRTIOFWD_CPU_MASK VIRTIOFWD_LOG_LEVEL VIRTIOFWD_MASTER_LCORE "
	        "VIRTIOFWD_IPC_PORT_CONTROL VIRTIOFWD_OVSDB_SOCK_PATH VIRTIOFWD_JUMBO "
	        "VIRTIOFWD_MRGBUF VIRTIOFWD_TSO VIRTIOFWD_VHOST_CLIENT VIRTIOFWD_ZERO_COPY "
	        "VIRTIOFWD_DYNAMIC_SOCKETS VIRTIOFWD_CPU_NIC_SAME_NUMA VIRTIOFWD_VFIO_VF_TOKEN "
	        "VIRTIOFWD_SOCKET_OWNER VIRTIOFWD_SOCKET_GROUP VIRTIOFWD_SOCKET_DIR "
	        "VIRTIOFWD_SOCKET_FNAME_PATTERN VIRTIOFWD_HUGETLBFS_MOUNT_POINT "
	        "VIRTIOFWD_STATIC_VFS VIRTIOFWD_CPU_PINS VIRTIOFWD_BIND_VFIO_PCI "
	        "VIRTIOFWD_ZMQ_CONFIG_EP VIRTIOFWD_ZMQ_PORT_CONTROL_EP VIRTIOFWD_ZMQ_STATS_EP "
	        "VIRTIOFWD_ZMQ_CORE_SCHED_EP VIRTIOFWD_PID_DIR VIRTIOFWD_BINARY "
	        "VIO4WD_CORE_SCHED_ENABLE VIO4WD_CORE_SCHED_SENSITIVITY "
	        "VIO4WD_CORE_SCHED_LOG_LEVEL "
	        "VIO4WD_CORE_SCHED_POLL_INTERVAL VIO4WD_CORE_SCHED_GLOBAL_NUMA_OPT "
	        "VIO4WD_CORE_SCHED_PACK "
	        "VIRTIOFWD_NO_HUGE VIRTIOFWD_EAL_ARGS VIRTIOFWD_MAX_QUEUES VIRTIOFWD_GRO "
	        "VIRTIOFWD_SYNC_MAC VIRTIOFWD_VLANS VIRTIOFWD_KERNEL_VFS "
	        "VIRTIOFWD_ZMQ_GROUP VIRTIOFWD_ZMQ_CURVE_DIR VIRTIOFWD_GUEST_BACKEND "
	        "VIRTIOFWD_OVSDB_IDS VIRTIOFWD_IDLE_SLEEP VIRTIOFWD_IDLE_GRACE_US "
	        "VIRTIOFWD_IDLE_TIMED_MAX_US VIRTIOFWD_IDLE_NET_MS "
	        "VIRTIOFWD_IDLE_VF_INTERRUPTS VIRTIOFWD_IDLE_AWAKE "
	        "VIRTIOFWD_METRICS_EP ";
	static const char ours[] =
	        "config no-huge eal max-queues gro sync-mac vlans check json bind unbind "
	        "zmq-group zmq-curve-dir metrics-ep guest-backend core-sched-sensitivity "
	        "core-sched-poll-interval core-sched-loglevel "
	        "core-sched-global-numa-opt core-sched-pack ovsdb-ids idle-sleep idle-grace-us "
	        "idle-timed-max-us idle-net-ms idle-vf-interrupts idle-awake ";
	const char *at = options;
	char name[64];
	char letter;
	int used;

	for (; sscanf(at, "%63s %c %n", name, &letter, &used) == 2; at += used) {
		ck_assert_msg(schema_find_option(name) != NULL, "--%s", name);
		ck_assert_ptr_eq(schema_find_letter(letter), schema_find_option(name));
	}
	ck_assert_str_eq(at, "");
	for (at = variables; sscanf(at, "%63s %n", name, &used) == 1; at += used)
		ck_assert_msg(schema_find_variable(name, strlen(name)) != NULL, "%s", name);
	for (at = ours; sscanf(at, "%63s %n", name, &used) == 1; at += used)
		ck_assert_msg(schema_find_option(name) != NULL, "--%s", name);
}
END_TEST

START_TEST(has_the_contracts_defaults)
{
	const struct config *cfg = &rig.cfg;

	ck_assert_int_eq(rig_load("-C", "1", NULL), 0);
	ck_assert_int_eq(rig.action, CONFIG_RUN);
	ck_assert_uint_eq(cfg->main_cpu, 0);
	ck_assert_int_eq(cfg->log_level, 6);
	ck_assert_str_eq(cfg->pid_dir, "/var/run");
	ck_assert_str_eq(cfg->huge_dir, "/mnt/huge");
	ck_assert(!cfg->huge_dir_given && !cfg->log_level_given);
	ck_assert_str_eq(cfg->vhost_path, "/tmp");
	ck_assert_str_eq(cfg->vhost_socket, "virtio-forwarder%u.sock");
	ck_assert_str_eq(cfg->guest_backend, "own");
	ck_assert_ptr_null(cfg->ovsdb_sock);
	ck_assert_ptr_null(cfg->zmq_config_ep);
	ck_assert_ptr_null(cfg->metrics_ep);
	ck_assert_ptr_null(cfg->zmq_port_control_ep);
	ck_assert_ptr_null(cfg->zmq_stats_ep);
	ck_assert_ptr_null(cfg->zmq_core_sched_ep);
	ck_assert_ptr_null(cfg->vhost_username);
	ck_assert_ptr_null(cfg->vhost_groupname);
	ck_assert_ptr_null(cfg->vfio_vf_token);
	ck_assert_ptr_null(cfg->eal_args);
	ck_assert_ptr_null(cfg->config_file);
	ck_assert(!cfg->foreground && !cfg->jumbo && !cfg->mrgbuf && !cfg->tso && !cfg->no_huge);
	ck_assert_str_eq(cfg->ovsdb_ids, "relay");
	ck_assert(!cfg->vhost_client && !cfg->zero_copy && !cfg->dynamic_sockets);
	ck_assert(!cfg->same_numa && !cfg->sync_mac && !cfg->gro && !cfg->ipc_port_control);
	ck_assert(!cfg->core_sched_enable && !cfg->core_sched_global_numa_opt);
	ck_assert(!cfg->core_sched_pack);
	ck_assert_uint_eq(cfg->max_queues, 0);
	ck_assert_str_eq(cfg->idle_sleep, "yes");
	ck_assert_uint_eq(cfg->idle_grace_us, 50);
	ck_assert_uint_eq(cfg->idle_net_ms, 100);
	ck_assert_str_eq(cfg->idle_vf_interrupts, "auto");
	ck_assert_uint_eq(cfg->idle_timed_max_us, 80);
	ck_assert_uint_eq(cpu_set_count(&cfg->idle_awake), 0);
	ck_assert_double_eq_tol(cfg->core_sched_sensitivity, 0.25, 1e-9);
	ck_assert_double_eq_tol(cfg->core_sched_poll_interval, 5, 1e-9);
	ck_assert_int_eq(cfg->core_sched_log_level, 6);
	ck_assert_uint_eq(cfg->n_warnings, 0);
}
END_TEST

START_TEST(takes_values_that_may_be_left_out)
{
	const struct config *cfg = &rig.cfg;

	ck_assert_int_eq(
	        rig_load("-C1", "-Z", "--zmq-stats-ep", "-Y", "-s", "-u", "-g", "-n", NULL), 0);
	ck_assert_str_eq(cfg->zmq_port_control_ep, "ipc:///var/run/virtio-forwarder/port_control");
	ck_assert_str_eq(cfg->zmq_stats_ep, "ipc:///var/run/virtio-forwarder/stats");
	ck_assert_str_eq(cfg->zmq_config_ep, "ipc:///var/run/virtio-forwarder/config");
	ck_assert_str_eq(cfg->zmq_core_sched_ep, "ipc:///var/run/virtio-forwarder/core_sched");
	ck_assert_ptr_null(cfg->vhost_username);
	ck_assert_ptr_null(cfg->vhost_groupname);
	ck_assert(cfg->foreground && !cfg->foreground_syslog);

	ck_assert_int_eq(rig_load("-C1", "--nodaemon=", "--zmq-stats-ep=", "-u=", NULL), 0);
	ck_assert(cfg->foreground && !cfg->foreground_syslog);
	ck_assert_str_eq(cfg->zmq_stats_ep, "ipc:///var/run/virtio-forwarder/stats");
	ck_assert_int_eq(rig_load("-C1", "-n=log_syslog", NULL), 0);
	ck_assert(cfg->foreground && cfg->foreground_syslog);
	ck_assert_int_eq(rig_load("-C1", "-nlog_syslog", NULL), 0);
	ck_assert(cfg->foreground_syslog);

	/* A value in a word of its own would be lost in silence. */
	ck_assert_int_eq(rig_load("-C1", "-z", "ipc:///tmp/x", NULL), -EINVAL);
	rig_says("--zmq-stats-ep=ipc:///tmp/x");
	ck_assert_int_eq(rig_load("-C1", "-t", "", NULL), 0);
	ck_assert_ptr_null(cfg->vfio_vf_token);
}
END_TEST

START_TEST(refuses_what_is_no_option)
{
	char junk[5000];

	memset(junk, 'x', sizeof(junk) - 1);
	junk[sizeof(junk) - 1] = '\0';
	ck_assert_int_eq(rig_load("-C1", "--bogus=3", NULL), -EINVAL);
	rig_says("unknown option --bogus");
	ck_assert_int_eq(rig_load("-C1", "-W", NULL), -EINVAL);
	rig_says("unknown option -W");
	ck_assert_int_eq(rig_load("-C1", "-JW", NULL), -EINVAL);
	rig_says("unknown option -W");
	ck_assert_int_eq(rig_load("-C1", "-J=y", NULL), -EINVAL);
	rig_says("takes no value");
	ck_assert_int_eq(rig_load("-C1", "--zmq", NULL), -EINVAL);
	rig_says("ambiguous option --zmq");
	ck_assert_int_eq(rig_load("-C1", "word", NULL), -EINVAL);
	rig_says("\"word\" is not an option");
	ck_assert_int_eq(rig_load("-C1", "--", "word", NULL), -EINVAL);
	rig_says("\"word\" is not an option");
	ck_assert_int_eq(rig_load("-C1", "", NULL), -EINVAL);
	ck_assert_int_eq(rig_load("-C1", "-", NULL), -EINVAL);
	ck_assert_int_eq(rig_load("-C1", "-\xff\x01", NULL), -EINVAL);
	ck_assert_int_eq(rig_load("-C1", junk, NULL), -EINVAL);
	rig_says("is not an option");
	ck_assert_int_eq(rig_load("-C1", "--loglevel", junk, NULL), -EINVAL);
	rig_says("0 to 7");
	ck_assert_int_eq(rig_load("-C1", "-C", NULL), -EINVAL);
	rig_says("needs a value");
	ck_assert_int_eq(rig_load("-C1", "--loglevel=", NULL), -EINVAL);
	ck_assert_int_eq(rig_load("-C1", "-P", "", NULL), -EINVAL);
	ck_assert_int_eq(rig_load("-C1", "-c", "", NULL), -EINVAL);
	ck_assert_int_eq(rig_load("-C1", "--config=", NULL), -EINVAL);
	rig_says("option --config: no file is named");
	ck_assert_int_eq(rig_load("-C1", "--vhost-path=/tmp/\n", NULL), -EINVAL);
	rig_says("control characters");
	ck_assert_int_eq(rig_load("-C1", "-u=\x1b[2J", NULL), -EINVAL);
	ck_assert_int_eq(rig_load(NULL), -EINVAL);
	rig_says("option --cpus (-C) is missing");
}
END_TEST

int main(void)
{
	const int n_cases = sizeof(cases) / sizeof(cases[0]);
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_add_loop_test(tcase, takes_options, 0, n_cases);
	tcase_add_loop_test(tcase, takes_variables, 0, n_cases);
	tcase_add_test(tcase, tests_every_row);
	tcase_add_test(tcase, has_the_contracts_names);
	tcase_add_test(tcase, has_the_contracts_defaults);
	tcase_add_test(tcase, takes_values_that_may_be_left_out);
	tcase_add_test(tcase, refuses_what_is_no_option);
	return suite_main("config", tcase);
}
