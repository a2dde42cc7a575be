"""The second factor: set up with a real app's codes, asked at every login, lost and reset, demanded of a role."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from authenticator_app import App
from django.test import Client
from django.utils import timezone
from security_key import Key

from console.accounts.actions.logins import FREE_ACCOUNT
from console.accounts.models import LoginTries, UsedCode
from console.events.models import Event

PASSWORD = "correct horse battery"
PAGE = "/settings/second-factor/"


def password_step(name: str, client: Client | None = None, **address: str) -> tuple[Client, Any]:
    client = client or Client(**address)
    return client, client.post("/login/", {"username": name, "password": PASSWORD})


def set_up(client: Client) -> tuple[App, list[str]]:
    """As a person does: the secret from the page, a code from the app."""
    page = client.get(PAGE).content.decode()
    app = App(re.search(r'id="secret">([A-Z2-7 ]+)<', page)[1])  # type: ignore[index]
    done = client.post(PAGE, {"do": "set-up", "password": PASSWORD, "code": app.code()})
    codes = re.findall(r"<li><code>(\d+)</code></li>", done.content.decode())
    assert len(codes) == 10, done.content.decode()
    return app, codes


@pytest.fixture
def viewer(cluster: Any, user: Any) -> tuple[Client, App, list[str]]:
    """A viewer's browser, app and recovery codes."""
    user("viewer")
    client, answer = password_step("a-viewer")
    assert answer.status_code == 302
    return (client, *set_up(client))


def is_in(client: Client) -> bool:
    return client.get("/hosts/").status_code == 200


def test_a_login_asks_for_the_code(viewer: Any) -> None:
    """The password alone opens nothing any more; the app's code does."""
    _, app, _ = viewer
    client, answer = password_step("a-viewer")

    assert (answer.status_code, answer["Location"]) == (302, "/login/code/")
    assert not is_in(client)
    assert "Incorrect code" in client.post("/login/code/", {"code": "000000"}).content.decode()
    done = client.post("/login/code/", {"code": app.code(30)})
    assert (done.status_code, is_in(client)) == (302, True)


def test_a_code_opens_once_in_all_processes(viewer: Any) -> None:
    """A process that has not seen it refuses it as well, however it is written."""
    from django.core.cache import cache

    _, app, _ = viewer
    code = app.code(30)
    first, _ = password_step("a-viewer")
    assert first.post("/login/code/", {"code": code}).status_code == 302
    for again in (code, f" {code[:3]} {code[3:]} "):
        cache.clear()  # what one process remembers
        second, _ = password_step("a-viewer")
        answer = second.post("/login/code/", {"code": again})
        assert (answer.status_code, is_in(second)) == (200, False)
        assert "used already" in answer.content.decode()
    assert UsedCode.objects.count() == 1
    assert code not in repr(UsedCode.objects.values())


def test_a_recovery_code_opens_once(viewer: Any) -> None:
    """In place of the app's, and new ones end the old ones."""
    client, _, codes = viewer
    first, _ = password_step("a-viewer")
    assert first.post("/login/code/", {"code": codes[0]}).status_code == 302
    second, _ = password_step("a-viewer")
    assert second.post("/login/code/", {"code": codes[0]}).status_code == 200
    page = client.post(PAGE, {"do": "codes", "code": codes[1]}).content.decode()
    new = re.findall(r"<li><code>(\d+)</code></li>", page)

    assert (len(new), set(new) & set(codes)) == (10, set())
    assert second.post("/login/code/", {"code": codes[2]}).status_code == 200
    assert second.post("/login/code/", {"code": new[0]}).status_code == 302


def test_guessing_codes_is_slow(viewer: Any) -> None:
    """After some wrong ones also the right one waits, and being right with the password takes nothing back."""
    _, app, _ = viewer
    for tried in range(FREE_ACCOUNT):
        client, _ = password_step("a-viewer")
        assert client.post("/login/code/", {"code": f"{tried:06}"}).status_code == 200
    client, _ = password_step("a-viewer")
    closed = client.post("/login/code/", {"code": app.code(30)})

    assert closed.status_code == 429 and 1 <= int(closed["Retry-After"]) <= 31
    assert not is_in(client)
    LoginTries.objects.update(closed_until=timezone.now())
    assert client.post("/login/code/", {"code": app.code(30)}).status_code == 302


