"""The page about the pool names every field with the default that it has, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from console.engines.target import pool

PAGE = Path(__file__).parents[2] / "docs" / "pool.md"
_ROW = re.compile(r"^\| `(?P<field>[a-z0-9_]+)` \| `(?P<default>[^`]+)` \|")


def _tables() -> dict[str, dict[str, Any]]:
    """Heading's path -> field -> default, as the page has them."""
    found: dict[str, dict[str, Any]] = {}
    heading = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("#"):
            heading = line.partition("`")[2].partition("`")[0]
        row = _ROW.match(line)
        if row:
            found.setdefault(heading, {})[row["field"]] = json.loads(row["default"])
    return found


def _as_json(value: Any) -> Any:
    built = msgspec.to_builtins(value)
    return json.loads(json.dumps(built))


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("pool.check", pool.Check),
        ("pool.ejection", pool.Ejection),
        ("pool.limits", pool.Limits),
        ("pool.connections", pool.Connections),
        ("pool.hash", pool.Hash),
        ("pool.hash.keys[]", pool.HashKey),
        ("pool.sticky", pool.Sticky),
        ("pool.slow_start", pool.SlowStart),
        ("pool.upstream", pool.Upstream),
        ("pool.upstream.tls", pool.UpstreamTls),
        ("pool.sessions", pool.Sessions),
        ("pool", pool.Pool),
    ],
)
def test_the_page_has_every_field_and_its_default(heading: str, kind: type[msgspec.Struct]) -> None:
    """Parts that have a table of their own are left to it."""
    parts = {path.removeprefix("pool.") for path in _tables()}
    defaults = {
        field.name: _as_json(field.default)
        for field in msgspec.structs.fields(kind)
        if not (kind is pool.Pool and field.name in parts)
    }

    assert _tables()[heading] == defaults
