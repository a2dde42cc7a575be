"""Pickers: even, steady when members come and go, and plain about what they cannot do."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from balancer_core.pickers import (
    BoundedLoad,
    InvalidMembers,
    Jump,
    Maglev,
    Members,
    PowerOfTwoChoices,
    Rendezvous,
    ShortestDelay,
    digest,
    digests,
)

KEYS = [f"session-{number}" for number in range(20_000)]
HASHES = digests(KEYS)
EQUAL = {f"web-{number}": 1.0 for number in range(20)}
MIXED = {f"web-{number}": 4.0 if number < 5 else 1.0 for number in range(20)}

some_weights = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=4), st.sampled_from([0.5, 1.0, 2.0, 7.0]), min_size=2, max_size=8
)


def named(picker: Any, hashes: NDArray[np.uint64] = HASHES) -> NDArray[np.str_]:
    """The member of each digest."""
    return np.array(picker.members.names)[picker.rows(hashes)]


def without(weights: dict[str, float], name: str) -> dict[str, float]:
    """All but one."""
    return {each: weight for each, weight in weights.items() if each != name}


def test_every_bit_of_a_key_moves_every_bit_of_its_digest() -> None:
    """Over 2,000 keys, each of 64 bits in flips each of 64 bits out in 45 % to 55 % of cases."""
    words = [digest(f"w{number}") for number in range(2_000)]
    for bit in range(0, 64, 7):
        pairs = [((word).to_bytes(8, "little"), (word ^ 1 << bit).to_bytes(8, "little")) for word in words]
        flips = np.array([digest(one) ^ digest(other) for one, other in pairs], dtype=np.uint64)
        shares = [int(((flips >> np.uint64(out)) & np.uint64(1)).sum()) / len(words) for out in range(64)]
        assert min(shares) > 0.45
        assert max(shares) < 0.55


def test_numbered_keys_fall_evenly() -> None:
    """Chi-square over 256 cells, of the high and of the low bits, is what chance gives (255 +- 6 sigma)."""
    for cells in (HASHES >> np.uint64(56), HASHES & np.uint64(255)):
        counts, expected = np.bincount(cells.astype(np.int64), minlength=256), len(HASHES) / 256
        assert abs(float(((counts - expected) ** 2 / expected).sum()) - 255) < 6 * (2 * 255) ** 0.5


def test_two_seeds_are_two_functions() -> None:
    """As many keys stay with their member under another seed as chance has it."""
    one, other = (named(Rendezvous(Members(EQUAL, seed)), digests(KEYS, seed)) for seed in (0, 1))
    assert 0.04 < float((one == other).mean()) < 0.06


@pytest.mark.parametrize("weights", [EQUAL, MIXED], ids=["equal", "mixed"])
@pytest.mark.parametrize("picker", [Rendezvous, Maglev, BoundedLoad])
def test_each_member_takes_its_share(picker: Any, weights: dict[str, float]) -> None:
    """Within five standard deviations of its weight's share of the keys."""
    members = Members(weights)
    counts, expected = np.bincount(picker(members).rows(HASHES)), members.shares() * len(KEYS)
    assert (abs(counts - expected) < 5 * expected**0.5).all()


def test_a_maglev_table_is_even_to_a_few_slots() -> None:
    """Of equal members no two differ by more than one slot; weighted ones are within four of their share."""
    assert {3276, 3277} == set(np.bincount(Maglev(Members(EQUAL)).table).tolist())
    members = Members(MIXED)
    slots = np.bincount(Maglev(members).table)
    assert (abs(slots - members.shares() * 65_537) < 4).all()


@given(some_weights, st.data())
def test_rendezvous_moves_only_the_keys_of_who_left(weights: dict[str, float], data: st.DataObject) -> None:
    """Exactly the minimum, whoever leaves, with any weights; read backwards, the same for who comes."""
    gone = data.draw(st.sampled_from(sorted(weights)))
    before = named(Rendezvous(Members(weights)), HASHES[:500])
    after = named(Rendezvous(Members(without(weights, gone))), HASHES[:500])
    assert ((before == after) == (before != gone)).all()


