"""A child process that ends with the benchmark, and can be made to stand still."""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """Something that was to run does not. Its text is for whoever started the benchmark."""


def end_with_parent():
    """In the child, before it becomes another program: it is killed when the benchmark ends, and
    be it by SIGKILL."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """Its output goes to NAME.log in the directory; an interactive one has a prompt on pipes."""

    nice = 0  # of all that are started

    def __init__(self, name, directory, command, interactive=False, environment=None):
        self.name = name
        self.log_path = os.path.join(directory, f"{name}.log")
        self.pending = b""  # output behind the last whole line
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE if interactive else log,
                stderr=log if interactive else subprocess.STDOUT,
                env={**os.environ, "RUNTIME_DIRECTORY": directory, **(environment or {})},
                preexec_fn=self.prepare,
                start_new_session=True,  # Ctrl-C is for the benchmark, which then ends them
            )

    def prepare(self):
        """In the child. Where sessions are scheduled as groups, it is the group's priority that
        counts against others."""
        end_with_parent()
        os.setpriority(os.PRIO_PROCESS, 0, self.nice)
        if os.path.exists("/proc/self/autogroup"):
            with open("/proc/self/autogroup", "w", encoding="ascii") as file:
                file.write(str(self.nice))

    def fail(self, why):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            raise BenchError(f"{self.name} {why}:\n" + "".join(log.readlines()[-15:]))

    def check(self):
        if self.process.poll() is not None:
            self.fail(f"ended with {self.process.returncode}")

    def wait_for(self, predicate, seconds, what):
        """Until it is true, while the process lives."""
        deadline = time.monotonic() + seconds
        while not predicate():
            self.check()
            if time.monotonic() > deadline:
                self.fail(f"{what} not within {seconds} s")
            time.sleep(0.05)

    def ask(self, command, pattern, seconds=20):
        """Types a command; the first match of the pattern among the lines that follow."""
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        deadline = time.monotonic() + seconds
        while True:
            *lines, self.pending = self.pending.split(b"\n")
            for number, line in enumerate(lines):
                match = pattern.search(line)
                if match:
                    self.pending = b"\n".join([*lines[number + 1:], self.pending])
                    return match
            readable, _, _ = select.select([self.process.stdout], [], [],
                                           max(0, deadline - time.monotonic()))
            if not readable:
                self.fail(f"did not answer '{command}' within {seconds} s")
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                self.process.wait(10)
                self.check()
            self.pending += more

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """At once, paused or not: nothing it has is worth an orderly end."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def run(*command, environment=None, seconds=30):
    """A command that ends by itself; its output."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=seconds,
            stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})},
            preexec_fn=end_with_parent, check=False)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{command[0]} took more than {seconds} s") from None
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-1500:]}")
    return done.stdout


def end_in_order_on_signals():
    """SIGTERM and the like end the benchmark as an exception does: what it started is stopped."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda caught, _: sys.exit(128 + caught))
