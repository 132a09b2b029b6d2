"""Events: each provoked once, as the endpoint publishes it and as journald gets it; subscribers that are slow
or hostile."""

import ctypes
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess

import pytest
import zmq

import patience
import test_hostile_guests as hostile
import wire_client as wire
from daemon import Daemon
from patience import wait_for
from test_ctl import PROGRAM, holds, run
from test_stand_ins import cable
from test_syslog import CLONE_NEWNS, MS_BIND, MS_PRIVATE, MS_REC

EVENT = {
    1: ("sequence", int), 2: ("time_us", int), 3: ("name", wire.text), 4: ("severity", int), 5: ("text", wire.text),
    6: ("missed", int), 7: ("relay", int), 10: ("device", wire.text), 11: ("socket", wire.text),
    12: ("reason", wire.text), 13: ("features", int), 14: ("rx_queues", int), 15: ("tx_queues", int),
    16: ("queue", int), 17: ("queues", int), 18: ("mtu", int), 19: ("numa_node", wire.signed),
    20: ("member", wire.text), 21: ("interface", wire.text), 22: ("direction", wire.text), 23: ("from_cpu", int),
    24: ("to_cpu", int), 25: ("path", wire.text), 26: ("setting", wire.text), 27: ("before", wire.text),
    28: ("now", wire.text), 29: ("by", wire.text),
}


class Subscriber:
    """All that is published, from when it is made."""

    def __init__(self, endpoint):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.subscribe(b"")
        monitor = self.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self.socket.connect(endpoint)
        assert monitor.poll(10000)
        self.socket.disable_monitor()
        monitor.close(0)
        self.seen = []

    def take(self):
        while self.socket.poll(0):
            topic, body = self.socket.recv_multipart()
            event = wire.Record(body, EVENT)
            assert topic.decode() == event.name
            self.seen.append(event)
        return self.seen

    def named(self, name):
        """The first of that name that comes or has come, which is then forgotten."""
        event = wait_for(lambda: next((one for one in self.take() if one.name == name), None), 10, name)
        self.seen.remove(event)
        return event

    def close(self):
        self.socket.close()
        self.context.term()


@pytest.fixture
def running(daemon):
    daemon.cpus = "1,2"
    daemon.events_ep = f"ipc://{daemon.dir}/events"
    return daemon.start(f"--zmq-events-ep={daemon.events_ep}", f"--zmq-config-ep=ipc://{daemon.dir}/config",
                        f"--zmq-core-sched-ep=ipc://{daemon.dir}/core_sched")


@pytest.fixture
def subscriber(running):
    one = Subscriber(running.events_ep)
    # Its subscription has been heard when it hears of something.
    config = f"ipc://{running.dir}/config"
    for level in (7, 6):
        def heard(level=level):
            wire.config(config, wire.field(101, level))
            wire.config(config, wire.field(101, 13 - level))
            return one.take()
        wait_for(heard, 10, "the subscription", interval=0.1)
    wire.config(config, wire.field(101, 6))
    one.take()
    one.seen.clear()
    yield one
    one.close()


def test_a_guest_and_a_vf_come_and_go(running, subscriber, guest):
    running.add_ring(3)
    event = subscriber.named("vf-attached")
    assert (event.relay, event.device, event.severity) == (3, "net_ring3", 5)
    assert event.queues >= 1 and event.mtu > 1500 and "net_ring3 added" in event.text
    one = guest(running.socket_path(3), rate=1000)
    event = subscriber.named("guest-connected")
    assert (event.relay, event.socket) == (3, running.socket_path(3))
    event = subscriber.named("driver-ready")
    assert event.relay == 3 and event.features >> 32 & 1
    if (event.rx_queues, event.tx_queues) != (1, 1):  # its front end enables them a moment later
        wait_for(lambda: any(later.name == "queues-changed" and (later.rx_queues, later.tx_queues) == (1, 1)
                             for later in subscriber.take()), 10, "the queues' event")
    one.wait_received(100)
    one.finish_clean()
    assert subscriber.named("driver-reset").relay == 3
    assert subscriber.named("guest-gone").socket == running.socket_path(3)
    running.remove(3)
    assert subscriber.named("vf-removed").device == "net_ring3"


