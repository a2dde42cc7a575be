"""A tree of files over one TCP connection, between the agents of two hosts.

    receiver: the key (64 hex digits)
    source:   for each entry, a length (4 bytes, network order) and a JSON list
              [kind, path, mode, size, target], then the file's content; a length of 0 ends it
    receiver: one byte "+" when what it wrote to disk has the digest it was told, "-" otherwise

The key admits one receiver, once. Nothing here is believed: every path is checked again by the receiver, and
the verdict is the digest of what it reads back from its own disk.
"""

from __future__ import annotations

import hmac
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from agents.identity import sync_directory
from agents.manifest import Entry, WrongTree, check_path, check_target, open_file, walk
from agents.pace import Pace

KEY_LENGTH = 64
MAX_HEADER_BYTES = 16 * 1024
#: How long one side may say nothing; also the longest that a stop or an expiry can go unnoticed.
TURN_S = 1.0
SILENCE_S = 20.0
VERDICT_S = 86_400.0
_CHUNK_BYTES = 256 * 1024
#: At a set rate so much at once that other traffic on the link waits no longer than this for it.
_CHUNK_S = 0.02
_LEAST_CHUNK_BYTES = 2048
_LENGTH = struct.Struct("!I")


class TransferFailed(Exception):
    """The transfer did not come about; the message says why."""


class Limits:
    """When to give up, and how fast to go. rate_bytes_s: None for as fast as it goes."""

    def __init__(
        self,
        deadline: float,
        stopping: threading.Event,
        rate_bytes_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deadline = deadline
        self.stopping = stopping
        self._clock = clock
        self._pace = Pace(rate_bytes_s, clock)
        #: What goes at once.
        self.chunk_bytes = self._pace.batch_bytes(_CHUNK_S, _LEAST_CHUNK_BYTES, _CHUNK_BYTES)

    def check(self) -> None:
        """Raise TransferFailed once time is up or it is to stop: with the agent, or since it is not wanted any more."""
        if self.stopping.is_set():
            raise TransferFailed("it was stopped")
        if self._clock() >= self._deadline:
            raise TransferFailed("expired before it was done")

    def moved(self, count: int) -> None:
        """Count bytes and wait as long as the rate demands."""
        self.check()
        wait_s = self._pace.went(count)
        until = self._clock() + wait_s
        for _ in range(int(wait_s / TURN_S) + 2):
            if (left_s := until - self._clock()) <= 0.0:
                return
            self.stopping.wait(min(left_s, TURN_S))
            self.check()


class Wire:
    """A connected socket whose reads and writes notice expiry. limits.check is asked once a turn."""

    def __init__(self, connection: socket.socket, limits: Limits) -> None:
        self._socket = connection
        self._limits = limits
        connection.settimeout(TURN_S)

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        for _ in range(int(SILENCE_S / TURN_S) + len(data)):
            if not view:
                return
            self._limits.check()
            try:
                view = view[self._socket.send(view) :]
            except TimeoutError:
                continue
        if view:
            raise TransferFailed("the receiver takes nothing any more")

    def receive(self, count: int, silence_s: float = SILENCE_S) -> bytes:
        """Between 1 and count bytes. Raises TransferFailed when the other side is gone or silent."""
        for _ in range(int(silence_s / TURN_S)):
            self._limits.check()
            try:
                data = self._socket.recv(count)
            except TimeoutError:
                continue
            if not data:
                raise TransferFailed("the other side closed the connection in the middle")
            return data
        raise TransferFailed(f"the other side was silent for {silence_s:.0f} s")

    def receive_exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            data += self.receive(count - len(data))
        return bytes(data)


def admit(connection: Wire, key: str) -> bool:
    """Whether the peer presents the key."""
    return hmac.compare_digest(connection.receive_exactly(KEY_LENGTH), key.encode())


def send_tree(connection: Wire, root: Path, limits: Limits) -> None:
    """Send the tree and wait for the verdict. Raises TransferFailed, WrongTree, OSError."""
    for entry in walk(root):
        header = json.dumps([entry.kind, entry.path, entry.mode, entry.size, entry.target]).encode()
        connection.send(_LENGTH.pack(len(header)) + header)
        if entry.kind == "f":
            _send_file(connection, root / entry.path, entry.size, limits)
    connection.send(_LENGTH.pack(0))
    # Checking a large tree takes the receiver its time: here the deadline is the bound.
    if connection.receive(1, silence_s=VERDICT_S) != b"+":
        raise TransferFailed("the receiver's copy has another digest")


def _send_file(connection: Wire, file: Path, size: int, limits: Limits) -> None:
    left = size
    with os.fdopen(open_file(file), "rb", buffering=0) as stream:
        while left and (chunk := stream.read(min(left, limits.chunk_bytes))):
            connection.send(chunk)
            limits.moved(len(chunk))
            left -= len(chunk)
    if left:
        raise TransferFailed(f"{file.name!r} shrank while it was sent")


def receive_tree(connection: Wire, directory: Path, promised_bytes: int, limits: Limits) -> None:
    """Write what comes into an empty directory, durable when this returns.

    Raises TransferFailed, WrongTree, OSError.
    """
    made: dict[str, int] = {}
    left = promised_bytes
    while True:
        (length,) = _LENGTH.unpack(connection.receive_exactly(_LENGTH.size))
        if length == 0:
            break
        if length > MAX_HEADER_BYTES:
            raise TransferFailed("the source sent a header that is too long")
        entry = read_entry(connection.receive_exactly(length))
        parent = entry.path.rpartition("/")[0]
        # Only into directories that came as directories: never through a link.
        if parent and parent not in made:
            raise WrongTree(f"{entry.path!r} lies in no directory of the tree")
        target = directory / entry.path
        if entry.kind == "d":
            target.mkdir(mode=0o700)
            made[entry.path] = entry.mode
        elif entry.kind == "l":
            target.symlink_to(entry.target)
        else:
            left -= entry.size
            if left < 0:
                raise TransferFailed(f"the source sends more than the {promised_bytes} bytes it promised")
            _receive_file(connection, target, entry, limits)
    # Children before parents, so that a directory is complete when it is made durable and gets its own mode.
    for path, mode in sorted(made.items(), reverse=True):
        sync_directory(directory / path)
        (directory / path).chmod(mode)
    sync_directory(directory)


def read_entry(header: bytes) -> Entry:
    """A header as an Entry whose path, and target, stay inside. Raises TransferFailed, WrongTree."""
    try:
        kind, path, mode, size, target = json.loads(header)
    except (ValueError, TypeError, RecursionError):
        raise TransferFailed("the source sent a header that cannot be read") from None
    texts = isinstance(path, str) and isinstance(target, str)
    if kind not in ("d", "f", "l") or not texts or type(mode) is not int or type(size) is not int:
        raise TransferFailed("the source sent a header that cannot be read")
    if not 0 <= mode <= 0o777 or size < 0 or (kind != "f" and size):
        raise TransferFailed("the source sent a header with impossible numbers")
    check_path(path)
    if kind == "l":
        check_target(path, target)
    return Entry(kind, path, mode, size, target)


def _receive_file(connection: Wire, target: Path, entry: Entry, limits: Limits) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    left = entry.size
    with os.fdopen(os.open(target, flags, 0o600), "wb", buffering=0) as stream:
        while left:
            chunk = connection.receive(min(left, limits.chunk_bytes))
            left -= len(chunk)
            view = memoryview(chunk)
            while view:
                view = view[stream.write(view) :]
            limits.moved(len(chunk))
        os.fchmod(stream.fileno(), entry.mode)
        os.fsync(stream.fileno())
