"""What stands in a VM: NICs with VFs, the other end of their wire, the daemon, guests on its sockets.

The wire of NIC 0 is a QEMU hub on which a second igb is the peer. In the VM the peer sits in a
network namespace of its own, `wire`, where ping and iperf3 run; and it sends the sequence-numbered
frames of seqguest back to the VF that they came from, in the kernel (tc). A lossless round trip is
thus guest, relay, VF, wire, peer and back.
"""

import json
import re
import shlex
import signal
import subprocess
import threading
import queue

from vm import NoAnswer, Within

import guest as functional_guest
import patience
import wire_client as wire

PEER_MAC = "02:00:00:ff:00:01"  # what seqguest sends to
SEQ_ADDRESS = "198.18.1.1"
WIRE_IP = "10.0.0.1"
SCRIPTS = "/usr/lib64/virtio-forwarder"


def wait_for(predicate, timeout, what, interval=0.2):
    """The predicate's first true value; an AssertionError when there is none in time."""
    return patience.wait_for(predicate, timeout, what, interval)


def nic(index, mac, hub, bus="pcie.0"):
    """QEMU's arguments for an igb behind a root port of its own: bus 1 and up, by index."""
    return ["-device", f"pcie-root-port,id=rp{index},chassis={index + 1},slot={index + 1},bus={bus},"
            "pref32-reserve=4M",
            "-netdev", f"hubport,id=nic{index},hubid={hub}",
            "-device", f"igb,bus=rp{index},netdev=nic{index},mac={mac},romfile="]


class Vf:
    def __init__(self, vm, pf, index, address, mac):
        self.vm, self.pf, self.index, self.address, self.mac = vm, pf, index, address, mac
        self.path = f"/sys/bus/pci/devices/{address}"

    def driver(self):
        return self.vm.sh(f"basename $(readlink {self.path}/driver) 2>/dev/null || :").strip()

    def bind(self, driver="vfio-pci"):
        """As driverctl does, and faster."""
        self.vm.sh(f"cd {self.path} && echo {driver} > driver_override &&"
                   f" {{ [ ! -e driver ] || echo {self.address} > driver/unbind; }} &&"
                   f" echo {self.address} > /sys/bus/pci/drivers_probe")
        assert self.driver() == driver

    def unbind(self):
        """Bound to no driver at all. Waits until whoever uses it lets go of it."""
        self.vm.sh(f"cd {self.path} && echo > driver_override &&"
                   f" {{ [ ! -e driver ] || echo {self.address} > driver/unbind; }}")
        assert self.driver() == ""

    def set(self, *what):
        """As the PF's owner: set("trust", "on")."""
        self.vm.run(["ip", "link", "set", self.pf, "vf", str(self.index), *what])


class Nic:
    """A PF by its PCI address, with VFs whose MACs are 02:00:00:00:<nic>:<vf>."""

    def __init__(self, vm, address, number=0):
        self.vm, self.address, self.number = vm, address, number
        self.pf = netdev(vm, address)
        self.vfs = []

    def make_vfs(self, count, mtu=9000):
        path = f"/sys/bus/pci/devices/{self.address}"
        self.vm.sh(f"ip link set {self.pf} mtu {mtu} up && echo 0 > {path}/sriov_drivers_autoprobe &&"
                   f" echo 0 > {path}/sriov_numvfs && echo {count} > {path}/sriov_numvfs")
        for index in range(count):
            address = self.vm.sh(f"basename $(readlink {path}/virtfn{index})").strip()
            vf = Vf(self.vm, self.pf, index, address, f"02:00:00:00:{self.number:02x}:{index:02x}")
            vf.set("mac", vf.mac)
            self.vfs.append(vf)


def netdev(vm, address):
    return vm.sh(f"ls /sys/bus/pci/devices/{address}/net").split()[0]


