"""What clients have added and pinned comes back after a restart, however the daemon ended, and what
the configuration, ovsdb-server or the file itself have to say about it."""

import json
import os
import random
import time

import pytest

import wire_client as wire
from conftest import quick_or_all
from daemon import lcores, wait_for
from test_dynamic_sockets import add, ask, pairs, path_of, remove
from test_port_control import expect_error, expect_ok
from wire_client import ADD, ADD_SOCK, OK, REMOVE

MODES = pytest.mark.parametrize("how", ["stop", "kill9"])
PATIENCE = 300  # ms
OCCUPIED, NO_VF = 8, 4


def devices(daemon):
    """{relay: device} of all relays that have one."""
    return {relay.id: relay.vf.pci_addr_str for relay in daemon.relays() if relay.vf}


def wait_devices(daemon, expected, timeout=10):
    try:
        wait_for(lambda: devices(daemon) == expected, timeout)
    except AssertionError:
        raise AssertionError(f"{devices(daemon)}, not {expected}: {daemon.log_tail()}") from None


def again(daemon, how, *options):
    """Ends it, and starts it with these options."""
    getattr(daemon, how)()
    return daemon.start(*options)


def state_path(daemon):
    return os.path.join(daemon.pid_dir, "virtio-forwarder", "state.json")


def state_of(daemon):
    with open(state_path(daemon), encoding="utf-8") as file:
        return json.load(file)


def change_state(daemon, change):
    """Edits the file of a daemon that does not run."""
    state = state_of(daemon)
    change(state)
    with open(state_path(daemon), "w", encoding="utf-8") as file:
        json.dump(state, file)


def request(daemon, op, relay, device=None, conditional=False):
    return wire.port_control(
        daemon.port_control_ep, op, [device] if device else [], relay, conditional
    )


# --- relays by number ------------------------------------------------------------------------------


@MODES
def test_relays_come_back(daemon, how):
    daemon.start()
    expected = {}
    for relay, device in ((0, "net_null5"), (63, "net_ring2"), (7, "net_null0,size=128"), (8, "net_null1")):
        daemon.add(relay, device)
        expected[relay] = device.partition(",")[0]
    daemon.remove(8, "net_null1")
    del expected[8]
    for _ in range(3):
        again(daemon, how)
        wait_devices(daemon, expected)
    daemon.remove(63)
    del expected[63]
    again(daemon, how)
    wait_devices(daemon, expected)
    assert [r["device"] for r in state_of(daemon)["relays"]] == ["net_null5", "net_null0,size=128"]


@MODES
def test_traffic_comes_back(daemon, guest, how):
    options = ["--vhostuser-client"]
    one = guest(daemon.socket_path(1), ready=False, server=True, timeout=PATIENCE)
    daemon.start(*options)
    daemon.add_ring(1)
    one.wait_ready()
    for _ in range(3):
        one.wait_received(500)
        again(daemon, how, *options)
        one.wait_received(100, timeout=10)
    now = one.stats()
    assert now["reordered"] == now["corrupted"] == now["duplicated"] == 0, now
    one.finish()


def test_an_identical_add_once_after_a_restart(daemon):
    """OpenStack plugs again after a restart, without looking first."""
    daemon.start()
    daemon.add(3, "net_null3")
    expect_error(request(daemon, ADD, 3, "net_null3"), OCCUPIED, "virtio_forwarder_add_vf2()")
    again(daemon, "kill9")
    # also while it is still being attached
    expect_ok(request(daemon, ADD, 3, "net_null3"))
    wait_devices(daemon, {3: "net_null3"})
    expect_error(request(daemon, ADD, 3, "net_null3"), OCCUPIED, "virtio_forwarder_add_vf2()")
    expect_ok(request(daemon, ADD, 3, "net_null3", conditional=True))
    again(daemon, "stop")
    wait_devices(daemon, {3: "net_null3"})
    # others are errors as ever, and do not count as having asked for it
    expect_error(request(daemon, ADD, 3, "net_null4"), OCCUPIED, "virtio_forwarder_add_vf2()")
    expect_error(request(daemon, ADD, 4, "net_null3"), 2, "virtio_forwarder_add_vf2()")
    expect_ok(request(daemon, ADD, 3, "net_null3"))
    expect_error(request(daemon, ADD, 3, "net_null3"), OCCUPIED, "virtio_forwarder_add_vf2()")
    # what was removed and added anew has not come back from anywhere
    again(daemon, "stop")
    wait_devices(daemon, {3: "net_null3"})
    daemon.remove(3)
    daemon.add(3, "net_null3")
    expect_error(request(daemon, ADD, 3, "net_null3"), OCCUPIED, "virtio_forwarder_add_vf2()")


