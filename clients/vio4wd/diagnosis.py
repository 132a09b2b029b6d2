"""Why is there no traffic? Pure functions from two readings of the statistics to findings. A finding says
what is wrong, which figures prove it, and what to do; it has an id that never changes.

Each diagnosis is a function that looks at a Case and yields what it finds; DIAGNOSES has them in the order
in which they are told. Told is only what the figures prove."""

from collections import namedtuple

from .causes import cause

ERROR, WARNING, NOTE = "error", "warning", "note"  # no traffic; less of it; good to know
SATURATED = 0.95  # of a worker's time
NO_MAC = "00:00:00:00:00:00"  # of virtual devices that filter nothing
MOST_DROPS = 0.95  # one cause's share that makes it the cause of all

# relay: as figures.relay_object; recent: as figures.increase; workers: {cpu: figures.worker_object}
Case = namedtuple("Case", "relay recent workers")


def _finding(id_, severity, what, remedy, *proof):
    return {"id": id_, "severity": severity, "what": what, "remedy": remedy, "proof": list(proof)}


def _fact(name, value):
    return {"name": name, "value": value, "recent": None}


def _drops(case, direction, name):
    """A counter of drops as a proof."""
    return {
        "name": f"{direction}.pkts_dropped_{name}",
        "value": case.relay[direction]["drops"].get(name, 0),
        "recent": case.recent[direction]["drops"].get(name, 0),
    }


def _received(case, direction):
    source = {"vf_to_vm": "vf", "vm_to_vf": "vm"}[direction]
    return {
        "name": f"{direction}.pkts_rx_from_{source}",
        "value": case.relay[direction]["received_packets"],
        "recent": case.recent[direction]["received_packets"],
    }


def _guest_up(relay):
    return relay["vm_to_vf"]["state"] == "VIRTIO_READY"


def _recent_drops(case, direction, name):
    return case.recent[direction]["drops"].get(name, 0)


# --- the VF --------------------------------------------------------------------------------------


def _no_vf(case):
    relay = case.relay
    if relay["device"]:
        return
    state = _fact("vf_to_vm.internal_state", relay["vf_to_vm"]["state"])
    if _recent_drops(case, "vm_to_vf", "vf_not_ready"):
        known = cause("vm_to_vf", "vf_not_ready")
        yield _finding("vf-not-ready", ERROR, known.what, known.remedy,
                       _drops(case, "vm_to_vf", "vf_not_ready"))
        return
    yield _finding(
        "no-vf", ERROR if _guest_up(relay) else NOTE, "the relay has no VF",
        f"add one: vio4wdctl add {relay['id']} DEVICE; a static VF that is not there yet is taken as "
        "soon as it is: vio4wdctl check says what is missing",
        state, _drops(case, "vm_to_vf", "vf_none"))


def _vf_leaving(case):
    state = case.relay["vf_to_vm"]["state"]
    if "REMOVING" in state:
        yield _finding("vf-leaving", WARNING, "the VF is being removed",
                       "wait a moment; if it stays so, see the daemon's log",
                       _fact("vf_to_vm.internal_state", state))


def _link_down(case):
    vf = case.relay["vf"]
    if not vf or vf["link_up"] is not False:
        return
    yield _finding(
        "link-down", ERROR, f"the link of {case.relay['device']} is down",
        "on the host, see the PF's link (ip link show PF; ip link set PF up), the VF's (ip link set PF "
        "vf N state auto), the cable and the switch port",
        _fact("vf.link_up", False), _drops(case, "vm_to_vf", "vf_stalled"))


def _member_down(case):
    vf = case.relay["vf"]
    for member in vf["members"] if vf else ():
        if member["present"] is False:
            yield _finding("member-lost", WARNING, f"the bond's member {member['device']} is lost",
                           "see on the host whether the VF is there and bound; it is taken back when it is",
                           _fact("vf.member.present", False))
        elif member["link_up"] is False and vf["link_up"] is not False:
            yield _finding("member-link-down", WARNING,
                           f"the link of the bond's member {member['device']} is down",
                           "on the host, see its PF's link, the cable and the switch port",
                           _fact("vf.member.link_up", False))


def _vf_stalled(case):
    if not _recent_drops(case, "vm_to_vf", "vf_stalled"):
        return
    if case.relay["vf"] and case.relay["vf"]["link_up"] is False:
        return  # told already
    known = cause("vm_to_vf", "vf_stalled")
    yield _finding("vf-stalled", ERROR, known.what, known.remedy,
                   _drops(case, "vm_to_vf", "vf_stalled"))


