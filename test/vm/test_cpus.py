"""A worker on a CPU above 63. The VM has 72 CPUs, of which few are ever switched on."""

import pytest


@pytest.fixture
def cpu70(vm):
    path = "/sys/devices/system/cpu/cpu70/online"
    vm.sh(f"echo 1 > {path}")
    yield 70
    vm.sh(f"echo 0 > {path}")


@pytest.mark.parametrize("mask", [False, True], ids=["list", "mask"])
def test_a_worker_on_cpu_70(vm, daemon, guest, vfs, cpu70, mask):
    daemon.cpus = hex(1 << 1 | 1 << cpu70) if mask else f"1,{cpu70}"
    daemon.lcores = None
    daemon.start(f"--add-pci-vf={vfs[0].address}=0", f"--virtio-cpu=0:{cpu70},1")
    one = guest(daemon.socket_path(0), vfs[0])
    one.wait_received(500, timeout=30)
    state = daemon.relay(0)
    assert set(state.vf_to_vm.lane_cpu) == {cpu70} and set(state.vm_to_vf.lane_cpu) == {1}
    assert (state.cpu.vf_to_vm, state.cpu.vm_to_vf) == (cpu70, 1)
    allowed = vm.sh(f"cd /proc/{daemon.process.pid}/task && grep -h Cpus_allowed_list */status")
    assert f"\t{cpu70}\n" in allowed
    one.finish_clean()


def test_a_cpu_that_is_switched_off_is_refused(daemon, vfs):
    daemon.cpus, daemon.lcores = "1,70", None
    daemon.launch()
    assert daemon.process.wait(60) == 1
    assert "70" in daemon.log_text(), daemon.log_text()