@pytest.mark.parametrize("most", quick_or_all(70, 200, pytest.mark.long))
def test_killed_at_any_moment(daemon, most):
    """Whatever was answered is there after the restart; what was not, is or is not."""
    rng = random.Random(7)
    daemon.start()
    there, requests = {}, 0
    while requests < most:
        client = wire.Client(daemon.port_control_ep)
        for _ in range(rng.randrange(0, 16)):
            relay = rng.randrange(64)
            op = REMOVE if relay in there or len(there) >= 24 else ADD
            relay = rng.choice(list(there)) if op == REMOVE else relay
            daemon.control(client, op, relay, f"net_null{relay}")
            requests += 1
            if op == ADD:
                there[relay] = f"net_null{relay}"
            else:
                del there[relay]
        relay = rng.randrange(64)
        after = dict(there)
        if after.pop(relay, None) is None:
            after[relay] = f"net_null{relay}"
        body = wire.port_control_request(ADD if relay in after else REMOVE, [f"net_null{relay}"], relay)
        client.send(body)
        requests += 1
        time.sleep(rng.uniform(0, 0.02))
        daemon.kill9()
        answered = False
        try:
            answer = wire.Record(client.receive(0.05), wire.PORT_CONTROL_RESPONSE)
            assert answer.status == OK, answer
            answered = True
        except wire.NoAnswer:
            pass
        client.__exit__()
        daemon.start()
        allowed = [after] if answered else [there, after]
        saved = {r["id"]: r["device"] for r in state_of(daemon)["relays"]}
        assert saved in allowed, (saved, there, after, answered)
        there = saved
        wait_devices(daemon, there)


@MODES
def test_a_device_that_is_missing(daemon, how):
    """It is tried again until it is there, or removed."""
    daemon.start()
    daemon.add(1, "net_null1")
    daemon.stop()
    change_state(daemon, lambda state: state["relays"].extend([
        {"id": 2, "device": "net_af_packet0,iface=nowhere0"},
        {"id": 3, "device": "0000:fe:1e.7"},
    ]))
    daemon.start()
    wait_devices(daemon, {1: "net_null1"})
    wait_for(lambda: "relay 3: 0000:fe:1e.7, which a client had added" in daemon.log_text())
    assert "relay 2: net_af_packet0, which a client had added" in daemon.log_text()
    again(daemon, how)
    wait_devices(daemon, {1: "net_null1"})
    assert len(state_of(daemon)["relays"]) == 3
    # The relay is its, and the device the relay's.
    expect_error(request(daemon, ADD, 2, "net_null2"), OCCUPIED, "virtio_forwarder_add_vf2()")
    expect_error(request(daemon, ADD, 5, "net_af_packet0,iface=lo"), 2, "virtio_forwarder_add_vf2()")
    expect_error(request(daemon, ADD, 3, "0000:FE:1E.7"), 2, "virtio_forwarder_add_vf2()")
    for relay in (2, 3):
        expect_ok(request(daemon, REMOVE, relay))
        expect_error(request(daemon, REMOVE, relay), NO_VF, "virtio_forwarder_remove_vf2()")
    daemon.add(2, "net_null2")
    again(daemon, how)
    wait_devices(daemon, {1: "net_null1", 2: "net_null2"})


# --- the configuration ---------------------------------------------------------------------------


@MODES
def test_a_static_vf_that_was_removed_is_back(daemon, how):
    options = ["--add-pci-vf=net_null1=1"]
    daemon.start(*options)
    wait_devices(daemon, {1: "net_null1"})
    daemon.remove(1)
    again(daemon, how, *options)
    wait_devices(daemon, {1: "net_null1"})
    assert state_of(daemon)["relays"] == []
    # and gone when the configuration says so
    again(daemon, how)
    assert devices(daemon) == {}


