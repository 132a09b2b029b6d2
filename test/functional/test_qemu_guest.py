"""A real Linux guest behind a relay, with a net_tap VF: what guests do, what daemons do to them.

Each test has a network namespace of its own, the wire: the kernel's end of the tap has an address
there, and the guest pings it through the relay.
"""

import json
import os
import re
import subprocess
import tempfile
import threading
import time

import pytest
from daemon import GUEST_BACKEND, lcores, wait_for
from qemu_guest import QemuGuest, build_image

WIRE_IP, GUEST_IP = "192.0.2.1", "192.0.2.2"
WIRE_MAC, GUEST_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
VF = "net_tap0,iface=wire0"


@pytest.fixture(scope="module", autouse=True)
def image():
    build_image()


class World:
    """The wire, the daemon with the VF on relay 0, and guests."""

    def __init__(self, directory, started, netns, new_daemon):
        self.directory = directory
        self.started = started
        self.netns = netns("wire")
        self.daemon = new_daemon("daemon", self.netns.name)
        self.daemon.lcores = lcores(1)

    def start(self, *options):
        self.daemon.start(f"--add-pci-vf={VF}=0", "--enable-mrgbuf", *options)
        self.wire_up()

    def wire_up(self):
        """Gives the wire its addresses; needed again whenever the VF has been made anew. The MAC
        stays, since the guest's neighbour table outlives the tap."""
        self.netns.set_up("wire0", f"{WIRE_IP}/24", WIRE_MAC)

    def guest(self, **options):
        log = os.path.join(self.directory, "qemu.log")
        return self.started.add(QemuGuest(self.daemon.socket_path(0), GUEST_MAC,
                                          f"{GUEST_IP}/24", log=log, **options))

    def ping_both_ways(self, guest, count=5):
        """Once there is an answer, none may be missing. The last packet may lie in the tap until there is
        another, so that the guest sends some more than are looked at."""
        wait_for(lambda: guest.ping(WIRE_IP, 1), 20, "an answer from the wire")
        output = guest.run(f"ping -c {count + 2} -i 0.2 -W 10 {WIRE_IP}")[1]
        answers = [int(number) for number in re.findall(r" seq=(\d+) ", output)]
        assert answers[:count] == list(range(count)), output
        # -w: without it ping waits two round-trip times for the last answer, too short on a busy
        # machine. With it, it sends on until `count` have come, so that answers to the last ones it
        # has sent may be under way when it ends. Those before came one after the other.
        done = self.netns.run("ping", "-c", str(count), "-i", "0.2", "-w", "120", GUEST_IP, check=False)
        answered = [int(number) for number in re.findall(r"seq=(\d+) ", done.stdout)]
        assert answered[:count] == list(range(1, count + 1)), done.stdout


@pytest.fixture
def world(directory, started, netns, new_daemon):
    return World(directory, started, netns, new_daemon)


@pytest.fixture
def iperf3(world):
    """An iperf3 server on the wire."""
    with world.netns.popen("iperf3", "--server", "--forceflush",
                           stdout=subprocess.PIPE, text=True) as server:
        for line in server.stdout:
            if "listening" in line:
                break
        threading.Thread(target=server.stdout.read, daemon=True).start()
        yield
        server.kill()


class Pings:
    """Pings from the guest in the background, ten a second."""

    def __init__(self, guest, count=0):
        self.guest = guest
        number = f"-c {count} -W 10" if count else ""
        guest.check(f"ping {number} -i 0.1 {WIRE_IP} >/tmp/pings 2>&1 & echo $! >/tmp/pings.pid")

    def answered(self):
        """The sequence numbers answered so far."""
        return [int(number) for number in
                re.findall(r"seq=(\d+)", self.guest.check("cat /tmp/pings"))]

    def finish(self):
        """Waits until as many as were asked for are sent and answered: (sent, answered)."""
        self.guest.check("while kill -0 $(cat /tmp/pings.pid) 2>/dev/null; do sleep 0.2; done")
        sent, answered = re.search(r"(\d+) packets transmitted, (\d+) packets received",
                                   self.guest.check("cat /tmp/pings")).groups()
        return int(sent), int(answered)

    def stop(self):
        """Does not wait for answers under way: (sent, answered)."""
        self.guest.check("kill -INT $(cat /tmp/pings.pid)")
        return self.finish()


