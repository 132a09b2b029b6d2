"""What clients of the endpoints may do to the daemon and to each other: nothing. Whatever one does,
another one is asked for answers meanwhile, and memory and descriptors come back."""

import contextlib
import os
import random
import resource
import select
import threading
import time

import pytest
import wire_client as wire
import zmq
import patience
from patience import SANITIZED, SLOWER, Stopwatch, wait_for
from wire_client import ADD, ERROR, OK, QUERY_PCI, REMOVE
from zmtp import COMMAND, MORE, Raw, frame, greeting, ready

ENDPOINTS = ("port_control", "stats", "config", "core_sched")
SERVED_S = 1.5  # what existing clients count on
MB = 1024



def memory_max_kb():
    """What the memory guard lets clients have, and what they may get in between two looks at it, which
    a busy machine makes longer."""
    return (64 + 128 * patience.stretch()) * MB


class Served:
    """Another client, which asks all the time, each time over a new connection and over one that
    stays. Anything but a good answer in time is kept in problems. One answer may be late, for a machine
    that stands still: if the same question, asked once more, is answered in time."""

    def __init__(self, running):
        self.running = running
        self.problems, self.times, self.end = [], [], threading.Event()
        self.late = None
        self.kept = None  # the connection that stays
        self.thread = threading.Thread(target=self.run)

    def query(self):
        path = self.running.socket_path(0)
        with wire.Client(self.running.port_control_ep) as client:
            body = client.exchange(wire.port_control_request(QUERY_PCI, vhost_path=path),
                                   SERVED_S)
        answer = wire.Record(body, wire.PORT_CONTROL_RESPONSE)
        assert answer.status == OK and answer.query_string == "net_null0", answer

    def statistics(self):
        if self.kept is None:
            self.kept = wire.Client(self.running.stats_ep)
        body = self.kept.exchange(wire.stats_request([0]), SERVED_S)
        assert wire.Record(body, wire.STATS_RESPONSE).status == wire.STATS_OK

    def forget(self):
        if self.kept is not None:
            self.kept.__exit__()
            self.kept = None

    def ask(self, question):
        watch = Stopwatch(self.running.pid)
        try:
            question()
            took = watch.took()
            if took >= SERVED_S * SLOWER:
                raise wire.NoAnswer(f"answered after {took:.1f} s only")
        except wire.NoAnswer as late:
            self.forget()
            if self.late is not None:
                raise
            self.late = late
            watch = Stopwatch(self.running.pid)
            question()
            took = watch.took()
        self.times.append(took)

    def run(self):
        while not self.end.is_set() or len(self.times) + len(self.problems) < 10:
            for question in (self.query, self.statistics):
                try:
                    self.ask(question)
                except Exception as problem:  # noqa: BLE001, all of them are for the test
                    self.problems.append(repr(problem))
                    self.forget()
            self.end.wait(0.02)
        self.forget()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()

    def check(self, problems=0):
        assert len(self.problems) <= problems, self.problems[:3]
        assert len(self.times) > 4, self.problems
        assert max(self.times) < SERVED_S * SLOWER, max(self.times)


def endpoint(running, name):
    return f"ipc://{running.dir}/{name}"


def start(running):
    running.start(*(f"--zmq-{name.replace('_', '-')}-ep={endpoint(running, name)}"
                    for name in ("config", "core_sched")))
    running.add(0, "net_null0")
    return running


@pytest.fixture
def running(daemon):
    return start(daemon)


@contextlib.contextmanager
def unharmed(running, problems=0):
    """Others are served, and afterwards nothing is left of what was done."""
    heap, fds = running.heap_kb(), []
    wait_for(lambda: fds[-3:] == [len(running.fds())] * 3 or fds.append(len(running.fds())), 5)
    with Served(running) as served:
        yield served
    wait_for(lambda: len(running.fds()) <= fds[-1], 5, "descriptors back")
    if not SANITIZED:  # free memory may stay with the process, within the guard's limit
        wait_for(lambda: running.heap_kb() - heap < memory_max_kb(), 5, "memory back")
    served.check(problems)
    assert running.alive()