def test_events_are_counted_and_dated(running, subscriber):
    for relay in (1, 2, 3):
        running.add(relay, f"net_null{relay}")
    events = [subscriber.named("vf-attached") for _ in range(3)]
    assert [event.relay for event in events] == [1, 2, 3]
    assert events[1].sequence > events[0].sequence and events[1].time_us >= events[0].time_us > 1.6e15
    everything = sorted(events + subscriber.take(), key=lambda event: event.sequence)
    numbers = [event.sequence for event in everything]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "a gap"


def test_what_goes_wrong(running, subscriber):
    assert wire.port_control(running.port_control_ep, wire.ADD, devices=["net_af_packet7,iface=nosuch"],
                             virtio_id=7).status == wire.ERROR
    event = subscriber.named("vf-failed")
    assert (event.relay, event.device) == (7, "net_af_packet7") and event.reason in event.text
    with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
        first.connect(running.socket_path(4))
        assert subscriber.named("guest-connected").relay == 4
        second.connect(running.socket_path(4))
        event = subscriber.named("front-end-refused")
    assert (event.relay, event.socket) == (4, running.socket_path(4)) and "second front end" in event.reason


def test_a_queue_that_is_stopped(running, subscriber):
    """Its buffers have no room for a header."""
    running.add_ring(1)
    with hostile.Peer(running.socket_path(1)) as peer:
        for i in range(peer.entries):
            struct.pack_into("<QIHH", peer.memory, hostile.DESCRIPTORS + 16 * i, peer.size - 1, 1, hostile.WRITABLE, 0)
            struct.pack_into("<H", peer.memory, hostile.AVAILABLE + 4 + 2 * i, i)
        peer.fill(hostile.FROM_GUEST, hostile.HEADER + hostile.FRAME)
        hostile.ready(running, peer)
        peer.make_available(hostile.TO_GUEST, 100)
        hostile.sends(peer)
        event = subscriber.named("queue-stopped")
    assert (event.relay, event.queue) == (1, 0)
    assert event.reason == "a buffer to receive in is shorter than a packet's header"
    assert f"virtqueue 0 is stopped: {event.reason}" in event.text


def test_the_host_s_interface(directory, started, netns):
    """Down, up and gone, of what stands in for a VF."""
    space = netns("host")
    cable(space)
    daemon = started.add(Daemon(directory, space.name))
    daemon.start(f"--zmq-config-ep=ipc://{daemon.dir}/config")
    daemon.add(2, "net_af_packet0,iface=vf0")

    def told(name):
        found = json.loads(run(daemon, "events", "--json", "--relay=2", f"--event={name}").stdout)
        return found and found[0]

    space.run("ip", "link", "set", "vf0", "down")
    event = wait_for(lambda: told("interface-down"), 15, "interface-down")
    assert event["fields"] == {"device": "net_af_packet0", "interface": "vf0"} and event["severity"] == "warning"
    space.run("ip", "link", "set", "vf0", "up")
    assert wait_for(lambda: told("interface-up"), 15, "interface-up")["fields"]["interface"] == "vf0"
    space.run("ip", "link", "delete", "vf0")
    assert wait_for(lambda: told("vf-lost"), 15, "vf-lost")["fields"] == {"device": "net_af_packet0"}


def test_a_lane_that_is_moved(running, subscriber):
    """Both relays are busy with what a null device gives, on one worker, until they may move."""
    core_sched_ep = f"ipc://{running.dir}/core_sched"
    for relay in (1, 2):
        running.add(relay, f"net_null{relay}")
    assert wire.core_sched(core_sched_ep, wire.UPDATE, [(1, 1, 1), (2, 1, 1)]).status == wire.OK
    assert wire.core_sched(core_sched_ep, wire.UPDATE, [(1, -1, -1), (2, -1, -1)]).status == wire.OK
    wire.config(f"ipc://{running.dir}/config", wire.field(102, 1) + wire.double_field(103, 0))
    event = wait_for(lambda: next((e for e in subscriber.take() if e.name == "lane-moved"), None), 40, "a move")
    assert event.relay in (1, 2) and event.direction == "vf_to_vm"
    assert (event.from_cpu, event.to_cpu) == (1, 2) and event.reason and f"relay {event.relay} vf_to_vm" in event.text


