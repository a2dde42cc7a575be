"""The second factor: codes of an authenticator app (TOTP), and recovery codes for when it is lost.

allauth makes and checks the codes and holds a login until one was given. Here is what it leaves to us: its secrets are
sealed in the database, wrong codes are slowed down as wrong passwords are, and a code opens once in the whole control
plane, where allauth remembers it in one process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.models import Authenticator
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


class SecondStep(AuthenticateView):
    """Where a login that has its password waits for the code. 429 while it is closed."""

    template_name = "accounts/second_step.html"

    def _build_forms(self) -> CodeForm:
        posted = self.request.POST if self.request.method == "POST" else None
        user, address = self.stage.login.user, address_of(self.request)
        self.webauthn_form = None
        self.auth_form = CodeForm(user=user, data=posted, address=address)
        return self.auth_form

    def form_valid(self, form: CodeForm) -> HttpResponse:
        self.request.session[PROVEN] = form.user.pk
        answer: HttpResponse = super().form_valid(form)
        return answer

    def form_invalid(self, form: CodeForm) -> HttpResponse:
        answer: HttpResponse = super().form_invalid(form)
        if form.wait_s:
            answer.status_code, answer["Retry-After"] = 429, str(form.wait_s)
        return answer


def has_second_factor(user: User) -> bool:
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists()


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
