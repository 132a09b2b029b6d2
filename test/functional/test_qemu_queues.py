"""As many queue pairs as a guest may have, in a real Linux guest: flows from the wire are spread over
those that it has enabled (ethtool -L), every flow by one queue and in order; and the RSS table of a VF
that has one follows.

A flow is a host of the wire that pings the guest: of ICMP the addresses count.
"""

import re
import subprocess

import pytest

import patience
from conftest import quick_or_all
from daemon import lcores, wait_for
from qemu_guest import build_image
from test_qemu_guest import GUEST_IP, World

HOSTS = [f"192.0.2.{number}" for number in range(101, 125)]
PINGS = 30


@pytest.fixture(scope="module", autouse=True)
def image():
    build_image()


@pytest.fixture
def world(directory, started, netns, new_daemon):
    return World(directory, started, netns, new_daemon)


def add_hosts(world):
    for host in HOSTS:
        world.netns.run("ip", "address", "replace", f"{host}/24", "dev", "wire0")


def ping_from_all(world):
    """Every host pings the guest, all at once: no answer is missing, and they come in order. What a
    guest that stands still for a second or two has not read fits into ring and backlog."""
    pings = [world.netns.popen("ping", "-n", "-c", str(PINGS), "-i", "0.1", "-w", "60", "-I", host,
                               GUEST_IP, stdout=subprocess.PIPE, text=True)
             for host in HOSTS]
    for host, ping in zip(HOSTS, pings):
        output = patience.collect(ping, 120)[0]
        answers = [int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", output)]
        assert answers == list(range(1, len(answers) + 1)), (host, answers)
        assert len(answers) >= PINGS and "DUP" not in output, (host, output[-300:])


def received(guest):
    """Packets so far, by receive queue; Linux tells of those that it has enabled."""
    found = re.findall(r"rx_queue_(\d+)_packets: (\d+)", guest.check("ethtool -S eth0"))
    return {int(queue): int(count) for queue, count in found}


def used(guest, before):
    """How many queues have had more than a stray packet since."""
    return sum(count - before[queue] >= PINGS for queue, count in received(guest).items())


@pytest.mark.parametrize("steps", quick_or_all((32, 5), (32, 5, 1, 32), pytest.mark.long), ids=["some", "all"])
def test_32_pairs_and_any_number_of_them_enabled(world, steps):
    world.start()
    guest = world.guest(queues=32, cpus=2)
    guest.start()
    add_hosts(world)
    dropped = world.daemon.dropped(0)  # what the wire said before the guest was there
    assert world.daemon.relay(0).vf.queues == 1
    for pairs in steps:
        guest.set_queues(pairs)
        wait_for(lambda: world.daemon.relay(0).vhost.queues == pairs, 10)
        lane = next(lane for lane in world.daemon.relay(0).lane if lane.direction == 0)
        assert lane.targets == (1 << pairs) - 1
        before = received(guest)
        assert len(before) == pairs
        ping_from_all(world)
        # 24 flows over 32 queues meet in some; the hash is always the same.
        assert used(guest, before) >= min(pairs, 12)
    for host in HOSTS[:4]:
        before = received(guest)
        done = world.netns.run("ping", "-c", "20", "-i", "0.05", "-w", "60", "-I", host, GUEST_IP)
        answers = re.findall(r"icmp_seq=(\d+) ttl", done.stdout)  # more than 20 are sent if some are slow
        assert answers[:20] == [str(n + 1) for n in range(20)], done.stdout
        new = [count - before[queue] for queue, count in received(guest).items()]
        # Whatever else was asked (who has the address) is a packet or two.
        assert max(new) >= 20 and sum(new) - max(new) < 10, new
    assert world.daemon.dropped(0) == dropped


def test_rss_follows_the_guest(world):
    # This null device receives nothing, which leaves the guest some peace; it has an RSS table.
    world.daemon.lcores = lcores(1)
    world.daemon.start("--add-pci-vf=net_null0,no-rx=1=0", "--enable-mrgbuf", "--max-queues=4")
    guest = world.guest(queues=8, cpus=2)
    guest.start()
    vf = world.daemon.relay(0).vf
    assert (vf.queues, vf.rss_queues) == (4, 2)  # Linux enables a pair for each CPU at first
    for pairs in (1, 3, 8, 2, 4):
        guest.set_queues(pairs)
        wait_for(lambda: world.daemon.relay(0).vf.rss_queues == min(pairs, 4), 10)
    assert world.daemon.relay(0).vf.queues == 4
    guest.kill9()
    wait_for(lambda: world.daemon.relay(0).vf.rss_queues == 4, 10)
