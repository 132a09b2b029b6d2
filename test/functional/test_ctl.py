"""vio4wdctl on the real daemon: its commands, their JSON, names and exit statuses; and the reasons why there
is no traffic, each provoked."""

import json
import os
import pty
import re
import signal
import struct
import subprocess

import jsonschema
import pytest

import patience
from daemon import ROOT, wait_for
from legal_guest import LegalGuest
from vhost_peer import AVAILABLE, FROM_GUEST, PART, SET_VRING_ENABLE, Peer

PROGRAM = os.path.join(ROOT, "clients", "vio4wdctl")
with open(os.path.join(ROOT, "clients", "vio4wd", "schema.json"), encoding="utf-8") as schema_file:
    SCHEMA = json.load(schema_file)


def holds(command, value):
    """The value is what the schema says of that command's output."""
    schema = {**SCHEMA, "$ref": f"#/commands/{command}"}
    jsonschema.Draft7Validator(schema).validate(value)
    return value


@pytest.fixture
def running(daemon):
    daemon.cpus = "1,2"
    return daemon.start(f"--zmq-core-sched-ep=ipc://{daemon.dir}/core_sched",
                        f"--zmq-config-ep=ipc://{daemon.dir}/config")


def run(daemon, *words, status=0, env=None):
    done = patience.run([PROGRAM, *words, f"--run-dir={daemon.dir}"] if "--" not in words else
                        [PROGRAM, f"--run-dir={daemon.dir}", *words], 40, env={**os.environ, **(env or {})})
    assert done.returncode == status, done
    assert "Traceback" not in done.stderr, done
    return done


def ask(daemon, *words, status=0):
    """What a command says with --json, held to the schema."""
    return holds(words[0], json.loads(run(daemon, *words, "--json", status=status).stdout))


def findings(daemon, relay):
    return {finding["id"]: finding for finding in ask(daemon, "show", str(relay), "--over=0.5")["findings"]}


def proof(finding):
    return {one["name"]: one for one in finding["proof"]}


# --- looking -------------------------------------------------------------------------------------


def test_list(running, guest):
    assert ask(running, "list") == []
    done = run(running, "list")
    assert done.stdout == "" and "vio4wdctl add" in done.stderr
    assert [relay["id"] for relay in ask(running, "list", "--all")] == list(range(64))
    running.add_ring(3)
    running.add(5, "net_null5")
    one = guest(running.socket_path(3), rate=2000)
    one.wait_received(200)
    running.wait_states(3, "DPDK_READY", "VIRTIO_READY")
    first, second = ask(running, "list")
    assert (first["id"], first["device"], first["active"]) == (3, "net_ring3", True)
    assert first["socket"] == running.socket_path(3)
    assert (second["id"], second["device"], second["active"]) == (5, "net_null5", False)
    assert first["vf_to_vm"]["packets"] > 0 and first["vm_to_vf"]["bytes"] > 0
    assert first["vf_to_vm"]["dropped"] == 0 and second["vf_to_vm"]["dropped"] > 0
    assert second["vf_to_vm"]["dropped"] == sum(second["vf_to_vm"]["drops"].values())
    lines = run(running, "list").stdout.splitlines()
    assert lines[0].split()[:3] == ["RELAY", "STATE", "DEVICE"]
    assert lines[1].split()[:3] == ["3", "active", "net_ring3"]
    assert re.match(r" +5  no guest +net_null5", lines[2])
    one.finish_clean()


@pytest.mark.parametrize("order", ["before", "behind"])
def test_options_stand_before_and_behind_the_command(running, order):
    words = ["--json", f"--run-dir={running.dir}"]
    command = [PROGRAM, *words, "list"] if order == "before" else [PROGRAM, "list", *words]
    assert json.loads(patience.run(command, check=True).stdout) == []


def test_an_endpoint_may_be_named(running, directory):
    os.mkdir(f"{directory}/elsewhere")
    done = patience.run([PROGRAM, "list", f"--run-dir={directory}/elsewhere", f"--stats-ep={running.stats_ep}"])
    assert done.returncode == 0


