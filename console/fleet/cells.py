"""The cells of the table of hosts as the server draws it. In every template (settings.TEMPLATES).

A row is one text with its values filled in at once, and what is made of numbers here needs no escaping: fifty rows are
drawn for a page, and a template that asks of each cell which column it stands in took four fifths of the page's time, a
text for each cell and escaping all of it much of what was left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from django import template
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from console.fleet.columns import SHARES
from console.pages.shown import age, percent
from console.pages.strip import load_strip

if TYPE_CHECKING:
    from console.fleet.seen import HostSeen
    from console.lists.columns import Column

register = template.Library()


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of one column. html: with a {} for each of its values, which are escaped unless they are safe."""

    html: str
    values: Callable[[HostSeen], Sequence[object]]


@register.simple_tag
def host_cells(seen: HostSeen, columns: Iterable[Column]) -> SafeString:
    """The row of one host, but for its tick."""
    cells = [CELLS[column.key] for column in columns]
    values = chain.from_iterable(cell.values(seen) for cell in cells)
    return format_html("".join(cell.html for cell in cells), *values)


def _words(seen: HostSeen) -> SafeString:
    # Words of ours.
    return SafeString(" ".join(f'<span class="state {word}">{word}</span>' for word in seen.words))


def _labels(seen: HostSeen) -> SafeString:
    return format_html_join("", '<span class="label">{}={}</span>', seen.host.labels.items())


def _percent(share: float | None) -> SafeString:
    return SafeString(percent(share))


def _share(key: str) -> Cell:
    return Cell(
        f'<td class="n wide"><live-share host="{{}}" of="{key}">{{}}</live-share></td>',
        lambda seen: (seen.safe_name, _percent(seen.shares[key])),
    )


#: By the column's key.
CELLS: Mapping[str, Cell] = {
    "name": Cell(
        '<th scope="row"><a href="{}{}/">{}</a></th>',
        lambda seen: (SafeString(reverse("hosts")), seen.safe_name, seen.safe_name),
    ),
    "state": Cell(
        '<td><live-state host="{}">{}</live-state></td>', lambda seen: (seen.safe_name, _words(seen))
    ),
    "load": Cell("<td>{}</td>", lambda seen: (load_strip(seen.strip, seen.safe_name, seen.words[0]),)),
    "worst": Cell(
        '<td class="n"><live-worst host="{}">{}</live-worst></td>',
        lambda seen: (seen.safe_name, _percent(seen.strip.worst)),
    ),
    **{column.key: _share(column.key) for column in SHARES},
    "address": Cell('<td class="wide">{}</td>', lambda seen: (seen.host.address,)),
    "labels": Cell('<td class="wide"><div class="labels">{}</div></td>', lambda seen: (_labels(seen),)),
    "age": Cell(
        '<td class="n"><live-age host="{}">{}</live-age></td>',
        lambda seen: (seen.safe_name, SafeString(age(seen.age_s))),
    ),
}
