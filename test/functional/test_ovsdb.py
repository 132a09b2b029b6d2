"""Relays that Open vSwitch's database asks for, with Debian's ovsdb-server and ovs-vsctl."""

import os
import random
import shutil
import subprocess
import time

import pytest

import ovsdb as ovs
import wire_client as wire
import patience
from daemon import wait_for
from patience import SLOWER, Stopwatch

UUID = "00000000-0000-4000-8000-{:012d}"


@pytest.fixture
def watching(daemon, database):
    """A daemon that watches it, connected."""
    daemon.start(f"--ovsdb-sock={database.socket}")
    wait_log(daemon, "connected; table Interface is watched")
    return daemon


@pytest.fixture
def fake(directory, started):
    """fake(serve) is a server of the test's own."""
    return lambda serve: started.add(ovs.FakeServer(os.path.join(directory, "db.sock"), serve))


def wait_log(daemon, text, timeout=5.0, count=1):
    wait_for(lambda: daemon.log_text().count(text) >= count, timeout, f"'{text}' in the log")


def device(daemon, relay):
    vf = daemon.relay(relay).vf
    return vf.pci_addr_str if vf is not None else None


def wait_device(daemon, relay, name, timeout=5.0):
    wait_for(
        lambda: device(daemon, relay) == name,
        timeout,
        f"relay {relay} has {device(daemon, relay)}, not {name}",
    )


def ask(daemon, op, devices, **fields):
    return wire.port_control(daemon.port_control_ep, op, devices, **fields)


def devices(daemon):
    return {r.id: r.vf.pci_addr_str for r in daemon.relays() if r.vf is not None}


def warnings(daemon):
    return [line for line in daemon.log_text().splitlines() if " WARNING OVSDB" in line]


# --- rows and relays -----------------------------------------------------------------------------


def test_insert_change_delete(watching, database):
    database.add("p0", 3, "net_null3")
    wait_device(watching, 3, "net_null3")
    assert watching.states(3)[0] == "DPDK_ADDED"
    database.set("p0", "external_ids:virtio_forwarder=9")
    wait_device(watching, 9, "net_null3")
    assert device(watching, 3) is None
    database.set("p0", "options:dpdk-devargs=net_null4")
    wait_device(watching, 9, "net_null4")
    database.set("p0", "external_ids:iface-status=active")  # none of our business
    database.vsctl("remove", "Interface", "p0", "external_ids", "virtio_forwarder")
    wait_device(watching, 9, None)
    database.set("p0", "external_ids:virtio_relay=10")  # the older name
    wait_device(watching, 10, "net_null4")
    database.remove("p0")
    wait_device(watching, 10, None)
    assert not warnings(watching)


def test_initial_state(daemon, database):
    for i in range(8):
        database.add(f"p{i}", i * 9, f"net_null{i}")
    daemon.start(f"--ovsdb-sock={database.socket}")
    wanted = {i * 9: f"net_null{i}" for i in range(8)}
    wait_for(lambda: devices(daemon) == wanted, 10, f"{wanted}")


class FakeVfs:
    """In the daemon's eyes /sys/bus/pci is this: PFs 0000:f0:00.0 and .1, with VFs that nobody can attach.
    With EAL's --no-pci none are looked for there."""

    def __init__(self, directory):
        self.root = f"{directory}/pci"
        for port in (0, 1):
            pf = f"0000:f0:00.{port}"
            for number in (1, 5):
                vf = f"0000:f0:1{number}.{port}"
                os.makedirs(f"{self.root}/devices/{vf}")
                os.makedirs(f"{self.root}/devices/{pf}", exist_ok=True)
                os.symlink(f"../{vf}", f"{self.root}/devices/{pf}/virtfn{number}")
                os.symlink(f"../{pf}", f"{self.root}/devices/{vf}/physfn")

    def show(self, daemon):
        def command(*options, plain=daemon.command):
            mount = f"mount --bind {self.root} /sys/bus/pci && exec \"$@\""
            return ["unshare", "--mount", "sh", "-c", mount, "sh", *plain(*options)]

        daemon.command = command


def yes(database, name, devargs):
    database.add(name, 1, devargs)  # as older guides have it for every port


