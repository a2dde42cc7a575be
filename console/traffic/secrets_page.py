"""Certificates and API keys: what is there, until when, used by whom; a key is shown once or never."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from console.accounts.models import Role
from console.actions import Conflict, Invalid
from console.api.views import actor_of
from console.pages.frame import act, offer, page
from console.traffic import pem
from console.traffic.actions.api_keys import MakeApiKey, RemoveApiKey
from console.traffic.actions.certificates import PutCertificate, RemoveCertificate
from console.traffic.api_secrets import warnings_of
from console.traffic.models import ApiKey, Certificate
from console.traffic.references import api_key_users, certificate_users

MOST_SHOWN = 200


def _pem(label: str, hint: str) -> forms.CharField:
    return forms.CharField(
        required=False,
        max_length=pem.LONGEST,
        label=label,
        help_text=hint,
        widget=forms.Textarea({"rows": 4, "class": "code", "spellcheck": "false", "autocomplete": "off"}),
    )


class CertificateForm(forms.Form):
    name = forms.CharField(
        max_length=63, widget=forms.TextInput({"placeholder": "shop-example-com", "autocomplete": "off"})
    )
    chain = _pem("Chain", "PEM, the server's own certificate first.")
    key = _pem("Private key", "PEM, without a passphrase. It is sealed, and never shown again.")
    ca = _pem("CA of clients", "PEM, for services that ask clients for a certificate.")


class ApiKeyForm(forms.Form):
    name = forms.CharField(
        max_length=63,
        label="Client",
        widget=forms.TextInput({"placeholder": "mobile-app", "autocomplete": "off"}),
    )


@page()
def certificates(request: HttpRequest) -> HttpResponse:
    """The certificates and the API keys."""
    used, opened = certificate_users(), api_key_users()
    found = [
        {"certificate": each, "warnings": warnings_of(each), "users": used.get(each.name, [])}
        for each in Certificate.objects.all()[:MOST_SHOWN]
    ]
    keys = [{"key": each, "users": opened.get(each.name, [])} for each in ApiKey.objects.all()[:MOST_SHOWN]]
    may = offer(request, PutCertificate, "add", "Add a certificate")
    return render(
        request,
        "traffic/certificates.html",
        {"certificates": found, "keys": keys, "offer": may, "form": ApiKeyForm()},
    )


@sensitive_post_parameters("key")
@page(Role.OPERATOR, "POST")
@never_cache
def new_certificate(request: HttpRequest) -> HttpResponse:
    """GET asks, POST keeps the certificate. A page with errors does not give the key back."""
    form = CertificateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            PutCertificate(**form.cleaned_data).run(actor_of(request))
        except Invalid as error:
            form.add_error(error.field if error.field in form.fields else None, error.reason)
        except Conflict as error:
            form.add_error(None, error.reason)
        else:
            messages.success(request, f"{form.cleaned_data['name']} is kept.")
            return redirect("certificates")
    if form.is_bound:
        form.data = {**form.data.dict(), "key": ""}
    return render(request, "traffic/new_certificate.html", {"form": form})


@page(Role.OPERATOR, "POST")
def certificate_action(request: HttpRequest, name: str) -> HttpResponse:
    """POST removes the certificate."""
    if request.method == "POST":
        act(request, RemoveCertificate(name), f"{name} is forgotten.")
    return redirect("certificates")


@page(Role.OPERATOR, "POST")
@never_cache
def new_api_key(request: HttpRequest) -> HttpResponse:
    """POST makes a key and shows it, this once."""
    form = ApiKeyForm(request.POST or None)
    made: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        try:
            made = {"name": name, "key": MakeApiKey(name).run(actor_of(request))}
        except Invalid as error:
            form.add_error("name", error.reason)
        except Conflict as error:
            form.add_error(None, error.reason)
    return render(request, "traffic/new_api_key.html", {"form": form, "made": made})


@page(Role.OPERATOR, "POST")
def api_key_action(request: HttpRequest, name: str) -> HttpResponse:
    """POST removes the key."""
    if request.method == "POST":
        act(request, RemoveApiKey(name), f"The key of {name} opens nothing any more.")
    return redirect("certificates")
