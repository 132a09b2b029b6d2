"""What the commands print for people, as lines; and the preflight, which another program makes."""

import json
import os
import shutil
import subprocess

import virtioforwarder_client as client

from . import output
from .output import coloured, percent, plain, quantity

HERE = os.path.dirname(os.path.realpath(__file__))


# --- relays --------------------------------------------------------------------------------------


def _state(relay):
    """In words: what of its two ends is there."""
    if any("REMOVING" in relay[direction]["state"] for direction in ("vf_to_vm", "vm_to_vf")):
        return coloured("leaving", "warning")
    if relay["active"]:
        return coloured("active", "good")
    guest = relay["vm_to_vf"]["state"] == "VIRTIO_READY"
    if relay["device"]:
        return coloured("no guest", "warning")
    return coloured("no VF", "warning") if guest else coloured("idle", "dim")


def _far(relay):
    """What is to be named of the other end: the socket, or the kernel's interface."""
    kernel = relay.get("kernel")
    return f"kernel: {plain(kernel['interface'])}" if kernel else plain(relay["socket"] or "-")


def relay_table(relays):
    if not relays:
        return []
    rows = [["RELAY", "STATE", "DEVICE", "TO VM", "FROM VM", "DROPPED", "SOCKET"]]
    for relay in relays:
        dropped = relay["vf_to_vm"]["dropped"] + relay["vm_to_vf"]["dropped"]
        rows.append([
            str(relay["id"]), _state(relay), plain(relay["device"] or "-"),
            quantity(relay["vf_to_vm"]["packets"]), quantity(relay["vm_to_vf"]["packets"]),
            quantity(dropped), _far(relay),
        ])
    return output.table(rows, right=(0, 3, 4, 5))


def _vf_line(vf):
    speed = f" at {vf['link_speed_mbps']} Mbit/s" if vf["link_speed_mbps"] else ""
    told = [f"link {'up' if vf['link_up'] else 'down'}{speed}", f"MTU {vf['mtu']}", f"{vf['queues']} queues",
            f"MAC {vf['mac']}"]
    if vf["vlans"]:
        told.append(f"VLANs {', '.join(map(str, vf['vlans']))}")
    return ", ".join(told)


def _direction_lines(name, direction):
    told = (f"{quantity(direction['packets_per_s'])} pkt/s, {quantity(8 * direction['bytes_per_s'], 'bit/s')}, "
            f"{direction['packets']} packets in all, {direction['dropped']} dropped")
    yield name + told
    for cause, count in direction["drops"].items():
        if count:
            yield f"            {count} {cause}"


def _queue_line(queue):
    kind = "packed" if queue["packed"] else "split"
    state = (coloured("stopped", "error") if queue["stopped"] else "not started" if not queue["started"]
             else "runs" if queue["enabled"] else "disabled")
    return (f"  queue {queue['direction']} {queue['queue']}: {kind}, {queue['size']} entries, {state}, "
            f"{queue['calls']} interrupts")


def relay_lines(relay, findings):
    """All about one relay."""
    yield f"relay {relay['id']}: {_state(relay)}, NUMA node {relay['numa_node']}"
    yield f"  device:   {plain(relay['device'] or '-')}"
    if relay["vf"]:
        yield f"            {_vf_line(relay['vf'])}"
        for member in relay["vf"]["members"]:
            there = "lost" if member["present"] is False else "active" if member["active"] else "standing by"
            yield f"            member {plain(member['device'])}: {there}"
    guest = relay["guest"]
    kernel = relay.get("kernel")
    if kernel:
        yield f"  kernel:   interface {plain(kernel['interface'])}, by {plain(kernel['driver'] or '-')}"
    else:
        yield f"  socket:   {plain(relay['socket'] or '-')}"
    yield (f"  {'far end:' if kernel else 'guest:  '}  {guest['queues'] or 0} queue pairs, "
           f"MAC {guest['mac'] or 'not seen yet'}")
    for key, name in (("vf_to_vm", "  to VM:    "), ("vm_to_vf", "  from VM:  ")):
        yield from _direction_lines(name, relay[key])
    for lane in relay["lanes"]:
        targets = ", ".join(map(str, lane["targets"])) or "-"
        yield (f"  lane {lane['direction']} {lane['queue']} -> {targets}: worker {lane['cpu']}, "
               f"load {percent(lane['load'])}")
    yield from map(_queue_line, relay["guest_queues"])
    yield ""
    if not findings:
        yield coloured("nothing is wrong, as far as the statistics tell", "good")
    for finding in findings:
        yield from output.finding_lines(finding)


