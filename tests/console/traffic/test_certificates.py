"""Certificates and API keys: checked when they come, sealed while they are here, never said again."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from django.db import connection
from django.utils import timezone

from console.actions import SYSTEM
from console.events.models import Event
from console.sealing import Unsealable, seal, unseal
from console.traffic import secrets
from console.traffic.actions.certificates import WarnOfCertificates
from console.traffic.actions.services import CreateService
from console.traffic.actions.settings import ConfigureService
from console.traffic.models import ApiKey, Certificate
from console.traffic.secrets import Secrets, SecretsReader

URL = "/api/v1/certificates/"
KEYS = "/api/v1/api-keys/"


def _pem(key: Any, password: bytes | None = None) -> str:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    return str(key.private_bytes(*form, how).decode())


def test_a_certificate_says_what_it_is_and_never_its_key(api: Any, authority: Any) -> None:
    """Names and end are shown; the key is in no answer, no event and not readable in the database."""
    pair = authority.issue("shop.test", "*.shop.test", "127.0.0.1")

    made = api.operator.post(URL, {"name": "shop", "chain": pair.chain, "key": pair.key, "ca": authority.ca})

    assert made.status_code == 201, made.json()
    assert made.json()["names"] == ["shop.test", "*.shop.test", "127.0.0.1"]
    assert made.json()["warnings"] == []
    secret = pair.key.splitlines()[1]
    said = [made, api.viewer.get(f"{URL}shop/"), api.viewer.get(URL), api.viewer.get("/api/v1/events/")]
    assert all(secret not in answer.content.decode() for answer in said)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM traffic_certificate")
        assert secret not in str(cursor.fetchall())
    assert secret in SecretsReader().now().certificates[0].key
    assert secret not in repr(SecretsReader().now())


def test_what_does_not_go_together_is_refused(api: Any, authority: Any) -> None:
    """Each with the field and the reason; nothing is kept."""
    pair, other = authority.issue("a.test"), authority.issue("b.test")
    weak = _pem(rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505
    cases: list[tuple[dict[str, str], str, str]] = [
        ({}, "chain", "missing"),
        ({"chain": pair.chain}, "key", "missing"),
        ({"chain": "hello", "key": pair.key}, "chain", "invalid"),
        ({"chain": pair.chain, "key": "hello"}, "key", "invalid"),
        ({"chain": pair.chain, "key": other.key}, "key", "mismatch"),
        ({"chain": pair.chain + pair.key, "key": pair.key}, "chain", "private-key"),
        ({"chain": pair.chain + other.chain, "key": pair.key}, "chain", "order"),
        ({"chain": pair.chain, "key": weak}, "key", "weak"),
        ({"chain": pair.chain, "key": _pem(ed25519.Ed25519PrivateKey.generate())}, "key", "kind"),
        ({"ca": pair.chain}, "ca", "no-authority"),
    ]
    encrypted = serialization.load_pem_private_key(pair.key.encode(), None)
    cases.append(({"chain": pair.chain, "key": _pem(encrypted, b"secret")}, "key", "encrypted"))

    found = []
    for texts, field, code in cases:
        answer = api.operator.post(URL, {"name": "shop", **texts})
        error = answer.json()["errors"][0]
        found.append(
            (answer.status_code, error["field"], error["code"]) == (400, field, code) or (texts, error)
        )

    assert found == [True] * len(cases)
    assert not Certificate.objects.exists()
    assert api.operator.post(URL, {"name": "A B", "chain": pair.chain, "key": pair.key}).status_code == 400


def test_a_chain_stands_in_its_order(api: Any, authority: Any) -> None:
    """The server's own first, then who signed it."""
    pair = authority.issue("a.test")

    assert (
        api.operator.post(URL, {"name": "a", "chain": pair.chain + authority.ca, "key": pair.key}).status_code
        == 201
    )
    assert (
        api.operator.post(URL, {"name": "b", "chain": authority.ca + pair.chain, "key": pair.key}).status_code
        == 400
    )


def test_an_ended_certificate_is_taken_with_a_warning(api: Any, authority: Any) -> None:
    """It may be all there is; who looks is told."""
    pair = authority.issue("a.test", days=-1)

    answer = api.operator.post(URL, {"name": "old", "chain": pair.chain, "key": pair.key})

    assert answer.status_code == 201
    assert "ended" in answer.json()["warnings"][0]


