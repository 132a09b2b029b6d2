"""What was made once is not there for ever: somebody takes away the files of a daemon that runs, or puts
others in their place. It says so, makes them anew, and nobody who is connected notices."""

import os
import shutil
import socket

import pytest

import wire_client as wire
from daemon import wait_for
from vhost_peer import Peer

WITHOUT_GUEST = "VIRTIO_UNINIT"


def inode(path):
    try:
        return os.lstat(path).st_ino
    except FileNotFoundError:
        return None


def said(daemon, text):
    wait_for(lambda: text in daemon.log_text(), 10, text)


def listens(path):
    """Whether somebody does, by the kernel's list: whoever connects to see it keeps the guest that comes
    next out, until the daemon has noticed that he left."""
    listening = "00010000"  # the flag
    with open("/proc/net/unix", encoding="utf-8") as file:
        return any(line.split()[3] == listening for line in file if line.rstrip().endswith(" " + path))


def comes_back(path):
    """Somebody listens there again."""
    wait_for(lambda: os.path.exists(path) and listens(path), 10, f"somebody at {path}")


def add_sock(daemon, device, path):
    answer = wire.port_control(daemon.port_control_ep, wire.ADD_SOCK, [device], vhost_path=path)
    assert answer.status == wire.OK, answer


def looked(daemon):
    """The daemon has looked at its sockets since: one that is taken away is there again."""
    path = daemon.socket_path(63)
    os.unlink(path)
    comes_back(path)


def hidden(daemon):
    return [name for name in os.listdir(daemon.vhost_dir) if name.startswith(".")]


# --- guests' sockets -------------------------------------------------------------------------------


