"""Bonds: the rules of the wire contract, and traffic over each of DPDK's modes."""

import os
import subprocess
import time

import pytest

import wire_client as wire
from daemon import Daemon, wait_for
from test_port_control import ADD_VF, REMOVE_VF, expect_error, expect_ok, expect_refusal
from wire_client import ADD, ADD_SOCK, QUERY_PCI, REMOVE, REMOVE_SOCK

BOND = "virtio_forwarder_bond_add()"
PAIR = "virtio_add_sock_dev_pair()"
HERE = os.path.dirname(os.path.abspath(__file__))

ROUND_ROBIN, ACTIVE_BACKUP, BALANCE, BROADCAST, LACP, TLB, ALB = range(7)


def ask(running, op, relay=None, devices=(), name="net_bonding0", mode=None, conditional=False,
        **fields):
    with wire.Client(running.port_control_ep) as client:
        body = wire.port_control_request(op, devices, relay, conditional, name=name, mode=mode,
                                         **fields)
        return wire.control(client, body)


def add(running, relay, devices, **fields):
    expect_ok(ask(running, ADD, relay, devices, **fields))


def nulls(*numbers):
    """Devices that take everything and give nothing."""
    return [f"net_null{number},no-rx=1" for number in numbers]


def names(*numbers):
    return [f"net_null{number}" for number in numbers]


def members(running, relay):
    return {member.pci_addr_str: member for member in running.relay(relay).vf.member}


# --- rules -------------------------------------------------------------------------------------


def test_add_and_remove(daemon):
    running = daemon.start()
    add(running, 3, nulls(0, 1, 2))
    state = running.relay(3)
    assert state.vf.pci_addr_str == "net_bonding0" and state.vf.bond_mode == ACTIVE_BACKUP
    assert [member.pci_addr_str for member in state.vf.member] == names(0, 1, 2)
    assert all(member.present for member in state.vf.member)
    assert state.vf_to_vm.internal_state == "DPDK_ADDED"
    path = running.socket_path(3)
    assert ask(running, QUERY_PCI, vhost_path=path, name=None).query_string == "net_bonding0"

    # what is there already
    expect_ok(ask(running, ADD, 3, nulls(0, 1, 2), conditional=True))
    expect_ok(ask(running, ADD, 3, nulls(2, 1, 0), conditional=True))
    expect_error(ask(running, ADD, 3, nulls(0, 1, 2)), 8, BOND)
    for fields in ({"mode": 2}, {"devices": nulls(0, 1)}, {"devices": nulls(0, 1, 3)},
                   {"name": "net_bonding1"}):
        fields = {"devices": nulls(0, 1, 2), "conditional": True, **fields}
        expect_error(ask(running, ADD, 3, **fields), 8, BOND)
    # and elsewhere
    expect_error(ask(running, ADD, 4, nulls(0, 1, 2), conditional=True), 2, BOND)
    expect_error(ask(running, ADD, 4, nulls(3, 2), name="net_bonding1"), 3, BOND)
    expect_error(ask(running, ADD, 4, nulls(2), name=None), 2, ADD_VF)

    # a bond is removed by its name
    expect_error(ask(running, REMOVE, 3, nulls(0), name=None, conditional=True), 3, REMOVE_VF)
    expect_error(ask(running, REMOVE, 3, name="net_bonding1", conditional=True), 3, REMOVE_VF)
    expect_error(ask(running, REMOVE, 3, nulls(0, 1), conditional=True), 3, REMOVE_VF)
    expect_ok(ask(running, REMOVE, 3))
    expect_ok(ask(running, REMOVE, 3, conditional=True))
    expect_error(ask(running, REMOVE, 3), 4, REMOVE_VF)
    assert running.relay(3).vf is None
    # its members are free again, and a removal may name them, or nothing
    add(running, 4, nulls(2, 1))
    expect_ok(ask(running, REMOVE, 4, nulls(1, 2)))
    add(running, 4, nulls(2, 1))
    expect_ok(ask(running, REMOVE, 4, name=None))
    running.add(5, "net_null0")


