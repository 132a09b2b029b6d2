#!/usr/bin/python3
"""Print what virtio-forwarder is and what it was told: version, switches that are on, pins.

Asks a running daemon that has the endpoint --zmq-config-ep, and prints the answer in protobuf's
text format: its version, DPDK's, the switches that are on and work (features), and in relay_cpu_map
the relays that are pinned to CPUs, -1 being a direction that is not. Those that clients have pinned
otherwise than the configuration (by_client) are named on the standard error output, since nobody but a
client releases them: a scheduler that was killed does not.
"""

import sys

import virtioforwarder_client as client

EPILOG = """\
Exit status:
  0 when the daemon answered OK, 1 otherwise, 2 when the command line is wrong.

See also:
  virtio-forwarder(8), virtioforwarder_core_pinner(8)
"""


def arguments():
    parser = client.make_parser(__doc__, EPILOG)
    client.add_endpoint_option(parser, "--config-ep", "config")
    client.add_test_options(parser)
    client.add_curve_options(parser)
    return parser.parse_args()


def main():
    args = arguments()
    messages = client.load_messages()
    request = client.garbage() if args.send_garbage else messages.ConfigRequest()
    answer = client.exchange(args, args.config_ep, request, wait=not args.crash_after_send)
    if answer is None:
        return 1
    response = client.parse(messages.ConfigResponse, answer)
    client.show(response)
    left = [str(pin.relay_number) for pin in response.relay_cpu_map if pin.by_client]
    if left:
        print(
            f"pinned by clients, not by the configuration: relays {', '.join(left)}; the balancer leaves "
            "them alone, even if the scheduler that has pinned them is gone: "
            f"virtioforwarder_core_pinner.py --virtio-cpu={left[0]}:-1 gives one back",
            file=sys.stderr,
        )
    return 0 if response.status == messages.ConfigResponse.OK else 1


if __name__ == "__main__":
    client.run(main)
