"""top: the terminal and the clock around screen.py. One thread: it asks the daemon, draws, and waits for a
key until it is time to ask again. The terminal is given back however it ends."""

import curses
import locale
import signal
import sys
import time

import virtioforwarder_client as client

from . import figures, output, screen
from .endpoints import Daemon

ANSWER_S = 1.0  # a daemon that takes longer is said to give no answer; keys wait meanwhile

_COLOURS = {"error": curses.COLOR_RED, "warning": curses.COLOR_YELLOW, "note": curses.COLOR_CYAN,
            "good": curses.COLOR_GREEN}


def _attributes():
    """What each kind of text looks like on this terminal."""
    found = {None: curses.A_NORMAL, "bold": curses.A_BOLD, "dim": curses.A_DIM}
    coloured = output.colourful() and curses.has_colors()
    if coloured:
        curses.use_default_colors()
    for number, (kind, colour) in enumerate(_COLOURS.items(), 1):
        found[kind] = curses.A_NORMAL
        if coloured:
            curses.init_pair(number, colour, -1)
            found[kind] = curses.color_pair(number)
    return found


def _put(window, lines, attributes):
    window.erase()
    for row, line in enumerate(lines):
        column = 0
        for text, kind in line:
            try:
                window.addstr(row, column, text, attributes[kind])
            except curses.error:
                pass  # the window has become smaller meanwhile: it is drawn again at once
            column += len(text)
    window.refresh()


def _take(daemon, readings, since):
    """Asks; returns when that was."""
    now = time.monotonic()
    try:
        response = daemon.stats()
    except client.ClientError as error:
        readings.trouble = str(error)
        return now
    readings.take(figures.relays_of(response), figures.workers_of(response), max(0.001, now - since))
    return now


def _key(window):
    """A key, "" when none came in time."""
    try:
        return window.get_wch()
    except curses.error:
        return ""


def _name(key):
    return key if isinstance(key, str) else curses.keyname(key).decode()


def _loop(window, args, daemon):
    try:
        curses.curs_set(0)
    except curses.error:
        pass  # terminals that cannot hide it
    curses.set_escdelay(50)  # ms: the key Esc has a meaning of its own here
    attributes = _attributes()
    view, readings = screen.View(), screen.Readings()
    asked = _take(daemon, readings, time.monotonic())
    while True:
        height, width = window.getmaxyx()
        # A terminal scrolls when its last cell is written.
        _put(window, screen.draw(readings, view, width - 1, height), attributes)
        window.timeout(max(0, int(1000 * (asked + args.interval - time.monotonic()))))
        key = _key(window)
        if key == curses.KEY_RESIZE:
            curses.update_lines_cols()
        elif key != "" and not screen.press(view, _name(key)):
            return
        if time.monotonic() < asked + args.interval:
            continue
        asked = time.monotonic() if view.paused else _take(daemon, readings, asked)


def top(args):
    """The command."""
    if args.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise client.ClientError("top needs a terminal; stats --watch, with --json or without, does not")
    daemon = Daemon(args, timeout_s=ANSWER_S)
    daemon.stats([0])  # whoever has no daemon is told so before the screen is cleared
    locale.setlocale(locale.LC_ALL, "")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        curses.wrapper(_loop, args, daemon)
    except KeyboardInterrupt:
        pass  # a usual way to leave it
    except curses.error as error:
        raise client.ClientError(
            f"this terminal will not do ({error}): set TERM, or use vio4wdctl stats --watch") from None
    return 0
