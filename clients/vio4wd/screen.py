"""What top shows, and what its keys do: pure functions from readings, a view and a size to lines of text.
A line is a list of (text, kind) with output.py's kinds, or None for plain; top.py puts them on the terminal."""

from . import figures, naming
from .output import percent, plain, quantity

BAR = 24
SORTS = ("id", "to VM", "from VM", "drops", "load")
KEYS = "q quit s sort r reverse / filter a all d drops p pause"
_DIRECTIONS = figures.DIRECTIONS
# N is the NUMA node; together they are 79 wide, with a blank between two.
_TITLES = ("ID", "STATE", "DEVICE", "N", "TO VM", "bit/s", "FROM", "bit/s", "DROP/s", "LOAD", "CAUSE")
_WIDTHS = (2, 8, 12, 1, 5, 5, 5, 5, 6, 5, 15)
_LEFT = (1, 2, 10)  # columns that stand to the left


class View:
    """What the user has chosen. first is the topmost relay's place in the list."""

    def __init__(self):
        self.sort, self.reverse, self.first = 0, False, 0
        self.filter, self.typing = "", False
        self.paused = self.all = self.drops = False


class Readings:
    """The newest answer, and what has been counted since the one before; trouble is why there is none."""

    def __init__(self):
        self.relays, self.workers, self.recents = [], [], {}
        self.seconds, self.trouble = 1.0, None

    def take(self, relays, workers, seconds):
        before = {relay["id"]: relay for relay in self.relays}
        self.recents = {r["id"]: figures.increase(before.get(r["id"], r), r) for r in relays}
        self.relays, self.workers, self.seconds, self.trouble = relays, workers, seconds, None


# --- keys ----------------------------------------------------------------------------------------


def _type(view, key):
    """A key while a filter is being typed."""
    if key in ("\n", "\r"):
        view.typing = False
    elif key == "\x1b":
        view.typing, view.filter = False, ""
    elif key in ("KEY_BACKSPACE", "\x7f", "\b"):
        view.filter = view.filter[:-1]
    elif len(key) == 1 and key.isprintable() and len(view.filter) < 40:
        view.filter += key
    view.first = 0


def press(view, key):
    """Changes the view; False when it is to end. key is a character or a name of curses'."""
    if view.typing:
        _type(view, key)
        return True
    if key == "q":
        return False
    if key == "s":
        view.sort = (view.sort + 1) % len(SORTS)
    elif key in ("r", "a", "d", "p"):
        name = {"r": "reverse", "a": "all", "d": "drops", "p": "paused"}[key]
        setattr(view, name, not getattr(view, name))
    elif key == "/":
        view.typing, view.filter = True, ""
    elif key == "\x1b":
        view.filter = ""
    steps = {"KEY_UP": -1, "KEY_DOWN": 1, "KEY_PPAGE": -10, "KEY_NPAGE": 10, "KEY_HOME": -64, "KEY_END": 64}
    view.first = max(0, view.first + steps.get(key, 0))
    return True


# --- what is shown -------------------------------------------------------------------------------


def state_of(relay):
    """(word, kind)"""
    if any("REMOVING" in relay[direction]["state"] for direction in _DIRECTIONS):
        return "leaving", "warning"
    if relay["active"]:
        return ("no link", "error") if relay["vf"] and relay["vf"]["link_up"] is False else ("active", "good")
    if relay["device"]:
        return "no guest", "warning"
    return ("no VF", "warning") if relay["vm_to_vf"]["state"] == "VIRTIO_READY" else ("idle", "dim")


def _load(relay):
    return sum(lane["load"] or 0 for lane in relay["lanes"])


def _drops_per_s(readings, relay):
    recent = readings.recents.get(relay["id"])
    return sum(recent[d]["dropped"] for d in _DIRECTIONS) / readings.seconds if recent else 0.0


def _worst_cause(readings, relay):
    """Of the moment, else of all time."""
    for counts in (readings.recents.get(relay["id"]), relay):
        drops = {name: n for d in _DIRECTIONS for name, n in (counts[d]["drops"].items() if counts else ())}
        if any(drops.values()):
            return max(drops, key=drops.get)
    return ""


def choose(readings, view):
    """The relays to be shown, in their order: the largest first, but by id the smallest."""
    needle = view.filter.lower()

    def matches(relay):
        words = naming.names_of(relay) | {state_of(relay)[0].lower(), _worst_cause(readings, relay)}
        return not needle or any(needle in word for word in words)

    order = {
        "id": lambda relay: relay["id"],
        "to VM": lambda relay: -relay["vf_to_vm"]["packets_per_s"],
        "from VM": lambda relay: -relay["vm_to_vf"]["packets_per_s"],
        "drops": lambda relay: -_drops_per_s(readings, relay),
        "load": lambda relay: -_load(relay),
    }[SORTS[view.sort]]
    chosen = [r for r in readings.relays if (view.all or figures.in_use(r)) and matches(r)]
    return sorted(chosen, key=order, reverse=view.reverse)


