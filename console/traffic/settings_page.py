"""The page that changes a service's settings: the usual things as fields, and the whole document as text."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from console.accounts.models import Role
from console.actions import Conflict, Invalid
from console.api.views import actor_of, find
from console.pages.frame import page
from console.traffic.actions.settings import ConfigureService
from console.traffic.models import Certificate, Service
from console.traffic.references import LONGEST_DOCUMENT

USUAL = "usual"


class DocumentForm(forms.Form):
    """The whole document."""

    document = forms.CharField(
        max_length=LONGEST_DOCUMENT,
        label="Settings",
        widget=forms.Textarea({"rows": 24, "spellcheck": "false", "class": "code"}),
        help_text="JSON; what is left out has its usual value. The schema is in the API's.",
    )

    def clean_document(self) -> Any:
        try:
            return json.loads(self.cleaned_data["document"])
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(f"no JSON: {error}") from None


class UsualForm(forms.Form):
    """What most services change. Each field stands for a place in the document."""

    certificates = forms.MultipleChoiceField(
        required=False,
        label="TLS certificates",
        help_text="None: no TLS. The client's SNI chooses between several.",
    )
    redirect_from_port = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=65_535,
        label="Send plain HTTP to TLS, from port",
        help_text="Empty: nothing listens for plain HTTP.",
    )
    hosts = forms.CharField(
        required=False,
        max_length=20_000,
        label="Host names",
        widget=forms.Textarea({"rows": 2}),
        help_text="One a line; *.example.com takes all below it. Empty: every name.",
    )
    destinations = forms.CharField(
        required=False,
        max_length=5_000,
        label="Shares of services",
        widget=forms.Textarea({"rows": 2, "placeholder": "shop=95\nshop-canary=5"}),
        help_text="SERVICE=WEIGHT, one a line. Empty: its own endpoints get everything.",
    )
    timeout_s = forms.FloatField(
        required=False, min_value=0, label="Requests end after", help_text="Seconds; empty: never."
    )

    def __init__(self, data: Any = None, *, document: dict[str, Any], is_http: bool) -> None:
        super().__init__(data, prefix=USUAL, initial=_read(document))
        known = Certificate.objects.exclude(chain="").values_list("name", flat=True)
        self.fields["certificates"].choices = [(name, name) for name in known]
        if not is_http:
            for name in ("redirect_from_port", "hosts", "destinations", "timeout_s"):
                del self.fields[name]

    def clean_destinations(self) -> list[dict[str, Any]]:
        found = []
        for line in self.cleaned_data["destinations"].split():
            service, equals, weight = line.partition("=")
            if not equals or not (weight.isascii() and weight.isdecimal()):
                raise forms.ValidationError(f"{line[:80]!r} is not SERVICE=WEIGHT")
            found.append({"service": service, "weight": int(weight)})
        return found

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("redirect_from_port") and not values.get("certificates"):
            self.add_error("redirect_from_port", "There is no TLS to send it to: choose a certificate.")
        return values

    def patch(self) -> dict[str, Any]:
        """The merge patch that the fields stand for."""
        values = self.cleaned_data
        tls = {"certificates": values["certificates"], "redirect_from_port": values.get("redirect_from_port")}
        found: dict[str, Any] = {"front": {"tls": tls if values["certificates"] else None}}
        if "hosts" in self.fields:
            found["http"] = {
                "hosts": values["hosts"].split() or None,
                "destinations": values["destinations"] or None,
                "timeout_s": values["timeout_s"],
            }
        return found


#: The field of UsualForm in which an error of a place in the document is shown.
PLACES = {
    "front.tls.certificates": "certificates",
    "front.tls.redirect_from_port": "redirect_from_port",
    "http.hosts": "hosts",
    "http.destinations": "destinations",
    "http.timeout_s": "timeout_s",
}


@page(Role.OPERATOR, "POST")
def service_settings(request: HttpRequest, name: str) -> HttpResponse:
    """GET shows both forms, POST form=usual or form=document changes the settings."""
    found: Service = find(Service.objects.all(), "service", name=name)
    is_usual = request.POST.get("form") == USUAL
    posted = request.POST if request.method == "POST" else None
    usual = UsualForm(
        posted if is_usual else None, document=found.settings, is_http=found.protocol == Service.Protocol.HTTP
    )
    text = json.dumps(found.settings, indent=2, ensure_ascii=False)
    document = DocumentForm(None if is_usual else posted, initial={"document": text})
    form: UsualForm | DocumentForm = usual if is_usual else document
    if posted is not None and form.is_valid():
        if isinstance(form, UsualForm):
            action = ConfigureService(name, form.patch(), patch=True)
        else:
            action = ConfigureService(name, form.cleaned_data["document"])
        try:
            action.run(actor_of(request))
        except Invalid as error:
            _show(form, error)
        except Conflict as error:
            form.add_error(None, error.reason)
        else:
            messages.success(request, f"{name} has the new settings.")
            return redirect("service", name=name)
    context = {"service": found, "usual": usual, "document": document}
    return render(request, "traffic/settings.html", context)


def _show(form: UsualForm | DocumentForm, error: Invalid) -> None:
    """Put an error where its field is, with the path in the document."""
    if isinstance(form, DocumentForm):
        form.add_error("document", f"{error.field}: {error.reason}")
        return
    field = next((name for path, name in PLACES.items() if error.field.startswith(path)), None)
    reason = error.reason if field else f"{error.field}: {error.reason}"
    form.add_error(field if field in form.fields else None, reason)


def _read(document: dict[str, Any]) -> dict[str, Any]:
    """The fields' values in a document."""
    http, tls = document.get("http", {}), document.get("front", {}).get("tls") or {}
    shares = [f"{each['service']}={each.get('weight', 1)}" for each in http.get("destinations", [])]
    return {
        "certificates": tls.get("certificates", []),
        "redirect_from_port": tls.get("redirect_from_port"),
        "hosts": "\n".join(http.get("hosts", [])),
        "destinations": "\n".join(shares),
        "timeout_s": http.get("timeout_s"),
    }
