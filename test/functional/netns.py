"""Network namespaces of one test."""

import os
import subprocess

import patience
from patience import wait_for


class Netns:
    serial = 0

    def __init__(self, name):
        Netns.serial += 1
        self.name = f"vf-{name}-{os.getpid()}-{Netns.serial}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command, check=True, timeout=60, **options):
        return patience.run(["ip", "netns", "exec", self.name, *command], timeout, check, **options)

    def popen(self, *command, **options):
        return subprocess.Popen(["ip", "netns", "exec", self.name, *command], **options)

    def has_link(self, iface):
        return self.run("ip", "link", "show", iface, check=False).returncode == 0

    def set_up(self, iface, address, mac=None):
        """Waits for the interface, and gives it an address."""
        wait_for(lambda: self.has_link(iface), 10, f"interface {iface} in {self.name}")
        self.run("sysctl", "-qw", f"net.ipv6.conf.{iface}.disable_ipv6=1", check=False)
        if mac:
            self.run("ip", "link", "set", iface, "address", mac)
        self.run("ip", "address", "replace", address, "dev", iface)
        self.run("ip", "link", "set", iface, "up")

    def cleanup(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False)
