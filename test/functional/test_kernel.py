"""Relays whose far end is an interface of the host's kernel. The VF is one end of a cable whose other
end is in a namespace of its own, so that what passes is seen by kernels on both sides. There is no
/dev/vhost-net where these tests run, or they do not count on it: what is said of speed and offloads is
the virtual machine's business (test/vm)."""

import json
import os
import re

import pytest

import patience
import wire_client as wire
from daemon import Daemon, wait_for
from test_ctl import ask, run
from test_tap import ping, reach

READY = ("DPDK_READY", "VIRTIO_READY")
NOBODY = ("DPDK_UNINIT", "VIRTIO_UNINIT")
FAR_KERNEL = 1  # in the wire's counting
LOST = ("DPDK_UNINIT", "VIRTIO_READY")
VF = "net_af_packet0,iface=vf0"


def cable(host, wire, number=0, mtu=1500):
    """vf<number> in the host's namespace, wire<number> with an address in the other one."""
    near, far = f"vf{number}", f"wire{number}"
    host.run("ip", "link", "add", near, "mtu", str(mtu), "type", "veth", "peer", "name", far, "mtu",
             str(mtu), "netns", wire.name)
    host.run("sysctl", "-qw", f"net.ipv6.conf.{near}.disable_ipv6=1", check=False)
    # The host's own stack would answer what it sees there: a bridge that is down swallows that.
    host.run("ip", "link", "add", f"swallow{number}", "type", "bridge")
    host.run("ip", "link", "set", near, "master", f"swallow{number}")
    host.run("ip", "link", "set", near, "up")
    # What a veth leaves to the other end, a VF's wire would not.
    wire.run("ethtool", "-K", far, "tx", "off", "tso", "off", "gso", "off", check=False)
    wire.set_up(far, f"10.9.{number}.1/24")


@pytest.fixture
def world(directory, started, netns):
    """(daemon, the host's namespace, the wire's); vf0 and wire0 are a cable's ends."""

    def make(*options, cables=1):
        host, wire = netns("host"), netns("wire")
        for number in range(cables):
            cable(host, wire, number)
        daemon = started.add(Daemon(directory, host.name))
        daemon.start(*options)
        return daemon, host, wire

    return make


def attribute(space, name, file):
    return space.run("cat", f"/sys/class/net/{name}/{file}").stdout.strip()


def said(daemon, text):
    wait_for(lambda: text in daemon.log_text(), 15, text)


@pytest.mark.parametrize("queues", [1, 2])
def test_ping_and_what_the_interface_is_like(world, queues):
    daemon, host, wire = world("--kernel-vf", f"{VF},qpairs={queues}=2", f"--max-queues={queues}")
    daemon.wait_states(2, *READY, timeout=15)
    assert daemon.relay(2).vf.queues == daemon.relay(2).vhost.queues == queues
    host.set_up("vio4wd2", "10.9.0.2/24")
    assert attribute(host, "vio4wd2", "address") == attribute(host, "vf0", "address")
    assert attribute(host, "vio4wd2", "mtu") == "1500"
    reach(wire, "10.9.0.2")
    for namespace, address in ((wire, "10.9.0.2"), (host, "10.9.0.1")):
        for size in (56, 1400):
            assert ping(namespace, address, size=size) == (20, 20)
    assert not [name for name in daemon.dropped(2) if "queue_full" in name]
    assert daemon.relay(2).vhost.vhost_socket_name == "NONE"
    assert not os.path.exists(daemon.socket_path(2))
    # A tap is told of no offload: what the kernel gives it is whole.
    features = host.run("ethtool", "-k", "vio4wd2").stdout
    for feature in ("tx-checksumming", "tcp-segmentation-offload", "rx-checksumming"):
        assert re.search(rf"^{feature}: off", features, re.MULTILINE), features