def test_requests_that_make_no_sense(daemon):
    running = daemon.start()
    expect_refusal(ask(running, ADD, 0, nulls(0, 1), name=None))
    expect_refusal(ask(running, ADD, 0, nulls(0)))
    expect_refusal(ask(running, ADD, 0))
    expect_refusal(ask(running, ADD, 0, nulls(*range(9))))
    expect_refusal(ask(running, ADD, 0, nulls(0, 1, 0)))
    expect_refusal(ask(running, ADD, 0, ["net_bonding1", "net_null0"]))
    expect_refusal(ask(running, ADD, 0, nulls(0, 1), mode=7))
    expect_refusal(ask(running, ADD, None, nulls(0, 1)))
    for name in ("bond0", "net_bonding", "net_bonding0,mode=2", "net_bonding/../x", "net_bonding 0",
                 "net_bonding" + "0" * 60):
        expect_refusal(ask(running, ADD, 0, nulls(0, 1), name=name))
    expect_error(ask(running, ADD, 64, nulls(0, 1)), 1, BOND)
    # nothing is there, whoever is asked
    assert running.relay(0).vf is None
    add(running, 0, nulls(0, 1))


def test_all_or_nothing(daemon):
    running = daemon.start()
    running.add(1, "net_null7")
    before = running.settled_fds()
    for bad, code in (("net_null7", 3), ("net_af_packet0,iface=nosuch", 5), ("0000:ff:1f.7", 5)):
        for devices in ([bad, "net_null0"], ["net_null0", "net_tap5,iface=bondtap", bad]):
            answer = ask(running, ADD, 0, devices)
            expect_error(answer, code, BOND)
            assert bad.split(",")[0] in answer.error_text or "relay 1" in answer.error_text
    wait_for(lambda: running.fds() == before, 2, "descriptors as before")
    add(running, 0, nulls(0, 1))


@pytest.mark.parametrize("mode", range(7))
def test_every_mode(daemon, mode):
    running = daemon.start()
    add(running, 0, nulls(*range(8)), mode=mode)
    assert running.relay(0).vf.bond_mode == mode
    expect_ok(ask(running, REMOVE, 0))
    running.remove_all()


def test_dynamic_sockets(daemon):
    running = daemon.start("--dynamic-sockets")
    path = os.path.join(running.vhost_dir, "a.sock")
    expect_refusal(ask(running, ADD, 0, nulls(0, 1)))
    expect_error(ask(running, ADD_SOCK, None, nulls(0, 1)), -1, PAIR)
    expect_error(ask(running, ADD_SOCK, None, ["net_null0", "0000:ff:1f.7"], vhost_path=path), 4,
                 PAIR)
    assert running.relay(0).vf is None
    expect_ok(ask(running, ADD_SOCK, None, nulls(0, 1), vhost_path=path))
    expect_ok(ask(running, ADD_SOCK, None, nulls(0, 1), vhost_path=path, conditional=True))
    expect_error(ask(running, ADD_SOCK, None, nulls(1), name=None, vhost_path=path + "b"), -17, PAIR)
    expect_error(ask(running, ADD_SOCK, None, nulls(1, 0), vhost_path=path, mode=0,
                     conditional=True), -17, PAIR)
    assert running.relay(0).vf.pci_addr_str == "net_bonding0"
    assert ask(running, QUERY_PCI, vhost_path=path, name=None).query_string == "net_bonding0"
    expect_error(ask(running, REMOVE_SOCK, None, nulls(0), name=None), 1,
                 "virtio_remove_sock_dev_pair()")
    expect_ok(ask(running, REMOVE_SOCK, None))
    expect_ok(ask(running, ADD_SOCK, None, nulls(0, 1), vhost_path=path))
    expect_ok(ask(running, REMOVE_SOCK, None, nulls(0, 1), vhost_path=path))
    running.remove_all()


def test_the_scripts(daemon):
    running = daemon.start()
    done = running.script("virtioforwarder_port_control.py", "add", "--virtio-id=2",
                          "--device=net_null0", "--device=net_null1", "--name=net_bonding3",
                          "--mode=2", f"--zmq_ep={running.port_control_ep}")
    assert (done.returncode, done.stdout) == (0, ""), done
    flat = running.stats(2)
    assert flat["vf.pci_addr_str"] == "net_bonding3" and flat["vf.bond_mode"] == "2"
    assert flat["vf.member_1.pci_addr_str"] == "net_null1"
    assert flat["vf.member_1.present"] == "True"
    # behind what the contract knows
    keys = list(flat)
    first = min(keys.index(key) for key in keys if "bond" in key or "member" in key)
    assert all("bond_mode" in key or "member_" in key for key in keys[first:])
    done = running.script("virtioforwarder_port_control.py", "remove", "--virtio-id=2",
                          "--name=net_bonding3", f"--zmq_ep={running.port_control_ep}")
    assert (done.returncode, done.stdout) == (0, ""), done


