"""A virtual machine with SR-IOV NICs that QEMU emulates, and commands that run in it.

agent.py is its end inside; this end looks much like subprocess. QEMU obeys over QMP. Both channels
are socket pairs that QEMU inherits, so nothing has to be waited for in the file system. Without
KVM, as any user.
"""

import base64
import json
import os
import queue
import shlex
import signal
import socket
import subprocess
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "test", "functional"))

import patience  # noqa: E402
from patience import Within  # noqa: E402

IMAGE = os.path.join(ROOT, "build", "vm")


class VmError(Exception):
    """The VM, QEMU or a command did not do what was asked of it."""


class NoAnswer(VmError):
    """A ZeroMQ request was not answered in time."""


class _Stdin:
    def __init__(self, process):
        self.process = process

    def write(self, text):
        self.process.tell("input", data=text)

    def close(self):
        self.process.tell("input", data=None)


class _Stdout:
    """Lines as they come; iterated over by one thread only."""

    def __init__(self):
        self.pieces = queue.SimpleQueue()  # None at the end

    def __iter__(self):
        rest = ""
        while (piece := self.pieces.get()) is not None:
            *whole, rest = (rest + piece).split("\n")
            yield from whole
        if rest:
            yield rest

    def close(self):
        pass


class Process:
    """A process in the VM, with what tests use of subprocess.Popen; all its output is kept too."""

    def __init__(self, vm, id_, args):
        self.vm, self.id, self.args = vm, id_, args
        self.pid = self.returncode = self.failure = None
        self.stdin, self.stdout = _Stdin(self), _Stdout()
        self.output = {"out": "", "err": ""}
        self._started, self._ended = threading.Event(), threading.Event()

    def handle(self, event):
        """Called by the thread that reads what the agent says."""
        kind = event["event"]
        if kind == "output":
            self.output[event["stream"]] += event["data"]
            if event["stream"] == "out":
                self.stdout.pieces.put(event["data"])
            return
        if kind == "started":
            self.pid = event["pid"]
        else:
            self.returncode = event.get("status", -1)
            self.failure = event.get("why")
            self.stdout.pieces.put(None)
            self._ended.set()
        self._started.set()

    def tell(self, op, **request):
        if not self._ended.is_set():
            self.vm.tell(id=self.id, op=op, **request)

    def wait_started(self, timeout=30):
        limit = Within(timeout)
        while not self._started.wait(limit.left()) and not limit.over():
            pass
        if not self._started.is_set() or self.failure:
            raise VmError(f"`{shlex.join(self.args)}' could not be started: {self.failure}")

    def send_signal(self, number):
        self.tell("signal", number=int(number))

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def poll(self):
        return self.returncode if self._ended.is_set() else None

    def wait(self, timeout=None):
        """Some seconds of a quiet machine, as everywhere here."""
        limit = Within(timeout or 0)
        while not self._ended.wait(limit.left() if timeout else None):
            if limit.over():
                raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode


