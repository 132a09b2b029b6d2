"""--bind, --unbind and --check on real sysfs: VFs that igbvf has, IOMMU groups, a kernel that answers."""

import json

import pytest

CONFIG = "/run/vf/bind.conf"
RUN = "/run/vf/bind"


class Host:
    """The binary with a configuration file of the test's, and its record of what it bound."""

    def __init__(self, vm):
        self.vm = vm

    def configure(self, bind, *lines):
        text = "\n".join([f"VIRTIOFWD_BIND_VFIO_PCI={bind}", *lines])
        self.vm.sh(f"cat > {CONFIG} <<'END'\n{text}\nEND")

    def run(self, request, status=0):
        got, out, err = self.vm.run(["virtio-forwarder", request, "--config", CONFIG], check=False,
                                    env={"RUNTIME_DIRECTORY": RUN})
        assert got == status, out + err
        assert bool(err) == bool(status), err
        return out + err

    def bind(self, status=0):
        return self.run("--bind", status)

    def unbind(self, status=0):
        return self.run("--unbind", status)

    def check(self, *options):
        """(exit status, findings by their ids)"""
        status, out, err = self.vm.run(
            ["virtio-forwarder", "--check", "--json", "--config", CONFIG, "--cpus=1",
             "--huge-dir=/dev/hugepages", "--pid-path=/run/vf", "--vhost-path=/run/vf", *options],
            check=False)
        assert err == ""
        return status, {finding["id"]: finding for finding in json.loads(out)["findings"]}


@pytest.fixture
def host(vm, directory):
    one = Host(vm)
    yield one
    one.vm.sh(f"RUNTIME_DIRECTORY={RUN} virtio-forwarder --unbind")


@pytest.fixture
def spare(vm, directory):
    """A VF that the kernel's driver has; bound to nothing at the end."""
    vm.sh("modprobe igbvf")
    vf = vm.nics[0].spare
    vf.bind("igbvf")
    yield vf
    vf.unbind()


def drivers(vm):
    nic = vm.nics[0]
    return [vf.driver() for vf in [*nic.vfs, nic.spare]]


def test_by_address_there_and_back(vm, host, spare):
    host.configure(spare.address)
    assert "was bound to igbvf" in host.bind()
    assert spare.driver() == "vfio-pci"
    # Nothing that probes drivers takes it away again.
    vm.sh(f"echo {spare.address} > /sys/bus/pci/drivers_probe || :; modprobe -r igbvf; modprobe igbvf")
    assert spare.driver() == "vfio-pci"
    assert "already" in host.bind()
    assert "given back to igbvf" in host.unbind()
    assert spare.driver() == "igbvf"
    assert "nothing to give back" in host.unbind()


def test_by_interface_only_what_was_not_bound(vm, host, spare):
    before = drivers(vm)
    assert before == ["vfio-pci"] * 4 + ["igbvf"]
    host.configure(vm.nics[0].pf)
    assert host.bind().count("already") == 4
    assert drivers(vm) == ["vfio-pci"] * 5
    host.unbind()
    assert drivers(vm) == before


def test_one_that_cannot_be_bound_does_not_stop_the_others(vm, host, spare):
    pf = vm.nics[0]
    host.configure(f"0000:77:10.0,{pf.address},nosuch0,{spare.address},{pf.pf}:7")
    said = host.bind(status=1)
    assert "there is no PCI device 0000:77:10.0" in said
    assert f"{pf.address} is a PF" in said
    assert "no network device nosuch0" in said
    assert "has 5 VFs of the 7" in said
    assert drivers(vm) == ["vfio-pci"] * 5


