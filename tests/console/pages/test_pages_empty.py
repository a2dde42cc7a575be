"""Nothing there yet: every list says what would be there, and its one next step."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

import console

#: Every list, and a filter under which nothing is found, where it has one.
LISTS = {
    "map": "",
    "hosts": "q=zzz",
    "services": "q=zzz",
    "endpoints": "q=zzz",
    "certificates": "",
    "engines": "",
    "jobs": "task=zzz",
    "workers": "host=zzz",
    "shares": "",
    "schedules": "",
    "tasks": "",
    "shards": "q=zzz",
    "rebalances": "q=zzz",
    "placements": "name=zzz",
    "decisions": "name=zzz",
    "plans": "",
    "events": "actor=zzz",
    "alerts": "q=zzz",
    "silences": "",
    "channels": "",
    "underway": "",
    "bulk": "",
    "search": "q=zzz",
}
#: Where channels lead is not for everybody's eyes.
OF_OPERATORS = {"channels"}
#: Lists that are never empty: of people, who looks is one; of versions, what was built in is the first.
NEVER_EMPTY = {"settings.html", "policy.html"}
SAYS = re.compile(r'<div class="panel empty">(.*?)</div>', re.DOTALL)
STEP = re.compile(r'<a class="button|<button|<code>')


def panels(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return SAYS.findall(answer.content.decode())


@pytest.mark.parametrize(
    ("role", "name"),
    [
        (role, name)
        for role in ("viewer", "operator")
        for name in LISTS
        if role == "operator" or name not in OF_OPERATORS
    ],
)
def test_empty_lists_say_the_next_step(role: str, name: str, browsers: Any) -> None:
    """What would be there, in a sentence, and a button or a command; who may not press it is told why."""
    found = panels(getattr(browsers, role).get(reverse(name)))

    assert len(found) == 1, f"{name} says nothing, or more than one thing"
    assert "<strong>" in found[0]
    assert "<p>" in found[0]
    assert STEP.search(found[0]) or name == "search", "the box is above"
    if "<button" in found[0]:
        assert role == "viewer"
        assert "Asks for the role" in found[0]


@pytest.mark.parametrize("name", [name for name, query in LISTS.items() if query])
def test_a_filter_that_finds_nothing_says_so(name: str, browsers: Any, furnished: Any) -> None:
    """It does not claim that there is nothing at all, and one button shows all again."""
    found = panels(browsers.viewer.get(f"{reverse(name)}?{LISTS[name]}"))

    assert len(found) == 1
    assert "yet" not in found[0]
    assert '<a class="button' in found[0]


def test_no_list_is_without_an_empty_state() -> None:
    """Every template that has pages of rows says what stands there when there are none."""
    templates = [
        path for path in Path(console.__file__).parent.rglob("*.html") if path.name not in NEVER_EMPTY
    ]
    lists = [path for path in templates if "parts/pager.html" in path.read_text()]

    assert len(lists) > 9
    assert [path.name for path in lists if 'class="panel empty"' not in path.read_text()] == []
