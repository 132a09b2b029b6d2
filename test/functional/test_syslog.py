"""The daemon and the system's log, whose reader may hang: nobody waits for it."""

import contextlib
import ctypes
import os
import re
import socket
import stat

import pytest
from patience import wait_for

CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}


def fill_dev(path):
    os.makedirs(f"{path}/shm")
    os.symlink("/proc/self/fd", f"{path}/fd")
    for name, numbers in DEVICES.items():
        os.mknod(f"{path}/{name}", 0o666 | stat.S_IFCHR, os.makedev(*numbers))


def enter_dev(path):
    """In the daemon to be: a /dev of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    for failed in (lambda: libc.unshare(CLONE_NEWNS),
                   lambda: libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None),
                   lambda: libc.mount(path.encode(), b"/dev", None, MS_BIND, None)):
        if failed() != 0:
            raise OSError(ctypes.get_errno(), "a /dev of its own")


@pytest.fixture
def reader(daemon):
    """/dev/log, as the daemon has it. What it does not read fills it up after some lines."""
    dev = f"{daemon.dir}/dev"
    fill_dev(dev)
    daemon.preexec = lambda: enter_dev(dev)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(f"{dev}/log")
        log.setblocking(False)
        yield log


def lines(log):
    found = []
    while True:
        try:
            found.append(log.recv(8192).decode())
        except BlockingIOError:
            return found


def fill(log):
    """Until it takes no more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                sender.sendto(b"filler", log.getsockname())


def test_who_does_not_read_holds_nobody_up(daemon, reader):
    fill(reader)
    daemon.start("--nodaemon=log_syslog")
    for relay in range(5):
        daemon.add(relay, f"net_null{relay}")
    for relay in range(5):
        daemon.wait_states(relay, "DPDK_ADDED", "VIRTIO_UNINIT")
    assert set(lines(reader)) == {"filler"}
    daemon.remove(0, "net_null0")
    told = lines(reader)
    assert re.fullmatch(rf"<28>\w{{3}} [ \d]\d \d\d:\d\d:\d\d virtio-forwarder\[{daemon.pid}\]: "
                        r"\d+ log lines lost: nobody read them", told[0]), told
    assert any("net_null0 removed" in line for line in told[1:]), told
    fill(reader)
    daemon.remove(1, "net_null1")
    assert daemon.stop() == 0


def test_its_reader_is_restarted(daemon, reader):
    daemon.start("--nodaemon=log_syslog")
    path = reader.getsockname()
    assert lines(reader)
    reader.close()
    os.unlink(path)
    daemon.add(0, "net_null0")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as again:
        again.bind(path)
        again.setblocking(False)
        daemon.add(1, "net_null1")
        wait_for(lambda: any("relay 1" in line for line in lines(again)), 5, "its lines")
    assert daemon.stop() == 0
