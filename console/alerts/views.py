"""The alerts' pages: what fires now and before, one alert with its ways on, and acknowledging it."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from console.accounts.models import Role
from console.alerts.actions.handling import Acknowledge
from console.alerts.listing import ALERTS
from console.alerts.models import Alert
from console.alerts.notices import active_silences, is_silenced
from console.alerts.pulse import pulse
from console.alerts.rules import RULES, SEVERITIES
from console.api.views import find
from console.events.models import Event
from console.lists.page import listed
from console.pages.frame import act, offer, page

WITH_PAGE = ("host", "service", "job", "shard")


@page()
def alerts(request: HttpRequest) -> HttpResponse:
    """The alerts, what fires first; the filters are in the URL."""
    beat = pulse.beat()  # before the rows: what changes in between is then read again
    context, silences = listed(request, ALERTS), active_silences(timezone.now())
    context |= {
        "alerts": [(each, link_to(each), is_silenced(each, silences)) for each in context["rows"]],
        "states": Alert.State.values,
        "severities": SEVERITIES,
        "rules": RULES,
        "firing": beat["firing"],
        "silences": silences,
        "version": beat["version"],
    }
    return render(request, "alerts/alerts.html", context)


@page()
def alerts_live(request: HttpRequest) -> JsonResponse:
    """{"version", "firing"}: pages read themselves again when the version is another one."""
    return JsonResponse(pulse.beat())


@page()
def alert_page(request: HttpRequest, alert: int) -> HttpResponse:
    """One alert: since when, what it is about at that time, who sees to it."""
    found: Alert = find(Alert.objects.all(), "alert", pk=alert)
    why_not = ""
    if found.state != Alert.State.FIRING:
        why_not = f"The alert is {found.state}."
    elif found.acknowledged_at:
        why_not = f"{found.acknowledged_by} sees to it already."
    rule = RULES.get(found.rule)
    context = {
        "alert": found,
        "title": rule.TITLE if rule else found.rule,
        "about": " ".join((rule.__doc__ or "").split()) if rule else "",
        "link": link_to(found),
        "is_silenced": is_silenced(found, active_silences(timezone.now())),
        "offer": offer(request, Acknowledge, "acknowledge", "Acknowledge", why_not),
        "events": Event.objects.filter(subject_kind="alert", subject=str(found.pk))[:10],
    }
    return render(request, "alerts/alert.html", context)


@page(Role.OPERATOR, "POST")
def acknowledge(request: HttpRequest, alert: int) -> HttpResponse:
    """POST reason=TEXT."""
    if request.method == "POST":
        act(request, Acknowledge(alert, request.POST.get("reason", "")[:500]), "You see to it.")
    return redirect("alert", alert)


def link_to(alert: Alert) -> str:
    """The page of what it is about, at the time when it began; "" where there is none."""
    name = alert.subject_kind
    subject = alert.subject
    if name == "endpoint":
        name, subject = "service", subject.partition(" ")[0]
    if name in ("engine", "certificate"):
        return reverse(f"{name}s")
    if name not in WITH_PAGE:
        return ""
    try:
        path = reverse(name, args=[subject])
    except NoReverseMatch:
        return ""
    return f"{path}?{urlencode({'at': (alert.fired_at or alert.since).isoformat()})}"
