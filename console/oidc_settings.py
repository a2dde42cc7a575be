"""Single sign-on as the environment configures it, checked when a process starts: half of it is worse than none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

#: Roles as accounts.models names them, which can't be imported while settings are read.
ROLES = ("viewer", "operator", "policy-admin", "admin")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Oidc:
    """One OpenID provider. claim: of the id token or of userinfo, a value or a list of them; roles: value to role."""

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    name: str
    claim: str
    roles: dict[str, str]
    scopes: tuple[str, ...] = ("openid", "profile")

    @property
    def key(self) -> str:
        """What its accounts are kept under: a subject is somebody only beside its issuer."""
        return f"oidc-{hashlib.sha256(self.issuer.encode()).hexdigest()[:16]}"

    @property
    def providers(self) -> dict[str, object]:
        """As allauth takes it."""
        app = {
            "provider_id": self.key,
            "name": self.name,
            "client_id": self.client_id,
            "secret": self.secret,
            "settings": {"server_url": self.issuer, "scope": list(self.scopes)},
        }
        return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}


def oidc_from(env: environ.Env) -> Oidc | None:
    """None where no issuer is named. Raises ImproperlyConfigured saying what is missing or wrong."""
    issuer = env.str("STEELYARD_OIDC_ISSUER", "").rstrip("/")
    if not issuer:
        return None
    parts = urlsplit(issuer)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ImproperlyConfigured("STEELYARD_OIDC_ISSUER is an https URL, or on this machine")
    client_id, secret_file = (
        env.str("STEELYARD_OIDC_CLIENT_ID", ""),
        env.str("STEELYARD_OIDC_SECRET_FILE", ""),
    )
    if not client_id or not secret_file:
        raise ImproperlyConfigured(
            "with STEELYARD_OIDC_ISSUER go STEELYARD_OIDC_CLIENT_ID and STEELYARD_OIDC_SECRET_FILE"
        )
    try:
        secret = Path(secret_file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"STEELYARD_OIDC_SECRET_FILE can't be read: {error}") from None
    if not secret:
        raise ImproperlyConfigured("STEELYARD_OIDC_SECRET_FILE is empty")
    return Oidc(
        issuer,
        client_id,
        secret,
        env.str("STEELYARD_OIDC_NAME", "single sign-on"),
        env.str("STEELYARD_OIDC_CLAIM", "groups"),
        _roles(env.list("STEELYARD_OIDC_ROLES", default=[])),
        ("openid", "profile", *env.list("STEELYARD_OIDC_SCOPES", default=[])),
    )


def _roles(pairs: list[str]) -> dict[str, str]:
    """VALUE=ROLE each."""
    found = {}
    for pair in pairs:
        value, equals, role = pair.rpartition("=")
        if not equals or not value or role not in ROLES:
            raise ImproperlyConfigured(
                f"STEELYARD_OIDC_ROLES: {pair!r} is not VALUE=ROLE with a role of {', '.join(ROLES)}"
            )
        found[value] = role
    if not found:
        raise ImproperlyConfigured("STEELYARD_OIDC_ROLES says who gets which role, such as ops=operator")
    return found


def demanded_role(env: environ.Env) -> str:
    """The least role that must have a second factor, "" for none. Raises ImproperlyConfigured."""
    role = env.str("STEELYARD_SECOND_FACTOR", "")
    if role and role not in ROLES:
        raise ImproperlyConfigured(f"STEELYARD_SECOND_FACTOR is one of {', '.join(ROLES)}, or empty")
    return role