@MODES
def test_the_configuration_wins(daemon, how):
    daemon.start("--add-pci-vf=net_null1=1")
    wait_devices(daemon, {1: "net_null1"})
    daemon.remove(1)
    daemon.add(1, "net_null11")  # another device there
    daemon.add(2, "net_null2")  # a device that gets another relay
    daemon.add(3, "net_null3")  # the same
    daemon.add(4, "net_null4")  # none of the configuration's business
    again(daemon, how, "--add-pci-vf=net_null1=1", "--add-pci-vf=net_null2=7", "--add-pci-vf=net_null3=3")
    wait_devices(daemon, {1: "net_null1", 7: "net_null2", 3: "net_null3", 4: "net_null4"})
    said = [line for line in daemon.log_text().splitlines() if "is left out" in line]
    assert len(said) == 2, said
    assert "relay 1: net_null11, which" in said[0] and "net_null1 for relay 1" in said[0]
    assert "relay 2: net_null2, which" in said[1] and "for relay 7" in said[1]
    # Once overruled, gone: with the old configuration it is not there again.
    again(daemon, how)
    wait_devices(daemon, {4: "net_null4"})


def test_the_other_kind_of_sockets(daemon):
    daemon.start()
    daemon.add(4, "net_null4")
    again(daemon, "stop", "--dynamic-sockets")
    assert "1 relays that clients had added before the restart are left out" in daemon.log_text()
    assert pairs(daemon) == {}
    add(daemon, "net_null4", path_of(daemon))
    again(daemon, "stop")
    assert devices(daemon) == {}
    assert "with dynamic sockets on, and these are off now" in daemon.log_text()


@MODES
def test_pins(daemon, how):
    daemon.cpus = "1,2"
    endpoint = f"ipc://{daemon.dir}/core_sched"
    options = [f"--zmq-core-sched-ep={endpoint}"]

    def pins():
        answer = wire.core_sched(endpoint, wire.GET_EAL_CORES)
        return {p.relay_number: (p.vf2virtio_cpu, p.virtio2vf_cpu) for p in answer.pinned}

    daemon.start(*options, "--virtio-cpu=5:1,2", "--virtio-cpu=6:2")
    new = [(5, -1, 1), (7, 2, -1), (8, 1, 2), (8, -1, -1), (9, 1, 1)]
    assert wire.core_sched(endpoint, wire.UPDATE, new).status == OK
    getattr(daemon, how)()
    assert [pin["id"] for pin in state_of(daemon)["pins"]] == [5, 7, 9]
    daemon.start(*options, "--virtio-cpu=5:1,2", "--virtio-cpu=9:2")
    # 6 was the configuration's, which does not say so any more; 5 and 9 are as it says.
    assert pins() == {5: (1, 2), 7: (2, -1), 9: (2, 2)}
    assert daemon.log_text().count("as the configuration says, not to") == 2
    # a CPU that has no worker any more
    assert wire.core_sched(endpoint, wire.UPDATE, [(10, 1, 2)]).status == OK
    getattr(daemon, how)()
    daemon.cpus, daemon.lcores = "1", lcores(1)
    daemon.start(*options)
    assert pins() == {10: (1, -1)}
    assert "cannot all be had back" in daemon.log_text()


# --- OVSDB -----------------------------------------------------------------------------------------


@MODES
def test_ovsdb_is_the_truth_for_its_rows(daemon, database, how):
    options = [f"--ovsdb-sock={database.socket}"]
    daemon.start(*options)
    database.add("p0", 1, "net_null1")
    database.add("p1", 2, "net_null2")
    wait_devices(daemon, {1: "net_null1", 2: "net_null2"})
    daemon.add(3, "net_null3")
    daemon.add(4, "net_null4")
    daemon.add(5, "net_null5")
    daemon.add(6, "net_null6")
    assert {r["id"] for r in state_of(daemon)["relays"]} == {3, 4, 5, 6}
    getattr(daemon, how)()
    database.remove("p0")
    database.set("p1", "external_ids:virtio_forwarder=9")  # moved
    database.add("p3", 3, "net_null3")  # what a client has
    database.add("p4", 4, "net_null14")  # another device on a client's relay
    database.add("p5", 15, "net_null5")  # a client's device on another relay
    daemon.start(*options)
    wait_devices(daemon, {9: "net_null2", 3: "net_null3", 4: "net_null14", 15: "net_null5", 6: "net_null6"}, 20)
    wait_for(lambda: {r["id"] for r in state_of(daemon)["relays"]} == {6})
    log = daemon.log_text()
    assert "relay 3: net_null3, which a client had added before the restart, is OVSDB's" in log
    assert "relay 4: net_null4, which a client had added before the restart, is removed: OVSDB" in log
    assert "relay 5: net_null5, which a client had added before the restart, is removed: OVSDB" in log
    answer = request(daemon, ADD, 3, "net_null3")
    expect_error(answer, OCCUPIED, "virtio_forwarder_add_vf2()")
    assert "OVSDB" in answer.error_text


