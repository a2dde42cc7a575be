"""Who is told of alerts and when: silences, the rules' numbers, and channels with what was sent by them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from console.accounts.models import Role
from console.actions import Invalid
from console.alerts.actions.channels import PutChannel, RemoveChannel, TryChannel
from console.alerts.actions.handling import ChangeRule, EndSilence, SilenceAlerts
from console.alerts.api import rules_shown
from console.alerts.models import Alert, Channel, Delivery, RuleSettings, Silence
from console.alerts.notices import active_silences
from console.alerts.pulse import pulse
from console.alerts.rules import RULES, SEVERITIES, WARNING
from console.pages.frame import act, offer, page, require_role
from console.pages.lists import rows_of, text_of

HOURS = {"1": "1 hour", "4": "4 hours", "24": "1 day", "168": "7 days", "720": "30 days"}
MOST_DELIVERIES = 20
NUMBERS = ("threshold", "raise_after_s", "clear_after_s")


def _text(label: str, most: int, hint: str = "", required: bool = False) -> forms.CharField:
    widget = forms.TextInput({"autocomplete": "off", "spellcheck": "false"})
    return forms.CharField(label=label, max_length=most, required=required, help_text=hint, widget=widget)


class SilenceForm(forms.Form):
    rule = forms.ChoiceField(
        label="Rule",
        required=False,
        choices=[("", "any rule"), *((name, rule.TITLE) for name, rule in RULES.items())],
    )
    subject = _text("About", 200, "A name or a pattern: web-*. Empty: anything.")
    domain = _text("Domain", 150, "Such as rack=a1. Empty: any.")
    hours = forms.ChoiceField(label="For", choices=list(HOURS.items()), initial="4")
    reason = _text("Reason", 500, "Others will wonder.", required=True)


class ChannelForm(forms.Form):
    name = _text("Name", 63, "Such as on-call. A name that is there is changed.", required=True)
    kind = forms.ChoiceField(label="Kind", choices=Channel.Kind.choices)
    address = forms.CharField(
        label="Address",
        max_length=2000,
        help_text="An Apprise URL (slack:, mailto:, ntfy: …) or the receiver's http(s) URL. Never shown again.",
        widget=forms.PasswordInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    secret = forms.CharField(
        label="Secret",
        max_length=500,
        required=False,
        help_text="Signs a webhook; Alertmanager's bearer token.",
        widget=forms.PasswordInput({"autocomplete": "off"}),
    )
    least_severity = forms.ChoiceField(
        label="From severity", choices=[(each, each) for each in SEVERITIES], initial=WARNING
    )


@page(Role.VIEWER, "POST")
def silences(request: HttpRequest) -> HttpResponse:
    """GET shows them, newest first; POST makes one (operators)."""
    if request.method == "POST":
        require_role(request, Role.OPERATOR)
    keys = ("rule", "subject", "domain")
    form = SilenceForm(request.POST or None, initial={key: text_of(request, key) for key in keys})
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        until = timezone.now() + timedelta(hours=int(said["hours"]))
        action = SilenceAlerts(until, said["reason"], said["rule"], said["subject"], said["domain"])
        if act(request, action, f"Nobody is told for {HOURS[said['hours']]}."):
            return redirect("silences")
    active = {each.pk for each in active_silences(timezone.now())}
    rows = rows_of(request, Silence.objects.all())
    context = {
        "rows": rows,
        "silences": [(each, each.pk in active) for each in rows],
        "form": form,
        "offer": offer(request, SilenceAlerts, "silence", "Silence them"),
    }
    return render(request, "alerts/silences.html", context)


@page(Role.OPERATOR, "POST")
def end_silence(request: HttpRequest, silence: int) -> HttpResponse:
    """POST ends it now."""
    if request.method == "POST":
        act(request, EndSilence(silence), "The silence is over: what still fires is told.")
    return redirect("silences")


@page()
def rules(request: HttpRequest) -> HttpResponse:
    """The rules with the numbers that hold now, and how many alerts each has open."""
    counts = dict(
        Alert.objects.exclude(state=Alert.State.RESOLVED).values_list("rule").annotate(Count("pk")).order_by()
    )
    changed = {each.rule: each for each in RuleSettings.objects.all()}
    shown = [
        {
            **rule,
            "open": counts.get(rule["name"], 0),
            **{f"{name}_set": getattr(changed.get(rule["name"]), name, None) for name in NUMBERS},
        }
        for rule in rules_shown()
    ]
    may = offer(request, ChangeRule, "change", "Change it")
    return render(request, "alerts/rules.html", {"rules_shown": shown, "offer": may})


@page(Role.OPERATOR, "POST")
def change_rule(request: HttpRequest, name: str) -> HttpResponse:
    """POST is_on, threshold, raise_after_s, clear_after_s, reason; an empty number: as it was built."""
    if request.method == "POST":
        try:
            action = ChangeRule(
                name,
                is_on="is_on" in request.POST,
                **{key: _number(request.POST, key) for key in NUMBERS},
                reason=request.POST.get("reason", "")[:500],
            )
        except Invalid as error:
            messages.error(request, f"Not done: {error.reason}")
            return redirect("alert-rules")
        title = RULES[name].TITLE if name in RULES else name
        act(request, action, f"{title}: the numbers hold from now on.")
    return redirect("alert-rules")


def _number(posted: Mapping[str, str], name: str) -> float | None:
    text = posted.get(name, "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise Invalid(name, "invalid", f"{name}: {text[:40]!r} is not a number") from None


@sensitive_post_parameters("address", "secret")
@page(Role.OPERATOR, "POST")
@never_cache
def channels(request: HttpRequest) -> HttpResponse:
    """GET shows the channels and what was sent last; POST keeps one (administrators). Its address is not given back."""
    if request.method == "POST":
        require_role(request, Role.ADMIN)
    form = ChannelForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        done = f"{form.cleaned_data['name']} is kept. Try it."
        if act(request, PutChannel(**form.cleaned_data), done):
            return redirect("channels")
    context = {
        "channels": Channel.objects.all(),
        "deliveries": Delivery.objects.select_related("channel")[:MOST_DELIVERIES],
        "form": form,
        "may_put": offer(request, PutChannel, "put", "Keep it"),
        "may_try": offer(request, TryChannel, "test", "Send a test"),
        "may_remove": offer(request, RemoveChannel, "remove", "Remove"),
        "version": pulse.beat()["version"],
    }
    return render(request, "alerts/channels.html", context)


@page(Role.OPERATOR, "POST")
def try_channel(request: HttpRequest, name: str) -> HttpResponse:
    """POST owes the channel a test; what comes of it stands in its deliveries."""
    if request.method == "POST":
        act(request, TryChannel(name), f"A test for {name} is on its way: see below what comes of it.")
    return redirect("channels")


@page(Role.ADMIN, "POST")
def remove_channel(request: HttpRequest, name: str) -> HttpResponse:
    """POST forgets it."""
    if request.method == "POST":
        act(request, RemoveChannel(name), f"{name} is forgotten.")
    return redirect("channels")
