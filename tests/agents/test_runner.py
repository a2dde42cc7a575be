"""The workers' socket, with real unix sockets and the control plane's answers from the test."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agents.amounts import WrongInput
from agents.bodies import Bodies
from agents.runner import Runner
from agents.wire import JobAnswer
from agents.worker_socket import MAX_LINE_BYTES, bind_private


class Judge:
    """Takes the place of Link.ask: records, answers, can be held back."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, str]] = []
        self.refuse: set[str] = set()
        self.open = asyncio.Event()
        self.open.set()
        self.moved = asyncio.Condition()

    async def __call__(self, job: str, attempt: int, event: str, **said: Any) -> JobAnswer:
        async with self.moved:
            self.asked.append((job, attempt, event))
            self.moved.notify_all()
        await self.open.wait()
        return JobAnswer(
            ref=0, accepted=event not in self.refuse, reason="no" if event in self.refuse else ""
        )

    async def wait_for(self, asked: tuple[str, int, str]) -> None:
        async with asyncio.timeout(10), self.moved:
            await self.moved.wait_for(lambda: asked in self.asked)


class Worker:
    """A worker's end of the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def at(cls, path: Path) -> Worker:
        return cls(*await asyncio.open_unix_connection(str(path)))

    def write(self, **said: Any) -> None:
        self.writer.write(json.dumps(said).encode() + b"\n")

    async def say(
        self, event: str, job: str = "j1", attempt: int = 1, ref: int = 1, **more: Any
    ) -> dict[str, Any]:
        self.write(ref=ref, job=job, attempt=attempt, event=event, **more)
        return await self.hear()

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            return json.loads(await self.reader.readline())  # type: ignore[no-any-return]

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@pytest.fixture
async def judge() -> Judge:
    """The control plane's answers."""
    return Judge()


@pytest.fixture
async def path(judge: Judge, short_dir: Path) -> AsyncIterator[Path]:
    """The socket of a runner that listens."""
    async with Runner(short_dir / "worker.sock", judge, Bodies(None)).listen():
        yield short_dir / "worker.sock"


async def test_claim_and_end_are_relayed(path: Path, judge: Judge) -> None:
    """Both are answered with the worker's ref; closing afterwards loses nothing."""
    worker = await Worker.at(path)
    claim = await worker.say("claim", ref=7)
    end = await worker.say("succeeded", ref=8, result={"n": 1})
    await worker.close()
    other = await Worker.at(path)
    await other.say("claim", job="j2")
    await other.close()
    await judge.wait_for(("j2", 1, "lost"))

    assert claim == {"ref": 7, "accepted": True, "reason": ""}
    assert end == {"ref": 8, "accepted": True, "reason": ""}
    assert ("j1", 1, "lost") not in judge.asked
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_closed_connection_loses_each_of_its_claims(path: Path, judge: Judge) -> None:
    """A worker that dies with two claims and one end has lost exactly the other one."""
    worker = await Worker.at(path)
    await worker.say("claim", job="a")
    await worker.say("claim", job="b", attempt=3)
    await worker.say("failed", job="a", error="boom")
    await worker.close()
    await judge.wait_for(("b", 3, "lost"))

    assert [asked for asked in judge.asked if asked[2] == "lost"] == [("b", 3, "lost")]


async def test_a_refused_claim_is_not_held(path: Path, judge: Judge) -> None:
    """What the control plane refused is neither lost later nor closed to others."""
    judge.refuse = {"claim"}
    first = await Worker.at(path)
    assert await first.say("claim") == {"ref": 1, "accepted": False, "reason": "no"}
    judge.refuse = set()
    second = await Worker.at(path)
    assert (await second.say("claim"))["accepted"]
    await first.close()
    await second.close()
    await judge.wait_for(("j1", 1, "lost"))

    assert sum(asked[2] == "lost" for asked in judge.asked) == 1


async def test_a_duplicate_delivery_is_refused_here(path: Path, judge: Judge) -> None:
    """While one worker holds or asks for a claim, another one's claim for the same attempt is not relayed."""
    judge.open.clear()
    first, second = await Worker.at(path), await Worker.at(path)
    first.write(ref=1, job="j1", attempt=1, event="claim")
    await judge.wait_for(("j1", 1, "claim"))
    refused = await second.say("claim")
    judge.open.set()

    assert refused["accepted"] is False
    assert "another worker" in refused["reason"]
    assert (await first.hear())["accepted"]
    assert judge.asked == [("j1", 1, "claim")]
    await first.close()
    await second.close()


