"""Why is there no traffic: the diagnosis, a pure function, on statistics that are made up. One test for
each diagnosis; those that can be provoked are in test_ctl.py, on the real daemon."""

import os
import sys

import pytest

from daemon import ROOT

sys.path.insert(0, os.path.join(ROOT, "clients"))

import virtioforwarder_client as client  # noqa: E402
from vio4wd import causes, diagnosis, figures, health, naming  # noqa: E402


@pytest.fixture(scope="module")
def messages():
    return client.load_messages()


class Made:
    """Two readings of relay 3, both ends up and packets flowing, to be spoiled by a test."""

    def __init__(self, messages):
        self.messages = messages
        self.before, self.after = messages.RelayState(), messages.RelayState()
        self.worker = [messages.StatsResponse.Worker(cpu=cpu, host_cpu=cpu, numa_node=0, busy=0.2, lanes=2)
                       for cpu in (1, 2)]
        for relay, packets in ((self.before, 100), (self.after, 300)):
            relay.id, relay.active, relay.socket_id = 3, True, 0
            relay.vhost.vhost_socket_name = "/tmp/virtio-forwarder3.sock"
            relay.vhost.queues, relay.vhost.mac = 1, "02:00:00:00:00:01"
            relay.vf.pci_addr_str, relay.vf.link_up, relay.vf.mtu = "0000:05:08.1", True, 1500
            relay.vf.mac = "02:00:00:00:00:01"
            for name, state in (("vf_to_vm", "DPDK_READY"), ("vm_to_vf", "VIRTIO_READY")):
                direction = getattr(relay, name)
                direction.active, direction.internal_state = True, state
                direction.lane_cpu.append(1)
                for field in direction.DESCRIPTOR.fields:
                    if "_rate_" in field.name:
                        setattr(direction, field.name, 0.0)
                lane = relay.lane.add(direction=relay.Lane.Direction.Value(name.upper()), queue=0, cpu=1)
                lane.targets = 1
            relay.vf_to_vm.pkts_rx_from_vf = relay.vf_to_vm.pkts_tx_to_vm = packets
            relay.vm_to_vf.pkts_rx_from_vm = relay.vm_to_vf.pkts_tx_to_vf = packets

    def both(self, change):
        change(self.before)
        change(self.after)

    def no_guest(self):
        def change(relay):
            relay.active = relay.vm_to_vf.active = False
            relay.vf_to_vm.internal_state, relay.vm_to_vf.internal_state = "DPDK_ADDED", "VIRTIO_UNINIT"
            relay.vhost.queues = 0
            relay.vhost.ClearField("mac")
            del relay.lane[1:]
            relay.lane[0].targets = 0
        self.both(change)

    def no_vf(self):
        def change(relay):
            relay.active = relay.vf_to_vm.active = False
            relay.ClearField("vf")
            relay.vf_to_vm.internal_state = "DPDK_UNINIT"
        self.both(change)

    def drop(self, direction, cause, count):
        """Between the two readings; a cause as the counters name it, and its sum."""
        sums = {"vm_no_buffers": "vm_queue_full", "vm_too_long": "vm_queue_full",
                "vm_ring_broken": "vm_queue_full", "vm_no_front_end": "vm_not_connected",
                "vm_no_driver": "vm_not_connected", "vf_stalled": "vf_queue_full", "too_long": "invalid",
                "runt": "invalid", "vf_none": "vf_not_connected", "vf_not_ready": "vf_not_connected"}
        for name in filter(None, (cause, sums.get(cause))):
            setattr(getattr(self.after, direction), f"pkts_dropped_{name}", count)

    def findings(self):
        before, after = figures.relay_object(self.before), figures.relay_object(self.after)
        workers = [figures.worker_object(worker) for worker in self.worker]
        return diagnosis.diagnose(after, figures.increase(before, after), workers)

    def expect(self, id_, severity, *words, others=()):
        """One finding of that kind, and none but these others; its proof, by name."""
        found = {finding["id"]: finding for finding in self.findings()}
        assert set(found) == {id_, *others}, found
        finding = found[id_]
        assert finding["severity"] == severity
        for word in words:
            assert word in finding["what"] + " " + finding["remedy"], (word, finding)
        assert finding["proof"] and finding["remedy"]
        return {proof["name"]: (proof["value"], proof["recent"]) for proof in finding["proof"]}


@pytest.fixture
def made(messages):
    return Made(messages)


def test_nothing_is_wrong(made):
    assert made.findings() == []


def test_nobody_is_connected(made):
    made.no_guest()
    made.drop("vf_to_vm", "vm_no_front_end", 40)
    proof = made.expect("front-end-absent", "error", "nobody is connected", "/tmp/virtio-forwarder3.sock")
    assert proof["vf_to_vm.pkts_dropped_vm_no_front_end"] == (40, 40)


