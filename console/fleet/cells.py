"""The cells of the table of hosts as the server draws it. In every template (settings.TEMPLATES).

Made by functions, one a column: fifty rows are drawn at once, and a template that asks of each cell which column it
stands in took four fifths of the page's time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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


@register.simple_tag
def host_cells(seen: HostSeen, columns: Iterable[Column]) -> SafeString:
    """The row of one host, but for its tick."""
    return format_html_join("", "{}", ((CELLS[column.key](seen),) for column in columns))


def _name(seen: HostSeen) -> SafeString:
    path = f"{reverse('hosts')}{seen.name}/"
    return format_html('<th scope="row"><a href="{}">{}</a></th>', path, seen.name)


def _state(seen: HostSeen) -> SafeString:
    words = format_html_join(" ", '<span class="state {}">{}</span>', ((word, word) for word in seen.words))
    return format_html('<td><live-state host="{}">{}</live-state></td>', seen.name, words)


def _load(seen: HostSeen) -> SafeString:
    return format_html("<td>{}</td>", load_strip(seen.strip, seen.name, seen.words[0]))


def _worst(seen: HostSeen) -> SafeString:
    worst = percent(seen.strip.worst)
    return format_html('<td class="n"><live-worst host="{}">{}</live-worst></td>', seen.name, worst)


def _address(seen: HostSeen) -> SafeString:
    return format_html('<td class="wide">{}</td>', seen.host.address)


def _labels(seen: HostSeen) -> SafeString:
    labels = format_html_join("", '<span class="label">{}={}</span>', seen.host.labels.items())
    return format_html('<td class="wide"><div class="labels">{}</div></td>', labels)


def _age(seen: HostSeen) -> SafeString:
    return format_html('<td class="n"><live-age host="{}">{}</live-age></td>', seen.name, age(seen.age_s))


def _share(key: str) -> Callable[[HostSeen], SafeString]:
    def cell(seen: HostSeen) -> SafeString:
        share = percent(seen.shares[key])
        return format_html(
            '<td class="n wide"><live-share host="{}" of="{}">{}</live-share></td>', seen.name, key, share
        )

    return cell


#: By the column's key.
CELLS: Mapping[str, Callable[[HostSeen], SafeString]] = {
    "name": _name,
    "state": _state,
    "load": _load,
    "worst": _worst,
    **{column.key: _share(column.key) for column in SHARES},
    "address": _address,
    "labels": _labels,
    "age": _age,
}
