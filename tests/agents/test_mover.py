"""Shards between two movers over real TCP, with real trees."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.commands import Refusal
from agents.manifest import summarise
from agents.mover import TreeMover
from agents.shards import ShardRoot

KEY = "ab" * 32
HOST = "127.0.0.1"


class Pair:
    """A source with a tree under import/, and a target."""

    def __init__(self, source: Path, target: Path) -> None:
        self.source, self.target = TreeMover(ShardRoot(source), HOST), TreeMover(ShardRoot(target), HOST)
        self.tree, self.root = source / "import" / "orders", target
        (self.tree / "deep" / "empty").mkdir(parents=True)
        (self.tree / "deep" / "run.sh").write_bytes(b"#!/bin/sh\n")
        (self.tree / "deep" / "run.sh").chmod(0o750)
        (self.tree / "big.bin").write_bytes(os.urandom(700_000))
        (self.tree / "deep" / "link").symlink_to("../big.bin")
        (self.tree / "deep").chmod(0o555)

    async def serve(self, **more: Any) -> dict[str, Any]:
        args = {"transfer": "t1", "source": "import/orders", "key": KEY, "expires_s": 20.0} | more
        return await self.source.serve(args, time.monotonic() + 20)

    async def fetch(self, served: dict[str, Any], within_s: float = 20.0, **more: Any) -> dict[str, Any]:
        args = {
            "transfer": "t1", "shard": "orders", "address": HOST, "key": KEY, "rate_bytes_s": None,
            **{name: served[name] for name in ("port", "digest", "bytes")}, **more,
        }  # fmt: skip
        return await self.target.fetch(args, time.monotonic() + within_s)

    def left(self) -> list[Path]:
        """What lies in the target's root beside complete shards."""
        return list((self.root / ".incoming").iterdir())


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """Two movers that are closed at the end."""
    pair = Pair(tmp_path / "a", tmp_path / "b")
    yield pair
    await asyncio.to_thread(pair.source.close)
    await asyncio.to_thread(pair.target.close)


async def test_a_shard_arrives_exactly(pair: Pair) -> None:
    """Content, modes, empty directories and links are the source's; figures and digest agree at both ends."""
    served = await pair.serve()
    fetched = await pair.fetch(served)
    shard = pair.root / "shards" / "orders"

    assert {"port": served["port"], **fetched} == served
    assert summarise(shard) == summarise(pair.tree)
    assert (shard / "deep" / "link").resolve() == shard / "big.bin"
    assert (fetched["files"], fetched["bytes"]) == (2, 700_010)
    assert pair.left() == []


async def test_the_listener_is_gone_after_one_transfer(pair: Pair) -> None:
    """The key and the port work once."""
    served = await pair.serve()
    await pair.fetch(served)
    await pair.target.drop({"shard": "orders"}, 0.0)

    with pytest.raises(Refusal, match="refused"):
        await pair.fetch(served)


async def test_a_shard_that_is_there_is_answered_at_once(pair: Pair) -> None:
    """The same digest needs no source; another digest is refused, nothing is overwritten."""
    served = await pair.serve()
    first = await pair.fetch(served)

    assert await pair.fetch({**served, "port": 1}) == first
    with pytest.raises(Refusal, match="another content"):
        await pair.fetch({**served, "digest": "0" * 64})


async def test_a_shard_can_be_served_on(pair: Pair) -> None:
    """A copy is a source for the next, under the shard's name."""
    await pair.fetch(await pair.serve())
    again = await pair.target.serve(
        {"transfer": "t2", "source": "orders", "key": KEY, "expires_s": 5.0}, 1e12
    )

    assert again["digest"] == summarise(pair.tree).digest


async def test_a_stranger_does_not_use_up_the_transfer(pair: Pair) -> None:
    """Wrong keys are turned away and the peer still gets through."""
    served = await pair.serve()
    for key in ("cd" * 32, KEY[:-1] + "a"):
        with socket.create_connection((HOST, served["port"])) as stranger:
            stranger.sendall(key.encode())
            stranger.settimeout(10)
            assert await asyncio.to_thread(stranger.recv, 1) == b""

    assert (await pair.fetch(served))["files"] == 2


async def test_an_offer_expires(pair: Pair) -> None:
    """When nobody came in time the listener closes."""
    served = await pair.serve(expires_s=0.3)
    async with asyncio.timeout(10):
        while pair.source._serving:
            await asyncio.sleep(0.05)

    with pytest.raises(Refusal, match="refused"):
        await pair.fetch(served)


async def test_a_digest_that_does_not_match_leaves_nothing(pair: Pair) -> None:
    """The copy is judged by what was written; a mismatch removes it."""
    served = await pair.serve()
    with pytest.raises(Refusal, match="mismatch"):
        await pair.fetch({**served, "digest": "0" * 64})

    assert pair.left() == []
    assert not (pair.root / "shards" / "orders").exists()


async def test_the_rate_is_kept(pair: Pair) -> None:
    """700 kB at 700 kB/s take about a second."""
    served = await pair.serve()
    began = time.monotonic()
    await pair.fetch(served, rate_bytes_s=700_000.0)

    assert 0.8 < time.monotonic() - began < 3.0


async def test_a_fetch_that_takes_too_long_gives_up_clean(pair: Pair) -> None:
    """At its deadline a fetch ends with a reason and removes what came."""
    served = await pair.serve()
    with pytest.raises(Refusal, match="expired"):
        await pair.fetch(served, within_s=0.3, rate_bytes_s=50_000.0)

    assert pair.left() == []


