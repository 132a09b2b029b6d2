"""vio4wdctl's command line: its commands and their options, help and manual page, and what shells complete."""

import argparse
import re
import sys

import virtioforwarder_client as client

from . import commands, figures, naming
from .endpoints import SERVICES, Daemon

HEALTH = commands.health_

DESCRIPTION = """\
Look at virtio-forwarder's relays, say why there is no traffic, and change what is attached.

Asks a running daemon at its endpoints, which it looks for in the run directory. A relay goes by its id, its
socket (whole or its last part) or interface, the PCI address or name of its device, or the MAC address of
either end.
Options that all commands have may stand before the command or behind it.
"""

EPILOG = """\
Exit status:
  0 when all was done; 1 when the daemon refused or did not answer within 2 seconds, which one line on the
  standard error output says, with what would help, or when check finds that the daemon would not run; 2
  when the command line is wrong. Of health 0 (OK), 1 (WARNING), 2 (CRITICAL, also when no daemon answers)
  and 3 (UNKNOWN), as Nagios has it, a wrong command line being 3.

Environment:
  NO_COLOR, unless it is empty, keeps colours away from terminals; elsewhere there are none.

Examples:
  vio4wdctl show 3
  vio4wdctl add 3 0000:05:08.1
  vio4wdctl --json list

See also:
  virtio-forwarder(8), virtioforwarder_stats(8), virtioforwarder_port_control(8)
"""


class _Parser(argparse.ArgumentParser):
    """Texts are printed as they stand: they are the manual page as well (scripts/make-man-page)."""

    wrong = 2  # the status for what is no command line

    def __init__(self, **kwargs):
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**kwargs)

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(self.wrong, f"{self.prog}: error: {message}\n")


def _seconds(text):
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,6})?", text) or not 0.1 <= float(text) <= 3600:
        raise argparse.ArgumentTypeError(f"'{text}' is not a time in seconds, from 0.1 to 3600")
    return float(text)


def _observation(text):
    if _seconds(text) > 10:
        raise argparse.ArgumentTypeError(f"'{text}' is too long: 10 seconds at most")
    return float(text)


def _share(text):
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,6})?", text) or float(text) > 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 1")
    return float(text)


def _level(text):
    if text in commands.LEVELS:
        return commands.LEVELS.index(text)
    if not re.fullmatch("[0-7]", text):
        raise argparse.ArgumentTypeError(f"'{text}' is neither a number from 0 to 7 nor one of "
                                         f"{', '.join(commands.LEVELS)}")
    return int(text)


def _run_directory(text):
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"'{text}' is not an absolute path")
    return text.rstrip("/") or "/"


def _common(parser, default):
    """The options of all commands; default is what those have that are not given."""
    group = parser.add_argument_group("options of all commands")
    keep = argparse.SUPPRESS
    group.add_argument("--json", action="store_true", default=keep if default is keep else False,
                       help="print JSON, as schema.json beside the program's modules describes it")
    group.add_argument("--run-dir", type=_run_directory, metavar="DIR",
                       default=keep if default is keep else client.RUN_DIRECTORY,
                       help=f"directory of the daemon's ipc endpoints; default: {client.RUN_DIRECTORY}")
    for service, name in SERVICES.items():
        group.add_argument(f"--{name.replace('_', '-')}", metavar="ENDPOINT", default=default,
                           help=f"where the daemon's {service} listens, instead of there")
    group.add_argument("--curve-key", metavar="FILE", default=default,
                       help="file that holds this client's secret key (Z85), for a daemon with --zmq-curve-dir")
    group.add_argument("--curve-server-key", metavar="KEY", default=default,
                       help="the daemon's public key (Z85, 40 characters)")


# --- completion ----------------------------------------------------------------------------------