BULK = 1 << 18  # bytes that are many packets


def bulk(guest, *options):
    """Bytes of four times BULK by TCP that had arrived when the last was sent, however long it took.
    The window bounds what was still under way."""
    output = guest.check(f"iperf3 --client {WIRE_IP} --bytes {4 * BULK} --window 32K --json"
                         f" {' '.join(options)}")
    return json.loads(output)["end"]["sum_received"]["bytes"]


@pytest.mark.parametrize("ring,packed", [
    pytest.param(256, False, marks=pytest.mark.long), (1024, True), pytest.param(512, True, marks=pytest.mark.slow),
    pytest.param(1024, False, marks=pytest.mark.slow)])
def test_traffic(world, iperf3, ring, packed):
    world.start()
    guest = world.guest(ring=ring, packed=packed)
    guest.start()
    features = int(guest.check("cat /sys/class/net/eth0/device/features").strip()[34::-1], 2)
    assert bool(features >> 34 & 1) == packed
    world.ping_both_ways(guest)
    to_wire, to_guest = bulk(guest), bulk(guest, "--reverse")
    assert to_wire > BULK and to_guest > BULK
    relay = world.daemon.relay(0)
    assert relay.active
    assert relay.vm_to_vf.bytes_tx_to_vf > to_wire
    assert relay.vf_to_vm.bytes_tx_to_vm > to_guest


@pytest.mark.long
def test_guest_without_mergeable_buffers(world, iperf3):
    world.start()
    guest = world.guest(mrg=False)
    guest.start()
    world.ping_both_ways(guest)
    assert bulk(guest) > BULK
    assert bulk(guest, "--reverse") > BULK


@pytest.mark.long
def test_guest_reboots_dies_and_returns(world):
    world.start()
    guest = world.guest()
    guest.start()
    world.ping_both_ways(guest)
    guest.reboot()
    world.ping_both_ways(guest)
    guest.reboot(hard=True)
    world.ping_both_ways(guest)
    guest.kill9()
    world.daemon.wait_states(0, "DPDK_ADDED", "VIRTIO_UNINIT")
    guest.start()
    world.ping_both_ways(guest)
    guest.poweroff()
    world.daemon.wait_states(0, "DPDK_ADDED", "VIRTIO_UNINIT")
    guest.start()
    world.ping_both_ways(guest)
    # The driver goes and comes back, as in a kexec or when a guest hands its NIC to DPDK.
    guest.check("modprobe -r virtio_net")
    world.daemon.wait_states(0, "DPDK_ADDED", "VIRTIO_UNINIT")
    guest.check(f"modprobe virtio_net; ip addr add {GUEST_IP}/24 dev eth0; ip link set eth0 up; "
                "sleep 1")
    world.ping_both_ways(guest)


@pytest.mark.long
def test_memory_is_plugged_in(world):
    world.start()
    guest = world.guest()
    guest.start()
    pings = Pings(guest, 80)
    guest.plug_memory(128)
    guest.plug_memory(256)
    # Memory that is new is used: more than there was at the start.
    guest.check("mount -o remount,size=90% /tmp; "
                "dd if=/dev/zero of=/tmp/fill bs=1M count=300 2>/dev/null")
    assert pings.finish() == (80, 80)
    world.ping_both_ways(guest)