@pytest.mark.parametrize(
    "source",
    [
        "../b",
        "/etc",
        "import/../../b",
        "import/out",
        "import/none",
        "none",
        "import/",
        ".",
        "import/orders/big.bin",
        "a\0b",
    ],
)
async def test_sources_outside_are_refused(pair: Pair, tmp_path: Path, source: str) -> None:
    """Absolute, climbing, linked-out and missing sources are refused with a reason that names them."""
    (tmp_path / "a" / "import" / "out").symlink_to(tmp_path)
    with pytest.raises(Refusal, match="source"):
        await pair.serve(source=source)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"shard": "../x"}, "shard"), ({"transfer": "a/b"}, "transfer"), ({"port": 0}, "port"),
        ({"key": "short"}, "key"),
        ({"digest": "zz"}, "digest"), ({"bytes": -1}, "bytes"), ({"rate_bytes_s": 0}, "rate_bytes_s"),
        ({"rate_bytes_s": float("nan")}, "rate_bytes_s"), ({"address": None}, "address"),
        ({"bytes": 2**60}, "disk full"),
    ],
)  # fmt: skip
async def test_wrong_arguments_are_named(pair: Pair, wrong: dict[str, Any], reason: str) -> None:
    """A fetch with an argument that cannot be is refused before anything is written."""
    with pytest.raises(Refusal, match=reason):
        await pair.fetch({"port": 1, "digest": "0" * 64, "bytes": 1}, **wrong)

    assert pair.left() == []


def frame(*entry: Any, content: bytes = b"") -> bytes:
    header = json.dumps(entry).encode()
    return struct.pack("!I", len(header)) + header + content


HOSTILE: list[tuple[str, bytes]] = [
    ("climb", frame("f", "../evil", 0o644, 1, "", content=b"x")),
    ("absolute", frame("f", "/evil", 0o644, 1, "", content=b"x")),
    ("link out", frame("l", "l", 0o777, 0, "../..")),
    ("through a link", frame("l", "l", 0o777, 0, "d") + frame("f", "l/evil", 0o644, 1, "", content=b"x")),
    ("no directory", frame("f", "d/evil", 0o644, 1, "", content=b"x")),
    ("set-user-id", frame("f", "evil", 0o4755, 1, "", content=b"x")),
    ("twice", frame("d", "d", 0o755, 0, "") * 2),
    ("too much", frame("f", "evil", 0o644, 999, "", content=b"x" * 999)),
    ("device", frame("c", "evil", 0o644, 0, "")),
    ("negative", frame("f", "evil", 0o644, -1, "")),
    ("no list", frame() + b"junk"),
    ("long header", struct.pack("!I", 2**31)),
    ("cut off", frame("f", "evil", 0o644, 10, "", content=b"x")),
    ("nothing", b""),
]


@pytest.mark.parametrize("stream", [stream for _, stream in HOSTILE], ids=[name for name, _ in HOSTILE])
async def test_a_hostile_source_gains_nothing(pair: Pair, tmp_path: Path, stream: bytes) -> None:
    """Whatever a source sends, the fetch fails with a reason and nothing stays, inside or outside."""

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readexactly(64)
            writer.write(stream)
            await writer.drain()
            writer.write_eof()
            await reader.read()
        writer.close()

    server = await asyncio.start_server(send, HOST, 0)
    before = sorted(tmp_path.rglob("*"))
    async with server:
        with pytest.raises(Refusal):
            await pair.fetch({"port": server.sockets[0].getsockname()[1], "digest": "0" * 64, "bytes": 100})

    assert before == sorted(tmp_path.rglob("*"))


async def test_drop_is_idempotent(pair: Pair) -> None:
    """Dropping removes the shard whole; dropping again is no error; names are checked."""
    await pair.fetch(await pair.serve())

    assert await pair.target.drop({"shard": "orders"}, 0.0) == {}
    assert await pair.target.drop({"shard": "orders"}, 0.0) == {}
    assert list((pair.root / "shards").iterdir()) == pair.left() == []
    with pytest.raises(Refusal, match="shard"):
        await pair.target.drop({"shard": "../import"}, 0.0)


def test_what_a_crash_left_is_cleared(tmp_path: Path) -> None:
    """A root that is opened holds nothing half arrived; shards stay."""
    root = ShardRoot(tmp_path)
    (root.begin("t1") / "part").write_bytes(b"x")
    (tmp_path / "shards" / "kept").mkdir()
    ShardRoot(tmp_path)

    assert list((tmp_path / ".incoming").iterdir()) == []
    assert (tmp_path / "shards" / "kept").is_dir()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one megabyte, unmounted afterwards."""
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], check=True)
    yield mount
    subprocess.run(["/usr/bin/umount", "-l", str(mount)], check=True)


@pytest.mark.rack
async def test_a_full_disk_leaves_nothing(pair: Pair, small_disk: Path) -> None:
    """When the disk fills up in the middle, the fetch says so and what came is removed."""
    pair.target = TreeMover(ShardRoot(small_disk), HOST)
    served = await pair.serve()
    before = os.statvfs(small_disk).f_bfree
    fetching = asyncio.create_task(pair.fetch(served, rate_bytes_s=400_000.0))
    arriving = small_disk / ".incoming" / "t1" / "big.bin"
    async with asyncio.timeout(10):
        while not arriving.exists():
            await asyncio.sleep(0.01)
    # Another process takes what is left.
    with pytest.raises(OSError, match="No space"):
        (small_disk / "other").write_bytes(bytes(2**20))
    with pytest.raises(Refusal, match="disk full"):
        await fetching
    (small_disk / "other").unlink()

    assert before == os.statvfs(small_disk).f_bfree
    assert list((small_disk / ".incoming").iterdir()) == []
    await asyncio.to_thread(pair.target.close)