def test_ids_that_only_mean_yes(daemon, database, directory):
    """The relay is the VF's number on its PF; how the attach of such a VF ends is not asked here."""
    FakeVfs(directory).show(daemon)
    yes(database, "p1", "0000:f0:11.0")
    yes(database, "p5", "0000:f0:00.0,representor=[5]")
    yes(database, "again", "0000:f0:15.1")
    yes(database, "none", "net_null3")
    daemon.start(f"--ovsdb-sock={database.socket}", "--ovsdb-ids=vf")
    wait_log(daemon, 'relay 5 belongs to interface "again" already; VFs of two PFs have the same number')
    wait_log(daemon, '"none": net_null3 is no VF of a PF on this machine')
    wait_log(daemon, "0000:f0:11.0")  # it is tried
    yes(database, "twin", "0000:f0:11.1")
    wait_log(daemon, '"twin": relay 1 belongs to interface "p1" already; VFs of two PFs')
    said = [line for line in warnings(daemon) if "VIRTIOFWD_OVSDB_IDS=relay" in line]
    assert len(said) == 3, said
    assert not devices(daemon)


def test_ids_that_mean_relays_by_default(daemon, database):
    """The same rows, read as relays: who comes second is told of the switch."""
    yes(database, "p1", "net_null1")
    yes(database, "p2", "net_null2")
    daemon.start(f"--ovsdb-sock={database.socket}")
    wait_log(daemon, 'interface "p2": relay 1 belongs to interface "p1" already')
    assert "set VIRTIOFWD_OVSDB_IDS=vf (--ovsdb-ids)" in daemon.log_text()
    wait_device(daemon, 1, "net_null1")


def test_a_guest_on_a_row(watching, database, guest):
    """Packets flow, and the row's end leaves the guest alone."""
    database.add("p0", 0, "net_ring0")
    wait_device(watching, 0, "net_ring0")
    one = guest(watching.socket_path(0))
    watching.wait_states(0, "DPDK_READY", "VIRTIO_READY", 10)
    wait_for(lambda: watching.relay(0).vf_to_vm.pkts_tx_to_vm > 100, 10)
    database.remove("p0")
    watching.wait_states(0, "DPDK_UNINIT", "VIRTIO_READY")
    assert one.process.poll() is None
    one.kill9()


def test_device_strings(watching, database):
    """net_tap with an argument, as Open vSwitch's own rows have them."""
    name = f"ov{os.getpid() % 100000}"
    database.add("p0", 5, f"net_tap5,iface={name}")
    wait_device(watching, 5, "net_tap5")
    assert os.path.exists(f"/sys/class/net/{name}")
    database.remove("p0")
    wait_for(lambda: not os.path.exists(f"/sys/class/net/{name}"))


def test_two_rows_change_places(watching, database):
    database.add("p0", 3, "net_null3")
    database.add("p1", 4, "net_null4")
    wait_for(lambda: devices(watching) == {3: "net_null3", 4: "net_null4"})
    swap = ["set", "Interface", "p0", "external_ids:virtio_forwarder=4", "--"]
    swap += ["set", "Interface", "p1", "external_ids:virtio_forwarder=3"]
    database.vsctl(*swap)
    wait_for(lambda: devices(watching) == {4: "net_null3", 3: "net_null4"})
    assert not warnings(watching)


