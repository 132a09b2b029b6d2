"""The forwarders: ours and those it is compared with. Each stands between a VF (net_null: packets
without end, or a sink) and vhost-user sockets, offers mergeable buffers, and forwards on one worker.

A forwarder's start() returns when its sockets are there; sockets[0] is the busy guest's.
"""

import os
import shutil
import socket
import sys
import time

from process import ROOT, BenchError, Process, run

sys.path.insert(0, os.path.join(ROOT, "test", "functional"))

import wire_client as wire  # noqa: E402

BINARY = os.environ.get("VIRTIO_FORWARDER", os.path.join(ROOT, "build", "virtio-forwarder"))
# Where scripts/install-build-deps unpacks what it does not install.
PACKAGES = os.path.join(ROOT, "build", "packages")


def null_device(number, cell, source):
    return f"net_null{number},size={cell.size}" + ("" if source else ",no-rx=1")


def busy_device(cell):
    return null_device(0, cell, cell.direction == "vf-to-vm")


class Forwarder:
    """What all have in common: `process` is the one that forwards, `sockets` its guests'."""

    name = ""

    def __init__(self, directory, cpus):
        self.directory, self.cpus = directory, cpus
        self.process, self.sockets = None, []

    @classmethod
    def missing(cls):
        """Why it cannot be had on this machine; None if it can."""
        return None

    def others(self):
        """Processes that it takes besides, which do not forward."""
        return []

    def stop(self):
        for process in (self.process, *self.others()):
            if process:
                process.stop()


