"""Two NUMA nodes with a NIC each. CPUs 0 and 1 are node 0's, 2 and 3 node 1's."""

import pytest

FLAVOUR = "numa"


@pytest.fixture
def daemon(daemon):
    daemon.cpus, daemon.lcores = "1,3", None
    return daemon


@pytest.fixture
def vf_of(vm):
    """By node."""
    return [one.vfs[0] for one in vm.nics]


def free_pages(vm, node):
    return int(vm.read(f"/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/free_hugepages"))


def test_pools_and_workers_are_on_the_vf_s_node(vm, daemon, guest, vf_of):
    assert [int(vm.read(f"{vf.path}/numa_node")) for vf in vf_of] == [0, 1]
    daemon.start(*[f"--add-pci-vf={vf.address}={relay}" for relay, vf in enumerate(vf_of)])
    guests = [guest(daemon.socket_path(relay), vf) for relay, vf in enumerate(vf_of)]
    for relay, one in enumerate(guests):
        one.wait_received(300, timeout=40)
        state = daemon.relay(relay)
        cpu = (1, 3)[relay]
        assert state.socket_id == relay
        assert set(state.vf_to_vm.lane_cpu) == set(state.vm_to_vf.lane_cpu) == {cpu}
    for relay, one in enumerate(guests):
        one.finish_clean()
        assert not daemon.dropped(relay)


def test_a_vf_on_a_node_without_workers_is_warned_about(daemon, guest, vf_of):
    daemon.cpus = "1"
    daemon.start(f"--add-pci-vf={vf_of[1].address}=1")
    one = guest(daemon.socket_path(1), vf_of[1])
    one.wait_received(300, timeout=40)
    state = daemon.relay(1)
    assert state.socket_id == 1 and set(state.vm_to_vf.lane_cpu) == {1}
    assert daemon.log_has(r"WARNING relay 1: .*NUMA node 1.*no worker")
    one.finish_clean()


def test_and_refused_if_the_operator_wants_it_so(vm, daemon, vf_of):
    daemon.cpus = "1"
    before = free_pages(vm, 1)
    daemon.start("--same-numa", f"--add-pci-vf={vf_of[1].address}=1", f"--add-pci-vf={vf_of[0].address}=0")
    daemon.wait_states(0, "DPDK_ADDED", "VIRTIO_UNINIT")
    status, out = daemon.port_control("add", "--virtio-id=2", f"--pci-addr={vf_of[1].address}")
    assert status == 1 and "NUMA node 1" in out and "--cpus" in out
    daemon.wait_states(1, "DPDK_UNINIT", "VIRTIO_UNINIT")
    assert free_pages(vm, 1) == before


def test_no_hugepages_on_the_node(vm, daemon, vf_of):
    """The daemon says which node lacks them, and how many are wanted."""
    path = "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"
    before = vm.read(path).strip()
    vm.sh(f"echo 0 > {path}")
    try:
        daemon.start(f"--add-pci-vf={vf_of[0].address}=0")
        daemon.wait_states(0, "DPDK_ADDED", "VIRTIO_UNINIT")
        status, out = daemon.port_control("add", "--virtio-id=1", f"--pci-addr={vf_of[1].address}")
        assert status == 1 and "error_code: -1" in out and "NUMA node 1" in out, out
        vm.sh(f"echo {before} > {path}")
        daemon.add(1, vf_of[1])
        assert daemon.relay(1).socket_id == 1
    finally:
        vm.sh(f"echo {before} > {path}")