def test_nobody_is_connected_in_client_mode(made):
    made.no_guest()
    made.after.vhost.trouble = "QEMU has not made the socket"
    proof = made.expect("front-end-absent", "error", "QEMU has not made the socket")
    assert proof["vhost.trouble"] == ("QEMU has not made the socket", None)


def test_no_driver_in_the_guest(made):
    made.no_guest()
    made.drop("vf_to_vm", "vm_no_driver", 7)
    proof = made.expect("driver-down", "error", "no driver in the guest", "ip link set DEVICE up")
    assert proof["vf_to_vm.pkts_dropped_vm_no_driver"] == (7, 7)


def test_no_guest_and_no_packet_that_would_tell_why(made):
    made.no_guest()
    assert made.expect("guest-absent", "error", "nobody is connected, or no driver")["vhost.queues"][0] == 0


def test_no_vf(made):
    made.no_vf()
    made.drop("vm_to_vf", "vf_none", 5)
    proof = made.expect("no-vf", "error", "vio4wdctl add 3")
    assert proof["vf_to_vm.internal_state"] == ("DPDK_UNINIT", None)
    assert proof["vm_to_vf.pkts_dropped_vf_none"] == (5, 5)


def test_a_vf_that_is_waited_for(made):
    made.no_vf()
    made.drop("vm_to_vf", "vf_not_ready", 5)
    made.expect("vf-not-ready", "error", "being attached")


def test_a_vf_that_leaves(made):
    made.both(lambda relay: setattr(relay.vf_to_vm, "internal_state", "DPDK_REMOVING1"))
    made.expect("vf-leaving", "warning")


def test_link_down(made):
    made.both(lambda relay: setattr(relay.vf, "link_up", False))
    made.drop("vm_to_vf", "vf_stalled", 9)
    proof = made.expect("link-down", "error", "ip link show PF")
    assert proof == {"vf.link_up": (False, None), "vm_to_vf.pkts_dropped_vf_stalled": (9, 9)}


def test_members_of_a_bond(made):
    made.after.vf.member.add(pci_addr_str="0000:05:08.1", present=True, link_up=False)
    made.after.vf.member.add(pci_addr_str="0000:05:08.2", present=False)
    made.expect("member-link-down", "warning", "0000:05:08.1", others=["member-lost"])


def test_a_queue_is_stopped(made):
    def change(relay):
        relay.vhost.queues = 2
        relay.lane[0].targets = 0b11
        # The guest's pair 1 receives and does not send.
    made.both(change)
    proof = made.expect("queue-stopped", "warning", "sends by 1 of its 2 queues", "ethtool -L")
    assert proof["vm_to_vf.queues_stopped"] == ("1", None)


def test_all_queues_to_receive_in_are_stopped(made):
    made.both(lambda relay: setattr(relay.lane[0], "targets", 0))
    made.expect("queue-stopped", "error", "receives by 0 of its 1 queues")


def test_a_broken_ring(made):
    made.drop("vf_to_vm", "vm_ring_broken", 3)
    assert made.expect("ring-broken", "error")["vf_to_vm.pkts_dropped_vm_ring_broken"] == (3, 3)


def add_queues(relay, **counts):
    """Two pairs that run; counts: of the first one's vf_to_vm."""
    for direction in ("VF_TO_VM", "VM_TO_VF"):
        for pair in range(2):
            queue = relay.guest_queues.add(direction=relay.Lane.Direction.Value(direction), queue=pair)
            queue.size, queue.packed, queue.enabled, queue.started, queue.stopped = 256, False, True, True, ""
            queue.calls = queue.refused = 0
            if direction == "VF_TO_VM":
                queue.shortages = 0
    for name, value in counts.items():
        setattr(relay.guest_queues[0], name, value)


def test_broken_rings_of_which_is_told(made):
    made.both(add_queues)
    assert made.findings() == []
    made.drop("vf_to_vm", "vm_ring_broken", 3)
    for index in (1, 2):
        queue = made.after.guest_queues[index]
        queue.stopped, queue.refused = "it has done something", 1
    found = [finding for finding in made.findings() if finding["id"] == "ring-broken"]
    assert len(found) == 2 and all(finding["severity"] == "error" for finding in found)
    assert "queue 1, on which it receives, is stopped: it has done something" in found[0]["what"]
    assert "queue 0, on which it sends, is stopped" in found[1]["what"]
    proof = {one["name"]: (one["value"], one["recent"]) for one in found[0]["proof"]}
    assert proof == {"guest_queue.vf_to_vm.1.refused": (1, 1), "vf_to_vm.pkts_dropped_vm_ring_broken": (3, 3)}


