"""Movers by name, and the one that moves nothing."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from test_mover import HOST, Pair

from agents.commands import Refusal
from agents.mover import TreeMover
from agents.movers import Movers, NoMover
from agents.shards import ShardRoot


@pytest.fixture
def movers(tmp_path: Path) -> Any:
    """Of a host, as its agent has them."""
    made = Movers({"tree": TreeMover(ShardRoot(tmp_path), HOST), "none": NoMover()})
    yield made
    made.close()


async def test_nothing_is_moved_and_everything_answered(movers: Movers, tmp_path: Path) -> None:
    """What is served, fetched and verified has one digest, and no file and no port come of it."""
    before = sorted(tmp_path.rglob("*"))
    args = {"mover": "none", "shard": "s", "source": "s"}

    served = await movers.verbs["shard.serve"](args, 0.0)
    fetched = await movers.verbs["shard.fetch"]({**args, **served, "address": HOST}, 0.0)

    assert served == {"port": 1, "bytes": 0, "digest": NoMover.DIGEST}
    assert fetched == await movers.verbs["shard.verify"](args, 0.0) == {"bytes": 0, "digest": NoMover.DIGEST}
    assert await movers.verbs["shard.drop"](args, 0.0) == {}
    assert sorted(tmp_path.rglob("*")) == before


async def test_a_command_names_its_mover(movers: Movers) -> None:
    """None named is trees, as controllers said before there were others; one that is not here is refused."""
    assert (await movers.verbs["shard.verify"]({"shard": "s"}, 9e9))["digest"] == ""
    for name in ("redis", 7, None):
        with pytest.raises(Refusal, match="not known here; there is tree, none"):
            await movers.verbs["shard.verify"]({"shard": "s", "mover": name}, 9e9)


async def test_what_is_dropped_is_fetched_no_more(tmp_path: Path) -> None:
    """A drop ends a slow copy at once, and one that waits for its turn before it begins; nothing of either is left,
    and the names are free again."""
    pair = Pair(tmp_path / "a", tmp_path / "b")
    begun, loop = asyncio.Event(), asyncio.get_running_loop()
    begin, count, both = pair.target._root.begin, [0], threading.Lock()

    def noted(transfer: str) -> Path:
        with both:
            count[0] += 1
            if count[0] == 2:
                loop.call_soon_threadsafe(begun.set)
        return begin(transfer)

    pair.target._root.begin = noted  # type: ignore[method-assign]
    fetches = []
    # Two are fetched at once; the third waits.
    for number in range(3):
        served = await pair.serve(transfer=f"t{number}")
        more = {"shard": f"s{number}", "transfer": f"t{number}", "rate_bytes_s": 10.0}
        fetches.append(asyncio.create_task(pair.fetch(served, within_s=600.0, **more)))
        await asyncio.sleep(0)
    await begun.wait()

    for number in (2, 0, 1):
        assert await pair.target.drop({"shard": f"s{number}"}, 0.0) == {}

    ends = await asyncio.gather(*fetches, return_exceptions=True)
    assert [type(end) for end in ends] == [Refusal] * 3
    assert list((pair.root / "shards").iterdir()) == pair.left() == []
    served = await pair.serve(transfer="again")
    fetched = await pair.fetch(served, shard="s0", transfer="again")
    assert fetched == {name: served[name] for name in ("files", "bytes", "digest")}
    await asyncio.to_thread(pair.source.close)
    await asyncio.to_thread(pair.target.close)
