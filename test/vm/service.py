"""The installed service: what /etc/default/virtioforwarder says, what systemd does with it."""

from rig import Daemon, wait_for
from vm import NoAnswer

CONFIG = "/etc/default/virtioforwarder"
UNIT = "virtio-forwarder.service"


class Service(Daemon):
    """What a Daemon can be asked, of the service. configure() edits the shipped file."""

    def __init__(self, vm, directory):
        super().__init__(vm, directory)
        self.vhost_dir = "/tmp/virtio-forwarder"
        self.port_control_ep = "ipc:///var/run/virtio-forwarder/port_control"
        self.stats_ep = "ipc:///var/run/virtio-forwarder/stats"
        self.shipped = vm.read(CONFIG)
        self.cursor = vm.sh("journalctl -n 0 --show-cursor -q | sed -n 's/^-- cursor: //p'").strip()
        self.configure()

    # --- life --------------------------------------------------------------------------------

    def configure(self, **variables):
        """Each is a variable without its VIRTIOFWD_; the rest is as shipped, but that all workers
        share a CPU."""
        variables.setdefault("EAL_ARGS", f'"--lcores {self.lcores}"')
        text = "\n".join(line for line in self.shipped.splitlines()
                         if line.partition("=")[0][len("VIRTIOFWD_"):] not in variables)
        lines = [f"VIRTIOFWD_{name}={value}" for name, value in variables.items()]
        self.vm.write(CONFIG, "\n".join([text, *lines, ""]))

    def systemctl(self, *args, check=True, timeout=120):
        return self.vm.run(["systemctl", *args], timeout=timeout, check=check)[1].strip()

    def property(self, name):
        return self.systemctl("show", "--value", "-p", name, UNIT)

    def pid(self):
        return int(self.property("MainPID"))

    def start(self):
        self.systemctl("start", UNIT)
        return self

    def stop(self):
        self.systemctl("stop", UNIT)

    def alive(self):
        return self.property("ActiveState") == "active"

    def wait_another(self, pid, timeout=60):
        """Until another process than `pid` is the daemon, and answers."""
        def reached():
            try:
                return self.pid() not in (0, pid) and self.alive() and bool(self.relays([0], timeout=2))
            except NoAnswer:
                return False

        wait_for(reached, timeout, "the service runs again")

    def drop_in(self, text):
        """Lines of [Service]; "" takes them back."""
        path = f"/etc/systemd/system/{UNIT}.d/test.conf"
        if text:
            self.vm.write(path, f"[Service]\n{text}\n")
        else:
            self.vm.sh(f"rm -f {path}")
        self.systemctl("daemon-reload")

    def cleanup(self):
        self.stop()
        self.systemctl("reset-failed", UNIT, check=False)
        self.drop_in("")
        self.vm.write(CONFIG, self.shipped)
        self.vm.sh("rm -f /tmp/virtio-forwarder/* /run/virtio-forwarder/state.json")

    # --- what it says ------------------------------------------------------------------------

    def log_text(self):
        """All that the service and systemd have said about it in this test."""
        return self.vm.sh(f"journalctl -q -o cat -u {UNIT} --after-cursor='{self.cursor}'")

    def wait_log(self, pattern, timeout=30):
        wait_for(lambda: self.log_has(pattern), timeout, f"'{pattern}' in {self.log_tail(30)}")


def static_vfs(vfs):
    """VIRTIOFWD_STATIC_VFS, over several lines."""
    return "(\n" + "".join(f"\t{vf.address}={relay}\n" for relay, vf in enumerate(vfs)) + ")"


def back(guests, limit):
    """Until packets cross all relays again, and unbroken from then on."""
    assert sum(one.wait_received(100, timeout=limit) for one in guests) < limit
    for one in guests:
        one.command("reset")
        one.wait_received(200, timeout=20)
        now = one.stats()
        assert now["reordered"] == now["corrupted"] == now["duplicated"] == 0, now
