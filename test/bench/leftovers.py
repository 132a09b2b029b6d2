"""What the benchmark leaves behind is taken away however it ends: its directory, and the hugepages
that it has reserved. A process of its own waits for that, for a benchmark that is killed runs no
handlers. (Child processes have the kernel for it: see process.py.)
"""

import os
import shutil
import signal
import tempfile

from process import BenchError

PAGES_KB = 2048
PAGES = f"/sys/kernel/mm/hugepages/hugepages-{PAGES_KB}kB"


def pages(name):
    with open(os.path.join(PAGES, name), encoding="ascii") as file:
        return int(file.read())


def set_pages(count):
    with open(os.path.join(PAGES, "nr_hugepages"), "w", encoding="ascii") as file:
        file.write(str(count))


class Leftovers:
    """A context: directory is there to be used, and goes with it."""

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="vf-bench-")
        reader, self.pipe = os.pipe()  # children that become other programs do not inherit it
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            self.wait_and_take_away(reader)  # does not return
        os.close(reader)
        return self

    def wait_and_take_away(self, reader):
        """In the process of its own. Each line read is a number of pages to give back."""
        try:
            os.setsid()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            with os.fdopen(reader, "rb") as lines:
                reserved = sum(int(line) for line in lines)
            shutil.rmtree(self.directory, ignore_errors=True)
            if reserved:
                set_pages(max(0, pages("nr_hugepages") - reserved))
        finally:
            os._exit(0)

    def __exit__(self, *_):
        os.close(self.pipe)
        os.waitpid(self.pid, 0)

    def reserve_pages(self, megabytes):
        """As many free ones; those that were missing are given back at the end."""
        if not os.path.isdir(PAGES):
            raise BenchError(f"this kernel has no hugepages of {PAGES_KB} kB")
        needed = megabytes * 1024 // PAGES_KB
        before = pages("nr_hugepages")
        missing = needed - pages("free_hugepages")
        if missing <= 0:
            return
        set_pages(before + missing)
        os.write(self.pipe, b"%d\n" % (pages("nr_hugepages") - before))
        if pages("free_hugepages") < needed:
            raise BenchError(f"{needed} free hugepages of {PAGES_KB} kB are needed, the kernel gave "
                             f"{pages('free_hugepages')}: free some memory")
