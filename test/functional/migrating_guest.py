"""A guest that is migrated: a front end that has what is written to the guest's memory logged, copies the pages
of which the log tells, and goes on with the copy elsewhere.

The driver's own writes are at once in the copy, byte for byte. So copy and memory differ by what a guest end
has written, and has not logged."""

import ctypes
import ctypes.util
import mmap
import os
import struct

from chain_guest import ChainGuest
from daemon import wait_for
from legal_guest import PAGE, REPLY_ACK
from rings import GuestMemory
from vhost_peer import FROM_GUEST, SET_FEATURES, TO_GUEST

SET_LOG_BASE, GET_VRING_BASE = 6, 11
LOG_SHMFD, LOG_ALL = 1 << 1, 1 << 26

# What takes bits that others set meanwhile: gcc's library has it, or else new logs have to do.
ATOMIC = ctypes.util.find_library("atomic")


class CopiedMemory(GuestMemory):
    """The driver's writes go into the copy too, while there is one."""

    copy = None

    def write(self, at, data):
        super().write(at, data)
        if self.copy:
            self.copy[at : at + len(data)] = data

    def store(self, at, word):
        super().store(at, word)
        if self.copy:
            self.copy[at : at + 2] = struct.pack("<H", word)


class Log:
    """A bit for each page of a memory of that size. It may begin anywhere in its file, by pages."""

    def __init__(self, size, offset):
        self.size, self.offset = -(-size // (64 * PAGE)) * 8, offset
        self.fd = os.memfd_create("log")
        os.ftruncate(self.fd, offset + self.size)
        self.memory = mmap.mmap(self.fd, offset + self.size)

    def taken(self):
        """The pages whose bits are set, and are not afterwards, while others set them."""
        exchange = getattr(ctypes.CDLL(ATOMIC), "__atomic_exchange_8")
        exchange.restype = ctypes.c_uint64
        words = (ctypes.c_uint64 * (self.size // 8)).from_buffer(self.memory, self.offset)
        step = ctypes.sizeof(ctypes.c_uint64)
        for at in range(len(words)):
            address = ctypes.c_void_p(ctypes.addressof(words) + step * at)
            yield from self._of_word(at, exchange(address, ctypes.c_uint64(0), 5))

    def pages(self):
        """The same, while nobody sets any; the bits stay."""
        words = struct.unpack_from(f"<{self.size // 8}Q", self.memory, self.offset)
        for at, word in enumerate(words):
            yield from self._of_word(at, word)

    @staticmethod
    def _of_word(at, word):
        return (64 * at + bit for bit in range(64) if word >> bit & 1)

    def clear(self):
        self.memory[:] = bytes(len(self.memory))

    def close(self):
        os.close(self.fd)


class MigratingGuest(ChainGuest):
    """What comes is posted again when that is asked for (repost), so that what was written stays. Logs are at
    the beginning of their file, or at offsets of some pages too."""

    PROTOCOL = LOG_SHMFD | REPLY_ACK

    def __init__(self, *args, log_offsets=True, **options):
        self.log, self.logs, self.reposts = None, 0, True
        self.offsets = 3 if log_offsets else 1
        super().__init__(*args, protocol=self.PROTOCOL, **options)
        self.reposts = False
        assert self.protocol == self.PROTOCOL

    def new_memory(self):
        return CopiedMemory(self.memory)

    def _post_all(self):
        if self.reposts:
            super()._post_all()

    def repost(self):
        super()._post_all()

    # --- the log -----------------------------------------------------------------------------

    def _new_log(self):
        """The one before, of which nobody knows any more when this returns."""
        before, self.log = self.log, Log(self.size, self.logs % self.offsets * PAGE)
        self.logs += 1
        self.send(SET_LOG_BASE, struct.pack("<QQ", self.log.size, self.log.offset), [self.log.fd])
        assert self.receive() in (bytes(8), b"")  # the library's answer says nothing
        return before

    def _tell(self, features, logged):
        assert self.acknowledged(SET_FEATURES, struct.pack("<Q", features & self.offered))
        for queue in (TO_GUEST, FROM_GUEST):
            self.tell_addresses(queue, logged)
        # They are in use when this is answered, as messages are served one by one.
        assert self.acknowledged(SET_FEATURES, struct.pack("<Q", features & self.offered))

    def begin(self):
        """All is logged from now on, and what was written before is copied."""
        self._new_log()
        self._tell(self.features | LOG_ALL, True)
        self.plain.copy = bytearray(self.memory)

    def give_up(self):
        """The migration; returns the log, which nobody may write to any more."""
        self._tell(self.features, False)
        self.plain.copy, log, self.log = None, self.log, None
        return log

    def _copy(self, pages):
        """What was only read has no reason to be in the log."""
        end = self._place(FROM_GUEST, 0)
        for page in pages:
            at = page * PAGE
            assert at < end, f"page {page} was logged, and is none that is written to"
            self.plain.copy[at : at + PAGE] = self.memory[at : at + PAGE]

    def copy_under_way(self):
        """While a guest end writes."""
        if ATOMIC:
            self._copy(self.log.taken())

    def copy_by_new_log(self):
        log = self._new_log()
        self._copy(log.pages())
        log.close()

    def left_behind(self):
        """The pages that were written and not logged. Nobody may write meanwhile."""
        return [at // PAGE for at in range(0, self.size, PAGE)
                if self.plain.copy[at : at + PAGE] != self.memory[at : at + PAGE]]

    # --- from here to there ------------------------------------------------------------------

    def stop(self):
        """Both rings, and all is copied; returns where they stand."""
        bases = []
        for queue in (TO_GUEST, FROM_GUEST):
            told, base = struct.unpack("<II", self.ask(GET_VRING_BASE, struct.pack("<II", queue, 0)))
            assert told == queue
            bases.append(base)
        self._copy(self.log.pages())
        return bases

    def resume(self, bases):
        """Here, as if nothing had been."""
        self.log.close()
        self.log, self.plain.copy = None, None
        assert self.acknowledged(SET_FEATURES, struct.pack("<Q", self.features & self.offered))
        self.start_rings(bases)

    def move(self, path, bases):
        """To another socket, with the copy alone."""
        self.socket.close()
        self.memory[:] = bytes(self.plain.copy)  # of the memory that was there nothing is left
        self.log.close()
        self.log, self.plain.copy = None, None
        self.connect(path)
        self.agree(self.PROTOCOL)
        self.start_rings(bases)

    # --- frames ------------------------------------------------------------------------------

    def send_all(self, frames):
        """As a burst."""
        with self.rings[FROM_GUEST].at_once():
            for one in frames:
                wait_for(lambda: self.put(one), 10, "a buffer to send with", interval=0.001)  # noqa: B023

    def receive_until(self, last):
        """What comes, up to that frame."""
        got = []

        def came():
            got.extend(one.data for one in self.take())
            return last in got

        wait_for(came, 10, "the last frame", interval=0.0005)
        return got
