"""The pages of map and hosts without the rest of the console around them, and a place for those who draw otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template import Context, Engine, Library
from django.urls import path, set_urlconf
from django.views.defaults import page_not_found

from bench.results import ROOT
from console.fleet.columns import COLUMNS, told
from console.lists.columns import shown

SHEETS = ("tokens", "base", "layout", "components", "pages", "history", "grid")
TEMPLATES = [
    Path(__file__).parent / "templates",
    *(ROOT / f"console/{app}/templates" for app in ("fleet", "history", "lists", "pages")),
]
MOST = 1000
#: What the console gives its own map page, and its table of hosts.
MAP = ("/static/js/main.js", "/static/js/cluster-map.js")
GRID = ("/static/js/main.js", "/static/js/host-grid.js")
LIBRARIES = {"static": "django.templatetags.static"}
TAGS = ("console.pages.shown", "console.lists.tick", "console.fleet.cells")
register = Library()
MEASURES = ("worst", "cpu", "memory", "disk", "net", "dominant", "headroom", "age", "state")

urlpatterns = [
    path("hosts/", page_not_found, name="hosts"),
    path("hosts/<slug:name>/", page_not_found, name="host"),
    path("hosts/add/", page_not_found, name="add-host"),
    path("bulk/", page_not_found, name="bulk"),
    path("lists/<slug:listing>/views/", page_not_found, name="list-views"),
    path("lists/<slug:listing>/columns/", page_not_found, name="list-columns"),
    path("lists/<slug:listing>/<slug:form>/", page_not_found, name="export"),
]


@register.inclusion_tag("lists/bar.html")  # type: ignore[untyped-decorator]
def bulk_bar(listing: str) -> dict[str, Any]:
    """As console.lists.bar draws it for somebody who may act, with one of the actions."""
    offers = [{"verb": "host.drain", "label": "Drain", "explains": "", "why_not": ""}]
    return {"listing": listing, "query": "", "offers": offers, "most": MOST}


def render(template: str, scripts: Sequence[str], hosts: int, **choice: str) -> str:
    """A page of this template with the scripts at these paths. choice: group, colour and size; columns, by key."""
    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, USE_I18N=False)
    set_urlconf(__name__)  # the page's links, without the product behind them
    try:
        context: dict[str, Any] = {
            "sheets": SHEETS,
            "scripts": scripts,
            "total": hosts,
            "hosts": [],
            "counts": {},
            "measures": {name: name for name in MEASURES},
            "sizes": {name: name for name in ("cores", *MEASURES)},
            "group_labels": ["zone", "rack"],
            "colour_labels": ["zone", "rack"],
            "group": "zone",
            "colour": "worst",
            "size": "",
            **_table(choice.pop("columns", "").split()),
            **choice,
        }
        return str(
            Engine(dirs=TEMPLATES, libraries=LIBRARIES, builtins=[*TAGS, __name__])
            .get_template(template)
            .render(Context(context, use_l10n=False))
        )
    finally:
        set_urlconf(None)


def _table(keys: list[str]) -> dict[str, Any]:
    """What the page of hosts is drawn from: live, with these columns, for somebody who may act."""
    columns = shown(COLUMNS, keys)
    return {
        "listing": "hosts",
        "columns": columns,
        "columns_left": [],
        "grid_columns": told(columns),
        "states": ("active", "cordoned", "draining", "lost", "silent"),
        "live": True,
        "most": MOST,
    }