def test_the_state_file(daemon):
    os.makedirs(daemon.pid_dir, exist_ok=True)
    blocked = os.path.join(daemon.pid_dir, "virtio-forwarder")
    with open(blocked, "w", encoding="ascii") as file:
        file.write("in the way")
    daemon.start(f"--zmq-config-ep=ipc://{daemon.dir}/config")
    daemon.add(3, "net_null3")

    def told(name):
        found = json.loads(run(daemon, "events", "--json", f"--event={name}").stdout)
        return found and found[0]

    event = wait_for(lambda: told("state-not-saved"), 15, "state-not-saved")
    assert event["relay"] is None and event["fields"]["path"].startswith(blocked) and event["fields"]["reason"]
    os.unlink(blocked)
    assert wait_for(lambda: told("state-saved"), 30, "state-saved")["severity"] == "notice"


def test_settings(running, subscriber):
    wire.config(f"ipc://{running.dir}/config", wire.double_field(103, 0.5))
    event = subscriber.named("setting-changed")
    assert (event.before, event.now, event.by, event.relay) == ("0.25", "0.5", "a client", None)
    assert "CORE_SCHED_SENSITIVITY" in event.setting


def test_relays_of_dynamic_sockets(daemon):
    endpoint = f"ipc://{daemon.dir}/events"
    daemon.start("--dynamic-sockets", f"--zmq-events-ep={endpoint}", f"--zmq-config-ep=ipc://{daemon.dir}/config")
    path = os.path.join(daemon.vhost_dir, "one.sock")
    assert wire.port_control(daemon.port_control_ep, wire.ADD_SOCK, devices=["net_null0"],
                             vhost_path=path).status == wire.OK
    assert wire.port_control(daemon.port_control_ep, wire.REMOVE_SOCK, vhost_path=path).status == wire.OK
    found = json.loads(run(daemon, "events", "--json", "--relay=0").stdout)
    names = [event["event"] for event in found]
    assert "relay-added" in names and "relay-removed" in names
    assert next(e for e in found if e["event"] == "relay-removed")["fields"] == {
        "device": "net_null0", "socket": path}


# --- vio4wdctl -----------------------------------------------------------------------------------


def test_vio4wdctl_tells_the_last_ones(running):
    running.add(1, "net_null1")
    running.add(2, "net_null2")
    found = holds("events", json.loads(run(running, "events", "--json").stdout))
    assert [one["relay"] for one in found if one["event"] == "vf-attached"] == [1, 2]
    found = holds("events", json.loads(run(running, "events", "--json", "--relay=net_null2",
                                           "--event=vf-attached").stdout))
    assert [one["fields"]["device"] for one in found] == ["net_null2"]
    lines = run(running, "events", "--event=vf-attached", "--last=200").stdout.splitlines()
    assert len(lines) == 2 and re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} vf-attached ", lines[0])
    assert "relay 1: net_null1 added" in lines[0]
    for wrong in (["--last=0"], ["--last=x"], ["x"]):
        run(running, "events", *wrong, status=2)


