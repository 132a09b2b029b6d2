"""The RPM's service under systemd: its sandbox, its guests, and its return from all that may end it.

QEMU serves the sockets, as shipped; what stands for it runs as an ordinary user of the group kvm.
"""

import time

import pytest

from packages import Deb, Rpm
from rig import wait_for
from service import CONFIG, UNIT, Service, back, static_vfs

QEMU = 64055         # libvirt-qemu's user in Debian; any user will do
PATIENCE = 2000      # ms after which a guest gives up packets that went down with the daemon
BACK = 40            # s that traffic may take to be back in an emulated machine


@pytest.fixture
def service(vm, directory, started):
    return started.add(Service(vm, directory))


@pytest.fixture
def kvm(vm):
    return int(vm.sh("getent group kvm | cut -d: -f3"))


@pytest.fixture
def running(service, guest, vfs, kvm):
    """The service with two static VFs, and their guests, with traffic."""
    service.configure(STATIC_VFS=static_vfs(vfs[:2]))
    guests = [guest(service.socket_path(relay), vf, ready=False, server=True, timeout=PATIENCE,
                    run_as=(QEMU, kvm)) for relay, vf in enumerate(vfs[:2])]
    service.start()
    for one in guests:
        one.wait_ready()
    back(guests, BACK)
    return guests


@pytest.mark.ci
def test_installed(vm, service):
    assert service.systemctl("is-enabled", UNIT, check=False) == "disabled"
    assert service.systemctl("is-enabled", "vio4wd_core_scheduler", check=False) == "disabled"
    for directory in ("lib", "lib64"):
        vm.sh(f"/usr/{directory}/virtio-forwarder/virtioforwarder_port_control.py --help")
    assert vm.sh("stat -c '%U:%G %a' /tmp/virtio-forwarder") == "root:kvm 775\n"
    vm.sh("systemd-analyze verify --man=no virtio-forwarder.service vio4wd_core_scheduler.service")
    for helper in ("virtio-forwarder-bind", "virtio-forwarder-uio"):
        assert service.systemctl("is-enabled", helper) == "static"
    assert vm.sh("rpm --verify --nodeps virtio-forwarder | grep -v ' c ' || :") == ""