def test_bad_rows_are_told_once_and_harm_nothing(watching, database):
    database.add("good", 1, "net_null1")
    wait_device(watching, 1, "net_null1")
    database.add("id", 64, "net_null2")
    database.add("word", "x", "net_null2")
    database.add("same-relay", 1, "net_null2")
    database.add("same-device", 2, "net_null1")
    database.add("none", 3)
    database.add("driver", 4, "net_pcap0,iface=lo")
    database.add("args", 5, "net_ring0,internal=0x1234")
    database.add("absent", 6, "0000:ff:1f.7,key=value")
    database.add("vf-pci", 7)
    database.set("vf-pci", "external_ids:vf-pci=nonsense")
    expected = {
        "id": '"64", which is no relay; ids are 0 to 63',
        "word": '"x", which is no relay',
        "same-relay": 'relay 1 belongs to interface "good" already',
        "same-device": 'net_null1 belongs to interface "good" on relay 1 already',
        "none": "it names relay 3 but no device",
        "driver": "its driver is not admitted",
        "args": "internal= is not admitted",
        "absent": "there is no PCI device 0000:ff:1f.7",
        "vf-pci": 'external_ids:vf-pci: device "nonsense"',
    }
    for port, text in expected.items():
        wait_for(
            lambda port=port, text=text: any(
                f'interface "{port}"' in line and text in line for line in warnings(watching)
            ),
            5,
            f"{port}: {text}",
        )
    time.sleep(3)  # retries go on, quietly
    for port in expected:
        told = [line for line in warnings(watching) if f'interface "{port}"' in line]
        assert len(told) <= (2 if port == "vf-pci" else 1), told  # it had no device at first
    assert devices(watching) == {1: "net_null1"}

    # What was in the way goes: the next in line is served, by itself.
    database.remove("good")
    wait_device(watching, 1, "net_null2")
    wait_device(watching, 2, "net_null1")
    wait_log(watching, 'interface "same-relay": all is well now, relay 1 has net_null2')


def test_a_device_that_comes_later(watching, database, netns):
    """An attach that fails is tried again until it succeeds."""
    first, second = f"oa{os.getpid() % 100000}", f"ob{os.getpid() % 100000}"
    database.add("p0", 2, f"net_af_packet0,iface={first}")
    wait_for(lambda: any('interface "p0"' in line for line in warnings(watching)))
    subprocess.run(
        ["ip", "link", "add", first, "type", "veth", "peer", "name", second], check=True
    )
    try:
        wait_device(watching, 2, "net_af_packet0", 15)
        wait_log(watching, 'interface "p0": all is well now')
        database.remove("p0")
        wait_device(watching, 2, None)
    finally:
        subprocess.run(["ip", "link", "del", first], check=True)


# --- owners --------------------------------------------------------------------------------------


def test_each_relay_has_one_owner(daemon, database):
    daemon.start(f"--ovsdb-sock={database.socket}", "--add-pci-vf=net_null0=0")
    daemon.wait_states(0, "DPDK_ADDED", "VIRTIO_UNINIT")
    daemon.add(1, "net_null1")
    database.add("p2", 2, "net_null2")
    wait_device(daemon, 2, "net_null2")

    for op, named, relay, code in [
        (wire.ADD, ["net_null2"], 2, 8),
        (wire.ADD, ["net_null9"], 2, 8),
        (wire.REMOVE, ["net_null2"], 2, 2),
        (wire.REMOVE, [], 2, 2),
        (wire.ADD, ["net_null2"], 5, 2),
    ]:
        answer = ask(daemon, op, named, virtio_id=relay)
        assert (answer.status, answer.error_code) == (wire.ERROR, code), answer
        assert "from OVSDB" in answer.error_text, answer
    assert device(daemon, 2) == "net_null2"

    database.add("p1", 1, "net_null1")
    wait_log(daemon, "relay 1 has net_null1 from a client of the control endpoint")
    database.add("p0", 0, "net_null0")
    wait_log(daemon, "relay 0 has net_null0 from the configuration")
    database.add("p4", 4, "net_null1")
    wait_log(daemon, 'net_null1 belongs to interface "p1" on relay 1')
    database.remove("p4")

    # Clients and rows go their own ways; what they leave is free.
    database.remove("p0")
    assert ask(daemon, wire.ADD, ["net_null0"], virtio_id=0).status == wire.OK
    assert ask(daemon, wire.REMOVE, [], virtio_id=0).status == wire.OK
    assert ask(daemon, wire.REMOVE, [], virtio_id=1).status == wire.OK
    wait_log(daemon, 'interface "p1": all is well now', 15)
    database.remove("p2")
    wait_device(daemon, 2, None)
    assert ask(daemon, wire.ADD, ["net_null2"], virtio_id=2).status == wire.OK
    assert devices(daemon) == {1: "net_null1", 2: "net_null2"}

    # After a restart each has its own back: the configuration, the rows, the client.
    daemon.restart()
    wait_for(lambda: devices(daemon) == {0: "net_null0", 1: "net_null1", 2: "net_null2"}, 10)


