"""A worker on a CPU above 63. The VM has 72 CPUs, of which few are ever switched on."""

import pytest

from rig import wait_for


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


def test_a_cpu_outside_of_the_cpuset_is_refused(vm, vfs):
    done = vm.sh(
        "mkdir -p /run/cgroup && mount -t cgroup2 none /run/cgroup && cd /run/cgroup"
        " && echo +cpuset >cgroup.subtree_control && mkdir -p narrow && echo 0 >narrow/cpuset.cpus"
        " && sh -c 'echo $$ >narrow/cgroup.procs && exec virtio-forwarder --nodaemon --no-huge"
        " --cpus=1 --eal=--no-pci --pid-path=/run/vf/cpuset --vhost-path=/run/vf/cpuset 2>&1'"
        " || echo refused; cd /; rmdir /run/cgroup/narrow; umount /run/cgroup"
    )
    assert "--cpus (-C) names CPU 1, which this process may not use" in done, done
    assert done.rstrip().endswith("refused")


def test_a_worker_outlives_its_cpu(vm, daemon, guest, vfs, cpu70):
    daemon.cpus, daemon.lcores = f"1,{cpu70}", None
    daemon.start(f"--add-pci-vf={vfs[0].address}=0", f"--virtio-cpu=0:{cpu70},1")
    one = guest(daemon.socket_path(0), vfs[0])
    one.wait_received(200, timeout=30)
    vm.sh("echo 0 > /sys/devices/system/cpu/cpu70/online")
    wait_for(lambda: daemon.log_has("may not run on CPU 70 any more"), 30, "the log")
    one.wait_received(200, timeout=60)
    vm.sh("echo 1 > /sys/devices/system/cpu/cpu70/online")
    wait_for(lambda: daemon.log_has("had been moved off CPU 70: it is back there"), 30, "the log")
    one.wait_received(200, timeout=30)
    one.finish_clean()
