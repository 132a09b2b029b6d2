"""Dynamic sockets: ADD_SOCK, REMOVE_SOCK and QUERY_PCI to the letter of the wire contract, with
live guests, and what is left when half of it fails."""

import os
import random
import socket

import pytest

import wire_client as wire
from conftest import Bystander, quick_or_all
import patience
from daemon import wait_for
from test_port_control import expect_error, expect_ok, expect_refusal
from wire_client import ADD, ADD_SOCK, ERROR, OK, QUERY_PCI, REMOVE, REMOVE_SOCK

ADDING = "virtio_add_sock_dev_pair()"
REMOVING = "virtio_remove_sock_dev_pair()"
SCRIPT = "virtioforwarder_port_control.py"
PATIENCE = 300  # ms


@pytest.fixture
def running(daemon):
    return daemon.start("--dynamic-sockets")


@pytest.fixture
def client_mode(daemon):
    """As OpenStack has it: QEMU serves the sockets."""
    return daemon.start("--dynamic-sockets", "--vhostuser-client")


def path_of(running, name="a"):
    return os.path.join(running.vhost_dir, f"{name}.sock")


def ask(running, op, device=None, path=None, conditional=True):
    return wire.port_control(
        running.port_control_ep,
        op,
        [device] if device else [],
        vhost_path=path,
        conditional=conditional,
    )


def add(running, device, path, conditional=False):
    expect_ok(ask(running, ADD_SOCK, device, path, conditional))


def remove(running, device=None, path=None, conditional=False):
    expect_ok(ask(running, REMOVE_SOCK, device, path, conditional))


def pairs(running):
    """{relay: (device, socket)} of all that is not idle."""
    return {
        relay.id: (relay.vf and relay.vf.pci_addr_str, relay.vhost.vhost_socket_name)
        for relay in running.relays()
        if relay.vf or relay.vhost.vhost_socket_name != "NONE"
    }


# --- pairs -------------------------------------------------------------------------------------


def test_no_sockets_at_start(running):
    assert pairs(running) == {} and os.listdir(running.vhost_dir) == []
    assert {running.states(relay) for relay in (0, 63)} == {("DPDK_UNINIT", "VIRTIO_UNINIT")}


def test_a_pair_is_made_and_removed(running, guest):
    path = path_of(running)
    add(running, "net_ring1", path)
    assert pairs(running) == {0: ("net_ring1", path)}
    assert running.states(0) == ("DPDK_ADDED", "VIRTIO_UNINIT")
    assert os.stat(path).st_mode & 0o777 == 0o660
    one = guest(path)
    running.wait_states(0, "DPDK_READY", "VIRTIO_READY")
    one.wait_received(500)
    remove(running, "net_ring1", path)  # with the guest there, and its traffic
    assert pairs(running) == {} and not os.path.exists(path)
    assert running.states(0) == ("DPDK_UNINIT", "VIRTIO_UNINIT")
    one.kill9()


@pytest.mark.parametrize("how", ["path", "device", "both"])
def test_removed_by(running, guest, how):
    paths = [path_of(running, n) for n in range(3)]
    for n, path in enumerate(paths):
        add(running, f"net_ring{n}", path)
    one = guest(paths[1])
    one.wait_received(200)
    remove(running, None if how == "path" else "net_ring1", None if how == "device" else paths[1])
    assert pairs(running) == {0: ("net_ring0", paths[0]), 2: ("net_ring2", paths[2])}
    assert sorted(os.listdir(running.vhost_dir)) == ["0.sock", "2.sock"]
    one.kill9()


def test_the_lowest_idle_relay_is_taken(running):
    paths = [path_of(running, n) for n in range(4)]
    for n in range(3):
        add(running, f"net_null{n}", paths[n])
    remove(running, path=paths[1])
    add(running, "net_null3", paths[3])
    assert pairs(running) == {n: (f"net_null{d}", paths[d]) for n, d in ((0, 0), (1, 3), (2, 2))}


def test_what_is_removed_can_be_had_again(running, guest):
    path = path_of(running)
    for n in range(5):
        add(running, "net_ring1", path)
        one = guest(path)
        one.wait_received(100)
        remove(running, path=path)
        one.kill9()
        assert pairs(running) == {}


