"""The map's own page without the rest of the console around it, and the same place for those who draw it otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template import Context, Engine
from django.urls import path, set_urlconf
from django.views.defaults import page_not_found

from bench.results import ROOT

SHEETS = ("tokens", "base", "layout", "components", "pages", "history")
TEMPLATES = [
    Path(__file__).parent / "templates",
    *(ROOT / f"console/{app}/templates" for app in ("fleet", "history")),
]
#: What the console gives its own map page.
SCRIPTS = ("/static/js/main.js", "/static/js/cluster-map.js")
LIBRARIES = {"static": "django.templatetags.static"}
MEASURES = ("worst", "cpu", "memory", "disk", "net", "dominant", "headroom", "age", "state")

urlpatterns = [
    path("hosts/", page_not_found, name="hosts"),
    path("hosts/<slug:name>/", page_not_found, name="host"),
    path("hosts/add/", page_not_found, name="add-host"),
]


def render(template: str, scripts: Sequence[str], hosts: int, **choice: str) -> str:
    """A page of this template with the scripts at these paths. choice: group, colour and size."""
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
            **choice,
        }
        return str(
            Engine(dirs=TEMPLATES, libraries=LIBRARIES)
            .get_template(template)
            .render(Context(context, use_l10n=False))
        )
    finally:
        set_urlconf(None)