def _vf_losses(case):
    """What the NIC loses at this moment, as far as it is told: its counters have no second reading here."""
    vf = case.relay["vf"]
    if not vf or not _recent_drops(case, "vf_to_vm", "by_vf"):
        return
    known = cause("vf_to_vm", "by_vf")
    yield _finding("vf-losses", WARNING, known.what, known.remedy, _drops(case, "vf_to_vm", "by_vf"),
                   *(_fact(f"vf.{name}", vf[name]) for name in ("missed", "no_mbuf", "rx_errors")))


# --- the guest -----------------------------------------------------------------------------------


def _no_guest(case):
    relay = case.relay
    if relay["vm_to_vf"]["state"] != "VIRTIO_UNINIT" or not (relay["device"] or relay["socket"]):
        return
    severity = ERROR if relay["device"] else NOTE
    state = _fact("vm_to_vf.internal_state", relay["vm_to_vf"]["state"])
    trouble = relay["guest"]["trouble"]
    for name, id_ in (("vm_no_driver", "driver-down"), ("vm_no_front_end", "front-end-absent")):
        if _recent_drops(case, "vf_to_vm", name):
            known = cause("vf_to_vm", name)
            told = f": {trouble}" if trouble and id_ == "front-end-absent" else ""
            yield _finding(id_, severity, known.what + told,
                           f"{known.remedy}; its socket: {relay['socket']}", state,
                           _drops(case, "vf_to_vm", name))
            return
    if trouble:
        yield _finding("front-end-absent", severity, f"no guest comes by {relay['socket']}: {trouble}",
                       cause("vf_to_vm", "vm_no_front_end").remedy,
                       _fact("vhost.trouble", trouble), state)
        return
    yield _finding(
        "guest-absent", severity,
        f"there is no guest behind {relay['socket']}: nobody is connected, or no driver in the guest is "
        "up yet (which of them is told as soon as packets come from the VF)",
        "start the virtual machine, see that it names this socket, and that the NIC in it is up",
        state, _fact("vhost.queues", relay["guest"]["queues"]))


def _queue_stopped(case):
    """The queues that lanes receive from and send to are those that run. A guest has pairs from 0 on."""
    relay = case.relay
    if not (_guest_up(relay) and relay["device"]):
        return
    lanes = {"vf_to_vm": set(), "vm_to_vf": set()}
    for lane in relay["lanes"]:
        if lane["direction"] == "vf_to_vm":
            lanes["vf_to_vm"].update(lane["targets"])
        else:
            lanes["vm_to_vf"].add(lane["queue"])
    pairs = max(lanes["vf_to_vm"] | lanes["vm_to_vf"], default=-1) + 1
    for direction, does in (("vf_to_vm", "receives"), ("vm_to_vf", "sends")):
        stopped = [queue for queue in range(pairs) if queue not in lanes[direction]]
        if stopped:
            numbers = ", ".join(map(str, stopped))
            yield _finding(
                "queue-stopped", ERROR if len(stopped) == pairs else WARNING,
                f"the guest {does} by {pairs - len(stopped)} of its {pairs} queues: {numbers} does not run",
                "the guest's driver has disabled it; in the guest, set the number of queues anew (ethtool "
                "-L DEVICE combined N), or take its NIC down and up",
                _fact(f"{direction}.queues_stopped", numbers),
                _fact("vhost.queues", relay["guest"]["queues"]))


def _queue_count(case, queue, name):
    """A count of a guest's queue as a proof."""
    direction, number = queue["direction"], queue["queue"]
    return {
        "name": f"guest_queue.{direction}.{number}.{name}",
        "value": queue[name],
        "recent": case.recent[direction]["queues"].get(number, {}).get(name, 0),
    }


def _ring_broken(case):
    """One finding a queue; without the daemon's word on queues, what was lost for them."""
    known = cause("vf_to_vm", "vm_ring_broken")
    stopped = [queue for queue in case.relay["guest_queues"] if queue["stopped"]]
    for queue in stopped:
        does = "receives" if queue["direction"] == "vf_to_vm" else "sends"
        lost = [_drops(case, "vf_to_vm", "vm_ring_broken")] if does == "receives" else []
        yield _finding(
            "ring-broken", ERROR,
            f"the guest's queue {queue['queue']}, on which it {does}, is stopped: {queue['stopped']}",
            known.remedy, _queue_count(case, queue, "refused"), *lost)
    if not stopped and _recent_drops(case, "vf_to_vm", "vm_ring_broken"):
        yield _finding("ring-broken", ERROR, known.what, known.remedy,
                       _drops(case, "vf_to_vm", "vm_ring_broken"))