def test_setting_up_needs_password_and_code(cluster: Any, user: Any) -> None:
    """An open browser alone is not enough; the secret is the same until it is set up, and sealed where it is kept."""
    user("viewer")
    client, _ = password_step("a-viewer")
    secret = re.search(r'id="secret">([A-Z2-7 ]+)<', client.get(PAGE).content.decode())[1]  # type: ignore[index]
    app = App(secret)
    wrong = client.post(PAGE, {"do": "set-up", "password": "wrong", "code": app.code()}).content.decode()
    other = client.post(PAGE, {"do": "set-up", "password": PASSWORD, "code": "000000"}).content.decode()

    assert "not your password" in wrong and secret in wrong
    assert "not the code that the app shows" in other
    assert not Authenticator.objects.exists()
    assert secret.replace(" ", "") not in repr(dict(client.session))
    set_up(client)
    kept = repr(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret.replace(" ", "") not in kept
    assert secret.replace(" ", "") not in repr(list(Event.objects.values_list("after", flat=True)))


def test_its_owner_removes_it_with_a_code(viewer: Any) -> None:
    """Then the password alone opens again."""
    client, app, _ = viewer
    assert client.post(PAGE, {"do": "remove", "code": "000000"}).status_code == 200
    assert client.post(PAGE, {"do": "remove", "code": app.code(30)}).status_code == 302

    assert not Authenticator.objects.exists()
    assert is_in(password_step("a-viewer")[0])
    assert Event.objects.filter(action="account.second-factor-removed", subject="a-viewer").exists()


def test_an_administrator_sees_who_has_one_and_resets_it(viewer: Any, api: Any, user: Any) -> None:
    """On the page and over REST; others may not, and what is not there cannot be reset."""
    pk = user("viewer").pk
    url = f"/api/v1/people/{pk}/reset-second-factor/"
    people = {
        each["username"]: each["second_factor"] for each in api.admin.get("/api/v1/people/").json()["results"]
    }
    assert (people["a-viewer"], people["a-admin"]) == (True, False)
    admin = Client()
    admin.force_login(user("admin"))
    assert "Reset second factor" in admin.get("/settings/").content.decode()
    assert api.policy_admin.post(url).status_code == 403
    done = api.admin.post(url)

    assert (done.status_code, done.json()["second_factor"]) == (200, False)
    assert api.admin.post(url).status_code == 409
    assert is_in(password_step("a-viewer")[0])


def test_a_role_can_be_made_to_have_one(api: Any, cluster: Any, user: Any, settings: Any) -> None:
    """Pages lead to where it is set up, the API refuses the session, and roles below are left alone; tokens go on."""
    settings.STEELYARD_SECOND_FACTOR = "admin"
    admin, operator = Client(), Client()
    person = user("admin")  # made for its token, without a password
    person.set_password(PASSWORD)
    person.save()
    password_step("a-admin", admin)
    operator.force_login(user("operator"))

    assert (admin.get("/hosts/")["Location"], is_in(operator)) == (PAGE, True)
    assert admin.get("/api/v1/hosts/").json()["type"] == "second-factor"
    assert admin.get("/metrics").status_code == 403
    assert api.admin.get("/api/v1/hosts/").status_code == 200
    app, _ = set_up(admin)
    assert is_in(admin)
    refused = admin.post(PAGE, {"do": "remove", "code": app.code(30)}).content.decode()
    assert "must have one" in refused and Authenticator.objects.exists()
    again, _ = password_step("a-admin")
    assert not is_in(again)
    assert again.post("/login/code/", {"code": app.code(-30)}).status_code == 302
    assert is_in(again)


def test_the_second_step_is_for_who_took_the_first(cluster: Any) -> None:
    """Without a password given there is nothing to give a code to."""
    answer = Client().get("/login/code/")

    assert (answer.status_code, answer["Location"]) == (302, "/login/")


def challenge(client: Client, path: str) -> dict[str, Any]:
    """What the page asks a key for."""
    page = client.get(path).content.decode()
    options: dict[str, Any] = json.loads(unescape(re.search(r'data-options="([^"]+)"', page)[1]))  # type: ignore[index]
    return options


def by_key(name: str, answer: Any) -> Client:
    """Password, then a key's answer to the challenge of the second step."""
    client, _ = password_step(name)
    client.post("/login/code/", {"credential": json.dumps(answer(challenge(client, "/login/code/")))})
    return client


def add_key(client: Client, key: Key, **proof: str) -> str:
    answer = json.dumps(key.create(challenge(client, PAGE)))
    done = client.post(PAGE, {"do": "key", "name": "on the ring", "credential": answer, **proof}, follow=True)
    return done.content.decode()


def test_a_key_is_a_second_factor_of_its_own(cluster: Any, user: Any) -> None:
    """Set up with the password, it comes with recovery codes; then the password opens with that key and no other."""
    user("viewer")
    client, _ = password_step("a-viewer")
    key = Key()
    assert "not your password" in add_key(client, key, password="wrong")
    codes = re.findall(r"<li><code>(\d+)</code></li>", add_key(client, key, password=PASSWORD))

    assert len(codes) == 10
    assert not is_in(password_step("a-viewer")[0])
    assert is_in(by_key("a-viewer", key.get))
    assert not is_in(by_key("a-viewer", Key().get))
    assert not is_in(by_key("a-viewer", lambda options: key.get({**options, "challenge": "AAAA"})))
    assert not is_in(by_key("a-viewer", lambda options: Key("https://elsewhere").get(options)))
    lost, _ = password_step("a-viewer")
    assert lost.post("/login/code/", {"code": codes[0]}).status_code == 302
    assert Event.objects.filter(action="account.key", subject="a-viewer").exists()


def test_an_answer_of_a_key_opens_once(cluster: Any, user: Any) -> None:
    """Its challenge is one session's, and gone with the first answer."""
    user("viewer")
    client, _ = password_step("a-viewer")
    key = Key()
    add_key(client, key, password=PASSWORD)
    first, _ = password_step("a-viewer")
    answer = {"credential": json.dumps(key.get(challenge(first, "/login/code/")))}
    other, _ = password_step("a-viewer")
    challenge(other, "/login/code/")

    assert other.post("/login/code/", answer).status_code == 200
    assert first.post("/login/code/", answer).status_code == 302
    assert is_in(first) and not is_in(other)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "7", "no json", '{"id": "AA", "rawId": "AA", "response": {}}']
)
def test_what_is_no_answer_of_a_key_is_refused(text: str, viewer: Any) -> None:
    """At the second step and where keys are added, whatever somebody sends."""
    client, app, _ = viewer
    add_key(client, Key(), code=app.code(30))
    challenge(client, PAGE)
    added = client.post(PAGE, {"do": "key", "credential": text, "code": app.code(30)})
    step, _ = password_step("a-viewer")
    challenge(step, "/login/code/")
    opened = step.post("/login/code/", {"credential": text})

    assert (added.status_code, opened.status_code, is_in(step)) == (200, 200, False)
    assert Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN).count() == 1