def test_what_a_client_asks_for_again_stays_its_own(daemon, database):
    daemon.start()
    daemon.add(3, "net_null3")
    daemon.stop()
    database.stop()
    daemon.start(f"--ovsdb-sock={database.socket}")
    daemon.add(3, "net_null3")
    database.start()
    database.add("p3", 3, "net_null13")
    wait_for(lambda: "relay 3 has net_null3 from a client" in daemon.log_text(), 15)
    assert devices(daemon) == {3: "net_null3"}


# --- dynamic sockets -------------------------------------------------------------------------------


@MODES
def test_pairs_come_back(daemon, guest, how):
    """As OpenStack has it: QEMU serves the sockets."""
    options = ["--dynamic-sockets", "--vhostuser-client"]
    daemon.start(*options)
    paths = [path_of(daemon, n) for n in range(4)]
    for n, path in enumerate(paths):
        add(daemon, f"net_ring{n}", path)
    remove(daemon, path=paths[1])
    expected = {n: (f"net_ring{n}", paths[n]) for n in (0, 2, 3)}
    guests = [guest(paths[n], ready=False, server=True, timeout=PATIENCE) for n in (0, 2)]
    for one in guests:
        one.wait_ready()
    for _ in range(2):
        for one in guests:
            one.wait_received(300)
        again(daemon, how, *options)
        wait_for(lambda: pairs(daemon) == expected, 10, f"{expected}")
        for one in guests:
            one.wait_received(100, timeout=10)
    # plugged again, once
    expect_ok(ask(daemon, ADD_SOCK, "net_ring2", paths[2], False))
    expect_error(ask(daemon, ADD_SOCK, "net_ring2", paths[2], False), -17, "virtio_add_sock_dev_pair()")
    expect_ok(ask(daemon, ADD_SOCK, "net_ring2", paths[2], True))
    expect_error(ask(daemon, ADD_SOCK, "net_ring0", paths[3], False), -17, "virtio_add_sock_dev_pair()")
    for one in guests:
        one.wait_received(100)
        one.finish()
    for n in (0, 2, 3):
        remove(daemon, f"net_ring{n}", paths[n])
    again(daemon, how, *options)
    assert pairs(daemon) == {}
    add(daemon, "net_ring0", paths[0])
    assert pairs(daemon) == {0: ("net_ring0", paths[0])}


@MODES
def test_pairs_of_served_sockets(daemon, guest, how):
    daemon.start("--dynamic-sockets")
    path = path_of(daemon)
    add(daemon, "net_ring1", path)
    one = guest(path)
    one.wait_received(200)
    again(daemon, how, "--dynamic-sockets")
    wait_for(lambda: pairs(daemon) == {0: ("net_ring1", path)})
    one.command("detach")
    one.command("attach")
    one.wait_received(200)
    remove(daemon, path=path)
    assert not os.path.exists(path)
    one.kill9()


def test_a_pair_whose_half_is_missing(daemon):
    """Without its device a relay waits for that; without the socket's directory it is given up."""
    daemon.start("--dynamic-sockets")
    paths = [path_of(daemon, n) for n in range(3)]
    for n, path in enumerate(paths):
        add(daemon, f"net_null{n}", path)
    daemon.stop()

    def change(state):
        state["relays"][0]["device"] = "net_af_packet0,iface=nowhere0"
        state["relays"][1]["socket"] = os.path.join(daemon.vhost_dir, "nowhere", "1.sock")

    change_state(daemon, change)
    daemon.start("--dynamic-sockets")
    expected = {0: (None, paths[0]), 2: ("net_null2", paths[2])}
    wait_for(lambda: pairs(daemon) == expected, 10, f"{expected}")
    assert "relay 1: what a client had added before the restart is given up" in daemon.log_text()
    wait_for(lambda: [r["id"] for r in state_of(daemon)["relays"]] == [0, 2])
    expect_ok(ask(daemon, ADD_SOCK, "net_af_packet0,iface=nowhere0", paths[0], False))
    remove(daemon, path=paths[0])
    assert pairs(daemon) == {2: ("net_null2", paths[2])}
    again(daemon, "stop", "--dynamic-sockets")
    wait_for(lambda: pairs(daemon) == {2: ("net_null2", paths[2])})