def test_stats(running, guest):
    running.add_ring(3)
    one = guest(running.socket_path(3), rate=2000)
    one.wait_received(200)
    found = ask(running, "stats", "--over=0.5")
    assert [relay["id"] for relay in found["relays"]] == [3]
    assert found["relays"][0]["vf_to_vm"]["packets_per_s"] > 0
    assert [worker["cpu"] for worker in found["workers"]] == [1, 2]
    text = run(running, "stats", "3", "--over=0.5").stdout
    assert "RELAY" in text and "WORKER" in text and "\033" not in text
    one.finish_clean()


def test_stats_are_watched_until_that_is_enough(running, started):
    running.add(5, "net_null5")
    process = subprocess.Popen([PROGRAM, "stats", f"--run-dir={running.dir}", "--watch=0.2", "--json"],
                               stdout=subprocess.PIPE, text=True,
                               # Whoever runs the tests in the background may have it ignored.
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    looks = [holds("stats", json.loads(process.stdout.readline())) for _ in range(3)]
    counts = [look["relays"][0]["vf_to_vm"]["received_packets"] for look in looks]
    assert counts == sorted(counts) and counts[0] < counts[-1]
    process.send_signal(signal.SIGINT)
    assert patience.reap(process, 5) == 0
    process.stdout.close()


# --- changing ------------------------------------------------------------------------------------


def test_add_show_and_remove_by_any_name(running):
    assert run(running, "add", "3", "net_ring3").stdout == ""
    assert ask(running, "add", "4", "net_null4")["devices"] == ["net_null4"]
    socket = running.socket_path(3)
    for name in ("3", "net_ring3", socket, os.path.basename(socket)):
        assert ask(running, "show", name, "--over=0.1")["relay"]["id"] == 3
    done = run(running, "add", "3", "net_null9", status=1)
    assert done.stdout == "" and "net_ring3" in done.stderr and done.stderr.count("\n") == 1
    run(running, "add", "3", "net_ring3", "--conditional")
    assert ask(running, "remove", "NET_NULL4")["relay"] == 4
    run(running, "remove", os.path.basename(socket))
    assert ask(running, "list", "--all")[3]["device"] is None
    assert "no device" in run(running, "remove", "3", status=1).stderr
    run(running, "remove", "3", "--conditional")


def test_dynamic_sockets(daemon):
    daemon.start("--dynamic-sockets")
    path = f"{daemon.dir}/one.sock"
    assert ask(daemon, "add", "--socket", path, "net_ring0")["socket"] == path
    assert [relay["socket"] for relay in ask(daemon, "list")] == [path]
    assert "add --socket" in run(daemon, "add", "5", "net_null5", status=1).stderr
    assert ask(daemon, "remove", "one.sock")["devices"] == ["net_ring0"]
    assert ask(daemon, "list") == []


def test_pins(running):
    running.add(3, "net_null3")
    assert ask(running, "pin")["pins"] == []
    run(running, "pin", "net_null3", "1,2")
    assert ask(running, "pin")["pins"] == [{"relay": 3, "vf_to_vm": 1, "vm_to_vf": 2}]
    assert running.relay(3).cpu.vf_to_vm == 1
    run(running, "pin", "3", "2,any")
    assert run(running, "pin").stdout.splitlines()[1].split() == ["3", "2", "-"]
    assert "CPU 7" in run(running, "pin", "3", "7", status=1).stderr
    assert "2,3" in run(running, "pin", "3", "x", status=1).stderr
    assert "--release" in run(running, "pin", "3", status=1).stderr
    assert ask(running, "pin", "3", "--release")["vf_to_vm"] == -1
    assert run(running, "pin").stdout.startswith("nothing is pinned")


def test_balance(running):
    assert [worker["cpu"] for worker in ask(running, "balance")["workers"]] == [1, 2]
    assert run(running, "balance").stdout.startswith("WORKER")
    lines = ask(running, "balance", "--explain")["explanation"]
    assert lines[0].startswith("the balancer is off") and lines[-1] == "nothing would be moved"
    assert run(running, "balance", "--explain").stdout.splitlines()[0] == lines[0]


# --- monitoring and the preflight ----------------------------------------------------------------


def test_balancer(running):
    assert ask(running, "balance", "--on", "--sensitivity=0.5") == {
        "done": True, "balancer": True, "sensitivity": 0.5}
    assert run(running, "balance", "--explain").stdout.startswith("the balancer is on; sensitivity 0.50")
    done = run(running, "balance", "--off")
    assert (done.stdout, done.stderr) == ("", "")
    assert run(running, "balance", "--explain").stdout.startswith("the balancer is off")
    for wrong in (["--on", "--off"], ["--sensitivity=2"], ["--sensitivity=x"]):
        assert "usage: vio4wdctl balance" in run(running, "balance", *wrong, status=2).stderr
    assert "nothing" in run(running, "balance", "--on", "--explain", status=1).stderr


def test_log_level(running):
    assert ask(running, "log-level") == {"level": 6, "name": "info"}
    assert run(running, "log-level").stdout == "6 (info)\n"
    assert ask(running, "log-level", "debug") == {"level": 7, "name": "debug"}
    assert "is 7 now, and was 6: changed by a client" in running.log_text()
    assert run(running, "log-level", "4").stdout == ""
    assert run(running, "log-level").stdout == "4 (warning)\n"
    for wrong in ("8", "loud", "-1"):
        assert "log-level" in run(running, "log-level", wrong, status=2).stderr
    assert complete("vio4wdctl log-level de") == ["debug"]


def test_health(running, guest):
    assert run(running, "health", "--over=0.3").stdout.startswith("VIRTIO-FORWARDER OK: 0 of 0 relays")
    running.add_ring(3)
    one = guest(running.socket_path(3), rate=1000)
    one.wait_received(100)
    verdict = ask(running, "health", "--over=0.3")
    assert (verdict["status"], verdict["active"]) == (0, 1), verdict
    running.remove(3)  # a machine that has no VF any more
    wait_for(lambda: running.relay(3).vf is None)
    verdict = ask(running, "health", "--over=0.3", status=2)
    assert verdict["problems"][0]["id"] in ("no-vf", "vf-not-ready") and verdict["problems"][0]["relay"] == 3
    assert run(running, "health", "3", "--over=0.3", status=2).stdout.startswith("VIRTIO-FORWARDER CRITICAL: ")
    assert run(running, "health", "4", "--over=0.3").stdout.startswith("VIRTIO-FORWARDER OK")


def test_health_without_a_daemon(daemon):
    done = run(daemon, "health", status=2)
    assert done.stdout.startswith("VIRTIO-FORWARDER CRITICAL: no answer") and done.stdout.count("\n") == 1
    assert ask(daemon, "health", status=2)["name"] == "CRITICAL"


def test_health_that_cannot_be_known(running):
    assert run(running, "health", "--curve-key=/nonexistent", status=3).stdout.startswith(
        "VIRTIO-FORWARDER UNKNOWN: --curve-key and --curve-server-key are wanted together")
    assert "UNKNOWN: there is no relay 99" in run(running, "health", "99", status=3).stdout
    assert run(running, "health", "--no-such-option", status=3).stdout == ""
    socket = f"{running.dir}/stats"
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = patience.run([*other, PROGRAM, "health", f"--stats-ep=ipc://{socket}"])
    assert done.returncode == 3 and "permission" in done.stdout, done


def test_check(daemon):
    options = ["--check", "--", "--no-huge", "--cpus=1", "--master-lcore=0", "--eal=--lcores 0@0,1@0",
               f"--pid-path={daemon.dir}", f"--vhost-path={daemon.dir}"]
    done = run(daemon, "--json", "check", f"--binary={patience.BINARY}", *options[1:])
    assert holds("check", json.loads(done.stdout))["ok"] is True
    done = run(daemon, "check", f"--binary={patience.BINARY}", *options[1:], "--vhost-username=no-such-user",
               status=1)
    assert re.match(r"error: .*no-such-user.* \[sockets.unknown_owner\]\n    why:    .*\n    remedy: ",
                    done.stdout)
    assert "no-such" in run(daemon, "check", "--binary=/no-such", status=1).stderr


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["list"], ["show", "3"], ["add", "3", "net_null3"], ["remove", "3"],
                                   ["pin"], ["balance", "--explain"], ["stats"],
                                   ["log-level"]])