def test_left_alone(daemon, database):
    database.add("p0", 3, "net_null3")
    daemon.start(f"--ovsdb-sock={database.socket}", "--ipc")
    assert "OVSDB left alone" in daemon.log_text()
    time.sleep(0.5)
    assert devices(daemon) == {}
    assert "connected; table" not in daemon.log_text()


# --- the server's life ---------------------------------------------------------------------------


def test_server_restart(watching, database, bystander):
    """Relays do not notice that the server goes and comes back; what has changed meanwhile is caught
    up with."""
    beside = bystander()
    for i in range(1, 6):
        database.add(f"p{i}", i, f"net_null{i}")
    wait_for(lambda: len(devices(watching)) == 6)
    before = watching.log_text().count(" added: ")
    database.stop()
    wait_log(watching, "the server has closed the connection")
    time.sleep(1)
    assert len(devices(watching)) == 6
    database.start()
    wait_log(watching, "connected; table Interface is watched", count=2)
    time.sleep(0.5)
    assert watching.log_text().count(" added: ") == before  # nothing was replayed

    database.stop()
    shutil.copy(database.database, database.database + ".other")
    other = ovs.Ovsdb.__new__(ovs.Ovsdb)
    other.__dict__.update(database.__dict__)
    other.socket = database.socket + ".other"
    other.database = database.database + ".other"
    other.start()
    try:
        other.remove("p1")
        other.set("p2", "external_ids:virtio_forwarder=12")
        other.add("p6", 6, "net_null6")
    finally:
        other.stop()
    os.rename(other.database, database.database)
    database.start()
    wanted = {0: "net_ring0", 12: "net_null2", 6: "net_null6"}
    wanted.update({i: f"net_null{i}" for i in (3, 4, 5)})
    wait_for(lambda: devices(watching) == wanted, 10, f"{wanted}")
    for i in range(2, 7):
        database.remove(f"p{i}")
    wait_for(lambda: devices(watching) == {0: "net_ring0"})
    beside.check()


def test_server_absent_at_start(daemon, directory, started):
    database = ovs.Ovsdb(directory)
    daemon.start(f"--ovsdb-sock={database.socket}")
    wait_log(daemon, "cannot connect: No such file or directory")
    daemon.add(1, "net_null1")
    time.sleep(2)
    assert len(warnings(daemon)) == 1
    started.add(database).init()
    database.add("p0", 3, "net_null3")
    wait_device(daemon, 3, "net_null3", 10)
    assert device(daemon, 1) == "net_null1"


def test_a_socket_that_is_none(daemon, directory):
    path = os.path.join(directory, "file")
    open(path, "w", encoding="ascii").close()
    daemon.start(f"--ovsdb-sock={path}")
    wait_log(daemon, "cannot connect: Connection refused")
    daemon.stop()
    notify = daemon.launch("--ovsdb-sock=/" + "x" * 200)
    assert patience.reap(daemon.process, 20) == 1
    notify.close()
    assert "at most 107 characters" in daemon.log_text()


def test_stop_and_start_of_the_daemon(watching, database):
    database.add("p0", 3, "net_null3")
    wait_device(watching, 3, "net_null3")
    watching.kill9()
    database.set("p0", "external_ids:virtio_forwarder=4")
    watching.start(*watching.options)
    wait_for(lambda: devices(watching) == {4: "net_null3"}, 10)
    database.add("late", 5, "0000:ff:00.0")  # a request may be under way
    assert watching.stop() == 0


# --- servers that are none -----------------------------------------------------------------------


