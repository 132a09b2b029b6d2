"""--check and --bind of the real binary: what is printed, in both forms, and the exit status."""

import fcntl
import json
import os
import re

import pytest

import patience
from patience import BINARY, ROOT

KEYS = {"severity": str, "id": str, "what": str, "why": str, "remedy": str}


@pytest.fixture
def host(directory):
    """run(option…): --check with everything in the test's directory and no hugepages, as
    (exit status, report)."""

    def run(*options, form="--json"):
        done = patience.run(
            [BINARY, "--check", "--no-huge", "--cpus=1", "--master-lcore=0",
             "--eal=--lcores 0@0,1@0", f"--pid-path={directory}", f"--vhost-path={directory}",
             *([form] if form else []), *options],
            )  # fmt: skip
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout) if form else done.stdout

    return run


def ids(report):
    return {finding["id"]: finding for finding in report["findings"]}


def check_schema(status, report):
    assert set(report) == {"ok", "errors", "warnings", "findings", "memory"}
    assert report["ok"] is (status == 0)
    for node in report["memory"]:
        assert node["needed"] == node["packet_buffers"] + node["rings"] + node["dpdk"]
    severities = [finding["severity"] for finding in report["findings"]]
    assert report["errors"] == severities.count("error")
    assert report["warnings"] == severities.count("warning")
    assert (report["errors"] > 0) == (status == 1)
    for finding in report["findings"]:
        assert {key: type(value) for key, value in finding.items()} == KEYS
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", finding["id"])
        for key in ("what", "why", "remedy"):
            assert finding[key] and "\n" not in finding[key]


def test_a_host_that_will_do(host, directory):
    before = sorted(os.listdir(directory))
    status, report = host()
    check_schema(status, report)
    assert status == 0 and not report["errors"], report
    assert sorted(os.listdir(directory)) == before  # nothing is left behind


def test_faults_and_their_remedies(host, directory):
    os.mkdir(f"{directory}/private", mode=0o700)
    os.mkdir(f"{directory}/private/of-others")
    endpoint = f"{directory}/stats"
    with open(endpoint, "w", encoding="ascii"):
        pass
    status, report = host(
        "--vhost-username=no-such-user", "--vhost-groupname=12345",
        f"--vhost-path={directory}/private", f"--zmq-stats-ep=ipc://{endpoint}",
        "--add-pci-vf=0000:77:00.0=3", "--eal=--lcores 0@0,1@1023")  # fmt: skip
    check_schema(status, report)
    found = ids(report)
    assert status == 1
    assert "VIRTIOFWD_SOCKET_OWNER" in found["sockets.unknown_owner"]["remedy"]
    assert "12345" in found["sockets.unreachable"]["what"]
    assert f"chmod o+x {directory}/private" in found["sockets.unreachable"]["remedy"]
    assert "relay 3's VF 0000:77:00.0" in found["vf.absent"]["what"]
    assert found["vf.absent"]["severity"] == "error"  # the only one there is
    assert "CPU 1023" in found["cpu.absent"]["what"]
    assert endpoint in found["endpoint.taken"]["remedy"]


def test_no_hugetlbfs(host, directory):
    status, report = host("--huge-dir", directory)
    assert status == 0  # --no-huge asks for none
    done = patience.run([BINARY, "--check", "--json", "--cpus=1", f"--huge-dir={directory}",
                           "--eal=--lcores 0@0,1@0"])  # fmt: skip
    found = ids(json.loads(done.stdout))
    assert done.returncode == 1
    assert f"mount -t hugetlbfs none {directory}" in found["hugepages.not_mounted"]["remedy"]


def test_a_running_instance(host, directory):
    with open(f"{directory}/virtio-forwarder.pid", "w", encoding="ascii") as file:
        file.write("4711\n")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        status, report = host()
    assert status == 1
    assert "4711" in ids(report)["process.runs_already"]["what"]
    assert "--pid-path" in ids(report)["process.runs_already"]["remedy"]
    assert host()[0] == 0


def test_a_configuration_that_is_wrong(host, directory):
    path = f"{directory}/config"
    with open(path, "w", encoding="ascii") as file:
        file.write("VIRTIOFWD_LOG_LEVEL=6\nVIRTIOFWD_LOG_LEVEL=loud\n")
    status, report = host(f"--config={path}")
    check_schema(status, report)
    assert status == 1 and list(ids(report)) == ["config.invalid"]
    assert f"{path}:2: VIRTIOFWD_LOG_LEVEL" in report["findings"][0]["what"]
    with open(path, "w", encoding="ascii") as file:
        file.write("VIRTIOFWD_SOMETHING=6\n")
    status, report = host(f"--config={path}")
    assert status == 0 and "VIRTIOFWD_SOMETHING" in ids(report)["config.warning"]["what"]


def test_the_readable_form(host):
    status, text = host("--vhost-username=no-such-user", form=None)
    lines = text.splitlines()
    assert status == 1
    assert re.fullmatch(r"error: there is no user no-such-user .*\[sockets\.unknown_owner\]",
                        lines[0])  # fmt: skip
    assert lines[1].startswith("    why:    ") and lines[2].startswith("    remedy: ")
    assert re.fullmatch(r"1 error, \d+ warnings?\.", lines[-1])


def test_the_shipped_file_and_a_file_of_the_references(directory):
    """Both are read without a complaint: what is found is about the host."""
    for name in ("conf/virtioforwarder", "test/unit/config/reference-style"):
        done = patience.run([BINARY, "--check", "--json", "--config", f"{ROOT}/{name}"])
        report = json.loads(done.stdout)
        check_schema(done.returncode, report)
        assert not [id_ for id_ in ids(report) if id_ == "config.invalid"], (name, report)
        assert done.stderr == ""


def test_bind_without_the_devices(directory):
    """Each is told of, nothing is done, nothing is left behind."""
    path = f"{directory}/config"
    with open(path, "w", encoding="ascii") as file:
        file.write("VIRTIOFWD_BIND_VFIO_PCI=0000:77:00.0,nosuch0,nosuch1:2\n")
    run = {"env": {**os.environ, "RUNTIME_DIRECTORY": f"{directory}/run"}}
    done = patience.run([BINARY, "--bind", "--config", path], **run)
    assert done.returncode == 1 and done.stdout == ""
    complaints = done.stderr.splitlines()
    assert len(complaints) == 3
    assert "0000:77:00.0" in complaints[0] and "lspci -D" in complaints[0]
    assert "nosuch0" in complaints[1] and "nosuch1" in complaints[2]
    assert os.listdir(f"{directory}/run") == []
    done = patience.run([BINARY, "--unbind"], **run)
    assert (done.returncode, done.stdout) == (0, "nothing to give back\n")
