"""The command line's own reading of options."""

from __future__ import annotations

import pytest
import typer

from console.cli.options import amounts, pairs


def test_pairs_are_key_and_value() -> None:
    """A value may hold =, and be empty."""
    assert pairs(["a=b=c", "d="], "--label") == {"a": "b=c", "d": ""}


@pytest.mark.parametrize("wrong", ["a", "=b", ""])
def test_what_is_no_pair_names_the_option(wrong: str) -> None:
    """With what was written."""
    with pytest.raises(typer.BadParameter, match="KEY=VALUE") as refusal:
        pairs([wrong], "--label")
    assert refusal.value.param_hint == "--label"


def test_amounts_are_read_in_base_units() -> None:
    """As people write them."""
    assert amounts(["cpu=500m", "memory=2Gi", "gpu=1"]) == {"cpu": 0.5, "memory": 2 * 2.0**30, "gpu": 1.0}


@pytest.mark.parametrize("wrong", ["cpu=lots", "cpu=-1", "memory=nan", "cpu="])
def test_a_wrong_amount_names_the_option(wrong: str) -> None:
    """Before anything is sent."""
    with pytest.raises(typer.BadParameter) as refusal:
        amounts([wrong])
    assert refusal.value.param_hint == "--demand"
