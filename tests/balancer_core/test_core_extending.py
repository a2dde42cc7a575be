"""Rules, scores and policies of others: added whole or not at all, asked like the built-in ones, and explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from balancer_core import filters, policies, scores
from balancer_core.batch import decide_many
from balancer_core.cluster import Cluster
from balancer_core.extending import InvalidRule
from balancer_core.load import InvalidLoad, Load
from balancer_core.placement import decide
from balancer_core.placer import Placer
from balancer_core.question import Question


def rack() -> Cluster:
    """Three hosts, the second the largest."""
    cluster = Cluster()
    for name, cores in (("a1", 4.0), ("b1", 16.0), ("a2", 8.0)):
        cluster.add_host(name, {"cpu": cores})
    return cluster


def smallest(
    capacity: Sequence[float], occupied: Sequence[float], demand: Sequence[float], *_: object
) -> list[float]:
    """Cores that would stay free: the smallest host that fits is best."""
    return [
        has - holds - asks if r == 0 else 0.0
        for r, (has, holds, asks) in enumerate(zip(capacity, occupied, demand, strict=True))
    ]


def names_judge(question: Question) -> NDArray[np.uint8] | None:
    """Hosts whose name begins with a."""
    return np.array([0 if name.startswith("a") else 1 for name in question.snapshot.names], dtype=np.uint8)


SCORE = SimpleNamespace(NAME="left_over", MODE=None, ADDS_UP=False, terms=smallest)
POLICY = SimpleNamespace(
    NAME="smallest",
    VERSION="1",
    SCORE=SCORE,
    SCHEMA={"type": "object", "properties": {}, "additionalProperties": False},
    phrase=lambda total: f"would have {total} cores left",
)
RULE = SimpleNamespace(
    NAME="series",
    REASONS={"other_series": "Only hosts of series a may take it."},
    PHRASES={"other_series": "of another series"},
    judge=names_judge,
    reason=lambda question, row, verdict: "Only hosts of series a may take it.",
    step=lambda question, row, verdict: "allow other series",
)


@pytest.fixture
def added() -> Iterator[None]:
    """The three above, forgotten again afterwards."""
    scores.add(SCORE)
    policies.add(POLICY)
    filters.add(RULE)
    yield
    filters.discard("series")
    policies.discard("smallest")
    scores.discard("left_over")


@pytest.mark.usefixtures("added")
def test_a_score_and_a_rule_of_others_decide_and_explain() -> None:
    """The smallest host of the allowed series, with terms, reasons and sentence."""
    decision = decide(rack().snapshot(), Load("job", "j", {"cpu": 2.0}, policy="smallest"), 1.0)
    assert ("a1", "a2") == decision.ranking
    assert [("cpu", 0.0, 0.5, 2.0)] == [term[:4] for term in decision.terms]
    assert decision.sentence.startswith("a1 takes it: it would have 2.00 cores left, 4.00 less than a2")
    assert {"other_series": 1} == dict(decision.rejected)
    assert [("b1", "other_series")] == [each[:2] for each in decision.rejections]


@pytest.mark.usefixtures("added")
def test_a_refusal_asks_rules_of_others_for_their_step() -> None:
    """What would have to change names it, nearest host first."""
    decision = decide(rack().snapshot(), Load("job", "j", {"cpu": 12.0}), 1.0)
    assert {"other_series": 1, "too_small": 2} == dict(decision.rejected)
    assert ("b1", ("allow other series",)) in [
        tuple(each) for each in ((c.host, c.steps) for c in decision.changes)
    ]


@pytest.mark.usefixtures("added")
def test_a_batch_knows_them_too() -> None:
    """Together the larger load gets the larger host of the series."""
    some = [Load("job", f"j{cores}", {"cpu": cores}, policy="smallest") for cores in (3.0, 8.0)]
    assert ["a1", "a2"] == [decision.host for decision in decide_many(rack().snapshot(), some, 1.0)]


@pytest.mark.usefixtures("added")
def test_the_index_says_what_it_does_not_know() -> None:
    """A score that is not compiled has no index: a typed error, not another answer."""
    with pytest.raises(InvalidLoad, match="not compiled"):
        Placer(rack()).best(Load("job", "j", {"cpu": 1.0}, policy="smallest"), 1.0)


def test_what_was_forgotten_is_not_asked_any_more() -> None:
    """The registries are as they were."""
    filters.add(RULE)
    filters.discard("series")
    decision = decide(rack().snapshot(), Load("job", "j", {"cpu": 12.0}), 1.0)
    assert decision.host == "b1"
    assert {"too_small": 2} == dict(decision.rejected)


def lacking(whole: SimpleNamespace, **changes: Any) -> SimpleNamespace:
    """The same with other parts; None takes a part away."""
    parts = {**vars(whole), **changes}
    return SimpleNamespace(**{name: value for name, value in parts.items() if value is not ...})


@pytest.mark.parametrize(
    ("add", "wrong", "field"),
    [
        (filters.add, lacking(RULE, NAME="Series!"), "NAME"),
        (filters.add, lacking(RULE, NAME="fits"), "fits"),
        (filters.add, lacking(RULE, judge=...), "series.judge"),
        (filters.add, lacking(RULE, REASONS={}), "series.REASONS"),
        (filters.add, lacking(RULE, REASONS={str(n): "" for n in range(8)}), "series.REASONS"),
        (filters.add, lacking(RULE, PHRASES={}), "series.PHRASES"),
        (filters.add, lacking(RULE, REASONS={"lost": ""}, PHRASES={"lost": ""}), "series.REASONS"),
        (scores.add, lacking(SCORE, NAME="marginal"), "marginal"),
        (scores.add, lacking(SCORE, terms=3), "left_over.terms"),
        (scores.add, lacking(SCORE, MODE=0), "left_over.MODE"),
        (scores.add, lacking(SCORE, ADDS_UP=...), "left_over.ADDS_UP"),
        (policies.add, lacking(POLICY, NAME="pack"), "pack"),
        (policies.add, lacking(POLICY, phrase=...), "smallest.phrase"),
        (policies.add, lacking(POLICY, VERSION=1), "smallest.VERSION"),
        (policies.add, lacking(POLICY, SCHEMA={"type": "object"}), "smallest.SCHEMA"),
        (policies.add, POLICY, "smallest.SCORE"),
    ],
)
def test_a_part_that_lacks_something_is_refused_whole(add: Any, wrong: SimpleNamespace, field: str) -> None:
    """The error names what is missing, and no registry changed."""
    before = [list(each) for each in (filters.FILTERS, filters.PRECOMPUTED, scores.SCORES, policies.POLICIES)]
    with pytest.raises(InvalidRule) as refused:
        add(wrong)
    assert field == refused.value.field
    after = [list(each) for each in (filters.FILTERS, filters.PRECOMPUTED, scores.SCORES, policies.POLICIES)]
    assert before == after
