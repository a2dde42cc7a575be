"""Packing with devices: nothing goes where it does not fit, kept costs are right, whole stays whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer_core.packing import Packer, Shape, copies
from balancer_core.packing.room import MOST_COPIES, PARTS

WHOLE = PARTS
shapes = st.one_of(
    st.builds(Shape, st.tuples(st.integers(0, 9), st.integers(0, 9)), st.integers(0, 4)),
    st.builds(Shape, st.tuples(st.integers(0, 9), st.integers(0, 9)), st.just(1), st.integers(1, PARTS)),
    st.builds(Shape, st.just((1, 1)), st.just(2), st.just(PARTS), st.frozensets(st.integers(0, 2))),
)


@st.composite
def packers(draw: st.DrawFn) -> tuple[Packer, list[Shape]]:
    """Up to eight hosts of three kinds, and the shapes that come."""
    hosts, chance = draw(st.integers(0, 8)), np.random.default_rng(draw(st.integers(0, 2**32)))
    free = chance.integers(0, 40, (hosts, 2))
    devices = chance.choice([0, 300, WHOLE], (hosts, 4))
    typical = draw(st.lists(shapes, min_size=1, max_size=5))
    share = 1.0 / len(typical)
    kinds = chance.integers(0, 3, hosts)
    return Packer(free, devices, kinds, [(shape, share) for shape in typical]), typical


@given(packers(), st.data())
def test_every_load_goes_where_it_fits_and_costs_least(
    drawn: tuple[Packer, list[Shape]], data: st.DataObject
) -> None:
    """The row has room, is the first of the cheapest, and what it took is gone; no room anywhere is None."""
    packer, typical = drawn
    for _ in range(8):
        shape = data.draw(st.sampled_from(typical) | shapes)
        fits = copies(shape, packer.free, packer.devices, packer.kinds) > 0
        costs = packer.costs(shape).copy()
        free, devices = packer.free.copy(), packer.devices.copy()
        row = packer.place(shape)
        assert fits.any() == (row is not None)
        if row is None:
            continue
        assert fits[row]
        assert costs.argmin() == row
        assert (free[row] - packer.free[row]).tolist() == list(shape.amounts)
        assert devices.sum() - packer.devices.sum() == shape.devices * shape.parts
        assert packer.free.min() >= 0
        assert packer.devices.min(initial=0) >= 0


@given(packers(), st.data())
def test_kept_costs_are_those_of_a_fresh_start(
    drawn: tuple[Packer, list[Shape]], data: st.DataObject
) -> None:
    """Costs that were kept while hosts changed equal those computed anew, bit for bit."""
    packer, typical = drawn
    for _ in range(6):
        packer.place(data.draw(st.sampled_from(typical)))
    for shape in typical:
        kept = packer.costs(shape).copy()
        anew = packer._weighed(shape, np.arange(len(packer.free)))
        assert anew.tobytes() == kept.tobytes()


@given(packers())
def test_the_compiled_room_is_the_sum_of_copies(drawn: tuple[Packer, list[Shape]]) -> None:
    """The kernel counts what copies() counts."""
    packer, typical = drawn
    expected = np.zeros(len(packer.free))
    for shape in typical:
        if shape.worth:
            weight = 1.0 / len(typical) * shape.worth
            expected += weight * copies(shape, packer.free, packer.devices, packer.kinds)
    assert expected.tolist() == pytest.approx(packer._room.tolist())


def test_a_part_goes_to_the_device_that_is_in_use() -> None:
    """Two halves share a device, and the other stays whole for a load that wants all of it."""
    half, one = Shape((1,), 1, 500), Shape((1,), 1)
    packer = Packer(np.array([[8]]), np.array([[WHOLE, WHOLE]]), np.array([0]), [(half, 0.5), (one, 0.5)])
    assert [packer.place(half), packer.place(half), packer.place(one)] == [0, 0, 0]
    assert packer.devices.tolist() == [[0, 0]]


def test_whole_hosts_are_kept_for_those_who_need_them() -> None:
    """With loads of four devices about, single ones fill the host that is already broken."""
    one, four = Shape((1,), 1), Shape((4,), 4)
    devices = np.array([[WHOLE] * 4, [WHOLE, WHOLE, WHOLE, 0]])
    packer = Packer(np.array([[4], [3]]), devices, np.array([0, 0]), [(one, 0.5), (four, 0.5)])
    assert [packer.place(one) for _ in range(3)] == [1, 1, 1]
    assert packer.place(four) == 0


def test_only_the_kinds_asked_for() -> None:
    """A load that wants kind 2 finds no place on kinds 0 and 1."""
    shape = Shape((0,), 1, WHOLE, frozenset({2}))
    packer = Packer(np.ones((2, 1), dtype=np.int64), np.full((2, 1), WHOLE), np.array([0, 1]), [(shape, 1.0)])
    assert packer.place(shape) is None


def test_copies_are_counted_up_to_a_bound() -> None:
    """A host with room for a million is not told from one with room for a hundred."""
    room = copies(
        Shape((1,), 0), np.array([[10**6], [3]]), np.zeros((2, 1), dtype=np.int64), np.array([0, 0])
    )
    assert room.tolist() == [MOST_COPIES, 3]


@pytest.mark.parametrize(
    ("amounts", "devices", "parts", "kinds"),
    [
        ((-1,), 0, PARTS, ()),
        ((1,), -1, PARTS, ()),
        ((1,), 2, 500, ()),
        ((1,), 1, 0, ()),
        ((1,), 1, PARTS, (64,)),
    ],
)
def test_shapes_that_mean_nothing_are_refused(
    amounts: tuple[int, ...], devices: int, parts: int, kinds: tuple[int, ...]
) -> None:
    """Negative amounts, parts of several devices, and kinds that cannot be told apart."""
    with pytest.raises(ValueError, match=r"negative|parts|kinds"):
        Shape(amounts, devices, parts, frozenset(kinds))


def test_columns_that_disagree_are_refused() -> None:
    """Every column has a row a host, and nothing free is negative or more than whole."""
    one, kind = np.ones((1, 1), dtype=np.int64), np.array([0])
    for free, devices, kinds in ((one, one, kind.repeat(2)), (-one, one, kind), (one, one * 2 * WHOLE, kind)):
        with pytest.raises(ValueError, match=r"disagree|free"):
            Packer(free, devices, kinds, [])
