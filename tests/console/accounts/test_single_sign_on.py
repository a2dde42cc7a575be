"""Single sign-on against a real OpenID provider on loopback: who is let in, as what, and who is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import environ
import httpx
import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, new_key

from console.accounts.actions.people import DisablePerson
from console.accounts.models import User
from console.actions import SYSTEM
from console.events.models import Event
from console.oidc_settings import Oidc, oidc_from

ROLES = {"staff": "viewer", "ops": "operator", "root": "admin"}


@pytest.fixture
def provider(database: None, settings: Any) -> Iterator[Provider]:
    """The provider, running and configured."""
    with Provider() as made:
        oidc = Oidc(made.issuer, CLIENT_ID, CLIENT_SECRET, "the house", "groups", ROLES)
        settings.STEELYARD_OIDC, settings.SOCIALACCOUNT_PROVIDERS = oidc, oidc.providers
        yield made


def arrive(client: Client, back: str) -> Any:
    """The browser follows the provider's answer."""
    path = httpx.URL(back)
    return client.get(path.path, dict(path.params))


def sign_in(client: Client, following: str = "") -> Any:
    """Both ways: to the provider, which sends back at once, and in."""
    away = client.get("/login/oidc/", {"next": following} if following else {})
    assert away.status_code == 302, away.content.decode()
    return arrive(client, httpx.get(away["Location"]).headers["Location"])


def who(client: Client) -> tuple[str, str] | None:
    answer = client.get("/api/v1/whoami/")
    return (answer.json()["username"], answer.json()["role"]) if answer.status_code == 200 else None


def test_somebody_comes_in_with_the_role_of_their_groups(provider: Provider, cluster: Any) -> None:
    """The account is made at the first login, leads on to where they wanted, and stands in the audit trail."""
    provider.person["groups"] = ["staff", "ops", "chess"]
    client = Client()
    login = client.get("/login/").content.decode()
    answer = sign_in(client, "/hosts/")

    assert "Log in by the house" in login
    assert (answer.status_code, answer["Location"]) == (302, "/hosts/")
    assert who(client) == ("grace", "operator")
    event = Event.objects.get(action="account.sign-in")
    assert (event.subject, event.after) == ("grace", {"role": "operator", "by": "single sign-on"})
    kept = SocialAccount.objects.get()
    assert (kept.uid, kept.extra_data) == ("s-1", {})
    assert not User.objects.get(username="grace").has_usable_password()


def test_the_provider_gives_and_takes_the_role_at_every_login(provider: Provider, cluster: Any) -> None:
    """By subject: another name at the provider is the same account here."""
    sign_in(Client())
    provider.person |= {"groups": ["root"], "preferred_username": "grace.hopper"}
    second = Client()
    sign_in(second)
    assert who(second) == ("grace", "admin")
    provider.person["groups"] = "staff"
    third = Client()
    sign_in(third)

    assert who(third) == who(second) == ("grace", "viewer")
    assert User.objects.count() == 1
    assert Event.objects.filter(action="account.sign-in").count() == 3


@pytest.mark.parametrize("groups", [[], ["chess"], None, {"ops": True}, [["ops"]], 7])
def test_who_has_no_role_is_not_let_in(provider: Provider, cluster: Any, groups: Any) -> None:
    """Whatever the claim is instead; no account is made."""
    provider.person["groups"] = groups
    client = Client()
    answer = sign_in(client)

    assert (answer.status_code, "no role here" in answer.content.decode()) == (403, True)
    assert who(client) is None and not User.objects.exists()


def test_a_name_that_is_here_is_not_taken_over(provider: Provider, cluster: Any, user: Any) -> None:
    """A local account's name, in any case of letters, is refused: names are the provider's people's to choose."""
    user("admin")
    provider.person["preferred_username"] = "A-ADMIN"
    client = Client()
    answer = sign_in(client)

    assert (answer.status_code, "is here already" in answer.content.decode()) == (403, True)
    assert who(client) is None and not SocialAccount.objects.exists()


def test_a_hostile_name_becomes_one_that_can_be(provider: Provider, cluster: Any) -> None:
    """Markup and spaces are replaced; no name at all is the subject's."""
    provider.person["preferred_username"] = "<b>a b</b>"
    sign_in(Client())
    provider.person = {"sub": "s 2", "groups": ["ops"], "preferred_username": 7}
    sign_in(Client())

    assert set(User.objects.values_list("username", flat=True)) == {"-b-a-b--b-", "s-2"}


def test_who_is_switched_off_stays_out(provider: Provider, cluster: Any) -> None:
    """The provider's word does not switch an account on again."""
    sign_in(Client())
    DisablePerson(User.objects.get().pk).run(SYSTEM)
    client = Client()
    answer = sign_in(client)

    assert (answer.status_code, "switched off" in answer.content.decode()) == (403, True)
    assert who(client) is None


LIES: dict[str, dict[str, Any]] = {
    "another key": {"signs_with": "other"},
    "another issuer": {"claims": {"iss": "https://evil.example"}},
    "another audience": {"claims": {"aud": "another-client"}},
    "out of date": {"claims": {"exp": 1}},
    "another login's nonce": {"claims": {"nonce": "of-another"}},
    "no nonce": {"claims": {"nonce": None}},
    "no subject": {"claims": {"sub": ""}},
    "userinfo of somebody else": {"userinfo": {"sub": "s-2"}},
    "discovery of another issuer": {"discovered": {"issuer": "https://evil.example"}},
    "no keys": {"discovered": {"jwks_uri": "http://127.0.0.1:1/"}},
}


