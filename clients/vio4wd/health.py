"""One line for monitoring: how the daemon and its relays are, with the status that Nagios expects. Pure
functions."""

from . import diagnosis

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
NAMES = {OK: "OK", WARNING: "WARNING", CRITICAL: "CRITICAL", UNKNOWN: "UNKNOWN"}

_STATUS = {diagnosis.ERROR: CRITICAL, diagnosis.WARNING: WARNING, diagnosis.NOTE: OK}
# A virtual machine that is switched off, or boots, is no fault of the relay's.
_HARMLESS = {"front-end-absent", "driver-down", "guest-absent", "vf-leaving"}


def judge(relays, recents, workers):
    """{"status", "name", "relays", "active", "busiest", "problems"}. relays are those in use, recents what
    each has counted meanwhile, by id, and problems [{"relay", "status", finding…}], worst first."""
    problems = []
    for relay in relays:
        for finding in diagnosis.diagnose(relay, recents[relay["id"]], workers):
            status = OK if finding["id"] in _HARMLESS else _STATUS[finding["severity"]]
            # That all drops are those of a guest that is absent says nothing new.
            if finding["id"] == "one-cause" and not relay["active"]:
                status = OK
            if status != OK:
                problems.append({"relay": relay["id"], "status": status, **finding})
    problems.sort(key=lambda problem: -problem["status"])
    status = problems[0]["status"] if problems else OK
    return {
        "status": status,
        "name": NAMES[status],
        "relays": len(relays),
        "active": sum(relay["active"] for relay in relays),
        "busiest": max((worker["busy"] or 0 for worker in workers), default=0),
        "dropped": sum(recent[direction]["dropped"] for recent in recents.values()
                       for direction in ("vf_to_vm", "vm_to_vf")),
        "problems": problems,
    }


def unknown(status, why):
    """The same when nothing could be asked."""
    return {"status": status, "name": NAMES[status], "relays": 0, "active": 0, "busiest": 0, "dropped": 0,
            "problems": [{"relay": None, "status": status, "id": "no-answer", "severity": diagnosis.ERROR,
                          "what": why, "remedy": "see systemctl status virtio-forwarder", "proof": []}]}


def line(verdict):
    """The line that Nagios shows, with its performance data behind the bar."""
    told = f"{verdict['active']} of {verdict['relays']} relays have both ends"
    if verdict["problems"]:
        first = verdict["problems"][0]
        where = "" if first["relay"] is None else f"relay {first['relay']}: "
        more = len(verdict["problems"]) - 1
        told = where + first["what"] + (f" (and {more} more)" if more else "")
    busy = 100 * verdict["busiest"]
    figures = (f"relays={verdict['relays']} active={verdict['active']} busiest={busy:.0f}%;95 "
               f"dropped={verdict['dropped']}")
    return f"VIRTIO-FORWARDER {verdict['name']}: {told.replace('|', '/')} | {figures}"
