"""The metrics' endpoint: what it tells, whom, and that nobody who asks it harms anybody."""

import contextlib
import json
import os
import random
import re
import socket
import stat
import subprocess
import time
import urllib.parse

import patience
import pytest
import wire_client as wire
from patience import ROOT, SLOWER, wait_for
from test_access import GROUP, NOBODY, OTHER
from test_curve import free_port
from test_hostile_clients import Served

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
LIFE_S = 10        # of a connection
SCRAPE_S = 0.010   # of the control thread's time, for 64 relays
MONITORING = os.path.join(ROOT, "doc", "monitoring")
SAMPLE = re.compile(r'([a-z0-9_]+)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def connect(endpoint):
    """A connection to the endpoint, which waits for half a minute at most."""
    if endpoint.startswith("unix:"):
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        address = endpoint[len("unix:"):]
    else:
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        host, _, port = endpoint[len("tcp://"):].rpartition(":")
        address = (host, int(port))
    one.settimeout(patience.patient_ms(30000) / 1000)
    one.connect(address)
    return one


def hear(one):
    """What comes until the daemon hangs up."""
    parts = []
    with one, contextlib.suppress(ConnectionError):
        while part := one.recv(65536):
            parts.append(part)
    return b"".join(parts).decode()


def request(endpoint, path="/metrics", method="GET", accept=None):
    """(status, headers in lower case, body)"""
    one = connect(endpoint)
    lines = [f"{method} {path} HTTP/1.0", "Host: localhost"] + ([f"Accept: {accept}"] if accept else [])
    one.sendall("\r\n".join([*lines, "", ""]).encode())
    head, _, body = hear(one).partition("\r\n\r\n")
    status, *headers = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in headers)
    return int(status.split()[1]), headers, body