def _live_relays(parsed_args, **_):
    """What relays in use go by. A daemon that does not answer at once offers nothing."""
    defaults = dict.fromkeys([*SERVICES.values(), "curve_key", "curve_server_key"])
    args = argparse.Namespace(**{"run_dir": client.RUN_DIRECTORY, **defaults, **vars(parsed_args)})
    try:
        relays = figures.relays_of(Daemon(args, timeout_s=0.5).stats())
    except client.ClientError:
        return []
    return list(naming.common_names(relay for relay in relays if figures.in_use(relay)))


def complete(parser):
    """Answers a shell that asks for completions, if it is one, and ends. Without argcomplete: nothing."""
    try:
        import argcomplete
    except ImportError:
        return
    argcomplete.autocomplete(parser)


# --- the commands --------------------------------------------------------------------------------


def _relay_argument(parser, **options):
    parser.add_argument("relay", metavar="RELAY", help="its id, socket, interface, device or MAC address",
                        **options).completer = _live_relays


def _relays_argument(parser):
    parser.add_argument("relays", metavar="RELAY", nargs="*",
                        help="of these only; default: all in use").completer = _live_relays


def _over_option(parser):
    parser.add_argument("--over", type=_observation, default=1.0, metavar="S",
                        help="seconds to look for, 10 at most; default: %(default)s")


def _list(add):
    parser = add("list", commands.list_, "", "list the relays in use: state, device, packets, losses, socket")
    parser.add_argument("--all", action="store_true", help="idle ones too")


def _show(add):
    parser = add("show", commands.show, " RELAY", "show all about a relay, and why there is no traffic")
    _relay_argument(parser)
    _over_option(parser)


def _add(add):
    parser = add("add", commands.add, " RELAY DEVICE ...",
                 "attach a device to a relay, or make a relay of a device and a socket")
    parser.add_argument(
        "what", metavar="RELAY DEVICE ...", nargs="+",
        help="the relay, unless --socket makes one, and a PCI address (0000:05:08.1) or DPDK device string "
        "(net_tap0,iface=vf0); several devices, up to eight, make a bond")
    parser.add_argument("--socket", metavar="PATH",
                        help="vhost-user socket of the relay to be made; for daemons with --dynamic-sockets")
    parser.add_argument("--conditional", action="store_true", help="what is so already is no error")
    parser.add_argument("--far", choices=("guest", "kernel"),
                        help="with whom the device is paired: a guest, by default, or the kernel of the "
                        "daemon's host, as the network interface vio4wd and the relay's number")
    parser.add_argument("--name", help="name of a bond; it begins with net_bonding")
    parser.add_argument("--mode", type=client.number, help="mode of a bond, in DPDK's numbers; default: 1")


def _remove(add):
    parser = add("remove", commands.remove, " RELAY",
                 "take a relay's device away; with --dynamic-sockets, end the relay")
    _relay_argument(parser)
    parser.add_argument("--conditional", action="store_true", help="what is so already is no error")


def _pin(add):
    parser = add("pin", commands.pin, " [RELAY CPU[,CPU]]",
                 "pin a relay to worker CPUs, release it, or list what is pinned")
    _relay_argument(parser, nargs="?")
    parser.add_argument("cpus", metavar="CPU[,CPU]", nargs="?",
                        help="the first serves VF to VM, the second VM to VF; one serves both; any leaves a "
                        "direction to the balancer, as in 2,any")
    parser.add_argument("--release", action="store_true", help="give both directions back to the balancer")


def _balance(add):
    parser = add("balance", commands.balance, "",
                 "show how busy the workers are, or change the daemon's balancer")
    parser.add_argument("--explain", action="store_true",
                        help="what the daemon's balancer would move now, and why; nothing is moved")
    switch = parser.add_mutually_exclusive_group()
    switch.add_argument("--on", action="store_true", help="have the daemon move what is worth it")
    switch.add_argument("--off", action="store_true", help="leave everything where it is")
    parser.add_argument("--sensitivity", type=_share, metavar="F",
                        help="share of the busiest worker's excess, 0 to 1, that a round of moves must take away; "
                        "these three hold until the daemon ends or reads its file again (SIGHUP)")