class Ours(Forwarder):
    name = "ours"
    guest_backend = "own"

    @classmethod
    def missing(cls):
        return None if os.path.exists(BINARY) else f"{BINARY} is not there: run make"

    def start(self, cell):
        """One relay that has traffic, and the cell's idle ones."""
        self.endpoint = f"ipc://{self.directory}/stats"
        relays = range(cell.idle + 1)
        devices = [busy_device(cell)] + [null_device(relay, cell, False) for relay in relays[1:]]
        notify_path = os.path.join(self.directory, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(notify_path)
            self.process = Process(
                "virtio-forwarder",
                self.directory,
                [
                    BINARY,
                    "--nodaemon",
                    "--loglevel=5",
                    f"--cpus={self.cpus.worker}",
                    f"--master-lcore={self.cpus.guest}",
                    "--enable-mrgbuf",
                    "--max-queues=1",
                    f"--guest-backend={self.guest_backend}",
                    f"--pid-path={self.directory}",
                    f"--vhost-path={self.directory}",
                    f"--zmq-stats-ep={self.endpoint}",
                    "--eal=--no-pci --in-memory",
                    *(f"--add-pci-vf={device}={relay}" for relay, device in enumerate(devices)),
                ],
                environment={"NOTIFY_SOCKET": notify_path},
            )
            notify.settimeout(1)
            self.process.wait_for(lambda: self.is_ready(notify), 30, "got ready")
        self.process.wait_for(lambda: self.attached() == len(relays), 30, "attached its VFs")
        self.sockets = [os.path.join(self.directory, f"virtio-forwarder{relay}.sock")
                        for relay in relays]

    @staticmethod
    def is_ready(notify):
        try:
            return b"READY=1" in notify.recv(4096).split(b"\n")
        except TimeoutError:
            return False

    def relays(self):
        try:
            return wire.stats(self.endpoint).relay
        except wire.NoAnswer:  # not yet
            return []

    def attached(self):
        """How many VFs forward."""
        return sum(relay.vf_to_vm.active for relay in self.relays())

    def connected(self):
        """How many guests have a queue."""
        return sum(relay.vhost.queues > 0 for relay in self.relays())


class OursOnLibrary(Ours):
    """The same with guests that DPDK's vhost library serves."""

    name = "library"
    guest_backend = "dpdk"


class Testpmd(Forwarder):
    """dpdk-testpmd --forward-mode=io between net_vhost and net_null."""

    name = "testpmd"

    @classmethod
    def missing(cls):
        return None if shutil.which("dpdk-testpmd") else \
            "dpdk-testpmd is not there (Debian: dpdk-dev)"

    def start(self, cell):
        path = os.path.join(self.directory, "vhost.sock")
        self.process = Process(
            "testpmd",
            self.directory,
            [
                "dpdk-testpmd",
                *eal(f"0@{self.cpus.guest},1@{self.cpus.worker}"),
                f"--vdev=net_vhost0,iface={path},queues=1",
                f"--vdev={busy_device(cell)}",
                "--",
                "--forward-mode=io",
                "--auto-start",
                "--total-num-mbufs=32768",
                "--stats-period=3600",
            ],
        )
        self.process.wait_for(lambda: os.path.exists(path), 30, "made its socket")
        time.sleep(0.3)
        self.sockets = [path]


class Ovs(Forwarder):
    """Open vSwitch's userspace datapath with DPDK: a bridge with two ports and a flow each way."""

    name = "ovs"
    programs = {
        "vswitchd": "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk",
        "vsctl": "/usr/bin/ovs-vsctl",
        "schema": "/usr/share/openvswitch/vswitch.ovsschema",
    }

    def __init__(self, directory, cpus):
        super().__init__(directory, cpus)
        self.database = None
        self.environment = {f"OVS_{what}": directory
                            for what in ("RUNDIR", "DBDIR", "LOGDIR", "SYSCONFDIR")}

    @classmethod
    def find(cls, what):
        """A file of OVS, installed or unpacked; None."""
        for path in (cls.programs[what], PACKAGES + cls.programs[what]):
            if os.path.exists(path):
                return path
        return None

    @classmethod
    def missing(cls):
        absent = [path for what, path in cls.programs.items() if not cls.find(what)]
        absent += [name for name in ("ovsdb-server", "ovsdb-tool", "ovs-ofctl")
                   if not shutil.which(name)]
        if not absent:
            return None
        return (f"{', '.join(absent)}: neither installed nor below build/packages, where "
                "`scripts/install-build-deps --bench` puts them")

    def others(self):
        return [self.database]

    def vsctl(self, *words):
        run(self.find("vsctl"), f"--db=unix:{self.directory}/db.sock", "--timeout=30", *words,
            environment=self.environment)

    def start(self, cell):
        self.start_database()
        # Pools of its ports' own size; the one it would share takes 800 MB, and is no faster here.
        self.vsctl(
            "--no-wait", "init", "--", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
            "other_config:dpdk-extra=--no-pci --in-memory --no-telemetry",
            f"other_config:dpdk-lcore-mask={1 << self.cpus.guest:#x}",
            f"other_config:pmd-cpu-mask={1 << self.cpus.worker:#x}",
            "other_config:per-port-memory=true", "other_config:dpdk-socket-mem=128")
        # Its bridge is an interface of the kernel's: in a network namespace of its own.
        self.process = Process(
            "ovs-vswitchd",
            self.directory,
            ["unshare", "--net", self.find("vswitchd"), f"unix:{self.directory}/db.sock",
             f"--unixctl={self.directory}/vswitchd.ctl", "--no-chdir"],
            environment=self.environment)
        self.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev",
                   "fail_mode=secure")
        self.vsctl("add-port", "br0", "vf", "--", "set", "Interface", "vf", "type=dpdk",
                   "ofport_request=1", f"options:dpdk-devargs={busy_device(cell)}",
                   "--", "add-port", "br0", "vm", "--", "set", "Interface", "vm",
                   "type=dpdkvhostuser", "ofport_request=2")
        for source, target in ((1, 2), (2, 1)):
            run("ovs-ofctl", "add-flow", f"unix:{self.directory}/br0.mgmt",
                f"in_port={source},actions=output:{target}", environment=self.environment)
        path = os.path.join(self.directory, "vm")
        self.process.wait_for(lambda: os.path.exists(path), 30, "made its socket")
        self.sockets = [path]

    def start_database(self):
        path = os.path.join(self.directory, "conf.db")
        listens = os.path.join(self.directory, "db.sock")
        run("ovsdb-tool", "create", path, self.find("schema"))
        self.database = Process(
            "ovsdb-server",
            self.directory,
            ["ovsdb-server", path, f"--remote=punix:{listens}",
             f"--unixctl={self.directory}/ovsdb.ctl", "--no-chdir"],
            environment=self.environment)
        self.database.wait_for(lambda: os.path.exists(listens), 10, "made its socket")


def eal(lcores):
    """EAL arguments of a testpmd that shares nothing with others."""
    return ["--in-memory", "--single-file-segments", "--no-pci", "--no-telemetry",
            f"--lcores={lcores}"]


PEERS = {peer.name: peer for peer in (Testpmd, OursOnLibrary, Ovs)}
ALONE = "alone"  # the peer of cells with idle guests: ours, without them


def forwarder_for(name):
    return Ours if name in (Ours.name, ALONE) else PEERS[name]


def peers_of(cell):
    """Names of those that a cell is compared with."""
    return [ALONE] if cell.idle else list(PEERS)


def missing(names):
    """{name: why not} of peers that cannot be had here."""
    found = {name: forwarder_for(name).missing() for name in names}
    return {name: why for name, why in found.items() if why}


def require_ours():
    for why in (Ours.missing(), Testpmd.missing()):  # testpmd is the guest, too
        if why:
            raise BenchError(why)
