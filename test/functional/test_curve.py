"""tcp endpoints and their keys (--zmq-curve-dir)."""

import contextlib
import errno
import os
import re
import shutil
import signal
import socket

import pytest
import wire_client as wire
import zmq
import patience
from daemon import ROOT, wait_for
from zmtp import Raw, frame, greeting, ready

CURVE_WAIT_S = 1.0  # how long "nothing" is waited for


def free_port(family=socket.AF_INET, host="127.0.0.1"):
    with socket.socket(family) as one:
        one.bind((host, 0))
        return one.getsockname()[1]


class Keys:
    """A key directory, and the keys of those who may and may not come in."""

    def __init__(self, path):
        self.dir = path
        os.makedirs(os.path.join(path, "clients"), exist_ok=True)
        self.server_public, self.server_secret = zmq.curve_keypair()
        self.write("server.key", self.server_secret, 0o600)
        self.friend, self.stranger = zmq.curve_keypair(), zmq.curve_keypair()
        self.admit("friend", self.friend)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as file:
            file.write(text + b"\n")
        os.chmod(path, mode)
        return path

    def admit(self, name, pair):
        return self.write(f"clients/{name}.pub", pair[0])


@pytest.fixture
def keys(directory):
    return Keys(os.path.join(directory, "keys"))


@pytest.fixture
def running(daemon, keys):
    daemon.port = free_port()
    daemon.tcp = f"tcp://127.0.0.1:{daemon.port}"
    return daemon.start(f"--zmq-stats-ep={daemon.tcp}", f"--zmq-curve-dir={keys.dir}")


class CurveClient(wire.Client):
    def __init__(self, endpoint, pair, server_public):
        self.pair, self.server_public = pair, server_public
        super().__init__(endpoint)

    def prepare(self, endpoint):
        if self.pair:
            self.socket.curve_publickey, self.socket.curve_secretkey = self.pair
            self.socket.curve_serverkey = self.server_public


def told(endpoint, pair, server_public, timeout=CURVE_WAIT_S, margin=1):
    """Whether a client with these keys gets an answer."""
    with CurveClient(endpoint, pair, server_public) as client:
        try:
            body = client.exchange(wire.stats_request([0]), timeout, margin)
        except wire.NoAnswer:
            return False
        return wire.Record(body, wire.STATS_RESPONSE).status == wire.STATS_OK


def test_only_clients_with_keys(running, keys):
    assert told(running.tcp, keys.friend, keys.server_public, 5, 2)
    assert not told(running.tcp, keys.stranger, keys.server_public)
    assert not told(running.tcp, None, None)  # plain ZeroMQ
    assert not told(running.tcp, keys.friend, keys.stranger[0])  # some other daemon's key
    wait_for(lambda: "its key is not among" in running.log_text())
    assert "every user of this host" not in running.log_text()
    assert told(running.tcp, keys.friend, keys.server_public, 5, 2)
    # ipc endpoints have permissions instead.
    answer = wire.port_control(running.port_control_ep, wire.QUERY_PCI, vhost_path="/x")
    assert answer.error_code == 2


def test_without_a_key_not_one_word(running):
    """Neither an answer nor anything else that a request has caused."""
    for words in (
        greeting() + ready() + frame(b"", 1) + frame(b""),
        greeting(b"CURVE") + ready() + frame(b"", 1) + frame(b""),
        greeting(b"CURVE") + frame(b"\x05HELLO" + os.urandom(194), 4),
        greeting(b"PLAIN") + frame(b"\x05HELLO\x01a\x01b", 4) + frame(b"") * 10,
    ):
        with Raw(running.tcp, handshake=False) as raw:
            raw.send(words)
            said = b""
            with contextlib.suppress(ConnectionResetError):
                while data := raw.socket.recv(4096):
                    said += data
            assert len(said) <= 64, said  # ZeroMQ's greeting, and that was it
            assert len(said) < 64 or b"CURVE" in said


