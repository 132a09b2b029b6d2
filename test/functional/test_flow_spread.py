"""Flows over a guest's queues: a guest with more queues than its VF has gets them spread by a hash,
every flow by one queue and in order; and a queue that stalls is nobody's business but its flows'.

The VFs are rings, which bring a guest's packets back to it.
"""

import pytest

from conftest import quick_or_all
from daemon import lcores, wait_for

FLOWS = 64


def used(report):
    """How many of the guest's receive queues have had packets."""
    return sum(count > 0 for count in report["rx_on_queue"])


def start(daemon, vf_queues):
    # As many rings as there are lcores make up a net_ring.
    daemon.lcores = lcores(*range(1, vf_queues + 1))
    daemon.start("--enable-mrgbuf", f"--max-queues={vf_queues}")
    daemon.add_ring(0)


@pytest.mark.parametrize("packed", [False, True], ids=["split", "packed"])
@pytest.mark.parametrize("vf_queues,guest_queues", [(1, 2), (1, 8), (2, 4), (3, 8), (4, 2)])
def test_each_flow_has_a_queue(daemon, guest, vf_queues, guest_queues, packed):
    start(daemon, vf_queues)
    one = guest(daemon.socket_path(0), queues=guest_queues, flows=FLOWS, packed=packed)
    wait_for(lambda: daemon.relay(0).vhost.queues == guest_queues)
    assert daemon.relay(0).vf.queues == vf_queues
    one.reset()  # what came while the queues were being switched on
    one.wait_received(4000, 20)
    report = one.stats()
    assert used(report) == guest_queues, report["rx_on_queue"]
    assert report["strayed"] == 0, report
    final = one.finish_clean()
    assert final["strayed"] == 0, final
    assert not daemon.dropped(0)


def test_a_stalled_queue_holds_up_its_own_flows_only(daemon, guest):
    start(daemon, 1)
    one = guest(daemon.socket_path(0), queues=4, flows=FLOWS, queue_size=64, timeout=600)
    wait_for(lambda: daemon.relay(0).vhost.queues == 4)
    one.wait_received(2000, 20)
    one.reset()
    one.wait_received(1000, 20)
    of_queue = one.stats()["rx_on_queue"]
    one.command("stall 2")
    # Until its ring and its share of the backlog are full, and packets for it are lost.
    wait_for(lambda: daemon.dropped(0).get("vf_to_vm.pkts_dropped_vm_queue_full", 0) > 100, 30)
    before = one.stats()
    one.wait_received(3000, 20)
    report = one.stats()
    assert report["rx_on_queue"][2] == before["rx_on_queue"][2]
    for queue in (0, 1, 3):
        assert report["rx_on_queue"][queue] > of_queue[queue]
    # Flows of the other queues have lost nothing.
    lost = sum(flow["lost"] > 0 for flow in report["flows"])
    assert 0 < lost < FLOWS * 2 // 3, [flow["lost"] for flow in report["flows"]]
    one.command("resume 2")
    wait_for(lambda: one.stats()["rx_on_queue"][2] > report["rx_on_queue"][2] + 200, 30)
    final = one.finish()
    for fault in ("strayed", "reordered", "duplicated", "corrupted", "unexpected"):
        assert final[fault] == 0, final
    assert sum(flow["lost"] > 0 for flow in final["flows"]) == lost
    assert set(daemon.dropped(0)) == {
        "vf_to_vm.pkts_dropped_vm_queue_full", "vf_to_vm.bytes_dropped_vm_queue_full"}
    daemon.remove_all()


@pytest.mark.parametrize("times", quick_or_all(1, 2))
def test_queues_come_and_go(daemon, guest, times):
    start(daemon, 1)
    one = guest(daemon.socket_path(0), queues=8, flows=FLOWS)
    for queues in (8, 3, 5, 1, 2, 8) * times:
        one.command(f"queues {queues}")
        wait_for(lambda: daemon.relay(0).vhost.queues == queues)
        one.reset()
        one.wait_received(1000, 20)
        report = one.stats()
        assert used(report) == queues, (queues, report["rx_on_queue"])
        assert report["strayed"] == report["lost"] == report["reordered"] == 0, report
    one.finish_clean()


def test_the_rss_table_follows_the_guest(daemon, guest):
    daemon.start("--max-queues=4")
    daemon.add(0, "net_null0,size=64")
    assert daemon.relay(0).vf.rss_queues == daemon.relay(0).vf.queues == 4
    one = guest(daemon.socket_path(0), queues=8, mode="sink")
    for queues in (2, 1, 3, 8, 4, 1):
        one.command(f"queues {queues}")
        wait_for(lambda: daemon.relay(0).vf.rss_queues == min(queues, 4), 10)
    # The VF's own queues are as they were: each lane serves what its packets may come by.
    assert daemon.relay(0).vf.queues == 4
    one.finish()
    wait_for(lambda: daemon.relay(0).vf.rss_queues == 4, 10)
    daemon.add_ring(1)
    assert daemon.relay(1).vf.rss_queues is None
