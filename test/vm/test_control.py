"""VFs that come and go at run time, and what an operator reads when one cannot come."""

import re

import pytest

from rig import wait_for


@pytest.fixture
def bystander(daemon, guest, vfs):
    """Relay 0 with a guest whose packets must all come back, whatever is done to the others."""
    daemon.start(f"--add-pci-vf={vfs[0].address}=0")
    one = guest(daemon.socket_path(0), vfs[0])
    one.wait_received(200, timeout=20)
    yield one
    one.finish_clean()
    assert not daemon.dropped(0)


def by_script(daemon, what, vf):
    """As operators do it. Such a machine can be slower than the daemon's 1.5 s: then once more."""
    for _ in range(5):
        status, out = daemon.port_control(what, "--virtio-id=1", f"--pci-addr={vf.address}", "--conditional")
        if status == 0:
            return
        assert "is not ready after" in out or "error_code: 5" in out, out
    raise AssertionError(out)


@pytest.mark.parametrize("how", ["script", "wire"])
def test_hot_add_and_remove_under_traffic(daemon, bystander, guest, vfs, how):
    one = guest(daemon.socket_path(1), vfs[1], timeout=1000)
    for round_ in range(4):
        vf = vfs[1 + round_ % 2]
        if how == "script":
            by_script(daemon, "add", vf)
        else:
            daemon.add(1, vf)
        if vf is vfs[1]:  # with the other VF the guest's MAC is not the VF's
            one.wait_received(200, timeout=20)
        assert daemon.states(1) == ("DPDK_READY", "VIRTIO_READY")
        if how == "script":
            by_script(daemon, "remove", vf)
        else:
            daemon.remove(1, vf)
        wait_for(lambda: daemon.states(1) == ("DPDK_UNINIT", "VIRTIO_READY"), 20, "the removal")
    assert daemon.relay(1).vm_to_vf.pkts_dropped_vf_not_connected > 0
    bystander.wait_received(100, timeout=20)


def test_a_vf_moves_to_another_relay(daemon, bystander, guest, vfs):
    daemon.add(1, vfs[1])
    status, out = daemon.port_control("add", "--virtio-id=2", f"--pci-addr={vfs[1].address}")
    assert status == 1 and "error_code: 2" in out
    daemon.remove(1, vfs[1])
    daemon.add(2, vfs[1])
    one = guest(daemon.socket_path(2), vfs[1])
    one.wait_received(200, timeout=20)
    one.finish_clean()


def test_what_was_removed_can_be_used_by_the_host_again(vm, daemon, bystander, vfs):
    daemon.add(1, vfs[1])
    daemon.remove(1, vfs[1])
    vm.sh("modprobe igbvf")
    vfs[1].bind("igbvf")
    vfs[1].bind()
    daemon.add(1, vfs[1])


def refused(daemon, address, relay=1):
    """The error text of an add that is refused with code 2."""
    status, out = daemon.port_control("add", f"--virtio-id={relay}", f"--pci-addr={address}")
    assert status == 1 and "error_code: 2" in out, out
    assert daemon.states(relay)[0] == "DPDK_UNINIT"
    return re.search(r'error_text: "(.*)"', out).group(1)


def follow_remedy(vm, text):
    """Runs the command that the error text recommends."""
    command = re.search(r"(driverctl set-override [0-9a-f:.]+ [a-z-]+)", text).group(1)
    vm.sh(command.replace("driverctl", "driverctl --nosave"))


@pytest.fixture
def spare(vm, daemon):
    """A VF that is nobody's, unbound again at the end."""
    daemon.start()
    vf = vm.nics[0].spare
    vf.unbind()
    yield vf
    daemon.port_control("remove", "--virtio-id=1", "--conditional")
    vf.unbind()


def test_vf_that_is_bound_to_nothing(vm, daemon, spare):
    text = refused(daemon, spare.address)
    assert spare.address in text and "no driver" in text
    follow_remedy(vm, text)
    daemon.add(1, spare)


def test_vf_that_the_kernel_drives(vm, daemon, spare):
    vm.sh("modprobe igbvf")
    spare.bind("igbvf")
    text = refused(daemon, spare.address)
    assert spare.address in text and "igbvf" in text
    follow_remedy(vm, text)
    daemon.add(1, spare)


def test_no_such_device(daemon, spare):
    assert "no PCI device 0000:77:10.0" in refused(daemon, "0000:77:10.0")


def test_device_that_is_no_nic(daemon, spare):
    assert "no network device" in refused(daemon, "0000:00:1f.0")


def test_group_that_is_not_viable(vm, daemon, spare):
    """Two functions of a device in one IOMMU group, and the kernel has the other."""
    first, second = "0000:03:00.0", "0000:03:00.1"
    vm.sh(f"modprobe e1000e; driverctl --nosave set-override {first} vfio-pci")
    try:
        groups = vm.sh(f"readlink /sys/bus/pci/devices/{first}/iommu_group"
                       f" /sys/bus/pci/devices/{second}/iommu_group").split()
        assert groups[0] == groups[1]
        text = refused(daemon, first)
        assert "IOMMU group" in text and second in text and "e1000e" in text
        follow_remedy(vm, text)
        status, out = daemon.port_control("add", "--virtio-id=1", f"--pci-addr={first}")
        assert status == 0, out
    finally:
        daemon.port_control("remove", "--virtio-id=1", "--conditional")
        vm.sh(f"driverctl --nosave unset-override {first};"
              f" driverctl --nosave unset-override {second}")


def test_vf_that_another_process_holds(vm, daemon, bystander, vfs):
    """A second daemon, say, that somebody forgot."""
    daemon.add(1, vfs[1])
    other = vm.popen(["dpdk-testpmd", "--in-memory", "--no-telemetry", "--lcores=0@0,1@0",
                      "-a", vfs[2].address, "-m", "64", "--", "--stats-period=3600"])
    try:
        def held():
            return vm.run(["sh", "-c", f"ls -l /proc/{other.pid}/fd | grep vfio/[0-9]"],
                          check=False)[0] == 0

        wait_for(held, 30, "testpmd holds the VF's group")
        assert "fuser" in refused(daemon, vfs[2].address, relay=2)
    finally:
        other.kill()
        other.wait(30)
    daemon.add(2, vfs[2])
