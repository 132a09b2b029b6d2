"""The config endpoint and its script, to the letter of the wire contract."""

import os

import pytest
import zmq

import wire_client as wire

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


def test_script_tests_the_daemon(running):
    done = script(running, "--send-garbage")
    assert done.returncode == 1 and "status: EBADR" in done.stdout
    done = script(running, "--crash-after-send")
    assert done.stdout == ""
    assert wire.config(running.config_ep).status == wire.CONFIG_OK


def test_script_without_a_daemon(daemon):
    done = daemon.script(SCRIPT, f"--config-ep=ipc://{daemon.dir}/nobody")
    assert done.returncode == 1 and "no answer" in done.stderr and done.stdout == ""
