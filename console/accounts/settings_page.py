"""Settings: people and what they may, tokens, and where the rest is set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from knox.models import AuthToken

from agents.wire import digest
from console.accounts.actions.people import (
    ChangeRole,
    CreatePerson,
    DisablePerson,
    EnablePerson,
    IssuePasswordLink,
    SetPassword,
)
from console.accounts.actions.second_factor import ResetSecondFactor
from console.accounts.actions.tokens import LONGEST_LIFE_DAYS, CreateToken, RevokeToken
from console.accounts.everybody import everybody
from console.accounts.models import PasswordLink, Role, User
from console.actions import SYSTEM, Action, Conflict, Invalid
from console.api.views import actor_of, find
from console.pages.frame import act, offer, page
from console.pages.lists import rows_of

MOST_TOKENS = 200


def _name(label: str, hint: str = "") -> forms.CharField:
    widget = forms.TextInput({"autocomplete": "off", "spellcheck": "false"})
    return forms.CharField(label=label, max_length=150, help_text=hint, widget=widget)


class PersonForm(forms.Form):
    username = _name("Name")
    role = forms.ChoiceField(label="Role", choices=Role.choices)


class TokenForm(forms.Form):
    username = _name("Account", "It carries this account's role. A new name makes an account for a program.")
    role = forms.ChoiceField(
        label="Role", required=False, choices=[("", "as the account has it"), *Role.choices]
    )
    days = forms.IntegerField(
        label="Days", min_value=1, max_value=LONGEST_LIFE_DAYS, initial=LONGEST_LIFE_DAYS
    )


class PasswordForm(forms.Form):
    password = forms.CharField(
        label="New password",
        help_text="At least 12 characters.",
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )


@page()
@never_cache
def settings(request: HttpRequest) -> HttpResponse:
    """People and tokens; tokens only for administrators, everybody's own are on the API's page."""
    rows = rows_of(request, everybody().annotate(tokens=Count("auth_token_set")))
    may = offer(request, CreatePerson, "create", "Make the account")
    tokens = AuthToken.objects.select_related("user").order_by("created") if not may.why_not else []
    context = {
        "rows": rows,
        "people": [(each, each.password.startswith(UNUSABLE_PASSWORD_PREFIX)) for each in rows],
        "roles": Role.choices,
        "tokens": tokens[:MOST_TOKENS],
        "person_form": PersonForm(auto_id="person_%s"),
        "token_form": TokenForm(auto_id="token_%s"),
        "offer": may,
    }
    return render(request, "accounts/settings.html", context)


@page(Role.ADMIN, "POST")
@never_cache
def new_person(request: HttpRequest) -> HttpResponse:
    """POST makes the account and shows its password link, this once."""
    form = PersonForm(request.POST or None)

    def make() -> dict[str, str]:
        person = CreatePerson(**form.cleaned_data).run(actor_of(request))
        return _link(request, person)

    return _shown_once(request, form, make, "A new person", "Make the account")


@page(Role.ADMIN, "POST")
@never_cache
def person_link(request: HttpRequest, person: int) -> HttpResponse:
    """POST shows a new password link, this once."""
    found: User = find(User.objects.all(), "person", pk=person)
    return _shown_once(
        request, forms.Form(request.POST), lambda: _link(request, found), "Password link", "Make a link"
    )


@page(Role.ADMIN, "POST")
@never_cache
def new_token(request: HttpRequest) -> HttpResponse:
    """POST makes a token and shows it, this once."""
    form = TokenForm(request.POST or None)

    def make() -> dict[str, str]:
        token, text = CreateToken(**form.cleaned_data).run(actor_of(request))
        return {"what": f"The token of {token.user.username}", "secret": text}

    return _shown_once(request, form, make, "A new token", "Make the token")


@page(Role.ADMIN, "POST")
def person_action(request: HttpRequest, person: int, verb: str) -> HttpResponse:
    """POST: role (role=ROLE), disable, enable or reset-second-factor."""
    action: Action[Any] | None = {
        "role": ChangeRole(person, request.POST.get("role", "")),
        "disable": DisablePerson(person),
        "enable": EnablePerson(person),
        "reset-second-factor": ResetSecondFactor(person),
    }.get(verb)
    if request.method == "POST" and action is not None:
        act(request, action, "Done; it holds from the next request on.")
    return redirect("settings")


@page(Role.ADMIN, "POST")
def revoke_token(request: HttpRequest, key: str) -> HttpResponse:
    """POST ends a token."""
    if request.method == "POST":
        act(request, RevokeToken(key), f"The token {key} opens nothing any more.")
    return redirect("settings")


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@never_cache
def set_password(request: HttpRequest, secret: str) -> HttpResponse:
    """The one-time link: GET asks for the password, POST sets it."""
    link = PasswordLink.objects.select_related("user").filter(digest=digest(secret)).first()
    if link is None or not link.is_open():
        return render(request, "accounts/password_closed.html", status=410)
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            SetPassword(secret, form.cleaned_data["password"]).run(SYSTEM)
        except (Conflict, Invalid) as error:
            form.add_error("password", error.reason)
        else:
            return redirect("login")
    return render(request, "accounts/set_password.html", {"form": form, "name": link.user.username})


def _link(request: HttpRequest, person: User) -> dict[str, str]:
    secret = IssuePasswordLink(person.pk).run(actor_of(request))
    url = request.build_absolute_uri(reverse("set-password", args=[secret]))
    return {"what": f"The link with which {person.username} sets a password, within a day", "secret": url}


def _shown_once(
    request: HttpRequest, form: forms.Form, make: Callable[[], dict[str, str]], title: str, label: str
) -> HttpResponse:
    made: dict[str, str] = {}
    if request.method == "POST" and form.is_valid():
        try:
            made = make()
        except Invalid as error:
            form.add_error(error.field if error.field in form.fields else None, error.reason)
        except Conflict as error:
            form.add_error(None, error.reason)
    context = {"form": form, "made": made, "title": title, "label": label}
    return render(request, "accounts/shown_once.html", context)
