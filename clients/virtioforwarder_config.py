#!/usr/bin/python3
"""Print what virtio-forwarder is and what it was told: version, switches that are on, pins.

The answer is printed in protobuf's text format; relay_cpu_map lists the relays that are pinned to
CPUs, -1 being a direction that is not.
"""

import argparse

import virtioforwarder_client as client


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--config-ep",
        default=client.endpoint_default("config"),
        metavar="ENDPOINT",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--crash-after-send", action="store_true", help="test: go without waiting for the answer"
    )
    parser.add_argument(
        "--send-garbage", action="store_true", help="test: send what is no message"
    )
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
    print(response, end="")
    return 0 if response.status == messages.ConfigResponse.OK else 1


if __name__ == "__main__":
    client.run(main)