class Peer:
    """The other end of the wire, in a network namespace."""

    def __init__(self, vm, address, name="wire", ip=WIRE_IP):
        self.vm, self.name, self.ip = vm, name, ip
        self.iface = netdev(vm, address)
        vm.sh(f"ip netns add {name} && ip link set {self.iface} netns {name}")
        self.sh(f"ip link set lo up; ip address add {ip}/24 dev {self.iface};"
                f" ethtool -G {self.iface} rx 4096 tx 4096; ip link set {self.iface} mtu 9000 up;"
                f" tc qdisc add dev {self.iface} ingress")

    def reflect(self, vf):
        """Sends back what seqguest sends by that VF."""
        self.sh(f"tc filter add dev {self.iface} ingress protocol ip flower src_mac {vf.mac}"
                f" dst_ip {SEQ_ADDRESS} action pedit ex munge eth dst set {vf.mac}"
                f" munge eth src set {PEER_MAC} pipe action mirred egress redirect dev {self.iface}")

    def sh(self, line, timeout=60):
        return self.vm.run(["ip", "netns", "exec", self.name, "/bin/sh", "-c", line], timeout)[1]

    def ping(self, address, count=10, size=56, interval=0.05):
        """How many of so many pings come back."""
        _, out, _ = self.vm.run(
            ["ip", "netns", "exec", self.name, "ping", "-q", "-c", str(count), "-i", str(interval),
             "-W", "5", "-s", str(size), address], timeout=60 + count, check=False)
        found = re.search(r"(\d+) received", out)
        return int(found.group(1)) if found else 0

    def wait_answer(self, guest, timeout=30):
        """Until a guest answers: ARP is resolved, links are up."""
        wait_for(lambda: self.ping(guest.ip, count=2), timeout, f"an answer from {guest.ip}")