def test_a_socket_without_a_guest(daemon, guest):
    daemon.start()
    daemon.add_ring(0)
    path = daemon.socket_path(0)
    before = os.stat(path)
    os.unlink(path)
    comes_back(path)
    now = os.stat(path)
    assert (now.st_mode, now.st_uid, now.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    said(daemon, f"relay 0: somebody removed {path}; it is made anew")
    said(daemon, f"relay 0: {path} is there again")
    one = guest(path)
    one.wait_received(200)
    one.finish_clean()


def test_a_socket_with_a_guest(daemon, guest):
    """The guest goes on without a loss; the socket is the same one, and others can come after it."""
    daemon.start()
    daemon.add_ring(0)
    path = daemon.socket_path(0)
    one = guest(path)
    daemon.wait_states(0, "DPDK_READY", "VIRTIO_READY")
    before = inode(path)
    for _ in range(3):
        os.unlink(path)
        wait_for(lambda: inode(path) == before, 10, "the same socket again")
        one.wait_received(200)
    said(daemon, f"relay 0: somebody removed {path}; it is there again, and whoever is connected")
    one.finish_clean()
    daemon.wait_states(0, "DPDK_ADDED", WITHOUT_GUEST)
    other = guest(path)
    other.wait_received(200)
    other.finish_clean()
    assert daemon.stop() == 0
    assert os.listdir(daemon.vhost_dir) == []


def test_all_sockets_and_their_directory(daemon, guest):
    """The one with a guest cannot have its name back, but is made anew when that leaves."""
    daemon.start()
    os.chmod(daemon.vhost_dir, 0o751)
    for relay in (0, 1):
        daemon.add_ring(relay)
    one = guest(daemon.socket_path(0))
    daemon.wait_states(0, "DPDK_READY", "VIRTIO_READY")
    assert "somebody" not in daemon.log_text()
    looked(daemon)
    shutil.rmtree(daemon.vhost_dir)
    comes_back(daemon.socket_path(1))
    assert os.stat(daemon.vhost_dir).st_mode & 0o7777 == 0o751
    said(daemon, f"{daemon.socket_path(0)}; whoever is connected stays so")
    wait_for(lambda: len(os.listdir(daemon.vhost_dir)) == 63, 20, "63 sockets")
    one.wait_received(200)
    one.finish_clean()
    comes_back(daemon.socket_path(0))
    for relay in (0, 1):
        other = guest(daemon.socket_path(relay))
        other.wait_received(200)
        other.finish_clean()


def test_somebody_elses_socket(daemon, guest):
    """It stays whatever we do: not overwritten, not unlinked by a relay that ends, nor by the daemon."""
    daemon.start()
    daemon.add_ring(0)
    path = daemon.socket_path(0)
    one = guest(path)
    daemon.wait_states(0, "DPDK_READY", "VIRTIO_READY")
    os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as theirs:
        # whoever is quicker: the daemon's own name may be back by now
        while True:
            try:
                theirs.bind(path)
                break
            except OSError:
                os.unlink(path)
        theirs.listen()
        mine = inode(path)
        said(daemon, f"relay 0: {path} is somebody else's now")
        one.wait_received(200)
        one.finish_clean()
        daemon.wait_states(0, "DPDK_ADDED", WITHOUT_GUEST)
        assert inode(path) == mine
        assert daemon.stop() == 0
        assert inode(path) == mine and os.listdir(daemon.vhost_dir) == [os.path.basename(path)]
        daemon.start("--vhost-path=" + os.path.join(daemon.dir, "elsewhere"))
    daemon.stop()


def test_somebody_elses_file_goes_again(daemon, guest):
    daemon.start()
    daemon.add_ring(0)
    path = daemon.socket_path(0)
    with open(path + ".theirs", "w", encoding="ascii") as file:
        file.write("precious")
    os.rename(path + ".theirs", path)
    said(daemon, f"relay 0: {path} is somebody else's now")
    with open(path, encoding="ascii") as file:
        assert file.read() == "precious"
    os.unlink(path)
    comes_back(path)
    one = guest(path)
    one.wait_received(200)
    one.finish_clean()


def test_a_socket_that_a_killed_daemon_has_kept(daemon, guest):
    """The hidden name of a socket in use is cleared away, and does not pile up."""
    daemon.start()
    daemon.add_ring(0)
    one = guest(daemon.socket_path(0))
    daemon.wait_states(0, "DPDK_READY", "VIRTIO_READY")
    looked(daemon)
    assert len(hidden(daemon)) == 1
    daemon.kill9()
    one.kill9()
    daemon.start(*daemon.options)
    wait_for(lambda: len(os.listdir(daemon.vhost_dir)) == 64, 10, "64 sockets and nothing else")


def test_a_dynamic_socket_and_its_directory(daemon, guest):
    """That directory is the client's: the daemon waits until it is there again."""
    daemon.start("--dynamic-sockets")
    where = os.path.join(daemon.dir, "theirs")
    os.mkdir(where)
    path = os.path.join(where, "guest")
    add_sock(daemon, "net_ring0", path)
    shutil.rmtree(where)
    said(daemon, f"relay 0: somebody removed {path}, and it cannot be made anew: its directory {where}")
    os.mkdir(where)
    comes_back(path)
    one = guest(path)
    one.wait_received(200)
    one.finish_clean()
    daemon.remove_sock(path)
    assert os.listdir(where) == []


def test_a_front_end_without_a_driver_keeps_its_connection(daemon):
    daemon.start()
    path = daemon.socket_path(0)
    with Peer(path) as peer:
        wait_for(lambda: hidden(daemon), 10, "its hidden name")
        before = inode(path)
        os.unlink(path)
        wait_for(lambda: inode(path) == before, 10, "the same socket again")
        peer.start()  # it is answered still


@pytest.mark.parametrize("how", ["removed", "moved"])
def test_a_removal_while_the_socket_is_away(daemon, guest, how):
    daemon.start("--dynamic-sockets")
    path = os.path.join(daemon.vhost_dir, "guest")
    add_sock(daemon, "net_ring0", path)
    if how == "moved":
        os.rename(path, path + ".moved")
    else:
        os.unlink(path)
    daemon.remove_sock(path)
    assert not os.path.exists(path)
    add_sock(daemon, "net_ring0", path)
    one = guest(path)
    one.wait_received(200)
    one.finish_clean()


# --- endpoints --------------------------------------------------------------------------------------


def answers(endpoint):
    with wire.Client(endpoint) as client:
        return wire.Record(client.exchange(wire.stats_request([0]), 10), wire.STATS_RESPONSE)


@pytest.mark.parametrize("times", [1, 6], ids=["once", "again and again"])
def test_an_endpoint(daemon, times):
    """Who is connected stays so; those who come find it again. Only when it is taken away all the time
    must the connected connect once more, as ZeroMQ does by itself."""
    daemon.start()
    daemon.add_ring(0)
    path = daemon.stats_ep.removeprefix("ipc://")
    before = os.stat(path)
    with wire.Client(daemon.stats_ep) as old:
        for _ in range(times):
            assert old.exchange(wire.stats_request([0]), 10)
            gone = inode(path)
            os.unlink(path)
            wait_for(lambda: inode(path) not in (None, gone), 10, "another socket")  # noqa: B023
            assert answers(daemon.stats_ep).status == wire.STATS_OK
        assert old.exchange(wire.stats_request([0]), 10)
    now = os.stat(path)
    assert (now.st_mode, now.st_uid, now.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    said(daemon, f"endpoint {daemon.stats_ep}: somebody removed it; it is there again")
    assert daemon.stop() == 0
    assert not os.path.exists(path) and not os.path.exists(path + ".lock")


def test_descriptors_do_not_pile_up(daemon):
    daemon.start()
    path = daemon.stats_ep.removeprefix("ipc://")
    before = daemon.settled_fds()
    for _ in range(3):
        gone = inode(path)
        os.unlink(path)
        wait_for(lambda: inode(path) not in (None, gone), 10, "another socket")  # noqa: B023
        assert answers(daemon.stats_ep).status == wire.STATS_OK
    wait_for(lambda: daemon.settled_fds() == before, 10, (before, daemon.settled_fds()))


def test_an_endpoint_that_is_somebody_elses(daemon):
    daemon.start()
    path = daemon.stats_ep.removeprefix("ipc://")
    with open(path + ".theirs", "w", encoding="ascii") as file:
        file.write("precious")
    os.rename(path + ".theirs", path)
    said(daemon, f"endpoint {daemon.stats_ep}: what is there now is somebody else's")
    assert daemon.stop() == 0
    with open(path, encoding="ascii") as file:
        assert file.read() == "precious"
    os.unlink(path)
    daemon.restart()
    with open(path + ".theirs", "w", encoding="ascii") as file:
        file.write("precious")
    os.rename(path + ".theirs", path)
    said(daemon, f"endpoint {daemon.stats_ep}: what is there now is somebody else's")
    os.unlink(path)
    comes_back(path)
    assert answers(daemon.stats_ep).status == wire.STATS_OK


def test_an_endpoints_directory(daemon):
    where = os.path.join(daemon.dir, "endpoints")
    daemon.stats_ep = f"ipc://{where}/stats"
    daemon.start()
    os.chmod(where, 0o750)
    said(daemon, "stats listens")
    with wire.Client(daemon.stats_ep) as old:
        assert old.exchange(wire.stats_request([0]), 10)
        os.unlink(f"{where}/stats")  # it has looked since, when that is there again
        wait_for(lambda: os.path.exists(f"{where}/stats"), 10)
        shutil.rmtree(where)
        comes_back(f"{where}/stats")
        assert old.exchange(wire.stats_request([0]), 10)
    assert os.stat(where).st_mode & 0o7777 == 0o750
    wait_for(lambda: os.path.exists(f"{where}/stats.lock"), 10, "the lock")


# --- locks, pid file, state --------------------------------------------------------------------------


def test_the_lock_and_the_pid_file(daemon, new_daemon):
    """Without them another instance would start, and take the endpoint away."""
    daemon.start()
    lock = daemon.stats_ep.removeprefix("ipc://") + ".lock"
    for path in (lock, daemon.pid_file()):
        mode = os.stat(path).st_mode
        os.unlink(path)
        wait_for(lambda: os.path.exists(path) and os.path.getsize(path), 10, path)  # noqa: B023
        with open(path, encoding="ascii") as file:
            assert file.read() == f"{daemon.pid}\n"
        assert os.stat(path).st_mode == mode
        said(daemon, f"somebody removed {path}" if path == lock else f"the pid file {path}; it is made")
    for options in ([f"--pid-path={daemon.pid_dir}"], [f"--zmq-stats-ep={daemon.stats_ep}"]):
        other = new_daemon("two")
        other.launch(*options).close()
        wait_for(lambda: not other.alive(), 20, "the other's end")  # noqa: B023
        assert f"another instance runs (pid {daemon.pid})" in other.log_text()
    assert daemon.stop() == 0
    assert not os.path.exists(lock) and not os.path.exists(daemon.pid_file())


def test_a_pid_file_of_somebody_elses(daemon):
    daemon.start()
    with open(daemon.pid_file() + ".theirs", "w", encoding="ascii") as file:
        file.write("precious")
    os.rename(daemon.pid_file() + ".theirs", daemon.pid_file())
    said(daemon, f"{daemon.pid_file()} is not there any more, and cannot be made anew: "
                 f"{daemon.pid_file()} is somebody else's")
    assert daemon.stop() == 0
    with open(daemon.pid_file(), encoding="ascii") as file:
        assert file.read() == "precious"


def test_the_saved_state(daemon):
    daemon.start()
    daemon.add_ring(3)
    shutil.rmtree(daemon.pid_dir)
    said(daemon, "the relays' saved state; it is written anew")
    wait_for(lambda: os.path.exists(f"{daemon.pid_dir}/virtio-forwarder/state.json"), 10, "the file")
    wait_for(lambda: os.path.exists(daemon.pid_file()), 10, "the pid file")
    assert os.stat(daemon.pid_dir).st_mode & 0o7777 == 0o755
    daemon.kill9()
    daemon.start()
    daemon.wait_states(3, "DPDK_ADDED", WITHOUT_GUEST)
