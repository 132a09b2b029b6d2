"""vio4wdctl top: what it draws, a pure function, on readings that are made up; and the program itself on a
terminal of 80 by 24, whose screen pyte keeps as a terminal would."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios

import pyte
import pytest

import patience
from daemon import ROOT, wait_for

sys.path.insert(0, os.path.join(ROOT, "clients"))

from vio4wd import screen  # noqa: E402

PROGRAM = os.path.join(ROOT, "clients", "vio4wdctl")


# --- what is drawn -------------------------------------------------------------------------------


def direction(state, packets=0, drops=None):
    drops = drops or {}
    return {"active": True, "state": state, "packets": packets, "received_packets": packets,
            "dropped": sum(drops.values()), "drops": drops, "packets_per_s": float(packets),
            "bytes_per_s": 100.0 * packets, "cpus": [1]}


def relay(number, packets=0, drops=None, load=0.0, device=True, guest=True):
    return {
        "id": number, "device": f"0000:05:08.{number}" if device else None, "active": device and guest,
        "socket": f"/tmp/virtio-forwarder{number}.sock", "numa_node": 0,
        "vf": {"link_up": True, "mac": None, "members": []} if device else None,
        "guest": {"queues": 1 if guest else 0, "mac": None, "trouble": None},
        "vf_to_vm": direction("DPDK_READY" if device else "DPDK_UNINIT", packets, drops),
        "vm_to_vf": direction("VIRTIO_READY" if guest else "VIRTIO_UNINIT", 2 * packets),
        "lanes": [{"load": load}], "guest_queues": [], "kernel": None,
    }


def worker(cpu, busy=0.0, asleep=0.0):
    return {"cpu": cpu, "host_cpu": cpu, "numa_node": 0, "shares_cpu": False, "busy": busy, "asleep": asleep,
            "lanes": 2}


def readings_of(*relays, workers=(), before=None):
    readings = screen.Readings()
    readings.take(list(before or relays), list(workers), 1.0)
    readings.take(list(relays), list(workers), 2.0)
    return readings


def lines(readings, view=None, width=80, height=24):
    drawn = screen.draw(readings, view or screen.View(), width, height)
    return ["".join(text for text, _ in line) for line in drawn]


def ids(readings, view):
    return [one["id"] for one in screen.choose(readings, view)]


def press(view, keys):
    for key in keys:
        assert screen.press(view, key)
    return view


def test_a_screen():
    before = relay(1, drops={"vm_no_buffers": 10})
    readings = readings_of(relay(1, 100, {"vm_no_buffers": 60}, load=0.3), relay(2, 5000),
                           workers=[worker(1, 0.5, 0.25), worker(2, 0.99)],
                           before=[before, relay(2)])
    drawn = lines(readings)
    assert len(drawn) == 24 and max(map(len, drawn)) <= 79
    for sort in range(2 * len(screen.SORTS)):
        assert len(lines(readings_of(*map(relay, range(64))), press(screen.View(), "s" * sort + "r"),
                         width=200)[-1]) <= 79
    assert drawn[0].startswith("virtio-forwarder: 2 of 2 relays active  to VM 5.1k pkt/s")
    assert drawn[1].startswith(f"  1 on CPU   1 node 0 [{'#' * 12}{' ' * 6}{'.' * 6}]  50 % busy  25 % asleep")
    assert drawn[3].split() == ["ID", "STATE", "DEVICE", "N", "TO", "VM", "bit/s", "FROM", "bit/s", "DROP/s",
                                "LOAD", "CAUSE"]
    assert drawn[4].split() == ["1", "active", "0000:05:08.1", "0", "100", "80k", "200", "160k", "25", "30",
                                "%", "vm_no_buffers"]
    assert drawn[5].split()[:3] == ["2", "active", "0000:05:08.2"]


@pytest.mark.parametrize("width, height", [(80, 24), (200, 60), (40, 10), (20, 5), (5, 2), (1, 1)])
def test_any_size(width, height):
    readings = readings_of(*(relay(i, 10 ** (i % 10)) for i in range(64)),
                           workers=[worker(i, 0.01 * i) for i in range(40)])
    view = press(screen.View(), "d")
    drawn = lines(readings, view, width, height)
    assert len(drawn) == height and max(map(len, drawn)) <= width


def test_states_and_their_colours():
    readings = readings_of(relay(1), relay(2, device=False), relay(3, guest=False),
                           relay(4, device=False, guest=False))
    states = [screen.state_of(one) for one in readings.relays]
    assert states == [("active", "good"), ("no VF", "warning"), ("no guest", "warning"), ("idle", "dim")]
    readings.relays[0]["vf"]["link_up"] = False
    assert screen.state_of(readings.relays[0]) == ("no link", "error")


def test_sorting():
    readings = readings_of(relay(1, 10, load=0.1), relay(2, 30, load=0.9), relay(3, 20, load=0.5))
    view = screen.View()
    assert ids(readings, view) == [1, 2, 3]
    press(view, "s")
    assert screen.SORTS[view.sort] == "to VM" and ids(readings, view) == [2, 3, 1]
    press(view, "r")
    assert ids(readings, view) == [1, 3, 2]
    press(view, "rsss")
    assert screen.SORTS[view.sort] == "load" and ids(readings, view) == [2, 3, 1]
    press(view, "s")
    assert ids(readings, view) == [1, 2, 3]


def test_filtering():
    readings = readings_of(relay(1), relay(2, drops={"vm_no_buffers": 5}), relay(3, guest=False))
    view = press(screen.View(), "/08.2")
    assert ids(readings, view) == [2]
    assert "filter: 08.2_" in lines(readings, view)[-1]
    press(view, ["KEY_BACKSPACE"] * 4)
    press(view, "no guest\n")
    assert ids(readings, view) == [3] and not view.typing
    press(view, "/no_buf")
    assert ids(readings, view) == [2]
    press(view, ["\x1b"])
    assert ids(readings, view) == [1, 2, 3]
    assert not screen.press(view, "q")  # ends; while a filter is typed it is a letter
    assert press(screen.View(), "/q").filter == "q"


def test_idle_relays_and_scrolling():
    readings = readings_of(relay(1), relay(2, device=False, guest=False), relay(3))
    for one in (readings.relays[1]["vf_to_vm"], readings.relays[1]["vm_to_vf"]):
        one["active"] = False
    view = screen.View()
    assert ids(readings, view) == [1, 3]
    press(view, "a")
    assert ids(readings, view) == [1, 2, 3]
    press(view, ["KEY_DOWN", "KEY_DOWN"])
    rows = lines(readings, view, height=6)
    assert rows[2].split()[0] == "3"
    press(view, ["KEY_NPAGE"])
    lines(readings, view)
    assert view.first == 2  # the last one stays
    press(view, ["KEY_HOME"])
    assert view.first == 0


def test_drops_by_cause():
    readings = readings_of(relay(1, drops={"vm_no_buffers": 60, "vm_left": 2}), before=[relay(1)])
    drawn = lines(readings, press(screen.View(), "d"))
    assert drawn[3].split() == ["to", "VM", "vm_no_buffers", "60", "in", "all,", "30/s"]
    assert drawn[4].split()[2:4] == ["vm_left", "2"]


def test_a_daemon_that_is_silent():
    readings = readings_of(relay(1))
    readings.trouble = "no answer from x\x1b[2J"
    assert lines(readings)[0] == "no answer from x?[2J"


# --- the program ---------------------------------------------------------------------------------


class Terminal:
    """A pseudo terminal with the program on it. display() is what somebody would see."""

    def __init__(self, *command, width=80, height=24):
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.screen)
        self.main, self.side = pty.openpty()
        self.raw = b""
        self.resize(width, height)
        self.before = termios.tcgetattr(self.side)
        self.process = subprocess.Popen(command, stdin=self.side, stdout=self.side, stderr=self.side,
                                        start_new_session=True, preexec_fn=self._take_over,
                                        env={**os.environ, "TERM": "linux", "NO_COLOR": ""})

    @staticmethod
    def _take_over():
        """In the program's process: a terminal tells those that it controls when its size changes, and
        heeds what whoever runs the tests in the background may have it ignore."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, width, height):
        self.screen.resize(height, width)
        fcntl.ioctl(self.side, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def read(self):
        while select.select([self.main], [], [], 0)[0]:
            data = os.read(self.main, 65536)
            self.raw += data
            self.stream.feed(data)

    def display(self):
        self.read()
        return self.screen.display

    def press(self, keys):
        os.write(self.main, keys.encode())

    def shows(self, words, row=None):
        """Waits until that is seen, in a row of its own or anywhere."""
        wait_for(lambda: words in (self.display()[row] if row is not None else "\n".join(self.display())), 10,
                 f"{words!r} on the screen")

    def ended(self):
        """The exit status; the terminal must be as it was."""
        status = patience.reap(self.process, 10)
        self.read()
        assert termios.tcgetattr(self.side) == self.before
        return status

    def cleanup(self):
        patience.end(self.process)
        os.close(self.main)
        os.close(self.side)


@pytest.fixture
def terminal(daemon, started):
    def make(**size):
        return started.add(Terminal(PROGRAM, "top", f"--run-dir={daemon.dir}", "--interval=0.2", **size))

    daemon.cpus = "1,2"
    daemon.start()
    daemon.add_ring(3)
    daemon.add(5, "net_null5")
    return make


def test_top(daemon, terminal, guest):
    one = guest(daemon.socket_path(3), rate=2000)
    daemon.wait_states(3, "DPDK_READY", "VIRTIO_READY")
    shown = terminal()
    shown.shows("virtio-forwarder: 1 of 2 relays active", 0)
    shown.shows(" 3 active   net_ring3", 4)
    shown.shows(" 5 no guest net_null5", 5)
    shown.shows("vm_no_front_end", 5)
    shown.press("/ring")
    shown.shows("filter: ring_", 23)
    wait_for(lambda: "net_null5" not in "".join(shown.display()), 10, "the filter at work")
    shown.press("\x1b")
    shown.shows("net_null5")
    shown.press("sss")  # by drops
    shown.shows(" 5 no guest", 4)
    shown.press("d")
    shown.shows("to VM vm_no_front_end", 5)
    shown.press("p")
    shown.shows("PAUSED", 0)
    before = shown.display()[5]
    daemon.remove(5)
    daemon.add(7, "net_null7")
    shown.press("r")
    shown.shows("reversed", 23)
    assert before in shown.display() and "net_null7" not in "".join(shown.display())
    shown.press("p")
    shown.shows("net_null7")
    shown.press("q")
    assert shown.ended() == 0
    one.kill9()


def test_top_is_resized(terminal):
    shown = terminal()
    shown.shows("p pause", 23)
    shown.resize(100, 30)
    shown.shows("p pause", 29)
    shown.resize(60, 10)
    shown.shows("/ filter", 9)
    assert len([line for line in shown.display() if line.strip()]) <= 10
    shown.press("q")
    assert shown.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_top_ends_by_a_signal(terminal, number):
    shown = terminal()
    shown.shows("p pause", 23)
    shown.process.send_signal(number)
    assert shown.ended() == 0
    assert b"Traceback" not in shown.raw


def test_top_outlives_the_daemon(daemon, terminal):
    shown = terminal()
    shown.shows("relays active", 0)
    options = daemon.options
    daemon.stop()
    shown.shows("no answer from", 0)
    shown.shows("net_null5")  # what was known last
    daemon.start(*options)
    shown.shows("relays active", 0)
    shown.press("q")
    assert shown.ended() == 0


def test_top_needs_a_terminal_and_a_daemon(daemon, started):
    done = patience.run([PROGRAM, "top", f"--run-dir={daemon.dir}"], stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and "stats --watch" in done.stderr and done.stderr.count("\n") == 1
    shown = started.add(Terminal(PROGRAM, "top", f"--run-dir={daemon.dir}"))
    assert shown.ended() == 1
    assert "no answer" in "".join(shown.display()) and b"\x1b[?1049h" not in shown.raw
