#!/usr/bin/python3
"""Attach devices to virtio-forwarder's relays, and take them away.

Asks a running daemon to change what is attached to a relay. The answer comes when the work is done,
within 1.5 seconds. The operations:

  add          attach a device to the relay --virtio-id
  remove       take the device of the relay --virtio-id away; with a device given, only that one.
               What Open vSwitch's database asks for is not the clients' to replace or remove: the
               answer says so
  add_sock     make a relay of a device and the vhost-user socket --vhost-path, only while the daemon
               runs with --dynamic-sockets; add and remove are for a daemon that runs without. The
               lowest idle relay is taken. The path is absolute, its directory is there, and nothing
               but a socket stands in its place. If the device or the socket cannot be had, neither is
               kept
  remove_sock  end the relay that has the socket, the device, or both
  query_pci    print the device on the socket --vhost-path: an upper-case PCI address, the name of a
               virtual device, or an empty line when there is none
"""

import argparse

import virtioforwarder_client as client

EPILOG = """\
Exit status:
  0, without output, when it is done, or was done already with --conditional. 1 otherwise: the daemon's
  answer is printed, whose error_text says why and what would work; or a line on the standard error
  output when no answer came within 2 seconds, or when --pci-addr or --mode is none. 2 when the command
  line is wrong otherwise.

Examples:
  virtioforwarder_port_control.py add --pci-addr 0000:05:08.1 --virtio-id 1
  virtioforwarder_port_control.py remove --virtio-id 1 --conditional
  virtioforwarder_port_control.py query_pci --vhost-path /tmp/virtio-forwarder/virtio-forwarder1.sock

See also:
  virtio-forwarder(8), virtioforwarder_stats(8)
"""

OPERATIONS = ("add", "remove", "add_sock", "remove_sock", "query_pci")


def arguments():
    parser = client.make_parser(__doc__, EPILOG)
    parser.add_argument("op", metavar="OP", choices=OPERATIONS, help=", ".join(OPERATIONS))
    parser.add_argument(
        "--virtio-id", type=client.number, metavar="ID", help="relay, 0 to 63 (add, remove)"
    )
    parser.add_argument(
        "--pci-addr",
        action="append",
        default=[],
        metavar="PCI",
        help="VF, as in 0000:05:08.1 or 05:08.1; several, up to eight, make a bond",
    )
    parser.add_argument(
        "--device",
        action="append",
        default=[],
        metavar="DEVICE",
        help="the same as a DPDK device string, as in net_tap0,iface=vf0, or a PCI address",
    )
    parser.add_argument("--vhost-path", metavar="PATH", help="vhost-user socket (…_sock, query_pci)")
    parser.add_argument(
        "--far",
        choices=("guest", "kernel"),
        help="with whom add pairs the device: the guest behind the relay's socket, as by default, or "
        "the kernel of the daemon's host, as the network interface vio4wd<ID>",
    )
    parser.add_argument("--name", help="name of a bond; it begins with net_bonding")
    parser.add_argument(
        "--mode",
        help="mode of a bond, as DPDK numbers them; 1, active-backup, by default",
    )
    client.add_endpoint_option(parser, "--zmq_ep", "port_control")
    parser.add_argument(
        "--conditional",
        action="store_true",
        help="what is so already is no error: adding the device that is there, removing what is not. "
        "Another device there always is one",
    )
    client.add_test_options(parser)
    client.add_curve_options(parser)
    args = parser.parse_args()
    # Not argparse's business, whose status is 2: callers know 0 and 1 from these.
    args.pci_addr = [checked("--pci-addr", client.pci_address, text) for text in args.pci_addr]
    if args.mode is not None:
        args.mode = checked("--mode", client.number, args.mode)
    return args


def checked(option, convert, text):
    try:
        return convert(text)
    except argparse.ArgumentTypeError as error:
        raise client.ClientError(f"{option}: {error}") from None


def make_request(messages, args):
    request = messages.PortControlRequest()
    request.op = messages.PortControlRequest.Op.Value(args.op.upper())
    request.conditional = args.conditional
    for domain, bus, slot, function in args.pci_addr:
        request.pci_addrs.add(domain=domain, bus=bus, slot=slot, function=function)
    request.device.extend(args.device)
    if args.far is not None:
        request.far = messages.PortControlRequest.Far.Value(args.far.upper())
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
        client.show(response)
        return 1
    if args.op == "query_pci":
        print(response.query_string)
    return 0


if __name__ == "__main__":
    client.run(main)
