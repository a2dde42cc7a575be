"""Shards that are file trees: the verbs shard.serve, shard.fetch, shard.verify and shard.drop of the mover "tree".

The source opens a listener only when told to, for one transfer, on the host's own address and a port the
kernel picks, and closes it with the transfer or its expiry. All work that blocks is done in threads,
so that reports go on while a shard moves.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import re
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from agents.commands import Refusal
from agents.manifest import Summary, WrongTree, summarise
from agents.shards import NoShard, ShardRoot
from agents.transfer import KEY_LENGTH, TURN_S, Limits, TransferFailed, Wire, admit, receive_tree, send_tree

MAX_SERVING = 16
MAX_FETCHING = 2
MAX_DROPPING = 2
#: Who presents a wrong key this often is not the peer; the transfer ends.
MAX_STRANGERS = 16
ADMIT_S = 5.0
CONNECT_S = 10.0
_HEX = re.compile(r"[0-9a-f]{64}")

log = logging.getLogger("steelyard.agent")
Result = TypeVar("Result")


@dataclass
class _Fetch:
    """A tree on its way: its thread's work, and how to end it."""

    stop: threading.Event = field(default_factory=threading.Event)
    work: Future[Summary] | None = None


class TreeMover:
    """Carries out the shard verbs for one root. address: where this host's own listeners bind."""

    def __init__(self, root: ShardRoot, address: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._address = address
        self._clock = clock
        self._stopping = threading.Event()
        self._serving = 0
        self._fetching: dict[str, _Fetch] = {}
        self._servers = ThreadPoolExecutor(MAX_SERVING, thread_name_prefix="serve")
        self._fetchers = ThreadPoolExecutor(MAX_FETCHING, thread_name_prefix="fetch")
        # Of their own: what is to be deleted does not wait for long copies to end.
        self._droppers = ThreadPoolExecutor(MAX_DROPPING, thread_name_prefix="drop")

    def close(self) -> None:
        """End every transfer; returns when the threads are gone, within a second or two."""
        self._stopping.set()
        for fetch in list(self._fetching.values()):
            fetch.stop.set()
        self._servers.shutdown(cancel_futures=True)
        self._fetchers.shutdown(cancel_futures=True)
        self._droppers.shutdown(cancel_futures=True)

    async def serve(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{transfer, source, key, expires_s, rate_bytes_s} -> {port, files, bytes, digest}; then one peer may fetch."""
        source, key, rate = _text(args, "source"), _key(args), _rate(args)
        limits = Limits(self._clock() + _positive(args, "expires_s"), self._stopping, rate, self._clock)
        if self._serving >= MAX_SERVING:
            raise Refusal(f"busy: {MAX_SERVING} transfers are being served")
        self._serving += 1
        opened: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()

        def tell(result: dict[str, Any]) -> None:
            if not opened.done():
                opened.set_result(result)

        def announce(result: dict[str, Any]) -> None:
            if self._clock() >= deadline:
                raise TransferFailed("expired before the tree was read")
            loop.call_soon_threadsafe(tell, result)

        whole = loop.run_in_executor(
            self._servers, lambda: _translate(lambda: self._serve(source, key, limits, announce))
        )
        whole.add_done_callback(lambda done: self._served(done, opened))
        return await asyncio.shield(opened)

    def _served(self, whole: asyncio.Future[None], opened: asyncio.Future[dict[str, Any]]) -> None:
        self._serving -= 1
        error = None if whole.cancelled() else whole.exception()
        if opened.done():
            # The command was answered when the listener opened; the fetching side reports how it ended.
            if error is not None:
                log.warning("a transfer that was served failed: %s", error)
        elif error is not None:
            opened.set_exception(error)
        else:
            opened.cancel()

    def _serve(
        self, source: str, key: str, limits: Limits, announce: Callable[[dict[str, Any]], None]
    ) -> None:
        tree = self._root.source(source)
        summary = summarise(tree, limits.check)
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        with socket.create_server((self._address, 0), family=family, backlog=4) as listener:
            listener.settimeout(TURN_S)
            announce({"port": listener.getsockname()[1], **_figures(summary)})
            with _accept(listener, key, limits, self._clock) as peer:
                listener.close()
                send_tree(Wire(peer, limits), tree, limits)

    async def fetch(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{transfer, shard, address, port, key, digest, bytes, rate_bytes_s} -> {files, bytes, digest}."""
        shard, transfer = _text(args, "shard"), _text(args, "transfer")
        key, rate = _key(args), _rate(args)
        where = _text(args, "address"), _whole(args, "port", 1, 65535)
        promised = Summary(0, _whole(args, "bytes", 0, 2**62), _text(args, "digest"))
        if not _HEX.fullmatch(promised.digest):
            raise Refusal("digest: 64 hex digits")
        if shard in self._fetching:
            raise Refusal(f"shard {shard!r} is already being fetched")
        fetch = self._fetching[shard] = _Fetch()
        limits = Limits(deadline, fetch.stop, rate, self._clock)
        fetch.work = self._fetchers.submit(
            lambda: _translate(lambda: self._fetch(shard, transfer, where, key, promised, limits))
        )
        # The thread decides when the name is free again, also when nobody waits for it any more.
        fetch.work.add_done_callback(lambda _: self._fetching.pop(shard, None))
        try:
            return _figures(await asyncio.wrap_future(fetch.work))
        except asyncio.CancelledError:
            if fetch.stop.is_set() and not self._stopping.is_set():
                raise Refusal(f"shard {shard!r} was dropped before it was fetched") from None
            raise

    def _fetch(
        self, shard: str, transfer: str, where: tuple[str, int], key: str, promised: Summary, limits: Limits
    ) -> Summary:
        target = self._root.shard(shard)
        if target.exists():
            present = summarise(target, limits.check)
            if present.digest != promised.digest:
                raise NoShard(
                    f"shard {shard!r} is here with another content (digest {present.digest[:12]}...)"
                )
            return present
        free = self._root.free_bytes()
        if promised.bytes > free:
            raise TransferFailed(f"disk full: {promised.bytes} bytes are to come and {free} are free")
        directory = self._root.begin(transfer)
        try:
            limits.check()
            with socket.create_connection(where, timeout=CONNECT_S) as connection:
                wire = Wire(connection, limits)
                wire.send(key.encode())
                receive_tree(wire, directory, promised.bytes, limits)
                written = summarise(directory, limits.check)
                if written.digest != promised.digest:
                    wire.send(b"-")
                    raise TransferFailed(f"digest mismatch: {written.digest[:12]}... was written")
                self._root.commit(transfer, shard)
                wire.send(b"+")
                return written
        finally:
            self._root.abandon(transfer)

    async def verify(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{shard} -> {files, bytes, digest} of what is read from the disk now; digest "" where there is no tree."""
        tree = self._root.shard(_text(args, "shard"))
        limits = Limits(deadline, self._stopping, clock=self._clock)

        def read() -> Summary:
            return summarise(tree, limits.check) if tree.is_dir() else Summary(0, 0, "")

        loop = asyncio.get_running_loop()
        return _figures(await loop.run_in_executor(self._servers, lambda: _translate(read)))

    async def drop(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        """{shard} -> {}; a shard that is not there is dropped already, one that is being fetched is fetched no more."""
        shard = _text(args, "shard")
        fetch = self._fetching.get(shard)
        if fetch is not None and fetch.work is not None:
            fetch.stop.set()
            if not fetch.work.cancel():
                await asyncio.wait([asyncio.wrap_future(fetch.work)])
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._droppers, lambda: _translate(lambda: self._root.drop(shard)))
        return {}


def _accept(listener: socket.socket, key: str, limits: Limits, clock: Callable[[], float]) -> socket.socket:
    """Wait for the peer that presents the key; others are turned away, a bounded number of them."""
    strangers = 0
    while strangers < MAX_STRANGERS:
        limits.check()
        try:
            peer, _ = listener.accept()
        except TimeoutError:
            continue
        try:
            if admit(Wire(peer, Limits(clock() + ADMIT_S, limits.stopping, clock=clock)), key):
                return peer
        except (TransferFailed, OSError) as error:
            log.warning("a connection to a transfer came to nothing: %s", error)
        peer.close()
        strangers += 1
    raise TransferFailed(f"{MAX_STRANGERS} connections came without the key")


def _translate(work: Callable[[], Result]) -> Result:
    """Run a verb's work and turn what can be expected to go wrong into a Refusal with its reason."""
    try:
        return work()
    except (NoShard, WrongTree, TransferFailed) as error:
        raise Refusal(str(error)) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Refusal("disk full") from error
        raise Refusal(str(error)) from error


def _figures(summary: Summary) -> dict[str, Any]:
    return {"files": summary.files, "bytes": summary.bytes, "digest": summary.digest}


def _text(args: dict[str, Any], name: str) -> str:
    value = args.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal(f"{name}: a text is needed")
    return value


def _key(args: dict[str, Any]) -> str:
    key = _text(args, "key")
    if not _HEX.fullmatch(key):
        raise Refusal(f"key: {KEY_LENGTH} hex digits")
    return key


def _whole(args: dict[str, Any], name: str, low: int, high: int) -> int:
    value = args.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not low <= value <= high:
        raise Refusal(f"{name}: a whole number from {low} to {high}")
    return value


def _rate(args: dict[str, Any]) -> float | None:
    return None if args.get("rate_bytes_s") is None else _positive(args, "rate_bytes_s")


def _positive(args: dict[str, Any], name: str) -> float:
    value = args.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise Refusal(f"{name}: a number above 0")
    return float(value)