def samples(text):
    """{(name, labels sorted): value}; no series may stand there twice."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        key = (name, tuple(sorted(LABEL.findall(labels or ""))))
        assert key not in found, line
        found[key] = float(value)
    return found


def scrape(endpoint, accept=OPENMETRICS):
    status, _, body = request(endpoint, accept=accept)
    assert status == 200
    assert body.endswith("# EOF\n") == (accept == OPENMETRICS)
    return samples(body)


def value(found, name, **labels):
    return found[name, tuple(sorted((key, str(label)) for key, label in labels.items()))]


def total(found, name, **labels):
    """The sum of all series of that name that have these labels."""
    wanted = {(key, str(label)) for key, label in labels.items()}
    return sum(number for (other, have), number in found.items() if other == name and wanted <= set(have))


def endpoint_of(daemon, kind):
    return f"unix:{daemon.dir}/metrics" if kind == "unix" else f"tcp://127.0.0.1:{free_port()}"


@pytest.fixture
def running(daemon):
    daemon.metrics_ep = endpoint_of(daemon, "unix")
    daemon.start(f"--metrics-ep={daemon.metrics_ep}")
    daemon.add(0, "net_null0")
    return daemon


# --- what it tells -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_it_tells_what_the_statistics_tell(daemon, guest, kind):
    endpoint = endpoint_of(daemon, kind)
    daemon.start(f"--metrics-ep={endpoint}", "--max-queues=2")
    daemon.add_ring(7)
    one = guest(daemon.socket_path(7), queues=2)
    wait_for(lambda: daemon.relay(7).vm_to_vf.pkts_rx_from_vm > 1000, 10)
    found = scrape(endpoint)
    assert value(found, "vio4wd_relay_info", relay=7, device="net_ring7", socket=daemon.socket_path(7)) == 1
    assert value(found, "vio4wd_relay_active", relay=7) == 1
    assert value(found, "vio4wd_relay_vf_state", relay=7, state="ready") == 1
    assert value(found, "vio4wd_relay_guest_state", relay=7, state="ready") == 1
    assert value(found, "vio4wd_relay_guest_queues", relay=7) == 2
    assert value(found, "vio4wd_worker_lanes", worker=1) == 4
    assert total(found, "vio4wd_queue_received_packets_total", relay=7, direction="vm_to_vf") > 0
    one.finish()
    wait_for(lambda: daemon.states(7)[1] != "VIRTIO_READY", 10)

    def settled():
        before, found, after = daemon.relay(7), scrape(endpoint), daemon.relay(7)
        return (before, found) if vars(before.vf_to_vm) == vars(after.vf_to_vm) else None

    state, found = wait_for(settled, 10, "counters that stand still")
    assert value(found, "vio4wd_relay_guest_state", relay=7, state="none") == 1
    for direction, counters, source, target in (("vf_to_vm", state.vf_to_vm, "vf", "vm"),
                                                ("vm_to_vf", state.vm_to_vf, "vm", "vf")):
        for unit, short in (("packets", "pkts"), ("bytes", "bytes")):
            labels = {"relay": 7, "direction": direction}
            told = vars(counters)
            assert value(found, f"vio4wd_relay_received_{unit}_total", **labels) == told[f"{short}_rx_from_{source}"]
            assert value(found, f"vio4wd_relay_sent_{unit}_total", **labels) == told[f"{short}_tx_to_{target}"]
            for reason in (f"{target}_queue_full", f"{target}_not_connected"):
                assert total(found, f"vio4wd_relay_dropped_{unit}_total", reason=reason, **labels) == \
                    told[f"{short}_dropped_{reason}"]


def test_formats_and_refusals(running):
    status, headers, body = request(running.metrics_ep)
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "# TYPE vio4wd_relay_dropped_packets_total counter\n" in body
    status, headers, body = request(running.metrics_ep, accept=OPENMETRICS + ",text/plain;q=0.5")
    assert (status, headers["content-type"]) == (200, OPENMETRICS + "; charset=utf-8")
    assert "# TYPE vio4wd_relay_dropped_packets counter\n" in body
    status, headers, body = request(running.metrics_ep, method="HEAD")
    assert (status, body) == (200, "")
    status, headers, body = request(running.metrics_ep, method="PUT")
    assert (status, headers["allow"]) == (405, "get, head")
    status, headers, body = request(running.metrics_ep, path="/")
    assert status == 404 and "/metrics" in body


@pytest.mark.parametrize(
    "endpoint, says",
    [
        ("tcp://0.0.0.0:9471", "this host's loopback only: write tcp://127.0.0.1:9471"),
        ("tcp://localhost:9471", "127.0.0.1"),
        ("ipc:///tmp/metrics", "write unix:/path or tcp://127.0.0.1:port"),
    ],
)
def test_endpoints_that_are_refused(daemon, endpoint, says):
    with pytest.raises(AssertionError) as refused:
        daemon.start(f"--metrics-ep={endpoint}")
    assert "--metrics-ep" in str(refused.value) and says in str(refused.value)


def test_off_unless_configured(daemon):
    daemon.start()
    assert "metrics" not in daemon.log_text()
    assert not os.path.exists(f"{daemon.dir}/metrics")


# --- whom --------------------------------------------------------------------------------------------

ASK = """
import socket, sys
one = socket.socket(socket.AF_UNIX)
try:
    one.connect(sys.argv[1])
    one.sendall(b"GET /metrics HTTP/1.0\\r\\n\\r\\n")
    print(one.recv(100)[9:12].decode() or "nothing")
except OSError:
    print("nothing")
