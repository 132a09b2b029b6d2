"""ZeroMQ's wire protocol (ZMTP 3.0, NULL) by hand, for a client that may break its every rule."""

import socket
import struct
import time

from patience import Within

SIGNATURE = b"\xff" + b"\0" * 8 + b"\x7f"
MORE, LONG, COMMAND = 1, 2, 4


def greeting(mechanism=b"NULL"):
    return SIGNATURE + bytes([3, 0]) + mechanism.ljust(20, b"\0") + b"\0" * 32


def frame(body, flags=0):
    if len(body) > 255:
        return bytes([flags | LONG]) + struct.pack(">Q", len(body)) + body
    return bytes([flags, len(body)]) + body


def ready(kind=b"DEALER", identity=b""):
    def item(name, value):
        return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value

    body = b"\x05READY" + item(b"Socket-Type", kind) + item(b"Identity", identity)
    return frame(body, COMMAND)


class Raw:
    """A connection to an ipc or tcp endpoint, on which anything may be sent."""

    def __init__(self, endpoint, handshake=True, timeout=60.0):
        scheme, address = endpoint.split("://", 1)
        if scheme == "ipc":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            limit = Within(timeout)
            while True:
                try:
                    self.socket.connect(address)
                    break
                except BlockingIOError:  # its queue of connections is full
                    if limit.over():
                        raise
                    time.sleep(0.01)
        else:
            host, port = address.rsplit(":", 1)
            self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout)
        self.received = b""
        if handshake:
            self.send(greeting() + ready())
            self.receive(64)
            self.receive_frame()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, size):
        while len(self.received) < size:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionResetError("cut off")
            self.received += data
        data, self.received = self.received[:size], self.received[size:]
        return data

    def receive_frame(self):
        """(flags, body)"""
        flags, size = self.receive(2)
        if flags & LONG:
            (size,) = struct.unpack(">Q", bytes([size]) + self.receive(7))
        return flags, self.receive(size)

    def receive_body(self):
        """The last frame of the next message."""
        while True:
            flags, body = self.receive_frame()
            if not flags & (MORE | COMMAND):
                return body

    def request(self, body):
        self.send(frame(b"", MORE) + frame(body))
        return self.receive_body()

    def cut_off(self, timeout=5.0):
        """Whether the other side hangs up in time, whatever it sends before."""
        limit = Within(timeout)
        while True:
            self.socket.settimeout(limit.left())
            try:
                if not self.socket.recv(65536):
                    return True
            except TimeoutError:
                if limit.over():
                    return False
            except OSError:
                return True
