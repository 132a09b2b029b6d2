"""What relays take of the hugepages, on as many as this DPDK holds, and that all of it comes back."""

import os
import subprocess

import pytest

import patience
from daemon import BINARY, wait_for

PAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB"
BUNDLED = "bundled" in BINARY
PORTS = 64 if BUNDLED else 32  # of Debian's DPDK
RELAYS = 64
NEEDED = 160 if BUNDLED else 96  # pages of 2 MB: what so many relays may take, and EAL's own


def pages(name):
    with open(os.path.join(PAGES, name), encoding="ascii") as file:
        return int(file.read())


@pytest.fixture
def hugepages(directory):
    """A mount with NEEDED free pages: the missing ones are reserved here, and given back."""
    if not os.path.isdir(PAGES):
        pytest.skip("this kernel has no 2 MB pages")
    before = pages("nr_hugepages")
    mount = os.path.join(directory, "huge")
    os.mkdir(mount)
    with open(os.path.join(PAGES, "nr_hugepages"), "w", encoding="ascii") as file:
        file.write(str(before + max(0, NEEDED - pages("free_hugepages"))))
    subprocess.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", mount], check=True)
    try:
        if pages("free_hugepages") < NEEDED:
            pytest.skip("this machine has too little memory in one piece for hugepages")
        yield mount
    finally:
        subprocess.run(["umount", mount], check=True)
        with open(os.path.join(PAGES, "nr_hugepages"), "w", encoding="ascii") as file:
            file.write(str(before))


def used_mb(directory, mount, relays):
    """Of hugepages, by a daemon with two workers and so many relays; all of it comes back."""
    log = os.path.join(directory, f"daemon-{relays}.log")
    free = pages("free_hugepages")
    command = [
        BINARY, "--nodaemon", "--cpus=1,2", "--max-queues=1", "--enable-mrgbuf",
        "--eal=--lcores 0@0,1@0,2@0", f"--huge-dir={mount}",
        f"--pid-path={directory}", f"--vhost-path={directory}",
    ]  # fmt: skip
    command += [f"--add-pci-vf=net_ring{i}={i}" for i in range(relays)]
    with open(log, "wb") as out:
        daemon = subprocess.Popen(command, stdout=out, stderr=out)
    try:

        def said(text):
            with open(log, encoding="utf-8") as file:
                return file.read().count(text)

        wait_for(
            lambda: (said(" added: port") == relays and said("NOTICE ready")) or daemon.poll() is not None,
            60, "all VFs attached",
        )  # fmt: skip
        assert daemon.poll() is None and said(" added: port") == relays
        return 2 * (free - pages("free_hugepages"))
    finally:
        daemon.terminate()
        patience.reap(daemon, 30)
        assert pages("free_hugepages") == free


@pytest.mark.slow
@pytest.mark.alone  # counts the pages that the machine has free
def test_64_relays_fit_into_256_mb(directory, hugepages):
    none, some = used_mb(directory, hugepages, 0), used_mb(directory, hugepages, PORTS)
    relays = (some - none) * RELAYS // PORTS
    print(f"no relays: {none} MB; {PORTS}: {some} MB; {RELAYS} relays beyond that: {relays} MB")
    assert 0 < relays <= 256