"""


def ask_as(endpoint, uid, gid, *groups):
    done = patience.run(
        ["setpriv", f"--reuid={uid}", f"--regid={gid}"]
        + ([f"--groups={','.join(map(str, groups))}"] if groups else ["--clear-groups"])
        + ["/usr/bin/python3", "-c", ASK, endpoint[len("unix:"):]],
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def mode_of(endpoint):
    info = os.stat(endpoint[len("unix:"):])
    return stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid


def test_without_a_group_root_alone(running):
    assert mode_of(running.metrics_ep) == (0o600, 0, 0)
    assert ask_as(running.metrics_ep, 0, 0) == "200"
    assert ask_as(running.metrics_ep, NOBODY, GROUP) == "nothing"
    os.chmod(running.metrics_ep[len("unix:"):], 0o666)  # credentials count, not only permissions
    assert ask_as(running.metrics_ep, NOBODY, GROUP) == "nothing"
    assert ask_as(running.metrics_ep, 0, 0) == "200"


def test_the_group(daemon):
    endpoint = endpoint_of(daemon, "unix")
    daemon.start(f"--metrics-ep={endpoint}", f"--zmq-group={GROUP}")
    assert mode_of(endpoint) == (0o660, 0, GROUP)
    assert ask_as(endpoint, NOBODY, GROUP) == "200"
    assert ask_as(endpoint, NOBODY, OTHER, GROUP) == "200"
    assert ask_as(endpoint, NOBODY, OTHER) == "nothing"
    os.chmod(endpoint[len("unix:"):], 0o666)
    assert ask_as(endpoint, NOBODY, OTHER) == "nothing"


def test_the_path(running, new_daemon):
    """It is there after a kill, not another's, comes back, and goes with the daemon."""
    path = running.metrics_ep[len("unix:"):]
    other = new_daemon("other")
    with pytest.raises(AssertionError) as refused:
        other.start(f"--metrics-ep={running.metrics_ep}")
    assert path in str(refused.value)
    assert running.script("vio4wdctl", "--help").returncode == 0  # nothing was harmed
    running.kill9()
    assert os.path.exists(path)
    running.restart()
    assert scrape(running.metrics_ep)
    os.unlink(path)
    wait_for(lambda: os.path.exists(path), 5, "a path that is there again")
    assert scrape(running.metrics_ep)
    running.stop()
    assert not os.path.exists(path)


def test_a_port_that_is_taken(daemon):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(AssertionError) as refused:
            daemon.start(f"--metrics-ep=tcp://127.0.0.1:{taken.getsockname()[1]}")
    assert "Address already in use; choose another port" in str(refused.value)


# --- what clients may do -----------------------------------------------------------------------------


