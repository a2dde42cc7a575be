"""The live cluster and its snapshots."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer_core.cluster import CORDONED, DRAINING, Cluster, InvalidHost, InvalidLabel, Snapshot
from balancer_core.resources import InvalidAmount


def small_cluster() -> Cluster:
    """Two hosts, one of them with a report."""
    cluster = Cluster()
    cluster.add_host("one", {"cpu": 4, "memory": 100}, {"zone": "a"})
    cluster.add_host("two", {"cpu": 8}, {"zone": "b"}, CORDONED)
    cluster.reserve("one", cluster.dimensions.vector({"cpu": 1}))
    cluster.report("one", {"cpu": 2, "memory": 50}, 10.0)
    return cluster


def contents(snapshot: Snapshot) -> tuple[object, ...]:
    """Everything that a snapshot says, for comparison."""
    columns = (snapshot.capacity, snapshot.reserved, snapshot.used, snapshot.reported_at, snapshot.flags)
    return (
        snapshot.names,
        dict(snapshot.rows),
        snapshot.labels.rows,
        *(column.tolist() for column in columns),
    )


def test_rows_keep_the_order_of_joining_when_one_leaves() -> None:
    """Later hosts move up with all that is known of them."""
    cluster = small_cluster()
    cluster.add_host("three", {"cpu": 2})
    cluster.report("three", {"cpu": 1}, 20.0)
    cluster.remove_host("one")
    snapshot = cluster.snapshot()
    assert snapshot.names == ("two", "three")
    assert snapshot.capacity[:, 0].tolist() == [8.0, 2.0]
    assert [-math.inf, 20.0] == snapshot.reported_at.tolist()
    assert snapshot.flags.tolist() == [CORDONED, 0]
    assert cluster.row("three") == 1


def test_a_host_that_comes_again_starts_clean() -> None:
    """Nothing of a removed host is left in its row."""
    cluster = small_cluster()
    cluster.remove_host("two")
    cluster.remove_host("one")
    cluster.add_host("one", {"cpu": 1})
    snapshot = cluster.snapshot()
    assert snapshot.used.sum() + snapshot.reserved.sum() == 0.0
    assert -math.inf == snapshot.reported_at[0]


def test_columns_grow_and_stay_contiguous() -> None:
    """Many hosts keep their values over the growth, in arrays that a kernel can read."""
    cluster = Cluster()
    for number in range(100):
        cluster.add_host(f"h{number}", {"cpu": number + 1})
    snapshot = cluster.snapshot()
    assert list(range(1, 101)) == snapshot.capacity[:, 0].tolist()
    assert snapshot.capacity.flags.c_contiguous
    assert 100 == len(cluster) == len(snapshot)


def test_a_snapshot_is_cached_until_something_changes() -> None:
    """Same version, same object; a change makes a new one and leaves the old as it was."""
    cluster = small_cluster()
    before = cluster.snapshot()
    assert before is cluster.snapshot()
    cluster.report("one", {"cpu": 3}, 11.0)
    assert before.used[0, 0] == 2.0
    assert cluster.snapshot().used[0, 0] == 3.0
    assert before.version < cluster.snapshot().version


def test_a_snapshot_cannot_be_written() -> None:
    """Its arrays are read-only and its rows a read-only mapping."""
    snapshot = small_cluster().snapshot()
    for column in (snapshot.capacity, snapshot.reserved, snapshot.used, snapshot.reported_at, snapshot.flags):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1
    with pytest.raises(TypeError):
        snapshot.rows["x"] = 1  # type: ignore[index]


def test_label_columns_survive_reports() -> None:
    """Reports come all the time; the columns of labels are made again only when labels or hosts change."""
    cluster = small_cluster()
    before = cluster.snapshot().labels
    cluster.report("one", {"cpu": 3}, 11.0)
    assert before is cluster.snapshot().labels
    cluster.set_labels("one", {"zone": "c"})
    column, numbers = cluster.snapshot().labels.column("zone")
    assert [numbers["c"], numbers["b"]] == column.tolist()


def test_a_report_is_the_whole_picture() -> None:
    """A resource that a report does not name is not measured any more."""
    cluster = small_cluster()
    cluster.report("one", {"cpu": 1}, 12.0)
    assert cluster.snapshot().used[0, :2].tolist() == [1.0, 0.0]


AMOUNTS = st.sampled_from([0.0, 0.5, 3.0, 1e6, 1e9, 2.0**60, -1.0, np.nan, np.inf])


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=2, max_size=2))
def test_many_reports_at_once_are_each_taken_or_refused_as_one_is(amounts: list[tuple[float, float]]) -> None:
    """With the same columns, the same version and the same changes."""
    singly, together = small_cluster(), small_cluster()
    known = singly.dimensions.names
    for each in (singly, together):
        each.set_capacity("two", {"memory": 1e6})  # its cpu is not declared
    table = np.zeros((2, len(known)))
    table[:, :2] = amounts
    taken = []
    for name, row in zip(("one", "two"), table.tolist(), strict=True):
        try:
            singly.report(name, dict(zip(known, row, strict=True)), 12.0)
            taken.append(True)
        except InvalidAmount:
            taken.append(False)
    before = together.version

    assert taken == together.report_all([together.row("one"), together.row("two")], table, 12.0).tolist()

    assert singly.version == together.version
    assert singly.changes_since(before) == together.changes_since(before)
    one, other = singly.snapshot(), together.snapshot()
    assert one.used.tolist() == other.used.tolist()
    assert one.reported_at.tolist() == other.reported_at.tolist()


def test_reports_of_another_shape_or_of_no_time_are_refused() -> None:
    """Whole, and by the field's name."""
    cluster = small_cluster()
    with pytest.raises(InvalidAmount) as refused:
        cluster.report_all([0, 1], np.zeros((2, 1)), 12.0)
    assert refused.value.code == "wrong_shape"
    with pytest.raises(InvalidHost) as late:
        cluster.report_all([0], np.zeros((1, len(cluster.dimensions))), np.nan)
    assert late.value.field == "now"


