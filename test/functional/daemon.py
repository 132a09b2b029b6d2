"""The daemon under test: started with everything of its own below one directory."""

import glob
import json
import os
import re
import signal
import socket
import subprocess

import mounts
import patience
import wire_client as wire
from patience import BINARY, ROOT, Within, wait_for

# pytest-xdist's, when tests run side by side: which of them this is.
SIDE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
# The daemon's threads beside the workers have the first, the workers the second. Tests beside each
# other take turns, lest all workers poll on the same CPU.
MAIN_CPU, WORKER_CPU = SIDE % os.cpu_count(), (SIDE + 1) % os.cpu_count()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def lcores(*workers):
    """EAL's --lcores: the main lcore 0 and these, which share a CPU."""
    return ",".join([f"0@{MAIN_CPU}"] + [f"{lcore}@{WORKER_CPU}" for lcore in workers])


def pollers_give_way(pid):
    """Workers poll, whether there is anything or not. Of what tests beside this one have to do, that
    would take half of the machine's time; so they come after the rest, with a fourth of its share."""
    for task in glob.glob(f"/proc/{pid}/task/*"):
        try:
            with open(f"{task}/comm", encoding="ascii") as file:
                if file.read().startswith(("rte-worker", "dpdk-worker")):
                    os.setpriority(os.PRIO_PROCESS, int(os.path.basename(task)), 6)
        except (OSError, ProcessLookupError):
            pass  # it has ended: whoever waits for it will tell


# All tests' kind of guest end, unless they say another: the usual one, or what the environment names.
GUEST_BACKEND = [f"--guest-backend={kind}" for kind in [os.environ.get("GUEST_BACKEND")] if kind]