def watch_heap(running, until):
    """The most that the daemon's own memory has grown by until the event is set, and the most that it
    might have, in KB."""
    before, most, limit = running.heap_kb(), 0, memory_max_kb()
    while not until.wait(0.02):
        most, limit = max(most, running.heap_kb() - before), max(limit, memory_max_kb())
    return most, limit


def error_status(name):
    return {"port_control": 4, "core_sched": 4, "stats": 1, "config": 1}[name], {
        "port_control": ERROR,
        "core_sched": ERROR,
        "stats": wire.EBADR,
        "config": wire.EBADR,
    }[name]


# --- messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENDPOINTS)
def test_rubbish_is_answered_with_an_error(running, name):
    dice = random.Random(name)
    number, error = error_status(name)
    with unharmed(running), wire.Client(endpoint(running, name), zmq.DEALER) as client:
        # Field 15 with wire type 7, which there is not: nothing that begins like this is a message.
        rubbish = [b"\x7f" + dice.randbytes(dice.randrange(600)) for _ in range(50)]
        rubbish += [b"\x08", b"\x08\xff", b"\x7a\xff\xff\xff\xff\x7f", b"\xff" * 600, b"\x7f" * 65536]
        for frames in [[b"", body] for body in rubbish] + [
            [b"", b"", b""],
            [b"", b"\x08\x01", b"\x08\x01"],
            [b""],
            [b"x"],
            [b"x"] * 600,
        ]:
            client.send(*frames)
            assert wire.decode(client.receive(SERVED_S))[number] == [error], frames[:3]


@pytest.mark.parametrize("name", ENDPOINTS)
def test_any_bytes_get_some_answer(running, name):
    dice = random.Random(name)
    with unharmed(running), wire.Client(endpoint(running, name), zmq.DEALER) as client:
        for size in [600] * 100 + list(range(100)):
            client.send(b"", dice.randbytes(size))
            client.receive(SERVED_S)


def test_ten_thousand_addresses(running):
    address = b"".join(wire.field(i + 1, n) for i, n in enumerate((0, 5, 8, 1)))
    head = wire.field(1, ADD) + wire.field(3, 1)
    with unharmed(running):
        with wire.Client(running.port_control_ep) as client:  # as many as a request has room for
            body = head + wire.field(2, address) * 6000
            assert len(body) <= 65536
            answer = wire.Record(client.exchange(body), wire.PORT_CONTROL_RESPONSE)
            assert answer.status == ERROR and answer.error_code is None
            assert "6000 devices" in answer.error_text and "8" in answer.error_text
        with Raw(running.port_control_ep) as raw:
            raw.send(frame(b"", MORE))
            with contextlib.suppress(BrokenPipeError):  # cut off before it has sent all of it
                raw.send(frame(head + wire.field(2, address) * 10000))
            assert raw.cut_off()
        with wire.Client(running.port_control_ep) as client:
            body = head + wire.field(100, "net_null7") * 5000
            answer = wire.Record(client.exchange(body), wire.PORT_CONTROL_RESPONSE)
            assert answer.status == ERROR and "5000 devices" in answer.error_text


def test_sizes_that_are_not_meant(running):
    """Whoever announces more than a request may have is cut off before it has sent it."""
    with unharmed(running):
        for announced in (65537, 1 << 31, 1 << 40, (1 << 63) - 1, (1 << 64) - 1):
            with Raw(running.stats_ep) as raw:
                raw.send(bytes([2]) + announced.to_bytes(8, "big") + b"x" * 100)
                assert raw.cut_off(), announced