def nonsense(chance):
    """Something that begins like a request, or does not."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(1, 3000))
    text = bytearray(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*;q=0.5,text/plain\r\nContent-Length: 5\r\n"
                     b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: keep-alive\r\n\r\n5\r\nabcde")
    for _ in range(chance.randrange(0, 8)):
        text[chance.randrange(len(text))] = chance.randrange(256)
    return bytes(text[:chance.randrange(1, len(text) + 1)])


def half_requests(endpoint, until):
    chance = random.Random(16)
    while not until():
        with connect(endpoint) as one, contextlib.suppress(OSError):
            one.sendall(nonsense(chance))
            if chance.random() < 0.5:
                one.shutdown(socket.SHUT_WR)
            if chance.random() < 0.5:
                one.settimeout(0.01)
                one.recv(4096)


def endless_headers(endpoint, until):
    while not until():
        with connect(endpoint) as one, contextlib.suppress(OSError):
            one.sendall(b"GET /metrics HTTP/1.1\r\n")
            while not until():
                one.sendall(b"X-Header: and so on\r\n" * 100)


def many_connections(endpoint, until):
    """Two hundred, some of which say something; all stay."""
    ones = []
    while not until():
        with contextlib.suppress(OSError):
            one = connect(endpoint)
            ones.append(one)
            one.sendall(b"GET /metr" if len(ones) % 2 else b"")
        if len(ones) > 200:
            ones.pop(0).close()
    for one in ones:
        one.close()


def deaf_readers(endpoint, until):
    """They ask, say more, and read nothing."""
    ones = []
    while not until():
        with contextlib.suppress(OSError):
            one = connect(endpoint)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            one.settimeout(0.01)
            ones.append(one)
            one.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        time.sleep(0.02)
        if len(ones) > 40:
            ones.pop(0).close()
    for one in ones:
        one.close()


@pytest.mark.parametrize("kind", ["unix", pytest.param("tcp", marks=pytest.mark.long)])
@pytest.mark.parametrize("attack", [half_requests, endless_headers, many_connections, deaf_readers])
def test_hostile_clients(daemon, kind, attack):
    endpoint = endpoint_of(daemon, kind)
    daemon.start(f"--metrics-ep={endpoint}")
    daemon.add(0, "net_null0")
    scrape(endpoint)
    fds = len(daemon.settled_fds())
    scraped = []
    with Served(daemon) as served:
        end = time.monotonic() + 2

        def over():
            return time.monotonic() > end and len(served.times) > 10

        attack(endpoint, over)
        scraped.append(scrape(endpoint))  # at once, however many others there are
    served.check()
    assert value(scraped[0], "vio4wd_relay_vf_state", relay=0, state="alone") == 1
    # Two are of the statistics' client. Who hangs up in the midst of a request may be noticed at its time's end.
    wait_for(lambda: len(daemon.fds()) <= fds + 2, LIFE_S + 5, "descriptors back")
    assert daemon.alive()


def test_who_stays_is_cut_off(running):
    """After its time, however slowly it goes on; meanwhile others are served, and nothing turns in circles."""
    slow, idle = connect(running.metrics_ep), connect(running.metrics_ep)
    begin = time.monotonic()
    before = control_seconds(running)
    with slow, idle:
        slow.settimeout(0.5)
        ended = False
        limit = patience.Within(LIFE_S + 5)
        slow.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        while not ended and not limit.over():
            try:
                slow.sendall(b"x")
                ended = slow.recv(1) == b""
            except TimeoutError:
                pass
            except ConnectionError:
                ended = True
        assert ended and time.monotonic() - begin >= LIFE_S - 0.5
        idle.settimeout(patience.patient_ms(1000) / 1000)
        assert idle.recv(1) == b""
    assert control_seconds(running) - before < 2 * SLOWER
    assert scrape(running.metrics_ep)


# --- what it costs -----------------------------------------------------------------------------------


def control_seconds(running):
    """CPU time that the control thread has used."""
    with open(f"/proc/{running.pid}/task/{running.pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def test_what_a_scrape_costs(daemon):
    """The control thread's time for thirty VFs, which is as many as every build has room for."""
    endpoint, relays = endpoint_of(daemon, "unix"), 30
    daemon.memory = 1024
    daemon.start(f"--metrics-ep={endpoint}", "--max-queues=1")
    with wire.Client(daemon.port_control_ep) as client:
        for relay in range(relays):
            daemon.control(client, wire.ADD, relay, f"net_null{relay}")
    costs = []
    for _ in range(20):
        before = control_seconds(daemon)
        found = scrape(endpoint)
        costs.append(control_seconds(daemon) - before)
    assert total(found, "vio4wd_relay_info") == relays
    print(f"{min(costs) * 1000:.2f} ms")
    assert min(costs) < SCRAPE_S * relays / 64 * SLOWER, costs


# --- Prometheus and Grafana --------------------------------------------------------------------------


def tool(name):
    """Of Debian's package prometheus, installed or unpacked below build/."""
    for root in ("/", os.path.join(ROOT, "build", "packages")):
        path = os.path.join(root, "usr", "bin", name)
        if os.path.exists(path):
            return path
    raise AssertionError(f"{name} is not there: scripts/install-build-deps --monitoring")


def dashboard_queries():
    with open(os.path.join(MONITORING, "dashboard.json"), encoding="utf-8") as file:
        board = json.load(file)
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], re.sub(r"label_values\((.*), \w+\)", r"\1", variable["definition"])


def told_names(endpoint):
    """Of all families, those without a sample too."""
    body = request(endpoint)[2]
    return set(re.findall(r"^# TYPE (\S+)", body, re.MULTILINE))


