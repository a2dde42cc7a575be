"""The compiled hashing gives the reference's results on every input, and keeps the values it promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer_core._kernels import hashing, hashing_reference

words = st.sampled_from([0, 1, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
keys = st.binary(max_size=40) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
weights = st.sampled_from([1.0, 0.5, 1e-6]) | st.floats(1e-6, 1.0)


@st.composite
def pools(draw: st.DrawFn) -> tuple[list[int], list[float]]:
    """Seeds and weights of one to twelve members; equal seeds too, so that ties are met."""
    count = draw(st.integers(1, 12))
    return draw(st.lists(words, min_size=count, max_size=count)), draw(
        st.lists(weights, min_size=count, max_size=count)
    )


@given(keys, words)
def test_digests_are_the_same(key: str | bytes, seed: int) -> None:
    """One at a time and many at once, str as its UTF-8."""
    many = np.zeros(1, dtype=np.uint64)
    hashing.digest_many([key], seed, many)
    expected = hashing_reference.digest(key, seed)
    assert (expected, expected) == (hashing.digest(key, seed), many.item(0))


@given(words)
def test_mixing_is_the_same(word: int) -> None:
    """The bijection that all else is made of."""
    assert hashing_reference.mix(word) == hashing.mix(word)


@given(words, pools())
def test_rendezvous_is_the_same(hashed: int, pool: tuple[list[int], list[float]]) -> None:
    """Skipping logarithms changes no pick."""
    seeds, shares = np.array(pool[0], dtype=np.uint64), np.array(pool[1])
    rows = np.zeros(1, dtype=np.int64)
    hashing.rendezvous_many(np.array([hashed], dtype=np.uint64), seeds, shares, rows)
    assert hashing_reference.rendezvous(hashed, *pool) == rows.item(0)


@given(keys, words, pools(), st.integers(-1, 4), st.sampled_from([0.1, 0.7, 1.0]), st.data())
def test_one_pick_is_the_same(
    key: str | bytes,
    seed: int,
    pool: tuple[list[int], list[float]],
    total: int,
    allowance: float,
    data: st.DataObject,
) -> None:
    """From the key itself, with and without bounds, and with all loads and one more as the total."""
    ranker = hashing.Ranker(np.array(pool[0], dtype=np.uint64), np.array(pool[1]), seed)
    count, hashed = len(pool[0]), hashing_reference.digest(key, seed)
    assert hashing_reference.rendezvous(hashed, *pool) == ranker.pick(key)
    loads = data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    expected = hashing_reference.bounded(hashed, *pool, loads, [allowance] * count, total)
    assert expected == ranker.pick_bounded(key, np.array(loads), np.full(count, allowance), total)


@given(st.lists(words, max_size=20), pools(), st.integers(0, 4), st.sampled_from([0.1, 0.7, 1.0]))
def test_bounded_picks_are_the_same(
    hashes: list[int], pool: tuple[list[int], list[float]], total: int, allowance: float
) -> None:
    """In order, each counting for the next, until nobody has room and the row is -1."""
    seeds, shares = np.array(pool[0], dtype=np.uint64), np.array(pool[1])
    loads, allowances = np.zeros(len(seeds), dtype=np.int64), np.full(len(seeds), allowance)
    rows = np.zeros(len(hashes), dtype=np.int64)
    hashing.bounded_many(np.array(hashes, dtype=np.uint64), seeds, shares, loads, allowances, total, rows)
    held, expected = [0] * len(seeds), []
    for hashed in hashes:
        row = hashing_reference.bounded(hashed, *pool, held, [allowance] * len(seeds), total)
        expected.append(row)
        if row >= 0:
            held[row] += 1
    assert (expected, held) == (rows.tolist(), loads.tolist())


@given(words, st.sampled_from([1, 2, 2**31 - 1]) | st.integers(1, 5000))
def test_jumps_are_the_same(hashed: int, buckets: int) -> None:
    """Up to the most buckets there can be."""
    rows = np.zeros(1, dtype=np.int64)
    hashing.jump_many(np.array([hashed], dtype=np.uint64), buckets, rows)
    expected = hashing_reference.jump(hashed, buckets)
    assert (expected, expected) == (hashing.jump(hashed, buckets), rows.item(0))


@given(st.data(), st.sampled_from([13, 101, 211]), st.lists(weights, max_size=11))
def test_maglev_tables_are_the_same(data: st.DataObject, size: int, others: list[float]) -> None:
    """Slot by slot, for any order of slots and any weights."""
    turns = [*others, 1.0]
    bounded = st.lists(st.integers(0, size - 2), min_size=len(turns), max_size=len(turns))
    starts, strides = data.draw(bounded), [stride + 1 for stride in data.draw(bounded)]
    table = np.zeros(size, dtype=np.int32)
    hashing.maglev_fill(
        np.array(starts, dtype=np.int64),
        np.array(strides, dtype=np.int64),
        np.array(turns),
        np.zeros(len(turns), dtype=np.int64),
        np.zeros(len(turns)),
        table,
    )
    assert hashing_reference.maglev_fill(starts, strides, turns, size) == table.tolist()


@pytest.mark.parametrize(
    ("key", "seed", "expected"),
    [
        ("", 0, 12035550249420947055),
        (b"steelyard", 0, 5374268679663419064),
        ("steelyard", 1, 10999574417161663349),
        ("a key of more than eight bytes", 2**64 - 1, 5118950623242558846),
    ],
)
def test_the_values_are_a_promise(key: str | bytes, seed: int, expected: int) -> None:
    """Another value would move every session of every user."""
    assert expected == hashing.digest(key, seed)


@pytest.mark.parametrize(
    ("key", "error"), [(7, TypeError), (None, TypeError), ("\ud800", UnicodeEncodeError)], ids=repr
)
def test_what_is_no_key_is_refused(key: object, error: type[Exception]) -> None:
    """One at a time and many at once."""
    with pytest.raises(error):
        hashing.digest(key)  # type: ignore[arg-type]
    with pytest.raises(error):
        hashing.digest_many([key], 0, np.zeros(1, dtype=np.uint64))  # type: ignore[list-item]


def test_shapes_and_values_that_would_read_elsewhere_or_never_end_are_refused() -> None:
    """The kernels read no memory that they were not given, and every loop ends."""
    two, three = np.ones(2, dtype=np.uint64), np.ones(3)
    whole, wide = np.ones(2, dtype=np.int64), np.zeros(8, dtype=np.int32)
    with pytest.raises(ValueError, match="one weight"):
        hashing.Ranker(two, three)
    with pytest.raises(ValueError, match="one weight"):
        hashing.Ranker(two[:0], three[:0])
    with pytest.raises(ValueError, match="one row a hash"):
        hashing.rendezvous_many(two, two, three[:2], np.ones(3, dtype=np.int64))
    with pytest.raises(ValueError, match="one load and allowance"):
        hashing.Ranker(two, three[:2]).pick_bounded("k", whole, three)
    with pytest.raises(TypeError, match="argument"):
        hashing.Ranker.__new__(hashing.Ranker)
    with pytest.raises(ValueError, match="one weight, load and allowance"):
        hashing.bounded_many(two, two, three[:2], whole, three[:2], 1, whole[:1])
    with pytest.raises(ValueError, match="at least one bucket"):
        hashing.jump(1, 0)
    with pytest.raises(ValueError, match="one row a hash"):
        hashing.jump_many(two, 3, whole[:1])
    with pytest.raises(ValueError, match="as many hashes"):
        hashing.digest_many(["a"], 0, two)
    with pytest.raises(ValueError, match="out of range"):
        hashing.maglev_fill(whole, whole * 8, np.ones(2), whole.copy(), np.ones(2), wide)
    with pytest.raises(ValueError, match="heaviest"):
        hashing.maglev_fill(whole, whole, np.full(2, 0.5), whole.copy(), np.ones(2), wide)
    with pytest.raises(ValueError, match="one start"):
        hashing.maglev_fill(whole, whole[:1], np.ones(2), whole.copy(), np.ones(2), wide)
    with pytest.raises(ValueError, match="not prime"):
        hashing.maglev_fill(whole, whole * 4, np.ones(2), whole.copy(), np.ones(2), wide)