def test_keys_are_read_again(running, keys):
    with CurveClient(running.tcp, keys.friend, keys.server_public) as friend:
        assert friend.exchange(wire.stats_request([0]), 5)
        keys.admit("another", keys.stranger)
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "2 clients have keys" in running.log_text())
        assert told(running.tcp, keys.stranger, keys.server_public, 5, 2)
        assert friend.exchange(wire.stats_request([0]), 5)

        # Whoever loses its key is cut off, though it is connected.
        os.unlink(os.path.join(keys.dir, "clients", "friend.pub"))
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "1 clients have keys" in running.log_text())
        friend.send(wire.stats_request([0]))
        with pytest.raises(wire.NoAnswer):
            friend.receive(CURVE_WAIT_S, margin=1)
    assert told(running.tcp, keys.stranger, keys.server_public, 5, 2)

    # A directory that is wrong leaves what there was.
    keys.write("clients/rubbish.pub", b"rubbish")
    running.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "clients' keys unchanged" in running.log_text())
    assert "rubbish.pub holds no key" in running.log_text()
    assert told(running.tcp, keys.stranger, keys.server_public, 5, 2)


def test_other_addresses_with_keys_only(new_daemon, keys):
    port = free_port()
    closed = new_daemon("closed")
    closed.start(f"--zmq-stats-ep=tcp://0.0.0.0:{port}")
    assert re.search(f"WARNING .*--zmq-stats-ep is left closed: tcp://0.0.0.0:{port} .*--zmq-curve-dir",
                     closed.log_text())
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED

    opened = new_daemon("opened")
    opened.start(f"--zmq-stats-ep=tcp://0.0.0.0:{port}", f"--zmq-curve-dir={keys.dir}")
    address = f"tcp://127.0.0.2:{port}"
    assert told(address, keys.friend, keys.server_public, 5, 2)
    assert not told(address, keys.stranger, keys.server_public)
    assert not told(address, None, None)


def test_loopback_without_keys_is_warned_about(daemon):
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    daemon.start(f"--zmq-stats-ep={endpoint}")
    assert f"endpoint {endpoint}: every user of this host can use it" in daemon.log_text()
    assert told(endpoint, None, None, 5, 2)


def test_loopback_of_ipv6(daemon):
    endpoint = f"tcp://[::1]:{free_port(socket.AF_INET6, '::1')}"
    daemon.start(f"--zmq-stats-ep={endpoint}")

    class Ipv6Client(wire.Client):
        def prepare(self, endpoint):
            self.socket.ipv6 = True

    with Ipv6Client(endpoint) as client:
        body = client.exchange(wire.stats_request([0]), 5)
        assert wire.Record(body, wire.STATS_RESPONSE).status == wire.STATS_OK


def spoil(what):
    def make(keys):
        path = os.path.join(keys.dir, "server.key")
        friend = os.path.join(keys.dir, "clients", "friend.pub")
        clients = os.path.join(keys.dir, "clients")
        {
            "missing": lambda: os.unlink(path),
            "world-readable": lambda: os.chmod(path, 0o644),
            "group-writable": lambda: os.chmod(path, 0o660),
            "short": lambda: keys.write("server.key", b"x" * 39, 0o600),
            "long": lambda: keys.write("server.key", b"x" * 41, 0o600),
            "two": lambda: keys.write("server.key", keys.server_secret + b"\nmore", 0o600),
            "not Z85": lambda: keys.write("server.key", b"~" * 40, 0o600),
            "binary": lambda: keys.write("server.key", os.urandom(100), 0o600),
            "empty": lambda: keys.write("server.key", b"", 0o600),
            "foreign": lambda: os.chown(path, 65534, 0),
            "directory": lambda: (os.unlink(path), os.mkdir(path)),
            "fifo": lambda: (os.unlink(path), os.mkfifo(path, 0o600)),
            "client foreign": lambda: os.chown(friend, 65534, 0),
            "client writable": lambda: os.chmod(friend, 0o666),
            "client empty": lambda: keys.write("clients/empty.pub", b""),
            "clients writable": lambda: os.chmod(clients, 0o777),
            "clients missing": lambda: shutil.rmtree(clients),
            "all writable": lambda: os.chmod(keys.dir, 0o777),
            "all missing": lambda: shutil.rmtree(keys.dir),
        }[what]()

    return make


