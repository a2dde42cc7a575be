"""Constraints as words of the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import typer

from console.cli.constraints import company, options, preferences, spreads


def test_company_is_group_level_and_weight() -> None:
    """Each later part may be left out; without a weight it is a rule."""
    assert company(["db", "web:zone", "cache:rack:0.5"], "--near") == [
        {"group": "db", "level": "host"},
        {"group": "web", "level": "zone"},
        {"group": "cache", "level": "rack", "weight": 0.5},
    ]


def test_preferences_weigh_one_unless_said() -> None:
    """A host is preferred as a label is; a value may be empty."""
    assert preferences(["zone=a", "host=web-1:2.5", "gpu="]) == [
        {"level": "zone", "value": "a", "weight": 1.0},
        {"level": "host", "value": "web-1", "weight": 2.5},
        {"level": "gpu", "value": "", "weight": 1.0},
    ]


def test_spread_is_level_and_skew() -> None:
    """Without a skew the API's own rule stands: one in each domain."""
    assert spreads(["zone", "rack:2"]) == [{"level": "zone"}, {"level": "rack", "max_skew": 2}]


def test_options_are_json_or_text_and_dots_go_deeper() -> None:
    """As a policy's schema has them."""
    assert options(["weights.cpu=2", "weights.memory=0.5", "tenant=ops", "whole=true", "x=1e999", "y=NaN"]) == {
        "weights": {"cpu": 2, "memory": 0.5}, "tenant": "ops", "whole": True, "x": "1e999", "y": "NaN",
    }  # fmt: skip


def near(items: list[str]) -> list[dict[str, Any]]:
    return company(items, "--near")


@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        *(
            (near, each)
            for each in ("", ":zone", "g:", "g:zone:", "g:zone:much", "g:zone:nan", "g:zone:1e999")
        ),
        *((preferences, each) for each in ("", "zone", "=a", "zone=a:", "zone=a:much", "zone=a:Infinity")),
        *((spreads, each) for each in ("", ":1", "zone:", "zone:one", "zone:[]", "zone:1.5", "zone:true")),
        *((options, each) for each in ("", "a", "=1", ".a=1", "a.=1", "a..b=1")),
    ],
)
def test_what_is_none_names_the_option(read: Callable[[list[str]], Any], wrong: str) -> None:
    """With what was written, before anything is sent."""
    with pytest.raises(typer.BadParameter) as refusal:
        read([wrong])
    assert refusal.value.param_hint in ("--near", "--prefer", "--spread", "--option")
    assert repr(wrong) in str(refusal.value)


def test_an_option_cannot_be_a_value_and_hold_others() -> None:
    """weights=1 and weights.cpu=2 contradict each other."""
    with pytest.raises(typer.BadParameter, match="a value already"):
        options(["weights=1", "weights.cpu=2"])