def _short_queues(case):
    """Queues that the guest posts too few buffers on, if there are others that have enough."""
    running = [queue for queue in case.relay["guest_queues"]
               if queue["direction"] == "vf_to_vm" and queue["started"] and queue["enabled"]
               and not queue["stopped"]]
    short = [queue for queue in running if _queue_count(case, queue, "shortages")["recent"]]
    return short if len(short) < len(running) else []


def _queue_stalled(case):
    for queue in _short_queues(case):
        loses = _recent_drops(case, "vf_to_vm", "vm_no_buffers")
        yield _finding(
            "queue-stalled", WARNING if loses else NOTE,
            f"frames wait for buffers on the guest's queue {queue['queue']}, and not on all of its queues",
            "in the guest, see whether the CPU that serves this queue's interrupt is busy or hangs "
            "(/proc/interrupts, top), and spread the flows over more queues (ethtool -L DEVICE combined N)",
            _queue_count(case, queue, "shortages"), _queue_count(case, queue, "calls"),
            _drops(case, "vf_to_vm", "vm_no_buffers"))


def _guest_stalled(case):
    if not _recent_drops(case, "vf_to_vm", "vm_no_buffers") or _short_queues(case):
        return
    known = cause("vf_to_vm", "vm_no_buffers")
    stands = not case.recent["vf_to_vm"]["packets"]
    yield _finding(
        "guest-stalled", ERROR if stands else WARNING,
        f"{known.what}: {'it takes nothing at all' if stands else 'it is too slow for what comes'}",
        known.remedy, _drops(case, "vf_to_vm", "vm_no_buffers"))


# --- addresses and sizes -------------------------------------------------------------------------


def _mac_mismatch(case):
    """Whether the PF lets such frames pass the statistics do not tell, but that none come while the guest
    sends."""
    vf, guest = case.relay["vf"], case.relay["guest"]
    if not vf or vf["mac"] in (None, NO_MAC) or guest["mac"] in (None, vf["mac"]):
        return
    recent = {direction: case.recent[direction]["received_packets"] for direction in case.recent}
    deaf = recent["vm_to_vf"] and not recent["vf_to_vm"]
    yield _finding(
        "mac-mismatch", WARNING if deaf else NOTE,
        f"the guest uses {guest['mac']}, and the VF receives unicast for {vf['mac']}",
        f"give the guest the VF's address, or the VF the guest's: on the host, ip link set PF vf N mac "
        f"{guest['mac']}; or start the daemon with --sync-mac; for guests with several addresses (a bridge), "
        "ip link set PF vf N trust on",
        _fact("vf.mac", vf["mac"]), _fact("vhost.mac", guest["mac"]), _received(case, "vf_to_vm"))


def _vlan_refused(case):
    vf = case.relay["vf"]
    if vf and vf["vlans_refused"]:
        ids = ", ".join(map(str, vf["vlans_refused"]))
        yield _finding(
            "vlan-refused", WARNING, f"the PF does not let the VF receive frames of the VLANs {ids}",
            "on the host, see whether the VF is an access port (ip link show PF; ip link set PF vf N vlan "
            "0 makes it a trunk again), and whether other VFs have used up the PF's VLANs",
            _fact("vf.vlan_refused", ids))


def _mtu(case):
    vf = case.relay["vf"]
    for direction, name in (("vm_to_vf", "too_long"), ("vf_to_vm", "vm_too_long")):
        proof = _drops(case, direction, name)
        if not proof["value"]:
            continue
        known = cause(direction, name)
        yield _finding("mtu-mismatch", WARNING if proof["recent"] else NOTE, known.what, known.remedy,
                       proof, _fact("vf.mtu", vf["mtu"] if vf else None))


# --- losses in general ---------------------------------------------------------------------------


def _one_cause(case):
    """All losses of one kind: of the moment if there are any, else since the start of the daemon."""
    for counts, since in ((case.recent, "now"), (case.relay, "since the daemon's start")):
        drops = [(count, direction, name) for direction in ("vf_to_vm", "vm_to_vf")
                 for name, count in counts[direction]["drops"].items()]
        total = sum(count for count, _, _ in drops)
        if not total:
            continue
        count, direction, name = max(drops)
        if count >= MOST_DROPS * total:
            known = cause(direction, name)
            yield _finding(
                "one-cause", WARNING if counts is case.recent else NOTE,
                f"{count} of {total} packets lost ({since}) are of one cause: {known.what}", known.remedy,
                _drops(case, direction, name))
        return


