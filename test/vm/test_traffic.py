"""Packets between the wire and guests, through igb VFs."""

from rig import WIRE_IP, iperf3


def test_ping_and_bulk(daemon, kernel_guest, vfs, peer):
    daemon.start(f"--add-pci-vf={vfs[0].address}=0")
    one = kernel_guest("guest0", daemon.socket_path(0), vfs[0], "10.0.0.10")
    daemon.wait_states(0, "DPDK_READY", "VIRTIO_READY")
    peer.wait_answer(one)
    assert peer.ping(one.ip, count=100, interval=0.02) == 100
    for size in (8, 1000, 1472):
        assert peer.ping(one.ip, count=10, size=size) == 10
    assert iperf3(one, peer, WIRE_IP) > 1
    assert iperf3(one, peer, WIRE_IP, "--reverse") > 1
    assert iperf3(one, peer, WIRE_IP, "--udp", "--bitrate=5M") > 4
    assert not daemon.dropped(0)


def test_four_relays_at_once(daemon, guest, vfs):
    daemon.start(*[f"--add-pci-vf={vf.address}={relay}" for relay, vf in enumerate(vfs)])
    guests = [guest(daemon.socket_path(relay), vf, rate=500, size="60-1514")
              for relay, vf in enumerate(vfs)]
    for one in guests:
        one.wait_received(2000, timeout=60)
    for relay, one in enumerate(guests):
        final = one.finish_clean()
        assert not daemon.dropped(relay), final
        state = daemon.relay(relay)
        assert state.vm_to_vf.pkts_tx_to_vf == final["sent"]
