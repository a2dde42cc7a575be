"""What people write on the command line."""

from __future__ import annotations

import pytest

from agents.__main__ import clean_name
from agents.amounts import WrongInput, parse_amount, parse_capacity, parse_labels
from agents.wire import NAME_PATTERN


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2", 2.0),
        ("1.5", 1.5),
        ("500m", 0.5),
        ("2Gi", 2.0 * 2**30),
        ("10G", 1e10),
        ("3k", 3000.0),
        ("1e9", 1e9),
    ],
)
def test_amounts_with_and_without_units(text: str, amount: float) -> None:
    """Plain numbers, decimal and binary multiples, thousandths."""
    assert parse_amount(text) == pytest.approx(amount)


@pytest.mark.parametrize("text", ["", "-1", "nan", "inf", "1 Gi", "2Xi", "0x10", "1e999", "\u0661"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    """Signs, blanks, unknown units and numbers that are none or too large are named in the error."""
    with pytest.raises(WrongInput):
        parse_amount(text)


def test_pairs() -> None:
    """Capacity and labels are read from NAME=VALUE; a value may hold no second meaning."""
    assert parse_capacity(["gpu=2", "net_in=1G"]) == {"gpu": 2.0, "net_in": 1e9}
    assert parse_labels(["zone=eu-1", "topology.example/rack=R7"]) == {
        "zone": "eu-1",
        "topology.example/rack": "R7",
    }
    for wrong in (["zone"], ["=a"], ["zone="], ["zone=a=b"], ["Zone=a"], ["zone=a b"]):
        with pytest.raises(WrongInput, match="--label"):
            parse_labels(wrong)
    with pytest.raises(WrongInput, match="--capacity"):
        parse_capacity(["GPU=1"])


@pytest.mark.parametrize("hostname", ["Web_01.example.org", "-x-", "", "é", "a" * 80, "DESKTOP-7.local"])
def test_any_host_name_gives_a_name(hostname: str) -> None:
    """Whatever a machine is called, the default name is a legal one."""
    assert NAME_PATTERN.fullmatch(clean_name(hostname))
