"""Client mode, while no guest comes: what is at the sockets' paths is said, once and for each relay, and
the statistics tell it too."""

import contextlib
import os
import socket

from daemon import wait_for


def trouble(daemon, relay):
    return daemon.relay(relay).vhost.trouble


def said(daemon, words, times=1):
    wait_for(lambda: daemon.log_text().count(words) >= times, 10, words)
    assert daemon.log_text().count(words) == times, daemon.log_text()


def is_clean(daemon):
    lines = [line for line in daemon.log_text().splitlines() if " WARNING " in line or " ERROR " in line]
    assert not lines, lines


def test_nothing_there_yet(daemon):
    daemon.start("--vhostuser-client")
    said(daemon, "64 relays wait for QEMU, which has not made their sockets in ")
    wait_for(lambda: trouble(daemon, 5) == "QEMU has not made the socket", 10)
    assert "failed to connect" not in daemon.log_text()
    is_clean(daemon)


def serve(path, backlog=None):
    """A socket: bound only, or listened at with that backlog, and nobody who takes connections."""
    one = socket.socket(socket.AF_UNIX)
    one.bind(path)
    if backlog is not None:
        one.listen(backlog)
    return one


def test_each_thing_that_may_be_there(daemon, guest):
    """A file, a directory, a stale socket, one that takes nobody, one that was taken long ago."""
    paths = {name: daemon.socket_path(relay) for relay, name in
             enumerate(("file", "directory", "stale", "full", "idle", "guest"), start=1)}  # fmt: skip
    with open(paths["file"], "w", encoding="ascii"):
        pass
    os.mkdir(paths["directory"])
    serve(paths["stale"]).close()
    with contextlib.ExitStack() as stack:
        full, idle = serve(paths["full"], 0), serve(paths["idle"], 5)
        stack.enter_context(full)
        stack.enter_context(idle)
        stranger = stack.enter_context(socket.socket(socket.AF_UNIX))
        stranger.connect(paths["full"])  # its queue has room for one
        daemon.start("--vhostuser-client")
        said(daemon, f"WARNING relay 1: no guest comes by {paths['file']}: it is no socket; remove it")
        said(daemon, f"WARNING relay 2: no guest comes by {paths['directory']}: it is a directory; remove it")
        said(daemon, f"NOTICE relay 3: no guest comes by {paths['stale']}: it is a socket that nobody serves; ")
        for relay, name in ((4, "full"), (5, "idle")):
            said(daemon, f"WARNING relay {relay}: no guest comes by {paths[name]}: somebody listens there and "
                         "does not take the connection; ")  # fmt: skip
        said(daemon, "59 relays wait for QEMU")
        assert [trouble(daemon, relay) for relay in range(6)] == [
            "QEMU has not made the socket", "no socket is at the socket's path",
            "a directory is at the socket's path", "the socket is stale",
            *["QEMU listens and does not take the connection"] * 2,
        ]  # fmt: skip
        # One that comes is at fault in nothing.
        one = guest(paths["guest"], ready=False, server=True)
        daemon.wait_states(6, "DPDK_UNINIT", "VIRTIO_READY", 30)
        one.wait_ready()
        wait_for(lambda: trouble(daemon, 6) is None, 10)
        # And whoever was waited for is, once it takes its connection.
        connection, _ = idle.accept()
        wait_for(lambda: trouble(daemon, 5) is None, 10)
        connection.close()
    assert daemon.log_text().count(" WARNING relay ") == 4, daemon.log_text()


def test_a_guest_that_left_its_socket(daemon, guest):
    daemon.start("--vhostuser-client")
    path = daemon.socket_path(0)
    guest(path, server=True).kill9()
    assert os.path.exists(path)
    wait_for(lambda: trouble(daemon, 0) == "the socket is stale", 10)
    said(daemon, f"relay 0: no guest comes by {path}: it is a socket that nobody serves")
    os.unlink(path)
    wait_for(lambda: trouble(daemon, 0) == "QEMU has not made the socket", 10)
    guest(path, server=True)
    wait_for(lambda: trouble(daemon, 0) is None, 10)
    is_clean(daemon)