@given(some_weights, st.data())
def test_rendezvous_moves_keys_only_to_who_gained_weight(
    weights: dict[str, float], data: st.DataObject
) -> None:
    """A heavier member takes keys; nobody else gets one."""
    heavier = data.draw(st.sampled_from(sorted(weights)))
    before = named(Rendezvous(Members(weights)), HASHES[:500])
    after = named(Rendezvous(Members(weights | {heavier: 8.0})), HASHES[:500])
    assert set(after[before != after].tolist()) <= {heavier}


def test_rendezvous_ranks_who_would_take_over() -> None:
    """The second of a ranking is the pick when the first is gone."""
    picker = Rendezvous(Members(MIXED))
    for key in KEYS[:50]:
        first, second, third = picker.ranking(key, 3)
        assert first == picker.pick(key)
        assert second == Rendezvous(Members(without(MIXED, first))).pick(key)
        assert 3 == len({first, second, third})
    assert 20 == len(picker.ranking("k", 99))


@given(st.dictionaries(st.text("abcdefgh", min_size=1), st.sampled_from([1.0, 2.0]), min_size=1, max_size=6))
def test_maglev_does_not_depend_on_the_order_of_members(weights: dict[str, float]) -> None:
    """Two pickers that list the same members differently agree on every key."""
    other = dict(reversed(weights.items()))
    one, two = (named(Maglev(Members(each), 1009), HASHES[:300]) for each in (weights, other))
    assert (one == two).all()


@pytest.mark.parametrize("weights", [EQUAL, MIXED], ids=["equal", "mixed"])
def test_maglev_moves_few_keys_beyond_the_minimum(weights: dict[str, float]) -> None:
    """Less than 3 % of the keys that could have stayed, whoever leaves."""
    before = named(Maglev(Members(weights)))
    for gone in ("web-0", "web-7", "web-19"):
        after = named(Maglev(Members(without(weights, gone))))
        assert float(((before != after) & (before != gone)).mean()) < 0.03
        assert gone not in after


@given(st.integers(1, 300))
def test_jump_moves_keys_into_the_new_bucket_only(buckets: int) -> None:
    """Adding the last is the minimum; removing it is the same step backwards."""
    before, after = Jump(buckets).rows(HASHES[:300]), Jump(buckets + 1).rows(HASHES[:300])
    assert ((before == after) | (after == buckets)).all()


@given(some_weights, st.sampled_from([0.01, 0.05, 0.25, 2.0]), st.integers(0, 300))
def test_bounded_load_never_passes_its_bound(weights: dict[str, float], slack: float, total: int) -> None:
    """Hard, for any weights, and everyone finds a place."""
    members = Members(weights)
    picker = BoundedLoad(members, slack)
    rows = picker.rows(HASHES[:total])
    assert (np.bincount(rows, minlength=len(members)) <= picker.bounds(total)).all()
    assert (picker.bounds(total) <= np.ceil((1 + slack) * total * members.shares() + 1e-9)).all()
    assert 0 <= rows.min(initial=0)


def test_bounded_load_leaves_a_key_at_home_until_that_is_full() -> None:
    """Its own member while there is room; then the next of its ranking, as if the member had left."""
    members = Members({"a": 1.0, "b": 1.0, "c": 1.0})
    picker, ranking = BoundedLoad(members, 0.25), Rendezvous(members).ranking("key", 3)
    full = np.array([30 * (name == ranking[0]) for name in members.names])
    assert ranking[0] == picker.pick("key", full * 0)
    assert ranking[0] == picker.pick("key", full * 0 + 10)
    assert ranking[1] == picker.pick("key", full)
    with pytest.raises(ValueError, match="allowance"):
        picker.pick("key", full[:2])


