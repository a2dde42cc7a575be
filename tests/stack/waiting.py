"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import httpx

T = TypeVar("T")

#: Long enough for a machine that is busy with something else; nothing waits longer than it must.
PATIENCE_S = 45.0
TURN_S = 0.03


class NotYet(Exception):
    """A condition is not met, and this is why."""


def eventually(condition: Callable[[], T], within_s: float = PATIENCE_S, what: str = "") -> T:
    """Ask until the answer is true, and return it. A console that does not answer has not said yes yet; a condition
    that raises NotYet says what is missing.

    Raises AssertionError with the last answer when it takes too long.
    """
    deadline = time.monotonic() + within_s
    last: object = None
    while True:
        try:
            answer = condition()
            if answer:
                return answer
            last = answer
        except (NotYet, httpx.TransportError, OSError) as error:
            last = error
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what or condition}; last: {last!r}"
        time.sleep(TURN_S)
