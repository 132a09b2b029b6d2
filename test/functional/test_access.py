"""Who may use the endpoints, and who gets nothing."""

import os
import shutil
import stat

import pytest
import patience

HERE = os.path.dirname(os.path.abspath(__file__))
GROUP, OTHER = 54321, 54322
NOBODY = 65534

# Who may not come in is cut off, or not let through to the socket at all: then nobody will answer.
ASK = """
import sys
sys.path.insert(0, sys.argv[2])
import wire_client as wire
import zmq
TURNED_AWAY = (zmq.EVENT_CLOSED | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
               | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
client = wire.Client(sys.argv[1])
end = client.socket.get_monitor_socket(TURNED_AWAY)
client.send(wire.stats_request([0]))
limit = wire.Within(10)
while not limit.over():
    if client.socket.poll(50):
        print(wire.Record(client.receive(), wire.STATS_RESPONSE).status)
        break
    if end.poll(0) and not client.socket.poll(0):
        print("nothing")
        break
client.socket.disable_monitor()
end.close()
client.__exit__()
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
