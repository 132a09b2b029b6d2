#!/usr/bin/python3
"""Sends back what it receives, on each of the interfaces named: what a loop-back VF is to a guest,
for interfaces that have a link to cut."""

import select
import socket
import sys

PACKET_OUTGOING = 4


def main():
    poll, sockets = select.poll(), {}
    for name in sys.argv[1:]:
        one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        one.bind((name, 0))
        sockets[one.fileno()] = one
        poll.register(one, select.POLLIN)
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            one = sockets[fd]
            try:
                frame, address = one.recvfrom(65536)
                if address[2] != PACKET_OUTGOING:
                    one.send(frame)
            except OSError:
                pass  # the link is down for a while


main()