@pytest.mark.parametrize("guest_first", [True, False])
def test_guests_that_serve_their_socket(client_mode, guest, guest_first):
    path = path_of(client_mode)
    one = guest(path, ready=False, server=True) if guest_first else None
    if guest_first:
        wait_for(lambda: os.path.exists(path))
    add(client_mode, "net_ring1", path)
    assert pairs(client_mode) == {0: ("net_ring1", path)}
    one = one or guest(path, ready=False, server=True)
    one.wait_ready()
    client_mode.wait_states(0, "DPDK_READY", "VIRTIO_READY", 10)
    one.wait_received(500)
    remove(client_mode, path=path)
    assert pairs(client_mode) == {}
    assert os.path.exists(path), "it is the guest's"
    one.kill9()


def test_a_guest_comes_and_goes(running, guest):
    path = path_of(running)
    add(running, "net_ring1", path)
    for _ in range(3):
        one = guest(path)
        one.wait_received(100)
        one.kill9()
        running.wait_states(0, "DPDK_ADDED", "VIRTIO_UNINIT")
    remove(running, path=path)


def test_counters_outlive_pairs(running, guest):
    add(running, "net_ring1", path_of(running))
    one = guest(path_of(running))
    one.wait_received(300)
    remove(running, path=path_of(running))
    one.kill9()
    before = running.relay(0).vm_to_vf.pkts_rx_from_vm
    assert before >= 300
    add(running, "net_ring2", path_of(running, "b"))
    assert running.relay(0).vm_to_vf.pkts_rx_from_vm >= before


# --- the contract's rules --------------------------------------------------------------------------


def test_codes_of_add_sock(running, tmp_path):
    a, b = path_of(running, "a"), path_of(running, "b")
    expect_error(ask(running, ADD_SOCK, "net_null0"), -1, ADDING)
    expect_error(ask(running, ADD_SOCK, "net_null0", ""), -1, ADDING)
    expect_refusal(ask(running, ADD_SOCK, path=a))  # no device
    add(running, "net_null0", a)
    for conditional in (False, True):
        expect_error(ask(running, ADD_SOCK, "net_null0", b, conditional), -17, ADDING)
        expect_error(ask(running, ADD_SOCK, "net_null1", a, conditional), 1, ADDING)
    expect_error(ask(running, ADD_SOCK, "net_null0", a, False), -17, ADDING)
    expect_ok(ask(running, ADD_SOCK, "net_null0", a, True))
    link = tmp_path / "link"
    link.symlink_to(running.vhost_dir)
    expect_ok(ask(running, ADD_SOCK, "net_null0", f"{link}/.//a.sock", True))
    expect_error(ask(running, ADD_SOCK, "net_null1", f"{link}/a.sock"), 1, ADDING)
    expect_error(ask(running, ADD_SOCK, "net_af_packet0,iface=nowhere0", b), 3, ADDING)
    bond = dict(devices=["net_null2", "net_null3"], name="net_bonding0", vhost_path=b)
    answer = wire.port_control(running.port_control_ep, ADD_SOCK, **bond)
    assert answer.status == OK or answer.error_code == 4, answer
    assert pairs(running)[0] == ("net_null0", a)


def test_codes_of_remove_sock(running):
    a, b = path_of(running, "a"), path_of(running, "b")
    add(running, "net_null0", a)
    add(running, "net_null1", b)
    expect_error(ask(running, REMOVE_SOCK), -1, REMOVING)
    expect_error(ask(running, REMOVE_SOCK, path=""), -1, REMOVING)
    for conditional in (False, True):
        expect_error(ask(running, REMOVE_SOCK, "net_null0", b, conditional), 2, REMOVING)
        expect_error(ask(running, REMOVE_SOCK, "net_null5", a, conditional), 2, REMOVING)
        expect_error(ask(running, REMOVE_SOCK, "net_null0", "/no", conditional), 2, REMOVING)
    for device, path in (("net_null5", None), (None, "/tmp/x"), ("net_null5", "/x"), (None, "x")):
        expect_error(ask(running, REMOVE_SOCK, device, path, False), 1, REMOVING)
        expect_ok(ask(running, REMOVE_SOCK, device, path, True))
    assert len(pairs(running)) == 2
    remove(running, "net_null0", a, conditional=True)
    remove(running, path=b, conditional=True)
    assert pairs(running) == {}


