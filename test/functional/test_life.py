"""A daemon's ordinary life: states as guests and devices come and go, signals, files, neighbours."""

import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

import patience
from daemon import wait_for

WITHOUT_DEVICE = "DPDK_UNINIT"
WITHOUT_GUEST = "VIRTIO_UNINIT"


def test_states_of_a_relay(daemon, guest):
    daemon.start()
    daemon.wait_states(1, WITHOUT_DEVICE, WITHOUT_GUEST)
    assert not daemon.relay(1).active
    daemon.add_ring(1)
    state = daemon.relay(1)
    assert (state.vf_to_vm.internal_state, state.vf_to_vm.active) == ("DPDK_ADDED", True)
    assert (state.vm_to_vf.internal_state, state.vm_to_vf.active) == (WITHOUT_GUEST, False)
    assert not state.active

    first = guest(daemon.socket_path(1))
    daemon.wait_states(1, "DPDK_READY", "VIRTIO_READY")
    assert daemon.relay(1).active
    first.wait_received(500)
    first.finish_clean()
    daemon.wait_states(1, "DPDK_ADDED", WITHOUT_GUEST)

    daemon.remove(1)
    daemon.wait_states(1, WITHOUT_DEVICE, WITHOUT_GUEST)
    second = guest(daemon.socket_path(1))
    daemon.wait_states(1, WITHOUT_DEVICE, "VIRTIO_READY")
    assert not daemon.relay(1).active
    wait_for(lambda: daemon.relay(1).vm_to_vf.pkts_dropped_vf_not_connected > 100, 5)
    daemon.add_ring(1)
    daemon.wait_states(1, "DPDK_READY", "VIRTIO_READY")
    second.wait_received(500)


def test_flat_statistics_agree_with_the_guest(daemon, guest):
    daemon.start()
    daemon.add_ring(3)
    one = guest(daemon.socket_path(3), size=100)
    one.wait_received(1000)
    final = one.finish_clean()
    flat = daemon.stats(3)
    cpus = [f"{d}.cpu_1." if f"{d}.cpu_1.pkts_rx_from_{s}" in flat else f"{d}."
            for d, s in (("vf_to_vm", "vf"), ("vm_to_vf", "vm"))]
    assert flat["vf.pci_addr_str"] == "net_ring3"
    assert flat["vhost.vhost_socket_name"] == daemon.socket_path(3)
    assert int(flat[cpus[1] + "pkts_rx_from_vm"]) == final["sent"]
    assert int(flat[cpus[1] + "bytes_rx_from_vm"]) == final["sent"] * 100
    assert int(flat[cpus[0] + "pkts_tx_to_vm"]) == final["received"]
    assert int(flat[cpus[0] + "bytes_tx_to_vm"]) == final["received"] * 100


@pytest.mark.parametrize("with_traffic", [False, True])
def test_sigterm_takes_less_than_a_second(daemon, guest, with_traffic):
    daemon.start()
    for relay in range(4):
        daemon.add_ring(relay)
    if with_traffic:
        for relay in range(2):
            guest(daemon.socket_path(relay), queues=2).wait_received(100)
    assert os.path.exists(daemon.pid_file())
    daemon.process.send_signal(signal.SIGTERM)
    wait_for(
        lambda: not os.path.exists(daemon.pid_file()) and not os.listdir(daemon.vhost_dir),
        patience.SLOWER,
        "sockets and pid file gone",
        interval=0.002,
        margin=1,
    )
    assert patience.reap(daemon.process, 15) == 0, daemon.log_tail()
    # nor are the ipc endpoints left behind
    assert not [name for name in os.listdir(daemon.dir) if name in ("port_control", "stats")]


def test_sigint_ends_it_too(daemon):
    daemon.start()
    assert daemon.stop(signal.SIGINT) == 0
    assert not os.path.exists(daemon.pid_file())


def test_the_pid_file_names_the_process(daemon):
    daemon.start()
    with open(daemon.pid_file(), encoding="ascii") as file:
        assert int(file.read()) == daemon.pid


