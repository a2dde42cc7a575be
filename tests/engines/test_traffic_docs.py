"""docs/traffic.md names tests that are there, and settings that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/traffic.md").read_text()


def test_every_test_that_is_named_is_there() -> None:
    """By its name, once; renaming one renames it on the page."""
    folders = ("tests/engines", "tests/console/traffic", "tests/balancer_core")
    files = [file for folder in folders for file in (ROOT / folder).glob("test_*.py")]
    there = re.findall(r"^(?:async )?def (test_\w+)\(", "\n".join(file.read_text() for file in files), re.M)
    named = re.findall(r"`(test_\w+)`", PAGE)

    assert len(named) > 60
    assert set(named) <= set(there), sorted(set(named) - set(there))


def test_every_setting_that_is_named_is_described() -> None:
    """What the page calls front.x, http.x or pool.x stands in the schema of settings."""
    schema = (ROOT / "docs/openapi.json").read_text()
    named = set(re.findall(r"`(?:front|http|pool)[\w.\[\]]*\.(\w+)`", PAGE))

    assert len(named) > 25
    assert all(f'"{name}":' in schema for name in named), [n for n in named if f'"{n}":' not in schema]
