"""Ends of VLANs in the VM: the guest's and the wire's, and whether what one sends reaches the other."""

import re

from rig import wait_for


def add_vlan(end, iface, vlan, host):
    """The namespace's end of a VLAN: vlanN with 10.N.0.host. Says nothing by itself."""
    end.sh(f"ip link add link {iface} name vlan{vlan} type vlan id {vlan} &&"
           f" echo 1 >/proc/sys/net/ipv6/conf/vlan{vlan}/disable_ipv6 &&"
           f" ip address add 10.{vlan}.0.{host}/24 dev vlan{vlan} && ip link set vlan{vlan} up")


def received(daemon):
    """The VLANs that relay 0's VF receives frames of."""
    vf = daemon.relay(0).vf
    return list(vf.vlan or ()) if vf else None


def wait_received(daemon, vlans, timeout=30):
    wait_for(lambda: received(daemon) == vlans, timeout, f"frames of VLANs {vlans}")


def ping_from(guest, address, count=10, size=56):
    """How many of so many of the guest's pings are answered."""
    out = guest.run(["ping", "-q", "-c", str(count), "-i", "0.05", "-W", "5", "-s", str(size), address],
                    timeout=60 + count, check=False)[1]
    return int(re.search(r"(\d+) received", out).group(1))


def reach(guest, vlan):
    """Until the wire answers the guest: it may have to learn of the VLAN first."""
    wait_for(lambda: ping_from(guest, f"10.{vlan}.0.1", count=2), 30, f"an answer in VLAN {vlan}")


def expect_both_ways(guest, peer, vlan):
    for size in (56, 1472):
        assert ping_from(guest, f"10.{vlan}.0.1", size=size) == 10
        assert peer.ping(f"10.{vlan}.0.10", size=size) == 10
