"""The compiled kernel gives the reference's results, bit for bit, on every input."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from core_strategies import NOW, clusters, loads
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from balancer_core._kernels import MAX_TOP, reference, scan
from balancer_core.cluster import Cluster
from balancer_core.load import Load
from balancer_core.question import Question

#: What arithmetic trips over: zero, denormals, the largest, sums that round, and values validation would
#: refuse.
EDGES = [0.0, -0.0, 5e-324, 2.2e-308, 1e-9, 0.1, 0.2, 0.3, 0.7, 1.0, 1.0 + 2**-52, 3.0, 1e18, 1e154, 1.7e308]
EDGES += [float("inf"), float("nan"), -1.0]
edgy = st.sampled_from(EDGES) | st.floats(0.0, 4.0)


@st.composite
def columns(draw: st.DrawFn) -> dict[str, object]:
    """Arguments of scan() that no validation has seen."""
    hosts, width = draw(st.integers(0, 24)), draw(st.integers(1, 6))
    wide = hnp.arrays(np.float64, (hosts, width), elements=edgy)
    across = hnp.arrays(np.float64, width, elements=edgy)
    return {
        "capacity": draw(wide),
        "reserved": draw(wide),
        "used": draw(wide),
        "reported_at": draw(
            hnp.arrays(np.float64, hosts, elements=st.sampled_from([-np.inf, 0.0, 950.0, 999.0, 2e3]))
        ),
        "flags": draw(hnp.arrays(np.uint8, hosts, elements=st.sampled_from([0, 0, 0, 1, 4, 16]))),
        "admissible": draw(hnp.arrays(np.uint8, hosts, elements=st.sampled_from([1, 1, 1, 0]))),
        "blocked": 15,
        "demand": draw(across),
        "weights": draw(across),
        "kinds": draw(hnp.arrays(np.uint8, width, elements=st.integers(0, 1))),
        "mode": draw(st.integers(0, 1)),
        "now": NOW,
    }


def both(arguments: dict[str, object], places: int) -> list[tuple[int, list[int], bytes]]:
    """What kernel and reference find; totals as bytes, so that equal means the same bits."""
    found = []
    for each in (scan, reference.scan):
        rows: NDArray[np.int64] = np.full(places, -1, dtype=np.int64)
        totals: NDArray[np.float64] = np.full(places, -1.0)
        count = each(**arguments, top_rows=rows, top_totals=totals)  # type: ignore[arg-type]
        found.append((count, rows.tolist(), totals.tobytes()))
    return found


@given(columns(), st.integers(1, MAX_TOP))
def test_the_bits_are_the_same_on_raw_columns(arguments: dict[str, object], places: int) -> None:
    """Count, rows and totals agree even on input that validation keeps out."""
    compiled, plain = both(arguments, places)
    assert plain == compiled


@given(clusters(), loads())
def test_the_bits_are_the_same_on_real_clusters(cluster: Cluster, load: Load) -> None:
    """The same on what the product can hold."""
    snapshot = cluster.snapshot()
    question = Question.put(snapshot, load, NOW)
    arguments: dict[str, object] = {
        name: getattr(snapshot, name) for name in ("capacity", "reserved", "used", "reported_at", "flags")
    }
    arguments |= {"admissible": np.ones(len(snapshot), dtype=np.uint8), "blocked": 15, "now": NOW}
    arguments |= {"demand": question.demand, "weights": question.weights, "kinds": snapshot.dimensions.kinds}
    compiled, plain = both(arguments | {"mode": question.policy.SCORE.MODE}, 5)
    assert plain == compiled


def test_equal_totals_keep_the_order_of_rows() -> None:
    """Forty equal hosts: the best are the first ones, in order, whatever the number of places."""
    ones = np.ones((40, 2))
    rows, totals = np.empty(MAX_TOP, dtype=np.int64), np.empty(MAX_TOP)
    arguments = {"capacity": ones, "reserved": ones * 0, "used": ones * 0, "reported_at": np.zeros(40)}
    small = {"flags": np.zeros(40, dtype=np.uint8), "admissible": np.ones(40, dtype=np.uint8), "blocked": 15}
    across = {
        "demand": ones[0] / 2,
        "weights": ones[0],
        "kinds": np.zeros(2, dtype=np.uint8),
        "mode": 0,
        "now": 1.0,
    }
    assert scan(**arguments, **small, **across, top_rows=rows, top_totals=totals) == 40  # type: ignore[arg-type]
    assert list(range(MAX_TOP)) == rows.tolist()
    assert {2.0} == set(totals.tolist())


@pytest.mark.parametrize(
    "wrong",
    [
        {"used": np.zeros((2, 2))},
        {"reserved": np.zeros((3, 1))},
        {"flags": np.zeros(2, dtype=np.uint8)},
        {"demand": np.zeros(1)},
        {"kinds": np.zeros(3, dtype=np.uint8)},
        {"mode": 7},
        {"top_rows": np.zeros(17, dtype=np.int64), "top_totals": np.zeros(17)},
        {"top_rows": np.zeros(0, dtype=np.int64), "top_totals": np.zeros(0)},
        {"top_totals": np.zeros(4)},
        {"used": np.zeros((3, 4))[:, ::2]},
        {"used": np.zeros((3, 2), dtype=np.float32)},
    ],
    ids=lambda wrong: ",".join(wrong),
)
def test_shapes_that_disagree_are_refused(wrong: dict[str, object]) -> None:
    """The kernel reads no memory that it was not given."""
    arguments: dict[str, object] = {name: np.zeros((3, 2)) for name in ("capacity", "reserved", "used")}
    arguments |= {"reported_at": np.zeros(3), "flags": np.zeros(3, dtype=np.uint8), "blocked": 15, "now": 1.0}
    arguments |= {
        "admissible": np.ones(3, dtype=np.uint8),
        "demand": np.zeros(2),
        "weights": np.zeros(2),
        "mode": 0,
    }
    arguments |= {"kinds": np.zeros(2, dtype=np.uint8), "top_rows": np.zeros(5, dtype=np.int64)}
    arguments |= {"top_totals": np.zeros(5)}
    with pytest.raises(ValueError, match="disagree|range|mode|contiguous|mismatch"):
        scan(**(arguments | wrong))  # type: ignore[arg-type]


def test_a_missing_kernel_says_what_to_do() -> None:
    """No silent second path: without the compiled module the import fails with the command that builds it."""
    program = (
        "import importlib.abc, sys\n"
        "class Hidden(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'balancer_core._kernels.place':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "import balancer_core.placement\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert run.returncode == 1
    assert "run `make build`" in run.stderr