def test_no_handshake_no_service(running):
    no_greetings = (b"GET / HTTP/1.1\r\n\r\n", b"\x01" + os.urandom(600), b"\x7f" * 60)
    words = (
        greeting(b"PLAIN") + ready(),
        greeting(b"CURVE"),
        greeting() + ready(b"PUB"),
        greeting() + frame(b"\x05READY\x0bSocket-Type\0\0", COMMAND),
        greeting() + frame(b"\x05ERROR\x00", COMMAND),
        greeting() + frame(b"no command"),
        greeting()[:20],  # silence is ended, too
        b"",
    )
    # 4.3.5 takes the others for peers of ZeroMQ 2, which have no greeting, and waits for what they want:
    # how many may be connected bounds them.
    if zmq.zmq_version_info() < (4, 3, 5):
        words += no_greetings
    with unharmed(running):
        for text in no_greetings:
            Raw(running.stats_ep, handshake=False).send(text)
        raws = [Raw(running.stats_ep, handshake=False) for _ in words]
        for raw, text in zip(raws, words, strict=True):
            raw.send(text)
        for raw, text in zip(raws, words, strict=True):
            assert raw.cut_off(10), text
            raw.close()


def test_a_message_of_very_many_frames(running):
    with unharmed(running), Raw(running.stats_ep, timeout=120) as raw:
        raw.send(frame(b"x", MORE) * 200000 + frame(b"x"))
        assert wire.Record(raw.receive_body(), wire.STATS_RESPONSE).status == wire.EBADR