class Daemon:
    """The installed daemon, started by hand with a test's own files; `options` at start() come last."""

    def __init__(self, vm, directory):
        self.vm, self.dir = vm, directory
        self.vhost_dir = f"{directory}/sockets"
        self.port_control_ep = f"ipc://{directory}/port_control"
        self.stats_ep = f"ipc://{directory}/stats"
        self.log_path = f"{directory}/daemon.log"
        self.process = None
        self.options = []
        # All workers on CPU 1: they give way to each other, and the host has few CPUs.
        self.cpus, self.lcores = "1,2", "0@0,1@1,2@1"
        vm.sh(f"mkdir -p {self.vhost_dir}")

    # --- life --------------------------------------------------------------------------------

    def command(self, *options):
        return ["virtio-forwarder", "--nodaemon", f"--cpus={self.cpus}", "--huge-dir=/dev/hugepages",
                *([f"--eal=--lcores {self.lcores}"] if self.lcores else []),
                f"--pid-path={self.dir}", f"--vhost-path={self.vhost_dir}",
                f"--zmq-port-control-ep={self.port_control_ep}", f"--zmq-stats-ep={self.stats_ep}",
                *options]

    def launch(self, *options):
        self.options = options
        line = f"exec {shlex.join(self.command(*options))} >>{self.log_path} 2>&1"
        self.process = self.vm.popen(line, env={"RUNTIME_DIRECTORY": self.dir})
        return self

    def start(self, *options, timeout=60):
        self.launch(*options)
        limit = Within(timeout)
        while True:
            assert self.alive(), f"the daemon ended with {self.process.returncode}: {self.log_tail()}"
            assert not limit.over(), f"no statistics: {self.log_tail()}"
            try:
                self.relays([0], timeout=1)
                return self
            except NoAnswer:
                pass

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, sig=signal.SIGTERM, timeout=60):
        """The exit status; 128 and more for a signal, as the shell counts."""
        self.process.send_signal(sig)
        return self.process.wait(timeout)

    def kill9(self):
        return self.stop(signal.SIGKILL)

    def cleanup(self):
        if not self.alive():
            return
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    # --- what it says ------------------------------------------------------------------------

    def log_text(self):
        return self.vm.read(self.log_path)

    def log_tail(self, lines=10):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def log_has(self, pattern):
        return re.search(pattern, self.log_text())

    def log_count(self, pattern):
        return len(re.findall(pattern, self.log_text()))

    def socket_path(self, relay):
        return f"{self.vhost_dir}/virtio-forwarder{relay}.sock"

    def relays(self, ids=None, timeout=10):
        body = self.vm.request(self.stats_ep, wire.stats_request(ids), timeout)
        answer = wire.Record(body, wire.STATS_RESPONSE)
        assert answer.status == wire.STATS_OK, answer
        return answer.relay

    def relay(self, relay):
        return self.relays([relay])[0]

    def states(self, relay):
        state = self.relay(relay)
        return state.vf_to_vm.internal_state, state.vm_to_vf.internal_state

    def wait_states(self, relay, vf_to_vm, vm_to_vf, timeout=30):
        def reached():
            return self.states(relay) == (vf_to_vm, vm_to_vf)

        wait_for(reached, timeout, f"relay {relay} in {vf_to_vm}, {vm_to_vf}")

    def dropped(self, relay):
        """Everything that a relay has dropped, by direction and cause, zeros left out."""
        state, found = self.relay(relay), {}
        for name in ("vf_to_vm", "vm_to_vf"):
            for key, value in vars(getattr(state, name)).items():
                if "pkts_dropped" in key and value:
                    found[f"{name}.{key}"] = value
        return found

    # --- what it is told, by the script that operators use -----------------------------------

    def port_control(self, *args):
        """(exit status, output)"""
        status, out, err = self.vm.run(
            [f"{SCRIPTS}/virtioforwarder_port_control.py", *args, "--zmq_ep", self.port_control_ep],
            check=False)
        return status, out + err

    def refused(self, *args):
        """What is said of an addition that cannot be. Such a machine can be slower than the daemon's
        1.5 s: then once more, when the attempt has been given back."""
        limit = Within(60)
        while True:
            status, out = self.port_control("add", *args)
            assert status == 1, out
            late = "is not ready after" in out or "try again in a moment" in out
            if not late or limit.over():
                return out

    # --- the same on the wire, which takes an emulated machine no seconds --------------------

    def control(self, op, timeout=10, **fields):
        """One PortControlRequest; its answer."""
        body = self.vm.request(self.port_control_ep, wire.port_control_request(op, **fields), timeout)
        return wire.Record(body, wire.PORT_CONTROL_RESPONSE)

    def add(self, relay, vf):
        """Such a machine can be slower than the daemon's 1.5 s: then once more."""
        for _ in range(5):
            answer = self.control(wire.ADD, virtio_id=relay, devices=[vf.address])
            if answer.status == wire.OK or "is not ready after" not in answer.error_text:
                break
            wait_for(lambda: self.states(relay)[0] == "DPDK_UNINIT", 20, "the attach given up")
        assert answer.status == wire.OK, answer

    def remove(self, relay, vf):
        """Likewise; the removal goes on by itself."""
        answer = self.control(wire.REMOVE, virtio_id=relay, devices=[vf.address])
        assert answer.status == wire.OK or answer.error_code == 5, answer
        wait_for(lambda: self.states(relay)[0] == "DPDK_UNINIT", 20, "the removal")


