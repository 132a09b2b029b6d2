"""Guests' QEMUs as a cloud starts them: a libvirtd makes them of a domain with a vhost-user interface,
and gives them a user of their own. Their guest has no system to boot: in an emulated machine that
would take minutes.
"""

import pytest

from rig import wait_for

USER, GROUP = "libvirt-qemu", "kvm"

DOMAIN = """
<domain type='qemu'>
  <name>guest</name>
  <memory unit='MiB'>96</memory>
  <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
  </os>
  <features><acpi/></features>
  <cpu mode='custom'><model>qemu64</model></cpu>
  <on_reboot>destroy</on_reboot>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <interface type='vhostuser'>
      <mac address='{mac}'/>
      <source type='unix' path='{path}' mode='client'>
        <reconnect enabled='yes' timeout='1'/>
      </source>
      <model type='virtio'/>
      <rom enabled='no'/>
    </interface>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""


class Domain:
    def __init__(self, vm, directory, path, vf):
        self.vm, self.directory = vm, directory
        vm.write(f"{directory}/domain.xml", DOMAIN.format(path=path, mac=vf.mac))

    def create(self):
        self.vm.run(["virsh", "-q", "create", f"{self.directory}/domain.xml"], timeout=120)
        return self

    def state(self):
        return self.vm.run(["virsh", "-q", "domstate", "guest"], check=False)[1].strip()

    def cleanup(self):
        self.vm.run(["virsh", "-q", "destroy", "guest"], check=False)


@pytest.fixture
def libvirtd(vm, directory, started):
    """Its QEMUs have a user of their own, as with Debian's packages; nothing else confines them."""
    vm.sh(f"for group in {USER} {GROUP}; do getent group $group >/dev/null || groupadd -r $group; done;"
          f" id {USER} >/dev/null 2>&1 || useradd -r -g {GROUP} {USER}")
    vm.write("/etc/libvirt/qemu.conf",
             f'user = "{USER}"\ngroup = "{GROUP}"\nsecurity_driver = "none"\n'
             'stdio_handler = "file"\ncgroup_controllers = []\nnamespaces = []\n')

    class Libvirtd:
        process = vm.popen(f"exec libvirtd >{directory}/libvirtd.log 2>&1")

        def cleanup(self):
            self.process.terminate()
            self.process.wait(60)

    started.add(Libvirtd())
    wait_for(lambda: vm.run(["virsh", "-q", "list"], check=False)[0] == 0, 60, "libvirtd answers")


def test_libvirt_s_qemu_talks_to_the_daemon(vm, directory, started, daemon, libvirtd, vfs):
    """The daemon serves the socket, which QEMU's user may open. A daemon that was killed is found
    again by QEMU."""
    options = [f"--add-pci-vf={vfs[0].address}=0", f"--vhost-username={USER}",
               f"--vhost-groupname={GROUP}", "--loglevel=7"]
    daemon.start(*options)
    path = daemon.socket_path(0)
    assert vm.sh(f"stat -c %U:%G:%a {path}").strip() == f"{USER}:{GROUP}:660"
    one = started.add(Domain(vm, directory, path, vfs[0])).create()
    for talks in (1, 2):
        wait_for(lambda: daemon.log_count("read message VHOST_USER_SET_OWNER") >= talks,  # noqa: B023
                 90, "QEMU says hello")
        assert one.state() == "running"
        if talks == 1:
            daemon.kill9()
            daemon.start(*options)