@pytest.mark.parametrize(
    "what, says",
    [
        ("missing", "server.key: No such file"),
        ("world-readable", "others can read it: chmod 600"),
        ("group-writable", "others can change it"),
        ("short", "server.key holds no key"),
        ("long", "server.key holds no key"),
        ("two", "server.key holds no key"),
        ("not Z85", "server.key holds no key"),
        ("binary", "server.key holds no key"),
        ("empty", "server.key holds no key"),
        ("foreign", "belongs to user 65534"),
        ("directory", "server.key"),
        ("fifo", "server.key holds no key"),
        ("client foreign", "friend.pub belongs to user 65534"),
        ("client writable", "friend.pub has mode 0666, so that others can change it: chmod go-w"),
        ("client empty", "empty.pub holds no key"),
        ("clients writable", "clients has mode 0777"),
        ("clients missing", "clients: No such file"),
        ("all writable", "keys has mode 0777"),
        ("all missing", "keys: No such file"),
    ],
)
def test_keys_that_are_not_safe_are_refused(daemon, keys, what, says):
    spoil(what)(keys)
    with pytest.raises(AssertionError, match="ended with 1"):
        daemon.start(f"--zmq-stats-ep=tcp://127.0.0.1:{free_port()}", f"--zmq-curve-dir={keys.dir}")
    assert "--zmq-curve-dir: " in daemon.log_text()
    assert says in daemon.log_text(), daemon.log_tail()
    assert keys.server_secret.decode() not in daemon.log_text()


def test_other_files_are_no_keys(daemon, keys):
    keys.write("clients/README", b"who is who")
    keys.write("clients/.pub", b"hidden")
    keys.write("clients/old.pub.bak", b"x")
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    daemon.start(f"--zmq-stats-ep={endpoint}", f"--zmq-curve-dir={keys.dir}")
    assert told(endpoint, keys.friend, keys.server_public, 5, 2)


# --- the scripts ---------------------------------------------------------------------------------


def test_keys_as_the_manual_makes_them(directory, daemon):
    """The README's commands, to the letter."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        commands = re.search(r"```\n(umask 077\n.*?)```", file.read(), re.DOTALL).group(1)
    commands = commands.replace("/etc/virtio-forwarder/keys", f"{directory}/keys")
    commands = commands.replace("tcp://*:5555", endpoint := f"tcp://127.0.0.1:{free_port()}")
    start, client = commands.split("sudo virtio-forwarder …", 1)
    patience.run(["bash", "-ec", start], 60, check=True, cwd=directory)
    options, client = client.split("\n", 1)
    daemon.start(*options.split())
    client = client.replace("tcp://server:5555", endpoint)
    client = client.replace("/usr/lib64/virtio-forwarder", f"{ROOT}/clients")
    done = patience.run(["bash", "-c", client], 60, cwd=f"{directory}/keys")
    assert done.returncode == 0, done.stderr
    assert "relay_0.active=" in done.stdout


def script(running, keys, pair, *args):
    key = keys.write("my.key", pair[1], 0o600)
    return running.script(
        "virtioforwarder_stats.py",
        f"--stats-ep={running.tcp}",
        "--delay=0",
        f"--curve-key={key}",
        f"--curve-server-key={keys.server_public.decode()}",
        *args,
    )


def test_scripts_have_keys(running, keys):
    done = script(running, keys, keys.friend, "--include-inactive")
    assert done.returncode == 0, done.stderr
    assert "relay_63.active=" in done.stdout
    for name in ("config", "port_control", "core_pinner", "monitor_load", "core_scheduler"):
        done = running.script(f"virtioforwarder_{name}.py", "--help")
        assert "--curve-key FILE" in done.stdout and "--curve-server-key KEY" in done.stdout
    done = script(running, keys, keys.stranger)
    assert (done.returncode, done.stdout) == (1, "") and "no answer" in done.stderr