# --- workers -------------------------------------------------------------------------------------


def _serving(case):
    """The workers of the relay's lanes."""
    cpus = {cpu for direction in ("vf_to_vm", "vm_to_vf") for cpu in case.relay[direction]["cpus"]}
    return [case.workers[cpu] for cpu in sorted(cpus) if cpu in case.workers]


def _wrong_node(case):
    if not case.relay["device"]:
        return
    home = case.relay["numa_node"]
    for worker in _serving(case):
        if worker["numa_node"] in (None, -1, home):
            continue
        local = [w["cpu"] for w in case.workers.values() if w["numa_node"] == home]
        remedy = (
            f"let the balancer move it, or pin it: vio4wdctl pin {case.relay['id']} {local[0]}" if local
            else f"no worker is on node {home}: give the daemon a CPU of that node (--cpus)"
        )
        yield _finding(
            "wrong-node", WARNING,
            f"worker {worker['cpu']} on NUMA node {worker['numa_node']} serves packets of node {home}",
            remedy, _fact("socket_id", home),
            _fact(f"worker.cpu_{worker['cpu']}.numa_node", worker["numa_node"]))


def _saturated(case):
    for worker in _serving(case):
        if (worker["busy"] or 0) > SATURATED:
            yield _finding(
                "worker-saturated", WARNING,
                f"worker {worker['cpu']} is busy with packets all the time",
                "see what it serves (vio4wdctl balance --explain); move a relay (vio4wdctl pin), or give "
                "the daemon more CPUs (--cpus)",
                _fact(f"worker.cpu_{worker['cpu']}.busy", round(worker["busy"], 3)),
                _fact(f"worker.cpu_{worker['cpu']}.lanes", worker["lanes"]))


def _sharing(case):
    for worker in _serving(case):
        if worker["shares_cpu"]:
            yield _finding(
                "worker-shares-cpu", NOTE,
                f"worker {worker['cpu']} shares CPU {worker['host_cpu']} with another worker or the main "
                "thread",
                "give each worker a CPU of its own (--cpus, --eal '--lcores …'), which nothing else uses",
                _fact(f"worker.cpu_{worker['cpu']}.shares_cpu", True),
                _fact(f"worker.cpu_{worker['cpu']}.host_cpu", worker["host_cpu"]))


def _silence(case):
    """Both ends are there, and nothing comes."""
    if not case.relay["active"]:
        return
    ends = {"vf_to_vm": "the VF", "vm_to_vf": "the guest"}
    silent = [direction for direction in ends if not case.recent[direction]["received_packets"]]
    if silent:
        remedy = {
            "vf_to_vm": "see whether the sender's frames get to the VF: MAC address, VLAN, switch port",
            "vm_to_vf": "see in the guest whether its interface is up and has an address and a route, and "
                        "in the daemon's log whether a virtqueue of it is stopped",
        }
        yield _finding(
            "silence", NOTE, f"nothing comes from {' nor from '.join(ends[d] for d in silent)} at this moment",
            "; ".join(remedy[d] for d in silent), *(_received(case, d) for d in silent))


DIAGNOSES = (
    _no_vf, _vf_leaving, _link_down, _member_down, _no_guest, _queue_stopped, _ring_broken, _queue_stalled,
    _guest_stalled, _vf_stalled, _mac_mismatch, _vlan_refused, _mtu, _vf_losses, _one_cause, _saturated, _wrong_node,
    _sharing, _silence,
)


def diagnose(relay, recent, workers):
    """The findings on a relay, worst first. relay is the later reading, recent what was counted between the
    two, workers all of the daemon's, as figures.py makes them."""
    case = Case(relay, recent, {worker["cpu"]: worker for worker in workers})
    found = []
    for look in DIAGNOSES:
        for finding in look(case):
            counters = {proof["name"] for proof in finding["proof"] if proof["recent"]}
            told = {proof["name"] for one in found for proof in one["proof"]}
            if finding["id"] == "one-cause" and (counters or {finding["proof"][0]["name"]}) <= told:
                continue  # something more exact has told of it
            found.append(finding)
    rank = (ERROR, WARNING, NOTE)
    return sorted(found, key=lambda finding: rank.index(finding["severity"]))