def test_without_a_daemon(daemon, words):
    done = run(daemon, *words, status=1)
    assert done.stdout == "" and done.stderr.count("\n") == 1
    assert "no answer" in done.stderr and "--zmq-" in done.stderr


@pytest.mark.parametrize("words", [[], ["fly"], ["show"], ["add"], ["list", "--no-such-option"], ["list", "x"],
                                   ["stats", "--watch=0"], ["show", "3", "--over=11"], ["list", "--run-dir=x"]])
def test_a_command_line_that_is_wrong(daemon, words):
    done = patience.run([PROGRAM, *words])
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("usage: vio4wdctl") and "Traceback" not in done.stderr


def test_names_that_no_relay_has(running):
    running.add(5, "net_null5")
    done = run(running, "show", "nobody", status=1)
    assert "5 (net_null5)" in done.stderr and done.stderr.count("\n") == 1
    assert "0 to 63" in run(running, "show", "64", status=1).stderr
    assert "RELAY DEVICE" in run(running, "add", "net_null6", status=1).stderr


# --- how it looks, and what a shell offers -------------------------------------------------------


def on_a_terminal(running, *words, **env):
    main, side = pty.openpty()
    with os.fdopen(main, "rb", buffering=0) as reader:
        process = subprocess.Popen([PROGRAM, *words, f"--run-dir={running.dir}"], stdout=side, stderr=side,
                                   stdin=side, env={**os.environ, "TERM": "xterm", "NO_COLOR": "", **env})
        os.close(side)
        text = b""
        while True:
            try:
                text += reader.read(4096)
            except OSError:  # all of the other side is closed
                break
    assert patience.reap(process, 10) == 0
    return text.decode()


