"""Fixtures: each test gets a directory, and everything it starts is ended after it.

VIRTIO_FORWARDER names another binary to test (a sanitizer build). A failing test keeps its
directory, and the report names it and ends with the last lines of its logs.
"""

import fcntl
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import zlib

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from daemon import BINARY, ROOT, Daemon, wait_for  # noqa: E402
from guest import SeqGuest, TestpmdGuest  # noqa: E402
from netns import Netns  # noqa: E402
from ovsdb import Ovsdb  # noqa: E402


def quick_or_all(few, many, *marks):
    """A parameter of torture: how often, in `make check` (with these marks too) and in its full count."""
    return [pytest.param(few, marks=[pytest.mark.quick, *marks]), pytest.param(many, marks=pytest.mark.slow)]


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: torture in its full count: for `make check-full`")
    config.addinivalue_line("markers", "long: left to `make check-more`, as it takes longest")
    config.addinivalue_line("markers", "quick: what a slow test does in its full count")
    config.addinivalue_line("markers", "alone: measures the machine or takes all of it, so that no "
                                       "other test may run beside it")


def pytest_sessionstart(session):
    # With pytest-xdist, whoever starts the processes has built for them.
    if session.config.option.collectonly or hasattr(session.config, "workerinput"):
        return
    if not os.path.exists(BINARY):
        pytest.exit(f"{BINARY} is not there: run make", 2)
    tool = os.path.join("build", "tools", "seqguest")
    if not os.path.exists(os.path.join(ROOT, tool)):
        subprocess.run(["make", "-C", ROOT, tool], check=True)


@pytest.hookimpl(trylast=True)  # after what was asked for has been chosen
def pytest_collection_modifyitems(config, items):
    """Side by side, those that do are given their tests in stretches: what takes long, and stands together
    in a file, must not be one's alone. So all are mixed, alike for each, and machines do not come last."""
    if not hasattr(config, "workerinput"):
        return

    def place(item):
        mixed = zlib.crc32(item.nodeid.encode()) / 2**32
        return mixed * 0.7 if "qemu" in item.nodeid else mixed

    items.sort(key=place)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "teardown" or not report.failed:
        return
    item.failed_once = True
    directory = item.funcargs.get("directory") if hasattr(item, "funcargs") else None
    if directory:
        for path in sorted(glob.glob(os.path.join(directory, "*.log"))):
            with open(path, encoding="utf-8", errors="replace") as file:
                report.sections.append((f"end of {path}", "".join(file.readlines()[-25:])))


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """What `make install` makes of the tree, below this directory. One make at a time: it builds
    what is missing, and tests may run side by side."""
    root = str(tmp_path_factory.mktemp("root"))
    with open(os.path.join(ROOT, "build", ".installing"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(
            ["make", "--no-print-directory", "-C", ROOT, "install", f"DESTDIR={root}", "PREFIX=/usr"],
            check=True,
            capture_output=True,
            env={"PATH": os.environ["PATH"]},
        )
    return root


@pytest.fixture
def directory(request):
    """Of this test alone. Short, since a socket's path has at most 107 characters."""
    path = tempfile.mkdtemp(prefix="vf-")
    os.chmod(path, 0o755)
    yield path
    if getattr(request.node, "failed_once", False):
        print(f"logs of {request.node.name}: {path}")
    else:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def started(directory):
    """What a test starts: add(thing) has thing.cleanup() called at its end, newest first."""
    things = []

    class Started:
        @staticmethod
        def add(thing):
            things.append(thing)
            return thing

    yield Started
    for thing in reversed(things):
        thing.cleanup()


@pytest.fixture
def new_daemon(directory, started):
    """A further daemon, not started: new_daemon("name")."""

    def make(name, netns=None):
        path = os.path.join(directory, name)
        os.makedirs(path, exist_ok=True)
        return started.add(Daemon(path, netns))

    return make


@pytest.fixture
def daemon(directory, started):
    """A daemon, not started yet."""
    return started.add(Daemon(directory))


@pytest.fixture
def database(directory, started):
    """A running ovsdb-server with a bridge."""
    return started.add(Ovsdb(directory)).init()


@pytest.fixture
def guest(directory, started):
    """guest(path, queues=4, …) starts a seqguest and waits until its device is up."""

    def make(path, ready=True, **options):
        one = started.add(SeqGuest(directory, path, **options))
        return one.wait_ready() if ready else one

    return make


@pytest.fixture
def testpmd_guest(directory, started):
    def make(path, iface, **options):
        return started.add(TestpmdGuest(directory, path, iface, **options))

    return make


@pytest.fixture
def netns(started):
    return lambda name: started.add(Netns(name))


class Bystander:
    """Relay 0 of the daemon, with a loop-back VF and a guest whose packets must all come back once
    and in order, whatever is done to the relays beside it."""

    def __init__(self, daemon, guest, **options):
        self.daemon = daemon
        daemon.add_ring(0)
        path = daemon.socket_path(0)
        self.client_mode = "--vhostuser-client" in daemon.options
        self.guest = guest(path, ready=False, server=self.client_mode, **options)
        self.guest.wait_ready()
        daemon.wait_states(0, "DPDK_READY", "VIRTIO_READY", 10)

    def check(self):
        """Ends it: nothing lost or reordered by the receiver's count and by the daemon's, and no
        packet of any relay has leaked."""
        final = self.guest.finish_clean()
        state = self.daemon.relay(0)
        assert not self.daemon.dropped(0), (self.daemon.dropped(0), final)
        assert state.vm_to_vf.pkts_rx_from_vm == state.vm_to_vf.pkts_tx_to_vf == final["sent"]
        assert state.vf_to_vm.pkts_rx_from_vf == state.vf_to_vm.pkts_tx_to_vm
        assert state.vf_to_vm.pkts_tx_to_vm == final["received"]
        assert state.vf_to_vm.bytes_tx_to_vm == state.vm_to_vf.bytes_rx_from_vm
        self.daemon.remove_all()
        return final


@pytest.fixture
def bystander(daemon, guest):
    """bystander() after daemon.start()."""
    return lambda **options: Bystander(daemon, guest, **options)


__all__ = ["wait_for"]
