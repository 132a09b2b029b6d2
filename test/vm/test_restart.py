"""Guests, and the daemon, that end and come again. Static VFs, client mode, split rings: traffic is
back by itself."""

import time

import pytest

PATIENCE = 2000  # ms after which a guest gives up packets that went down with somebody
BACK = 30        # s that traffic may take to be back in an emulated machine


@pytest.mark.ci
def test_guest_restarts(daemon, guest, vfs):
    daemon.start(f"--add-pci-vf={vfs[0].address}=0", f"--add-pci-vf={vfs[1].address}=1")
    beside = guest(daemon.socket_path(0), vfs[0])
    beside.wait_received(100, timeout=20)
    for how in ("finish_clean", "kill9", "finish_clean"):
        one = guest(daemon.socket_path(1), vfs[1])
        one.wait_received(200, timeout=20)
        getattr(one, how)()
        daemon.wait_states(1, "DPDK_ADDED", "VIRTIO_UNINIT")
    beside.wait_received(100, timeout=20)
    beside.finish_clean()
    assert not daemon.dropped(0)


@pytest.mark.ci
@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_daemon_restarts(daemon, guest, vfs, how):
    options = ["--vhostuser-client"] + [
        f"--add-pci-vf={vf.address}={relay}" for relay, vf in enumerate(vfs[:2])]
    guests = [guest(daemon.socket_path(relay), vf, ready=False, server=True, timeout=PATIENCE)
              for relay, vf in enumerate(vfs[:2])]
    daemon.start(*options)
    for one in guests:
        one.wait_ready()
        one.wait_received(200, timeout=20)
    for _ in range(2):
        getattr(daemon, how)()
        time.sleep(1)
        daemon.start(*options)
        assert sum(one.wait_received(100, timeout=BACK) for one in guests) < BACK
        for one in guests:
            one.command("reset")
            one.wait_received(300, timeout=20)
            now = one.stats()
            assert now["reordered"] == now["corrupted"] == now["duplicated"] == 0, now
    for one in guests:
        final = one.finish()
        assert final["reordered"] == final["corrupted"] == final["duplicated"] == 0, final


def test_hugepages_are_free_again_after_a_crash(vm, daemon, vfs):
    def free():
        return int(vm.sh("awk '/HugePages_Free/ { print $2 }' /proc/meminfo"))

    before = free()
    daemon.start(*[f"--add-pci-vf={vf.address}={relay}" for relay, vf in enumerate(vfs)])
    daemon.wait_states(3, "DPDK_ADDED", "VIRTIO_UNINIT")
    assert free() < before
    daemon.kill9()
    assert free() == before