def _last(text):
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 to 256")
    return int(text)


def _events(add):
    parser = add("events", commands.events, "", "tell what has happened to relays, or what happens")
    parser.add_argument("--follow", action="store_true",
                        help="each as it comes, until interrupted; with --json a line each. Missed events are "
                        "told on the standard error output")
    parser.add_argument("--last", type=_last, default=256, metavar="N",
                        help="without --follow: of the last N, 256 at most (the daemon keeps no more)")
    parser.add_argument("--relay", metavar="RELAY",
                        help="of this one only: its id, socket, device or MAC address").completer = _live_relays
    parser.add_argument("--event", metavar="NAME", action="append",
                        help="these only, such as vf-lost; may be given several times. doc/events.md has all")


def _log_level(add):
    parser = add("log-level", commands.log_level, " [LEVEL]", "show or change what the daemon logs")
    level = parser.add_argument("level", metavar="LEVEL", nargs="?", type=_level,
                                help="0 (emerg, quietest) to 7 (debug), or such a name; holds until the daemon "
                                "ends or reads its file again (SIGHUP)")
    level.completer = lambda **_: commands.LEVELS


def _stats(add):
    parser = add("stats", commands.stats, " [RELAY ...]", "print rates, losses and workers")
    _relays_argument(parser)
    _over_option(parser)
    parser.add_argument("--watch", type=_seconds, nargs="?", const=1.0, metavar="S",
                        help="again every S seconds (1), until interrupted; with --json a line each")


def _top(add):
    parser = add("top", commands.top, "",
                 "watch relays and workers on the whole screen; its last line has the keys")
    parser.add_argument("--interval", type=_seconds, default=1.0, metavar="S",
                        help="seconds between two looks; default: %(default)s")


def _health(add):
    parser = add("health", commands.health_, " [RELAY ...]",
                 "tell monitoring how the daemon and its relays are")
    parser.wrong = 3
    _relays_argument(parser)
    _over_option(parser)


def _check(add):
    parser = add("check", commands.check, " [-- OPTION ...]",
                 "check whether this host can run the daemon as configured")
    parser.add_argument("--config", metavar="FILE",
                        help=f"default: {commands.CONFIGURATION}, if it is there")
    parser.add_argument("--binary", metavar="PATH", help="the daemon; default: virtio-forwarder")
    parser.add_argument("options", metavar="OPTION", nargs="*",
                        help="the daemon's own options, behind --, as in check -- -C 2,3")


# In the order of the help.
_COMMANDS = (_list, _show, _stats, _top, _health, _check, _add, _remove, _pin, _balance,
             _log_level, _events)


def _whole_epilog(made):
    width = max(len(name) for name, _ in made)
    lines = [f"  {name.ljust(width)}  {what}" for name, what in made]
    return "Commands, each with its own --help:\n" + "\n".join(lines) + "\n\n" + EPILOG


def make_parser():
    parser = _Parser(prog="vio4wdctl", description=DESCRIPTION, allow_abbrev=False)
    parser.usage = "vio4wdctl [OPTION ...] COMMAND [ARGUMENT ...]"
    _common(parser, None)
    # Listed in the epilog, a line each, which is how the manual page gets at them.
    commands_of = parser.add_subparsers(dest="command", required=True, metavar="COMMAND",
                                        help=argparse.SUPPRESS, parser_class=_Parser)
    made = []

    def add(name, run, arguments, what):
        usage = f"vio4wdctl {name} [OPTION ...]{arguments}"
        sub = commands_of.add_parser(name, prog=f"vio4wdctl {name}", usage=usage, allow_abbrev=False,
                                     description=what[0].upper() + what[1:] + ".")
        sub.set_defaults(run=run)
        made.append((name, what))
        return sub

    for make in _COMMANDS:
        make(add)
    for sub in commands_of.choices.values():
        _common(sub, argparse.SUPPRESS)
    parser.epilog = _whole_epilog(made)
    return parser
