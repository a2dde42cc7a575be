"""The compiled kernel gives the reference's results, bit for bit, on every input."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from core_strategies import DIMENSIONS, NOW, clusters, loads
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from balancer_core._kernels import ELSEWHERE, MAX_TOP, Columns, reference
from balancer_core.cluster import Cluster
from balancer_core.decision import Terms
from balancer_core.filters import FILTERS, FLAG_CODES, code, refusals
from balancer_core.load import Load
from balancer_core.placement import decide
from balancer_core.question import Question
from balancer_core.scores import SCORES
from balancer_core.weighing import terms_of

#: What arithmetic trips over: zero, denormals, the largest, sums that round, and values validation would
#: refuse.
EDGES = [0.0, -0.0, 5e-324, 2.2e-308, 1e-9, 0.1, 0.2, 0.3, 0.7, 1.0, 1.0 + 2**-52, 3.0, 1e18, 1e154, 1.7e308]
EDGES += [float("inf"), float("nan"), -1.0]
edgy = st.sampled_from(EDGES) | st.floats(0.0, 4.0)


COLUMNS = ("capacity", "reserved", "used", "expected", "reported_at", "flags", "kinds")
MODES = sorted(score.MODE for score in SCORES.values() if score.MODE is not None)


@st.composite
def columns(draw: st.DrawFn) -> dict[str, object]:
    """Columns and a question that no validation has seen."""
    hosts, width = draw(st.integers(0, 24)), draw(st.integers(1, 6))
    wide = hnp.arrays(np.float64, (hosts, width), elements=edgy)
    across = hnp.arrays(np.float64, width, elements=edgy)
    soon = hnp.arrays(
        np.float32, (hosts, width), elements=st.sampled_from([0.0, 0.0, 0.5, 3.0, np.inf, np.nan])
    )
    times = st.sampled_from([-np.inf, 0.0, 950.0, 999.0, 2e3])
    return {
        "capacity": draw(wide),
        "reserved": draw(wide),
        "used": draw(wide),
        "expected": draw(soon),
        "reported_at": draw(hnp.arrays(np.float64, hosts, elements=times)),
        "flags": draw(hnp.arrays(np.uint8, hosts, elements=st.sampled_from([0, 0, 0, 1, 4, 16]))),
        "kinds": draw(hnp.arrays(np.uint8, width, elements=st.integers(0, 1))),
        "refused": draw(hnp.arrays(np.uint8, hosts, elements=st.sampled_from([0, 0, 0, 33, ELSEWHERE]))),
        "flag_codes": FLAG_CODES,
        "fits_code": code("fits"),
        "demand": draw(across),
        "weights": draw(across),
        "mode": draw(st.sampled_from(MODES)),
        "now": NOW,
    }


def scan(arguments: dict[str, object], **outputs: NDArray[np.generic]) -> int:
    """The compiled pass."""
    held = Columns(*(arguments[name] for name in COLUMNS))  # type: ignore[arg-type]
    asked = {name: value for name, value in arguments.items() if name not in COLUMNS}
    return held.scan(**asked, **outputs)  # type: ignore[arg-type]


def both(
    arguments: dict[str, object], places: int
) -> list[tuple[int, list[int], bytes, list[int], list[int]]]:
    """What kernel and reference find; totals as bytes, so that equal means the same bits."""
    found = []
    for each in (scan, lambda given, **outputs: reference.scan(**given, **outputs)):
        rows: NDArray[np.int64] = np.full(places, -1, dtype=np.int64)
        totals: NDArray[np.float64] = np.full(places, -1.0)
        verdicts = np.zeros(len(arguments["flags"]), dtype=np.uint8)  # type: ignore[arg-type]
        counts = np.zeros(256, dtype=np.int64)
        count = each(arguments, verdicts=verdicts, counts=counts, top_rows=rows, top_totals=totals)
        found.append((count, rows.tolist(), totals.tobytes(), verdicts.tolist(), counts.tolist()))
    return found


@given(columns(), st.integers(1, MAX_TOP))
def test_the_bits_are_the_same_on_raw_columns(arguments: dict[str, object], places: int) -> None:
    """Count, rows, totals and reasons agree even on input that validation keeps out."""
    compiled, plain = both(arguments, places)
    assert plain == compiled


@given(columns())
def test_reasons_that_nobody_asks_for_change_nothing(arguments: dict[str, object]) -> None:
    """The same hosts are found whether or not it is noted why the others were not."""
    rows, totals = np.full(5, -1, dtype=np.int64), np.full(5, -1.0)
    nothing: dict[str, None] = {"verdicts": None, "counts": None}
    count = scan(arguments, **nothing, top_rows=rows, top_totals=totals)  # type: ignore[arg-type]
    assert (count, rows.tolist(), totals.tobytes()) == both(arguments, 5)[0][:3]


def asked_of(cluster: Cluster, load: Load) -> dict[str, object]:
    """Columns and question as placement puts them."""
    snapshot = cluster.snapshot()
    question = Question.put(snapshot, load, NOW)
    arguments: dict[str, object] = {name: getattr(snapshot, name) for name in COLUMNS[:-1]}
    refused = refusals(question)
    nobody = np.zeros(len(snapshot), dtype=np.uint8)
    arguments |= {"kinds": snapshot.dimensions.kinds, "flag_codes": FLAG_CODES}
    arguments |= {"refused": nobody if refused is None else refused}
    arguments |= {
        "fits_code": code("fits"),
        "demand": question.demand,
        "weights": question.weights,
        "now": NOW,
    }
    return arguments | {"mode": question.policy.SCORE.MODE}


@given(clusters(), loads())
def test_the_bits_are_the_same_on_real_clusters(cluster: Cluster, load: Load) -> None:
    """The same on what the product can hold."""
    compiled, plain = both(asked_of(cluster, load), 5)
    assert plain == compiled


@given(clusters(), loads())
def test_terms_are_those_of_the_score(cluster: Cluster, load: Load) -> None:
    """What is explained is terms() of the score, bit for bit, for hosts that fit; a forecast shows as such."""
    snapshot = cluster.snapshot()
    question = Question.put(snapshot, load, NOW)
    ranking = decide(snapshot, load, NOW, top=MAX_TOP).ranking
    rows = np.array([snapshot.rows[host] for host in ranking], dtype=np.int64)
    parts, mode = np.empty((len(rows), len(DIMENSIONS), 4)), question.policy.SCORE.MODE
    assert mode is not None
    snapshot.columns.terms(rows, question.demand, question.weights, mode, NOW, parts)
    assert terms_of(question, rows.tolist()) == [tuple(Terms(DIMENSIONS.names, each)) for each in parts]


@given(clusters(), loads())
def test_a_refused_host_is_told_every_rules_no(cluster: Cluster, load: Load) -> None:
    """What each rule says by itself, the first one in front, each by its own sentence."""
    snapshot = cluster.snapshot()
    question = Question.put(snapshot, load, NOW)
    for each in decide(snapshot, load, NOW).rejections:
        row = snapshot.rows[each.host]
        expected = []
        for rule in FILTERS.values():
            verdicts = rule.judge(question)
            if verdicts is not None and (verdict := int(verdicts[row])):
                said = tuple(rule.REASONS)[verdict - 1], rule.reason(question, row, verdict)
                expected.append(said)
        assert each.also is not None
        assert [each[1:3], *each.also] == expected


def test_equal_totals_keep_the_order_of_rows() -> None:
    """Forty equal hosts: the best are the first ones, in order, whatever the number of places."""
    cluster = Cluster(DIMENSIONS)
    for number in range(40):
        cluster.add_host(f"host-{number}", {"cpu": 1.0})
    rows, totals = np.empty(MAX_TOP, dtype=np.int64), np.empty(MAX_TOP)
    arguments = asked_of(cluster, Load("job", "load-1", {"cpu": 0.25}))
    notes = {"verdicts": np.empty(40, dtype=np.uint8), "counts": np.zeros(256, dtype=np.int64)}
    assert scan(arguments, **notes, top_rows=rows, top_totals=totals) == 40
    assert list(range(MAX_TOP)) == rows.tolist()
    assert len(set(totals.tolist())) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"used": np.zeros((2, 2))},
        {"reserved": np.zeros((3, 1))},
        {"expected": np.zeros((3, 3), dtype=np.float32)},
        {"expected": np.zeros((3, 2))},
        {"flags": np.zeros(2, dtype=np.uint8)},
        {"refused": np.zeros(2, dtype=np.uint8)},
        {"flag_codes": np.zeros(15, dtype=np.uint8)},
        {"fits_code": 252},
        {"demand": np.zeros(1)},
        {"kinds": np.zeros(3, dtype=np.uint8)},
        {"mode": 7},
        {"verdicts": np.zeros(2, dtype=np.uint8)},
        {"verdicts": None},
        {"counts": np.zeros(255, dtype=np.int64)},
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
    arguments |= {"expected": np.zeros((3, 2), dtype=np.float32), "reported_at": np.zeros(3)}
    arguments |= {"flags": np.zeros(3, dtype=np.uint8), "refused": np.zeros(3, dtype=np.uint8)}
    arguments |= {"flag_codes": FLAG_CODES, "fits_code": 56, "kinds": np.zeros(2, dtype=np.uint8), "now": 1.0}
    arguments |= {"demand": np.zeros(2), "weights": np.zeros(2), "mode": 0}
    arguments |= {"verdicts": np.zeros(3, dtype=np.uint8), "counts": np.zeros(256, dtype=np.int64)}
    arguments |= {"top_rows": np.zeros(5, dtype=np.int64), "top_totals": np.zeros(5)}
    with pytest.raises(ValueError, match="disagree|range|mode|contiguous|mismatch"):
        scan(arguments | wrong)


@pytest.mark.parametrize("row", [-1, 1])
def test_terms_of_no_host_are_refused(row: int) -> None:
    """A row that there is not is an error, not somebody else's memory."""
    cluster = Cluster(DIMENSIONS)
    cluster.add_host("only", {"cpu": 1.0})
    ones = np.ones(len(DIMENSIONS))
    into = np.empty((1, len(DIMENSIONS), 4))
    with pytest.raises(ValueError, match="range"):
        cluster.snapshot().columns.terms(np.array([row]), ones, ones, 0, NOW, into)
    with pytest.raises(ValueError, match="disagree"):
        cluster.snapshot().columns.terms(np.array([0]), ones, ones, 0, NOW, into[:, :, :3].copy())


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
