"""The commands: each asks the daemon, prints, and returns the exit status. args are those of options.py."""

import os
import re
import sys
import time

import virtioforwarder_client as client

from . import diagnosis, figures, health, naming, output, report
from . import events as happened
from .endpoints import SWITCHES, UNPINNED, Daemon

# What the service reads its options from.
CONFIGURATION = "/etc/default/virtioforwarder"


def _print(args, value, lines):
    """As JSON if that is asked for, else the lines."""
    if args.json:
        print(output.as_json(value))
        return
    for line in lines:
        print(line)


def _done(args, **what):
    """Of what has been changed: nothing to people, whose exit status says it, an object to programs."""
    _print(args, {"done": True, **what}, ())
    return 0


def _named(daemon, text):
    """The relay of that name; those asked for by number need no look at the others."""
    relay_id = naming.number(text)
    relays = figures.relays_of(daemon.stats([] if relay_id is None else [relay_id]))
    return naming.find(relays, text)


def _observe(daemon, ids, seconds):
    """(relays, {id: what was counted meanwhile}, workers): two looks, so many seconds apart."""
    before = {relay["id"]: relay for relay in figures.relays_of(daemon.stats(ids))}
    response = daemon.stats(ids, int(seconds * 1000))
    relays = figures.relays_of(response)
    recents = {r["id"]: figures.increase(before.get(r["id"], r), r) for r in relays}
    return relays, recents, figures.workers_of(response)


# --- looking -------------------------------------------------------------------------------------


def list_(args):
    relays = figures.relays_of(Daemon(args).stats())
    chosen = [relay for relay in relays if args.all or figures.in_use(relay)]
    _print(args, chosen, report.relay_table(chosen))
    if not chosen and not args.json:
        print("no relay is in use: vio4wdctl add RELAY DEVICE makes one of a VF; --all lists idle ones",
              file=sys.stderr)
    return 0


def show(args):
    daemon = Daemon(args)
    relay_id = _named(daemon, args.relay)["id"]
    relays, recents, workers = _observe(daemon, [relay_id], args.over)
    relay = relays[0]
    findings = diagnosis.diagnose(relay, recents[relay_id], workers)
    _print(args, {"relay": relay, "findings": findings, "over_s": args.over},
           report.relay_lines(relay, findings))
    return 0


def _watch(args, look):
    """Looks again and again, on a terminal at the same place."""
    try:
        while True:
            found = look()
            if args.json:
                print(output.as_json(found, one_line=True), flush=True)
            else:
                print("\033[H\033[J" if output.colourful() else "", end="")
                print(*report.stats_lines(**found), "", sep="\n", flush=True)
            time.sleep(args.watch)
    except KeyboardInterrupt:  # the usual way to end it
        return 0


def stats(args):
    daemon = Daemon(args)
    ids = [_named(daemon, text)["id"] for text in args.relays]

    def look(delay_ms=0):
        response = daemon.stats(ids, delay_ms)
        relays = [one for one in figures.relays_of(response) if ids or figures.in_use(one)]
        return {"relays": relays, "workers": figures.workers_of(response)}

    if args.watch is not None:
        return _watch(args, look)
    found = look(int(args.over * 1000))
    _print(args, found, report.stats_lines(**found))
    return 0


def top(args):
    """With a module of its own, which few need: curses is not part of every Python."""
    try:
        from . import top as screen
    except ImportError as error:
        raise client.ClientError(f"top needs Python's curses: {error}; use stats --watch") from None
    return screen.top(args)


def health_(args):
    daemon = Daemon(args)
    try:
        ids = [_named(daemon, text)["id"] for text in args.relays]
        relays, recents, workers = _observe(daemon, ids, args.over)
    except client.NoAnswer as error:
        verdict = health.unknown(health.CRITICAL, str(error))
    else:
        relays = [relay for relay in relays if ids or figures.in_use(relay)]
        recents = {relay["id"]: recents[relay["id"]] for relay in relays}
        verdict = health.judge(relays, recents, workers)
    _print(args, verdict, [health.line(verdict)])
    return verdict["status"]


def check(args):
    """The daemon's own preflight, which is a program that runs here, and prints for itself."""
    options = list(args.options)
    if options[:1] == ["--"]:
        del options[0]
    if not options and not args.config and os.path.exists(CONFIGURATION):
        args.config = CONFIGURATION
    if args.config:
        options.insert(0, f"--config={args.config}")
    found = report.preflight(args.binary, options)
    _print(args, found, report.preflight_lines(found))
    return 0 if found["ok"] else 1


# --- changing ------------------------------------------------------------------------------------


def _devices(names):
    """PCI addresses and DPDK's device strings, as the daemon takes them."""
    return [name if re.search("[a-z_]{4}", name) else name.lower() for name in names]


