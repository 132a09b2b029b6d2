"""How long tests wait: for conditions, never for a time, and for as long as a busy machine takes.

A limit is what a machine takes that has its CPUs for us. Whoever waits looks again and again, and each
look asks the kernel how many share the CPUs at that moment: a second in which six threads want two CPUs
counts as a third of one. A wait is not over either before it has had some looks, for a machine that
stood still meanwhile.

Where the daemon is held to real time, a Stopwatch tells how long an answer took without the time for
which those who make it were kept from running.
"""

import os
import subprocess
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("VIRTIO_FORWARDER", os.path.join(ROOT, "build", "virtio-forwarder"))
SANITIZED = "sanitize" in BINARY
SLOWER = 4.0 if SANITIZED else 1.0  # what the sanitizers cost
MARGIN = 2.0   # a limit is about what it takes: twice that is too much
LOOKS = 10     # that a wait has at least
STEP = 0.25    # s between two looks of one who sleeps in the kernel
CPUS = os.cpu_count()


def _first(path):
    try:
        with open(path, encoding="ascii") as file:
            return file.readline()
    except OSError:
        return ""


def running():
    """How many threads run or could, on the whole machine."""
    fields = _first("/proc/loadavg").split()
    return int(fields[3].partition("/")[0]) if len(fields) > 3 else 1


def pressure():
    """The share of the last ten seconds for which somebody waited for a CPU."""
    for field in _first("/proc/pressure/cpu").split():
        if field.startswith("avg10="):
            return float(field[len("avg10="):]) / 100
    return 0.0


def stretch():
    """How many times longer than on a quiet machine things take right now."""
    return SLOWER * max(1.0, running() / CPUS, 1 + pressure())


def patient_ms(milliseconds):
    """For what is told a time when it starts: as long as now is, and some more."""
    return int(milliseconds * MARGIN * stretch())


class Within:
    """A limit for a wait that starts now. What it is worth is reckoned anew at each look."""

    def __init__(self, seconds, margin=MARGIN):
        self.seconds, self.allowed = seconds, seconds * margin
        self.begin = self.last = time.monotonic()
        self.spent, self.looks = 0.0, 0

    def _look(self):
        now, stretched = time.monotonic(), stretch()
        self.spent += (now - self.last) / stretched
        self.last = now
        return stretched

    def over(self):
        """To be asked after each look in vain."""
        self._look()
        self.looks += 1
        return self.spent >= self.allowed and self.looks >= LOOKS

    def busy(self):
        """Whether the machine has had more to do than it has CPUs, all in all."""
        self._look()
        return self.last - self.begin > 1.2 * self.spent * SLOWER

    def left(self):
        """Seconds for which a call may block until the next look."""
        stretched = self._look()
        return min(STEP, max(0.01, (self.allowed - self.spent) * stretched))

    def __str__(self):
        return f"{self.seconds} s, which here were {time.monotonic() - self.begin:.1f} s"


def wait_for(predicate, seconds=5.0, what=None, interval=0.01, margin=MARGIN):
    """The predicate's first true value; an AssertionError when there is none in time. A margin of 1
    holds the daemon to a time that it promises."""
    limit = Within(seconds, margin)
    while True:
        value = predicate()
        if value:
            return value
        if limit.over():
            raise AssertionError(f"not within {limit}: {what or predicate}")
        time.sleep(interval)


def reap(process, seconds, margin=MARGIN):
    """The exit status of a process that is about to end; subprocess.TimeoutExpired if it does not."""
    limit = Within(seconds, margin)
    while True:
        try:
            return process.wait(limit.left())
        except subprocess.TimeoutExpired:
            if limit.over():
                raise


def end(process, seconds=10):
    """Has a process end in order if it will."""
    if process.poll() is None:
        process.terminate()
        try:
            reap(process, seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def collect(process, seconds, margin=MARGIN):
    """communicate() with a limit of that kind: (standard output, standard error)."""
    limit = Within(seconds, margin)
    while True:
        try:
            return process.communicate(timeout=limit.left())
        except subprocess.TimeoutExpired:
            if limit.over():
                process.kill()
                process.communicate()
                raise


def run(command, seconds=30, check=False, margin=MARGIN, **options):
    """A program to its end, what it says as text."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    process = subprocess.Popen(command, text=True, **options)
    out, err = collect(process, seconds, margin)
    done = subprocess.CompletedProcess(command, process.returncode, out, err)
    if check:
        assert done.returncode == 0, done
    return done


# --- real time ---------------------------------------------------------------------------------------


def _kept_waiting(task):
    """Seconds for which a thread could have run and had no CPU, so far."""
    fields = _first(f"/proc/{task}/schedstat").split()
    return int(fields[1]) / 1e9 if len(fields) > 1 else 0.0


class Stopwatch:
    """Started when it is made, stopped by the thread that made it. Of the daemon with this pid the
    threads count that answer, which are all but its workers: those always have something to do."""

    def __init__(self, pid):
        self.pid, self.before = pid, {}
        self.before = self._waits()
        self.begin = time.monotonic()

    def _tasks(self):
        yield f"{os.getpid()}/task/{threading.get_native_id()}"
        try:
            for task in os.listdir(f"/proc/{self.pid}/task"):
                if "worker" not in _first(f"/proc/{self.pid}/task/{task}/comm"):
                    yield f"{self.pid}/task/{task}"
        except OSError:
            pass  # it has ended, which others notice

    def _waits(self):
        return {task: _kept_waiting(task) for task in self._tasks()}

    def took(self):
        """Seconds since the start, without those for which we were kept waiting, and without those of
        the thread of the daemon's that was kept waiting most."""
        elapsed = time.monotonic() - self.begin
        ours, *others = (value - self.before.get(task, 0.0) for task, value in self._waits().items())
        return max(0.0, elapsed - ours - max(others, default=0.0))
