"""Process templates: what is one, what its digest pins, and what parameters become."""

from __future__ import annotations

from typing import Any

import pytest

from agents.templates import WrongTemplate, argv_of, read

DUMP = {
    "name": "db_dump",
    "argv": ["/usr/bin/dump", "--rows={rows}", "{database}", "to {database}"],
    "parameters": {
        "database": {"type": "text", "pattern": r"[^\n]*"},
        "rows": {"type": "integer", "least": 1, "most": 100},
    },
}


def test_a_parameter_is_part_of_one_item_and_no_more() -> None:
    """Whatever a shell would make of it, or a template of its braces."""
    said = "a b; $(reboot) `x` '\"{rows}"

    argv = argv_of(read(DUMP), {"database": said, "rows": 7})

    assert argv == ["/usr/bin/dump", "--rows=7", said, f"to {said}"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"rows": 7}, "database"), ({"database": 7, "rows": 7}, "database"), ({"database": "x", "rows": "7"}, "rows"),
        ({"database": "x", "rows": 7.5}, "rows"), ({"database": "x", "rows": True}, "rows"),
        ({"database": "x", "rows": 101}, "rows"), ({"database": "a\nb", "rows": 7}, "database"),
        ({"database": "a\0", "rows": 7}, "database"), ({"database": "x" * 1001, "rows": 7}, "database"),
        ({"database": "--evil", "rows": 7}, "database"), ({"database": "x", "rows": 7, "more": 1}, "more"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(said: dict[str, Any], field: str) -> None:
    """Also a text that would be an option of the program."""
    with pytest.raises(WrongTemplate) as error:
        argv_of(read(DUMP), said)

    assert error.value.field == field


def test_a_number_is_finite_and_said_as_one() -> None:
    """An integer does as well."""
    template = read(
        {"name": "n", "argv": ["/bin/n", "{x}"], "parameters": {"x": {"type": "number", "least": 0}}}
    )

    assert [argv_of(template, {"x": value})[1] for value in (1, 0.25)] == ["1.0", "0.25"]
    for value in (float("nan"), float("inf"), -1):
        with pytest.raises(WrongTemplate):
            argv_of(template, {"x": value})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Db"}, "name"), ({"argv": []}, "argv"), ({"argv": ["dump"]}, "argv"),
        ({"argv": ["/bin/{database}", "{rows}"]}, "argv"), ({"argv": ["/bin/x"]}, "parameters"),
        ({"parameters": {}}, "parameters"), ({"environment": {"STEELYARD_JOB": "x"}}, "environment"),
        ({"environment": {"a=b": "x"}}, "environment"), ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": float("nan")}, "timeout_s"), ({"shell": True}, "template"), ({"output": "both"}, "template"),
        ({"environment": {"A": "x" * 20_000}}, "template"),
    ],
)  # fmt: skip
def test_a_wrong_template_is_not_read(change: dict[str, Any], field: str) -> None:
    """Each with the field that is wrong."""
    with pytest.raises(WrongTemplate) as error:
        read({**DUMP, **change})

    assert error.value.field == field


@pytest.mark.parametrize(
    "kind", [{"type": "text"}, {"type": "text", "pattern": "("}, {"type": "number", "pattern": "1"}]
)
def test_a_wrong_parameter_of_a_template_is_named(kind: dict[str, Any]) -> None:
    """A text without a pattern would take anything."""
    with pytest.raises(WrongTemplate, match=r"parameters\.x"):
        read({"name": "n", "argv": ["/bin/n", "{x}"], "parameters": {"x": kind}})


def test_the_digest_pins_all_that_a_template_says() -> None:
    """And not the order in which it says it."""
    turned = {**DUMP, "parameters": dict(reversed(DUMP["parameters"].items()))}  # type: ignore[attr-defined]
    others = [
        {**DUMP, "argv": [*DUMP["argv"], "-f"]}, {**DUMP, "user": "root"}, {**DUMP, "environment": {"A": "b"}},
        {**DUMP, "timeout_s": 5}, {**DUMP, "output": "none"}, {**DUMP, "name": "other"},
    ]  # fmt: skip

    assert read(turned).digest() == read(DUMP).digest()
    assert len({read(each).digest() for each in (DUMP, *others)}) == 1 + len(others)
