"""One's own second factor: set up with an authenticator app or a key, given more keys and new recovery codes, removed.

In a frame of its own: who must have one and has none yet sees nothing else.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from allauth.mfa.webauthn.internal.auth import (
    begin_registration,
    complete_registration,
    parse_registration_response,
)
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from console.accounts.actions.logins import CountTry, TakeBack, TooManyTries
from console.accounts.actions.second_factor import (
    LONGEST_NAME,
    AddKey,
    NewRecoveryCodes,
    RemoveKey,
    RemoveSecondFactor,
    SetUpSecondFactor,
)
from console.accounts.models import Role
from console.accounts.second_factor import PROVEN, CodeForm, address_of, garbled, has_second_factor
from console.actions import Actor, Conflict, Invalid, Unknown
from console.api.views import actor_of
from console.pages.frame import page
from console.sealing import Unsealable, seal, unseal

#: In the session, sealed: the secret that is being set up.
IN_SETUP = "second_factor_in_setup"


class OwnerForm(forms.Form):
    """The password of who has one: an open browser is not enough to change who gets in."""

    password = forms.CharField(
        label="Your password", widget=forms.PasswordInput({"autocomplete": "current-password"})
    )

    def __init__(self, request: HttpRequest, do: str, **kwargs: Any) -> None:
        """Filled where the request is a POST of this do=."""
        super().__init__(request.POST if request.POST.get("do") == do else None, **kwargs)
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


class SetUpForm(OwnerForm):
    """The app's first code."""

    code = forms.CharField(
        label="The code that the app shows",
        max_length=20,
        widget=forms.TextInput({"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class NewKey(forms.Form):
    """The answer of a new key to this session's challenge, checked; name: what its owner calls it."""

    name = forms.CharField(
        label="What you call it",
        max_length=LONGEST_NAME,
        required=False,
        help_text="Such as: on the key ring.",
    )
    credential = forms.JSONField(widget=forms.HiddenInput)

    def clean_credential(self) -> dict[str, Any]:
        credential: dict[str, Any] = self.cleaned_data["credential"]
        with garbled():
            parse_registration_response(credential)
            complete_registration(credential)
        return credential


class FirstKeyForm(NewKey, OwnerForm):
    """By password."""


class FurtherKeyForm(NewKey, CodeForm):
    """By a code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["code"].widget.attrs["autofocus"]  # the other form has it


@sensitive_post_parameters("password", "code")
@page(Role.VIEWER, "POST")
@never_cache
def second_factor(request: HttpRequest) -> HttpResponse:
    """GET shows what there is; POST do=set-up, key, codes, remove-key (key=ID) or remove."""
    return _present(request) if has_second_factor(request.user) else _set_up(request)  # type: ignore[arg-type]


def _set_up(request: HttpRequest) -> HttpResponse:
    form, secret = SetUpForm(request, "set-up"), _secret(request)
    key_form = FirstKeyForm(request, "key", auto_id="key_%s")
    if form.is_valid():
        try:
            codes = SetUpSecondFactor(secret, form.cleaned_data["code"]).run(actor_of(request))
        except (Conflict, Invalid) as error:
            form.add_error("code", error.reason)
        else:
            return _done(request, codes)
    elif key_form.is_valid():
        return _done(request, _add_key(request, key_form))
    adapter = get_adapter()
    url = adapter.build_totp_url(request.user, secret)
    picture = base64.b64encode(adapter.build_totp_svg(url).encode()).decode()
    context = {
        "form": form,
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "picture": f"data:image/svg+xml;base64,{picture}",
        "demanded": settings.STEELYARD_SECOND_FACTOR,
        "key_form": key_form,
        "key_options": _challenge(request),
    }
    wait_s = max(form.wait_s, key_form.wait_s)
    return _waiting(render(request, "accounts/second_factor.html", context), wait_s)


def _done(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """The first second factor is there, and given in this session."""
    request.session.pop(IN_SETUP, None)
    request.session[PROVEN] = request.user.pk
    return render(request, "accounts/recovery_codes.html", {"codes": codes})


def _add_key(request: HttpRequest, form: NewKey) -> list[str]:
    return AddKey(form.cleaned_data["name"], form.cleaned_data["credential"]).run(actor_of(request))


def _challenge(request: HttpRequest) -> str:
    """For a new key of theirs, as browsers read it; it holds until the next one of this session."""
    return json.dumps(begin_registration(request.user, False)["publicKey"])


def _present(request: HttpRequest) -> HttpResponse:
    do = request.POST.get("do", "")
    posted = request.POST if do in ("codes", "key", "remove-key", "remove") else None
    who: dict[str, Any] = {"user": request.user, "address": address_of(request)}
    form = CodeForm(**who, data=None if do == "key" else posted)
    key_form = FurtherKeyForm(**who, data=posted if do == "key" else None, auto_id="key_%s")
    asked = key_form if do == "key" else form
    if asked.is_valid():
        try:
            if do == "codes":
                codes = NewRecoveryCodes().run(actor_of(request))
                return render(request, "accounts/recovery_codes.html", {"codes": codes})
            return _changed(request, do, key_form)
        except (Conflict, Unknown) as error:
            asked.add_error("code", str(error) if isinstance(error, Unknown) else error.reason)
    demanded = settings.STEELYARD_SECOND_FACTOR
    must: Any = demanded and request.user.has_role(Role(demanded))  # type: ignore[union-attr]
    factors = {
        kind: list(Authenticator.objects.filter(user=request.user, type=kind).order_by("pk"))
        for kind in Authenticator.Type.values
    }
    left = factors[Authenticator.Type.RECOVERY_CODES]
    context = {
        "form": form,
        "left": len(left[0].wrap().get_unused_codes()) if left else 0,
        "why_not": f"Your role, {request.user.role}, must have one here." if must else "",  # type: ignore[union-attr]
        "has_app": bool(factors[Authenticator.Type.TOTP]),
        "keys": factors[Authenticator.Type.WEBAUTHN],
        "key_form": key_form,
        "key_options": _challenge(request),
    }
    return _waiting(render(request, "accounts/second_factor_present.html", context), asked.wait_s)


def _changed(request: HttpRequest, do: str, key_form: NewKey) -> HttpResponse:
    """Done as asked for, with a code. Raises Conflict and Unknown."""
    if do == "key":
        _add_key(request, key_form)
        messages.success(request, "The key is added: it opens from the next login on.")
        return redirect("second-factor")
    if do == "remove-key":
        key = request.POST.get("key", "")
        RemoveKey(int(key) if key.isdecimal() and len(key) < 18 else 0).run(actor_of(request))
        messages.success(request, "The key is removed.")
        return redirect("second-factor")
    RemoveSecondFactor().run(actor_of(request))
    request.session.pop(PROVEN, None)
    messages.success(request, "Your second factor is removed: the password alone opens.")
    return redirect("settings")


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
