"""The queue and who shares it, schedules, and what tasks were seen to use."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from balancer_core.errors import InvalidInput
from balancer_core.resources import STANDARD, parse_amount
from console.accounts.models import Role
from console.jobs.actions.schedules import PutSchedule, RemoveSchedule
from console.jobs.actions.tenants import SetTenant
from console.jobs.models import Schedule, TaskProfile
from console.jobs.queue import stuck_hosts
from console.jobs.standing import next_up, standings
from console.live.picture import picture
from console.pages.frame import act, offer, page, require_role
from console.pages.lists import rows_of, text_of

#: Jobs that the page names of those that wait; the list has them all.
MOST_NEXT = 20

_UNITS = {resource.name: resource.unit for resource in STANDARD}


class TenantForm(forms.Form):
    name = forms.CharField(max_length=63, label="Tenant")
    weight = forms.FloatField(initial=1, label="Weight", help_text="Twice the weight is twice the share.")
    quota = forms.CharField(
        max_length=500,
        required=False,
        label="Quota",
        help_text="The most its jobs hold together, for instance cpu=4 memory=8Gi. Empty: no bound.",
    )
    bursts = forms.BooleanField(required=False, label="May hold more while nobody else waits")
    preempts = forms.ChoiceField(
        choices=[("none", "nobody's"), ("own", "its own"), ("others", "also others', below its fair part")],
        initial="own",
        label="Takes the room of whose preemptible jobs",
        help_text="For its own of a higher priority that fit nowhere.",
    )
    reason = forms.CharField(max_length=500, required=False, label="Reason", help_text="For the audit trail.")

    def clean_quota(self) -> dict[str, float]:
        found = {}
        for item in self.cleaned_data["quota"].split():
            resource, _, amount = item.partition("=")
            try:
                found[resource] = parse_amount(amount, _UNITS.get(resource, ""), resource)
            except InvalidInput as error:
                raise forms.ValidationError(f"{item[:80]}: {error}") from None
        return found


class ScheduleForm(forms.Form):
    name = forms.CharField(max_length=63, label="Name")
    cron = forms.CharField(
        max_length=100, label="When", help_text="Minute, hour, day, month, weekday, in UTC: 0 3 * * 1-5"
    )
    request = forms.CharField(
        max_length=10_000,
        label="Job",
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text='As JSON: {"task": "demo.add", "args": [1, 2], "demand": {"cpu": 0.5}}',
    )
    paused = forms.BooleanField(required=False, label="Paused")
    overlaps = forms.BooleanField(required=False, label="Also while the last one has not ended")
    catches_up = forms.BooleanField(
        required=False, initial=True, label="Make up, once, for runs that were missed"
    )

    def clean_request(self) -> dict[str, Any]:
        try:
            found = json.loads(self.cleaned_data["request"])
        except ValueError as error:
            raise forms.ValidationError(f"This is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise forms.ValidationError("A job is an object: {…}")
        return found


@page()
def queue(request: HttpRequest) -> HttpResponse:
    """How tenants stand, what goes next and why it waits."""
    return _queue(request, None)


@page(Role.POLICY_ADMIN, "POST")
def set_tenant(request: HttpRequest) -> HttpResponse:
    """POST name, weight, quota: how it shares the cluster. GET: the queue's page, where the form is."""
    if request.method != "POST":
        return redirect("queue")
    form = TenantForm(request.POST)
    if form.is_valid():
        action = SetTenant(**form.cleaned_data)
        if act(
            request, action, f"{action.name} shares the cluster with weight {action.weight:g} from now on."
        ):
            return redirect("queue")
    return _queue(request, form)


def _queue(request: HttpRequest, form: TenantForm | None) -> HttpResponse:
    snapshot = picture.view()[0]
    tenants = standings(snapshot)
    chosen = next((each for each in tenants if each.name == text_of(request, "tenant")), None)
    if form is None and chosen is not None:
        quota = " ".join(f"{name}={amount:g}" for name, amount in chosen.quota.items())
        form = TenantForm(
            initial={
                "name": chosen.name,
                "weight": chosen.weight,
                "quota": quota,
                "bursts": chosen.bursts,
                "preempts": chosen.preempts,
            }
        )
    context = {
        "tenants": tenants,
        "next": next_up(snapshot, MOST_NEXT),
        "stuck": len(stuck_hosts(timezone.now())),
        "form": form or TenantForm(),
        "offer": offer(request, SetTenant, "set", "Share like this"),
    }
    return render(request, "jobs/queue.html", context)


@page(Role.VIEWER, "POST")
def schedules(request: HttpRequest) -> HttpResponse:
    """GET shows them; POST makes or changes one (operators)."""
    if request.method == "POST":
        require_role(request, Role.OPERATOR)
    known = Schedule.objects.filter(pk=text_of(request, "name")).first()
    form = ScheduleForm(request.POST if request.method == "POST" else None, initial=_said(known))
    if request.method == "POST" and form.is_valid():
        action = PutSchedule(**form.cleaned_data)
        if act(request, action, f"The schedule {action.name} is kept."):
            return redirect("schedules")
    context = {
        "rows": rows_of(request, Schedule.objects.all()),
        "form": form,
        "offer": offer(request, PutSchedule, "put", "Keep it"),
    }
    return render(request, "jobs/schedules.html", context)


@page(Role.OPERATOR, "POST")
def remove_schedule(request: HttpRequest, name: str) -> HttpResponse:
    """POST: hand its job in no more."""
    if request.method == "POST":
        act(request, RemoveSchedule(name), f"The schedule {name} is removed; what it handed in goes on.")
    return redirect("schedules")


@page()
def tasks(request: HttpRequest) -> HttpResponse:
    """What each task's runs were seen to use, which is what the next one is given."""
    return render(request, "jobs/tasks.html", {"rows": rows_of(request, TaskProfile.objects.all())})


def _said(schedule: Schedule | None) -> dict[str, Any]:
    if schedule is None:
        return {}
    said = {name: getattr(schedule, name) for name in PutSchedule.RECORDED}
    return {**said, "name": schedule.name, "request": json.dumps(schedule.request, indent=1)}