class Vm:
    """devices: QEMU arguments beyond the usual ones; append: more for the kernel's command line;
    x2apic: the kernel is to use it. Logs and the folder that the VM sees as /host/results are in
    `directory`."""

    def __init__(self, directory, devices=(), append="", cpus="3", memory="2G", machine=(),
                 x2apic=False):
        self.dir, self.x2apic = directory, x2apic
        self.devices, self.append, self.cpus, self.memory = devices, append, cpus, memory
        self.machine = machine
        self.console_path = os.path.join(directory, "console.log")
        self.process = None
        self._ready = threading.Event()
        self._requests = {}
        self._serial = 0
        self._lock = threading.Lock()
        self._agent = self._monitor = None
        self._monitor_buffer = b""

    # --- life --------------------------------------------------------------------------------

    def command_line(self, agent, monitor):
        return [
            # QEMU never outlives whoever started it.
            "setpriv", "--pdeathsig", "KILL",
            os.path.join(IMAGE, "qemu-system-x86_64"),
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-M", "q35", "-accel", "tcg,thread=multi",
            # Few address bits and no 64-bit window: else the firmware puts the VFs where they are dead.
            "-cpu", "max,phys-bits=36", "-global", "q35-pcihost.pci-hole64-size=0",
            "-smp", str(self.cpus), "-m", self.memory, *self.machine,
            "-device", "intel-iommu,intremap=on,caching-mode=on" + (",eim=on" if self.x2apic else ""),
            "-kernel", os.path.join(IMAGE, "vmlinuz"), "-initrd", os.path.join(IMAGE, "initrd.gz"),
            "-append", "console=ttyS0 quiet panic=-1 tsc=reliable no_timer_check mitigations=off "
            f"intel_iommu=on iommu=pt {self.append}",
            "-chardev", f"file,id=console,path={self.console_path},append=on",
            "-serial", "chardev:console",
            "-drive", f"if=none,id=root,file={IMAGE}/root.img,format=raw,snapshot=on",
            "-device", "virtio-blk-pci,drive=root",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,fd={agent.fileno()}",
            "-device", "virtserialport,chardev=agent,name=agent",
            "-chardev", f"socket,id=qmp,fd={monitor.fileno()}",
            "-mon", "chardev=qmp,mode=control",
            "-virtfs", f"local,path={ROOT},mount_tag=tree,security_model=none,readonly=on",
            "-virtfs", f"local,path={self.dir},mount_tag=results,security_model=none",
            *self.devices,
        ]

    def boot(self, timeout=180):
        self._agent, agent = socket.socketpair()
        self._monitor, monitor = socket.socketpair()
        log = os.path.join(self.dir, "qemu.log")
        with open(log, "ab") as file:
            self.process = subprocess.Popen(
                self.command_line(agent, monitor), stdin=subprocess.DEVNULL, stdout=file,
                stderr=file, pass_fds=(agent.fileno(), monitor.fileno()))
        agent.close()
        monitor.close()
        threading.Thread(target=self._read, daemon=True).start()
        self._monitor.settimeout(300)  # a limit for what never comes
        self.qmp("qmp_capabilities")
        limit = Within(timeout)
        while not self._ready.wait(limit.left()):
            if self.process.poll() is not None:
                with open(log, encoding="utf-8", errors="replace") as file:
                    raise VmError(f"QEMU ended with {self.process.returncode}: {file.read()}")
            if limit.over():
                raise VmError(f"not booted within {limit}: {self.console()}")
        return self

    def console(self, lines=25):
        try:
            with open(self.console_path, encoding="utf-8", errors="replace") as file:
                return "".join(file.readlines()[-lines:])
        except OSError:
            return ""

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """The VM's disk is thrown away with it."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.process = None
        self._agent.close()
        self._monitor.close()

    # --- commands ----------------------------------------------------------------------------

    def _read(self):
        buffer = b""
        while True:
            try:
                data = self._agent.recv(1 << 20)
            except OSError:
                data = b""
            if not data:
                break
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                event = json.loads(line)
                if event["event"] == "ready":
                    self._ready.set()
                elif event["id"] in self._requests:
                    self._requests[event["id"]].handle(event)
        for process in list(self._requests.values()):
            process.handle({"event": "failed", "why": "the VM is gone"})

    def tell(self, **request):
        try:
            with self._lock:
                self._agent.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise VmError(f"the VM is gone: {error}") from error

    def _ask(self, what, **request):
        with self._lock:
            self._serial += 1
            id_ = self._serial
        process = self._requests[id_] = Process(self, id_, what)
        self.tell(id=id_, **request)
        return process

    def popen(self, args, stdin=False, env=None):
        """Starts a program: a list, or a line for the shell."""
        if isinstance(args, str):
            args = ["/bin/sh", "-c", args]
        process = self._ask(args, op="start", argv=args, stdin=stdin, env=env or {})
        process.wait_started()
        return process

    def run(self, args, timeout=60, check=True, env=None):
        """Runs a program to its end: (exit status, standard output, standard error)."""
        process = self.popen(args, env=env)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise VmError(f"`{shlex.join(process.args)}' has not ended in {timeout} s") from None
        del self._requests[process.id]
        out, err = process.output["out"], process.output["err"]
        if check and status != 0:
            raise VmError(f"`{shlex.join(process.args)}' in the VM: status {status}: {out}{err}")
        return status, out, err

    def sh(self, line, timeout=60):
        """The output of a shell command that must succeed."""
        return self.run(line, timeout)[1]

    def request(self, endpoint, body, timeout=5.0):
        """One ZeroMQ request from inside; the answer's bytes."""
        timeout *= patience.MARGIN * patience.stretch()
        process = self._ask(["request", endpoint], op="request", endpoint=endpoint,
                            body=base64.b64encode(body).decode(), timeout=timeout)
        answers = queue.SimpleQueue()
        process.handle = answers.put
        try:
            answer = answers.get(timeout=timeout + 120)
        except queue.Empty:
            raise VmError(f"the agent says nothing: {self.console()}") from None
        finally:
            del self._requests[process.id]
        if answer["event"] != "answer":
            raise NoAnswer(answer["why"])
        return base64.b64decode(answer["body"])

    def write(self, path, text):
        process = self.popen(["install", "-D", "-m", "644", "/dev/stdin", path], stdin=True)
        process.stdin.write(text)
        process.stdin.close()
        if process.wait(30) != 0:
            raise VmError(f"{path}: {process.output['err']}")

    def read(self, path):
        return self.run(["cat", path])[1]

    # --- QEMU --------------------------------------------------------------------------------

    def qmp(self, command, **arguments):
        request = {"execute": command, "arguments": arguments, "id": command}
        self._monitor.sendall(json.dumps(request).encode() + b"\n")
        while True:
            while b"\n" not in self._monitor_buffer:
                data = self._monitor.recv(65536)
                if not data:
                    raise VmError("QEMU is gone")
                self._monitor_buffer += data
            line, self._monitor_buffer = self._monitor_buffer.split(b"\n", 1)
            answer = json.loads(line)
            if answer.get("id") != command:
                continue  # the greeting, events
            if "error" in answer:
                raise VmError(f"QMP {command}: {answer['error']['desc']}")
            return answer["return"]
