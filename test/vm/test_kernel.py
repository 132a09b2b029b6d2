"""A relay whose far end is an interface of the VM's own kernel, by /dev/vhost-net."""

import json

import pytest

from rig import WIRE_IP, iperf3, wait_for

READY = ("DPDK_READY", "VIRTIO_READY")
IP = "10.0.0.30"


class Far:
    """A namespace for the interface, so that packets to the peer have to take it."""

    name = "far"

    def __init__(self, vm):
        self.vm, self.ip = vm, IP
        vm.sh(f"ip netns add {self.name}")

    def take(self, iface):
        self.vm.sh(f"ip link set {iface} netns {self.name}")
        self.sh(f"ip address add {IP}/24 dev {iface}; ip link set {iface} up")

    def sh(self, line, timeout=60):
        return self.vm.run(["ip", "netns", "exec", self.name, "/bin/sh", "-c", line], timeout)[1]

    def cleanup(self):
        self.vm.sh(f"ip netns del {self.name}")


@pytest.fixture
def far(vm, started):
    vm.sh("modprobe vhost_net; [ -c /dev/vhost-net ]")
    return started.add(Far(vm))


@pytest.mark.ci
def test_vhost_net(vm, far, daemon, vfs, peer):
    daemon.start(f"--kernel-vf={vfs[0].address}=0,wan0", "--max-queues=2")
    daemon.wait_states(0, *READY)
    state = daemon.relay(0)
    assert (state.kernel.interface, state.kernel.driver) == ("wan0", "virtio_user")
    assert state.vhost.queues == state.vf.queues == 2
    (link,) = json.loads(vm.sh("ip -json link show wan0"))
    assert (link["address"], link["mtu"]) == (vfs[0].mac, state.vf.mtu)
    far.take("wan0")
    peer.wait_answer(far)
    assert peer.ping(IP, count=100, interval=0.02) == 100
    for size in (8, 1000, 1472):
        assert peer.ping(IP, count=10, size=size) == 10
    assert not daemon.dropped(0)
    assert iperf3(far, peer, WIRE_IP) > 1
    assert iperf3(far, peer, WIRE_IP, "--reverse") > 1
    # No offload is passed on: the kernel gives whole frames.
    features = far.sh("ethtool -k wan0")
    assert "tx-checksumming: off" in features and "tcp-segmentation-offload: off" in features, features


def test_killed_removed_and_beside_a_guest(vm, far, daemon, vfs, peer, guest):
    daemon.start(f"--kernel-vf={vfs[0].address}=0", f"--add-pci-vf={vfs[1].address}=1")
    one = guest(daemon.socket_path(1), vfs[1])
    daemon.wait_states(0, *READY)
    far.take("vio4wd0")
    peer.wait_answer(far)
    one.wait_received(500, timeout=60)
    one.finish_clean()
    daemon.kill9()
    daemon.start(*daemon.options)
    daemon.wait_states(0, *READY)
    far.take("vio4wd0")
    peer.wait_answer(far)
    daemon.remove(0, vfs[0])
    wait_for(lambda: "vio4wd0" not in far.sh("ip -brief link"), 20, "the end of the interface")
