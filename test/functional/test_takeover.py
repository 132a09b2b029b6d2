"""Taking over from VIO4WD: files in the shapes that its deployers write are started as they are, and QEMU
finds a directory that it can make its sockets in."""

import os
import socket
import stat
import struct
import subprocess

import pytest

import patience
import vhost_peer
import wire_client as wire
from daemon import BINARY, ROOT, Daemon, lcores, wait_for

QEMU = 64055  # a user that owns nothing here


class Deployed(Daemon):
    """Told by a file alone, but for what a test's machine has not: hugepages, PCI, CPUs to spare."""

    def write(self, text):
        self.config = os.path.join(self.dir, "virtioforwarder")
        self.core_sched_ep = f"ipc://{self.dir}/core_sched"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text.replace("@", self.dir))
        return self

    def command(self, *options):
        return [BINARY, "--nodaemon", "--no-huge", f"--eal=--lcores {lcores(1, 2)} -m 512 --no-pci",
                f"--config={self.config}", *options]  # fmt: skip


@pytest.fixture
def deployed(directory, started):
    return lambda text: started.add(Deployed(directory)).write(text)


def warned(daemon, text):
    return any(text in line for line in daemon.log_text().splitlines() if " WARNING " in line)


ENDPOINTS = """
VIRTIOFWD_ZMQ_PORT_CONTROL_EP=ipc://@/port_control
VIRTIOFWD_ZMQ_STATS_EP=ipc://@/stats
VIRTIOFWD_ZMQ_CORE_SCHED_EP=ipc://@/core_sched
VIRTIOFWD_PID_DIR=@/pid
"""

# A template that writes the owner of one distribution on all of them.
CLOUD = """\
# This file is managed by a template
VIRTIOFWD_CPU_MASK=1,2
VIRTIOFWD_LOG_LEVEL=6
VIRTIOFWD_JUMBO=y
VIRTIOFWD_MRGBUF=y
VIRTIOFWD_TSO=
VIRTIOFWD_VHOST_CLIENT=y
VIRTIOFWD_ZERO_COPY=
VIRTIOFWD_DYNAMIC_SOCKETS=y
VIRTIOFWD_CPU_NIC_SAME_NUMA=
VIRTIOFWD_SOCKET_OWNER=no-such-qemu
VIRTIOFWD_SOCKET_GROUP="no-such-qemu"
VIRTIOFWD_SOCKET_DIR=@/sockets
VIRTIOFWD_HUGETLBFS_MOUNT_POINT=/dev/hugepages
VIRTIOFWD_IPC_PORT_CONTROL=1
VIRTIOFWD_STATIC_VFS=(0000:05:08.1=1)
VIRTIOFWD_BINARY=/opt/somewhere/bin/virtio-forwarder
VIO4WD_CORE_SCHED_ENABLE=true
""" + ENDPOINTS


def test_client_mode_with_dynamic_sockets_and_an_owner_that_is_not_there(deployed):
    daemon = deployed(CLOUD).start()
    assert warned(daemon, "no user no-such-qemu") and warned(daemon, "no group no-such-qemu")
    assert warned(daemon, "VIRTIOFWD_STATIC_VFS is left alone")
    path = f"{daemon.dir}/sockets/net0"
    answer = wire.port_control(daemon.port_control_ep, wire.ADD_SOCK, ["net_null0"], vhost_path=path)
    assert answer.status == wire.OK, answer
    assert daemon.relay(0).vhost.vhost_socket_name == path


def test_where_sockets_are_served_the_owner_has_to_be_there(deployed):
    text = CLOUD.replace("DYNAMIC_SOCKETS=y", "DYNAMIC_SOCKETS=").replace("VHOST_CLIENT=y", "VHOST_CLIENT=")
    daemon = deployed(text)
    with pytest.raises(AssertionError, match="ended with 1"):
        daemon.start()
    assert "there is no user no-such-qemu" in daemon.log_text()


