"""A process that does to an endpoint what it can: attacker.py ENDPOINT KIND, until it is killed.

flood   asks for all statistics and reads no answer
endless sends a message that never ends, anew whenever it is cut off
connect connects and hangs up, as fast as that goes
"""

import sys
import time

import wire_client as wire
from zmtp import MORE, Raw, frame


def flood(endpoint):
    question = (frame(b"", MORE) + frame(wire.stats_request())) * 20
    with Raw(endpoint) as raw:
        while True:
            raw.send(question)


def endless(endpoint):
    with Raw(endpoint) as raw:
        while True:
            raw.send(frame(b"x" * 100, MORE) * 1000)


def connect(endpoint):
    while True:
        with Raw(endpoint, handshake=False) as raw:
            raw.send(b"\xff")


def main():
    kind = {"flood": flood, "endless": endless, "connect": connect}[sys.argv[2]]
    while True:
        try:
            kind(sys.argv[1])
        except OSError:
            time.sleep(0.001)


if __name__ == "__main__":
    main()
