"""Packets between the wire and guests, through igb VFs."""

import pytest

from rig import WIRE_IP, iperf3, wait_for


@pytest.mark.ci
def test_ping_and_bulk(daemon, kernel_guest, vfs, peer):
    daemon.start(f"--add-pci-vf={vfs[0].address}=0")
    one = kernel_guest("guest0", daemon.socket_path(0), vfs[0], "10.0.0.10")
    daemon.wait_states(0, "DPDK_READY", "VIRTIO_READY")
    peer.wait_answer(one)
    assert peer.ping(one.ip, count=100, interval=0.02) == 100
    for size in (8, 1000, 1472):
        assert peer.ping(one.ip, count=10, size=size) == 10
    assert not daemon.dropped(0)  # TCP may fill the guest's queue
    assert iperf3(one, peer, WIRE_IP) > 1
    assert iperf3(one, peer, WIRE_IP, "--reverse") > 1
    state = daemon.relay(0)
    assert state.vf.mac.lower() == vfs[0].mac and state.vf.link_up
    assert state.vf.link_speed_mbps == 1000 and state.vf.queues == 2


def test_four_relays_at_once(daemon, guest, vfs):
    daemon.start(*[f"--add-pci-vf={vf.address}={relay}" for relay, vf in enumerate(vfs)])
    guests = [guest(daemon.socket_path(relay), vf, size="60-1514") for relay, vf in enumerate(vfs)]
    for one in guests:
        one.wait_received(2000, timeout=60)
    for relay, one in enumerate(guests):
        final = one.finish_clean()
        assert not daemon.dropped(relay), final
        state = daemon.relay(relay)
        assert state.vm_to_vf.pkts_tx_to_vf == final["sent"]
        assert state.vf_to_vm.pkts_tx_to_vm >= final["received"]


@pytest.mark.ci
@pytest.mark.parametrize("queues", [2])
def test_queues(daemon, guest, vfs, queues):
    """An igb VF has two queues and no RSS: what comes, comes by one of them."""
    daemon.start(f"--add-pci-vf={vfs[0].address}=0", "--max-queues=2")
    one = guest(daemon.socket_path(0), vfs[0], queues=queues, flows=8)
    one.wait_received(2000, timeout=30)
    state = daemon.relay(0)
    assert state.vf.queues == 2 and len(state.vm_to_vf.lane_cpu) == queues
    final = one.finish_clean()
    assert min(final["tx_on_queue"][:queues]) > 0


def test_jumbo_frames(daemon, guest, vfs):
    """The PF's MTU is 9000. A frame is many buffers on its way, both at the VF and at the guest."""
    vfs[1].set("trust", "on")
    daemon.start("--enable-jumbo", "--enable-mrgbuf", f"--add-pci-vf={vfs[1].address}=1")
    one = guest(daemon.socket_path(1), vfs[1], size="60-9014", rate=200, memory=192)
    one.wait_received(1000, timeout=60)
    assert daemon.relay(1).vf.mtu == 9000
    one.finish_clean()
    assert not daemon.dropped(1)


def test_without_jumbo_the_mtu_is_2100(daemon, guest, vfs):
    daemon.start("--enable-mrgbuf", f"--add-pci-vf={vfs[0].address}=0")
    one = guest(daemon.socket_path(0), vfs[0], size=2114, stopped=True)
    assert daemon.relay(0).vf.mtu == 2100
    one.command("start")
    one.wait_received(200, timeout=30)
    one.command("stop")
    one.command("raw 2200 10 0")
    wait_for(lambda: daemon.relay(0).vm_to_vf.pkts_dropped_invalid == 10, 10, "drops of long frames")
    one.finish_clean()


def test_what_arrives_without_a_guest_is_counted(daemon, vfs, peer, guest):
    daemon.start(f"--add-pci-vf={vfs[0].address}=0")
    daemon.wait_states(0, "DPDK_ADDED", "VIRTIO_UNINIT")
    peer.sh(f"ip neigh replace 10.0.0.99 lladdr {vfs[0].mac} dev {peer.iface}")
    try:
        peer.ping("10.0.0.99", count=20)
    finally:
        peer.sh(f"ip neigh del 10.0.0.99 dev {peer.iface}")
    wait_for(lambda: daemon.relay(0).vf_to_vm.pkts_dropped_vm_not_connected >= 20, 10, "drops")
    one = guest(daemon.socket_path(0), vfs[0])
    one.wait_received(200, timeout=20)
    one.finish_clean()
