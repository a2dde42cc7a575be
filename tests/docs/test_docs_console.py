"""docs/console.md beside the pictures that there are and that are taken."""

from __future__ import annotations

import re
from pathlib import Path

from tests.browser.screenshots import DEMO, EMPTY, FLEET

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_each_row_has_a_picture_that_the_demo_takes_anew() -> None:
    """No picture is missing or left over, and no row is without one."""
    text = (DOCS / "console.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    shown = set(re.findall(r"screenshots/([a-z-]+)\.png", text))

    assert len(rows) >= 25
    assert [row for row in rows if "screenshots/" not in row] == []
    assert shown == {path.stem for path in (DOCS / "screenshots").glob("*.png")}
    assert shown == {shot.name for shot in (*EMPTY, *DEMO, *FLEET)}