def _summary(readings, view):
    active = sum(relay["active"] for relay in readings.relays)
    used = sum(figures.in_use(relay) for relay in readings.relays)
    parts = [f"virtio-forwarder: {active} of {used} relays active"]
    for direction, name in (("vf_to_vm", "to VM"), ("vm_to_vf", "from VM")):
        packets = sum(relay[direction]["packets_per_s"] for relay in readings.relays)
        parts.append(f"{name} {quantity(packets)} pkt/s")
    if readings.trouble:
        return [(plain(readings.trouble), "error")]
    return [*([("PAUSED  ", "warning")] if view.paused else ()), ("  ".join(parts), "bold")]


def bar(worker):
    """A worker's last second: # busy, blank polling in vain, . asleep."""
    busy = min(BAR, round(BAR * (worker["busy"] or 0)))
    asleep = min(BAR - busy, round(BAR * (worker["asleep"] or 0)))
    return "#" * busy + " " * (BAR - busy - asleep) + "." * asleep


def _worker_line(worker):
    busy = worker["busy"] or 0
    kind = "error" if busy > 0.95 else "warning" if busy > 0.8 else "good"
    shared = " shared" if worker["shares_cpu"] else ""
    return [
        (f"{worker['cpu']:>3} on CPU {worker['host_cpu']:>3} node {worker['numa_node']} [", None),
        (bar(worker), kind),
        (f"] {percent(busy):>5} busy {percent(worker['asleep']):>5} asleep{shared}", None),
    ]


def _cells(texts):
    cells = [text[:width].ljust(width) if i in _LEFT else text.rjust(width)
             for i, (text, width) in enumerate(zip(texts, _WIDTHS))]
    return cells


def _relay_line(readings, relay):
    state, kind = state_of(relay)
    to_vm, from_vm = relay["vf_to_vm"], relay["vm_to_vf"]
    lost = _drops_per_s(readings, relay)
    cells = _cells((
        str(relay["id"]), state, plain(relay["device"] or "-"), str(relay["numa_node"]),
        quantity(to_vm["packets_per_s"]), quantity(8 * to_vm["bytes_per_s"]),
        quantity(from_vm["packets_per_s"]), quantity(8 * from_vm["bytes_per_s"]),
        quantity(lost), percent(_load(relay)), _worst_cause(readings, relay),
    ))
    parts = [(cell, None) for cell in cells]
    parts[1] = (cells[1], kind)
    if lost:
        parts[8] = (cells[8], "error")
    return [part for cell in parts for part in (cell, (" ", None))][:-1]


def _drop_lines(readings, relay):
    """Each cause of a relay's losses, below it."""
    recent = readings.recents.get(relay["id"])
    for direction, name in (("vf_to_vm", "to VM"), ("vm_to_vf", "from VM")):
        for cause, count in relay[direction]["drops"].items():
            if count:
                rate = recent[direction]["drops"].get(cause, 0) / readings.seconds if recent else 0
                yield [(f"   {name:>9} {cause:<17} {count} in all, {quantity(rate)}/s", "dim")]


def _relay_lines(readings, view, room):
    """As many as there is room for, from the view's first on, which is kept within the list."""
    chosen = choose(readings, view)
    view.first = max(0, min(view.first, len(chosen) - 1))
    lines = []
    for relay in chosen[view.first:]:
        lines.append(_relay_line(readings, relay))
        if view.drops:
            lines += _drop_lines(readings, relay)
        if len(lines) >= room:
            break
    return lines[:room], len(chosen)


def draw(readings, view, width, height):
    """All lines of a screen of that size; none is longer, and there are no more."""
    workers = sorted(readings.workers, key=lambda worker: -(worker["busy"] or 0))
    shown = workers[: max(1, height // 4)]
    lines = [_summary(readings, view)]
    lines += [_worker_line(worker) for worker in sorted(shown, key=lambda worker: worker["cpu"])]
    if len(shown) < len(workers):
        lines.append([(f"and {len(workers) - len(shown)} workers that are less busy", "dim")])
    lines.append([(" ".join(_cells(_TITLES)), "bold")])
    rows, total = _relay_lines(readings, view, max(0, height - len(lines) - 1))
    lines += rows
    lines += [[] for _ in range(height - len(lines) - 1)]
    sort = f"{total} by {SORTS[view.sort]}{' reversed' if view.reverse else ''}"
    if view.typing:
        lines.append([(f"filter: {view.filter}_", "bold"), ("  Enter keeps it, Esc drops it", "dim")])
    elif view.filter:
        lines.append([(f"filter: {view.filter}  {sort}  Esc drops it", "dim")])
    else:
        lines.append([(f"{KEYS}  {sort}", "dim")])
    return [_clip(line, width) for line in lines[:height]]


def _clip(line, width):
    parts = []
    for text, kind in line:
        if width <= 0:
            break
        parts.append((text[:width], kind))
        width -= len(text)
    return parts
