"""The daemon is restarted, or killed, while guests run: they serve their sockets, and traffic is
back in about the second that a client takes to try again. Split rings; with packed ones DPDK's
vhost library forgets the positions.

What was under way is lost; the guests give it up soon (PATIENCE), or their window would stay full.
"""

import statistics
import time

import pytest

from conftest import quick_or_all
from daemon import wait_for
from patience import SLOWER, stretch

PATIENCE = 300  # ms, on a quiet machine
MODES = pytest.mark.parametrize("how", ["stop", "kill9"])


@MODES
@pytest.mark.parametrize("queues", [1, 4])
@pytest.mark.parametrize("mergeable", [False, True], ids=["plain", "mergeable"])
@pytest.mark.parametrize("times", quick_or_all(3, 5))
def test_traffic_comes_back(daemon, guest, how, queues, mergeable, times):
    options = ["--vhostuser-client", "--max-queues=4", "--add-pci-vf=net_ring1=1"]
    if mergeable:
        options.append("--enable-mrgbuf")
    one = guest(daemon.socket_path(1), ready=False, server=True, queues=queues,
                no_mrg=not mergeable, timeout=int(PATIENCE * stretch()))
    daemon.start(*options)
    one.wait_ready()
    one.wait_received(500)
    took = []
    for _ in range(times):
        getattr(daemon, how)()
        time.sleep(0.2)
        daemon.start(*options)
        took.append(one.wait_received(100, timeout=10))
        one.reset()
        one.wait_received(500)
        now = one.stats()
        assert now["reordered"] == now["corrupted"] == now["duplicated"] == 0, now
    # the median, as the machine may be busy with other things for a while
    assert statistics.median(took) < 2 * SLOWER, f"seconds until traffic was back: {took}"
    one.finish()


@MODES
@pytest.mark.slow
def test_many_restarts(daemon, guest, how):
    options = ["--vhostuser-client", "--add-pci-vf=net_ring1=1", "--add-pci-vf=net_ring2=2"]
    guests = [guest(daemon.socket_path(relay), ready=False, server=True, timeout=PATIENCE)
              for relay in (1, 2)]
    daemon.start(*options)
    for one in guests:
        one.wait_ready()
    for _ in range(20):
        getattr(daemon, how)()
        daemon.start(*options)
        for one in guests:
            one.wait_received(100, timeout=8)


@MODES
def test_guests_of_a_served_socket_come_again(daemon, guest, how):
    """Server mode: the guest has to connect again itself."""
    daemon.start("--add-pci-vf=net_ring1=1")
    one = guest(daemon.socket_path(1))
    one.wait_received(200)
    getattr(daemon, how)()
    one.command("detach")
    daemon.start("--add-pci-vf=net_ring1=1")
    one.command("attach")
    one.wait_received(500)
    wait_for(lambda: daemon.states(1) == ("DPDK_READY", "VIRTIO_READY"))


@MODES
def test_features_are_the_same_after_a_restart(daemon, guest, how):
    """Whatever the device: a guest that has negotiated once finds what it knows."""
    one = guest(daemon.socket_path(1), ready=False, server=True, queues=2, timeout=PATIENCE)
    daemon.start("--vhostuser-client", "--add-pci-vf=net_ring1=1")
    one.wait_ready()
    one.wait_received(100)
    getattr(daemon, how)()
    daemon.start("--vhostuser-client")
    daemon.wait_states(1, "DPDK_UNINIT", "VIRTIO_READY", 8)
    daemon.add_ring(1)
    one.wait_received(100)


@MODES
def test_packed_rings_need_a_new_connection(daemon, guest, bystander, how):
    """The positions in a packed ring died with the daemon: this guest stays silent, or not, but
    harms nobody, and is well again as soon as its driver starts anew."""
    options = ["--vhostuser-client", "--enable-mrgbuf", "--add-pci-vf=net_ring1=1"]
    one = guest(daemon.socket_path(1), ready=False, server=True, packed=True, timeout=PATIENCE)
    daemon.start(*options)
    one.wait_ready()
    one.wait_received(500)
    getattr(daemon, how)()
    daemon.start(*options)
    beside = bystander()
    daemon.wait_states(1, "DPDK_READY", "VIRTIO_READY", 8)
    time.sleep(0.5)
    one.command("reconnect")
    one.wait_received(500)
    one.finish()
    beside.check()