# --- rates and workers ---------------------------------------------------------------------------


def worker_table(workers):
    rows = [["WORKER", "HOST CPU", "NODE", "BUSY", "ASLEEP", "LANES"]]
    for worker in workers:
        shared = " (shared)" if worker["shares_cpu"] else ""
        rows.append([str(worker["cpu"]), f"{worker['host_cpu']}{shared}", str(worker["numa_node"]),
                     percent(worker["busy"]), percent(worker["asleep"]), str(worker["lanes"])])
    return output.table(rows, right=(0, 2, 3, 4, 5))


def stats_lines(relays, workers):
    """Rates of relays, and what they have lost; the workers."""
    rows = [["RELAY", "TO VM pkt/s", "bit/s", "FROM VM pkt/s", "bit/s", "DROPPED", "MOST OF IT"]]
    for relay in relays:
        cells, drops = [str(relay["id"])], {}
        for key in ("vf_to_vm", "vm_to_vf"):
            cells += [quantity(relay[key]["packets_per_s"]), quantity(8 * relay[key]["bytes_per_s"])]
            for cause, count in relay[key]["drops"].items():
                drops[f"{key}.{cause}"] = count
        worst = max(drops, key=drops.get, default="-")
        dropped = sum(relay[key]["dropped"] for key in ("vf_to_vm", "vm_to_vf"))
        rows.append([*cells, quantity(dropped), worst if drops.get(worst) else "-"])
    yield from output.table(rows, right=range(6))
    yield ""
    yield from worker_table(workers)


def pin_lines(found):
    rows = [["RELAY", "VF TO VM", "VM TO VF"]]
    told = lambda cpu: "-" if cpu < 0 else str(cpu)  # noqa: E731
    rows += [[str(p["relay"]), told(p["vf_to_vm"]), told(p["vm_to_vf"])] for p in found["pins"]]
    if found["pins"]:
        yield from output.table(rows, right=(0, 1, 2))
    else:
        yield "nothing is pinned"
    yield f"workers: {', '.join(map(str, found['workers']))}"


# --- the preflight -------------------------------------------------------------------------------


def find_binary(given):
    """The daemon: as told, installed, or of the build tree that these files are in."""
    if given:
        return given
    built = os.path.join(HERE, "..", "..", "build", "virtio-forwarder")
    return shutil.which("virtio-forwarder") or (built if os.path.exists(built) else None)


def preflight(binary, options):
    """The report of virtio-forwarder --check --json, as an object."""
    path = find_binary(binary)
    if path is None:
        raise client.ClientError("virtio-forwarder is not in PATH: name it with --binary=PATH")
    try:
        done = subprocess.run([path, "--check", "--json", *options], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=False)
        return json.loads(done.stdout)
    except OSError as error:
        raise client.ClientError(f"{path}: {error.strerror}") from None
    except ValueError:
        said = done.stderr.strip() or f"it ended with status {done.returncode} and no report"
        raise client.ClientError(f"{path}: {said}") from None


def preflight_lines(found):
    for finding in found["findings"]:
        yield output.heading(finding)
        yield f"    why:    {plain(finding['why'])}"
        yield f"    remedy: {plain(finding['remedy'])}"
    verdict = "the daemon would run" if found["ok"] else "the daemon would not start, or no packet would flow"
    yield coloured(f"{verdict}: {found['errors']} errors, {found['warnings']} warnings",
                   "good" if found["ok"] else "error")