@pytest.mark.parametrize("lost, severity", [(5, "warning"), (0, "note")])
def test_one_queue_stalls(made, lost, severity):
    add_queues(made.before, shortages=10)
    add_queues(made.after, shortages=30)
    made.drop("vf_to_vm", "vm_no_buffers", lost)
    proof = made.expect("queue-stalled", severity, "queue 0", "/proc/interrupts")
    assert proof["guest_queue.vf_to_vm.0.shortages"] == (30, 20)
    assert proof["guest_queue.vf_to_vm.0.calls"] == (0, 0)


def test_all_queues_stall(made):
    """Then it is the guest."""
    add_queues(made.before)
    add_queues(made.after, shortages=30)
    made.after.guest_queues[1].shortages = 1
    assert made.findings() == []  # nothing was lost
    made.drop("vf_to_vm", "vm_no_buffers", 5)
    made.expect("guest-stalled", "warning")


@pytest.mark.parametrize("takes, severity", [(True, "warning"), (False, "error")])
def test_a_guest_that_does_not_read(made, takes, severity):
    made.drop("vf_to_vm", "vm_no_buffers", 50)
    if not takes:
        made.after.vf_to_vm.pkts_tx_to_vm = made.before.vf_to_vm.pkts_tx_to_vm
    proof = made.expect("guest-stalled", severity, "rx_queue_size")
    assert proof["vf_to_vm.pkts_dropped_vm_no_buffers"] == (50, 50)


def test_a_vf_that_takes_nothing(made):
    made.drop("vm_to_vf", "vf_stalled", 4)
    assert made.expect("vf-stalled", "error")["vm_to_vf.pkts_dropped_vf_stalled"] == (4, 4)


@pytest.mark.parametrize("deaf", [True, False])
def test_another_mac(made, deaf):
    made.both(lambda relay: setattr(relay.vhost, "mac", "02:00:00:00:00:99"))
    others = []
    if deaf:
        made.after.vf_to_vm.pkts_rx_from_vf = made.before.vf_to_vm.pkts_rx_from_vf
        others = ["silence"]
    proof = made.expect("mac-mismatch", "warning" if deaf else "note", "--sync-mac", "trust on",
                        "02:00:00:00:00:99", others=others)
    assert proof["vf.mac"][0] == "02:00:00:00:00:01" and proof["vhost.mac"][0] == "02:00:00:00:00:99"


def test_refused_vlans(made):
    made.after.vf.vlan_refused.extend([100, 200])
    assert made.expect("vlan-refused", "warning", "vlan 0")["vf.vlan_refused"] == ("100, 200", None)


@pytest.mark.parametrize("direction, cause, word", [("vm_to_vf", "too_long", "--enable-jumbo"),
                                                    ("vf_to_vm", "vm_too_long", "--enable-mrgbuf")])
def test_mtus_that_differ(made, direction, cause, word):
    made.drop(direction, cause, 6)
    proof = made.expect("mtu-mismatch", "warning", word)
    assert proof[f"{direction}.pkts_dropped_{cause}"] == (6, 6) and proof["vf.mtu"] == (1500, None)


def test_losses_of_the_vf(made):
    made.drop("vf_to_vm", "by_vf", 8)
    made.both(lambda relay: setattr(relay.vf, "missed", 8))
    proof = made.expect("vf-losses", "warning", "missed")
    assert proof["vf_to_vm.pkts_dropped_by_vf"] == (8, 8) and proof["vf.missed"] == (8, None)


def test_all_drops_are_of_one_cause(made):
    made.drop("vm_to_vf", "runt", 99)
    made.drop("vf_to_vm", "vm_left", 1)
    proof = made.expect("one-cause", "warning", "99 of 100", "shorter than an Ethernet header")
    assert proof == {"vm_to_vf.pkts_dropped_runt": (99, 99)}


def test_drops_of_the_past_are_a_note(made):
    made.both(lambda relay: setattr(relay.vm_to_vf, "pkts_dropped_runt", 99))
    made.expect("one-cause", "note", "since the daemon's start")


def test_drops_of_several_causes(made):
    made.drop("vm_to_vf", "runt", 50)
    made.drop("vf_to_vm", "vm_left", 50)
    assert made.findings() == []


def test_a_saturated_worker(made):
    made.worker[0].busy = 0.97
    assert made.expect("worker-saturated", "warning", "worker 1")["worker.cpu_1.busy"] == (0.97, None)
    made.worker[0].busy, made.worker[1].busy = 0.95, 1.0  # at the limit; and another relay's worker
    assert made.findings() == []