def test_static_bonds(daemon):
    bond = "net_bonding0,mode=2,slave=net_null0,slave=net_null1=5"
    running = daemon.start(f"--add-pci-vf={bond}", "--add-pci-vf=net_null2=6")
    running.wait_states(5, "DPDK_ADDED", "VIRTIO_UNINIT")
    assert list(members(running, 5)) == names(0, 1) and running.relay(5).vf.bond_mode == BALANCE


@pytest.mark.slow
def test_a_hundred_bonds(daemon, guest):
    """Nothing of them is left: descriptors, memory, ports, pools."""
    running = daemon.start()
    one = guest(running.socket_path(0), server=False)

    def turn(i):
        add(running, 0, nulls(*range(2 + i % 7)), name=f"net_bonding{i % 3}", mode=i % 7)
        if i % 5 == 0:
            running.wait_states(0, "DPDK_READY", "VIRTIO_READY")
            time.sleep(0.05)
        expect_ok(ask(running, REMOVE, 0, name=None))

    for i in range(35):  # until there are 802.3ad's pools for all port numbers, which stay
        turn(i)
    relays_pools = lambda: [name for name in running.pools() or [] if name.startswith("relay")]  # noqa: E731
    wait_for(lambda: not relays_pools(), 3)
    fds, maps = running.settled_fds(), running.maps()
    heap = running.heap_kb()
    for i in range(100):
        turn(i)
    wait_for(lambda: not relays_pools(), 3)
    wait_for(lambda: running.fds() == fds, 2, "descriptors as before")
    assert running.maps() <= maps + 5
    assert running.heap_kb() <= heap + 2048
    one.stats()


# --- traffic -----------------------------------------------------------------------------------


@pytest.fixture
def wired(directory, started, netns):
    """wired(n, mode, …): a daemon in a namespace, with relay 0 a bond of the taps vf0 to vf(n-1),
    each of which sends back what it is sent."""

    def make(n, mode, *options):
        wire_ns = netns("bond")
        running = started.add(Daemon(directory, wire_ns.name)).start("--enable-mrgbuf", *options)
        running.wire = wire_ns
        add(running, 0, [f"net_tap{i},iface=vf{i}" for i in range(n)], mode=mode)
        for i in range(n):
            wire_ns.run("sysctl", "-qw", f"net.ipv6.conf.vf{i}.disable_ipv6=1", check=False)
            wire_ns.run("ip", "link", "set", f"vf{i}", "up")
        started.add(Reflector(wire_ns, [f"vf{i}" for i in range(n)]))
        wait_for(lambda: all(m.active for m in members(running, 0).values()), 5, "links up")
        return running

    return make