@pytest.mark.parametrize("packed, steps", [
    pytest.param(False, (1, 4, 2), marks=[pytest.mark.quick, pytest.mark.long]),
    *[pytest.param(packed, (1, 4, 2, 3, 1, 4), marks=pytest.mark.slow) for packed in (False, True)],
], ids=["some", "split", "packed"])
def test_queues_are_enabled_and_disabled(world, iperf3, packed, steps):
    world.start()
    guest = world.guest(queues=4, packed=packed, cpus=2)
    guest.start()
    for pairs in steps:
        guest.set_queues(pairs)
        world.ping_both_ways(guest, 3)
        assert bulk(guest, "--parallel 4") > BULK
        assert bulk(guest, "--parallel 4", "--reverse") > BULK


@pytest.mark.long
def test_vf_comes_and_goes(world):
    world.start()
    guest = world.guest()
    guest.start()
    world.ping_both_ways(guest)
    for _ in range(3):
        world.daemon.remove(0, VF)
        world.daemon.wait_states(0, "DPDK_UNINIT", "VIRTIO_READY")
        assert guest.ping(WIRE_IP, 1) == 0
        world.daemon.add(0, VF)
        world.daemon.wait_states(0, "DPDK_READY", "VIRTIO_READY")
        world.wire_up()
        world.ping_both_ways(guest)


@pytest.fixture
def run_directory():
    """In memory, as /run is: where packed rings stand is kept nowhere else."""
    with tempfile.TemporaryDirectory(prefix="test-", dir="/dev/shm") as path:
        yield path


@pytest.mark.parametrize("packed", [False, pytest.param(True, marks=pytest.mark.long)], ids=["split", "packed"])
@pytest.mark.parametrize("server", [True, pytest.param(False, marks=pytest.mark.long)],
                         ids=["qemu-serves", "daemon-serves"])
def test_daemon_is_killed_and_restarted(world, run_directory, server, packed):
    if packed and GUEST_BACKEND:
        pytest.skip("DPDK's library keeps no positions of packed rings")
    world.daemon.pid_dir = run_directory
    mode = ["--vhostuser-client"] if server else []
    guest = world.guest(server=server, packed=packed)
    if server:
        # QEMU first: it waits for the daemon before the guest boots.
        guest.launch()
        world.start(*mode)
        guest.wait_ready()
    else:
        world.start(*mode)
        guest.start()
    world.ping_both_ways(guest)
    pings = Pings(guest)
    for end in (world.daemon.kill9, world.daemon.stop, world.daemon.kill9):
        time.sleep(0.5)
        end()
        world.start(*mode)
        before = len(pings.answered())
        # The library, and QEMU, try again once a second.
        wait_for(lambda: len(pings.answered()) > before, 2.5, "an answer to a ping", margin=1)
    pings.stop()
    world.ping_both_ways(guest)


@pytest.mark.slow
def test_guest_migrates(world):
    """From relay 0 to relay 1, whose VFs are ports of one bridge, as of one switch."""
    world.daemon.start("--add-pci-vf=net_tap0,iface=wire0=0", "--add-pci-vf=net_tap1,iface=wire1=1",
                       "--enable-mrgbuf")
    world.netns.run("ip", "link", "add", "bridge", "type", "bridge")
    for port in ("wire0", "wire1"):
        wait_for(lambda: world.netns.has_link(port), 10, f"the VF's tap {port}")  # noqa: B023
        world.netns.run("ip", "link", "set", port, "master", "bridge", "up")
    world.netns.set_up("bridge", f"{WIRE_IP}/24", WIRE_MAC)
    guest = world.guest()
    guest.start()
    world.ping_both_ways(guest)
    pings = Pings(guest)
    target = world.guest(incoming=f"unix:{world.directory}/migration")
    target.socket_path = world.daemon.socket_path(1)
    target.launch()
    wait_for(lambda: os.path.exists(f"{world.directory}/migration"), 10, "the target's socket")
    guest.migrate(target)
    guest.stop()
    pings.guest = target
    sent, answered = pings.stop()
    # A few are lost while the guest stands still and the bridge learns its new place.
    assert answered > 0 and sent - answered < 20, (sent, answered)
    world.ping_both_ways(target)
    assert world.daemon.relay(1).vm_to_vf.pkts_tx_to_vf > 0