@pytest.mark.parametrize("which", LIES)
def test_a_token_that_is_not_right_opens_nothing(provider: Provider, cluster: Any, which: str) -> None:
    """401 with a page that says so, and no account."""
    lie = dict(LIES[which])
    client = Client()
    away = client.get("/login/oidc/")
    if lie.pop("signs_with", None):
        provider.signs_with = new_key()
    for name, value in lie.items():
        setattr(provider, name, value)
    answer = arrive(client, httpx.get(away["Location"]).headers["Location"])

    assert answer.status_code == 401
    assert "You were not let in" in answer.content.decode()
    assert who(client) is None and not User.objects.exists()


def test_an_answer_belongs_to_the_browser_that_asked(provider: Provider, cluster: Any) -> None:
    """In another browser, or a second time, it opens nothing; nor does a code without a state."""
    asked, other = Client(), Client()
    back = httpx.get(asked.get("/login/oidc/")["Location"]).headers["Location"]

    assert arrive(other, back).status_code == 401
    assert arrive(asked, back).status_code == 302
    assert arrive(Client(), back).status_code == 401
    assert Client().get("/login/oidc/callback/", {"code": "x"}).status_code == 401


def test_a_provider_that_refuses_or_is_away_is_said(provider: Provider, cluster: Any, settings: Any) -> None:
    """With the way back to the local login, which goes on."""
    provider.refuses = "access_denied"
    refused = sign_in(Client())
    oidc = dataclasses.replace(settings.STEELYARD_OIDC, issuer="http://127.0.0.1:1")
    settings.STEELYARD_OIDC, settings.SOCIALACCOUNT_PROVIDERS = oidc, oidc.providers
    away = Client().get("/login/oidc/")

    assert (refused.status_code, away.status_code) == (401, 502)
    assert all('href="/login/"' in answer.content.decode() for answer in (refused, away))


def test_leads_on_to_nowhere_else(provider: Provider, cluster: Any) -> None:
    """An address elsewhere is not where one lands."""
    assert sign_in(Client(), "https://evil.example/")["Location"] == "/"


def test_the_provider_does_not_stand_for_a_second_factor(
    provider: Provider, cluster: Any, settings: Any
) -> None:
    """Where a role must have one, who comes by the provider is led to it as well, and is asked for no password."""
    settings.STEELYARD_SECOND_FACTOR = "operator"
    client = Client()
    sign_in(client)

    assert client.get("/hosts/")["Location"] == "/settings/second-factor/"
    page = client.get("/settings/second-factor/").content.decode()
    assert 'name="code"' in page and 'name="password"' not in page


def test_unless_it_is_configured_it_is_not_there(cluster: Any) -> None:
    """No button, and 404."""
    assert "/login/oidc/" not in Client().get("/login/").content.decode()
    assert (
        Client().get("/login/oidc/").status_code == Client().get("/login/oidc/callback/").status_code == 404
    )


GOOD = {
    "STEELYARD_OIDC_ISSUER": "https://id.example/",
    "STEELYARD_OIDC_CLIENT_ID": "c",
    "STEELYARD_OIDC_ROLES": "cn=ops,dc=x=operator,root=admin",
}


def configured(monkeypatch: pytest.MonkeyPatch, folder: Path, **changes: str) -> Oidc | None:
    (folder / "secret").write_text("s3\n")
    (folder / "empty").write_text("\n")
    said = {**GOOD, "STEELYARD_OIDC_SECRET_FILE": str(folder / "secret"), **changes}
    for name, value in said.items():
        monkeypatch.setenv(name, value.replace("FOLDER", str(folder)))
    return oidc_from(environ.Env())


def test_the_environment_configures_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The secret comes from its file and is in no representation; accounts are kept under their issuer."""
    found = configured(monkeypatch, tmp_path, STEELYARD_OIDC_ROLES="ops=operator,root=admin")

    assert found is not None
    assert (found.issuer, found.secret, found.claim) == ("https://id.example", "s3", "groups")
    assert found.roles == {"ops": "operator", "root": "admin"}
    assert "s3" not in repr(found)
    assert found.key != dataclasses.replace(found, issuer="https://other.example").key


@pytest.mark.parametrize(
    "change",
    [
        {"STEELYARD_OIDC_ISSUER": "http://id.example"},
        {"STEELYARD_OIDC_CLIENT_ID": ""},
        {"STEELYARD_OIDC_SECRET_FILE": ""},
        {"STEELYARD_OIDC_SECRET_FILE": "FOLDER/none"},
        {"STEELYARD_OIDC_SECRET_FILE": "FOLDER/empty"},
        {"STEELYARD_OIDC_ROLES": ""},
        {"STEELYARD_OIDC_ROLES": "ops=king"},
        {"STEELYARD_OIDC_ROLES": "operator"},
    ],
)
def test_half_a_configuration_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: dict[str, str]
) -> None:
    """Saying which variable is at fault."""
    with pytest.raises(ImproperlyConfigured, match="STEELYARD_OIDC_"):
        configured(monkeypatch, tmp_path, **change)
