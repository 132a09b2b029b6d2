"""The same legal traffic for each kind of guest end: the same frames come out, of the same buffers, with the same
said of them. Two kinds that share no code, and of which one serves guests everywhere, are each other's measure."""

import random

import pytest

from chain_guest import ChainGuest
from conftest import quick_or_all
from daemon import wait_for
from legal_guest import AHEAD, HEADER, IN_ORDER, RING_PACKED, frame
from test_legal_guests import kinds, next_guest
from vhost_peer import MRG_RXBUF

SHORTEST, LONGEST, JUMBO = 60, 1518, 9014
ENTRIES = 64


def frames(seed, count):
    """Of all lengths, the first and the last of each kind among them."""
    draw = random.Random(seed)
    lengths = [SHORTEST, LONGEST, JUMBO, SHORTEST + 1, JUMBO - 1]
    lengths += [JUMBO if draw.random() < 0.05 else draw.randint(SHORTEST, LONGEST)
                for _ in range(count - len(lengths))]
    return [frame(i, length) for i, length in enumerate(lengths)]


class Seen:
    """What a guest has seen of a kind."""

    def __init__(self, daemon, sent, features, chains, ahead):
        mergeable, packed = bool(features & MRG_RXBUF), bool(features & RING_PACKED)
        room = (1200, 2100) if mergeable else (HEADER + JUMBO, HEADER + JUMBO + 100)
        with next_guest(daemon, features, room, chains, new=ChainGuest, entries=ENTRIES, packed=packed,
                        features=features) as guest:
            got = guest.exchange(sent, ahead=ahead)
            self.frames = [one.data for one in got]
            # Without mergeable buffers the library leaves num_buffers as it was.
            self.headers = [one.header if mergeable else one.header[:10] for one in got]
            self.used_to_guest, self.used_from_guest = guest.used
            # In a packed ring the library keeps what it has read to itself until there is more of it, and leaves
            # lengths as they were.
            read = len(sent) - (ENTRIES - 32 if packed else 0)
            wait_for(lambda: guest.sent() >= read, 5, f"{read} buffers that were read")
            del self.used_from_guest[read:]
            if packed:
                self.used_from_guest = [one.id for one in self.used_from_guest]


def first_difference(one, other):
    """What is to be read of two that should be alike: where they part, and how they go on."""
    for name, here in vars(one).items():
        there = vars(other)[name]
        at = next((i for i, pair in enumerate(zip(here, there)) if pair[0] != pair[1]), min(len(here), len(there)))
        if here != there:
            return (f"{name}: {len(here)} and {len(there)}, from {at} on {shorten(here[at : at + 3])} "
                    f"and {shorten(there[at : at + 3])}")
    return None


def shorten(found):
    return [one[14:18].hex() + f"({len(one)})" if isinstance(one, bytes) else one for one in found]


def compare(daemons, sent, features, chains, ahead):
    name = "-".join(name for bit, name in NAMES.items() if features & bit) + ("-chains" if chains else "")
    seen = {kind: Seen(daemon, sent, features, chains, ahead) for kind, daemon in daemons.items()}
    first = seen.pop(kinds()[0])
    assert first.frames == sent, name
    for kind, other in seen.items():
        assert not first_difference(first, other), (kind, name)


NAMES = {RING_PACKED: "packed", MRG_RXBUF: "mergeable", IN_ORDER: "in order"}


@pytest.mark.parametrize("packed", [False, True], ids=["split", "packed"])
@pytest.mark.parametrize("count", quick_or_all(150, 10000), ids=["some", "many"])
def test_all_kinds_do_the_same(new_daemon, packed, count):
    """In packed rings the library takes four chains' descriptors that are in one line of the cache for buffers
    by themselves, when it has four frames for them at once. So chains get three."""
    if len(kinds()) < 2:
        pytest.skip("there is one kind only")
    daemons = {kind: new_daemon(kind) for kind in kinds()}
    for kind, daemon in daemons.items():
        daemon.start(f"--guest-backend={kind}", "--enable-mrgbuf", "--enable-jumbo")
        daemon.add_ring(1)
    for features in (0, MRG_RXBUF, IN_ORDER, MRG_RXBUF | IN_ORDER):
        features |= RING_PACKED if packed else 0
        sent = frames(features, count)
        compare(daemons, sent, features, chains=True, ahead=3 if packed else AHEAD)
        if packed:
            compare(daemons, sent, features, chains=False, ahead=AHEAD)
    for daemon in daemons.values():
        assert not daemon.dropped(1)