ARRAYS = """\
VIRTIOFWD_CPU_MASK=0x6 # the cores of node 0
VIRTIOFWD_MASTER_LCORE=0
VIRTIOFWD_VHOST_CLIENT=y
VIRTIOFWD_SOCKET_DIR=@/sockets
VIRTIOFWD_STATIC_VFS=(0000:05:08.1=1 0000:05:08.2=2) # the first two
VIRTIOFWD_CPU_PINS=(1:1,2 2:2)     # and where they are
VIRTIOFWD_STATIC_VFS=( # the card in slot 5
	0000:05:08.1=1	# web
	"0000:05:08.2=2" # mail
	# 0000:05:08.3=3
	0000:05:08.1=4  # listed twice
	0000:05:08.4=2  # so is the relay
) # and that is all
VIRTIOFWD_IPC_PORT_CONTROL=y
""" + ENDPOINTS


def test_arrays_with_comments(deployed):
    """Their VFs are not there yet, and are waited for."""
    daemon = deployed(ARRAYS).start()
    assert warned(daemon, '"0000:05:08.1=4": 0000:05:08.1, or a member of it, is relay 1\'s already')
    assert warned(daemon, '"0000:05:08.4=2": relay 2 has 0000:05:08.2 already')
    done = daemon.script("virtioforwarder_core_pinner.py", f"--stats-ep={daemon.stats_ep}",
                         f"--sched-ep={daemon.core_sched_ep}")  # fmt: skip
    assert done.returncode == 0
    assert daemon.states(1) == ("DPDK_UNINIT", "VIRTIO_UNINIT")
    wait_for(lambda: "0000:05:08.2" in daemon.log_text(), 10)
    daemon.add(3, "net_null0")  # and others are served meanwhile
    assert daemon.alive()


STRAY = """\
VIRTIOFWD_CPU_MASK=1,2
VIRTIOFWD_LOG_LEVEL=8
VIRTIOFWD_VHOST_CLIENT=y
VIRTIOFWD_SOCKET_DIR=@/sockets
VIO4WD_CORE_SCHED_ENABLE=true
VIO4WD_CORE_SCHED_SENSITIVITY=2
VIO4WD_CORE_SCHED_POLL_INTERVAL=0
VIO4WD_CORE_SCHED_LOG_LEVEL=9
VIRTIOFWD_ZMQ_CONFIG_EP=tcp://*:5559
""" + ENDPOINTS


def test_values_beyond_our_ranges(deployed):
    daemon = deployed(STRAY).start()
    for text in ("(VIRTIOFWD_LOG_LEVEL) is 8, which is out of its range: 7 is used",
                 "(VIO4WD_CORE_SCHED_SENSITIVITY) is 2, which is out of its range: 1 is used",
                 "(VIO4WD_CORE_SCHED_POLL_INTERVAL) is 0, which is out of its range: 5 is used",
                 "(VIO4WD_CORE_SCHED_LOG_LEVEL) is 9, which is out of its range: 7 is used",
                 "--zmq-config-ep is left closed"):  # fmt: skip
        assert warned(daemon, text), text
    done = daemon.script("virtioforwarder_core_pinner.py", f"--stats-ep={daemon.stats_ep}",
                         f"--sched-ep={daemon.core_sched_ep}", "--explain")  # fmt: skip
    assert "the balancer is on; sensitivity 1.00, a round every 5.0 s" in done.stdout


# --- guests that were VIO4WD's ------------------------------------------------------------------------


def test_a_front_end_that_wants_other_features_is_explained(daemon):
    """As QEMU does when a guest that runs has more than we offer. Others hang up unremarked."""
    daemon.start()
    said = "has hung up right after it had read what features are offered"
    with vhost_peer.Peer(daemon.socket_path(1)):  # has chosen
        pass
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(daemon.socket_path(2))
    with socket.socket(socket.AF_UNIX) as qemu:
        qemu.connect(daemon.socket_path(3))
        qemu.sendall(struct.pack("<III", vhost_peer.GET_FEATURES, 1, 0))
        assert len(qemu.recv(20, socket.MSG_WAITALL)) == 20
    wait_for(lambda: f"relay 3: the front end at {daemon.socket_path(3)} {said}" in daemon.log_text(), 10)
    assert daemon.log_text().count(said) == 1