def test_keys_stand_beside_the_app(viewer: Any) -> None:
    """Added and removed with a code; either opens. The last second factor is removed as a whole."""
    client, _, codes = viewer
    key = Key()
    assert "The key is added" in add_key(client, key, code=codes[0])
    assert is_in(by_key("a-viewer", key.get))
    kept = Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN)
    Authenticator.objects.filter(type=Authenticator.Type.TOTP).delete()
    alone = client.post(PAGE, {"do": "remove-key", "key": kept.pk, "code": codes[1]}).content.decode()
    assert "only second factor" in alone
    assert client.post(PAGE, {"do": "remove", "code": codes[2]}).status_code == 302
    _, codes = set_up(client)
    add_key(client, Key(), code=codes[0])
    kept = Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN)
    assert client.post(PAGE, {"do": "remove-key", "key": kept.pk, "code": codes[1]}).status_code == 302

    assert not Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN).exists()
    assert Event.objects.filter(action="account.key-removed", subject="a-viewer").exists()


def test_resetting_it_ends_all_sessions(viewer: Any, api: Any, user: Any) -> None:
    """Of that person, and nobody else's: who found the phone may have a session; a new login opens as ever."""
    client, _, _ = viewer
    admin = Client()
    admin.force_login(user("admin"))
    assert is_in(client) and is_in(admin)
    assert api.admin.post(f"/api/v1/people/{user('viewer').pk}/reset-second-factor/").status_code == 200

    assert (is_in(client), is_in(admin)) == (False, True)
    assert is_in(password_step("a-viewer")[0])
