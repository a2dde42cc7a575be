"""Logging in, and making the first administrator."""

from __future__ import annotations

from typing import Any

from allauth.account.utils import perform_login
from django import forms
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from agents.wire import digest
from console.accounts.actions.logins import CountTry, TakeBack, TooManyTries
from console.accounts.actions.setup import CreateFirstAdmin, is_set_up
from console.accounts.models import SetupLink
from console.actions import SYSTEM, Actor, Conflict, Invalid


class LoginForm(AuthenticationForm):
    """Name and password; looks at the password only where there were not too many wrong ones."""

    wait_s = 0

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("username") and self.cleaned_data.get("password"):
            try:
                CountTry(*self.who()).run(self.actor())
            except TooManyTries as closed:
                self.wait_s = closed.wait_s
                raise ValidationError(str(closed), code="too-many-tries") from None
        return super().clean()  # type: ignore[no-any-return]

    def who(self) -> tuple[str, str]:
        """The account that is tried, and from where."""
        return self.cleaned_data["username"], self.request.META.get("REMOTE_ADDR", "")

    def actor(self) -> Actor:
        """Nobody is known yet: the console itself, for this address."""
        return Actor(kind="system", name="login", address=self.request.META.get("REMOTE_ADDR", ""))


class Login(LoginView):
    """Django's own, but that guessing is slow: 429 while it is closed, with Retry-After."""

    template_name = "accounts/login.html"
    form_class = LoginForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(oidc=settings.STEELYARD_OIDC, **kwargs)  # type: ignore[no-any-return]

    def form_valid(self, form: LoginForm) -> HttpResponse:
        TakeBack(*form.who()).run(form.actor())
        # Straight in, or by way of the second factor where the account has one.
        answer: HttpResponse = perform_login(
            self.request, form.get_user(), redirect_url=self.get_success_url()
        )
        return answer

    def form_invalid(self, form: LoginForm) -> HttpResponse:
        answer = super().form_invalid(form)
        if form.has_error(NON_FIELD_ERRORS, "too-many-tries"):
            answer.status_code = 429
            answer["Retry-After"] = str(form.wait_s)
        return answer


class FirstAdminForm(forms.Form):
    username = forms.CharField(
        max_length=150, label="Name", widget=forms.TextInput({"autocomplete": "username"})
    )
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