def test_relays_by_number_are_for_static_sockets(running):
    for op in (ADD, REMOVE):
        expect_refusal(wire.port_control(running.port_control_ep, op, ["net_null0"], virtio_id=3))
    add(running, "net_null0", path_of(running))
    expect_refusal(wire.port_control(running.port_control_ep, REMOVE, [], virtio_id=0))
    # ADD_SOCK and REMOVE_SOCK ignore the number.
    answer = wire.port_control(
        running.port_control_ep, ADD_SOCK, ["net_null1"], 77, vhost_path=path_of(running, "b")
    )
    expect_ok(answer)
    assert set(pairs(running)) == {0, 1}


def test_query_pci(running):
    path = path_of(running)
    expect_error(ask(running, QUERY_PCI, path=path), 2, "virtio_query_pci()")
    add(running, "net_null0", path)
    for same in (path, f"{running.vhost_dir}/../sockets/a.sock"):
        answer = ask(running, QUERY_PCI, path=same)
        expect_ok(answer)
        assert answer.query_string == "net_null0"
    remove(running, path=path)
    expect_error(ask(running, QUERY_PCI, path=path), 2, "virtio_query_pci()")


# --- paths -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path, words",
    [
        ("a.sock", "absolute"),
        ("./a.sock", "absolute"),
        ("NONE", "absolute"),
        ("/", "directory"),
        ("//", "directory"),
        ("{dir}/", "directory"),
        ("{dir}/.", "directory"),
        ("{dir}/..", "directory"),
        ("{dir}", "not a socket"),
        ("{dir}/nowhere/a.sock", "make it first"),
        ("{dir}/file/a.sock", "make it first"),
        ("{dir}/file", "not a socket"),
        ("{dir}/link", "not a socket"),
        ("{dir}/fifo", "not a socket"),
        ("/dev/null", "not a socket"),
        ("{dir}/" + "x" * 200, "longer"),
        ("/" + "x/" * 20000, "longer"),
        ("{dir}/a\nb", "control"),
        (b"/tmp/\xff\xfe", "UTF-8"),
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.parametrize("mode", ["server", "client"])
def test_paths_that_are_refused(daemon, path, words, mode):
    daemon.start("--dynamic-sockets", *(["--vhostuser-client"] if mode == "client" else []))
    file = os.path.join(daemon.vhost_dir, "file")
    with open(file, "w", encoding="ascii") as out:
        out.write("precious")
    os.symlink(file, os.path.join(daemon.vhost_dir, "link"))
    os.mkfifo(os.path.join(daemon.vhost_dir, "fifo"))
    if isinstance(path, str):
        path = path.replace("{dir}", daemon.vhost_dir)
    answer = ask(daemon, ADD_SOCK, "net_null0", path, False)
    expect_error(answer, 5, ADDING)
    assert words in answer.error_text
    with open(file, encoding="ascii") as back:
        assert back.read() == "precious"
    assert pairs(daemon) == {}
    assert sorted(os.listdir(daemon.vhost_dir)) == ["fifo", "file", "link"]
    add(daemon, "net_null0", path_of(daemon))


def test_the_longest_path(running, guest):
    directory = os.path.join(running.vhost_dir, "d" * (105 - len(running.vhost_dir) - 2))
    os.mkdir(directory)
    path = os.path.join(directory, "x")
    path += "x" * (107 - len(path))
    assert len(path) == 107
    add(running, "net_ring1", path)
    guest(path).wait_received(100)
    remove(running, path=path)
    expect_error(ask(running, ADD_SOCK, "net_ring1", path + "x"), 5, ADDING)


def test_a_stale_socket_is_replaced(running, guest):
    path = path_of(running)
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.close()
    add(running, "net_ring1", path)
    guest(path).wait_received(100)


# --- all or nothing --------------------------------------------------------------------------------


def test_a_socket_that_fails_gives_the_device_back(running):
    """The second half: somebody else serves the path, which only opening it tells."""
    path = path_of(running)
    served = socket.socket(socket.AF_UNIX)
    served.bind(path)
    served.listen(4)
    inode = os.stat(path).st_ino
    for _ in range(3):
        answer = ask(running, ADD_SOCK, "net_null0", path, False)
        expect_error(answer, 5, ADDING)
        assert "another process serves" in answer.error_text
        assert pairs(running) == {} and os.stat(path).st_ino == inode
        assert running.states(0) == ("DPDK_UNINIT", "VIRTIO_UNINIT")
    add(running, "net_null0", path_of(running, "b"))  # the device is free
    remove(running, "net_null0")
    served.close()
    add(running, "net_null0", path)  # and so is the path, now


def test_a_device_that_fails_leaves_no_socket(running):
    path = path_of(running)
    for _ in range(3):
        answer = wire.port_control(
            running.port_control_ep, ADD_SOCK, pci=[(0, 0xFE, 0x1E, 7)], vhost_path=path
        )
        expect_error(answer, 3, ADDING)
        assert not os.path.exists(path) and pairs(running) == {}
    add(running, "net_null0", path)


def test_what_is_left_at_the_end(running, guest):
    for n in range(3):
        add(running, f"net_ring{n}", path_of(running, n))
    guest(path_of(running, 1)).wait_received(100)
    assert running.stop(timeout=3, margin=1) == 0
    assert os.listdir(running.vhost_dir) == []


def test_static_vfs_do_not_go_with_it(daemon):
    command = daemon.command("--dynamic-sockets", "--add-pci-vf=net_null0=1")
    done = patience.run(command)
    assert done.returncode == 1 and "dynamic" in done.stderr


def test_clients_at_once(running):
    """Many requests that contradict each other: each is answered, and the end is consistent."""
    rng = random.Random(2)
    clients = [wire.Client(running.port_control_ep) for _ in range(12)]
    for _ in range(15):
        for client in clients:
            op = rng.choice((ADD_SOCK, REMOVE_SOCK))
            n, m = rng.randrange(3), rng.randrange(3)
            body = wire.port_control_request(
                op, [f"net_null{n}"], conditional=rng.random() < 0.5,
                vhost_path=path_of(running, n if rng.random() < 0.8 else m),
            )
            client.send(body)
        for client in clients:
            answer = wire.Record(client.receive(3), wire.PORT_CONTROL_RESPONSE)
            assert answer.status == OK or answer.error_text, answer
    for client in clients:
        client.__exit__()
    assert all(socket_name != "NONE" and device for device, socket_name in pairs(running).values())
    for n in range(3):
        remove(running, f"net_null{n}", conditional=True)
    assert pairs(running) == {} and os.listdir(running.vhost_dir) == []


# --- with traffic beside it ------------------------------------------------------------------------


class PairedBystander(Bystander):
    def __init__(self, daemon, guest, **options):
        self.daemon = daemon
        path = path_of(daemon, "bystander")
        server = "--vhostuser-client" in daemon.options
        self.guest = guest(path, ready=False, server=True, **options) if server else None
        add(daemon, "net_ring0", path)
        self.guest = self.guest or guest(path, ready=False, **options)
        self.guest.wait_ready()
        daemon.wait_states(0, "DPDK_READY", "VIRTIO_READY", 10)


def serving_guest(guest, path):
    """One that listens, so that a client's first attempt finds it."""
    one = guest(path, ready=False, server=True, timeout=PATIENCE)
    wait_for(lambda: os.path.exists(path), 15)
    return one


@pytest.mark.parametrize("mode", ["server", "client"])
@pytest.mark.parametrize("rounds", quick_or_all(12, 200))
def test_torture(daemon, guest, rounds, mode):
    """Pairs with a live guest come and go; the one beside them loses nothing, and nothing is left
    of them.

    A virtio-user device that serves its socket does not survive a backend that leaves in the middle
    of the handshake: its next one is told that all is well and never gets SET_VRING_ENABLE. So in
    client mode such a guest ends with its pair, and the next round has a new one."""
    client = mode == "client"
    daemon.start("--dynamic-sockets", *(["--vhostuser-client"] if client else []))
    bystander = PairedBystander(daemon, guest)
    path = path_of(daemon)
    one = serving_guest(guest, path) if client else None
    rng = random.Random(3)
    baseline = None
    for n in range(rounds):
        add(daemon, "net_ring1", path)
        if not client and one is None:
            one = guest(path, timeout=PATIENCE)
        elif not client:
            one.command("attach")
        if n % 4 != 3:  # else remove it before its guest is there
            wait_for(lambda: daemon.states(1) == ("DPDK_READY", "VIRTIO_READY"), 10)
            if n % 2 or client:
                one.wait_received(20 if n % 2 else 1, timeout=8)
        how = rng.randrange(3)
        remove(daemon, None if how == 0 else "net_ring1", None if how == 1 else path)
        assert daemon.states(1) == ("DPDK_UNINIT", "VIRTIO_UNINIT")
        if not client:
            one.command("detach")
        elif n % 4 == 3:
            one.kill9()
            os.unlink(path)
            one = serving_guest(guest, path)
        if n == 8:
            baseline = daemon.settled_fds(), daemon.threads(), daemon.heap_kb()
    fds, threads, heap = baseline
    assert daemon.settled_fds() == fds and daemon.threads() == threads
    assert daemon.heap_kb() < heap + 4096 * patience.SLOWER
    one.kill9()
    bystander.check()


# --- the script, as OpenStack calls it ---------------------------------------------------------------


@pytest.mark.parametrize("lib", ["lib", "lib64"])
def test_openstack(client_mode, guest, installed, lib):
    """Its call to the letter, the default endpoint being where the daemon's is."""
    script = os.path.join(installed, "usr", lib, "virtio-forwarder", SCRIPT)
    path = path_of(client_mode)

    def call(*args):
        # A /run of its own, with our endpoint as the default one.
        setup = (
            'exec 3<"$1"; shift; mount -t tmpfs none /run; mkdir /run/virtio-forwarder; '
            'mount --bind /proc/self/fd/3 /run/virtio-forwarder; exec "$@"'
        )
        return patience.run(["unshare", "-m", "sh", "-c", setup, "sh", client_mode.dir, script, *args])

    done = call("add_sock", "--device=net_ring1", f"--vhost-path={path}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    one = guest(path, ready=False, server=True)
    one.wait_ready()
    client_mode.wait_states(0, "DPDK_READY", "VIRTIO_READY", 10)
    done = call("remove_sock", "--device=net_ring1", f"--vhost-path={path}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert pairs(client_mode) == {}
    one.kill9()
    # With a PCI address, which is not there: the same words, and why not.
    done = call("add_sock", "--pci-addr=0000:fe:1e.7", f"--vhost-path={path}")
    assert done.returncode == 1 and f'error_code: 3\nerror_code_source: "{ADDING}"' in done.stdout
    done = call("remove_sock", "--pci-addr=0000:fe:1e.7", f"--vhost-path={path}")
    assert done.returncode == 1 and f'error_code: 1\nerror_code_source: "{REMOVING}"' in done.stdout


def test_script(running):
    path = path_of(running)

    def call(*args):
        return running.script(SCRIPT, *args, f"--zmq_ep={running.port_control_ep}")

    assert call("add_sock", "--device=net_null0", f"--vhost-path={path}").returncode == 0
    done = call("add_sock", "--device=net_null0", f"--vhost-path={path}")
    assert done.returncode == 1 and "error_code: -17" in done.stdout
    assert call("add_sock", "--device=net_null0", f"--vhost-path={path}", "--conditional").returncode == 0
    assert call("query_pci", f"--vhost-path={path}").stdout == "net_null0\n"
    done = call("remove_sock", "--device=net_null7", f"--vhost-path={path}")
    assert done.returncode == 1 and "are not one relay's; give one of them" in done.stdout
    assert call("remove_sock", f"--vhost-path={path}").returncode == 0
    assert call("remove_sock", f"--vhost-path={path}").returncode == 1
    assert call("remove_sock", f"--vhost-path={path}", "--conditional").returncode == 0
    assert ERROR == ask(running, QUERY_PCI, path=path).status