class Reflector:
    def __init__(self, namespace, interfaces):
        self.process = namespace.popen(
            "/usr/bin/python3", os.path.join(HERE, "bond_reflector.py"), *interfaces,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout.readline() == b"ready\n"

    def cleanup(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


GENTLE = {"rate": 1000, "window": 64, "size": "60-1400"}


@pytest.mark.parametrize("mode", [ACTIVE_BACKUP, BALANCE, ALB])
def test_traffic(wired, guest, mode):
    running = wired(3, mode)
    one = guest(running.socket_path(0), flows=8, **GENTLE)
    one.wait_received(1000)
    final = one.finish()
    assert final["sent"] == final["received"] and not final["corrupted"], final
    state = running.relay(0)
    assert state.vm_to_vf.pkts_tx_to_vf == final["sent"]
    assert not [name for name in running.dropped(0) if "queue_full" in name or "invalid" in name]

    def counted():
        counts = members(running, 0).values()
        return sum(m.pkts_tx for m in counts) >= final["sent"] <= sum(m.pkts_rx for m in counts)

    wait_for(counted, 5, "the members' counters")
    busy = [name for name, member in members(running, 0).items() if member.pkts_tx > 20]
    assert len(busy) == 1 if mode == ACTIVE_BACKUP else busy, busy
    expect_ok(ask(running, REMOVE, 0))
    running.remove_all()


def test_round_robin_uses_all_members(wired, guest):
    """Packets that take turns overtake each other, but none is lost."""
    running = wired(3, ROUND_ROBIN)
    one = guest(running.socket_path(0), **GENTLE)
    one.wait_received(1000)
    final = one.finish()
    assert final["sent"] == final["received"] and not final["lost"], final
    wait_for(lambda: all(m.pkts_tx > 100 for m in members(running, 0).values()), 5)


def test_tlb_sends_on_all_and_receives_on_one(wired, guest):
    running = wired(3, TLB)
    one = guest(running.socket_path(0), flows=8, timeout=300, **GENTLE)
    wait_for(lambda: all(m.pkts_tx > 50 for m in members(running, 0).values()), 20)
    assert one.stats()["received"] > 0
    one.finish()
    expect_ok(ask(running, REMOVE, 0))
    running.remove_all()


def test_broadcast_doubles(wired, guest):
    running = wired(2, BROADCAST)
    one = guest(running.socket_path(0), **GENTLE)
    wait_for(lambda: one.stats()["received"] > 500, 10)
    wait_for(lambda: one.stats()["duplicated"] > 500, 10)
    wait_for(lambda: all(member.pkts_tx > 500 for member in members(running, 0).values()), 5)
    expect_ok(ask(running, REMOVE, 0))
    running.remove_all()


def test_802_3ad(directory, started, netns, guest):
    """Two bonds that are each other's partner: LACP comes and goes with their packets, and without a
    guest to give any."""
    wire_ns = netns("lacp")
    running = started.add(Daemon(directory, wire_ns.name)).start("--enable-mrgbuf")
    for relay, taps in ((0, (0, 1)), (1, (2, 3))):
        add(running, relay, [f"net_tap{i},iface=vf{i}" for i in taps], mode=LACP,
            name=f"net_bonding{relay}")
    for i in range(4):
        wire_ns.run("sysctl", "-qw", f"net.ipv6.conf.vf{i}.disable_ipv6=1", check=False)
        wire_ns.run("ip", "link", "set", f"vf{i}", "up")
    started.add(Reflector(wire_ns, ["vf0:vf2", "vf1:vf3"]))
    # each side sends by itself
    wait_for(lambda: all(m.pkts_tx > 1 and m.pkts_rx > 1
                         for relay in (0, 1) for m in members(running, relay).values()), 15)
    guest(running.socket_path(1), mode="reflect", mac="02:00:00:00:01:01")
    one = guest(running.socket_path(0), flows=8, **GENTLE)
    one.wait_received(1000, timeout=30)
    for relay in (0, 1):
        assert not running.dropped(relay).get("vm_to_vf.pkts_dropped_invalid")
        expect_ok(ask(running, REMOVE, relay, name=None))


def test_failover(wired, guest):
    """A link that goes down is left within a moment, while the relay and its guest stay as they
    are; when the last one is down packets are dropped and counted, and all goes on when one is up."""
    running = wired(2, ACTIVE_BACKUP)
    one = guest(running.socket_path(0), timeout=400, **GENTLE)
    one.wait_received(500)
    used = "vf0"
    for _ in range(4):
        other = "vf1" if used == "vf0" else "vf0"
        before = one.stats()
        begin = time.monotonic()
        running.wire.run("ip", "link", "set", used, "down")
        one.wait_received(300)
        took = time.monotonic() - begin
        lost = one.stats()["lost"] - before["lost"]
        # what was under way, and what came within the interval of 50 ms
        assert lost <= GENTLE["window"] + 1000 * (0.2 + took), (lost, took)
        wait_for(lambda: sorted(m.active for m in members(running, 0).values()) == [False, True], 5)
        running.wire.run("ip", "link", "set", used, "up")
        wait_for(lambda: all(m.active for m in members(running, 0).values()), 5, "link up again")
        used = other
    for iface in ("vf0", "vf1"):
        running.wire.run("ip", "link", "set", iface, "down")
    wait_for(lambda: not running.relay(0).vf.link_up, 5, "the bond's link down")
    wait_for(lambda: running.relay(0).vm_to_vf.pkts_dropped_vf_queue_full > 0, 10)
    running.wire.run("ip", "link", "set", "vf1", "up")
    one.wait_received(500, timeout=10)
    wait_for(lambda: running.relay(0).vf.link_up, 5, "the bond's link up")
    assert "was reset" not in running.log_text()
    one.finish()
    expect_ok(ask(running, REMOVE, 0))
    running.remove_all()
