"""Amounts in writing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer_core.resources import InvalidAmount, format_amount, parse_amount


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("2Gi", 2 * 2**30),
        ("2GiB", 2 * 2**30),
        ("500m", 0.5),
        ("1.5", 1.5),
        (1.5, 1.5),
        (3, 3.0),
        ("100MB/s", 1e8),
        ("10Gbit/s", 1.25e9),
        ("4 cores", 4.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("12k", 12_000.0),
        ("-0", 0.0),
    ],
)
def test_amounts_are_read_as_people_write_them(written: str | float, amount: float) -> None:
    """Suffixes scale, bits become bytes, numbers pass."""
    assert amount == parse_amount(written)


@pytest.mark.parametrize(
    ("written", "unit", "code"),
    [
        ("", "", "not_a_number"),
        ("two", "", "not_a_number"),
        ("1,5", "", "not_a_number"),
        ("1" * 5000 + "x", "", "not_a_number"),
        (True, "", "not_a_number"),
        (None, "", "not_a_number"),
        (math.nan, "", "not_finite"),
        (math.inf, "", "not_finite"),
        ("1e999", "", "not_finite"),
        (-1, "", "negative"),
        ("-2Gi", "", "negative"),
        (2**63, "", "too_large"),
        pytest.param(10**5000, "", "too_large", id="endless"),
        pytest.param(-(10**5000), "", "negative", id="endless-negative"),
        ("2000Pi", "", "too_large"),
        ("500m", "bytes", "wrong_unit"),
        ("2GiB", "cores", "wrong_unit"),
        ("2 cores", "bytes", "wrong_unit"),
        ("100MB/s", "bytes", "wrong_unit"),
    ],
)
def test_what_means_nothing_is_refused_with_a_code(written: str | float, unit: str, code: str) -> None:
    """Each mistake has its own code, and names the field."""
    with pytest.raises(InvalidAmount) as refused:
        parse_amount(written, unit, field="demand.cpu")
    assert ("demand.cpu", code) == (refused.value.field, refused.value.code)


@pytest.mark.parametrize(
    ("amount", "unit", "shown"),
    [
        (1.0, "cores", "1 core"),
        (1.5, "cores", "1.5 cores"),
        (0.0, "cores", "0 cores"),
        (0.25, "cores", "0.25 cores"),
        (2**31, "bytes", "2 GiB"),
        (1e8, "bytes/s", "100 MB/s"),
        (99.99999999999999, "cores", "100 cores"),
        (3.0, "gpu", "3 gpu"),
        (12345.0, "gpu", "12,345 gpu"),
    ],
)
def test_amounts_are_shown_as_people_read_them(amount: float, unit: str, shown: str) -> None:
    """Bytes in binary units, bytes per second in decimal ones, three figures that matter."""
    assert shown == format_amount(amount, unit)


@given(st.floats(1e-6, 1e17), st.sampled_from(["cores", "bytes", "bytes/s"]))
def test_what_is_shown_reads_back_nearly_the_same(amount: float, unit: str) -> None:
    """Formatting loses no more than its third figure."""
    if unit != "cores" and amount < 1:
        amount += 1
    assert parse_amount(format_amount(amount, unit).replace(",", ""), unit) == pytest.approx(
        amount, rel=0.006
    )


@given(st.text(max_size=30))
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    """No text raises anything but InvalidAmount, and none becomes a number that is not one."""
    try:
        amount = parse_amount(text)
    except InvalidAmount as refused:
        assert refused.reason
    else:
        assert 0 <= amount < 2**60