@pytest.mark.skipif(SANITIZED, reason="the sanitizer's heap tells nothing")
@pytest.mark.parametrize("size", [1, 60000])
def test_a_message_that_never_ends(running, size):
    """ZeroMQ keeps the frames until the last one: the memory guard ends that."""
    part, cut, done = frame(b"x" * size, MORE), [], threading.Event()
    parts = part * max(1, 200000 // len(part))

    def send():
        for _ in range(3):
            with Raw(running.stats_ep, timeout=120) as raw:
                try:
                    while True:
                        raw.send(parts)
                except (BrokenPipeError, ConnectionResetError):
                    cut.append(True)
                except OSError as problem:
                    cut.append(problem)
        done.set()

    with unharmed(running):
        thread = threading.Thread(target=send)
        thread.start()
        most, limit = watch_heap(running, done)
        thread.join()
    assert cut == [True] * 3, cut
    assert 32 * MB < most < limit


# --- answers -------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.skipif(SANITIZED, reason="the sanitizer's heap tells nothing")
def test_slow_readers(running):
    """They ask and ask and read nothing."""
    done = threading.Event()
    question = frame(b"", MORE) + frame(wire.stats_request())
    asked = []

    def ask():
        raws = [Raw(running.stats_ep) for _ in range(40)]
        end = time.monotonic() + 4
        for raw in raws:
            raw.socket.setblocking(False)
        # What stands in the sockets' buffers is answered even after their ends, so there is an end of it.
        while time.monotonic() < end and sum(asked) < 10000 * len(question):
            for raw in raws:
                with contextlib.suppress(OSError):
                    asked.append(raw.socket.send(question * 20))
            time.sleep(0.001)
        for raw in raws:
            raw.close()
        done.set()

    with unharmed(running, problems=2):  # in the end everyone may be cut off, and comes back
        thread = threading.Thread(target=ask)
        thread.start()
        most, limit = watch_heap(running, done)
        thread.join()
    assert sum(asked) > 1000 * len(question)
    assert most < limit


def test_clients_that_vanish_with_an_answer_to_come(running):
    question = frame(b"", MORE) + frame(wire.stats_request(delay=700))
    with unharmed(running):
        for _ in range(5):
            raws = [Raw(running.stats_ep) for _ in range(40)]
            for raw in raws:
                raw.send(question * 3)
            for raw in raws:
                raw.close()
        time.sleep(1)
    assert "does not read" not in running.log_text()


def test_vanished_clients_requests_are_done_all_the_same(running):
    with unharmed(running):
        for n in range(20):
            with Raw(running.port_control_ep) as raw:
                body = wire.port_control_request(ADD if n % 2 == 0 else REMOVE, ["net_null9"], 9)
                raw.send(frame(b"", MORE) + frame(body))
    wait_for(lambda: running.relay(9).vf is None, 5)


def test_delayed_answers_are_not_for_one_to_hog(running):
    """A client that has all it may have waiting is told so; others are served, with a delay too."""
    question = frame(b"", MORE) + frame(wire.stats_request(delay=10000))
    with unharmed(running):
        raws = [Raw(running.stats_ep) for _ in range(20)]
        for raw in raws:
            raw.send(question * 65)
        for raw in raws:
            assert wire.Record(raw.receive_body(), wire.STATS_RESPONSE).status == wire.ENOMEM
        answer = wire.stats(running.stats_ep, [0], delay=100)
        assert answer.status == wire.STATS_OK
        for raw in raws:
            raw.close()


def test_nothing_is_left_of_clients(running):
    """What a round of misbehaviour leaves behind does not add up."""

    def once():
        raws = [Raw(running.stats_ep) for _ in range(100)]
        for raw in raws:
            raw.send(frame(b"", MORE) + frame(wire.stats_request(delay=20)))
            raw.send(frame(b"x", MORE) * 1000)
        with wire.Client(running.port_control_ep, zmq.DEALER) as client:
            for _ in range(50):
                client.send(b"", wire.port_control_request(ADD, ["net_null7"] * 900, 1))
                client.receive(SERVED_S)
        for raw in raws:
            raw.close()
        wait_for(lambda: len(running.fds()) <= fds, 5)

    fds = len(running.fds())
    for _ in range(3):
        once()
    before = running.heap_kb()
    for _ in range(20):
        once()
    if not SANITIZED:  # which keeps what is freed for a while
        assert running.heap_kb() - before < 4 * MB


# --- connections ---------------------------------------------------------------------------------


def test_a_thousand_connections(running):
    with unharmed(running):
        raws = [Raw(running.port_control_ep) for _ in range(1000)]
        body = wire.port_control_request(QUERY_PCI, vhost_path=running.socket_path(0))
        for raw in raws[::100] + raws[-1:]:
            answer = wire.Record(raw.request(body), wire.PORT_CONTROL_RESPONSE)
            assert answer.query_string == "net_null0"
        for raw in raws:
            raw.close()


def test_more_connections_than_there_may_be(running):
    """The client that has most loses those that it has not used for longest."""
    with unharmed(running):
        # With a handshake: without one they would soon be cut off for their silence.
        raws = [Raw(running.stats_ep) for _ in range(1200)]
        poll, numbers = select.poll(), {raw.socket.fileno(): n for n, raw in enumerate(raws)}
        for number in numbers:
            poll.register(number, select.POLLRDHUP)
        wait_for(lambda: len(poll.poll(0)) >= 1200 - 1024, 5, "all cut off that are too many")
        gone = [numbers[number] for number, _ in poll.poll(0)]
        assert max(gone) < 1200 - 500, (len(gone), max(gone))
        for raw in raws:
            raw.close()
    assert "more than 1024 connections" in running.log_text()


@pytest.mark.parametrize("polite", [False, True], ids=["raw", "zeromq"])
def test_no_descriptors_left(daemon, polite):
    """With 512 descriptors for everything, and 1,000 clients that want one each."""
    daemon.preexec = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512))
    running = start(daemon)
    assert "no more than 512 files" in running.log_text()
    with unharmed(running, problems=0 if not polite else 3):
        if polite:
            context = zmq.Context(io_threads=1)
            context.max_sockets = 2000
            sockets = [context.socket(zmq.REQ) for _ in range(1000)]
            for one in sockets:
                one.linger = 0
                one.connect(running.stats_ep)
            time.sleep(3)
            most = len(running.fds())
            context.destroy(linger=0)
        else:
            raws, most = [], 0
            for _ in range(1000):
                with contextlib.suppress(OSError):
                    raws.append(Raw(running.stats_ep, handshake=False, timeout=1))
                most = max(most, len(running.fds()) if len(raws) % 50 == 0 else 0)
            for raw in raws:
                raw.close()
        assert most <= 512 - 512 // 4 + 2, "the last quarter is for the guests"
    # It goes on working: a guest's device comes and goes.
    running.add(1, "net_null1")
    running.remove(1)