# --- the file ----------------------------------------------------------------------------------------


def test_not_after_a_reboot(daemon):
    daemon.start()
    daemon.add(3, "net_null3")
    daemon.stop()
    change_state(daemon, lambda state: state.update(boot_id="12345678-1234-4234-8234-123456789abc"))
    daemon.start()
    assert "the host has been booted since" in daemon.log_text()
    assert devices(daemon) == {}
    wait_for(lambda: state_of(daemon)["relays"] == [], 5)
    assert set(os.listdir(os.path.dirname(state_path(daemon)))) - {"rings"} == {"state.json"}


DAMAGES = {
    "empty": lambda text: "",
    "torn": lambda text: text[: len(text) // 2],
    "garbage": lambda text: "\x00\x1b[2J" * 1000,
    "version": lambda text: text.replace('"version": 1', '"version": 2'),
    "driver": lambda text: text.replace("net_null3", "net_pcap3,tx_pcap=/etc/passwd"),
    "relay": lambda text: text.replace('"id": 3', '"id": 64'),
    "huge": lambda text: text + " " * 2000000,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside(daemon, damage):
    daemon.start()
    daemon.add(3, "net_null3")
    daemon.stop()
    with open(state_path(daemon), encoding="utf-8") as file:
        text = DAMAGES[damage](file.read())
    with open(state_path(daemon), "w", encoding="utf-8") as file:
        file.write(text)
    daemon.start()
    assert devices(daemon) == {}
    aside = state_path(daemon) + ".damaged"
    assert f"it is kept as {aside}" in daemon.log_text() and "\x1b" not in daemon.log_text()
    with open(aside, encoding="utf-8") as file:
        assert file.read() == text
    daemon.add(5, "net_null5")
    again(daemon, "kill9")
    wait_devices(daemon, {5: "net_null5"})


@pytest.mark.parametrize("what", ["directory", "fifo", "link"])
def test_something_else_in_its_place(daemon, what):
    path = state_path(daemon)
    os.makedirs(os.path.dirname(path))
    if what == "directory":
        os.mkdir(path)
    elif what == "fifo":
        os.mkfifo(path)
    else:
        os.symlink("/etc/passwd", path)
    daemon.start()
    daemon.add(5, "net_null5")
    assert os.path.exists(f"{path}.damaged")
    again(daemon, "kill9")
    wait_devices(daemon, {5: "net_null5"})


def test_a_directory_that_cannot_be_written(daemon):
    """Warned about; what can be done without the file goes on, and it is written when it can be."""
    os.makedirs(daemon.pid_dir, exist_ok=True)
    blocked = os.path.dirname(state_path(daemon))
    with open(blocked, "w", encoding="ascii") as file:
        file.write("in the way")
    daemon.start()
    wait_for(lambda: "the relays' state cannot be saved" in daemon.log_text())
    for relay in range(8):
        daemon.add(relay, f"net_null{relay}")
        daemon.remove(relay)
    daemon.add(3, "net_null3")
    assert daemon.log_text().count("the relays' state cannot be saved") == 1
    os.unlink(blocked)
    wait_for(lambda: "the relays' state is saved again" in daemon.log_text(), 20)
    again(daemon, "kill9")
    wait_devices(daemon, {3: "net_null3"})


def test_instances_side_by_side(new_daemon):
    one, two = new_daemon("one").start(), new_daemon("two").start()
    one.add(1, "net_null1")
    two.add(2, "net_null2")
    for daemon in (one, two):
        again(daemon, "kill9")
    wait_devices(one, {1: "net_null1"})
    wait_devices(two, {2: "net_null2"})