@pytest.mark.parametrize("picker", [Rendezvous, Maglev])
def test_one_pick_is_the_same_as_a_row_of_many(picker: Any) -> None:
    """Names and rows say the same, also under another seed."""
    chosen = picker(Members(MIXED, 9))
    rows = chosen.rows(digests(KEYS[:200], 9))
    assert [chosen.pick(key) for key in KEYS[:200]] == [chosen.members.names[row] for row in rows]
    assert Jump(7, 9).pick("k") == Jump(7, 9).rows(digests(["k"], 9)).item()


def test_a_key_that_reads_like_a_member_is_a_key_like_any_other() -> None:
    """Members' names as keys go to no more of their own members than chance has it."""
    names = {f"n{number}": 1.0 for number in range(500)}
    picker = Rendezvous(Members(names))
    assert sum(picker.pick(name) == name for name in names) < 10


def test_two_choices_take_the_less_busy_and_draw_two_distinct() -> None:
    """With two members both are always drawn, so the idle one takes all; ties are counted."""
    picker = PowerOfTwoChoices(Members({"busy": 1.0, "idle": 1.0}), np.random.default_rng(7))
    assert {"idle"} == {picker.pick([5, 0]) for _ in range(100)}
    assert (0, 100) == (picker.ties, picker.picks)
    assert {"busy", "idle"} == {picker.pick([3, 3]) for _ in range(50)}
    assert 50 == picker.ties
    assert "one" == PowerOfTwoChoices(Members({"one": 1.0}), np.random.default_rng(7)).pick([9])


@given(some_weights, st.floats(0.0, 1.0, exclude_max=True), st.floats(0.0, 1.0, exclude_max=True))
def test_two_choices_never_draw_one_member_twice(
    weights: dict[str, float], first: float, second: float
) -> None:
    """Whatever the numbers drawn: the first drawn, once it is busy, loses against the second."""
    members = Members(weights)
    numbers = iter([first, second, first, second])
    source = type("Given", (), {"random": lambda self: next(numbers)})()
    drawn = PowerOfTwoChoices(members, source).pick([0] * len(members))
    busy = [1_000_000 if name == drawn else 0 for name in members.names]
    assert drawn != PowerOfTwoChoices(members, source).pick(busy)


def test_two_choices_keep_unequal_members_level() -> None:
    """5,000 requests leave members level for their weight; by chance alone they would not be."""
    members, rng = Members(MIXED), np.random.default_rng(3)
    picker, in_flight = PowerOfTwoChoices(members, rng), [0] * 20
    row = {name: place for place, name in enumerate(members.names)}
    for _ in range(5_000):
        in_flight[row[picker.pick(in_flight)]] += 1
    levels = np.array(in_flight) / members.shares() / 5_000
    assert levels.max() < 1.05


def test_shortest_delay_picks_the_fastest_and_shares_ties() -> None:
    """(in flight + 1) / weight decides; equal members take turns by chance."""
    picker = ShortestDelay(Members({"slow": 1.0, "fast": 4.0}), np.random.default_rng(1))
    assert ["fast", "fast", "slow"] == [picker.pick(each) for each in ([0, 0], [0, 2], [0, 4])]
    even = ShortestDelay(Members(EQUAL), np.random.default_rng(1))
    counts = Counter(even.pick([0] * 20) for _ in range(2_000))
    assert (20, True) == (len(counts), max(counts.values()) < 150)
    with pytest.raises(ValueError, match="1 numbers for 2 members"):
        picker.pick([1])