def test_examples_and_document_name_what_there_is(running):
    names = told_names(running.metrics_ep)
    assert len(names) > 30
    for title, query in dashboard_queries():
        used = set(re.findall(r"\bvio4wd_\w+", query))
        assert used and used <= names, (title, used - names)
    with open(os.path.join(MONITORING, "alerts.yml"), encoding="utf-8") as file:
        used = set(re.findall(r"\bvio4wd_\w+", file.read()))
    assert len(used) > 5 and used <= names, used - names
    with open(os.path.join(ROOT, "doc", "monitoring.md"), encoding="utf-8") as file:
        document = file.read()
    used = set(re.findall(r"\bvio4wd_[a-z0-9_]+", document))
    assert used <= names, used - names
    assert names <= used, names - used


class Prometheus:
    """Debian's, which scrapes the daemon every second; files below the directory."""

    def __init__(self, directory, target):
        self.port = free_port()
        self.log_path = os.path.join(directory, "prometheus.log")
        config = os.path.join(directory, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(
                "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
                f"rule_files: ['{MONITORING}/alerts.yml']\n"
                "scrape_configs:\n"
                "  - job_name: virtio-forwarder\n"
                f"    static_configs: [{{targets: ['{target}']}}]\n"
            )
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [tool("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={directory}/tsdb",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stdout=log, stderr=log,
            )

    def api(self, path):
        """What it answers, or None while it does not."""
        with contextlib.suppress(ConnectionError, ValueError, IndexError):
            status, _, body = request(f"tcp://127.0.0.1:{self.port}", f"/api/v1/{path}")
            answer = json.loads(body)
            assert answer["status"] == "success", (path, answer)
            return answer["data"] if status == 200 else None
        return None

    def query(self, text):
        found = self.api("query?query=" + urllib.parse.quote(text))
        return None if found is None else found["result"]

    def cleanup(self):
        patience.end(self.process)


@pytest.mark.long
def test_promtool(running, directory):
    path = os.path.join(directory, "metrics.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write(request(running.metrics_ep)[2])
    with open(path, encoding="utf-8") as file:
        done = patience.run([tool("promtool"), "check", "metrics"], stdin=file)
    assert (done.returncode, done.stdout + done.stderr) == (0, ""), done
    done = patience.run([tool("promtool"), "check", "rules", f"{MONITORING}/alerts.yml"])
    assert done.returncode == 0, done


@pytest.mark.long
def test_prometheus_scrapes(daemon, directory, started):
    port = free_port()
    daemon.start(f"--metrics-ep=tcp://127.0.0.1:{port}")
    daemon.add(0, "net_null0")
    prometheus = started.add(Prometheus(directory, f"127.0.0.1:{port}"))
    wait_for(lambda: prometheus.query('count_over_time(up{job="virtio-forwarder"}[1m]) > 4'), 60, "five scrapes")
    target = prometheus.api("targets")["activeTargets"][0]
    assert (target["health"], target["lastError"]) == ("up", ""), target
    assert float(prometheus.query("vio4wd_relay_vf_state{state='alone'}")[0]["value"][1]) == 1
    # The older format knows no type info: it was given OpenMetrics.
    info = prometheus.api("metadata?metric=vio4wd_build")
    assert info["vio4wd_build"][0]["type"] == "info", info
    for title, query in dashboard_queries():
        query = query.replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$relay", ".*")
        found = prometheus.query(query)
        assert found is not None, (title, query)
        assert found or " > 0" in query or "== " in query, (title, query)
    rules = prometheus.api("rules")["groups"][0]["rules"]
    assert len(rules) > 8
    wait_for(lambda: all(rule["health"] == "ok" for rule in prometheus.api("rules")["groups"][0]["rules"]), 20,
             "rules that can be evaluated")
    daemon.stop()
    wait_for(lambda: [rule for rule in prometheus.api("rules")["groups"][0]["rules"]
                      if rule["name"] == "VirtioForwarderDown" and rule["state"] == "pending"], 20,
             "an alert about the daemon")
