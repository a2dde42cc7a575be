"""The bar of a list: what can be done to the rows that are chosen. In every template (settings.TEMPLATES).

{% bulk_bar "jobs" %}                       above the table, with the list's name
{% include "lists/all.html" %}              as the first cell of its head
{% tick job.pk label %}                     as the first cell of a row (tick.py)
{% act_on "job.retry" job.pk %}             a button for one thing alone, on its page
"""

from __future__ import annotations

from typing import Any

from django import template

from console.lists.bulk import MOST
from console.pages.frame import offer

register = template.Library()


@register.inclusion_tag("lists/bar.html", takes_context=True)
def bulk_bar(context: dict[str, Any], listing: str) -> dict[str, Any]:
    """The buttons of every action that names this list, disabled with the reason where the role lacks."""
    # Imported late: the registry needs the pages, which need the templates.
    from console.lists.registry import KINDS

    request = context["request"]
    query = request.GET.copy()
    query.pop("page", None)
    offers = [offer(request, kind, kind.NAME, kind.LABEL) for kind in KINDS.values() if kind.LIST == listing]
    return {
        "listing": listing,
        "query": query.urlencode(),
        "offers": offers,
        "why_not": next((each.why_not for each in offers if each.why_not), ""),
        "most": f"{MOST:,}",
    }


@register.inclusion_tag("lists/one.html", takes_context=True)
def act_on(context: dict[str, Any], name: str, item: object, why_not: str = "") -> dict[str, Any]:
    """The button of one such action for one thing, which leads to its preview as for many."""
    from console.lists.registry import KINDS

    kind = KINDS[name]
    return {"item": item, "offer": offer(context["request"], kind, name, kind.LABEL, why_not)}
