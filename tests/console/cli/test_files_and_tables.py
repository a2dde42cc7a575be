"""Files that options name, ids, and tables that programs read."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import typer
from rich.console import Console

from console.cli import client, rebalances
from console.cli.options import known_id, read_text
from console.cli.settings import read_document


def test_a_file_that_is_no_text_says_so(tmp_path: Path) -> None:
    """With its name and the option, not the decoder's words."""
    file = tmp_path / "ls"
    file.write_bytes(b"\x7fELF\xff\xfe")

    with pytest.raises(typer.BadParameter, match="ls holds no text") as refusal:
        read_text(file, "--chain")
    assert refusal.value.param_hint == "--chain"


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    """In the system's words, without its number."""
    with pytest.raises(typer.BadParameter, match="none.pem: No such file or directory$"):
        read_text(tmp_path / "none.pem", "--key")


@pytest.mark.parametrize("text", ["{", "[]", "NaN", '{"a": 1e400}'])
def test_what_is_no_document_names_its_option(tmp_path: Path, text: str) -> None:
    """The one that was written, not another command's."""
    file = tmp_path / "bad.json"
    file.write_text(text)

    with pytest.raises(typer.BadParameter, match="bad.json") as refusal:
        read_document(file, "--settings")
    assert refusal.value.param_hint == "--settings"


def test_what_can_be_no_id_is_not_asked_for() -> None:
    """The word that was typed is in the answer, and what an id looks like."""
    with pytest.raises(typer.BadParameter, match="'X' is no decision's id") as refusal:
        known_id("X", "decision")
    assert refusal.value.param_hint == "DECISION"
    assert known_id("{0000000000000000000000000000000A}", "x") == "00000000-0000-0000-0000-00000000000a"


def test_a_piped_table_keeps_a_row_on_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long: no word of it is broken."""
    said = io.StringIO()
    monkeypatch.setattr(client, "out", Console(file=said, soft_wrap=True, width=80))
    row = {"name": "n" * 120, "why": "word " * 60 + "end"}

    client.show([row], False, "name", "why")

    assert [line.split() for line in said.getvalue().splitlines()] == [
        ["name", "why"],
        ["n" * 120, *["word"] * 60, "end"],
    ]


def test_a_plan_stands_beside_what_other_aims_would_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes as people read them, and which of the lines is the plan itself."""
    said = io.StringIO()
    for module in (client, rebalances):
        monkeypatch.setattr(module, "out", Console(file=said, soft_wrap=True, width=200))
    point = {
        "even": None,
        "moves": 0,
        "bytes": 0.0,
        "share": 0.0,
        "takes_s": 0.0,
        "after": {"disk": 1.5},
        "chosen": False,
    }
    own = {
        **point,
        "even": 1.05,
        "moves": 6,
        "bytes": 30 * 2.0**30,
        "share": 0.75,
        "after": {"disk": 1.0},
        "chosen": True,
    }
    plan = {
        "id": 7,
        "state": "proposed",
        "sentence": "6 of 8 replicas move.",
        "frontier": [point, own],
        "moves": [],
    }

    rebalances.show_plan(plan, False)

    first, title, *table = said.getvalue().splitlines()
    assert first == "Plan 7, proposed. 6 of 8 replicas move."
    assert title.startswith("What evenness costs")
    assert table[1].split() == ["-", "0", "0", "B", "0.0%", "0", "disk=1.50"]
    assert table[2].split() == ["1.05", "6", "30", "GiB", "75.0%", "0", "disk=1.00", "this", "plan"]
