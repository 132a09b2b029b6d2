"""Two NUMA nodes with a NIC each. CPUs 0 and 1 are node 0's, 2 and 3 node 1's."""

import time

import pytest

from rig import wait_for
from vm import Within

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


@pytest.mark.ci
def test_pools_and_workers_are_on_the_vf_s_node(vm, daemon, guest, vf_of):
    nodes = [int(vm.read(f"{vf.path}/numa_node")) for vf in vf_of]
    assert nodes[0] in (0, -1) and nodes[1] == 1  # -1: the kernel was not told, as with one node
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


@pytest.mark.ci
def test_a_vf_on_a_node_without_workers_is_warned_about(daemon, guest, vf_of):
    daemon.cpus = "1"
    daemon.start(f"--add-pci-vf={vf_of[1].address}=1")
    one = guest(daemon.socket_path(1), vf_of[1])
    one.wait_received(300, timeout=40)
    state = daemon.relay(1)
    assert state.socket_id == 1 and set(state.vm_to_vf.lane_cpu) == {1}
    assert daemon.log_has(r"WARNING relay 1: .*NUMA node 1.*no worker")
    one.finish_clean()


@pytest.mark.ci
def test_and_refused_if_the_operator_wants_it_so(vm, daemon, vf_of):
    daemon.cpus = "1"
    before = free_pages(vm, 1)
    daemon.start("--same-numa", f"--add-pci-vf={vf_of[1].address}=1", f"--add-pci-vf={vf_of[0].address}=0")
    daemon.wait_states(0, "DPDK_ADDED", "VIRTIO_UNINIT")
    out = daemon.refused("--virtio-id=2", f"--pci-addr={vf_of[1].address}")
    assert "NUMA node 1" in out and "--cpus" in out, out
    daemon.wait_states(1, "DPDK_UNINIT", "VIRTIO_UNINIT")
    assert free_pages(vm, 1) == before


@pytest.mark.ci
def test_no_hugepages_on_the_node(vm, daemon, vf_of):
    """The daemon says which node lacks them, and how many are wanted."""
    path = "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"
    before = vm.read(path).strip()
    vm.sh(f"echo 0 > {path}")
    try:
        daemon.start(f"--add-pci-vf={vf_of[0].address}=0")
        daemon.wait_states(0, "DPDK_ADDED", "VIRTIO_UNINIT")
        out = daemon.refused("--virtio-id=1", f"--pci-addr={vf_of[1].address}")
        assert "error_code: -1" in out and "NUMA node 1" in out, out
        vm.sh(f"echo {before} > {path}")
        daemon.add(1, vf_of[1])
        assert daemon.relay(1).socket_id == 1
    finally:
        vm.sh(f"echo {before} > {path}")


# --- the balancer, under traffic ---------------------------------------------------------------------

NODE_OF = {1: 0, 2: 1, 3: 1}  # of the workers' CPUs


@pytest.fixture
def balanced(vm, daemon, guest, vf_of):
    """balanced(nodes, variable, …) starts a daemon that balances once a second, and a guest for each
    relay, whose VF is one of the node that the list names."""
    def start(nodes, *variables, **options):
        daemon.cpus = ",".join(map(str, NODE_OF))
        vm.write(f"{daemon.dir}/variables", "\n".join([
            "VIO4WD_CORE_SCHED_ENABLE=true", "VIO4WD_CORE_SCHED_POLL_INTERVAL=1",
            "VIO4WD_CORE_SCHED_SENSITIVITY=0", "VIO4WD_CORE_SCHED_LOG_LEVEL=7", *variables, ""]))
        vfs = [vm.nics[node].vfs[nodes[:relay].count(node)] for relay, node in enumerate(nodes)]
        daemon.start(f"--config={daemon.dir}/variables",
                     *[f"--add-pci-vf={vf.address}={relay}" for relay, vf in enumerate(vfs)])
        guests = [guest(daemon.socket_path(relay), vf, **options) for relay, vf in enumerate(vfs)]
        return guests

    return start


def traffic(guests):
    for one in guests:
        one.wait_received(100, timeout=40)


def lanes(daemon, relays):
    """The CPUs that work for each relay."""
    return [{cpu for cpu in [*state.vf_to_vm.lane_cpu, *state.vm_to_vf.lane_cpu] if cpu >= 0}
            for state in daemon.relays(list(range(relays)))]


def nodes_of(cpus):
    return {NODE_OF[cpu] for cpu in cpus}


def finish(guests):
    """Moving lanes costs no packet."""
    for one in guests:
        one.finish_clean()


def test_the_balancer_keeps_lanes_on_their_vf_s_node(daemon, balanced):
    nodes = [0, 1, 0, 1]
    guests = balanced(nodes)
    traffic(guests)
    begin, limit = time.monotonic(), Within(30)
    used = set()
    while time.monotonic() - begin < 8 or used != set(NODE_OF) and not limit.over():
        for node, cpus in zip(nodes, lanes(daemon, len(nodes))):
            assert nodes_of(cpus) == {node}, (node, cpus)
            used |= cpus
    assert used == set(NODE_OF)  # both workers of node 1 have something to do
    finish(guests)


def test_with_the_global_view_they_may_leave_it(daemon, balanced):
    """All traffic is node 0's, whose one worker has twice as many idle colleagues on node 1."""
    guests = balanced([0, 0], "VIO4WD_CORE_SCHED_GLOBAL_NUMA_OPT=y")
    traffic(guests)
    wait_for(lambda: {0, 1} <= nodes_of(set().union(*lanes(daemon, 2))), 60, "a lane on node 1")
    for one in guests:
        one.wait_received(200, timeout=40)
    finish(guests)


def test_a_saturated_node_spills_over(daemon, balanced):
    """Node 0's one worker has half a CPU, and more to do than that; those of node 1 have nothing. What
    went there comes home when there is little to do. (Whoever has too much to do drops packets, and so
    may a guest without a CPU: nothing is said of them here.)"""
    daemon.lcores = "0@1,1@1,2@2,3@3"
    guests = balanced([0, 0], mode="source", rate=100000)
    wait_for(lambda: {0, 1} == nodes_of(set().union(*lanes(daemon, 2))), 90, "a lane on node 1")
    assert daemon.log_has("all workers of its own NUMA node are saturated"), daemon.log_tail()
    for one in guests:
        one.command("rate 100")
    wait_for(lambda: nodes_of(set().union(*lanes(daemon, 2))) == {0}, 90, "all lanes at home")
    for one in guests:
        one.finish()
