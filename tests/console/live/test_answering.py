"""Workers' questions, answered together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents import wire
from console.actions import Actor
from console.live import answering as module
from console.live.answering import Answering

AGENT = Actor(kind="agent", name="web-1")


def event(ref: int) -> wire.JobEvent:
    return wire.JobEvent(ref=ref, event="claim", job=f"job-{ref}", attempt=1)


async def test_what_is_asked_at_one_moment_is_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked at one moment is taken in one go, and each has its own answer."""
    taken: list[list[str]] = []

    def take(said: Any) -> list[str]:
        taken.append([one.job for _, one in said])
        return [one.job for _, one in said]

    monkeypatch.setattr(module, "take_job_events", take)
    answering = Answering()
    answers = await asyncio.gather(*(answering.ask(AGENT, event(ref)) for ref in range(4)))

    assert answers == [f"job-{ref}" for ref in range(4)]
    assert taken == [answers]


async def test_everybody_is_told_where_nothing_could_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever, and the next question is asked as if nothing had been."""

    def fail(said: Any) -> list[str]:
        raise ConnectionError("the database is away")

    answering = Answering()
    with monkeypatch.context() as away:
        away.setattr(module, "take_job_events", fail)
        answers = await asyncio.gather(
            *(answering.ask(AGENT, event(ref)) for ref in range(3)), return_exceptions=True
        )
    assert [str(answer) for answer in answers] == ["the database is away"] * 3

    monkeypatch.setattr(module, "take_job_events", lambda said: ["" for _ in said])
    assert await asyncio.wait_for(answering.ask(AGENT, event(9)), 10) == ""
