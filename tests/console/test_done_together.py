"""Work that is asked for one by one and done together: each asker has an answer of its own."""

from __future__ import annotations

import threading

import pytest
from console_racing import at_once

from console.together import Together


def test_each_asker_hears_its_own_answer_or_error() -> None:
    """However they are gathered; in every gathering they are in the order in which they asked, at most so many."""
    gathered: list[list[int]] = []

    def halve(numbers: list[int]) -> list[int | Exception]:
        gathered.append(numbers)
        return [ValueError(number) if number % 2 else number // 2 for number in numbers]

    together: Together[int, int] = Together(halve, most=4)

    answers = at_once(*[lambda number=number: together.do(number) for number in range(20)])

    for number, answer in enumerate(answers):
        if number % 2:
            assert isinstance(answer, ValueError)
            assert answer.args == (number,)
        else:
            assert answer == number // 2
    assert list(range(20)) == sorted(number for some in gathered for number in some)
    assert max(map(len, gathered)) <= 4


def test_who_comes_meanwhile_joins_the_next() -> None:
    """One is at work while the others come: they are done in one further round."""
    begun, go_on = threading.Event(), threading.Event()
    gathered: list[list[int]] = []

    def work(numbers: list[int]) -> list[int | Exception]:
        gathered.append(numbers)
        if numbers == [0]:
            begun.set()
            go_on.wait(10)
        return list(numbers)

    together: Together[int, int] = Together(work, most=100)
    first = threading.Thread(target=together.do, args=[0])
    first.start()
    assert begun.wait(10)
    others = [threading.Thread(target=together.do, args=[number]) for number in (1, 2, 3)]
    for other in others:
        other.start()
    while len(together._waiting) < 3:
        begun.wait(0.001)
    go_on.set()
    for thread in (first, *others):
        thread.join(10)

    assert [[0], [1, 2, 3]] == [sorted(some) for some in gathered]


def test_what_breaks_the_work_is_said_to_all_and_ends_nothing() -> None:
    """The next ones are done."""

    def work(numbers: list[int]) -> list[int | Exception]:
        if 0 in numbers:
            raise RuntimeError("as if the database were away")
        return list(numbers)

    together: Together[int, int] = Together(work, most=100)

    with pytest.raises(RuntimeError):
        together.do(0)
    assert together.do(1) == 1
