"""Room that is missing, for files and of hugepages that are free: --check and the start say the same,
and what would kill the daemon it refuses."""

import os
import subprocess

import pytest

import patience
from daemon import wait_for
from test_memory import PAGES, pages

NEEDED = 32  # pages of 2 MB: DPDK's own and a relay's


def check(daemon, *options):
    """--check's exit status and what it prints."""
    done = patience.run([*daemon.command(*options), "--check"],
                        env={**os.environ, "RUNTIME_DIRECTORY": daemon.dir})  # fmt: skip
    assert done.stderr == ""
    return done.returncode, done.stdout


def refused(daemon, *options):
    """The start's exit status and log."""
    daemon.launch(*options).close()
    status = patience.reap(daemon.process, 20)
    return status, daemon.log_text()


def directory_of(daemon, name):
    path = os.path.join(daemon.dir, name)
    os.makedirs(path, exist_ok=True)
    return path


def test_dpdks_directory_is_too_small(daemon):
    runtime = directory_of(daemon, "dpdk")
    daemon.mounts = [("tmpfs", "size=4M", runtime)]  # 512 MB in pages of 4 KB: 6 MB of tables
    words = f"{runtime} has room for 4096 kB, and 6"
    status, text = check(daemon)
    assert status == 1 and words in text and "[runtime_dir.no_room]" in text, text
    status, text = refused(daemon)
    assert status == 1 and f"cannot start: {words}" in text, text
    # with enough of it, which is not much more, it starts
    daemon.mounts = [("tmpfs", "size=7M", runtime)]
    assert check(daemon)[0] == 0
    daemon.start()
    assert daemon.stop() == 0


def test_dpdks_directory_has_no_inodes_left(daemon):
    runtime = directory_of(daemon, "dpdk")
    daemon.mounts = [("tmpfs", "nr_inodes=3", runtime)]
    status, text = check(daemon)
    assert status == 1 and f"{runtime} has room for 2 more files" in text, text
    status, text = refused(daemon)
    assert status == 1 and f"cannot start: {runtime} has room for 2 more files" in text, text


def test_the_pid_directory_is_full(daemon):
    daemon.mounts = [("tmpfs", "nr_inodes=1", daemon.pid_dir)]
    words = f"{daemon.pid_dir} has room for 0 more files, and 1 are wanted for the pid file"
    status, text = check(daemon)
    assert status == 1 and words in text, text
    status, text = refused(daemon)
    assert status == 1 and f"cannot start: {words}" in text, text
    daemon.mounts = [("tmpfs", "ro", daemon.pid_dir)]
    words = f"{daemon.pid_dir} is mounted read-only, and wanted for the pid file"
    assert words in check(daemon)[1]
    assert f"cannot start: {words}" in refused(daemon)[1]


def test_there_is_no_room_for_the_state(daemon):
    """The daemon does without, and says so."""
    daemon.mounts = [("tmpfs", "nr_inodes=2", daemon.pid_dir)]
    status, text = check(daemon)
    assert status == 0 and "[process.state_room]" in text, text
    daemon.start()
    wait_for(lambda: "the relays' state cannot be saved" in daemon.log_text(), 10)
    daemon.add_ring(0)
    assert daemon.stop() == 0


@pytest.fixture
def free_pages():
    """NEEDED free pages of 2 MB: the missing ones are reserved here, and given back."""
    if not os.path.isdir(PAGES):
        pytest.skip("this kernel has no 2 MB pages")
    before, path = pages("nr_hugepages"), os.path.join(PAGES, "nr_hugepages")
    with open(path, "w", encoding="ascii") as file:
        file.write(str(before + max(0, NEEDED - pages("free_hugepages"))))
    try:
        if pages("free_hugepages") < NEEDED:
            pytest.skip("this machine has too little memory in one piece for hugepages")
        yield
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(str(before))


def on_hugepages(daemon, options):
    """Has it use a hugetlbfs of its own, with these mount options."""
    huge = directory_of(daemon, "huge")
    daemon.mounts = [("hugetlbfs", options, huge)]
    whole = daemon.command

    def command(*more):
        words = [word for word in whole(*more) if word != "--no-huge" and not word.startswith("--eal=")]
        return [*words, f"--eal=--lcores {daemon.lcores} --no-pci", f"--huge-dir={huge}"]

    daemon.command = command
    return huge


@pytest.mark.alone  # others' tests look at the pages too
@pytest.mark.usefixtures("free_pages")
def test_the_mounts_size_is_what_is_missing(daemon):
    huge = on_hugepages(daemon, "pagesize=2M,size=6M")
    words = f"the hugetlbfs at {huge} is mounted with a size of 6 MB, of which "
    status, text = check(daemon)
    assert status == 1 and words + "6 MB are left" in text and "[hugepages.mount_limit]" in text, text
    daemon.start("--add-pci-vf=net_null0=0")
    assert f"WARNING {words}6 MB are left" in daemon.log_text()
    refusal = "ERROR relay 0: net_null0: no memory left for "
    wait_for(lambda: refusal in daemon.log_text(), 10)
    line = next(line for line in daemon.log_text().splitlines() if refusal in line)
    assert words in line and "reserve more" not in line and line.count("net_null0") == 1, line
    assert daemon.stop() == 0


@pytest.mark.alone
def test_no_pages_at_all(daemon):
    if not os.path.isdir(PAGES) or pages("free_hugepages") > 0:
        pytest.skip("this machine has free hugepages")
    on_hugepages(daemon, "pagesize=2M")
    words = "0 MB of hugepages of 2048 kB are free"
    status, text = check(daemon)
    assert status == 1 and words in text and "[hugepages.none]" in text, text
    status, text = refused(daemon)
    assert status == 1 and f"cannot start: DPDK does not start: {words}" in text, text
    assert "(Success)" not in text and "(Permission denied)" not in text, text


def test_hugetlbfs_twice_would_hang(daemon):
    """Where a page size is mounted over another one DPDK waits for itself."""
    others = [name for name in os.listdir("/sys/kernel/mm/hugepages") if name != "hugepages-2048kB"]
    if not os.path.isdir(PAGES) or not others:
        pytest.skip("this kernel has one size of hugepages")
    other = others[0].removeprefix("hugepages-").removesuffix("kB") + "K"
    huge = on_hugepages(daemon, "pagesize=2M")
    daemon.mounts.append(("hugetlbfs", f"pagesize={other}", huge))
    status, text = refused(daemon)
    assert status == 1 and f"cannot start: hugetlbfs is mounted 2 times at {huge}" in text, text


def test_locked_memory(daemon):
    """What vfio would count against is raised to what may be had."""
    daemon.preexec = lambda: subprocess.run(
        ["prlimit", f"--pid={os.getpid()}", "--memlock=65536:131072"], check=True)
    daemon.start()
    with open(f"/proc/{daemon.pid}/limits", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("Max locked memory"))
    assert line.split()[3:5] == ["131072", "131072"], line
    assert daemon.stop() == 0
