"""B9: what a browser loads of script and style at first, bytes over the wire, of the map, of the hosts and of one host.

Followed as a browser follows it: the page's sheets and modules, what these import, and what those fetch by a name that
stands in them, as the charts' library.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

from bench.crowd import crowd, name_of
from bench.figures import Compared
from bench.plane import ControlPlane
from bench.registry import Settings
from bench.results import Limit, Row, row

#: Of all pages, in thousands of bytes.
MOST_JS_KB, MOST_CSS_KB = 60.0, 20.0
HOSTS = 3
_IMPORTED = re.compile(rb"""\b(?:from|import)\s*\(?\s*["'](\.{0,2}/[^"']+)["']""")

#: From a path to the content there, and how many bytes of it went over the wire.
Fetch = Callable[[str], tuple[bytes, int]]


@dataclass
class FirstLoad:
    """Bytes over the wire by path."""

    js: dict[str, int] = field(default_factory=dict)
    css: dict[str, int] = field(default_factory=dict)

    @property
    def js_kb(self) -> float:
        return sum(self.js.values()) / 1000

    @property
    def css_kb(self) -> float:
        return sum(self.css.values()) / 1000


class _Links(HTMLParser):
    """The sheets and scripts that a page names."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.sheets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and (source := given.get("src")):
            self.scripts.append(source)
        elif tag == "link" and given.get("rel") == "stylesheet" and (source := given.get("href")):
            self.sheets.append(source)


def first_load(path: str, fetch: Fetch) -> FirstLoad:
    """Of the page at a path. fetch raises what it likes where there is nothing."""
    links = _Links()
    links.feed(fetch(path)[0].decode())
    found = FirstLoad()
    for sheet in links.sheets:
        _, found.css[urljoin(path, sheet)] = fetch(urljoin(path, sheet))
    waiting = [urljoin(path, script) for script in links.scripts]
    while waiting:
        script = waiting.pop()
        if script in found.js:
            continue
        content, found.js[script] = fetch(script)
        waiting += [urljoin(script, each.decode()) for each in _IMPORTED.findall(content)]
    return found


async def run(settings: Settings) -> list[Row]:
    plane = ControlPlane()
    key = await crowd(plane, HOSTS)
    async with plane:
        pages = ("/", "/hosts/", f"/hosts/{name_of(0)}/")
        with httpx.Client(base_url=plane.url, cookies={"sessionid": key}) as client:
            loads = {page: first_load(page, partial(_fetch, client)) for page in pages}
    return [
        _row("B9.js_kb", {page: each.js_kb for page, each in loads.items()}, MOST_JS_KB),
        _row("B9.css_kb", {page: each.css_kb for page, each in loads.items()}, MOST_CSS_KB),
    ]


def _fetch(client: httpx.Client, path: str) -> tuple[bytes, int]:
    answer = client.get(path).raise_for_status()
    return answer.content, answer.num_bytes_downloaded


def _row(identity: str, sizes: dict[str, float], most: float) -> Row:
    """The page that loads most."""
    note = ", ".join(f"{page} {size:.1f}" for page, size in sizes.items())
    limit = Limit(f"at most {most:g} KB compressed on any of them", most=most)
    return row(identity, Compared.of([max(sizes.values())]), "KB", limit, note=note)
