"""One's own second factor: set up with an authenticator app, given new recovery codes, removed.

In a frame of its own: who must have one and has none yet sees nothing else.
"""

from __future__ import annotations

import base64
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from console.accounts.actions.logins import CountTry, TakeBack, TooManyTries
from console.accounts.actions.second_factor import NewRecoveryCodes, RemoveSecondFactor, SetUpSecondFactor
from console.accounts.models import Role
from console.accounts.second_factor import PROVEN, CodeForm, address_of, has_second_factor
from console.actions import Actor, Conflict, Invalid
from console.api.views import actor_of
from console.pages.frame import page
from console.sealing import Unsealable, seal, unseal

#: In the session, sealed: the secret that is being set up.
IN_SETUP = "second_factor_in_setup"


class SetUpForm(forms.Form):
    """The app's first code, and the password of who has one: an open browser is not enough to change who gets in."""

    password = forms.CharField(
        label="Your password", widget=forms.PasswordInput({"autocomplete": "current-password"})
    )
    code = forms.CharField(
        label="The code that the app shows",
        max_length=20,
        widget=forms.TextInput({"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.POST if request.method == "POST" else None)
        self._request, self._user = request, request.user
        self.wait_s = 0
        if not self._user.has_usable_password():
            del self.fields["password"]

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        who = (self._user.get_username(), address_of(self._request))
        actor = Actor(kind="system", name="login", address=who[1])
        try:
            CountTry(*who).run(actor)
        except TooManyTries as closed:
            self.wait_s = closed.wait_s
            raise forms.ValidationError(str(closed)) from None
        if not self._user.check_password(password):
            raise forms.ValidationError("This is not your password.")
        TakeBack(*who).run(actor)
        return password


@sensitive_post_parameters("password", "code")
@page(Role.VIEWER, "POST")
@never_cache
def second_factor(request: HttpRequest) -> HttpResponse:
    """GET shows what there is; POST do=set-up, codes or remove."""
    return _present(request) if has_second_factor(request.user) else _set_up(request)  # type: ignore[arg-type]


def _set_up(request: HttpRequest) -> HttpResponse:
    form, secret = SetUpForm(request), _secret(request)
    if request.method == "POST" and form.is_valid():
        try:
            codes = SetUpSecondFactor(secret, form.cleaned_data["code"]).run(actor_of(request))
        except (Conflict, Invalid) as error:
            form.add_error("code", error.reason)
        else:
            del request.session[IN_SETUP]
            request.session[PROVEN] = request.user.pk
            return render(request, "accounts/recovery_codes.html", {"codes": codes})
    adapter = get_adapter()
    url = adapter.build_totp_url(request.user, secret)
    picture = base64.b64encode(adapter.build_totp_svg(url).encode()).decode()
    context = {
        "form": form,
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "picture": f"data:image/svg+xml;base64,{picture}",
        "demanded": settings.STEELYARD_SECOND_FACTOR,
    }
    return _waiting(render(request, "accounts/second_factor.html", context), form.wait_s)


def _present(request: HttpRequest) -> HttpResponse:
    form = CodeForm(
        user=request.user,
        data=request.POST if request.method == "POST" else None,
        address=address_of(request),
    )
    if request.method == "POST" and form.is_valid():
        try:
            if request.POST.get("do") == "codes":
                codes = NewRecoveryCodes().run(actor_of(request))
                return render(request, "accounts/recovery_codes.html", {"codes": codes})
            RemoveSecondFactor().run(actor_of(request))
        except Conflict as error:
            form.add_error("code", error.reason)
        else:
            request.session.pop(PROVEN, None)
            messages.success(request, "Your second factor is removed: the password alone opens.")
            return redirect("settings")
    demanded = settings.STEELYARD_SECOND_FACTOR
    must: Any = demanded and request.user.has_role(Role(demanded))  # type: ignore[union-attr]
    left = Authenticator.objects.filter(user=request.user, type=Authenticator.Type.RECOVERY_CODES).first()
    context = {
        "form": form,
        "left": len(left.wrap().get_unused_codes()) if left else 0,
        "why_not": f"Your role, {request.user.role}, must have one here." if must else "",  # type: ignore[union-attr]
    }
    return _waiting(render(request, "accounts/second_factor_present.html", context), form.wait_s)


def _secret(request: HttpRequest) -> str:
    """The secret that is being set up, the same until it is."""
    if kept := request.session.get(IN_SETUP):
        try:
            return unseal(kept, IN_SETUP)
        except Unsealable:
            del request.session[IN_SETUP]  # the key was changed meanwhile: begin again
    secret: str = generate_totp_secret()
    request.session[IN_SETUP] = seal(secret, IN_SETUP)
    return secret


def _waiting(answer: HttpResponse, wait_s: int) -> HttpResponse:
    if wait_s:
        answer.status_code, answer["Retry-After"] = 429, str(wait_s)
    return answer
