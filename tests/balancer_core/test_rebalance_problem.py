"""Problems that mean nothing are refused by the name of the field, and what is taken can't change afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rebalance_cases import draw, draw_fields

from balancer_core.errors import InvalidInput
from balancer_core.rebalance import Balance, InvalidProblem, Problem, cost_of

LARGE = 2**52


def changed(field: str, change: Any) -> dict[str, Any]:
    """The fields of a good problem, one of them changed."""
    fields = draw_fields(4, 5, 20)
    return fields | {field: change(fields[field])}


@pytest.mark.parametrize(
    ("field", "code", "change"),
    [
        ("capacity", "wrong_shape", lambda column: column[0]),
        ("capacity", "wrong_shape", lambda column: column[:0]),
        ("safety", "wrong_shape", lambda column: column[:-1]),
        ("safety", "negative", lambda column: column - 1000),
        ("safety", "too_large", lambda column: column + LARGE),
        ("demand", "not_whole", lambda column: column + 0.5),
        ("demand", "wrong_shape", lambda column: column[:, 0]),
        ("demand", "too_large", lambda column: column + 2**60),
        ("load_weight", "too_large", lambda column: column + LARGE),
        ("transient", "out_of_range", lambda column: column + 2),
        ("domain", "out_of_range", lambda column: column + 5),
        ("zone", "out_of_range", lambda column: column + 5),
        ("group", "out_of_range", lambda column: column + 99),
        ("group", "negative", lambda column: column - 99),
        ("current", "out_of_range", lambda column: column + 99),
        ("current", "wrong_shape", lambda column: column[1:]),
        ("current", "over_capacity", lambda column: column * 0),
        ("spread", "wrong_shape", lambda column: column[None]),
        ("needs", "wrong_shape", lambda column: column[:, :1]),
        ("needs", "out_of_range", lambda column: column + 99),
        ("move_cost", "negative", lambda column: column - 99),
        ("route_cost", "out_of_range", lambda column: column + 1),
        ("route_cost", "wrong_shape", lambda column: column[:, :-1]),
        ("move_weight", "negative", lambda number: -1),
        ("group_weight", "not_whole", lambda number: 1.5),
        ("route_weight", "too_large", lambda number: 2**53),
    ],
)
def test_a_field_that_means_nothing_is_named(field: str, code: str, change: Any) -> None:
    """The field and a stable code; InvalidInput, as everywhere in the core."""
    with pytest.raises(InvalidProblem) as refused:
        Problem(**changed(field, change))
    assert (refused.value.field, refused.value.code) == (field, code)
    assert isinstance(refused.value, InvalidInput)


@pytest.mark.parametrize(
    ("balance", "field", "code"),
    [
        (Balance(0, 99, 1, 1), "balances.0.against", "out_of_range"),
        (Balance(-1, 0, 1, 1), "balances.0.of", "negative"),
        (Balance(0, 0, 1, 2.5), "balances.0.weight", "not_whole"),  # type: ignore[arg-type]
    ],
)
def test_a_balance_that_means_nothing_is_named(balance: Balance, field: str, code: str) -> None:
    """With its number and the part of it."""
    with pytest.raises(InvalidProblem) as refused:
        Problem(**changed("balances", lambda none: (balance,)))
    assert (refused.value.field, refused.value.code) == (field, code)


@pytest.mark.parametrize(
    ("code", "broken"),
    [
        ("same_host", {"group": [0, 0], "current": [1, 1]}),
        ("too_few_domains", {"spread": [2, 0]}),
        ("needs_unmet", {"needs": [(0, 1)]}),
        ("over_capacity", {"demand": [[5], [6]]}),
    ],
)
def test_loads_that_break_a_rule_where_they_are_are_refused(code: str, broken: dict[str, Any]) -> None:
    """Each rule by its own code."""
    fields: dict[str, Any] = {
        "capacity": [[5], [5]],
        "safety": [[5], [5]],
        "load_weight": [1],
        "transient": [0],
        "domain": [0, 1],
        "zone": [0, 1],
        "demand": [[1], [2]],
        "group": [0, 1],
        "current": [0, 1],
        "spread": [1, 1],
        "needs": np.zeros((0, 2), dtype=np.int64),
        "move_cost": [0, 0],
        "route_cost": [[0, 0], [0, 0]],
    }
    Problem(**fields)
    with pytest.raises(InvalidProblem) as refused:
        Problem(**fields | broken)
    assert (refused.value.field, refused.value.code) == ("current", code)


def test_costs_that_could_leave_exact_numbers_are_refused() -> None:
    """Before any of them is computed."""
    with pytest.raises(InvalidProblem, match=r"2\*\*53"):
        Problem(**changed("move_cost", lambda column: column + LARGE))


def test_a_problem_can_not_be_changed_from_outside() -> None:
    """Its arrays are copies and read-only."""
    fields = draw_fields(4, 5, 20)
    problem = Problem(**fields)
    before = cost_of(problem, problem.current)
    fields["demand"][:] = 0
    assert before == cost_of(problem, problem.current)
    with pytest.raises(ValueError, match="read-only"):
        draw(4, 5, 20).demand[0, 0] = 1