def test_shortest_delay_takes_its_options() -> None:
    """Own zone first, whom one tried last, newcomers slowly, who fails hardly; by name, in any order of members."""
    members = Members({"far": 4.0, "here": 1.0, "near": 1.0})
    rng = np.random.default_rng(1)
    zoned = ShortestDelay(members, rng, near={"here", "near"}, spill=3.0)
    assert "far" not in {zoned.pick([0, 0, 0]) for _ in range(50)}
    assert ["here", "near", "far"] == [zoned.pick(each) for each in ([3, 0, 1], [9, 2, 1], [0, 9, 9])]
    assert "far" == zoned.pick([0, 0, 0], tried={"here", "near"})
    assert zoned.pick([0, 0, 0], tried=members.names) in {"here", "near"}
    plain = ShortestDelay(members, rng, slow_start_s=10.0)
    plain.join("far", 100.0)
    assert "far" not in {plain.pick([0, 0, 0], 100.0) for _ in range(50)}
    assert "far" == plain.pick([0, 0, 0], 106.0)
    nothing = [0, 0, 0]
    plain.pick(nothing, 120.0, (nothing, nothing))
    assert "far" not in {plain.pick(nothing, 121.0, (nothing, [9, 0, 0])) for _ in range(50)}


def test_a_weight_of_zero_takes_no_part() -> None:
    """It is left out, and comes back without moving more than its own keys."""
    assert ("b",) == Members({"a": 0, "b": 2}).names


@pytest.mark.parametrize(
    ("weights", "field", "code"),
    [
        ([], "members", "not_a_mapping"),
        ({}, "members", "empty"),
        ({"a": 0.0}, "members", "empty"),
        ({"": 1.0}, "members", "invalid_name"),
        ({7: 1.0}, "members", "invalid_name"),
        ({"a": float("nan")}, "members.a", "invalid_weight"),
        ({"a": float("inf")}, "members.a", "invalid_weight"),
        ({"a": -1.0}, "members.a", "invalid_weight"),
        ({"a": True}, "members.a", "invalid_weight"),
        ({"a": "1"}, "members.a", "invalid_weight"),
        ({"a": 1e-9, "b": 1.0}, "members.a", "too_uneven"),
    ],
)
def test_wrong_members_name_their_field(weights: Any, field: str, code: str) -> None:
    """Typed, before anything is built."""
    with pytest.raises(InvalidMembers) as refused:
        Members(weights)
    assert (field, code) == (refused.value.field, refused.value.code)


@pytest.mark.parametrize(
    ("build", "field", "code"),
    [
        (lambda: Members({"a": 1.0}, -1), "seed", "out_of_range"),
        (lambda: Members({"a": 1.0}, 2**64), "seed", "out_of_range"),
        (lambda: Maglev(Members({"a": 1.0}), 100), "size", "too_small"),
        (lambda: Maglev(Members({"a": 1.0}), 65_536), "size", "not_prime"),
        (lambda: Maglev(Members({"a": 1.0}), 10**12), "size", "too_large"),
        (lambda: Jump(0), "buckets", "out_of_range"),
        (lambda: Jump(2**31), "buckets", "out_of_range"),
        (lambda: Jump(3, -1), "seed", "out_of_range"),
        (lambda: BoundedLoad(Members({"a": 1.0}), 0.0), "slack", "out_of_range"),
        (lambda: BoundedLoad(Members({"a": 1.0}), float("nan")), "slack", "out_of_range"),
        (
            lambda: ShortestDelay(Members({"a": 1.0}), np.random.default_rng(1), pickers=0.5),
            "pickers",
            "out_of_range",
        ),
        (
            lambda: ShortestDelay(Members({"a": 1.0}), np.random.default_rng(1), spill=0.9),
            "spill",
            "out_of_range",
        ),
        (lambda: ShortestDelay(Members({"a": 1.0}), np.random.default_rng(1), near={"b"}), "near", "unknown"),
    ],
)
def test_wrong_figures_name_their_field(build: Any, field: str, code: str) -> None:
    """The same error for what a picker itself is given."""
    with pytest.raises(InvalidMembers) as refused:
        build()
    assert (field, code) == (refused.value.field, refused.value.code)


def test_a_large_pool_gets_a_larger_table() -> None:
    """More than 100 slots a member, and prime."""
    assert 65_537 == Maglev(Members({f"m{number}": 1.0 for number in range(655)})).size
    assert 65_609 == Maglev(Members({f"m{number}": 1.0 for number in range(656)})).size
