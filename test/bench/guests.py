"""Guests: testpmd on net_virtio_user, with rings of 1024 entries."""

import re

from peers import eal
from process import Process


def virtio(number, path, cell):
    packed = ",packed_vq=1" if cell.ring == "packed" else ""
    return f"--vdev=net_virtio_user{number},path={path},queue_size=1024,mrg_rxbuf=1{packed}"


class BusyGuest(Process):
    """Receives, or sends, as fast as it can, and counts at its own port."""

    def __init__(self, directory, cpus, cell, path):
        receives = cell.direction == "vf-to-vm"
        super().__init__(
            "guest",
            directory,
            [
                "stdbuf",
                "-oL",
                "dpdk-testpmd",
                *eal(f"0@{cpus.guest},1@{cpus.guest}"),
                virtio(0, path, cell),
                "--",
                "--interactive",
                "--auto-start",
                "--rxd=1024",
                "--txd=1024",
                "--total-num-mbufs=32768",
                f"--txpkts={cell.size}",
                "--forward-mode=" + ("rxonly" if receives else "txonly"),
            ],
            interactive=True,
        )
        self.counter = re.compile(rb"%s-packets: +(\d+)" % (b"RX" if receives else b"TX"))

    def packets(self):
        """How many have passed its port."""
        return int(self.ask("show port stats 0", self.counter).group(1))


class IdleGuests(Process):
    """One process with a port on each socket: connected, and without traffic."""

    def __init__(self, directory, cpus, cell, paths):
        super().__init__(
            "idle-guests",
            directory,
            [
                "dpdk-testpmd",
                *eal(f"0@{cpus.guest},1@{cpus.guest}"),
                *(virtio(number, path, cell) for number, path in enumerate(paths)),
                "--",
                "--interactive",
                "--rxd=1024",
                "--txd=1024",
                "--total-num-mbufs=65536",
            ],
            interactive=True,
        )