@pytest.fixture
def no_vfs(vm):
    """The NIC before anybody has made VFs; as the others want it at the end."""
    nic = vm.nics[0]
    path = f"/sys/bus/pci/devices/{nic.address}/sriov_numvfs"
    autoprobe = f"/sys/bus/pci/devices/{nic.address}/sriov_drivers_autoprobe"
    vm.sh(f"modprobe igbvf; echo 0 > {path}; echo 1 > {autoprobe}")
    yield nic
    vm.sh(f"echo 0 > {path}; echo 0 > {autoprobe}; echo {len(nic.vfs) + 1} > {path}")
    for vf in [*nic.vfs, nic.spare]:
        vf.set("mac", vf.mac)
        if vf is not nic.spare:
            vf.bind()


def test_by_interface_and_count_makes_vfs(vm, host, no_vfs):
    host.configure(no_vfs.pf)
    assert "sriov_numvfs" in host.bind(status=1)
    status, found = host.check()
    assert f"{no_vfs.pf}:4" in found["bind.no_vfs"]["remedy"]
    host.configure(f"{no_vfs.pf}:3")
    assert "made 3 VFs" in host.bind()
    made = [vf.driver() for vf in no_vfs.vfs[:3]]
    assert made == ["vfio-pci"] * 3
    # The kernel's driver had no part in it, and will have in the next.
    assert "igbvf" not in vm.sh(f"ls -l /sys/bus/pci/drivers/igbvf | grep {no_vfs.vfs[0].address} || :")
    path = f"/sys/bus/pci/devices/{no_vfs.address}/sriov_drivers_autoprobe"
    assert vm.sh(f"cat {path}").strip() == "1"
    host.unbind()
    assert [vf.driver() for vf in no_vfs.vfs[:3]] == [""] * 3


def test_what_is_in_use_stays(host, daemon, spare):
    host.configure(spare.address)
    host.bind()
    daemon.start(f"--add-pci-vf={spare.address}=0")
    daemon.wait_states(0, "DPDK_ADDED", "VIRTIO_UNINIT")
    assert "in use" in host.unbind(status=1)
    assert spare.driver() == "vfio-pci"
    assert daemon.states(0) == ("DPDK_ADDED", "VIRTIO_UNINIT")
    assert daemon.stop() == 0
    host.unbind()
    assert spare.driver() == "igbvf"


def test_check_finds_the_vf_and_is_content_once_it_is_bound(vm, host, daemon, spare):
    host.configure(spare.address, f"VIRTIOFWD_STATIC_VFS={spare.address}=0")
    status, found = host.check()
    assert status == 1
    assert found["vf.kernel_driver"]["severity"] == "error"
    assert "igbvf" in found["vf.kernel_driver"]["what"]
    vm.sh(f"RUNTIME_DIRECTORY={RUN} " + found["vf.kernel_driver"]["remedy"].split(", ")[0])
    status, found = host.check()
    assert status == 0 and set(found) <= {"cpu.not_isolated"}, found
    daemon.start(f"--add-pci-vf={spare.address}=0")
    status, found = host.check(f"--pid-path={daemon.dir}")
    assert status == 1 and str(daemon.process.pid) in found["process.runs_already"]["what"]


def test_check_knows_this_machine(vm, host, spare):
    """What is told about CPUs, memory and groups is what DPDK would meet."""
    vm.sh("modprobe e1000e; driverctl --nosave set-override 0000:03:00.0 vfio-pci")
    try:
        host.configure("", "VIRTIOFWD_STATIC_VFS=(0000:03:00.0=1 0000:77:00.0=2)")
        status, found = host.check("--cpus=1,70")
        assert status == 1
        assert "CPU 70" in found["cpu.absent"]["what"]
        assert "0000:03:00.1" in found["vf.group_not_viable"]["what"]
        assert found["vf.absent"]["severity"] == "error"
        vm.sh("umount /dev/hugepages")
        assert "hugepages.not_mounted" in host.check()[1]
        vm.sh("mount -t hugetlbfs none /dev/hugepages")
        assert "hugepages.not_mounted" not in host.check()[1]
    finally:
        vm.sh("driverctl --nosave unset-override 0000:03:00.0;"
              " mountpoint -q /dev/hugepages || mount -t hugetlbfs none /dev/hugepages")
