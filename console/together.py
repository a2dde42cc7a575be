"""Work that threads ask for one by one and that is done for many at once: whoever comes while it is under way joins the
next, so that a transaction is synced to disk for all of them together and nobody waits for a clock."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class _One(Generic[Asked, Answer]):
    """What one thread asks for, and what came of it."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.is_done = False
        self.answer: Answer | BaseException

    def end(self, answer: Answer | BaseException) -> None:
        self.answer, self.is_done = answer, True


class Together(Generic[Asked, Answer]):
    """work: does what is asked, at most so many at once, in their order, and answers each; an exception is raised where
    it was asked for."""

    def __init__(self, work: Callable[[list[Asked]], Sequence[Answer | Exception]], most: int) -> None:
        self._work, self._most = work, most
        self._waiting: deque[_One[Asked, Answer]] = deque()
        self._turn = threading.Lock()

    def do(self, asked: Asked) -> Answer:
        """Ask, and wait until it is done; done by this thread where no other is at it."""
        mine: _One[Asked, Answer] = _One(asked)
        self._waiting.append(mine)
        while not mine.is_done:
            with self._turn:
                if not mine.is_done:
                    self._work_off()
        if isinstance(mine.answer, BaseException):
            raise mine.answer
        return mine.answer

    def _work_off(self) -> None:
        those = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._most))]
        try:
            answers = self._work([each.asked for each in those])
        except BaseException as error:
            for each in those:
                each.end(error)
            raise
        for each, answer in zip(those, answers, strict=True):
            each.end(answer)