@pytest.mark.ci
def test_sandbox(vm, service, running):
    """Under which `running` has brought its traffic across."""
    status = vm.read(f"/proc/{service.pid()}/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2"
    sys_admin, dac_override = 1 << 21, 1 << 1
    effective = int(fields["CapEff"], 16)
    assert effective & dac_override and not effective & sys_admin, fields["CapEff"]
    assert "for virtio-forwarder.service: " in vm.sh(
        "systemd-analyze security --no-pager --threshold=34 virtio-forwarder.service")


@pytest.mark.ci
def test_crash(service, running):
    pid = service.pid()
    service.systemctl("kill", "--signal=KILL", UNIT)
    service.wait_another(pid)
    assert service.property("NRestarts") == "1"
    back(running, BACK)


@pytest.mark.ci
def test_restart_and_reload(vm, service, running):
    pid = service.pid()
    service.systemctl("restart", UNIT)
    assert service.pid() != pid
    back(running, BACK)
    vm.sh(f"sed -i 's/^VIRTIOFWD_LOG_LEVEL=.*/VIRTIOFWD_LOG_LEVEL=7/' {CONFIG}")
    pid = service.pid()
    service.systemctl("reload", UNIT)
    service.wait_log("log reopened, level 7")
    assert service.pid() == pid
    assert service.property("NRestarts") == "0"


# Stops one thread, as no signal can, and stays its tracer until it is gone.
STOP_A_THREAD = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
SEIZE, INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000
for task in map(int, os.listdir(f"/proc/{sys.argv[1]}/task")):
    with open(f"/proc/{sys.argv[1]}/task/{task}/comm") as file:
        if file.read().strip() != sys.argv[2]:
            continue
    for request in (SEIZE, INTERRUPT):
        assert libc.ptrace(request, task, None, None) == 0, ctypes.get_errno()
    while os.WIFSTOPPED(os.waitpid(task, WALL)[1]):
        pass
"""


def test_watchdog(vm, service, running):
    """A daemon that is frozen as a whole, and one of whose threads a single one is."""
    service.drop_in("WatchdogSec=10")
    service.systemctl("restart", UNIT)
    back(running, BACK)
    pid = service.pid()
    service.systemctl("kill", "--signal=STOP", UNIT)
    service.wait_another(pid)
    service.wait_log("Watchdog timeout")
    back(running, BACK)

    threads = vm.sh(f"cat /proc/{service.pid()}/task/*/comm").split()
    workers = [name for name in threads if name.startswith(("lcore-worker", "rte-worker"))]
    assert len(workers) == 2, threads
    pid = service.pid()
    tracer = vm.popen(["/usr/bin/python3", "-c", STOP_A_THREAD, str(pid), workers[0]])
    try:
        service.wait_another(pid)
        assert service.log_has(r"worker [12] on CPU 1 has not finished a pass for 5.0 s")
    finally:
        tracer.kill()
    back(running, BACK)
    time.sleep(11)  # nor does it bite without need
    assert service.property("NRestarts") == "2"


def test_daemon_serves_sockets(vm, service, guest, vfs, kvm):
    """Of the group that the configuration names; for nobody else."""
    service.configure(VHOST_CLIENT="", SOCKET_GROUP="kvm", STATIC_VFS=static_vfs(vfs[:1]))
    service.start()
    path = service.socket_path(0)
    connect = f"/usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"{path}\")'"
    stranger = f"setpriv --reuid={QEMU} --regid=65534 --clear-groups {connect}"
    status, _, err = vm.run(stranger, check=False)
    assert status == 1 and "PermissionError" in err, err
    one = guest(path, vfs[0], run_as=(QEMU, kvm))
    one.wait_received(500, timeout=30)
    one.finish_clean()
    assert not service.dropped(0)


@pytest.mark.ci
def test_starts_before_its_vfs_are_there(service):
    """It says what it misses, and waits, at the priority that workers on shared CPUs need."""
    service.configure(STATIC_VFS="(0000:77:00.0=0)")
    service.start()
    assert service.alive() and service.property("NRestarts") == "0"
    assert service.log_has(r"\[vf\.absent\]")
    assert service.property("Nice") == "-20"


def test_sockets_below_the_runtime_directory(vm, service):
    """Which systemd sets up anew at each start."""
    path = "/run/virtio-forwarder/sockets"
    service.configure(SOCKET_DIR=path, SOCKET_OWNER=str(QEMU))
    try:
        service.start()
        for how in ("restart", "stop", "start"):
            assert vm.sh(f"stat -c '%u %a' {path}") == f"{QEMU} 755\n"
            service.systemctl(how, UNIT)
        assert vm.sh(f"stat -c '%u %a' {path}") == f"{QEMU} 755\n"
    finally:
        service.stop()
        vm.sh(f"rm -rf {path}")


def test_room_for_igb_uio(vm, service):
    """Granted within the start that needs it, and taken back by the one that does not. What --check finds is
    told by the test: the VM has no igb_uio."""
    fake, unit = "/opt/test-check", "virtio-forwarder-uio.service"

    def may_do_more():
        status = vm.read(f"/proc/{service.pid()}/status")
        effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
        return bool(int(effective.split()[1], 16) & 1 << 21)

    vm.sh(f"mkdir -p {fake} /etc/systemd/system/{unit}.d")
    vm.write(f"{fake}/virtio-forwarder", "#!/bin/sh\necho '\"vf.uio_not_allowed\"'\n")
    vm.write(f"/etc/systemd/system/{unit}.d/test.conf", f"[Service]\nEnvironment=PATH={fake}:/usr/bin:/bin\n")
    vm.sh(f"chmod 755 {fake}/virtio-forwarder")
    service.systemctl("daemon-reload")
    try:
        service.start()
        assert may_do_more()
        vm.write(f"{fake}/virtio-forwarder", "#!/bin/sh\n")
        service.systemctl("restart", UNIT)
        assert not may_do_more()
        assert service.property("NRestarts") == "0"
    finally:
        vm.sh(f"rm -rf {fake} /etc/systemd/system/{unit}.d")
        service.systemctl("daemon-reload")


@pytest.fixture
def spare(vm):
    """The VF that nothing else uses, on the kernel's driver."""
    vf, autoprobe = vm.nics[0].spare, f"/sys/bus/pci/devices/{vm.nics[0].address}/sriov_drivers_autoprobe"
    vm.sh(f"modprobe igbvf; echo 1 > {autoprobe}; echo {vf.address} > /sys/bus/pci/drivers/igbvf/bind")
    yield vf
    vm.sh(f"echo 0 > {autoprobe}")
    vf.unbind()


def test_bound_as_long_as_the_service_is_wanted(vm, service, vfs, spare):
    """A crash or a restart hands no VF back; stopping hands back what was bound, and nothing else."""
    service.configure(BIND_VFIO_PCI=f"{spare.address},{vfs[0].address}",
                      STATIC_VFS=static_vfs([vfs[0], spare]))

    def binding():
        return vm.sh("systemctl show --value -p InvocationID,ActiveState virtio-forwarder-bind").split()

    service.start()
    assert spare.driver() == "vfio-pci"
    service.wait_states(1, "DPDK_ADDED", "VIRTIO_UNINIT")
    bound = binding()
    assert "active" in bound
    for how in ("crash", "restart"):
        pid = service.pid()
        if how == "crash":
            service.systemctl("kill", "--signal=KILL", UNIT)
        else:
            service.systemctl("restart", UNIT)
        service.wait_another(pid)
        service.wait_states(1, "DPDK_ADDED", "VIRTIO_UNINIT")
        assert binding() == bound
    service.stop()
    wait_for(lambda: spare.driver() == "igbvf", 30, "the VF is given back")
    assert vfs[0].driver() == "vfio-pci"
    # What cannot be bound does not keep the others from their guests.
    service.configure(BIND_VFIO_PCI="nosuchdevice", STATIC_VFS=static_vfs(vfs[:1]))
    service.start()
    service.wait_states(0, "DPDK_ADDED", "VIRTIO_UNINIT")
    assert "nosuchdevice" in vm.sh("journalctl -q -o cat -u virtio-forwarder-bind -n 5")


def test_core_scheduler(service, running):
    unit = "vio4wd_core_scheduler.service"
    service.systemctl("start", unit)
    try:
        time.sleep(6)  # a look of its takes 5
        assert service.systemctl("is-active", unit) == "active"
        assert service.systemctl("show", "--value", "-p", "NRestarts", unit) == "0"
    finally:
        service.systemctl("stop", unit)
    back(running, BACK)


@pytest.fixture(params=[Rpm, Deb], ids=["rpm", "deb"])
def package(vm, request):
    """What the test's service is installed from."""
    one = request.param(vm)
    if request.param is not Rpm:
        Rpm(vm).wipe()
        one.install()
    return one


def test_upgrade_and_removal(vm, package, service, running):
    """VFs and guests come back by themselves, and what the operator wrote is kept."""
    try:
        edited, pid = vm.read(CONFIG), service.pid()
        package.upgrade()
        assert package.version().startswith("1.0.0-2")
        service.wait_another(pid)
        back(running, BACK)
        assert vm.read(CONFIG) == edited
        assert "As the next release has it" in vm.read(package.new)

        package.remove()
        assert not service.alive()
        for path in ("/usr/bin/virtio-forwarder", "/usr/lib/virtio-forwarder", "/usr/lib64/virtio-forwarder",
                     f"/usr/lib/systemd/system/{UNIT}"):
            vm.sh(f"[ ! -e {path} ]")
        assert vm.read(package.kept) == edited
        package.wipe()
        vm.sh("[ ! -e /run/virtio-forwarder ]")
    finally:
        package.wipe()
        Rpm(vm).install()
