"""port_control's rules in all their combinations: each request that can be made of the parts below,
in each state that a relay can be in, is sent, and the answer compared with what the contract says,
written down here once more as a function."""

import itertools
import os

import pytest
import wire_client as wire
from wire_client import ADD, ADD_SOCK, OK, QUERY_PCI, REMOVE, REMOVE_SOCK

ADD_VF = "virtio_forwarder_add_vf2()"
REMOVE_VF = "virtio_forwarder_remove_vf2()"
ADD_PAIR = "virtio_add_sock_dev_pair()"
REMOVE_PAIR = "virtio_remove_sock_dev_pair()"

# The relay that is asked about has HERE, or nothing; another one has ELSEWHERE; FREE nobody has.
HERE, ELSEWHERE, FREE = "net_null1", "net_null2", "net_null3"
RELAY, OTHER_RELAY, NO_RELAY = 5, 6, 64
BOND = "net_bonding3"

DEVICES = [
    (devices, name)
    for devices in ([], [HERE], [ELSEWHERE], [FREE], [FREE, "net_null4"], [HERE, ELSEWHERE])
    for name in (None, "", BOND, "bond0")
]
CONDITIONAL = [None, True, False]  # the first is true, too

GOOD, REFUSED = ("ok",), ("refused",)


def error(source, *codes):
    return ("error", source, codes)


def is_malformed(op, devices, name, virtio_id):
    """What the message alone tells to be wrong."""
    named = name not in (None, "")
    if op in (ADD, REMOVE) and virtio_id is None:
        return True
    if op in (ADD, ADD_SOCK) and not devices:
        return True
    if len(devices) > 1 and not named:
        return True
    if named and not name.startswith("net_bonding"):
        return True
    if named and len(devices) < 2:
        return not (op in (REMOVE, REMOVE_SOCK) and not devices)
    return False


def device_of(devices, name):
    return name if name not in (None, "") else (devices[0] if devices else None)


def expect_vf(op, present, devices, name, virtio_id, conditional):
    """ADD and REMOVE without dynamic sockets. present: the relay's device, or None."""
    device, forgiving = device_of(devices, name), conditional is not False
    if op == ADD:
        if virtio_id == NO_RELAY:
            return error(ADD_VF, 1)
        if present == device and forgiving:
            return GOOD
        if present:
            return error(ADD_VF, 8)
        return error(ADD_VF, 2, 8) if device == ELSEWHERE else GOOD
    if virtio_id == NO_RELAY:
        return error(REMOVE_VF, 1)
    if not present:
        return GOOD if forgiving else error(REMOVE_VF, 4)
    return GOOD if device in (None, present) else error(REMOVE_VF, 3)


def expect_sock(op, dynamic, relays, devices, name, path, conditional):
    """ADD_SOCK and REMOVE_SOCK. relays: {path: device} of those there are."""
    device, forgiving = device_of(devices, name), conditional is not False
    if op == ADD_SOCK:
        if not path:
            return error(ADD_PAIR, -1)
        if not dynamic:
            return error(ADD_PAIR, 2)
        if relays.get(path) == device:
            return GOOD if forgiving else error(ADD_PAIR, -17, 1)
        if device in relays.values():
            return error(ADD_PAIR, -17)
        return error(ADD_PAIR, 1) if path in relays else GOOD
    if not path and device is None:
        return error(REMOVE_PAIR, -1)
    if not dynamic:
        return error(REMOVE_PAIR, 1)
    has_path, has_device = path in relays, device in relays.values()
    if not has_path and not has_device:
        return GOOD if forgiving else error(REMOVE_PAIR, 1)
    if path and device is not None and relays.get(path) != device:
        return error(REMOVE_PAIR, 2)
    return GOOD


def told(answer):
    if answer.status == OK:
        return GOOD
    assert answer.error_text, "an error says why"
    if answer.error_code is None and answer.error_code_source is None:
        return REFUSED
    return error(answer.error_code_source, answer.error_code)


def agrees(answer, expected):
    given = told(answer)
    if expected[0] == "error" == given[0]:
        return given[1] == expected[1] and given[2][0] in expected[2]
    return given == expected


class Asker:
    """Sends requests over one connection, and keeps what went against the rules."""

    def __init__(self, running):
        self.client = wire.Client(running.port_control_ep)
        self.wrong, self.count = [], 0

    def ask(self, op, devices=(), virtio_id=None, conditional=None, name=None, path=None):
        body = wire.port_control_request(
            op, devices, virtio_id, conditional, name=name, vhost_path=path
        )
        return wire.control(self.client, body, 5)

    def compare(self, expected, *args, **fields):
        answer = self.ask(*args, **fields)
        self.count += 1
        if not agrees(answer, expected):
            self.wrong.append((args, fields, "expected", expected, "got", told(answer)))
        return answer

    def check(self, at_least):
        self.client.__exit__()
        assert not self.wrong, f"{len(self.wrong)} of {self.count}: {self.wrong[:5]}"
        assert self.count >= at_least, self.count


