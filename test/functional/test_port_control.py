"""The port_control endpoint and its script, to the letter of the wire contract."""

import os
import threading
import time

import pytest
import zmq

import wire_client as wire
from patience import wait_for
from wire_client import ADD, ADD_SOCK, ERROR, OK, QUERY_PCI, REMOVE, REMOVE_SOCK

ADD_VF = "virtio_forwarder_add_vf2()"
REMOVE_VF = "virtio_forwarder_remove_vf2()"


@pytest.fixture
def running(daemon):
    """A daemon with server sockets and no VFs, as Contrail's plugin expects it."""
    return daemon.start()


def ask(running, *args, **fields):
    return wire.port_control(running.port_control_ep, *args, **fields)


def expect_ok(answer):
    assert answer.status == OK, answer
    assert answer.error_code is None and answer.error_code_source is None, answer


def expect_error(answer, code, source):
    assert answer.status == ERROR, answer
    assert (answer.error_code, answer.error_code_source) == (code, source), answer
    assert answer.error_text, "an error says why"


def expect_refusal(answer):
    assert answer.status == ERROR, answer
    assert answer.error_code is None and answer.error_code_source is None, answer
    assert answer.error_text, "a refusal says why"


def expect_alive(running):
    os.kill(running.pid, 0)
    assert wire.stats(running.stats_ep).status == wire.STATS_OK


# --- adding and removing -----------------------------------------------------------------------


def test_add_and_remove(running):
    expect_ok(ask(running, ADD, ["net_null0"], virtio_id=3))
    relay = wire.relay(running.stats_ep, 3)
    assert relay.vf.pci_addr_str == "net_null0"
    assert relay.vf_to_vm.internal_state == "DPDK_ADDED" and relay.vf_to_vm.active
    assert relay.vm_to_vf.internal_state == "VIRTIO_UNINIT" and not relay.vm_to_vf.active
    assert not relay.active
    expect_ok(ask(running, REMOVE, ["net_null0"], virtio_id=3))
    relay = wire.relay(running.stats_ep, 3)
    assert relay.vf is None
    assert relay.vf_to_vm.internal_state == "DPDK_UNINIT" and not relay.vf_to_vm.active


def test_conditional_forgives_what_is_so_already(running):
    expect_ok(ask(running, REMOVE, virtio_id=3))
    expect_ok(ask(running, REMOVE, ["net_null0"], virtio_id=3))
    expect_ok(ask(running, ADD, ["net_null0"], virtio_id=3))
    expect_ok(ask(running, ADD, ["net_null0"], virtio_id=3))
    expect_ok(ask(running, ADD, ["net_null0,size=64"], virtio_id=3))  # by the device's name
    # … but never another device.
    expect_error(ask(running, ADD, ["net_null1"], virtio_id=3), 8, ADD_VF)
    expect_error(ask(running, REMOVE, ["net_null1"], virtio_id=3), 3, REMOVE_VF)
    expect_ok(ask(running, REMOVE, virtio_id=3))


def test_unconditional_wants_a_change(running):
    expect_error(ask(running, REMOVE, virtio_id=3, conditional=False), 4, REMOVE_VF)
    expect_ok(ask(running, ADD, ["net_null0"], virtio_id=3, conditional=False))
    expect_error(ask(running, ADD, ["net_null0"], virtio_id=3, conditional=False), 8, ADD_VF)
    expect_ok(ask(running, REMOVE, ["net_null0"], virtio_id=3, conditional=False))


@pytest.mark.parametrize("relay_id", [64, 1000, 0xFFFFFFFF])
def test_relays_that_do_not_exist(running, relay_id):
    expect_error(ask(running, ADD, ["net_null0"], virtio_id=relay_id), 1, ADD_VF)
    expect_error(ask(running, REMOVE, virtio_id=relay_id), 1, REMOVE_VF)


def test_devices_that_do_not_exist(running):
    answer = ask(running, ADD, virtio_id=0, pci=[(0, 0xFE, 0x1E, 7)])
    expect_error(answer, 2, ADD_VF)
    assert "fe:1e.7" in answer.error_text.lower()
    assert wire.relay(running.stats_ep, 0).vf is None


def test_a_device_serves_one_relay(running):
    expect_ok(ask(running, ADD, ["net_null0"], virtio_id=3))
    answer = ask(running, ADD, ["net_null0"], virtio_id=4)
    assert answer.status == ERROR and answer.error_code_source == ADD_VF and answer.error_text
    assert wire.relay(running.stats_ep, 3).vf.pci_addr_str == "net_null0"
    assert wire.relay(running.stats_ep, 4).vf is None
    expect_ok(ask(running, REMOVE, virtio_id=3))
    expect_ok(ask(running, ADD, ["net_null0"], virtio_id=4))