class Daemon:
    """One instance. Options given to start() come after the usual ones and may override them."""

    def __init__(self, directory, netns=None):
        self.dir = directory
        self.netns = netns
        self.pid_dir = os.path.join(directory, "pid")
        self.vhost_dir = os.path.join(directory, "sockets")
        self.port_control_ep = f"ipc://{directory}/port_control"
        self.stats_ep = f"ipc://{directory}/stats"
        self.log_path = os.path.join(directory, "daemon.log")
        self.process = None
        self.options = []
        self.mounts = []  # of its own, as mounts.py has them
        self.preexec = None  # called in the process before it becomes the daemon
        self.cpus, self.lcores, self.memory = "1", lcores(1, 2), 512
        self._stats = None
        for path in (self.pid_dir, self.vhost_dir):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, 0o755)

    # --- life --------------------------------------------------------------------------------

    def command(self, *options):
        prefix = ["ip", "netns", "exec", self.netns] if self.netns else []
        return prefix + mounts.private(self.mounts) + [
            BINARY,
            "--nodaemon",
            "--no-huge",
            f"--cpus={self.cpus}",
            "--master-lcore=0",
            f"--eal=--lcores {self.lcores} -m {self.memory} --no-pci",
            f"--pid-path={self.pid_dir}",
            f"--vhost-path={self.vhost_dir}",
            f"--zmq-port-control-ep={self.port_control_ep}",
            f"--zmq-stats-ep={self.stats_ep}",
            *GUEST_BACKEND,
            *options,
        ]

    def launch(self, *options):
        """Starts the process and returns the socket on which it says READY=1."""
        self.options = list(options)
        path = os.path.join(self.dir, "notify")
        if os.path.exists(path):
            os.unlink(path)
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(path)
        log = open(self.log_path, "ab")  # noqa: SIM115, the process keeps it
        self.process = subprocess.Popen(
            self.command(*options),
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            preexec_fn=self.preexec,
            # RUNTIME_DIRECTORY is where DPDK puts its own files
            env={**os.environ, "NOTIFY_SOCKET": path, "RUNTIME_DIRECTORY": self.dir},
        )
        log.close()
        return notify

    def start(self, *options, timeout=20.0):
        notify = self.launch(*options)
        notify.settimeout(0.2)
        limit = Within(timeout)
        with notify:
            while True:
                try:
                    if b"READY=1" in notify.recv(4096).split(b"\n"):
                        pollers_give_way(self.process.pid)
                        return self
                except TimeoutError:
                    pass
                if self.process.poll() is not None:
                    raise AssertionError(
                        f"the daemon ended with {self.process.returncode}: {self.log_tail()}"
                    )
                assert not limit.over(), f"no READY=1: {self.log_tail()}"

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, sig=signal.SIGTERM, timeout=15.0, margin=patience.MARGIN):
        """The exit status."""
        self._forget()
        if self.alive():
            self.process.send_signal(sig)
        return patience.reap(self.process, timeout, margin)

    def kill9(self):
        return self.stop(signal.SIGKILL)

    def restart(self):
        if self.alive():
            self.stop()
        return self.start(*self.options)

    def cleanup(self):
        if self.alive():
            patience.end(self.process, 15)
        self._forget()

    # --- what it says ------------------------------------------------------------------------

    def log_text(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def log_tail(self, lines=8):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def pid_file(self):
        return os.path.join(self.pid_dir, "virtio-forwarder.pid")

    def socket_path(self, relay):
        return os.path.join(self.vhost_dir, f"virtio-forwarder{relay}.sock")

    def script(self, name, *args, timeout=20.0, margin=patience.MARGIN):
        """A script of ours; as wire.control, once more for what the daemon had no time for."""
        command = ["/usr/bin/python3", os.path.join(ROOT, "clients", name), *args]
        watch = Within(timeout)
        done = patience.run(command, timeout, margin=margin)
        if wire.too_late(done.stdout) and watch.busy():
            limit = Within(15)
            while done.returncode != 0 and not limit.over():
                done = patience.run(command, timeout, margin=margin)
        return done

    def stats(self, relay, *args):
        """One relay's counters and states by their keys in the script's flat output."""
        done = self.script(
            "virtioforwarder_stats.py",
            f"--stats-ep={self.stats_ep}",
            "--include-inactive",
            "--delay=0",
            *args,
        )
        assert done.returncode == 0, done.stderr
        prefix = f"relay_{relay}."
        pairs = (line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        return {key[len(prefix) :]: value for key, value in pairs if key.startswith(prefix)}

    # --- the wire, directly ------------------------------------------------------------------

    def relay(self, relay):
        """The state of one relay, over a connection that stays open."""
        return self.relays([relay])[0]

    def relays(self, ids=None):
        if self._stats is None:
            self._stats = wire.Client(self.stats_ep)
        try:
            body = self._stats.exchange(wire.stats_request(ids))
        except wire.NoAnswer:
            self._forget()
            raise
        answer = wire.Record(body, wire.STATS_RESPONSE)
        assert answer.status == wire.STATS_OK, answer
        return answer.relay

    def _forget(self):
        if self._stats is not None:
            self._stats.__exit__()
            self._stats = None

    def states(self, relay):
        state = self.relay(relay)
        return state.vf_to_vm.internal_state, state.vm_to_vf.internal_state

    def wait_states(self, relay, vf_to_vm, vm_to_vf, timeout=5.0):
        seen = []

        def reached():
            seen[:] = [self.states(relay)]
            return seen[0] == (vf_to_vm, vm_to_vf)

        try:
            wait_for(reached, timeout)
        except AssertionError:
            raise AssertionError(
                f"relay {relay} is {seen[0]}, not {(vf_to_vm, vm_to_vf)}: {self.log_tail()}"
            ) from None

    def add(self, relay, device, conditional=False, far=None):
        with wire.Client(self.port_control_ep) as client:
            return self.control(client, wire.ADD, relay, device, conditional, far)

    def add_refused(self, relay, device, conditional=False, far=None):
        """The answer, which must not be OK."""
        answer = wire.port_control(self.port_control_ep, wire.ADD, [device], relay, conditional, far=far)
        assert answer.status == wire.ERROR, (relay, device, answer)
        return answer

    def remove(self, relay, device=None, conditional=False):
        with wire.Client(self.port_control_ep) as client:
            return self.control(client, wire.REMOVE, relay, device, conditional)

    def remove_sock(self, path):
        answer = wire.port_control(self.port_control_ep, wire.REMOVE_SOCK, vhost_path=path)
        assert answer.status == wire.OK, (path, answer)

    @staticmethod
    def control(client, op, relay, device=None, conditional=False, far=None):
        """One request over a connection of the caller's; the answer, which must be OK."""
        devices = [device] if device else []
        body = wire.port_control_request(op, devices, relay, conditional, far=far)
        answer = wire.control(client, body)
        assert answer.status == wire.OK, (relay, device, answer)
        return answer

    def add_ring(self, relay):
        """A loop-back VF: what the guest sends comes back to it."""
        self.add(relay, f"net_ring{relay}")
        return f"net_ring{relay}"

    def dropped(self, relay):
        """Everything that a relay has dropped, by direction and cause, zeros left out."""
        state, found = self.relay(relay), {}
        for name in ("vf_to_vm", "vm_to_vf"):
            for key, value in vars(getattr(state, name)).items():
                if "dropped" in key and value:
                    found[f"{name}.{key}"] = value
        return found

    def remove_all(self):
        """Removes every device; then all packets must be back in their pools, which go too."""
        for relay in self.relays():
            if relay.vf is not None and "--dynamic-sockets" in self.options:
                self.remove_sock(relay.vhost.vhost_socket_name)
            elif relay.vf is not None:
                self.remove(relay.id)

        def left():
            return [name for name in self.pools() or [] if name.startswith("relay")]

        try:
            wait_for(lambda: not left(), 3)
        except AssertionError:
            raise AssertionError(f"packets are missing in {left()}: {self.log_tail()}") from None

    # --- what it holds -----------------------------------------------------------------------

    def fds(self):
        """Its descriptors: what each points to, sockets and anonymous ones without their number."""
        found = []
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                target = os.readlink(f"/proc/{self.pid}/fd/{name}")
            except OSError:
                continue
            found.append(re.sub(r"\[\d+\]", "", target))
        return sorted(found)

    def settled_fds(self):
        """The same once clients that have gone are gone for it too: alike three times in a row."""
        looks = []
        wait_for(lambda: looks.append(self.fds()) or looks[-3:] == [looks[-1]] * 3, 10,
                 "descriptors that stay the same", interval=0.05)
        return looks[-1]

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def heap_kb(self):
        """Its own memory: neither what guests share with it nor DPDK's, which is taken at start."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return int(re.search(r"RssAnon:\s+(\d+)", file.read()).group(1))

    def maps(self):
        with open(f"/proc/{self.pid}/maps", encoding="utf-8", errors="replace") as file:
            return file.read().count("\n")

    def pools(self):
        """The names of its packet pools; None when DPDK's telemetry is off."""
        sockets = glob.glob(os.path.join(self.dir, "dpdk", "*", "dpdk_telemetry.v2*"))
        if not sockets:
            return None
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as telemetry:
            telemetry.settimeout(60)  # a limit for what never comes
            telemetry.connect(sockets[-1])
            telemetry.recv(16384)  # the greeting
            telemetry.send(b"/mempool/list")
            return json.loads(telemetry.recv(16384))["/mempool/list"]
