"""A real Linux guest: QEMU without KVM, test/guest's kernel and initramfs, and a vhost-user NIC.

The functional tests and scripts/demo use it. Commands run in the guest over its second serial port
(test/guest/init tells the protocol), and QEMU itself obeys over QMP; both are socket pairs that
QEMU inherits, so that nothing stays in the file system and nothing waits for a path to appear.
"""

import base64
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time

import patience
from patience import Within

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGE = os.path.join(ROOT, "build", "guest")


class GuestError(Exception):
    """The guest, or QEMU, did not do what was asked of it."""


def build_image():
    """Makes the kernel and initramfs, unless they are there already."""
    subprocess.run([os.path.join(ROOT, "test", "guest", "build-guest-image"), IMAGE], check=True)


class _Lines:
    """Lines from a socket, each within a limit."""

    def __init__(self, name):
        self.name = name
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.buffer = b""

    def send(self, line, limit):
        data = line.encode() + b"\n"
        while data:
            if not select.select([], [self.ours], [], limit.left())[1]:
                if limit.over():
                    raise GuestError(f"{self.name}: not read within {limit}")
                continue
            try:
                data = data[self.ours.send(data):]
            except OSError as error:
                raise GuestError(f"{self.name}: {error}") from error

    def receive(self, limit):
        while b"\n" not in self.buffer:
            if not select.select([self.ours], [], [], limit.left())[0]:
                if limit.over():
                    raise GuestError(f"{self.name}: no answer within {limit}")
                continue
            try:
                data = self.ours.recv(65536)
            except OSError:
                data = b""
            if not data:
                raise GuestError(f"{self.name}: QEMU is gone")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode(errors="replace")

    def close(self):
        self.ours.close()
        self.theirs.close()