def test_clients_at_once_do_not_disturb_each_other(running):
    problems = []

    def work(relay_id):
        for _ in range(5):
            for op in (ADD, REMOVE):
                answer = ask(running, op, [f"net_null{relay_id}"], virtio_id=relay_id)
                if answer.status != OK:
                    problems.append(answer)

    threads = [threading.Thread(target=work, args=(relay_id,)) for relay_id in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    states = {relay.vf_to_vm.internal_state for relay in wire.stats(running.stats_ep).relay}
    assert states == {"DPDK_UNINIT"}


# --- what the message alone tells ----------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        dict(op=ADD, devices=["net_null0"]),
        dict(op=REMOVE, devices=["net_null0"]),
        dict(op=ADD, virtio_id=3),
        dict(op=ADD_SOCK, vhost_path="/tmp/x.sock"),
        dict(op=QUERY_PCI),
        dict(op=QUERY_PCI, vhost_path=""),
        dict(op=5, devices=["net_null0"], virtio_id=3),
        dict(op=-1, devices=["net_null0"], virtio_id=3),
        dict(op=None, devices=["net_null0"], virtio_id=3),
        dict(op=ADD, virtio_id=3, pci=[(0, 256, 0, 0)]),
        dict(op=ADD, virtio_id=3, pci=[(0, 0, 32, 0)]),
        dict(op=ADD, virtio_id=3, pci=[(0, 0, 0, 8)]),
        dict(op=ADD, virtio_id=3, pci=[(0, 5, 8)]),
        dict(op=ADD, virtio_id=3, pci=[(0, 5, 8, 1)], devices=["net_null0"]),
        dict(op=ADD, virtio_id=3, pci=[(0, 5, 8, 1)], name="net_bonding0"),
        dict(op=ADD, virtio_id=3, devices=["net_null0", "net_null1"]),
        dict(op=ADD, virtio_id=3, devices=["net_null0", "net_null1"], name="bond0"),
        dict(op=ADD, virtio_id=3, devices=["net_null0"] * 2, name="net_bonding0"),
        dict(op=ADD, virtio_id=3, pci=[(0, 5, n // 8, n % 8) for n in range(24)], name="net_bonding0"),
        dict(op=ADD, virtio_id=3, devices=["net_pcap0,tx_pcap=/tmp/owned"]),
        dict(op=ADD, virtio_id=3, devices=["net_null0\n"]),
        dict(op=ADD, virtio_id=3, devices=[""]),
        dict(op=ADD, virtio_id=3, devices=["net_tap0,iface=" + "x" * 600]),
        dict(op=ADD, virtio_id=3, devices=[b"net_null\xff\xfe"]),
    ],
    ids=str,
)
def test_requests_that_make_no_sense(running, fields):
    expect_refusal(ask(running, **fields))
    expect_alive(running)
    assert not os.path.exists("/tmp/owned")


def test_malformed_messages_harm_nobody(running):
    good = wire.port_control_request(ADD, ["net_null0"], virtio_id=1)
    with wire.Client(running.port_control_ep, zmq.DEALER) as client:
        for frames in (
            [b"", b""],
            [b"", b"\xff" * 600],
            [b"", os.urandom(600)],
            [b"", good[:-1]],
            [b"", good, b"more"],
            [b"", good, b""],
            [b""],
            [good],
            [b"x", b"y"],
            [b""] * 5,
        ):
            client.send(*frames)
            expect_refusal(wire.Record(client.receive(), wire.PORT_CONTROL_RESPONSE))
        client.send(b"", good)
        expect_ok(wire.Record(client.receive(), wire.PORT_CONTROL_RESPONSE))
    with wire.Client(running.port_control_ep) as client:
        client.send(good, b"a second frame")
        expect_refusal(wire.Record(client.receive(), wire.PORT_CONTROL_RESPONSE))
    with wire.Client(running.port_control_ep, zmq.DEALER) as client:
        client.send(b"", b"x" * (1 << 20))  # whoever sends that much is cut off
        with pytest.raises(wire.NoAnswer):
            client.receive(0.3)
    expect_alive(running)


def test_unknown_fields_are_skipped(running):
    extra = wire.field(999, 1) + wire.field(1000, "text") + wire.varint(1001 << 3 | 5) + b"1234"
    with wire.Client(running.port_control_ep) as client:
        body = extra + wire.port_control_request(ADD, ["net_null0"], virtio_id=1) + extra
        expect_ok(wire.Record(client.exchange(body), wire.PORT_CONTROL_RESPONSE))


def test_clients_that_vanish(running):
    for n in range(40):
        with wire.Client(running.port_control_ep) as client:
            client.socket.linger = 100
            op = REMOVE if n % 2 else ADD
            client.send(wire.port_control_request(op, ["net_null0"], virtio_id=2))
    expect_alive(running)
    # It may still be leaving.
    wait_for(lambda: ask(running, ADD, ["net_null0"], virtio_id=2).status == OK, 2, interval=0.02)


# --- sockets -------------------------------------------------------------------------------------


def test_query_pci(running, tmp_path):
    path = wire.relay(running.stats_ep, 5).vhost.vhost_socket_name
    answer = ask(running, QUERY_PCI, vhost_path=path)
    expect_ok(answer)
    assert answer.query_string == ""
    expect_ok(ask(running, ADD, ["net_null0"], virtio_id=5))
    link = tmp_path / "link"
    link.symlink_to(os.path.dirname(path))
    for same in (path, f"{os.path.dirname(path)}//./{os.path.basename(path)}",
                 f"{link}/{os.path.basename(path)}"):
        answer = ask(running, QUERY_PCI, vhost_path=same)
        expect_ok(answer)
        assert answer.query_string == "net_null0"
    for other in ("/nowhere/x.sock", "NONE", os.path.basename(path), f"{path}/"):
        answer = ask(running, QUERY_PCI, vhost_path=other)
        expect_error(answer, 2, "virtio_query_pci()")


def test_dynamic_operations_need_dynamic_sockets(running):
    expect_error(
        ask(running, ADD_SOCK, ["net_null0"], vhost_path="/tmp/x.sock"),
        2,
        "virtio_add_sock_dev_pair()",
    )
    expect_error(ask(running, ADD_SOCK, ["net_null0"]), -1, "virtio_add_sock_dev_pair()")
    expect_error(
        ask(running, REMOVE_SOCK, vhost_path="/tmp/x.sock"), 1, "virtio_remove_sock_dev_pair()"
    )
    expect_error(ask(running, REMOVE_SOCK), -1, "virtio_remove_sock_dev_pair()")


# --- the script ----------------------------------------------------------------------------------

SCRIPT = "virtioforwarder_port_control.py"


def script(running, *args):
    return running.script(SCRIPT, *args, f"--zmq_ep={running.port_control_ep}")


def test_script_is_silent_when_it_worked(running):
    for args in (
        ("add", "--device=net_null0", "--virtio-id=1"),
        ("add", "--device=net_null0", "--virtio-id=1", "--conditional"),
        ("remove", "--device", "net_null0", "--virtio-id", "1"),
        ("remove", "--virtio-id=1", "--conditional"),
    ):
        done = script(running, *args)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), args


def test_script_prints_the_answer_when_it_failed(running):
    done = script(running, "remove", "--virtio-id=1")  # not conditional unless told so
    assert done.returncode == 1
    assert "status: ERROR\nerror_code: 4\n" in done.stdout
    assert f'error_code_source: "{REMOVE_VF}"' in done.stdout
    done = script(running, "add", "--virtio-id=1", "--pci-addr=fe:1f.7")
    assert done.returncode == 1 and "error_code: 2\n" in done.stdout


def test_script_queries(running):
    path = wire.relay(running.stats_ep, 1).vhost.vhost_socket_name
    script(running, "add", "--device=net_null0", "--virtio-id=1")
    done = script(running, "query_pci", "--vhost-path", path)
    assert (done.returncode, done.stdout) == (0, "net_null0\n")
    done = script(running, "query_pci", "--vhost-path", "/tmp/none.sock")
    assert done.returncode == 1 and "error_code: 2\n" in done.stdout


def test_script_tests_the_daemon(running):
    done = script(running, "add", "--send-garbage")
    assert done.returncode == 1 and "status: ERROR" in done.stdout
    done = script(running, "add", "--device=net_null0", "--virtio-id=1", "--crash-after-send")
    assert done.stdout == ""
    wait_for(lambda: wire.relay(running.stats_ep, 1).vf is not None, 2, "the request gets through")


def test_script_checks_its_arguments(running):
    for args in (
        ("insert",),
        ("add", "--pci-addr=0000:05:08.9"),
        ("add", "--pci-addr=05:28.1"),
        ("add", "--pci-addr=eth0", "--virtio-id=1"),
        ("add", "--mode=active", "--virtio-id=1"),
        ("add", "--mode=-1", "--virtio-id=1"),
        ("add", "--virtio-id=-1"),
        ("add", "--curve-key=/nonexistent"),
    ):
        done = script(running, *args)
        assert done.returncode in (1, 2) and done.stderr, args
        # Callers of these know 0 and 1.
        assert done.returncode == 1 or not args[1:] or "-addr" not in args[1] and "mode" not in args[1]
        assert "Traceback" not in done.stderr, done.stderr


def test_script_does_not_wait_for_ever(running, tmp_path):
    start = time.monotonic()
    done = running.script(SCRIPT, "remove", "--virtio-id=1", f"--zmq_ep=ipc://{tmp_path}/none",
                          timeout=5, margin=1)
    assert done.returncode == 1 and done.stdout == ""
    assert "no answer" in done.stderr and done.stderr.count("\n") == 1
    assert time.monotonic() - start > 1.9
