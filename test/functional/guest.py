"""Guests without QEMU: test/tools/seqguest, and testpmd with a tap as its kernel's interface."""

import json
import os
import queue
import signal
import subprocess
import threading
import time

import patience
from patience import ROOT, Within, wait_for

SEQGUEST = os.path.join(ROOT, "build", "tools", "seqguest")

# What must stay zero while nothing happens to a guest's own relay. (A packet that is late has come, and
# on a machine that stood still that is nobody's fault.)
FAULTS = ("lost", "reordered", "duplicated", "corrupted", "unexpected")


def eal_arguments(directory, name, memory):
    """EAL options: any CPU, little memory, files of its own."""
    return [
        "--no-huge",
        "--no-pci",
        "--no-telemetry",
        "--single-file-segments",
        "--lcores=0@(0-%d)" % (os.cpu_count() - 1),
        f"--file-prefix={name}",
        "-m",
        str(memory),
    ]


class SeqGuest:
    """A seqguest process. options: its own, without their dashes and with underscores:
    queues=4, packed=True, size="60-9000"."""

    serial = 0
    slower = 1  # than on bare CPUs

    def __init__(self, directory, path, memory=192, netns=None, start_timeout=15.0, **options):
        SeqGuest.serial += 1
        self.name = f"seqguest{SeqGuest.serial}"
        self.id = SeqGuest.serial
        self.log_path = os.path.join(directory, f"{self.name}.log")
        options.setdefault("timeout", int(5000 * patience.SLOWER))
        command = ["ip", "netns", "exec", netns] if netns else []
        command += [SEQGUEST, *eal_arguments(directory, self.name, memory), "--"]
        command += [f"--path={path}", f"--id={self.id}", f"--mac=02:00:00:00:00:{self.id % 256:02x}"]
        for key, value in options.items():
            key = key.replace("_", "-")
            if value is True:
                command.append(f"--{key}")
            elif value is not False:
                command.append(f"--{key}={value}")
        log = open(self.log_path, "wb")  # noqa: SIM115, the process keeps it
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            bufsize=1,
            env={**os.environ, "RUNTIME_DIRECTORY": directory},
        )
        log.close()
        self._answers = queue.SimpleQueue()
        self.last = {}  # the newest report
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.start_timeout = start_timeout

    def _read(self):
        for line in self.process.stdout:
            if not line.startswith("{"):
                continue
            answer = json.loads(line)
            if answer["event"] == "report":
                self.last = answer
            self._answers.put(answer)
        self._answers.put({"event": "end"})

    def _expect(self, event, timeout):
        limit = Within(timeout * self.slower)
        while True:
            try:
                answer = self._answers.get(timeout=limit.left())
            except queue.Empty:
                if limit.over():
                    raise AssertionError(f"{self.name}: no {event} within {limit}") from None
                continue
            if answer["event"] == event:
                return answer
            if answer["event"] == "end":
                status = patience.reap(self.process, 5)
                raise AssertionError(f"{self.name} ended with {status}, see {self.log_path}")

    def wait_ready(self):
        """Until the device is up; a guest that serves the socket waits for its backend."""
        self._expect("ready", self.start_timeout)
        return self

    def send(self, command):
        """A command whose end nobody waits for."""
        self.process.stdin.write(command + "\n")

    def command(self, command, timeout=15.0):
        self.send(command)
        answer = self._expect("done", timeout)
        while answer["command"] != command[:40]:
            answer = self._expect("done", timeout)
        assert answer["ok"], f"{self.name}: {command}: {answer['error']}"

    def stats(self):
        """Its counters now."""
        self.send("stats")
        answer = self._expect("report", 10)
        self._expect("done", 10)
        return answer

    def wait_received(self, more, timeout=5.0):
        """Until that many packets more have come back; seconds that a quiet machine would have taken."""
        limit = Within(timeout * self.slower)
        goal = self.stats()["received"] + more
        while self.stats()["received"] < goal:
            assert not limit.over(), f"{self.name}: no traffic within {limit}: {self.stats()}"
            time.sleep(0.005)
        return limit.spent

    def reset(self):
        """Begins to count anew, when nothing is under way."""
        self.command("stop")
        wait_for(lambda: self.stats()["outstanding"] == 0, 20)
        self.command("reset")
        self.command("start")

    def finish(self, timeout=20.0):
        """Ends it in order; its last counters."""
        self.process.send_signal(signal.SIGTERM)
        final = self._expect("final", timeout)
        patience.reap(self.process, timeout * self.slower)
        return final

    def finish_clean(self):
        """Ends it; every packet must have come back once, in order and whole."""
        final = self.finish()
        faults = {key: final[key] for key in FAULTS if final[key]}
        assert not faults, f"{self.name}: {faults} of {final['sent']} packets: {final}"
        assert final["sent"] > 0
        assert final["sent"] == final["received"] + final["forgiven"], final
        return final

    def kill9(self):
        self.process.kill()
        self.process.wait()

    def cleanup(self):
        if self.process.poll() is None:
            self.kill9()
        self.process.stdin.close()
        self.reader.join(5)
        self.process.stdout.close()


class TestpmdGuest:
    """testpmd between the socket and a tap interface of the given name: the guest's kernel side.
    It runs in netns, where the interface appears."""

    __test__ = False

    def __init__(self, directory, path, iface, netns=None, memory=256, device_options=""):
        self.log_path = os.path.join(directory, f"testpmd-{iface}.log")
        log = open(self.log_path, "wb")  # noqa: SIM115, the process keeps it
        command = ["ip", "netns", "exec", netns] if netns else []
        cpus = os.cpu_count() - 1
        command += [
            "dpdk-testpmd",
            "--no-huge",
            "--no-pci",
            "--no-telemetry",
            "--single-file-segments",
            f"--lcores=0@(0-{cpus}),1@(0-{cpus})",
            f"--file-prefix=testpmd-{iface}",
            "-m",
            str(memory),
            f"--vdev=net_virtio_user0,path={path}{device_options}",
            f"--vdev=net_tap0,iface={iface}",
            "--",
            "--forward-mode=io",
            "--total-num-mbufs=8192",
            "--auto-start",
            "--stats-period=3600",
        ]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "RUNTIME_DIRECTORY": directory},
        )
        log.close()

    def cleanup(self):
        patience.end(self.process)