def test_vio4wdctl_follows(running):
    process = subprocess.Popen([PROGRAM, "events", "--follow", "--json", f"--run-dir={running.dir}"],
                               stdout=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    numbers = iter(range(60))

    def heard():
        number = next(numbers)
        running.add(number, f"net_null{number}")
        running.remove(number)
        return select.select([process.stdout], [], [], 0.5)[0]

    wait_for(heard, 20, "an event")
    found = holds("events", [json.loads(process.stdout.readline())])
    assert found[0]["event"].startswith("vf-")
    process.send_signal(signal.SIGINT)
    assert patience.reap(process, 10) == 0
    process.stdout.close()


def test_vio4wdctl_without_the_endpoint(daemon):
    daemon.start()
    done = run(daemon, "events", "--follow", status=1)
    assert done.stderr.count("\n") == 1 and "--zmq-events-ep" in done.stderr
    assert "--zmq-config-ep" in run(daemon, "events", status=1).stderr


# --- subscribers ---------------------------------------------------------------------------------


def test_a_subscriber_that_does_not_read_costs_nothing(running, subscriber):
    """It misses events, which are counted; others get each."""
    slow = socket.socket(socket.AF_UNIX)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(f"{running.dir}/events")
    # ZMTP 3.0 by hand: greeting, NULL's READY, a subscription to everything; and nothing is read after that.
    slow.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
    ready = b"\x05READY" + b"\x0bSocket-Type" + b"\0\0\0\x03SUB"
    slow.recv(64, socket.MSG_WAITALL)
    slow.sendall(bytes([4, len(ready)]) + ready)
    slow.recv(slow.recv(2, socket.MSG_WAITALL)[1], socket.MSG_WAITALL)
    slow.sendall(b"\x00\x01\x01")
    config = f"ipc://{running.dir}/config"
    with wire.Client(config) as client:
        count = 0

        def missed():
            nonlocal count
            for _ in range(100):
                count += 1
                client.exchange(wire.double_field(103, 0.5 if count % 2 else 0.25))
            return any(event.missed for event in subscriber.take())

        wait_for(missed, 60, "an event that the slow one had no room for")
    wait_for(lambda: sum(event.name == "setting-changed" for event in subscriber.take()) == count, 20,
             "the others to have all")
    slow.close()
    running.add(1, "net_null1")
    subscriber.named("vf-attached")


def test_rubbish_is_survived(running, subscriber):
    path = f"{running.dir}/events"
    for junk in (b"GET / HTTP/1.0\r\n\r\n", os.urandom(4000), b"\xff" + bytes(8) + b"\x7f" + b"\xff" * 500):
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(path)
            one.sendall(junk)
    context = zmq.Context()
    with context.socket(zmq.SUB) as greedy:
        greedy.linger = 0
        greedy.connect(running.events_ep)
        greedy.subscribe(b"x" * 100000)  # more than may be said at a time: it is cut off
        for number in range(1000):
            greedy.subscribe(b"topic %d" % number)
        running.add(1, "net_null1")
        subscriber.named("vf-attached")
    context.term()
    assert running.alive()


def test_access(running):
    info = os.stat(f"{running.dir}/events")
    assert info.st_mode & 0o007 == 0


# --- journald ------------------------------------------------------------------------------------


def enter_run(place):
    """In the daemon to be: a /run of its own, with that directory as journald's."""
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source, target, kind, flags):
        if libc.mount(source, target, kind, flags, None) != 0:
            raise OSError(ctypes.get_errno(), "a /run of its own")

    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "mounts of its own")
    mount(b"none", b"/", None, MS_REC | MS_PRIVATE)
    mount(b"none", b"/run", b"tmpfs", 0)
    os.makedirs("/run/systemd/journal")
    mount(place.encode(), b"/run/systemd/journal", None, MS_BIND)


@pytest.fixture
def journal(daemon, monkeypatch):
    """What journald would get by its socket; the daemon's stdout counts as its stream."""
    place = os.path.join(daemon.dir, "journal")
    os.mkdir(place)
    with open(daemon.log_path, "ab") as log:
        info = os.fstat(log.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{info.st_dev}:{info.st_ino}")
    daemon.preexec = lambda: enter_run(place)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(os.path.join(place, "socket"))
        one.settimeout(10)
        yield one


def entry(journal):
    return dict(line.split("=", 1) for line in journal.recv(65536).decode().splitlines())


def test_journald_gets_fields(daemon, journal):
    daemon.start()
    daemon.add(5, "net_null5")
    found = entry(journal)
    assert found["VIO4WD_EVENT"] == "vf-attached" and found["MESSAGE_ID"] == "0204d1dd62a24be3948a49f9e7505696"
    assert (found["VIO4WD_RELAY"], found["VIO4WD_DEVICE"], found["PRIORITY"]) == ("5", "net_null5", "5")
    assert found["SYSLOG_IDENTIFIER"] == "virtio-forwarder" and int(found["VIO4WD_SEQUENCE"]) >= 1
    assert found["MESSAGE"].startswith("relay 5: net_null5 added")
    assert found["MESSAGE"] not in daemon.log_text(), "said twice"
    assert "<5>ready" in daemon.log_text(), "the rest goes by stdout"
    journal.close()  # who is restarted, say
    os.unlink(os.path.join(daemon.dir, "journal", "socket"))
    daemon.remove(5)
    wait_for(lambda: "<5>relay 5: net_null5 removed" in daemon.log_text(), 10, "the line on stdout instead")


def test_journald_that_takes_nothing_holds_nobody_up(daemon, journal):
    daemon.start()
    for _ in range(300):
        daemon.add(5, "net_null5")
        daemon.remove(5)
        if "net_null5 added" in daemon.log_text():
            return
    raise AssertionError("the socket never filled up")
