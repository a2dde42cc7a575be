"""The link over a real WebSocket: reports, reconnects, commands, questions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from control_plane import ControlPlane

from agents import wire
from agents.amounts import WrongInput
from agents.backoff import Backoff
from agents.commands import CommandDesk, Refusal
from agents.link import Link, Unauthorised, link_url, local_address


class Figures:
    """Samples that the test sets."""

    def __init__(self) -> None:
        self.used = {"cpu": 1.0}
        self.has = {"cpu": 4.0}

    def capacity(self) -> dict[str, float]:
        return self.has

    def quota(self) -> None:
        """No limit."""

    def parts(self) -> None:
        """None of its own."""

    def sample(self) -> dict[str, float]:
        return self.used


class Bench:
    """A link with what it needs, its delays short."""

    def __init__(self, url: str) -> None:
        self.figures = Figures()
        self.acts: list[dict[str, Any]] = []
        self.saved: list[int] = []
        self.desk = CommandDesk({"act": self.act}, time.monotonic, 0, self.saved.append)
        self.link = Link(
            url,
            bearer=lambda: "Bearer agent.h1.secret",
            hello=lambda: wire.Hello(wire.PROTOCOL, "test", "h1", "127.0.0.1", {}, self.figures.capacity()),
            welcomed=lambda welcome: None,
            samples=self.figures,
            worker=lambda: None,
            desk=self.desk,
            backoff=Backoff(Random(7), base_s=0.05, cap_s=0.1),
            clock=time.monotonic,
        )

    async def act(self, args: dict[str, Any], deadline: float) -> dict[str, Any]:
        self.acts.append(args)
        if "refuse" in args:
            raise Refusal(args["refuse"])
        if "break" in args:
            raise RuntimeError(args["break"])
        return {"done": len(self.acts)}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Bench]:
        task = asyncio.create_task(self.link.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.desk.close()


async def test_reports_come_on_change_and_in_order(plane: ControlPlane) -> None:
    """Nothing is sent while nothing changes; a change comes within an interval, seq rising."""
    async with Bench(plane.url).running() as bench:
        await plane.wait_for(lambda: plane.of(wire.Report))
        # Four intervals of silence.
        await asyncio.sleep(4 * plane.report_interval_s)
        assert len(plane.of(wire.Report)) == 1
        bench.figures.used = {"cpu": 2.0}
        await plane.wait_for(lambda: len(plane.of(wire.Report)) == 2)
        bench.figures.has = {"cpu": 8.0}
        await plane.wait_for(lambda: len(plane.of(wire.Report)) == 3)
    first, second, third = plane.of(wire.Report)

    assert (first.host, first.used, first.capacity) == ("h1", {"cpu": 1.0}, None)
    assert second.used == {"cpu": 2.0}
    assert third.capacity == {"cpu": 8.0}
    assert [first.seq, second.seq, third.seq] == [1, 2, 3]


async def test_a_keepalive_breaks_the_silence_in_time(plane: ControlPlane) -> None:
    """With nothing to say, a report still comes before keepalive_s is over."""
    plane.keepalive_s = 0.3
    async with Bench(plane.url).running():
        began = time.monotonic()
        await plane.wait_for(lambda: len(plane.of(wire.Report)) >= 4)
        took_s = time.monotonic() - began

    assert 0.5 < took_s < 1.2


async def test_it_comes_back_when_the_server_went_away(plane: ControlPlane) -> None:
    """A dropped connection, and a server that was away, are tried again; Hello comes first each time."""
    async with Bench(plane.url).running():
        await plane.wait_for(lambda: len(plane.hellos) == 1)
        await plane.connections[-1].close(1012, "restart")
        await plane.wait_for(lambda: len(plane.hellos) == 2)
        plane.status = 500
        await plane.connections[-1].close(1012, "restart")
        while len(plane.bearers) < 5:
            await asyncio.sleep(0.01)
        plane.status = None
        await plane.wait_for(lambda: len(plane.hellos) == 3)

    assert {"Bearer agent.h1.secret"} == set(plane.bearers)


async def test_busy_is_honoured(plane: ControlPlane) -> None:
    """CLOSE_BUSY sends the agent away for at least the shortest wait, not for good."""
    plane.door = wire.CLOSE_BUSY
    async with Bench(plane.url).running():
        while plane.turned_away < 2:
            await asyncio.sleep(0.01)
        plane.door = None
        await plane.wait_for(lambda: plane.hellos)

    assert len(plane.bearers) >= 3


@pytest.mark.parametrize(("status", "door"), [(401, None), (403, None), (None, wire.CLOSE_UNAUTHORISED)])
async def test_unauthorised_is_final(plane: ControlPlane, status: int | None, door: int | None) -> None:
    """The link raises and does not come back."""
    plane.status, plane.door = status, door
    with pytest.raises(Unauthorised):
        async with asyncio.timeout(10):
            await Bench(plane.url).link.run()

    assert len(plane.bearers) == 1


async def test_a_credential_does_not_follow_a_redirect(plane: ControlPlane) -> None:
    """A redirect is a failure like any other: the target never sees the Authorization header."""
    async with ControlPlane().listen() as elsewhere:
        plane.status, plane.headers = 307, {"Location": elsewhere.url + wire.LINK_PATH}
        async with Bench(plane.url).running():
            while len(plane.bearers) < 3:
                await asyncio.sleep(0.01)

        assert elsewhere.bearers == []


async def test_a_command_is_done_once(plane: ControlPlane) -> None:
    """The same id again, also over a reconnect, is answered from memory."""
    async with Bench(plane.url).running() as bench:
        await plane.wait_for(lambda: plane.hellos)
        first = await plane.command("act", {"n": 1}, id="a")
        again = await plane.command("act", {"n": 1}, id="a")
        before = len(plane.said)
        await plane.connections[-1].close(1012)
        resent = await plane.wait_for(lambda: [m for m in plane.said[before:] if isinstance(m, wire.Outcome)])

    assert first == again == resent[0] == wire.Outcome(command="a", ok=True, result={"done": 1})
    assert bench.acts == [{"n": 1}]


async def test_commands_that_are_not_carried_out_say_why(plane: ControlPlane) -> None:
    """Unknown, expired and stale commands, refusals and our own faults end in an outcome with a reason."""
    async with Bench(plane.url).running() as bench:
        await plane.wait_for(lambda: plane.hellos)
        await plane.command("act", {}, id="new-leader", epoch=5)
        errors = [
            (await plane.command("shell", {}, epoch=5)).error,
            (await plane.command("act", {}, id="late", epoch=5, expires_in_s=0.0)).error,
            (await plane.command("act", {}, id="old", epoch=4)).error,
            (await plane.command("act", {"refuse": "no room"}, id="full", epoch=5)).error,
            (await plane.command("act", {"break": "oops"}, id="broken", epoch=5)).error,
        ]
        # An act that never began may be asked for again, under the same id.
        retried = await plane.command("act", {}, id="old", epoch=6)

    assert errors == ["unknown verb 'shell'", "expired", "stale epoch", "no room", "RuntimeError: oops"]
    assert retried.ok
    assert bench.saved == [5, 6]


async def test_a_question_survives_a_reconnect(plane: ControlPlane) -> None:
    """A job event without an answer is put again on the next connection; the answer reaches who asked."""
    answers: list[wire.JobAnswer | None] = []

    def judge(event: wire.JobEvent) -> wire.JobAnswer | None:
        answers.append(None if not answers else wire.JobAnswer(event.ref, False, "given up"))
        return answers[-1]

    plane.judge = judge
    async with Bench(plane.url).running() as bench:
        await plane.wait_for(lambda: plane.hellos)
        asking = bench.link.ask("j1", 2, "claim")
        await plane.wait_for(lambda: plane.of(wire.JobEvent))
        await plane.connections[-1].close(1012)
        async with asyncio.timeout(10):
            answer = await asking

    assert (answer.accepted, answer.reason) == (False, "given up")
    assert len({event.ref for event in plane.of(wire.JobEvent)}) == 1


async def test_what_the_wire_does_not_carry_is_refused_at_once(plane: ControlPlane) -> None:
    """The connection, and what others ask on it, goes on."""
    async with Bench(plane.url).running() as bench:
        await plane.wait_for(lambda: plane.hellos)
        with pytest.raises(OverflowError):
            bench.link.ask("j1", 1, "succeeded", result=2**70)
        async with asyncio.timeout(10):
            answer = await bench.link.ask("j1", 1, "succeeded", result=2**60)

    assert answer.accepted
    assert [event.result for event in plane.of(wire.JobEvent)] == [2**60]
    assert len(plane.hellos) == 1


async def test_more_than_the_connection_takes_at_once_comes_in_its_order(plane: ControlPlane) -> None:
    """Questions that find the connection full wait their turn, and those that come after them do too."""
    lines = "x" * 40_000
    async with Bench(plane.url).running() as bench:
        await plane.wait_for(lambda: plane.hellos)
        asked = [bench.link.ask("j1", number, "report", lines=lines) for number in range(1, 201)]
        async with asyncio.timeout(30):
            await asyncio.gather(*asked)

    assert [event.attempt for event in plane.of(wire.JobEvent)] == list(range(1, 201))


async def test_refusals_are_counted_and_logged_once(
    plane: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    """Each code of refusal is logged the first time and counted every time."""
    with caplog.at_level(logging.WARNING, "steelyard.agent"):
        async with Bench(plane.url).running() as bench:
            await plane.wait_for(lambda: plane.hellos)
            for seq in range(3):
                await plane.send(
                    wire.Refused(seq=seq, code="too_large", field="cpu", reason="more than capacity")
                )
            await plane.command("act", {})

    assert bench.link.refused == {"too_large": 3}
    assert sum("too_large" in record.message for record in caplog.records) == 1


async def test_nonsense_from_the_server_is_survived(plane: ControlPlane) -> None:
    """A frame that is no message ends the connection; the agent comes back."""
    async with Bench(plane.url).running():
        await plane.wait_for(lambda: plane.hellos)
        await plane.connections[-1].send(b"\xff\x00nonsense")
        await plane.wait_for(lambda: len(plane.hellos) == 2)
        await plane.connections[-1].send("text")
        await plane.wait_for(lambda: len(plane.hellos) == 3)

    assert len(plane.bearers) == 3


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("http://console", "ws://console/agent/v1/link"),
        ("https://console:8443/", "wss://console:8443/agent/v1/link"),
        ("https://[::1]:8/under", "wss://[::1]:8/under/agent/v1/link"),
    ],
)
def test_link_urls(url: str, link: str) -> None:
    """http becomes ws, https wss; a path before ours is kept."""
    assert link_url(url) == link


@pytest.mark.parametrize(
    "url", ["console", "ftp://console", "http://", "http://a:b@console", "http://c:99999", "http://[1"]
)
def test_urls_that_are_none(url: str) -> None:
    """What cannot be a console's URL is refused before anything is sent."""
    with pytest.raises(WrongInput):
        link_url(url)


def test_the_local_address_is_that_of_the_route() -> None:
    """To reach a console on loopback this host has a loopback address."""
    assert local_address("http://127.0.0.1:9") == "127.0.0.1"
