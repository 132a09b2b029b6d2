"""Who may use the endpoints, and who gets nothing."""

import os
import shutil
import stat

import pytest
import patience

HERE = os.path.dirname(os.path.abspath(__file__))
GROUP, OTHER = 54321, 54322
NOBODY = 65534

ASK = """
import sys
sys.path.insert(0, sys.argv[2])
import wire_client as wire
try:
    print(wire.stats(sys.argv[1], [0]).status)
except wire.NoAnswer:
    print("nothing")
"""


def ask_as(endpoint, uid, gid):
    """What a process with this user and group, and no other group, is told. The tree may be where that
    user reads nothing, so that it gets the client's modules beside the endpoint."""
    place = os.path.dirname(path_of(endpoint))
    for name in ("wire_client.py", "patience.py"):
        os.chmod(shutil.copyfile(os.path.join(HERE, name), f"{place}/{name}"), 0o644)
    done = patience.run(
        ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
        + ["/usr/bin/python3", "-c", ASK, endpoint, place],
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def path_of(endpoint):
    return endpoint[len("ipc://") :]


def mode_of(endpoint):
    info = os.stat(path_of(endpoint))
    return stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid


def test_without_a_group_root_alone(daemon):
    daemon.start()
    assert mode_of(daemon.stats_ep) == (0o600, 0, 0)
    assert ask_as(daemon.stats_ep, 0, 0) == "0"
    assert ask_as(daemon.stats_ep, NOBODY, GROUP) == "nothing"
    os.chmod(path_of(daemon.stats_ep), 0o666)  # credentials count, not only permissions
    assert ask_as(daemon.stats_ep, NOBODY, GROUP) == "nothing"
    assert ask_as(daemon.stats_ep, 0, 0) == "0"


def test_the_group(daemon):
    daemon.start(f"--zmq-group={GROUP}")
    for endpoint in (daemon.stats_ep, daemon.port_control_ep):
        assert mode_of(endpoint) == (0o660, 0, GROUP)
    assert ask_as(daemon.stats_ep, NOBODY, GROUP) == "0"
    assert ask_as(daemon.stats_ep, 0, OTHER) == "0"
    assert ask_as(daemon.stats_ep, NOBODY, OTHER) == "nothing"
    os.chmod(path_of(daemon.stats_ep), 0o666)
    assert ask_as(daemon.stats_ep, NOBODY, OTHER) == "nothing"
    assert ask_as(daemon.stats_ep, NOBODY, GROUP) == "0"


def test_a_path_given_away(daemon):
    """Its new owner is none of those who may come in."""
    daemon.start()
    os.chown(path_of(daemon.stats_ep), NOBODY, OTHER)
    assert ask_as(daemon.stats_ep, NOBODY, OTHER) == "nothing"
    assert ask_as(daemon.stats_ep, 0, 0) == "0"


def test_an_unknown_group_is_refused(daemon):
    with pytest.raises(AssertionError, match="ended with 1"):
        daemon.start("--zmq-group=no-such-group")
    assert "--zmq-group" in daemon.log_text() and "no-such-group" in daemon.log_text()