def test_a_worker_that_shares_its_cpu(made):
    made.worker[0].shares_cpu = True
    assert made.expect("worker-shares-cpu", "note", "--cpus")["worker.cpu_1.shares_cpu"] == (True, None)


def test_a_worker_of_another_node(made):
    made.worker[0].numa_node = 1
    proof = made.expect("wrong-node", "warning", "vio4wdctl pin 3 2")
    assert proof == {"socket_id": (0, None), "worker.cpu_1.numa_node": (1, None)}
    made.worker[1].numa_node = 1
    made.expect("wrong-node", "warning", "no worker is on node 0")


@pytest.mark.parametrize("silent, words", [("vf_to_vm", ["from the VF", "switch port"]),
                                           ("vm_to_vf", ["from the guest", "route"])])
def test_nothing_comes(made, silent, words):
    source = {"vf_to_vm": "pkts_rx_from_vf", "vm_to_vf": "pkts_rx_from_vm"}[silent]
    setattr(getattr(made.after, silent), source, 100)
    assert made.expect("silence", "note", *words) == {f"{silent}.{source}": (100, 0)}


def test_the_worst_comes_first(made):
    made.worker[0].shares_cpu, made.worker[0].busy = True, 1.0
    made.drop("vm_to_vf", "vf_stalled", 4)
    assert [finding["severity"] for finding in made.findings()] == ["error", "warning", "note"]


def test_a_daemon_that_was_started_anew_between_the_readings(made):
    made.both(lambda relay: setattr(relay.vm_to_vf, "pkts_dropped_runt", 5000))
    made.after.vm_to_vf.pkts_dropped_runt = 3
    before, after = figures.relay_object(made.before), figures.relay_object(made.after)
    assert figures.increase(before, after)["vm_to_vf"]["drops"]["runt"] == 3


def test_every_cause_of_the_daemons_is_explained(messages):
    of = {"vf_to_vm": messages.RelayState.VFtoVM, "vm_to_vf": messages.RelayState.VMtoVF}
    for direction, message in of.items():
        assert set(figures.causes_of(message(), direction)) == set(causes.CAUSES[direction])
    assert "COUNTERS" in causes.cause("vf_to_vm", "unheard_of").remedy


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["3", "/tmp/virtio-forwarder3.sock", "virtio-forwarder3.sock", "05:08.1",
                                  "0000:05:08.1", "02:00:00:00:00:01", "02:00:00:00:00:01".upper()])
def test_a_relay_goes_by_many_names(made, name):
    other = figures.relay_object(made.messages.RelayState(
        id=4, vhost={"vhost_socket_name": "NONE"},
        vf_to_vm={"active": False, "internal_state": "DPDK_UNINIT"},
        vm_to_vf={"active": False, "internal_state": "VIRTIO_UNINIT"}))
    assert naming.find([other, figures.relay_object(made.after)], name)["id"] == 3


def test_names_of_none_or_several(made):
    one, other = figures.relay_object(made.after), figures.relay_object(made.after)
    other["id"], other["device"] = 4, "0000:05:08.2"
    for name, words in (("02:00:00:00:00:01", "relays 3, 4"), ("net_tap9", "devices have 3 (0000:05:08.1)"),
                        ("64", "ids are 0 to 63")):
        with pytest.raises(client.ClientError) as error:
            naming.find([one, other], name)
        assert words in str(error.value)


# --- health --------------------------------------------------------------------------------------


def verdict_of(made):
    before, after = figures.relay_object(made.before), figures.relay_object(made.after)
    workers = [figures.worker_object(worker) for worker in made.worker]
    return health.judge([after], {3: figures.increase(before, after)}, workers)


def test_health_is_good(made):
    verdict = verdict_of(made)
    assert (verdict["status"], verdict["problems"]) == (0, [])
    assert health.line(verdict) == ("VIRTIO-FORWARDER OK: 1 of 1 relays have both ends | relays=1 active=1 "
                                    "busiest=20%;95 dropped=0")


def test_a_machine_that_is_off_is_no_fault(made):
    made.no_guest()
    made.drop("vf_to_vm", "vm_no_front_end", 40)
    assert verdict_of(made)["status"] == 0


def test_health_is_as_bad_as_the_worst(made):
    made.worker[0].busy = 1.0
    assert verdict_of(made)["status"] == 1
    made.both(lambda relay: setattr(relay.vf, "link_up", False))
    verdict = verdict_of(made)
    assert verdict["status"] == 2 and len(verdict["problems"]) == 2
    assert "CRITICAL: relay 3: the link of 0000:05:08.1 is down (and 1 more) |" in health.line(verdict)
