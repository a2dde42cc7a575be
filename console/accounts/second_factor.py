"""The second factor: codes of an authenticator app (TOTP) or keys (WebAuthn), and recovery codes for when it is lost.

allauth makes and checks the codes and the keys' challenges, and holds a login until one was answered. Here is what it
leaves to us: its secrets are sealed in the database, wrong codes are slowed down as wrong passwords are, and a code
opens once in the whole control plane, where allauth remembers it in one process. Of a key nothing is secret here, and
its answers cannot be guessed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import AuthenticateWebAuthnForm
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from console.accounts.actions.logins import CountTry, TakeBack, TooManyTries
from console.accounts.actions.second_factor import UseCode
from console.accounts.models import Role, User
from console.actions import Actor, Conflict
from console.sealing import seal, unseal

#: What the tries of codes are counted under, beside the account.
KIND = "second-factor"
#: In the session: whose second factor was given in it.
PROVEN = "second_factor"


class SealingAdapter(DefaultMFAAdapter):
    """allauth's second factors, with their secrets sealed."""

    def encrypt(self, text: str) -> str:
        return seal(text, KIND)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text, KIND)

    def get_totp_issuer(self) -> str:
        return "Steelyard"


class CodeForm(AuthenticateForm):
    """One code, of the app or a recovery code."""

    wait_s = 0

    def __init__(self, *args: Any, address: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._address = address
        self.fields["code"].label = "Code"
        self.fields["code"].widget.attrs = {
            "autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True,
        }  # fmt: skip

    def clean_code(self) -> str:
        actor = Actor(kind="system", name="login", address=self._address)
        who = (self.user.get_username(), self._address, KIND)
        try:
            CountTry(*who).run(actor)
            code: str = super().clean_code()
            if self.authenticator.type == Authenticator.Type.TOTP:
                UseCode(self.user.pk, code).run(actor)
        except TooManyTries as closed:
            self.wait_s = closed.wait_s
            raise ValidationError(str(closed), code="too-many-tries") from None
        except Conflict as error:
            raise ValidationError(error.reason, code=error.code) from None
        TakeBack(*who).run(actor)
        return code


class KeyForm(AuthenticateWebAuthnForm):
    """What a key answered to the challenge of this session."""

    wait_s = 0

    def clean_credential(self) -> Authenticator:
        with garbled():
            found: Authenticator = super().clean_credential()
            return found


@contextmanager
def garbled() -> Iterator[None]:
    """What is no answer of a key, but somebody's own text, is refused as one; allauth expects a browser's."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, struct.error):
        raise ValidationError("This is no answer of a key.", code="garbled") from None


class SecondStep(AuthenticateView):
    """Where a login that has its password waits for the code or the key. 429 while it is closed for codes."""

    template_name = "accounts/second_step.html"

    def _build_forms(self) -> CodeForm | KeyForm:
        posted = self.request.POST if self.request.method == "POST" else None
        user, by_key = self.stage.login.user, "credential" in self.request.POST
        self.auth_form = CodeForm(
            user=user, data=None if by_key else posted, address=address_of(self.request)
        )
        self.webauthn_form = KeyForm(user=user, data=posted if by_key else None) if has_keys(user) else None
        return self.webauthn_form if by_key and self.webauthn_form else self.auth_form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        if self.webauthn_form:
            context["key_options"] = json.dumps(context["js_data"]["request_options"]["publicKey"])
        context["has_app"] = has_app(self.stage.login.user)
        return context

    def form_valid(self, form: CodeForm | KeyForm) -> HttpResponse:
        self.request.session[PROVEN] = form.user.pk
        answer: HttpResponse = super().form_valid(form)
        return answer

    def form_invalid(self, form: CodeForm | KeyForm) -> HttpResponse:
        answer: HttpResponse = super().form_invalid(form)
        if form.wait_s:
            answer.status_code, answer["Retry-After"] = 429, str(form.wait_s)
        return answer


def has_app(user: User) -> bool:
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists()


def has_keys(user: User) -> bool:
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN).exists()


def has_second_factor(user: User) -> bool:
    return has_app(user) or has_keys(user)


def is_missing(user: Any, session: Mapping[str, Any]) -> bool:
    """Whether this session must not open anything before its user has given a second factor."""
    demanded = settings.STEELYARD_SECOND_FACTOR
    return bool(
        demanded
        and user.is_authenticated
        and user.has_role(Role(demanded))
        and session.get(PROVEN) != user.pk
    )


def address_of(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))