def test_release_forgives_rounding_but_not_mistakes() -> None:
    """Giving back in other portions ends at zero; giving back more than was taken is refused."""
    cluster = small_cluster()
    vector = cluster.dimensions.vector
    cluster.set_reserved("one", vector({}))
    for _ in range(10):
        cluster.reserve("one", vector({"cpu": 0.1}))
    cluster.release("one", vector({"cpu": 1.0}))
    assert cluster.snapshot().reserved[0, 0] == 0.0
    with pytest.raises(InvalidAmount) as refused:
        cluster.release("one", vector({"cpu": 0.5}))
    assert (refused.value.field, refused.value.code) == ("reserved.cpu", "not_reserved")


BAD: dict[str, Callable[[Cluster], object]] = {
    "a name taken": lambda c: c.add_host("one", {"cpu": 1}),
    "a name with capitals": lambda c: c.add_host("One", {"cpu": 1}),
    "a name that is no text": lambda c: c.add_host(None, {"cpu": 1}),  # type: ignore[arg-type]
    "an unknown resource": lambda c: c.add_host("new", {"gpu": 1}),
    "an infinite capacity": lambda c: c.set_capacity("one", {"cpu": math.inf}),
    "a label that is no word": lambda c: c.add_host("new", {"cpu": 1}, {"zo ne": "a"}),
    "labels with a number": lambda c: c.set_labels("one", {"zone": 1}),  # type: ignore[dict-item]
    "unknown flags": lambda c: c.set_flags("one", 64),
    "a host that is not there": lambda c: c.report("three", {"cpu": 1}, 1.0),
    "NaN in a report": lambda c: c.report("one", {"cpu": 1, "memory": math.nan}, 1.0),
    "a negative in a report": lambda c: c.report("one", {"cpu": -1}, 1.0),
    "more memory than there is": lambda c: c.report("one", {"memory": 200}, 1.0),
    "nine times the cpu": lambda c: c.report("one", {"cpu": 36}, 1.0),
    "an unknown value in a report": lambda c: c.report("one", {"cpu": 1, "heat": 1}, 1.0),
    "a time that is none": lambda c: c.report("one", {"cpu": 1}, math.nan),
    "a vector too short": lambda c: c.reserve("one", np.zeros(2)),
    "an endless reservation": lambda c: c.set_reserved("one", np.full(6, np.inf)),
    "removing nobody": lambda c: c.remove_host("three"),
}


@pytest.mark.parametrize("act", BAD.values(), ids=BAD.keys())
def test_bad_input_changes_nothing(act: Callable[[Cluster], object]) -> None:
    """A typed error that names a field, and the cluster and its version as before."""
    cluster = small_cluster()
    before, version = contents(cluster.snapshot()), cluster.version
    with pytest.raises((InvalidHost, InvalidAmount, InvalidLabel)) as refused:
        act(cluster)
    assert refused.value.field
    assert (before, version) == (contents(cluster.snapshot()), cluster.version)


def test_flags_are_replaced_whole() -> None:
    """set_flags says what holds now, not what is added."""
    cluster = small_cluster()
    cluster.set_flags("two", DRAINING)
    assert cluster.flags("two") == DRAINING
