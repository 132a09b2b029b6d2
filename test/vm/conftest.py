"""Fixtures of the VM tests. Each VM is booted when a test first asks for it, serves all that want its
like, and is booted anew should a test have wrecked it. A failing test keeps its logs, and the VM's
console, in build/vm/results/<test>; the report names the folder and ends with their last lines.
"""

import glob
import os
import re
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from packages import Rpm  # noqa: E402
from rig import PEER_MAC, Daemon, KernelGuest, Nic, Peer, SeqGuest, nic  # noqa: E402
from vm import IMAGE, ROOT, Vm, VmError  # noqa: E402

RESULTS = os.path.join(IMAGE, "results")
# The RPM is installed in each VM, the Debian package by a test; the VMs see the tree as /host/tree.
PACKAGES = [os.path.join(ROOT, "build", pattern)
            for pattern in ("rpm/*.x86_64.rpm", "deb/virtio-forwarder_*.deb", "vm/next/*.deb")]


def pytest_addoption(parser):
    parser.addoption("--flavour", help="the VM that all tests get, whichever they ask for")


def pytest_configure(config):
    config.addinivalue_line("markers", "ci: what each change is tested with, in the numa VM too")


def pytest_sessionstart(session):
    if session.config.option.collectonly:
        return
    for pattern in (os.path.join(IMAGE, "root.img"), *PACKAGES):
        if not glob.glob(pattern):
            pytest.exit(f"{pattern} is not there: run make check-vm", 2)
    if "VM_SECOND_TRY" not in os.environ:  # else the logs of the first are still wanted
        shutil.rmtree(RESULTS, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.failed_once = True
        vm = getattr(item, "vm", None)
        if vm is not None:
            folder = save(vm, item.name)
            for path in sorted(glob.glob(os.path.join(folder, "*.log"))):
                with open(path, encoding="utf-8", errors="replace") as file:
                    report.sections.append((f"end of {path}", "".join(file.readlines()[-25:])))


def save(vm, name):
    """Copies what is of interest out of the VM; the folder. A dead one leaves its console."""
    folder = os.path.join(RESULTS, re.sub(r"[^A-Za-z0-9_.-]", "_", name))
    if "VM_SECOND_TRY" in os.environ:
        folder += ".again"
    os.makedirs(folder, exist_ok=True)
    try:
        vm.sh("dmesg >/host/results/dmesg.txt; journalctl -b --no-pager >/host/results/journal.txt;"
              " cp /run/vf/*/*.log /host/results/", timeout=120)
    except VmError:
        pass
    for path in glob.glob(os.path.join(vm.dir, "*")):
        if os.path.isfile(path):
            shutil.copy(path, folder)
    for path in glob.glob(os.path.join(vm.dir, "*")):
        if os.path.basename(path) not in ("console.log", "qemu.log"):
            os.unlink(path)
    return folder


# --- VMs --------------------------------------------------------------------------------------------

class Flavour:
    """A kind of VM: how to start it, and what to prepare in it."""

    def __init__(self, name, prepare, **options):
        self.name, self.prepare, self.options, self.vm = name, prepare, options, None

    def get(self):
        if self.vm is None or not self.healthy():
            self.drop()
            directory = os.path.join(RESULTS, f"vm-{self.name}")
            os.makedirs(directory, exist_ok=True)
            self.vm = Vm(directory, **self.options)
            try:
                self.vm.boot()
                install(self.vm)
                self.prepare(self.vm)
            except BaseException:
                self.drop()  # half a VM is none
                raise
        return self.vm

    def healthy(self):
        try:
            return self.vm.alive() and self.vm.run(["true"], timeout=30)[0] == 0
        except VmError:
            return False

    def drop(self):
        if self.vm is not None:
            self.vm.kill()
            self.vm = None


def install(vm):
    """The RPM, and the tools of the tests."""
    Rpm(vm).install()
    vm.sh("install /host/tree/build/tools/seqguest /usr/local/bin/ && modprobe vfio-pci")


def prepare_nic(vm, number, peer_name, peer_ip, count):
    """NIC `number` with VFs on vfio-pci, each with its frames sent back by the NIC's peer."""
    one = Nic(vm, f"0000:{vm.buses[number]:02x}:00.0", number)
    one.peer = Peer(vm, f"0000:{vm.buses[number] + 1:02x}:00.0", peer_name, peer_ip)
    one.make_vfs(count + 1)
    one.spare = one.vfs.pop()
    for vf in one.vfs:
        vf.bind()
        one.peer.reflect(vf)
    return one


def prepare_standard(vm):
    """512 MB of hugepages, NIC 0 with four VFs and one that is bound to nothing."""
    vm.sh("echo 256 > /proc/sys/vm/nr_hugepages; [ $(cat /proc/sys/vm/nr_hugepages) = 256 ]")
    vm.buses = [1]
    vm.nics = [prepare_nic(vm, 0, "wire", "10.0.0.1", 4)]


def prepare_numa(vm):
    """A NIC and 256 MB of hugepages on each node."""
    vm.sh("for node in 0 1; do echo 128 >"
          " /sys/devices/system/node/node$node/hugepages/hugepages-2048kB/nr_hugepages; done")
    vm.buses = [1, 65]
    vm.nics = [prepare_nic(vm, number, f"wire{number}", f"10.{number}.0.1", 2) for number in (0, 1)]


FLAVOURS = {
    # 72 CPUs, of which three are switched on; a NIC and its peer on one wire; and a device whose two
    # functions share an IOMMU group.
    "standard": Flavour(
        "standard", prepare_standard, cpus=72, append="maxcpus=3",
        devices=nic(0, "02:00:00:ff:00:00", 1) + nic(1, PEER_MAC, 1) + [
            "-device", "pcie-root-port,id=rp2,chassis=3,slot=3,bus=pcie.0",
            "-device", "e1000e,bus=rp2,addr=0.0,multifunction=on,romfile=",
            "-device", "e1000e,bus=rp2,addr=0.1,romfile="]),
    # Two nodes with two CPUs, a NIC and its peer each; the second's are behind a bridge of that node.
    # Without x2APIC a boot in three hangs: an interrupt's end gets lost. (With it the standard VM's
    # CPU 70 does not start.)
    "numa": Flavour(
        "numa", prepare_numa, cpus="4,sockets=2,cores=2", memory="2G", x2apic=True,
        machine=["-object", "memory-backend-ram,id=m0,size=1G",
                 "-object", "memory-backend-ram,id=m1,size=1G",
                 "-numa", "node,nodeid=0,cpus=0-1,memdev=m0",
                 "-numa", "node,nodeid=1,cpus=2-3,memdev=m1"],
        devices=nic(0, "02:00:00:ff:00:00", 1) + nic(1, PEER_MAC, 1)
        + ["-device", "pxb-pcie,id=pxb1,bus_nr=64,numa_node=1,bus=pcie.0"]
        + nic(2, "02:00:00:ff:01:00", 2, "pxb1") + nic(3, PEER_MAC, 2, "pxb1")),
}


@pytest.fixture(scope="session")
def flavours():
    used = []

    def get(flavour):
        if flavour not in used:
            used.append(flavour)
        return flavour.get()

    yield get
    for flavour in used:
        flavour.drop()


@pytest.fixture
def vm(request, flavours):
    """The standard VM, or the one that a test file's FLAVOUR names."""
    flavour = request.config.option.flavour or getattr(request.module, "FLAVOUR", "standard")
    request.node.vm = flavours(FLAVOURS[flavour])
    return request.node.vm


@pytest.fixture
def vfs(vm):
    """The VFs of the first NIC."""
    return vm.nics[0].vfs


@pytest.fixture
def peer(vm):
    return vm.nics[0].peer


# --- what tests start in them -----------------------------------------------------------------------

@pytest.fixture
def directory(vm):
    """Of this test alone, in the VM; emptied when the next one starts."""
    vm.sh("rm -rf /run/vf/*; mkdir -p /run/vf/test")
    return "/run/vf/test"


@pytest.fixture
def started(directory):
    """What a test starts: add(thing) has thing.cleanup() called at its end, newest first."""
    things = []

    class Started:
        @staticmethod
        def add(thing):
            things.append(thing)
            return thing

    yield Started
    failures = []
    for thing in reversed(things):
        try:
            thing.cleanup()
        except Exception as error:  # the others must be ended all the same
            failures.append(error)
    if failures:
        raise failures[0]


@pytest.fixture
def daemon(vm, directory, started):
    """A daemon, not started yet."""
    return started.add(Daemon(vm, directory))


@pytest.fixture
def guest(vm, directory, started):
    """guest(path, vf, queues=2, …) starts a seqguest and waits until its device is up."""

    def make(path, vf, ready=True, **options):
        one = started.add(SeqGuest(vm, directory, path, vf.mac, **options))
        return one.wait_ready() if ready else one

    return make


@pytest.fixture
def kernel_guest(vm, directory, started):
    """kernel_guest("guest0", path, vf, "10.0.0.10") starts a testpmd; nothing waits for it."""

    def make(name, path, vf, ip, **options):
        return started.add(KernelGuest(vm, directory, name, path, vf, ip, **options))

    return make


__all__ = ["ROOT"]
