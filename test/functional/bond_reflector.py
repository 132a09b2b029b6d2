#!/usr/bin/python3
"""Sends back what it receives, on each of the interfaces named: what a loop-back VF is to a guest,
for interfaces that have a link to cut. Of a pair, as in vf0:vf2, each is the other's wire."""

import select
import socket
import sys

PACKET_OUTGOING = 4


def main():
    poll, wires = select.poll(), {}  # descriptor: (to receive from, to send to)
    for names in sys.argv[1:]:
        ends = []
        for name in names.split(":"):
            ends.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
            ends[-1].bind((name, 0))
            poll.register(ends[-1], select.POLLIN)
        for one, other in zip(ends, reversed(ends)):
            wires[one.fileno()] = one, other
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            one, other = wires[fd]
            try:
                frame, address = one.recvfrom(65536)
                if address[2] != PACKET_OUTGOING:
                    other.send(frame)
            except OSError:
                pass  # the link is down for a while


main()
