"""The packages, as an operator installs, upgrades and removes them. Each VM starts with the RPM. Debian's
own dependencies are met by the image, which rpm's database does not know, and which has DPDK without
most drivers.
"""

from service import CONFIG


class Rpm:
    kept = f"{CONFIG}.rpmsave"  # what an operator had written, after the removal
    new = f"{CONFIG}.rpmnew"    # what the next release ships, after an upgrade

    def __init__(self, vm):
        self.vm = vm

    def install(self):
        self.vm.sh("rpm --install --nodeps /host/tree/build/rpm/*.x86_64.rpm", timeout=120)

    def upgrade(self):
        self.vm.sh("rpm --upgrade --nodeps /host/tree/build/vm/next/*.rpm", timeout=120)

    def version(self):
        return self.vm.sh("rpm -q --queryformat '%{VERSION}-%{RELEASE}' virtio-forwarder")

    def remove(self):
        self.vm.sh("rpm --erase virtio-forwarder", timeout=120)

    def wipe(self):
        """Leaves nothing, whatever there is."""
        self.vm.sh(f"! rpm -q virtio-forwarder || rpm --erase virtio-forwarder; rm -f {CONFIG}*", timeout=120)


class Deb(Rpm):
    kept = CONFIG
    new = f"{CONFIG}.dpkg-dist"
    DPKG = "DEBIAN_FRONTEND=noninteractive dpkg --force-depends --force-confold"

    def install(self):
        self.vm.sh(f"{self.DPKG} --install /host/tree/build/deb/virtio-forwarder_*.deb", timeout=180)

    def upgrade(self):
        self.vm.sh(f"{self.DPKG} --install /host/tree/build/vm/next/*.deb", timeout=180)

    def version(self):
        return self.vm.sh("dpkg-query -W -f '${Version}' virtio-forwarder").removeprefix("1:")

    def remove(self):
        self.vm.sh(f"{self.DPKG} --remove virtio-forwarder", timeout=180)

    def wipe(self):
        self.vm.sh(f"! dpkg -s virtio-forwarder >/dev/null 2>&1 || {self.DPKG} --purge virtio-forwarder;"
                   f" rm -f {CONFIG}*", timeout=180)
