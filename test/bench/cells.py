"""What is measured: each cell is a kind of traffic, to be compared with one or several peers."""

import dataclasses
import fnmatch
import itertools

IDLE = 24  # guests connected beside the busy one


@dataclasses.dataclass(frozen=True)
class Cell:
    direction: str  # vf-to-vm, vm-to-vf
    size: int  # bytes of a frame, without CRC
    ring: str  # split, packed
    idle: int = 0  # other relays on the worker, connected and without traffic

    @property
    def name(self):
        beside = f"-beside-{self.idle}-idle" if self.idle else ""
        return f"{self.direction}-{self.size}-{self.ring}{beside}"

    def alone(self):
        return dataclasses.replace(self, idle=0)


CELLS = [
    Cell(direction, size, ring)
    for direction, size, ring in itertools.product(
        ("vf-to-vm", "vm-to-vf"), (64, 1518), ("split", "packed"))
] + [Cell("vf-to-vm", 64, "split", IDLE)]


def choose(patterns):
    """The cells that match one of the patterns, which have commas between them."""
    return [cell for cell in CELLS
            if any(fnmatch.fnmatchcase(cell.name, pattern) for pattern in patterns.split(","))]
