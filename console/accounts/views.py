"""Logging in, and making the first administrator."""

from __future__ import annotations

from django import forms
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from console.accounts.actions.setup import CreateFirstAdmin, is_set_up
from console.accounts.models import SetupLink
from console.actions import SYSTEM, Conflict, Invalid
from agents.wire import digest


class FirstAdminForm(forms.Form):
    username = forms.CharField(max_length=150, label="Name", widget=forms.TextInput({"autocomplete": "username"}))
    password = forms.CharField(
        label="Password",
        help_text="At least 12 characters.",
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@never_cache
def setup(request: HttpRequest, secret: str) -> HttpResponse:
    """The one-time link: GET shows the form, POST makes the administrator and logs them in."""
    link = SetupLink.objects.filter(digest=digest(secret)).first()
    if link is None or not link.is_open() or is_set_up():
        return render(request, "accounts/setup_closed.html", status=410)
    form = FirstAdminForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = CreateFirstAdmin(secret=secret, **form.cleaned_data).run(SYSTEM)
        except Invalid as error:
            form.add_error(error.field, error.reason)
        except Conflict:
            return render(request, "accounts/setup_closed.html", status=410)
        else:
            login(request, user)
            return redirect("map")
    return render(request, "accounts/setup.html", {"form": form})