class SeqGuest(functional_guest.SeqGuest):
    """The functional tests' seqguest, in the VM. Its MAC is the VF's. run_as: (user, group), numbers
    without any privilege, as libvirt has QEMU run."""

    slower = 5  # everything is emulated

    def __init__(self, vm, directory, path, mac, memory=128, cpus="0,2", run_as=None, **options):
        functional_guest.SeqGuest.serial += 1
        self.id = functional_guest.SeqGuest.serial
        self.name = f"seqguest{self.id}"
        self.log_path = f"{directory}/{self.name}.log"
        options.setdefault("timeout", 20000)
        # All guests' packets together fit into any ring on their way, or the emulated NICs drop them.
        options.setdefault("window", 64)
        options.setdefault("rate", 500)
        args = ["/usr/local/bin/seqguest", "--no-huge", "--no-pci", "--no-telemetry",
                "--single-file-segments", f"--lcores=0@({cpus})", f"--file-prefix={self.name}",
                "-m", str(memory), "--", f"--path={path}", f"--id={self.id}", f"--mac={mac}"]
        for key, value in options.items():
            key = key.replace("_", "-")
            if value is True:
                args.append(f"--{key}")
            elif value is not False:
                args.append(f"--{key}={value}")
        runtime = directory
        if run_as:
            runtime = f"{directory}/{self.name}"
            vm.sh(f"install -d -o {run_as[0]} {runtime}")
            args = ["setpriv", f"--reuid={run_as[0]}", f"--regid={run_as[1]}", "--clear-groups", *args]
        self.process = vm.popen(f"exec {shlex.join(args)} 2>>{self.log_path}", stdin=True,
                                env={"RUNTIME_DIRECTORY": runtime})
        self._answers = queue.SimpleQueue()
        self.last = {}
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.start_timeout = 15


class KernelGuest:
    """testpmd between the socket and a veth pair: a guest whose kernel side is the interface g0 in a
    network namespace of the guest's name. (DPDK's tap driver would do, were it not for packets that
    lie in the tap for seconds when a signal of the kernel's is lost.)"""

    def __init__(self, vm, directory, name, path, vf, ip, server=False, cpus="0,2"):
        self.vm, self.name, self.ip = vm, name, ip
        self.log_path = f"{directory}/{name}.log"
        vm.sh(f"ip netns add {name}")
        self.sh(f"ip link set lo up; ip link add g0 address {vf.mac} type veth peer name g1;"
                f" ethtool -K g0 tx off >/dev/null; ip address add {ip}/24 dev g0;"
                # g1 is a wire, and not to speak for itself.
                " echo 1 >/proc/sys/net/ipv6/conf/g1/disable_ipv6;"
                " ip link set g0 up; ip link set g1 promisc on up")
        args = ["dpdk-testpmd", "--no-huge", "--no-pci", "--no-telemetry", "--single-file-segments",
                f"--lcores=0@({cpus}),1@({cpus})", f"--file-prefix={name}", "-m", "256",
                f"--vdev=net_virtio_user0,path={path}{',server=1' if server else ''}",
                "--vdev=net_af_packet0,iface=g1", "--", "--forward-mode=io",
                "--total-num-mbufs=8192", "--auto-start", "--stats-period=3600"]
        self.process = vm.popen(f"exec ip netns exec {name} {shlex.join(args)} >>{self.log_path} 2>&1",
                                env={"RUNTIME_DIRECTORY": directory})

    def run(self, args, **options):
        return self.vm.run(["ip", "netns", "exec", self.name, *args], **options)

    def sh(self, line, timeout=60):
        return self.run(["/bin/sh", "-c", line], timeout=timeout)[1]

    def cleanup(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.vm.sh(f"ip netns del {self.name}")


def iperf3(client, server, address, *options, seconds=5):
    """Mbit/s that arrived; client and server have run() and popen's namespace names."""
    vm = client.vm
    served = vm.popen(["ip", "netns", "exec", server.name, "iperf3", "--server", "--one-off"])
    try:
        wait_for(lambda: vm.run(["ip", "netns", "exec", server.name, "ss", "-Htln", "sport = 5201"])[1],
                 30, "iperf3 listens")
        out = vm.run(["ip", "netns", "exec", client.name, "iperf3", "--client", address, "--json",
                      "--time", str(seconds), *options], timeout=60 + seconds)[1]
    finally:
        served.kill()
    return json.loads(out)["end"]["sum_received"]["bits_per_second"] / 1e6


