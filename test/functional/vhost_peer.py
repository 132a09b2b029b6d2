"""A vhost-user front end by hand: says what no QEMU would."""

import array
import ctypes
import mmap
import os
import socket
import struct

SET_OWNER, GET_FEATURES, SET_FEATURES, SET_MEM_TABLE = 3, 1, 2, 5
SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE = 8, 9, 10
SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ENABLE = 12, 13, 18
NET_SET_MTU, GET_INFLIGHT_FD, SET_INFLIGHT_FD = 20, 31, 32
NEED_REPLY = 1 << 3

VERSION_1, PROTOCOL_FEATURES, MRG_RXBUF = 1 << 32, 1 << 30, 1 << 15
TO_GUEST, FROM_GUEST = 0, 1  # queues
DESCRIPTORS, USED, AVAILABLE, DATA = 0, 0x2000, 0x4000, 0x8000  # in a queue's part of the memory
PART = 0x10000
WRITABLE = 2
USER_ADDRESS = 0x700000000000  # where the guest's memory is for its front end


class Peer:
    """Connected, with features agreed upon; start() has a guest with one pair of queues, split rings of
    `entries`, at most 256."""

    def __init__(self, path, megabytes=1, features=0, entries=256):
        self.entries = entries
        self.size = megabytes << 20
        self.memory_fd = os.memfd_create("guest")
        os.ftruncate(self.memory_fd, self.size)
        self.memory = mmap.mmap(self.memory_fd, self.size)
        self.events = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(4)]
        self.features = VERSION_1 | PROTOCOL_FEATURES | features
        self.connect(path)

    def connect(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)  # a limit for what never comes
        self.socket.connect(path)
        self.send(GET_FEATURES)
        self.offered = struct.unpack("<Q", self.receive())[0]
        self.send(SET_OWNER)
        self.send(SET_FEATURES, struct.pack("<Q", self.offered & self.features))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.memory.close()
        for fd in (self.memory_fd, *self.events):
            os.close(fd)

    def send(self, request, payload=b"", fds=(), flags=0):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([struct.pack("<III", request, 1 | flags, len(payload)) + payload], rights)

    def receive(self):
        """An answer's payload; b"" when the other side has hung up."""
        try:
            head = self.socket.recv(12, socket.MSG_WAITALL)
            size = struct.unpack("<III", head)[2] if head else 0
            return self.socket.recv(size, socket.MSG_WAITALL) if size else b""
        except ConnectionError:
            return b""

    def start(self):
        table = struct.pack("<IIQQQQ", 1, 0, 0, self.size, USER_ADDRESS, 0)
        self.send(SET_MEM_TABLE, table, [self.memory_fd])
        for queue in (TO_GUEST, FROM_GUEST):
            at = USER_ADDRESS + queue * PART
            self.send(SET_VRING_NUM, struct.pack("<II", queue, self.entries))
            self.send(SET_VRING_BASE, struct.pack("<II", queue, 0))
            rings = (at + DESCRIPTORS, at + USED, at + AVAILABLE, 0)
            self.send(SET_VRING_ADDR, struct.pack("<IIQQQQ", queue, 0, *rings))
            self.send(SET_VRING_CALL, struct.pack("<Q", queue), [self.events[2 * queue]])
            self.send(SET_VRING_KICK, struct.pack("<Q", queue), [self.events[2 * queue + 1]])
            self.send(SET_VRING_ENABLE, struct.pack("<II", queue, 1))
        return self

    def fill(self, queue, length):
        """A buffer of that length in each descriptor, all of them in the ring of available ones."""
        at, flags = queue * PART, WRITABLE if queue == TO_GUEST else 0
        for i in range(self.entries):
            struct.pack_into("<QIHH", self.memory, at + DESCRIPTORS + 16 * i, at + DATA, length, flags, 0)
            struct.pack_into("<H", self.memory, at + AVAILABLE + 4 + 2 * i, i)

    def make_available(self, queue, index):
        """The guest's index, wherever that may be; written at once, as a driver does."""
        ctypes.c_uint16.from_buffer(self.memory, queue * PART + AVAILABLE + 2).value = index & 0xFFFF

    def used(self, queue):
        return struct.unpack_from("<H", self.memory, queue * PART + USED + 2)[0]
