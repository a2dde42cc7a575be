"""The first administrator, and tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from console_racing import at_once
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from console.accounts.actions.setup import CreateFirstAdmin, IssueSetupLink
from console.accounts.actions.tokens import CreateToken, RevokeToken
from console.accounts.models import Role, SetupLink, User
from console.actions import SYSTEM, Actor, Conflict, Invalid, NotAllowed, Unknown

PASSWORD = "a horse that is correct"


def first_admin(secret: str, name: str = "ada", password: str = PASSWORD) -> User:
    return CreateFirstAdmin(secret, name, password).run(SYSTEM)


def test_the_setup_link_makes_one_administrator(cluster: Any, client: Client) -> None:
    """Over the page: the form, the account, logged in; afterwards the link is closed."""
    url = f"/setup/{IssueSetupLink().run(SYSTEM)}/"

    assert 200 == client.get(url).status_code
    assert 302 == client.post(url, {"username": "ada", "password": PASSWORD}).status_code

    assert Role.ADMIN == User.objects.get(username="ada").role
    assert 200 == client.get("/hosts/").status_code
    assert [410, 410] == [Client().get(url).status_code, Client().post(url, {"username": "b", "password": PASSWORD}).status_code]


def test_a_link_used_at_once_makes_one_administrator(cluster: Any) -> None:
    """However many race."""
    secret = IssueSetupLink().run(SYSTEM)

    at_once(*(lambda n=n: first_admin(secret, f"admin{n}") for n in range(4)))

    assert 1 == User.objects.filter(role=Role.ADMIN).count()


def test_a_link_is_closed_when_it_ran_out_was_replaced_or_is_not_needed(cluster: Any, user: Any) -> None:
    """By time, by a newer link, by an administrator who came otherwise."""
    old, new = (IssueSetupLink().run(SYSTEM) for _ in range(2))
    with pytest.raises(Conflict):
        first_admin(old)
    SetupLink.objects.update(expires_at=timezone.now())
    with pytest.raises(Conflict):
        first_admin(new)
    SetupLink.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    user("admin")

    with pytest.raises(Conflict):
        first_admin(new)
    assert 410 == Client().get(f"/setup/{new}/").status_code
    with pytest.raises(Conflict):
        IssueSetupLink().run(SYSTEM)


@pytest.mark.parametrize(
    ("name", "password", "field"),
    [("ada", "short", "password"), ("ada", "password1234", "password"), ("a b", PASSWORD, "username"), ("", PASSWORD, "username")],
)
def test_a_weak_first_account_is_refused(cluster: Any, name: str, password: str, field: str) -> None:
    """Naming the field; the link stays open."""
    secret = IssueSetupLink().run(SYSTEM)

    with pytest.raises(Invalid) as refusal:
        first_admin(secret, name, password)

    assert field == refusal.value.field
    assert first_admin(secret)


def test_only_digests_are_kept(cluster: Any) -> None:
    """Neither a link's secret nor a token can be read from the database."""
    secret = IssueSetupLink().run(SYSTEM)
    token, text = CreateToken("p", role="viewer").run(SYSTEM)

    assert secret not in str(SetupLink.objects.values().get())
    assert text not in str(AuthToken.objects.values().get())
    assert text.startswith(token.token_key)
    assert len(token.token_key) < 20 < len(text)


def test_a_token_is_revoked_at_once(api: Any) -> None:
    """The next request with it is 401, with how to log in."""
    key = AuthToken.objects.get(user__username="a-viewer").token_key
    assert 200 == api.viewer.get("/api/v1/whoami/").status_code

    assert 204 == api.admin.delete(f"/api/v1/tokens/{key}/").status_code

    refused = api.viewer.get("/api/v1/whoami/")
    assert (401, "Token") == (refused.status_code, refused["www-authenticate"])
    assert 404 == api.admin.delete(f"/api/v1/tokens/{key}/").status_code
    with pytest.raises(Unknown):
        RevokeToken(key).run(SYSTEM)


def test_a_token_runs_out(api: Any) -> None:
    """Every token has an end; after it, it is as if it had never been."""
    AuthToken.objects.update(expiry=timezone.now())

    assert 401 == api.viewer.get("/api/v1/whoami/").status_code


def test_a_token_has_the_role_that_its_account_has_now(api: Any) -> None:
    """Demoted or disabled, it can do less or nothing from the next request on."""
    User.objects.filter(username="a-operator").update(role="viewer")
    assert 403 == api.operator.post("/api/v1/placements/", {}).status_code

    User.objects.filter(username="a-operator").update(is_active=False)
    assert 401 == api.operator.get("/api/v1/whoami/").status_code


def test_tokens_are_made_over_rest_and_shown_once(api: Any) -> None:
    """The secret stands in the answer that made it, and in no list."""
    made = api.admin.post("/api/v1/tokens/", {"username": "ci", "role": "operator", "days": 7})

    text = made.json()["token"]
    assert (201, "ci", "operator") == (made.status_code, made.json()["username"], made.json()["role"])
    assert text not in api.admin.get("/api/v1/tokens/").content.decode()
    assert "ci" == api.anonymous.get("/api/v1/whoami/", HTTP_AUTHORIZATION=f"Token {text}").json()["username"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"days": 0}, "days"), ({"days": 91}, "days"), ({"days": 10**30}, "days"), ({"role": "king"}, "role"),
        ({"role": ""}, "role"), ({"username": "a-viewer", "role": "admin"}, "role"), ({"username": "a b"}, "username"),
        ({"username": None}, "username"),
    ],
)  # fmt: skip
def test_a_wrong_token_request_names_the_field(api: Any, change: dict[str, Any], field: str) -> None:
    """And makes neither account nor token."""
    before = User.objects.count(), AuthToken.objects.count()

    answer = api.admin.post("/api/v1/tokens/", {"username": "ci", "role": "viewer", **change})

    assert (400, field) == (answer.status_code, answer.json()["errors"][0]["field"])
    assert before == (User.objects.count(), AuthToken.objects.count())


def test_roles_include_those_below(cluster: Any, user: Any) -> None:
    """An action asks for the least role that may do it."""
    actor = Actor(kind="user", name="v", user=user("operator"))

    with pytest.raises(NotAllowed):
        CreateToken("x", role="admin").run(actor)
    assert actor.may(Role.VIEWER)
    assert actor.may(Role.OPERATOR)