def test_colours_are_for_terminals_alone(running):
    running.add(5, "net_null5")
    assert "\033[33mno guest\033[0m" in on_a_terminal(running, "list")
    assert "\033" not in on_a_terminal(running, "list", NO_COLOR="1")
    assert "\033" not in on_a_terminal(running, "list", TERM="dumb")
    assert "\033" not in run(running, "list").stdout


def complete(line, **env):
    """What argcomplete would hand to bash."""
    read, write = os.pipe()
    process = subprocess.Popen(
        ["bash", "-c", f'exec 8>&{write} 9>&2; exec "$0"', PROGRAM], pass_fds=[write], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": line,
             "COMP_POINT": str(len(line)), **env})
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as offered:
        text = offered.read()
    assert patience.reap(process, 10) == 0
    return [word.strip() for word in text.split("\n")]


def test_live_relays_are_completed(running):
    running.add(5, "net_null5")
    running.add(7, "net_null7")
    assert complete("vio4wdctl sh") == ["show"]
    assert complete(f"vio4wdctl --run-dir {running.dir} show net_") == ["net_null5", "net_null7"]
    offered = complete(f"vio4wdctl show --run-dir {running.dir} ")
    assert {"5", "7", "net_null5", "net_null7"} <= set(offered) and "3" not in offered


def test_completion_is_silent_without_a_daemon(daemon):
    assert "net_null5" not in complete(f"vio4wdctl --run-dir {daemon.dir} show ")


def test_bash_has_it(installed):
    path = os.path.join(installed, "usr/share/bash-completion/completions/vio4wdctl")
    done = patience.run(["bash", "-euc", f"source {path}; complete -p vio4wdctl"])
    assert done.returncode == 0 and "argcomplete" in done.stdout, done