def makes_a_bond(op, devices, name):
    """Whether it depends on the build: bonds have tests of their own."""
    return op in (ADD, ADD_SOCK) and len(devices) > 1 and name == BOND


@pytest.mark.parametrize("present", [None, pytest.param(HERE, marks=pytest.mark.long)])
def test_add_and_remove(daemon, present):
    daemon.start()
    daemon.add(OTHER_RELAY, ELSEWHERE)
    asker = Asker(daemon)
    for op, (devices, name), virtio_id, conditional in itertools.product(
        (ADD, REMOVE), DEVICES, (None, RELAY, NO_RELAY), CONDITIONAL
    ):
        if makes_a_bond(op, devices, name):
            continue
        if present:
            asker.ask(ADD, [present], RELAY)
        if is_malformed(op, devices, name, virtio_id):
            expected = REFUSED
        else:
            expected = expect_vf(op, present, devices, name, virtio_id, conditional)
        asker.compare(expected, op, devices, virtio_id, conditional, name)
        relay = daemon.relay(RELAY)
        should = present
        if expected == GOOD:
            should = devices[0] if op == ADD else None
        assert (relay.vf.pci_addr_str if relay.vf else None) == should, (op, devices, name)
        asker.ask(REMOVE, virtio_id=RELAY)
    asker.check(400)


def test_dynamic_sockets_have_no_add_and_remove(daemon):
    daemon.start("--dynamic-sockets")
    asker = Asker(daemon)
    for op, (devices, name), virtio_id, conditional in itertools.product(
        (ADD, REMOVE), DEVICES, (None, RELAY, NO_RELAY), CONDITIONAL
    ):
        asker.compare(REFUSED, op, devices, virtio_id, conditional, name)
    asker.check(400)


@pytest.mark.parametrize(
    "dynamic, state",
    [(False, "nothing"), (False, "here"), (True, "nothing"), (True, "here"), (True, "both")],
)
def test_add_sock_and_remove_sock(daemon, dynamic, state):
    daemon.start(*(["--dynamic-sockets"] if dynamic else []))
    here, elsewhere, free = (os.path.join(daemon.vhost_dir, name) for name in "hef")
    relays = {"nothing": {}, "here": {here: HERE}, "both": {here: HERE, elsewhere: ELSEWHERE}}[state]
    asker = Asker(daemon)
    if not dynamic and relays:
        daemon.add(RELAY, HERE)
    for op, (devices, name), path, conditional in itertools.product(
        (ADD_SOCK, REMOVE_SOCK), DEVICES, (None, "", here, elsewhere, free), CONDITIONAL
    ):
        if makes_a_bond(op, devices, name):
            continue
        if dynamic:
            for known, device in relays.items():
                assert asker.ask(ADD_SOCK, [device], path=known).status == OK
        # virtio_id is ignored: it stands for the number of requests here.
        if is_malformed(op, devices, name, None):
            expected = REFUSED
        else:
            expected = expect_sock(op, dynamic, relays, devices, name, path, conditional)
        asker.compare(expected, op, devices, [None, RELAY, NO_RELAY][asker.count % 3], conditional,
                      name, path)
        if dynamic and expected == GOOD and op == ADD_SOCK and path not in relays:
            assert asker.ask(REMOVE_SOCK, path=path).status == OK
    asker.check(500)
    if not dynamic and relays:
        assert daemon.relay(RELAY).vf.pci_addr_str == HERE


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
def test_query_pci(daemon, dynamic):
    daemon.start(*(["--dynamic-sockets"] if dynamic else []))
    asker = Asker(daemon)
    paths = {None: REFUSED, "": REFUSED, "/nowhere/s": error("virtio_query_pci()", 2)}
    if dynamic:
        pair = os.path.join(daemon.vhost_dir, "pair")
        assert asker.ask(ADD_SOCK, [HERE], path=pair).status == OK
        devices = {pair: HERE}
        paths[daemon.socket_path(0)] = error("virtio_query_pci()", 2)
    else:
        daemon.add(0, HERE)
        devices = {daemon.socket_path(0): HERE, daemon.socket_path(63): ""}
    # All else in the message is ignored.
    for (path, expected), (given, name), virtio_id, conditional in itertools.product(
        [*paths.items(), *((path, GOOD) for path in devices)],
        DEVICES,
        (None, RELAY, NO_RELAY),
        CONDITIONAL,
    ):
        answer = asker.compare(expected, QUERY_PCI, given, virtio_id, conditional, name, path)
        if expected == GOOD:
            assert answer.query_string == devices[path]
        else:
            assert answer.query_string is None
    asker.check(700)
