"""The config endpoint and its script, to the letter of the wire contract."""

import os

import pytest
import zmq

import patience
import wire_client as wire
from daemon import BINARY

SCRIPT = "virtioforwarder_config.py"


@pytest.fixture
def running(daemon):
    daemon.cpus = "1,2"
    daemon.config_ep = f"ipc://{daemon.dir}/config"
    return daemon.start(f"--zmq-config-ep={daemon.config_ep}", "--enable-jumbo", "-c", "3:1,2;5:2")


def test_it_tells_what_is_pinned(running):
    answer = wire.config(running.config_ep)
    assert answer.status == wire.CONFIG_OK
    pins = [(pin.relay_number, pin.vf2virtio_cpu, pin.virtio2vf_cpu) for pin in answer.relay_cpu_map]
    assert pins == [(3, 1, 2), (5, 2, 2)]
    assert answer.version[0].isdigit() and answer.dpdk_version.startswith("DPDK ")
    assert "enable-jumbo" in answer.features and "no-huge" in answer.features
    assert "enable-mrgbuf" not in answer.features


def test_malformed_messages(running):
    with wire.Client(running.config_ep, zmq.DEALER) as client:
        for frames in ([b"", b"\xff" * 600], [b"", os.urandom(64) + b"\xff"], [b"", b"", b""], [b"x"]):
            client.send(*frames)
            answer = wire.Record(client.receive(), wire.CONFIG_RESPONSE)
            assert answer.status == wire.EBADR and answer.error_text
        client.send(b"", wire.field(999, 1))  # an unknown field is skipped
        assert wire.Record(client.receive(), wire.CONFIG_RESPONSE).status == wire.CONFIG_OK


def script(running, *args):
    return running.script(SCRIPT, f"--config-ep={running.config_ep}", *args)


def test_script(running):
    done = script(running)
    assert done.returncode == 0 and done.stderr == ""
    assert "status: OK" in done.stdout
    assert "relay_cpu_map {\n  relay_number: 3\n  vf2virtio_cpu: 1\n  virtio2vf_cpu: 2\n}" in done.stdout


def test_script_tells_who_has_pinned(running):
    """What the configuration pins is not worth a word; what a client has left there is."""
    core_sched_ep = f"ipc://{running.dir}/core_sched"
    running.stop()
    running.start(*running.options, f"--zmq-core-sched-ep={core_sched_ep}")
    assert wire.core_sched(core_sched_ep, wire.UPDATE, [(3, 1, 1), (7, 2, -1)]).status == wire.OK
    done = script(running)
    assert done.returncode == 0
    assert done.stderr.startswith("pinned by clients, not by the configuration: relays 3, 7; ")
    assert "--virtio-cpu=3:-1" in done.stderr and done.stdout.count("by_client: true") == 2
    check = patience.run([BINARY, "--check", "--no-huge", "--cpus=1,2", f"--pid-path={running.pid_dir}",
                          "--json"])  # fmt: skip
    assert "clients have pinned relays otherwise than the configuration: 3,7" in check.stdout
    assert wire.core_sched(core_sched_ep, wire.UPDATE, [(3, 1, 2), (7, -1, -1)]).status == wire.OK
    assert script(running).stderr == ""


def test_script_tests_the_daemon(running):
    done = script(running, "--send-garbage")
    assert done.returncode == 1 and "status: EBADR" in done.stdout
    done = script(running, "--crash-after-send")
    assert done.stdout == ""
    assert wire.config(running.config_ep).status == wire.CONFIG_OK


def test_script_without_a_daemon(daemon):
    done = daemon.script(SCRIPT, f"--config-ep=ipc://{daemon.dir}/nobody")
    assert done.returncode == 1 and "no answer" in done.stderr and done.stdout == ""