def add(args):
    fields = {"conditional": args.conditional}
    if args.name is not None:
        fields["name"] = args.name
    if args.mode is not None:
        fields["mode"] = args.mode
    names = list(args.what)
    daemon = Daemon(args)
    if args.socket and args.far == "kernel":
        raise client.ClientError("--socket makes a relay for a guest: leave it or --far kernel out")
    if args.far is not None:
        fields["far"] = daemon.messages.PortControlRequest.Far.Value(args.far.upper())
    if args.socket:
        daemon.control(daemon.messages.PortControlRequest.ADD_SOCK, device=_devices(names),
                       vhost_path=os.path.abspath(args.socket), **fields)
        return _done(args, socket=os.path.abspath(args.socket), devices=names)
    if len(names) < 2:
        raise client.ClientError(
            "what is wanted is RELAY DEVICE, or --socket=PATH DEVICE, as in add 3 0000:05:08.1"
        )
    relay_id = naming.number(names[0])
    if relay_id is None:
        relay_id = _named(daemon, names[0])["id"]
    daemon.control(daemon.messages.PortControlRequest.ADD, device=_devices(names[1:]), virtio_id=relay_id,
                   **fields)
    return _done(args, relay=relay_id, devices=names[1:])


def remove(args):
    """A relay that was made with its socket ends with it: only the daemon knows which kind it has."""
    daemon = Daemon(args)
    kinds = daemon.messages.PortControlRequest
    relay = _named(daemon, args.relay)
    if not relay["device"] and not args.conditional:
        raise client.ClientError(f"relay {relay['id']} has no device to remove (--conditional: no error)")
    try:
        daemon.control(kinds.REMOVE, virtio_id=relay["id"], conditional=args.conditional)
    except client.NoAnswer:
        raise
    except client.ClientError as refused:
        if not relay["socket"]:
            raise
        try:
            daemon.control(kinds.REMOVE_SOCK, vhost_path=relay["socket"])
        except client.ClientError:
            raise refused from None
    return _done(args, relay=relay["id"], devices=[relay["device"]] if relay["device"] else [])


# --- placing -------------------------------------------------------------------------------------


def _cpus(text):
    """(VF to VM, VM to VF) of "2", "2,3" or "2,any"; one CPU serves both."""
    match = re.fullmatch(r"(any|[0-9]{1,6})(?:,(any|[0-9]{1,6}))?", text)
    if not match:
        raise client.ClientError(
            f"'{text}' is not CPU or CPU,CPU such as 2 or 2,3: the first serves VF to VM, the second VM "
            "to VF, and any leaves a direction to the balancer"
        )
    first, second = match[1], match[2] or match[1]
    return tuple(UNPINNED if cpu == "any" else int(cpu) for cpu in (first, second))


def pin(args):
    daemon = Daemon(args)
    if args.relay is None:
        answer = daemon.pins()
        found = {
            "workers": list(answer.eal_cores),
            "nodes": list(answer.eal_core_nodes),
            "pins": [
                {"relay": one.relay_number, "vf_to_vm": one.vf2virtio_cpu, "vm_to_vf": one.virtio2vf_cpu}
                for one in answer.pinned
            ],
        }
        _print(args, found, report.pin_lines(found))
        return 0
    if args.release == (args.cpus is not None):
        raise client.ClientError("what is wanted is a CPU, as in pin 3 2,4, or --release")
    vf_to_vm, vm_to_vf = (UNPINNED, UNPINNED) if args.release else _cpus(args.cpus)
    relay_id = _named(daemon, args.relay)["id"]
    daemon.pin(relay_id, vf_to_vm, vm_to_vf)
    return _done(args, relay=relay_id, vf_to_vm=vf_to_vm, vm_to_vf=vm_to_vf)


def _balancer_changes(args):
    changes = {}
    if args.on or args.off:
        changes["balancer"] = args.on
    if args.sensitivity is not None:
        changes["balancer_sensitivity"] = args.sensitivity
    return changes


def balance(args):
    daemon = Daemon(args)
    changes = _balancer_changes(args)
    if changes:
        if args.explain:
            raise client.ClientError("--explain moves and changes nothing: give it without the others")
        settings = daemon.settings(**changes)
        return _done(args, balancer=settings.balancer, sensitivity=settings.balancer_sensitivity)
    found = {"workers": figures.workers_of(daemon.stats([0])), "explanation": None}
    if args.explain:
        found["explanation"] = daemon.explain()
    lines = found["explanation"] if args.explain else report.worker_table(found["workers"])
    _print(args, found, (output.plain(line) for line in lines))
    return 0


# --- events --------------------------------------------------------------------------------------


def events(args):
    daemon = Daemon(args)
    relay_id = None
    if args.relay is not None:
        relay_id = naming.number(args.relay)
        if relay_id is None:
            relay_id = _named(daemon, args.relay)["id"]

    def wanted(found):
        return (relay_id is None or found["relay"] == relay_id) and (not args.event or found["event"] in args.event)

    def show(found):
        print(output.as_json(found, one_line=True) if args.json else happened.line(found), flush=True)

    if not args.follow:
        found = [one for one in map(happened.as_object, daemon.events(args.last)) if wanted(one)]
        _print(args, found, map(happened.line, found))
        return 0
    try:
        happened.follow(daemon, wanted, show)
    except client.NoAnswer as error:
        raise client.NoAnswer(f"{error} (the daemon's option {SWITCHES['events']})") from None
    except KeyboardInterrupt:  # the usual way to end it
        return 0


# --- settings ------------------------------------------------------------------------------------

# syslog's severities, by number.
LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


def log_level(args):
    changes = {} if args.level is None else {"log_level": args.level}
    level = Daemon(args).settings(**changes).log_level
    name = LEVELS[level] if level < len(LEVELS) else None
    _print(args, {"level": level, "name": name}, () if changes else [f"{level} ({name})"])
    return 0
