"""The scripts' options and default endpoints, as those who call them have them written down."""

import pytest

RUN = "ipc:///var/run/virtio-forwarder/"

SCRIPTS = {
    "port_control": (
        "--virtio-id --pci-addr --vhost-path --name --mode --zmq_ep --conditional "
        "--crash-after-send --send-garbage --device",
        ["port_control"],
    ),
    "stats": ("--stats-ep --include-inactive --delay --output-format -z --suppress-zero", ["stats"]),
    "config": ("--config-ep --crash-after-send --send-garbage", ["config"]),
    "core_pinner": (
        "--stats-ep --sched-ep --virtio-cpu --print-core-map",
        ["stats", "core_sched"],
    ),
    "monitor_load": ("--stats-ep --sched-ep --poll-interval", ["stats", "core_sched"]),
    "core_scheduler": (
        "--stats-ep --sched-ep --poll-interval --loglevel --sensitivity --global-numa-opt",
        ["stats", "core_sched"],
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_options(daemon, name):
    options, endpoints = SCRIPTS[name]
    done = daemon.script(f"virtioforwarder_{name}.py", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    words = done.stdout.replace(",", " ").replace("[", " ").replace("]", " ").split()
    for option in options.split() + ["--curve-key", "--curve-server-key"]:
        assert option in words, option
    help_text = " ".join(done.stdout.split())
    for endpoint in endpoints:
        assert f"{RUN}{endpoint}" in help_text.replace(f"{RUN}- ", RUN), endpoint


@pytest.mark.parametrize("name", SCRIPTS)
def test_unknown_options(daemon, name):
    done = daemon.script(f"virtioforwarder_{name}.py", "--no-such-option")
    assert done.returncode == 2 and done.stdout == ""
    assert "usage:" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--curve-key=/nonexistent", "--curve-server-key=x"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_half_of_the_keys(daemon, name, option):
    first = ["add"] if name == "port_control" else []
    done = daemon.script(f"virtioforwarder_{name}.py", *first, option)
    assert done.returncode == 1 and "wanted together" in done.stderr
    assert done.stderr.count("\n") == 1