async def test_an_end_may_come_on_another_connection(path: Path, judge: Judge) -> None:
    """After an agent was restarted the worker comes on a new connection with its end: it is relayed."""
    worker = await Worker.at(path)

    assert (await worker.say("succeeded"))["accepted"]
    assert judge.asked == [("j1", 1, "succeeded")]
    await worker.close()


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense", b"[]", b"{}", b'{"ref": true}', b'{"ref": 1, "job": "", "attempt": 1, "event": "claim"}',
        b'{"ref": 1, "job": "j", "attempt": 0, "event": "claim"}', b"[" * 20_000,
        b'{"ref": 1, "job": "j", "attempt": 1, "event": "lost"}',
        b'{"ref": 1, "job": "j", "attempt": 1, "event": "failed", "error": 5}',
        b'{"ref": 1, "job": "j", "attempt": 1, "event": "claim", "limits": {"cpu": "all"}}',
        b'{"ref": 1, "job": "j", "attempt": 1, "event": "claim", "limits": {"cpu": -1}}',
    ],
)  # fmt: skip
async def test_a_wrong_line_is_answered_with_a_reason(path: Path, judge: Judge, line: bytes) -> None:
    """Nothing of it is relayed, and the connection goes on."""
    worker = await Worker.at(path)
    worker.writer.write(line + b"\n")
    answer = await worker.hear()

    assert answer["accepted"] is False
    assert answer["reason"]
    assert (await worker.say("claim"))["accepted"]
    assert judge.asked == [("j1", 1, "claim")]
    await worker.close()


async def test_a_line_without_end_closes_the_connection(path: Path) -> None:
    """A worker cannot make the agent hold more than one line's worth."""
    worker = await Worker.at(path)
    worker.writer.write(b"x" * (2 * MAX_LINE_BYTES))
    answer = await worker.hear()

    assert answer["accepted"] is False
    assert await worker.reader.read() == b""
    await worker.close()


async def test_lines_that_come_together_are_answered_in_their_order(path: Path, judge: Judge) -> None:
    """One after the other: the second is asked once the first was answered, however they were cut."""
    judge.open.clear()
    worker = await Worker.at(path)
    first = json.dumps({"ref": 1, "job": "a", "attempt": 1, "event": "claim"}).encode() + b"\n"
    rest = json.dumps({"ref": 2, "job": "a", "attempt": 1, "event": "succeeded"}).encode() + b"\n{"
    worker.writer.write(first + rest[:20])
    await judge.wait_for(("a", 1, "claim"))
    worker.writer.write(rest[20:] + b"}\n")
    await worker.writer.drain()
    assert judge.asked == [("a", 1, "claim")]
    judge.open.set()

    assert [(await worker.hear())["ref"] for _ in range(3)] == [1, 2, None]
    assert judge.asked == [("a", 1, "claim"), ("a", 1, "succeeded")]
    await worker.close()


async def test_many_lines_that_are_refused_here_are_each_answered(path: Path, judge: Judge) -> None:
    """Thousands that come at once, and are answered without asking anybody: in their order, and the line goes on."""
    holder, other = await Worker.at(path), await Worker.at(path)
    await holder.say("claim")
    for ref in range(3000):
        other.write(ref=ref, job="j1", attempt=1, event="claim")

    assert [(await other.hear())["ref"] for _ in range(3000)] == list(range(3000))
    assert (await other.say("claim", job="j2"))["accepted"]
    await holder.close()
    await other.close()


async def test_a_worker_that_dies_while_its_claim_is_asked_has_lost_it(path: Path, judge: Judge) -> None:
    """The loss is said after the claim was answered, or it would be of nothing."""
    judge.open.clear()
    worker = await Worker.at(path)
    worker.write(ref=1, job="j1", attempt=1, event="claim")
    await judge.wait_for(("j1", 1, "claim"))
    await worker.close()
    other = await Worker.at(path)
    assert not (await other.say("claim"))["accepted"]
    judge.open.set()
    await judge.wait_for(("j1", 1, "lost"))

    assert judge.asked == [("j1", 1, "claim"), ("j1", 1, "lost")]
    await other.close()


def test_a_path_too_long_for_a_socket_is_named(tmp_path: Path) -> None:
    """The kernel's limit is explained instead of failing with its own words."""
    with pytest.raises(WrongInput, match="--data"):
        bind_private(tmp_path / ("x" * 120))


async def test_a_held_claim_is_renewed_until_it_ends(judge: Judge, short_dir: Path) -> None:
    """The control plane hears of every claim that is held, and of none that has ended."""
    async with Runner(short_dir / "worker.sock", judge, Bodies(None), renew_s=0.02).listen():
        worker = await Worker.at(short_dir / "worker.sock")
        await worker.say("claim", job="ends")
        await worker.say("claim", job="goes-on", attempt=2)
        await judge.wait_for(("ends", 1, "renew"))
        await worker.say("succeeded", job="ends")
        for _ in range(3):  # what the first round asks may have been on its way when the job ended
            judge.asked.clear()
            await judge.wait_for(("goes-on", 2, "renew"))

        assert ("ends", 1, "renew") not in judge.asked
        await worker.close()


async def test_a_claim_whose_renewal_is_refused_is_forgotten(judge: Judge, short_dir: Path) -> None:
    """The attempt is over: it is renewed no more, and a worker that dies has not lost it."""
    judge.refuse = {"renew"}
    async with Runner(short_dir / "worker.sock", judge, Bodies(None), renew_s=0.02).listen():
        worker = await Worker.at(short_dir / "worker.sock")
        await worker.say("claim", job="given-up")
        await judge.wait_for(("given-up", 1, "renew"))
        judge.refuse = set()
        await worker.say("claim", job="other")
        await judge.wait_for(("other", 1, "renew"))
        await worker.close()
        await judge.wait_for(("other", 1, "lost"))

        assert judge.asked.count(("given-up", 1, "renew")) == 1
        assert ("given-up", 1, "lost") not in judge.asked