def test_it_is_installed_with_its_page(installed):
    for path in ("usr/bin", "usr/lib/virtio-forwarder", "usr/lib64/virtio-forwarder"):
        done = patience.run([os.path.join(installed, path, "vio4wdctl"), "list", "--help"])
        assert done.returncode == 0 and done.stdout.startswith("usage: vio4wdctl list"), done
    page = os.path.join(installed, "usr/share/man/man8/vio4wdctl.8")
    done = patience.run(["man", "--warnings", "--local-file", page],
                        env={**os.environ, "MANWIDTH": "10000", "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0 and done.stderr == "", done.stderr
    text = " ".join(done.stdout.split())
    help_text = patience.run([PROGRAM, "--help"], env={"COLUMNS": "10000"}).stdout
    commands = re.search(r"own --help:\n((?:  .*\n)+)", help_text)[1].split("\n")[:-1]
    for command in (line.split()[0] for line in commands):
        told = patience.run([PROGRAM, command, "--help"], env={"COLUMNS": "10000"}).stdout
        for line in told.removeprefix("usage: ").partition("options of all")[0].splitlines():
            line = " ".join(line.split())
            assert line in text or line in ("positional arguments:", "options:", "-h, --help show this help "
                                            "message and exit"), (command, line)
    for section in ("NAME", "SYNOPSIS", "OPTIONS", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "SEE ALSO"):
        assert f"\n{section}\n" in done.stdout


# --- why there is no traffic ---------------------------------------------------------------------


def test_nothing_is_wrong(running, guest):
    running.add_ring(3)
    one = guest(running.socket_path(3), rate=2000)
    one.wait_received(200)
    found = findings(running, 3)
    assert all(finding["severity"] == "note" for finding in found.values()), found
    assert found.keys() <= {"worker-shares-cpu", "silence"}
    (shares, _) = proof(found["worker-shares-cpu"]).items()
    assert re.fullmatch(r"worker\.cpu_[12]\.shares_cpu", shares[0]) and shares[1]["value"] is True
    text = run(running, "show", "3").stdout
    assert "relay 3: active" in text and "remedy: give each worker a CPU of its own" in text
    one.finish_clean()


def test_why_nobody_is_connected(running):
    running.add(5, "net_null5")
    finding = findings(running, 5)["front-end-absent"]
    assert finding["severity"] == "error" and running.socket_path(5) in finding["remedy"]
    assert proof(finding)["vf_to_vm.pkts_dropped_vm_no_front_end"]["recent"] > 0


def test_why_nobody_is_connected_in_client_mode(daemon):
    daemon.start("--vhostuser-client")
    daemon.add_ring(3)
    wait_for(lambda: daemon.relay(3).vhost.trouble, 10)
    assert "QEMU has not made the socket" in findings(daemon, 3)["front-end-absent"]["what"]


def test_why_no_driver_is_up(running):
    running.add(5, "net_null5")
    with Peer(running.socket_path(5)):
        wait_for(lambda: running.relay(5).vf_to_vm.no_driver_pkts > 0)
        assert proof(findings(running, 5)["driver-down"])["vf_to_vm.pkts_dropped_vm_no_driver"]["recent"] > 0


def test_why_there_is_no_guest_as_far_as_it_is_known(running):
    running.add_ring(3)
    assert findings(running, 3)["guest-absent"]["severity"] == "error"


def test_why_the_guest_has_no_vf(running, guest):
    one = guest(running.socket_path(3), rate=1000)
    wait_for(lambda: running.relay(3).vm_to_vf.none_pkts > 0)
    finding = findings(running, 3)["no-vf"]
    assert finding["severity"] == "error" and "vio4wdctl add 3" in finding["remedy"]
    assert proof(finding)["vm_to_vf.pkts_dropped_vf_none"]["value"] > 0
    one.kill9()


def test_why_a_guest_stalls(running):
    running.add(5, "net_null5")
    with LegalGuest(running.socket_path(5), buffers=16):
        wait_for(lambda: running.relay(5).vf_to_vm.no_buffers_pkts > 0)
        finding = findings(running, 5)["guest-stalled"]
        assert finding["severity"] == "error" and "takes nothing at all" in finding["what"]
        assert proof(finding)["vf_to_vm.pkts_dropped_vm_no_buffers"]["recent"] > 0


def test_why_a_ring_is_broken(daemon):
    daemon.start("--guest-backend=own")
    daemon.add_ring(3)
    with Peer(daemon.socket_path(3)) as peer:
        peer.fill(FROM_GUEST, 60)
        struct.pack_into("<H", peer.memory, FROM_GUEST * PART + AVAILABLE + 4, peer.entries)
        peer.start()
        peer.make_available(FROM_GUEST, 1)
        wait_for(lambda: any(queue.refused for queue in daemon.relay(3).guest_queues))
        finding = findings(daemon, 3)["ring-broken"]
        assert "queue 0, on which it sends, is stopped: an available entry names" in finding["what"]
        assert proof(finding)["guest_queue.vm_to_vf.0.refused"]["value"] == 1
        assert "queue vm_to_vf 0: split, 256 entries, stopped, 0 interrupts" in run(daemon, "show", "3").stdout


def test_why_one_queue_stalls(daemon, guest):
    daemon.start("--guest-backend=own", "--enable-mrgbuf", "--max-queues=1")
    daemon.add_ring(3)
    one = guest(daemon.socket_path(3), queues=4, flows=64, rate=8000)
    one.wait_received(2000, 20)
    one.command("stall 2")
    wait_for(lambda: "queue-stalled" in findings(daemon, 3), 30)
    found = findings(daemon, 3)
    assert "the guest's queue 2, and" in found["queue-stalled"]["what"] and "guest-stalled" not in found
    assert proof(found["queue-stalled"])["guest_queue.vf_to_vm.2.shortages"]["recent"] > 0
    one.kill9()


def test_why_a_queue_is_stopped(running):
    running.add_ring(3)
    with LegalGuest(running.socket_path(3)) as one:
        running.wait_states(3, "DPDK_READY", "VIRTIO_READY")
        one.send(SET_VRING_ENABLE, struct.pack("<II", FROM_GUEST, 0))
        wait_for(lambda: running.relay(3).vhost.queues == 0)
        assert "sends by 0 of its 1 queues" in findings(running, 3)["queue-stopped"]["what"]


def test_why_frames_are_refused(running, guest):
    """Longer than the VF's MTU allows; and shorter than a header, which is all that is lost then."""
    running.add_ring(3)
    one = guest(running.socket_path(3), rate=1000)
    one.wait_received(10)
    one.command("raw 3000 4 0")
    wait_for(lambda: running.relay(3).vm_to_vf.too_long_pkts == 4)
    found = findings(running, 3)
    assert "--enable-jumbo" in found["mtu-mismatch"]["remedy"] and "one-cause" not in found
    assert proof(found["mtu-mismatch"])["vm_to_vf.pkts_dropped_too_long"]["value"] == 4
    one.command("raw 10 400 0")
    wait_for(lambda: running.relay(3).vm_to_vf.runt_pkts == 400)
    assert "400 of 404" in findings(running, 3)["one-cause"]["what"]
    one.kill9()


def test_why_frames_do_not_fit_the_guest(daemon):
    """Buffers of a guest without mergeable ones."""
    daemon.start()
    daemon.add(5, "net_null5,size=1000")
    with LegalGuest(daemon.socket_path(5), buffer_len=212):
        wait_for(lambda: daemon.relay(5).vf_to_vm.too_long_pkts > 0)
        assert "--enable-mrgbuf" in findings(daemon, 5)["mtu-mismatch"]["remedy"]


def test_why_a_worker_is_saturated(running):
    running.add(5, "net_null5")
    wait_for(lambda: "worker-saturated" in findings(running, 5), 20, "a worker without a pause")


def test_why_the_link_is_down_and_the_mac_another_one(directory, new_daemon, netns, guest):
    wire = netns("wire")
    one = new_daemon("d", wire.name)
    one.start()
    one.add(2, "net_tap0,iface=vf0")
    wire.set_up("vf0", "10.9.0.1/24")
    sender = guest(one.socket_path(2), rate=500)
    wait_for(lambda: one.relay(2).vhost.mac, 20)
    finding = findings(one, 2)["mac-mismatch"]
    assert "--sync-mac" in finding["remedy"]
    assert proof(finding)["vhost.mac"]["value"] == one.relay(2).vhost.mac != one.relay(2).vf.mac
    wire.run("ip", "link", "set", "vf0", "down")
    wait_for(lambda: not one.relay(2).vf.link_up, 20)
    assert findings(one, 2)["link-down"]["severity"] == "error"
    sender.kill9()
