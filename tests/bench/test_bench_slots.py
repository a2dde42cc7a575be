"""What the slots' benchmark reckons with: its keys, what it reads of nodes, what moved and how even that is."""

from __future__ import annotations

from collections import Counter

import pytest
from redis.crc import key_slot

from bench.shards.redis_nodes import read_open
from bench.shards.slots import HOT_SHARE, Keys, max_mean, moved


def test_keys_are_the_same_again_and_differ_in_size() -> None:
    """Of one seed; those of the hot tag are in one slot, and large."""
    made = Keys.made(2_000, 20, seed=3)

    assert made == Keys.made(2_000, 20, seed=3) != Keys.made(2_000, 20, seed=4)
    assert {key_slot(name.encode()) for name in made.hot} == {key_slot(b"hot")}
    assert max(made.plain.values()) > 50 * min(made.plain.values()) > 0
    assert sum(made.hot.values()) / 20 > 5 * sum(made.plain.values()) / 2_000


def test_the_hot_tag_is_asked_for_more_often() -> None:
    """Its part of the requests, which are the same again."""
    made = Keys.made(2_000, 20, seed=3)
    asked = made.asked(5_000, seed=1)
    hot = Counter(name in made.hot for name in asked)[True]

    assert asked == made.asked(5_000, seed=1)
    assert hot / 5_000 == pytest.approx(HOT_SHARE, abs=0.03)


def test_open_slots_are_read() -> None:
    """Those that come and those that go, beside those that a node has."""
    said = (
        "a1 10.0.0.1:7000@7001 myself,master - 0 0 1 connected 0-5460 7000 [93-<-b2] [5461->-b2]\n"
        "b2 10.0.0.2:7000@7001 master - 0 1 2 connected 5461-6999\n"
        "c3 10.0.0.3:7000@7001 master - 0 1 3 connected\n"
    )

    assert read_open(said) == {93, 5461}


def test_what_moved_is_what_has_another_owner() -> None:
    """Slots that were given, to whomever; and the fullest is set beside the mean of all, empty ones too."""
    before = {"a": {1, 2, 3}, "b": {4, 5}, "c": set[int]()}

    assert moved(before, before) == set()
    assert moved(before, {"a": {1, 4}, "b": {5}, "c": {2, 3}}) == {2, 3, 4}
    assert max_mean([3, 3, 0]) == 1.5