# --- where QEMU serves its sockets -----------------------------------------------------------------

LISTEN = """
import os, socket, sys
one = socket.socket(socket.AF_UNIX)
one.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o755)
one.listen(1)
one.accept()
print("connected", flush=True)
"""

SERVED = """\
VIRTIOFWD_CPU_MASK=1,2
VIRTIOFWD_VHOST_CLIENT=y
VIRTIOFWD_SOCKET_DIR=@/{place}
{accounts}
""" + ENDPOINTS


class Qemu:
    """Of another user: it makes its socket, and waits for the forwarder."""

    def __init__(self, path, uid, gid):
        self.process = subprocess.Popen(
            ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "/usr/bin/python3", "-c",
             LISTEN, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip

    def connected(self):
        out, err = patience.collect(self.process, 10)
        assert (self.process.returncode, out) == (0, "connected\n"), err

    def cleanup(self):
        patience.end(self.process)


def is_given(path, uid, gid, mode):
    st = os.stat(path)
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (uid, gid, mode), oct(st.st_mode)


# As in /tmp/virtio-forwarder, /var/run/vrouter, and a folder below our own runtime directory.
PLACES = ("tmp/virtio-forwarder", "run/vrouter", "run/virtio-forwarder/sockets")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("accounts", ["owner", "group", "none"])
def test_qemu_of_another_user_makes_its_socket(deployed, started, place, accounts):
    """The directory is made; once more, after it was taken away, as at the next boot."""
    uid, gid = QEMU, 64056
    lines = {"owner": f"VIRTIOFWD_SOCKET_OWNER={uid}", "group": f"VIRTIOFWD_SOCKET_GROUP={gid}", "none": ""}
    if accounts == "none":  # whom our packages and libvirt's know
        done = patience.run(["getent", "group", "kvm"])
        if done.returncode != 0:
            pytest.skip("there is no group kvm")
        gid = int(done.stdout.split(":")[2])
    daemon = deployed(SERVED.format(place=place, accounts=lines[accounts])).start()
    path = f"{daemon.dir}/{place}"
    if accounts == "owner":
        is_given(path, uid, 0, 0o755)
    else:
        is_given(path, 0, gid, 0o775)
    is_given(os.path.dirname(path), 0, 0, 0o755)
    started.add(Qemu(f"{path}/virtio-forwarder0.sock", uid, gid)).connected()
    daemon.stop()
    os.chown(path, 0, 0)  # as systemd might
    os.chmod(path, 0o755)
    daemon.start()
    if accounts != "none":  # what is there already, and nobody named, stays
        os.unlink(f"{path}/virtio-forwarder0.sock")
        started.add(Qemu(f"{path}/virtio-forwarder0.sock", uid, gid)).connected()


def test_a_directory_with_more_than_sockets_stays_whose_it_is(deployed):
    daemon = deployed(SERVED.format(place="run", accounts=f"VIRTIOFWD_SOCKET_OWNER={QEMU}"))
    os.makedirs(f"{daemon.dir}/run/of-others")
    daemon.start()
    is_given(f"{daemon.dir}/run", 0, 0, 0o755)
    assert "is not for sockets alone" in daemon.log_text()


def test_served_sockets_have_their_directory_too(deployed):
    text = SERVED.replace("VHOST_CLIENT=y", "VHOST_CLIENT=")
    daemon = deployed(text.format(place="new/sockets", accounts="VIRTIOFWD_SOCKET_GROUP=64056")).start()
    is_given(f"{daemon.dir}/new/sockets", 0, 64056, 0o755)
    is_given(f"{daemon.dir}/new/sockets/virtio-forwarder0.sock", 0, 64056, 0o660)


# --- the service -------------------------------------------------------------------------------------


def unit_commands(key):
    """What the unit runs, each as (a failure counts, words)."""
    with open(os.path.join(ROOT, "startup/virtio-forwarder.service"), encoding="utf-8") as file:
        values = [line.split("=", 1)[1].strip() for line in file if line.startswith(f"{key}=")]
    return [(not value.startswith("-"), value.lstrip("-").split()) for value in values]


def test_the_service_waits_for_its_vfs(deployed):
    """What comes before the daemon finds that no VF is there, says so, and does not keep it down."""
    daemon = deployed(ARRAYS)
    for counts, words in unit_commands("ExecStartPre"):
        assert words[:2] == ["/usr/bin/virtio-forwarder", "--check"]
        done = patience.run([BINARY, "--check", "--no-huge", "--json", f"--config={daemon.config}"])
        assert "vf.absent" in done.stdout
        assert not counts or done.returncode == 0
    assert unit_commands("ExecStart")[0][1][:2] == ["/usr/bin/virtio-forwarder", "--nodaemon"]
    daemon.start()


@pytest.fixture
def fit(directory):
    """fit(id…): the script that fits the sandbox, while --check finds these. (status, drop-in or None, reloads)"""
    share, drop_ins = os.path.join(ROOT, "startup"), f"{directory}/drop-ins/virtio-forwarder.service.d"
    programs = {
        "virtio-forwarder": f'echo "$@" >>{directory}/called; cat {directory}/findings; exit 1',
        "systemctl": f'echo "$@" >>{directory}/reloads',
    }
    os.mkdir(f"{directory}/bin")
    for name, text in programs.items():
        with open(f"{directory}/bin/{name}", "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(f"{directory}/bin/{name}", 0o755)

    def lines(name):
        path = f"{directory}/{name}"
        if not os.path.exists(path):
            return []
        with open(path, encoding="ascii") as file:
            return file.read().splitlines()

    def run(*ids):
        with open(f"{directory}/findings", "w", encoding="ascii") as file:
            file.writelines(f'      "id": "{id_}",\n' for id_ in ids)
        done = patience.run([f"{share}/virtio-forwarder-uio"], env={
            "PATH": f"{directory}/bin:/usr/bin:/bin", "VIRTIOFWD_SHARE": share,
            "VIRTIOFWD_DROP_INS": drop_ins, "VIRTIOFWD_CONFIG": "/the/file"})  # fmt: skip
        assert done.stderr == "" and done.returncode == 0, done
        assert lines("called")[-1] == "--check --json --config /the/file"
        found = sorted(os.listdir(drop_ins)) if os.path.exists(drop_ins) else []
        return found, len(lines("reloads"))

    return run


def test_the_sandbox_has_room_for_igb_uio_while_it_is_used(fit, directory):
    assert fit("vf.absent") == ([], 0)
    assert fit("vf.absent", "vf.uio_not_allowed") == (["50-igb_uio.conf"], 1)
    with open(f"{ROOT}/startup/igb_uio.conf", "rb") as shipped:
        path = f"{directory}/drop-ins/virtio-forwarder.service.d/50-igb_uio.conf"
        with open(path, "rb") as file:
            assert file.read() == shipped.read()
    assert fit("vf.uio_not_allowed") == (["50-igb_uio.conf"], 1)
    assert fit() == ([], 2)
    assert fit() == ([], 2)


def test_the_unit_s_priority_and_devices():
    with open(f"{ROOT}/startup/virtio-forwarder.service", encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert "Nice=-20" in lines and "DeviceAllow=char-infiniband_verbs rw" in lines
    assert not any("SYS_ADMIN" in line or "uio rw" in line for line in lines if line[0:1] != "#")