@pytest.mark.parametrize("reverse", [[], ["--reverse"]], ids=["to the kernel", "from the kernel"])
def test_bulk_traffic(world, reverse):
    daemon, host, wire = world("--kernel-vf", VF + "=2,wan0")
    daemon.wait_states(2, *READY, timeout=15)
    host.set_up("wan0", "10.9.0.2/24")
    reach(wire, "10.9.0.2")
    server = host.popen("iperf3", "--server", "--one-off", "--daemon")
    patience.reap(server, 10)

    def measured():
        """None while the server is not there yet."""
        done = wire.run("iperf3", "--client", "10.9.0.2", "--bytes", "16M", "--window", "256K", "--json",
                        *reverse, check=False)
        answer = json.loads(done.stdout)
        return None if "refused" in answer.get("error", "") else answer

    answer = wait_for(measured, 10, "a server of iperf3")
    assert "error" not in answer, answer["error"]
    arrived = answer["end"]["sum_received"]["bytes"]
    assert arrived > 8 << 20
    state = daemon.relay(2)
    moved = state.vm_to_vf.bytes_tx_to_vf if reverse else state.vf_to_vm.bytes_tx_to_vm
    assert moved > arrived


def test_two_side_by_side_and_a_guest_beside_them(world, guest):
    daemon, host, wire = world("--kernel-vf", VF + "=1", "--kernel-vf",
                               "net_af_packet1,iface=vf1=63,wan.1_a-b", cables=2)
    daemon.add_ring(2)
    guest(daemon.socket_path(2), rate=200)
    for relay in (1, 2, 63):
        daemon.wait_states(relay, *READY, timeout=15)
    host.set_up("vio4wd1", "10.9.0.2/24")
    host.set_up("wan.1_a-b", "10.9.1.2/24")
    for subnet in (0, 1):
        reach(wire, f"10.9.{subnet}.2")
        assert ping(wire, f"10.9.{subnet}.2") == (20, 20)
    before = daemon.relay(2).vf_to_vm.pkts_tx_to_vm
    wait_for(lambda: daemon.relay(2).vf_to_vm.pkts_tx_to_vm > before + 50, 15, "the guest's own packets")


def test_killed_and_taken_up(world):
    """What a client has added comes back too; the interface is a new one, and its address somebody's
    else business."""
    daemon, host, wire = world("--kernel-vf", VF + "=1", cables=2)
    daemon.add(2, "net_af_packet1,iface=vf1", far=FAR_KERNEL)
    for relay in (1, 2):
        daemon.wait_states(relay, *READY, timeout=15)
    daemon.kill9()
    assert not host.has_link("vio4wd1") and not host.has_link("vio4wd2")
    daemon.restart()
    for relay in (1, 2):
        daemon.wait_states(relay, *READY, timeout=15)
        host.set_up(f"vio4wd{relay}", f"10.9.{relay - 1}.2/24")
        reach(wire, f"10.9.{relay - 1}.2")
    # A client that does not know of the restart asks again, and gets what it has.
    daemon.add(2, "net_af_packet1,iface=vf1", far=FAR_KERNEL)
    assert daemon.stop() == 0
    assert not host.has_link("vio4wd1") and not host.has_link("vio4wd2")


def test_removed_and_given_to_a_guest(world, guest):
    daemon, host, _ = world("--kernel-vf", VF + "=2")
    daemon.wait_states(2, *READY, timeout=15)
    assert host.has_link("vio4wd2") and not os.path.exists(daemon.socket_path(2))
    daemon.remove(2)
    assert not host.has_link("vio4wd2")
    daemon.wait_states(2, *NOBODY)
    wait_for(lambda: os.path.exists(daemon.socket_path(2)), 10, "the relay's socket")
    daemon.add(2, VF)
    guest(daemon.socket_path(2), rate=200)
    daemon.wait_states(2, *READY, timeout=15)
    # And back: the guest has to go.
    daemon.remove(2)
    daemon.add(2, VF, far=FAR_KERNEL)
    daemon.wait_states(2, *READY, timeout=15)
    assert host.has_link("vio4wd2") and not os.path.exists(daemon.socket_path(2))
    for _ in range(5):
        daemon.remove(2)
        daemon.add(2, VF, far=FAR_KERNEL)
    daemon.wait_states(2, *READY, timeout=15)
    assert host.has_link("vio4wd2")


