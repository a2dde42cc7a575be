"""People: made, let in by a link, given roles, switched off; somebody always stays who can let others in."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from console.accounts.actions.people import ChangeRole, CreatePerson, DisablePerson, IssuePasswordLink
from console.accounts.models import PasswordLink, Role, User
from console.actions import SYSTEM, Conflict, Invalid
from console.events.models import Event

PASSWORD = "correct horse battery staple"


def test_a_person_is_made_sets_a_password_and_logs_in(api: Any, user: Any) -> None:
    """The link is shown once, works once, and is kept nowhere."""
    admin = Client()
    admin.force_login(user("admin"))
    shown = admin.post(reverse("new-person"), {"username": "grace", "role": "operator"}).content.decode()
    path = re.search(r"/password/[A-Za-z0-9_-]+/", shown)[0]  # type: ignore[index]
    visitor = Client()

    assert visitor.get(path).status_code == 200
    assert b"too short" in visitor.post(path, {"password": "short"}).content
    assert visitor.post(path, {"password": PASSWORD}).status_code == 302
    assert visitor.get(path).status_code == 410
    login = visitor.post(reverse("login"), {"username": "grace", "password": PASSWORD})
    assert login.status_code == 302 and visitor.get("/").status_code == 200
    secret = path.split("/")[2]
    assert not PasswordLink.objects.filter(digest=secret).exists()
    assert secret not in repr(list(Event.objects.values_list("after", flat=True)))
    assert "grace" in admin.get(reverse("settings")).content.decode()


def test_switching_off_ends_sessions_tokens_and_links(api: Any, user: Any) -> None:
    """At the next request; switching on brings back what was there, but not the link."""
    person = user("operator")
    session = Client()
    session.force_login(person)
    secret = IssuePasswordLink(person.pk).run(SYSTEM)
    assert api.operator.get("/api/v1/hosts/").status_code == session.get("/").status_code == 200
    assert api.admin.post(f"/api/v1/people/{person.pk}/disable/").status_code == 200

    assert api.operator.get("/api/v1/hosts/").status_code == 401
    assert session.get("/").status_code == 302
    assert Client().get(reverse("set-password", args=[secret])).status_code == 410
    assert api.admin.post(f"/api/v1/people/{person.pk}/password-link/").status_code == 409
    assert api.admin.post(f"/api/v1/people/{person.pk}/enable/").status_code == 200
    assert api.operator.get("/api/v1/hosts/").status_code == 200


def test_a_link_runs_out(database: None) -> None:
    """After a day."""
    person = CreatePerson("grace", Role.VIEWER).run(SYSTEM)
    secret = IssuePasswordLink(person.pk).run(SYSTEM)
    PasswordLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert Client().get(reverse("set-password", args=[secret])).status_code == 410


def test_the_last_administrator_stays(database: None) -> None:
    """Neither switched off nor given less, until there is another one."""
    first = CreatePerson("ada", Role.ADMIN).run(SYSTEM)
    for action in (ChangeRole(first.pk, Role.VIEWER), DisablePerson(first.pk)):
        with pytest.raises(Conflict, match="only administrator"):
            action.run(SYSTEM)
    CreatePerson("grace", Role.ADMIN).run(SYSTEM)

    assert ChangeRole(first.pk, Role.POLICY_ADMIN).run(SYSTEM).role == "policy-admin"


@pytest.mark.parametrize(
    ("username", "role"), [("", "viewer"), ("a b", "viewer"), ("ADA", "viewer"), ("x", "king")]
)
def test_accounts_that_cannot_be_are_refused(username: str, role: str, database: None) -> None:
    """With the field at fault; names differ by more than their case."""
    CreatePerson("ada", Role.ADMIN).run(SYSTEM)
    with pytest.raises(Invalid):
        CreatePerson(username, role).run(SYSTEM)
    assert User.objects.count() == 1


def test_a_viewer_sees_people_and_why_nothing_can_be_done(user: Any, api: Any) -> None:
    """Buttons are disabled with the reason; tokens are not said; the doors behind the buttons are closed too."""
    viewer = Client()
    viewer.force_login(user("viewer"))
    said = viewer.get(reverse("settings")).content.decode()

    assert "Asks for the role admin" in said and "a-operator" in said
    assert "Revoke" not in said
    assert viewer.post(reverse("person-action", args=[user("operator").pk, "disable"])).status_code == 403
    assert api.policy_admin.get("/api/v1/people/").status_code == 403


def test_a_token_is_shown_once_on_the_page(user: Any, api: Any) -> None:
    """And works; revoked on the page it does not."""
    admin = Client()
    admin.force_login(user("admin"))
    asked = {"username": "ci", "role": "viewer", "days": "7"}
    shown = admin.post(reverse("new-token"), asked).content.decode()
    token = re.search(r'id="secret">([0-9a-f]+)<', shown)[1]  # type: ignore[index]
    caller = Client(headers={"Authorization": f"Token {token}"})

    assert caller.get("/api/v1/whoami/").json() == {"username": "ci", "role": "viewer"}
    assert token not in admin.get(reverse("settings")).content.decode()
    assert admin.post(reverse("revoke-token", args=[token[:15]])).status_code == 302
    assert caller.get("/api/v1/whoami/").status_code == 401