class QemuGuest:
    """One guest. With server=True QEMU serves the socket, and the daemon (-i) connects to it."""

    def __init__(self, socket_path, mac, ip=None, *, server=False, queues=1, packed=False,
                 ring=256, mrg=True, cpus=1, memory=256, max_memory=1024, mtu=None, log=None,
                 incoming=None):
        self.socket_path = str(socket_path)
        self.mac = mac
        self.ip = ip                # "192.0.2.2/24"
        self.server = server
        self.queues = queues        # pairs that the NIC has; Linux enables one per CPU at first
        self.packed = packed
        self.ring = ring            # entries of each ring, 256 to 1024
        self.mrg = mrg
        self.cpus = cpus
        self.memory = memory        # MB
        self.max_memory = max_memory
        self.mtu = mtu
        self.log = log              # the console's and QEMU's own output, a file
        self.incoming = incoming    # where a guest migrates in from, as "unix:/path"
        self.process = None
        self.boot_id = None
        self._log_is_ours = log is None
        self._serial = self._monitor = None
        self._token = 0
        self._dimms = 0
        self._negotiated = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # --- Life -----------------------------------------------------------------------------------

    def start(self, timeout=90):
        """Starts QEMU and waits until the guest takes commands."""
        self.launch()
        self.wait_ready(timeout)

    def launch(self):
        """Starts QEMU only. If it serves the socket, the guest boots once the daemon is there."""
        if self._log_is_ours:
            handle, self.log = tempfile.mkstemp(prefix="qemu-guest-", suffix=".log")
            os.close(handle)
        self._serial, self._monitor = _Lines("guest"), _Lines("QMP")
        self._dimms = 0
        self._negotiated = False
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command_line(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(self._serial.theirs.fileno(), self._monitor.theirs.fileno()),
                start_new_session=True)
        # Ours alone: an end of file then says that QEMU has gone.
        self._serial.theirs.close()
        self._monitor.theirs.close()

    def command_line(self):
        features = ",".join([
            f"mac={self.mac}", "mq=on" if self.queues > 1 else "mq=off",
            # No MSI-X: with it and without KVM, Debian 12's QEMU (7.2.22) dies of a null pointer as
            # soon as the driver starts a vhost-user NIC. Ordinary interrupts serve all queues.
            "vectors=0", f"rx_queue_size={self.ring}",
            f"tx_queue_size={self.ring}", "packed=on" if self.packed else "packed=off",
            "mrg_rxbuf=on" if self.mrg else "mrg_rxbuf=off", "romfile="])
        chardev = "server=on" if self.server else "reconnect=1"
        kernel = ["console=ttyS0", "quiet", "panic=-1", "tsc=reliable", "no_timer_check"]
        if self.ip:
            kernel.append(f"guest_ip={self.ip}")
        if self.mtu:
            kernel.append(f"guest_mtu={self.mtu}")
        migration = ["-incoming", self.incoming] if self.incoming else []
        return [
            # A guest never outlives whoever started it.
            "setpriv", "--pdeathsig", "KILL",
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
            "-M", "q35,usb=off,vmport=off", "-accel", "tcg,thread=multi", "-cpu", "max",
            "-smp", str(self.cpus), "-m", f"{self.memory},slots=4,maxmem={self.max_memory}M",
            "-object", f"memory-backend-memfd,id=ram,size={self.memory}M,share=on",
            "-numa", "node,memdev=ram",
            "-kernel", os.path.join(IMAGE, "vmlinuz"), "-initrd", os.path.join(IMAGE, "initrd.gz"),
            "-append", " ".join(kernel),
            "-chardev", f"file,id=console,path={self.log},append=on",
            "-serial", "chardev:console",
            "-chardev", f"socket,id=commands,fd={self._serial.theirs.fileno()}",
            "-serial", "chardev:commands",
            "-chardev", f"socket,id=qmp,fd={self._monitor.theirs.fileno()}",
            "-mon", "chardev=qmp,mode=control",
            "-chardev", f"socket,id=vhost,path={self.socket_path},{chardev}",
            "-netdev", f"vhost-user,id=net,chardev=vhost,queues={self.queues}",
            "-device", f"virtio-net-pci,id=nic,netdev=net,{features}",
            *migration]

    def wait_ready(self, timeout=90):
        """Waits until the guest has booted (again) and takes commands."""
        limit = Within(timeout)
        try:
            while True:
                _, found, boot_id = self._serial.receive(limit).rpartition("ready ")
                if found:
                    self.boot_id = boot_id.strip()
                    return
        except GuestError as error:
            raise GuestError(f"{error}; the guest's console:\n{self.console()}") from error

    def stop(self):
        """QEMU quits in good order, as when a management tool ends the guest."""
        if self.alive():
            try:
                self.qmp("quit", timeout=5)
            except GuestError:
                self.process.terminate()
        self._reap()

    def kill9(self):
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
        self._reap()

    # For those who end whatever they are given.
    cleanup = kill9

    def poweroff(self, timeout=30):
        """The guest itself switches off, and QEMU exits with it."""
        self._send("poweroff -f", Within(timeout))
        try:
            patience.reap(self.process, timeout)
        except subprocess.TimeoutExpired as error:
            raise GuestError("the guest did not switch off") from error
        self._reap()

    def reboot(self, hard=False, timeout=90):
        """The guest's own reboot, or the reset button; back when it takes commands again."""
        if hard:
            self.qmp("system_reset")
        else:
            self._send("reboot -f", Within(timeout))
        before = self.boot_id
        self.wait_ready(timeout)
        if self.boot_id == before:
            raise GuestError("the guest did not reboot")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def console(self, lines=30):
        """The end of the guest's console and of QEMU's messages."""
        try:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except (OSError, TypeError):
            return ""

    def _reap(self):
        if self.process:
            try:
                patience.reap(self.process, 10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
            self._serial.close()
            self._monitor.close()
            if self._log_is_ours:
                os.unlink(self.log)
                self.log = None

    # --- Commands in the guest ------------------------------------------------------------------

    def _send(self, command, limit):
        self._token += 1
        encoded = base64.b64encode(command.encode()).decode()
        self._serial.send(f"{self._token} {encoded}", limit)
        return str(self._token)

    def run(self, command, timeout=60):
        """Runs a shell command in the guest: (exit status, output)."""
        limit = Within(timeout)
        try:
            token = self._send(command, limit)
            while True:
                # Answers to commands that were given up on may still arrive.
                fields = self._serial.receive(limit).split(" ")
                if fields[0] == token and len(fields) == 3:
                    output = base64.b64decode(fields[2]).decode(errors="replace")
                    return int(fields[1]), output
        except GuestError as error:
            raise GuestError(f"'{command}': {error}") from error

    def check(self, command, timeout=60):
        """Runs a command that must succeed; its output."""
        code, output = self.run(command, timeout)
        if code != 0:
            raise GuestError(f"'{command}' in the guest: exit status {code}: {output.strip()}")
        return output

    def ping(self, address, count=3, interval=0.2, wait=1):
        """How many of `count` pings were answered."""
        _, output = self.run(f"ping -c {count} -i {interval} -W {wait} {address}",
                             timeout=30 + count * (interval + wait))
        words = output.split(" packets received")[0].split()
        return int(words[-1]) if " packets received" in output else 0

    def set_queues(self, pairs):
        """Enables so many of the NIC's queue pairs."""
        self.check(f"ethtool -L eth0 combined {pairs}")

    # --- QEMU -----------------------------------------------------------------------------------

    def qmp(self, command, timeout=20, **arguments):
        """Runs a QMP command: what it returns."""
        limit = Within(timeout)
        if not self._negotiated:
            self._negotiated = True
            self._qmp_exchange("qmp_capabilities", {}, limit)
        return self._qmp_exchange(command, arguments, limit)

    def _qmp_exchange(self, command, arguments, limit):
        self._token += 1
        self._monitor.send(json.dumps({"execute": command, "arguments": arguments,
                                       "id": self._token}), limit)
        while True:
            answer = json.loads(self._monitor.receive(limit))
            if answer.get("id") != self._token:
                continue    # the greeting, events
            if "error" in answer:
                raise GuestError(f"QMP {command}: {answer['error']['desc']}")
            return answer["return"]

    def migrate(self, other, timeout=60):
        """Moves the running guest to `other`, launched with `incoming`; this one is then empty."""
        self.qmp("migrate", uri=other.incoming)
        limit = Within(timeout)
        while True:
            state = self.qmp("query-migrate").get("status")
            if state == "completed":
                break
            if state in ("failed", "cancelled") or limit.over():
                raise GuestError(f"the migration is {state}; the target says: {other.console()}")
            time.sleep(0.05)
        other.boot_id = self.boot_id

    def plug_memory(self, megabytes=128):
        """Plugs in a DIMM (a multiple of 128 MB), and waits until Linux uses it."""
        before = self._memory_total()
        self._dimms += 1
        name = f"dimm{self._dimms}"
        self.qmp("object-add", **{"qom-type": "memory-backend-memfd", "id": f"ram-{name}",
                                  "size": megabytes << 20, "share": True})
        self.qmp("device_add", driver="pc-dimm", id=name, memdev=f"ram-{name}")
        limit = Within(20)
        while self._memory_total() < before + (megabytes << 10) * 9 // 10:
            if limit.over():
                raise GuestError("the guest does not use the memory that was plugged in")
            time.sleep(0.2)

    def _memory_total(self):
        return int(self.check("awk '/MemTotal/ { print $2 }' /proc/meminfo"))