def garbage(kind):
    rng = random.Random(kind)
    row = {UUID.format(1): ("p0", {"dpdk-devargs": "net_null3"}, {"virtio_forwarder": "3"})}
    return {
        "bytes": lambda c: c.sendall(rng.randbytes(100000)),
        "http": lambda c: c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        "broken json": lambda c: c.sendall(ovs.table(row).replace(b'"result"', b'"result')),
        "half a message": lambda c: c.sendall(ovs.table(row)[:-10]),
        "an error": lambda c: c.sendall(b'{"id":1,"error":{"error":"unknown database"}}'),
        "another answer": lambda c: c.sendall(ovs.table(row, 7)),
        "deep": lambda c: c.sendall(b'{"a":' * 200000),
        "endless": lambda c: [c.sendall(b) for b in [b'{"a":"'] + [b"x" * 65536] * 10000],
        "lists for objects": lambda c: c.sendall(b'{"id":1,"result":{"Interface":[[],[]]}}'),
        "numbers": lambda c: c.sendall(b'{"id":1,"result":{"Interface":{"u":{"new":17}}}}x'),
        "silence, then nothing": lambda c: time.sleep(0.2),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "bytes",
        "http",
        "broken json",
        "half a message",
        "an error",
        "another answer",
        "deep",
        "endless",
        "lists for objects",
        "numbers",
        "silence, then nothing",
    ],
)
def test_garbage(daemon, fake, kind):
    send = garbage(kind)
    server = fake(lambda c: (c.recv(65536), send(c)))
    daemon.start(f"--ovsdb-sock={server.path}")
    wait_for(lambda: server.connections >= 3, 10, "it comes back")
    daemon.add(1, "net_null1")
    assert devices(daemon) == {1: "net_null1"}
    assert len(warnings(daemon)) <= 6, warnings(daemon)


def test_huge_rows(daemon, fake):
    """Rows whose values are megabytes long, and thousands of rows that are none of our business:
    what is good among them is served, and the daemon's memory does not keep the rest."""
    rows = {
        UUID.format(i): (f"tap{i}", {"x": "y"}, {"iface-id": "z" * 200}) for i in range(3000)
    }
    rows[UUID.format(9001)] = ("p1", {"dpdk-devargs": "net_null1"}, {"virtio_forwarder": "1"})
    rows[UUID.format(9002)] = ("a" * 300000, {"dpdk-devargs": "1" * 500000}, {"virtio_relay": "2"})
    rows[UUID.format(9003)] = ("p3", {}, {"virtio_relay": "9" * 500000})
    rows[UUID.format(9004)] = ("p4\n\x1b[2J%s%n", {}, {"virtio_relay": "4", "vf-pci": "%n%s"})

    def serve(connection):
        connection.recv(65536)
        connection.sendall(ovs.table(rows))
        connection.recv(65536)

    server = fake(serve)
    daemon.start(f"--ovsdb-sock={server.path}")
    before = daemon.heap_kb()
    wait_device(daemon, 1, "net_null1", 10)
    time.sleep(0.5)
    assert devices(daemon) == {1: "net_null1"}
    assert daemon.heap_kb() - before < 32 * 1024
    log = daemon.log_text()
    assert "longer than 255 characters" in log and "which is no relay" in log
    assert "\x1b" not in log
    assert all(len(line) < 1500 for line in log.splitlines())
    assert server.connections == 1


def test_a_server_that_never_answers_is_left(daemon, fake):
    server = fake(lambda c: (c.recv(65536), c.recv(1)))
    daemon.start(f"--ovsdb-sock={server.path}")
    wait_for(lambda: server.connections == 2, 30, "another try after 10 s")
    wait_log(daemon, "the server does not answer")


def test_updates_that_never_end(daemon, fake):
    """A server that talks without a pause does not keep the other sources of the loop waiting."""
    row = ovs.table({UUID.format(1): ("p", {"dpdk-devargs": "net_null3"}, {"virtio_relay": "3"})})
    update = b'{"id":null,"method":"update","params":["virtio-forwarder",{"Interface":{}}]}' * 500
    enough = []

    def serve(connection):
        connection.recv(65536)
        connection.sendall(row)
        while not enough:
            connection.sendall(update)

    server = fake(serve)
    daemon.start(f"--ovsdb-sock={server.path}")
    try:
        wait_device(daemon, 3, "net_null3", 10)
        slowest = 0.0
        for _ in range(50):
            watch = Stopwatch(daemon.pid)
            daemon.relay(3)
            slowest = max(slowest, watch.took())
        assert slowest < 1.5 * SLOWER, slowest
    finally:
        enough.append(True)
