"""The page of figures says of every row what it came to, beside whom, and how to make it again."""

from __future__ import annotations

import json
from pathlib import Path

from bench.page import page
from bench.results import load

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_kept_page_is_that_of_the_kept_rows() -> None:
    """Nobody edits it by hand, and nobody forgets to make it."""
    rows = load(ROOT / "bench/results.json")
    assert page(rows) == (ROOT / "docs/bench/README.md").read_text()


def test_a_row_outside_its_limit_says_so() -> None:
    """A goal that is missed is as easy to see as one that is reached."""
    (row,) = [
        each for each in json.loads((ROOT / "bench/results.json").read_text()) if each["id"] == "B2.growth"
    ]
    assert "| <= 3 | yes |" in page([row])
    row["limit"] = {**row["limit"], "room": -0.25}
    assert "| <= 3 | **no** (-25%) |" in page([row])
