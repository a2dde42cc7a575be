"""Rows, the file that keeps them, the table and the pictures."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from bench.figures import Compared
from bench.picture import draw
from bench.results import Limit, load, merge, row, save
from bench.table import show

HALF = Limit("at least half", of="ratio", least=0.5)


def some_row(identity: str = "B8.some", *, fast: bool = False, **changes: Any) -> dict[str, Any]:
    """A row as the results file holds it."""
    made = row(
        identity, Compared.of([30.0, 40.0], [50.0, 50.0]), "things/s", HALF, peer="a <peer>", note="as it was"
    )
    return asdict(replace(made, fast=fast, **changes))


@pytest.mark.parametrize(
    ("limit", "room"),
    [
        (Limit("", of="ratio", least=0.5), 0.5),
        (Limit("", most=40.0), 0.25),
        (Limit("", most=20.0), -0.5),
        (Limit("what has no number"), None),
    ],
)
def test_room_is_how_far_inside_the_limit(limit: Limit, room: float | None) -> None:
    """Positive inside, negative outside, as a share of the limit."""
    assert room == limit.room(30.0, 0.75)


def test_a_ratio_that_is_missing_has_no_room() -> None:
    """A limit of the ratio says nothing where the peer was not there."""
    assert Limit("", of="ratio", least=0.5).room(30.0, None) is None


def test_a_row_has_what_the_results_promise() -> None:
    """Medians, the ratio of the rounds, both ranges, and how it was made."""
    made = some_row()

    assert (35.0, 50.0, 0.7, 2) == (made["ours"], made["peer_value"], made["ratio"], made["rounds"])
    assert {"kind": "min-max", "ours": [30.0, 40.0], "peer": [50.0, 50.0], "ratio": [0.6, 0.8]} == made[
        "spread"
    ]
    assert {"what": "at least half", "of": "ratio", "least": 0.5, "room": 0.4} == made["limit"]
    assert "make bench ONLY=B8.some" == made["command"]
    assert "python" in made["versions"]


def test_a_new_row_takes_the_place_of_the_old() -> None:
    """By id; the others stay, and all are in order."""
    kept = [some_row("B7.b", unit="old"), some_row("B2.a")]
    rows = merge(kept, [some_row("B7.b", unit="new"), some_row("B1.c")])

    assert [("B1.c", "things/s"), ("B2.a", "things/s"), ("B7.b", "new")] == [
        (each["id"], each["unit"]) for each in rows
    ]


def test_a_fast_row_never_replaces_a_full_one() -> None:
    """Trying out whether everything works must not cost the real figures."""
    full, fast = some_row(unit="full"), some_row(unit="fast", fast=True)

    assert ["full"] == [each["unit"] for each in merge([full], [fast])]
    assert ["full"] == [each["unit"] for each in merge([fast], [full])]
    assert ["later"] == [each["unit"] for each in merge([fast], [some_row(unit="later", fast=True)])]


def test_the_file_holds_what_was_saved(tmp_path: Path) -> None:
    """A list of objects; without a file there are no rows yet."""
    file = tmp_path / "results.json"

    assert [] == load(file)
    save(file, [some_row()])
    assert [some_row()] == load(file)
    assert isinstance(json.loads(file.read_text()), list)
    assert [file] == list(tmp_path.iterdir())


def test_the_table_names_figures_limit_and_room() -> None:
    """One line a row with everything that was measured, then its note."""
    console = Console(width=200, record=True, highlight=False, quiet=False)
    with console.capture() as captured:
        show([some_row()], console)
    text = captured.get()

    for part in (
        "B8.some",
        "35 [30 .. 40]",
        "50",
        "0.7 [0.6 .. 0.8]",
        "ratio >= 0.5",
        "+40%",
        "a <peer>",
        "as it was",
    ):
        assert part in text


def test_a_picture_is_an_svg_that_can_be_read_out() -> None:
    """Well-formed whatever the peer is called, with both bars and the limit."""
    root = ET.fromstring(draw(some_row()))  # noqa: S314  (our own text)
    shapes = [child.get("class") for child in root]

    assert "B8.some: 35 things/s; a <peer>: 50" == root.get("aria-label")
    assert {"ours", "peer", "range", "limit"} <= set(shapes)


def test_a_picture_without_peer_or_number_has_one_bar() -> None:
    """What bounds the figure is written below even where it has no number."""
    made = asdict(row("B7.x", Compared.of([0.0]), "MB", Limit("the disk")))
    root = ET.fromstring(draw(made))  # noqa: S314  (our own text)

    assert 1 == sum(child.tag.endswith("rect") for child in root)
    assert "the disk" == list(root)[-1].text