def test_the_interface_outlives_the_loss_of_its_vf(world):
    daemon, host, wire = world("--kernel-vf", VF + "=2")
    daemon.wait_states(2, *READY, timeout=15)
    host.set_up("vio4wd2", "10.9.0.2/24")
    reach(wire, "10.9.0.2")
    index = attribute(host, "vio4wd2", "ifindex")
    host.run("ip", "link", "del", "vf0")
    daemon.wait_states(2, *LOST, timeout=15)
    wait_for(lambda: attribute(host, "vio4wd2", "carrier") == "0", 15, "no link")
    host.run("ip", "link", "del", "swallow0")
    cable(host, wire)
    daemon.wait_states(2, *READY, timeout=40)
    assert attribute(host, "vio4wd2", "ifindex") == index
    host.run("ip", "neighbour", "flush", "dev", "vio4wd2")
    wire.run("ip", "neighbour", "flush", "dev", "wire0")
    reach(wire, "10.9.0.2")
    # Removed while it is lost: the interface goes all the same.
    host.run("ip", "link", "del", "vf0")
    daemon.wait_states(2, *LOST, timeout=15)
    daemon.remove(2)
    wait_for(lambda: not host.has_link("vio4wd2"), 10, "the end of the interface")
    daemon.wait_states(2, *NOBODY)


def test_the_link_follows_the_vf(directory, started, netns):
    host = netns("host")
    daemon = started.add(Daemon(directory, host.name))
    daemon.start("--kernel-vf", "net_tap0,iface=vf0=2")
    daemon.wait_states(2, *READY, timeout=15)
    host.set_up("vio4wd2", "10.9.0.2/24")
    has_carrier = lambda: attribute(host, "vio4wd2", "carrier") == "1"  # noqa: E731
    for _ in range(2):
        wait_for(has_carrier, 15, "a link")
        host.run("ip", "link", "set", "vf0", "down")
        wait_for(lambda: not has_carrier(), 15, "no link")
        host.run("ip", "link", "set", "vf0", "up")
    wait_for(has_carrier, 15, "a link")
    # What is somebody else's is left alone.
    host.run("ip", "link", "set", "vio4wd2", "netns", netns("guest").name)
    host.run("ip", "link", "set", "vf0", "down")
    said(daemon, "does not follow the link of its VF any more: it is in another network namespace")
    daemon.remove(2)


def test_down_and_too_long(world):
    """An interface that is down takes nothing, and holds nothing up once it is up again."""
    daemon, host, wire = world("--kernel-vf", VF + "=2")
    daemon.wait_states(2, *READY, timeout=15)
    host.set_up("vio4wd2", "10.9.0.2/24")
    reach(wire, "10.9.0.2")
    host.run("ip", "link", "set", "vio4wd2", "down")
    wire.run("ping", "-c", "20", "-i", "0.01", "-W", "1", "10.9.0.2", check=False)
    host.run("ip", "link", "set", "vio4wd2", "up")
    reach(wire, "10.9.0.2")
    host.run("ip", "link", "set", "vio4wd2", "mtu", "1000")
    wire.run("ping", "-c", "5", "-i", "0.01", "-W", "1", "-s", "1400", "10.9.0.2", check=False)
    reach(wire, "10.9.0.2")
    assert ping(wire, "10.9.0.2") == (20, 20)


def test_a_name_that_is_taken(world):
    daemon, host, _ = world("--kernel-vf", VF + "=2,lo")
    said(daemon, "this host has an interface lo already: remove or rename that one (ip link), or give this "
                 "relay's another name (--kernel-vf DEVICE=RELAY,INTERFACE)")
    assert daemon.states(2) == NOBODY
    daemon.remove(2)
    host.run("ip", "link", "add", "vio4wd3", "type", "veth", "peer", "name", "other")
    answer = daemon.add_refused(3, VF, far=FAR_KERNEL)
    assert (answer.error_code, answer.error_code_source) == (1, "virtio_forwarder_add_vf2()")
    assert "this host has an interface vio4wd3 already" in answer.error_text
    # Waited for, as a VF is: when the name is free, it is taken.
    daemon.add(2, VF)
    daemon.remove(2)


def test_another_far_end_is_another_device(world):
    daemon, host, _ = world()
    daemon.add(2, VF, far=FAR_KERNEL)
    daemon.add(2, VF, conditional=True, far=FAR_KERNEL)
    answer = daemon.add_refused(2, VF, conditional=True)
    assert "relay 2 has net_af_packet0" in answer.error_text
    assert host.has_link("vio4wd2")
    daemon.remove(2)
    daemon.add(2, VF)
    answer = daemon.add_refused(2, VF, conditional=True, far=FAR_KERNEL)
    assert "relay 2 has net_af_packet0" in answer.error_text


