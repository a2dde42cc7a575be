"""Single sign-on: an OpenID provider says who somebody is, and by one claim which role they have here.

Theory of operation. allauth speaks the protocol: state, PKCE, the exchange of the code. What is asked beyond that is
here: the issuer must be the configured one, the id token's signature and nonce are always checked, and userinfo must be
about the same subject. Somebody is known by issuer and subject alone, never by a name or an e-mail address: a name that
a local account has is refused. The role is the highest that the claim's values are given, taken anew at every login;
who has none is not let in.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from requests import RequestException

from console.accounts.actions.oidc import AdmitSubject
from console.accounts.models import Role
from console.actions import Actor, Conflict

#: What a provider that is none, or a hostile one, can make of an answer.
_NONSENSE = (KeyError, TypeError, ValueError, AttributeError)


class Client(OpenIDConnectOAuth2Adapter):
    """Our side of the protocol."""

    nonce = ""

    @property
    def openid_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().openid_config
        if str(config.get("issuer", "")).rstrip("/") != settings.STEELYARD_OIDC.issuer:
            raise OAuth2Error("the provider calls itself another issuer than the one that is configured")
        return config

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        return f"{settings.STEELYARD_URL}{reverse('oidc-callback')}"

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> SocialLogin:
        try:
            text = kwargs["response"]["id_token"]
            # allauth leaves the signature to TLS; a provider behind a proxy is not always at its other end.
            self.did_fetch_access_token = False
            said = self._decode_id_token(app, text)
            if not hmac.compare_digest(str(said.get("nonce", "")), self.nonce) or not self.nonce:
                raise OAuth2Error("the id token is not the answer to this login")
            more = self._fetch_user_info(token.token) if "userinfo_endpoint" in self.openid_config else {}
            if more and more["sub"] != said["sub"]:
                raise OAuth2Error("userinfo is about somebody else")
            login = self.get_provider().sociallogin_from_response(request, {"id_token": {"sub": said["sub"]}})
        except _NONSENSE as error:
            raise OAuth2Error(f"the provider's answer can't be read: {type(error).__name__}") from error
        login.claims = {**more, **said}
        # Of all that was said only the subject is kept.
        login.account.extra_data = {}
        return login


class Callback(OAuth2CallbackView):
    """Where the provider sends people back to."""

    def _get_state(self, request: HttpRequest, provider: Any) -> Any:
        state, response = super()._get_state(request, provider)
        self.adapter.nonce = (state or {}).get("nonce", "")
        return state, response


class AccountAdapter(DefaultAccountAdapter):
    """allauth's way of accounts, of which there is only logging in."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: who is logged in sees it."""

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        return refusal(request, "This account is switched off.", 403)


class SocialAdapter(DefaultSocialAccountAdapter):
    """Who of the provider's people is let in, and as what."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        role = role_of(sociallogin.claims)
        if role is None:
            reason = "Your account at the provider has no role here. Ask an administrator for one."
            raise ImmediateHttpResponse(refusal(request, reason, 403))
        name = sociallogin.claims.get("preferred_username")
        account = sociallogin.account
        action = AdmitSubject(account.provider, account.uid, name if isinstance(name, str) else "", role)
        try:
            action.run(Actor(kind="system", name="sign-in", address=request.META.get("REMOTE_ADDR", "")))
        except Conflict as error:
            raise ImmediateHttpResponse(refusal(request, error.reason, 403)) from None
        if sociallogin.is_existing:
            sociallogin.user.refresh_from_db()
        else:
            sociallogin.lookup()

    def on_authentication_error(self, request: HttpRequest, provider: Any, **what: Any) -> None:
        error = what.get("exception")
        reason = f"The provider did not let you in: {error}." if error else "The provider did not let you in."
        raise ImmediateHttpResponse(refusal(request, reason, 401))


def role_of(claims: Mapping[str, Any]) -> Role | None:
    """The highest role that the claim's values are given; None for none."""
    said = claims.get(settings.STEELYARD_OIDC.claim)
    values = said if isinstance(said, list) else [said]
    given = settings.STEELYARD_OIDC.roles
    roles = [Role(given[value]) for value in values if isinstance(value, str) and value in given]
    return max(roles, key=list(Role).index, default=None)


def refusal(request: HttpRequest, reason: str, status: int) -> HttpResponse:
    """The page that says why somebody was not let in."""
    return render(request, "accounts/not_let_in.html", {"reason": reason}, status=status)


@require_GET
@login_not_required
@never_cache
def start(request: HttpRequest) -> HttpResponse:
    """Lead to the provider. A link and not a form: the content security policy stays closed for forms to elsewhere,
    and the state in the session is what binds the answer to this browser."""
    client = _client(request)
    wanted = request.GET.get("next", "")
    fits = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    provider, nonce = client.get_provider(), secrets.token_urlsafe(24)
    provider.oauth2_adapter_class = Client
    try:
        return provider.redirect(
            request, AuthProcess.LOGIN, wanted if fits else None, auth_params={"nonce": nonce}, nonce=nonce
        )
    except (RequestException, OAuth2Error, *_NONSENSE) as error:
        reason = f"The provider does not answer as it should: {error}. A local password still opens."
        return refusal(request, reason, 502)


@require_GET
@login_not_required
@never_cache
def callback(request: HttpRequest) -> HttpResponse:
    """Take the provider's answer."""
    try:
        answer: HttpResponse = Callback.adapter_view(_client(request))(request)
    except (RequestException, OAuth2Error) as error:
        # What is asked of the provider before the code is exchanged, allauth leaves to us.
        return refusal(request, f"The provider did not let you in: {error}.", 401)
    return answer


def _client(request: HttpRequest) -> Client:
    if settings.STEELYARD_OIDC is None:
        raise Http404("No single sign-on is configured.")
    return Client(request, settings.STEELYARD_OIDC.key)