def test_what_is_used_is_not_removed(cluster: Any, api: Any, certificate: Any) -> None:
    """The answer names the services; a renewal is no removal."""
    cluster.add("web-1")
    CreateService("web", "http", "127.0.0.1", 8080, [("web-1", 80)]).run(SYSTEM)
    first = certificate("shop")
    ConfigureService("web", {"front": {"tls": {"certificates": ["shop"]}}}).run(SYSTEM)

    refused = api.operator.delete(f"{URL}shop/")
    renewed = certificate("shop")

    assert refused.status_code == 409
    assert "web" in refused.json()["detail"]
    assert first.fingerprint != renewed.fingerprint
    assert api.viewer.get(f"{URL}shop/").json()["used_by"] == ["web"]
    ConfigureService("web", {}).run(SYSTEM)
    assert api.operator.delete(f"{URL}shop/").status_code == 204


def test_an_end_that_comes_near_is_an_event_once_a_day(certificate: Any) -> None:
    """Only of those that end soon."""
    certificate("near", days=5)
    certificate("far", days=80)

    counts = [WarnOfCertificates().run(SYSTEM), WarnOfCertificates().run(SYSTEM)]
    Certificate.objects.update(warned_at=timezone.now() - dt.timedelta(days=2))
    counts.append(WarnOfCertificates().run(SYSTEM))

    events = Event.objects.filter(action="certificate.ends-soon")
    assert counts == [1, 0, 1]
    assert {"near"} == set(events.values_list("subject", flat=True))


def test_an_api_key_is_said_once(cluster: Any, api: Any) -> None:
    """In the answer that made it, and nowhere after; a service's use keeps it from being removed."""
    cluster.add("web-1")
    CreateService("web", "http", "127.0.0.1", 8080, [("web-1", 80)]).run(SYSTEM)
    made = api.operator.post(KEYS, {"name": "ada"})
    key = made.json()["key"]
    ConfigureService("web", {"http": {"api_keys": ["ada"]}}).run(SYSTEM)

    assert made.status_code == 201
    assert len(key) >= 40
    assert api.operator.post(KEYS, {"name": "ada"}).status_code == 409
    assert (
        key not in api.viewer.get(KEYS).content.decode() + api.viewer.get("/api/v1/events/").content.decode()
    )
    assert key not in str(list(ApiKey.objects.values_list()))
    assert api.operator.delete(f"{KEYS}ada/").status_code == 409
    ConfigureService("web", {}).run(SYSTEM)
    assert api.operator.delete(f"{KEYS}ada/").status_code == 204


def test_a_seal_opens_where_it_was_made_and_nowhere_else(settings: Any) -> None:
    """Not for another place, not damaged, not under another key; the same secret is never sealed alike."""
    sealed = seal("secret", "certificate a")
    version, key_id, text = sealed.split(".")

    assert unseal(sealed, "certificate a") == "secret"
    assert sealed != seal("secret", "certificate a")
    wrong = [
        (sealed, "certificate b"),
        (f"{version}.{key_id}.{text[:-6]}AAAA==", "certificate a"),
        ("x", "a"),
    ]
    for kept, place in wrong:
        with pytest.raises(Unsealable):
            unseal(kept, place)
    settings.STEELYARD_SEALING_KEY = "another key of the same length, but another"
    with pytest.raises(Unsealable, match="another key"):
        unseal(sealed, "certificate a")


def test_one_secret_that_does_not_open_leaves_the_others(certificate: Any) -> None:
    """It is named where the controller says what is wrong."""
    certificate("good")
    certificate("bad")
    Certificate.objects.filter(name="bad").update(sealed_key=Certificate.objects.get(name="good").sealed_key)

    found = SecretsReader().now()

    assert ["good"] == [each.name for each in found.certificates]
    assert "certificate bad" in json.dumps(found.wrong)


def test_a_seal_is_opened_once_a_change(certificate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller reads every second; only what is new is decrypted, and what is gone is forgotten."""
    opened: list[str] = []
    monkeypatch.setattr(
        secrets, "unseal", lambda sealed, place: opened.append(place) or unseal(sealed, place)
    )
    reader = SecretsReader()
    certificate("one")
    certificate("two")

    first, second = reader.now(), reader.now()
    certificate("two")
    renewed = reader.now()
    Certificate.objects.all().delete()
    gone = reader.now()

    assert ["certificate one", "certificate two", "certificate two"] == opened
    assert first == second
    assert renewed.certificates[0] == first.certificates[0]
    assert renewed.certificates[1] != first.certificates[1]
    assert gone == Secrets()
    assert not reader._opened