@pytest.mark.parametrize("value, complaint", [
    ("net_tap0,iface=vf0", "is not a relay id"),
    ("0000:05:08.1", "the relay is missing"),
    ("0000:05:08.1=2,", "cannot be the name of a network interface"),
    ("0000:05:08.1=2,a/b", "cannot be the name of a network interface"),
    ("0000:05:08.1=2,sixteen-letters-", "cannot be the name of a network interface"),
    ("0000:05:08.1=64,wan0", "is not a relay id"),
    ("net_virtio_user0,path=/dev/vhost-net=2", "net_virtio_user0"),
])
def test_bad_values(directory, started, value, complaint):
    daemon = started.add(Daemon(directory))
    done = patience.run(daemon.command("--kernel-vf", value), 20, check=False)
    assert done.returncode == 1
    assert complaint in done.stdout + done.stderr


@pytest.mark.parametrize("options", [[], ["--enable-jumbo"]], ids=["usual", "jumbo"])
def test_a_vf_with_a_longer_mtu(world, options):
    """DPDK's driver of taps does no more than 1500; one that learns to is welcome."""
    daemon, host, _ = world(*options)
    daemon.add(2, "net_ring2", far=FAR_KERNEL)
    mtu = attribute(host, "vio4wd2", "mtu")
    assert int(mtu) in (1500, daemon.relay(2).vf.mtu)
    if mtu == "1500":
        said(daemon, "relay 2: the MTU of the kernel's interface vio4wd2 is 1500, and its VF's is")
    host.set_up("vio4wd2", "10.9.0.2/24")
    # The ring gives back what the kernel asks for on the wire.
    host.run("ping", "-c", "3", "-i", "0.01", "-W", "1", "-s", str(int(mtu) - 28), "-M", "do", "-b",
             "10.9.0.255", check=False)
    wait_for(lambda: daemon.relay(2).vf_to_vm.pkts_tx_to_vm >= 3, 15, "what comes back")
    assert not daemon.dropped(2)


def test_vio4wdctl_and_the_script(world):
    daemon, host, _ = world()
    assert ask(daemon, "add", "3", VF, "--far", "kernel")["relay"] == 3
    assert host.has_link("vio4wd3")
    daemon.wait_states(3, *READY, timeout=15)
    (relay,) = ask(daemon, "list")
    assert relay["kernel"] == {"interface": "vio4wd3", "driver": "net_tap"} and relay["socket"] is None
    assert "kernel: vio4wd3" in run(daemon, "list").stdout
    shown = run(daemon, "show", "vio4wd3", "--over=0.1").stdout
    assert "kernel:   interface vio4wd3, by net_tap" in shown and "socket:" not in shown
    assert ask(daemon, "remove", "VIO4WD3")["relay"] == 3
    assert "--far kernel" in run(daemon, "add", "--socket=/tmp/x", VF, "--far=kernel", status=1).stderr
    done = daemon.script("virtioforwarder_port_control.py", "add", f"--device={VF}", "--virtio-id=4",
                         "--far=kernel", f"--zmq_ep={daemon.port_control_ep}")
    assert done.returncode == 0, done
    assert host.has_link("vio4wd4")
    assert daemon.relay(4).kernel.interface == "vio4wd4"
    assert ask(daemon, "list", "--all")[3]["kernel"] is None


def test_not_with_dynamic_sockets(world):
    daemon, _, _ = world("--dynamic-sockets")
    answer = daemon.add_refused(2, VF, far=FAR_KERNEL)
    assert "use ADD_SOCK" in answer.error_text
    answer = wire.port_control(daemon.port_control_ep, wire.ADD_SOCK, [VF], vhost_path=daemon.dir + "/a.sock",
                               far=FAR_KERNEL)
    assert answer.status == wire.ERROR and "the kernel at the far end is for ADD" in answer.error_text
    answer = daemon.add_refused(2, VF, far=7)
    assert "far 7 is not known; 0 (GUEST) and 1 (KERNEL) are" in answer.error_text
