"""Requests that keep coming while something else happens."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import httpx

PAUSE_S = 0.01
#: So many at once, each a moment's work: one by one, all would go to the fastest idle host, and a few would leave out
#: one that ramps up.
SENDERS, PATH = 24, "/hold?s=0.1"


class Flow:
    """Threads that send one GET after the other. answers: (status, host), or (0, what went wrong)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._enough = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(SENDERS)]
        self.answers: list[tuple[int, str]] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()

    @property
    def failed(self) -> list[tuple[int, str]]:
        return [answer for answer in self.answers if answer[0] != 200]

    def hosts(self, since: int = 0) -> set[str]:
        """Who answered, from the answer of this number on."""
        return {host for status, host in self.answers[since:] if status == 200}

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=10) as http:
            while not self._enough.wait(PAUSE_S):
                try:
                    answer = http.get(PATH)
                    host = answer.json()["host"] if answer.status_code == 200 else answer.text
                    self.answers.append((answer.status_code, host))
                except httpx.TransportError as error:
                    self.answers.append((0, repr(error)))