def test_other_signals_are_harmless(daemon, guest, bystander, directory):
    conf = os.path.join(directory, "virtioforwarder")
    with open(conf, "w", encoding="ascii") as file:
        file.write("VIRTIOFWD_LOG_LEVEL=6\n")
    daemon.start(f"--config={conf}")
    beside = bystander()
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGHUP):
        daemon.process.send_signal(number)
        beside.guest.wait_received(200)
    with open(conf, "w", encoding="ascii") as file:
        file.write("VIRTIOFWD_LOG_LEVEL=7\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: re.search(r"level.* 7", daemon.log_text()), 5, "the new log level")
    for _ in range(50):
        daemon.process.send_signal(signal.SIGHUP)
        time.sleep(0.01)
    beside.check()


# --- files ------------------------------------------------------------------------------------


def test_sockets_have_owner_group_and_mode(daemon):
    nobody = pwd.getpwnam("nobody")
    daemon.start("--vhost-username=nobody", "--vhost-groupname=nogroup")
    for relay in (0, 63):
        info = os.stat(daemon.socket_path(relay))
        assert (info.st_uid, info.st_gid) == (nobody.pw_uid, nobody.pw_gid)
        assert stat.S_ISSOCK(info.st_mode) and stat.S_IMODE(info.st_mode) == 0o660


def test_sockets_are_the_process_s_own_without_names(daemon):
    daemon.start("--vhost-socket=other-%u.name")
    info = os.stat(os.path.join(daemon.vhost_dir, "other-5.name"))
    assert (info.st_uid, info.st_gid) == (os.geteuid(), os.getegid())
    assert stat.S_IMODE(info.st_mode) == 0o660


def test_stale_sockets_are_replaced_and_foreign_files_are_kept(daemon, guest):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(daemon.socket_path(1))
    with open(daemon.socket_path(2), "w", encoding="ascii") as file:
        file.write("precious")
    served = socket.socket(socket.AF_UNIX)
    served.bind(daemon.socket_path(3))
    served.listen()
    inode = os.stat(daemon.socket_path(3)).st_ino

    daemon.start()
    daemon.add_ring(1)
    guest(daemon.socket_path(1)).wait_received(100)
    with open(daemon.socket_path(2), encoding="ascii") as file:
        assert file.read() == "precious"
    assert os.stat(daemon.socket_path(3)).st_ino == inode
    for relay in (2, 3):
        assert daemon.socket_path(relay) in daemon.log_text()
    assert daemon.stop() == 0
    assert os.path.exists(daemon.socket_path(2)), "removed at the end"
    assert os.path.exists(daemon.socket_path(3)), "removed at the end"
    served.close()


def test_after_kill_9_it_starts_again(daemon, guest):
    daemon.start()
    assert os.path.exists(daemon.pid_file())
    daemon.kill9()
    assert os.path.exists(daemon.pid_file())
    daemon.restart()
    daemon.add_ring(1)
    guest(daemon.socket_path(1)).wait_received(100)


# --- neighbours -------------------------------------------------------------------------------


def test_two_instances_side_by_side(new_daemon, guest):
    both = [new_daemon(name).start() for name in ("one", "two")]
    guests = []
    for one in both:
        one.add_ring(0)
        guests.append(guest(one.socket_path(0)))
    for one in guests:
        one.wait_received(2000)
    guests[0].finish_clean()
    assert both[0].stop() == 0
    guests[1].wait_received(2000)
    guests[1].finish_clean()
    assert both[1].alive()


def ends_with_error(other, *options):
    """What a daemon that cannot start says."""
    other.launch(*options).close()
    assert patience.reap(other.process, 20) != 0
    return other.log_text()


def test_a_second_instance_on_the_same_pid_file_says_so(daemon, new_daemon, guest, bystander):
    daemon.start()
    beside = bystander()
    text = ends_with_error(new_daemon("two"), f"--pid-path={daemon.pid_dir}")
    assert daemon.pid_file() in text
    assert os.path.exists(daemon.pid_file())
    beside.guest.wait_received(500)
    beside.check()


@pytest.mark.parametrize("option, name", [
    ("--zmq-port-control-ep", "port_control"),
    ("--zmq-stats-ep", "stats"),
])
def test_a_second_instance_on_the_same_endpoint_says_so(daemon, new_daemon, option, name):
    daemon.start()
    endpoint = f"ipc://{daemon.dir}/{name}"
    text = ends_with_error(new_daemon("two"), f"{option}={endpoint}")
    assert f"{daemon.dir}/{name}" in text
    daemon.add_ring(5)
    assert daemon.states(5)[0] == "DPDK_ADDED"


def test_a_second_instance_on_the_same_sockets_leaves_them_alone(daemon, new_daemon, guest):
    daemon.start()
    daemon.add_ring(0)
    one = guest(daemon.socket_path(0))
    daemon.wait_states(0, "DPDK_READY", "VIRTIO_READY")  # a socket in use has a second name then
    other = new_daemon("two")
    inodes = {name: os.stat(os.path.join(daemon.vhost_dir, name)).st_ino
              for name in os.listdir(daemon.vhost_dir)}
    other.launch(f"--vhost-path={daemon.vhost_dir}").close()
    wait_for(lambda: not other.alive() or daemon.vhost_dir in other.log_text(), 15)
    other.cleanup()
    assert inodes == {name: os.stat(os.path.join(daemon.vhost_dir, name)).st_ino
                      for name in os.listdir(daemon.vhost_dir)}
    one.wait_received(500)
    one.finish_clean()


def test_static_devices_are_there_at_start(daemon, guest):
    daemon.start("--add-pci-vf=net_ring4=4", "--add-pci-vf=net_null9=9")
    daemon.wait_states(4, "DPDK_ADDED", WITHOUT_GUEST)
    daemon.wait_states(9, "DPDK_ADDED", WITHOUT_GUEST)
    one = guest(daemon.socket_path(4))
    one.wait_received(300)
    one.finish_clean()


def test_a_static_device_that_comes_later(new_daemon, netns):
    """It is taken by itself, and one that somebody else asks for meanwhile is let go."""
    world = netns("late")
    daemon = new_daemon("late", world.name)
    daemon.start("--add-pci-vf=net_af_packet0,iface=late0=4", "--add-pci-vf=0000:fe:1e.7=5",
                 "--add-pci-vf=net_null9=9")
    daemon.wait_states(9, "DPDK_ADDED", WITHOUT_GUEST)
    for device in ("relay 4: net_af_packet0: ", "relay 5: 0000:fe:1e.7: "):
        wait_for(lambda: device in daemon.log_text(), 5, device)  # noqa: B023
    daemon.wait_states(4, WITHOUT_DEVICE, WITHOUT_GUEST)
    world.run("ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1")
    daemon.wait_states(4, "DPDK_ADDED", WITHOUT_GUEST, timeout=30)

    daemon.add(5, "net_null5")
    assert "relay 5: 0000:fe:1e.7, a static VF that is not there, is not" in daemon.log_text()
    daemon.remove(5)
    daemon.wait_states(5, WITHOUT_DEVICE, WITHOUT_GUEST)
    assert daemon.log_text().count("relay 5: 0000:fe:1e.7: ") == 1  # said once, however often tried


def test_scripts_drive_it(daemon):
    daemon.start()
    control = ("virtioforwarder_port_control.py",)
    done = daemon.script(*control, "add", "--virtio-id=7", "--device=net_ring7",
                         f"--zmq_ep={daemon.port_control_ep}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert daemon.stats(7)["vf_to_vm.internal_state"] == "DPDK_ADDED" or \
        daemon.stats(7)["vf_to_vm.cpu_1.internal_state"] == "DPDK_ADDED"
    done = daemon.script(*control, "remove", "--virtio-id=7",
                         f"--zmq_ep={daemon.port_control_ep}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    daemon.wait_states(7, WITHOUT_DEVICE, WITHOUT_GUEST)


def test_detached_from_the_terminal(daemon):
    """Without --nodaemon it forks; the parent ends with 0 when the daemon is ready."""
    command = [word for word in daemon.command() if word != "--nodaemon"]
    done = patience.run(command, stdin=subprocess.DEVNULL,
                        env={**os.environ, "RUNTIME_DIRECTORY": daemon.dir})
    assert done.returncode == 0, done.stdout + done.stderr
    with open(daemon.pid_file(), encoding="ascii") as file:
        pid = int(file.read())
    try:
        daemon.wait_states(0, WITHOUT_DEVICE, WITHOUT_GUEST)
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not os.path.exists(daemon.pid_file()), 5)


def test_watchdog_is_fed(daemon, monkeypatch):
    """Four times in a row, by workers that sleep and by workers that poll."""
    monkeypatch.setenv("WATCHDOG_USEC", "500000")
    with daemon.launch() as notify:
        notify.settimeout(120)  # a limit for what never comes
        while b"READY=1" not in notify.recv(4096).split(b"\n"):
            pass
        for _ in range(4):
            assert notify.recv(4096) == b"WATCHDOG=1"
        daemon.add_ring(0)
        for _ in range(4):
            assert notify.recv(4096) == b"WATCHDOG=1"
