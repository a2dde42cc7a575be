"""How long the room lasts, and what-if with other hosts, on one page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from balancer_core.errors import InvalidInput
from balancer_core.resources import STANDARD, parse_amount
from console.actions import Invalid
from console.pages.frame import page
from console.storage.capacity import capacity, newcomers

_UNIT = next(resource.unit for resource in STANDARD if resource.name == "disk")


class WhatIfForm(forms.Form):
    """Which hosts would be gone, which new. Nothing is changed by asking."""

    without = forms.CharField(max_length=2000, required=False, label="Without", help_text="Hosts, by name.")
    count = forms.IntegerField(min_value=0, max_value=1000, initial=0, required=False, label="New hosts")
    disk = forms.CharField(max_length=30, required=False, label="Disk of each", help_text="For instance 2Ti.")
    labels = forms.CharField(
        max_length=500, required=False, label="Their labels", help_text="For instance zone=a rack=7."
    )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        said["without"] = said.get("without", "").replace(",", " ").split()
        said["add"] = []
        if count := said.get("count"):
            pairs = [each.partition("=") for each in said.get("labels", "").split()]
            try:
                disk = parse_amount(said.get("disk", ""), _UNIT, "disk")
            except InvalidInput as error:
                raise forms.ValidationError(f"Disk of each: {error}") from None
            labels = {key: value for key, _, value in pairs}
            said["add"] = [{"name": "new", "disk": disk, "labels": labels, "count": count}]
        return said


@page()
@never_cache
def capacity_page(request: HttpRequest) -> HttpResponse:
    """As it is, or as the URL's without, count, disk and labels would have it."""
    asked = any(request.GET.get(name) for name in ("without", "count", "disk", "labels"))
    form = WhatIfForm(request.GET if asked else None)
    would, wrong = None, ""
    if asked and form.is_valid():
        try:
            would = capacity(form.cleaned_data["without"], newcomers(form.cleaned_data["add"]))
        except Invalid as error:
            wrong = error.reason
    as_is = {(each.kind, each.name): each for each in capacity()}
    context = {
        "form": form,
        "wrong": wrong,
        "asked": would is not None,
        "rows": [(each, as_is.get((each.kind, each.name))) for each in (would or as_is.values())],
    }
    return render(request, "storage/capacity.html", context)
