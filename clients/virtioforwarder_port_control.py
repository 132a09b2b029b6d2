#!/usr/bin/python3
"""Attach devices to virtio-forwarder's relays, and take them away.

Silent, and status 0, when the daemon did it (or had done it already, with --conditional). Else the
answer is printed and the status is 1. query_pci prints the device on a vhost-user socket.
"""

import argparse

import virtioforwarder_client as client

OPERATIONS = ("add", "remove", "add_sock", "remove_sock", "query_pci")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("op", metavar="OP", choices=OPERATIONS, help=", ".join(OPERATIONS))
    parser.add_argument(
        "--virtio-id", type=client.number, metavar="ID", help="relay, 0 to 63 (add, remove)"
    )
    parser.add_argument(
        "--pci-addr",
        type=client.pci_address,
        action="append",
        default=[],
        metavar="PCI",
        help="VF, as in 0000:05:08.1 or 05:08.1; several make a bond",
    )
    parser.add_argument(
        "--device",
        action="append",
        default=[],
        metavar="DEVICE",
        help="the same as a DPDK device string, as in net_tap0,iface=vf0",
    )
    parser.add_argument("--vhost-path", metavar="PATH", help="vhost-user socket (…_sock, query_pci)")
    parser.add_argument("--name", help="name of a bond, net_bonding…")
    parser.add_argument(
        "--mode", type=client.number, help="mode of a bond; 1, active-backup, by default"
    )
    parser.add_argument(
        "--zmq_ep",
        default=client.endpoint_default("port_control"),
        metavar="ENDPOINT",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--conditional", action="store_true", help="what is so already is no error"
    )
    parser.add_argument(
        "--crash-after-send", action="store_true", help="test: go without waiting for the answer"
    )
    parser.add_argument(
        "--send-garbage", action="store_true", help="test: send what is no message"
    )
    client.add_curve_options(parser)
    return parser.parse_args()


def make_request(messages, args):
    request = messages.PortControlRequest()
    request.op = messages.PortControlRequest.Op.Value(args.op.upper())
    request.conditional = args.conditional
    for domain, bus, slot, function in args.pci_addr:
        request.pci_addrs.add(domain=domain, bus=bus, slot=slot, function=function)
    request.device.extend(args.device)
    for name in ("virtio_id", "name", "mode", "vhost_path"):
        value = getattr(args, name)
        if value is not None:
            setattr(request, name, value)
    return request


def main():
    args = arguments()
    messages = client.load_messages()
    request = client.garbage() if args.send_garbage else make_request(messages, args)
    answer = client.exchange(args, args.zmq_ep, request, wait=not args.crash_after_send)
    if answer is None:
        return 1
    response = client.parse(messages.PortControlResponse, answer)
    if response.status != messages.PortControlResponse.OK:
        print(response, end="")
        return 1
    if args.op == "query_pci":
        print(response.query_string)
    return 0


if __name__ == "__main__":
    client.run(main)
