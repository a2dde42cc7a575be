"""The pages of a service's settings, its endpoints, certificates and API keys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from certificates_rig import Authority, Pair
from django.test import Client

from console.actions import SYSTEM
from console.traffic.actions.certificates import PutCertificate
from console.traffic.actions.settings import ConfigureService
from console.traffic.models import ApiKey, Certificate, Service

SETTINGS = "/services/shop/settings/"


@pytest.fixture
def operator(furnished: Any, user: Any) -> Client:
    client = Client()
    client.force_login(user("operator"))
    return client


@pytest.fixture
def viewer(furnished: Any, user: Any) -> Client:
    client = Client()
    client.force_login(user("viewer"))
    return client


@pytest.fixture(scope="module")
def pair() -> Pair:
    return Authority().issue("shop.test")


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_a_service_says_its_settings_in_words(operator: Client, pair: Pair) -> None:
    """TLS, hosts, routes and treatment, each a sentence; usual values are not mentioned."""
    assert "Everything as usual." in text(operator.get("/services/shop/"))
    PutCertificate("shop", pair.chain, pair.key).run(SYSTEM)
    document = {
        "front": {"tls": {"certificates": ["shop"], "redirect_from_port": 18081}, "max_connections": 5000},
        "http": {
            "hosts": ["shop.test"],
            "timeout_s": 5,
            "rate_limits": [{"requests": 100, "of": "client"}],
            "routes": [
                {"name": "old", "match": {"prefix": "/old"}, "redirect": {"prefix": "/new"}},
                {"match": {"path": "/health"}, "answer": {"status": 204}, "fault": {"percent": 0}},
                {"match": {"headers": [{"name": "x-a", "exact": "<b>"}]}, "rewrite": {"prefix": "/"}},
            ],
        },
    }
    ConfigureService("shop", document).run(SYSTEM)

    page = text(operator.get("/services/shop/"))

    for sentence in (
        "Ends here, from TLS 1.2, with shop.",
        "Plain HTTP at port 18081 is sent to TLS.",
        "At most 5,000 at once.",
        "Answers to shop.test, and to no other.",
        "End after 5 s.",
        "At most 100 in 1 s of each client.",
        "paths below /old: redirected (308) to /new.",
        "path /health: answered 204.",
        "header x-a=&lt;b&gt;: to the endpoints below.",
    ):
        assert sentence in page
    assert "<b>" not in page


def test_the_document_is_edited_with_errors_at_their_place(operator: Client) -> None:
    """What is wrong is said with its path and the text stays as typed; what is right is kept."""
    wrong = '{"http": {"routes": [{"match": {"path": "x"}}]}}'

    refused = operator.post(SETTINGS, {"form": "document", "document": wrong})
    no_json = operator.post(SETTINGS, {"form": "document", "document": "{"})
    done = operator.post(SETTINGS, {"form": "document", "document": '{"http": {"timeout_s": 7}}'})

    assert "http.routes[0].match.path: &#x27;x&#x27; is no path" in text(refused)
    assert "no JSON" in text(no_json)
    assert "&quot;path&quot;: &quot;x&quot;" in text(refused)
    assert (done.status_code, done["location"]) == (302, "/services/shop/")
    assert Service.objects.get(name="shop").settings == {"http": {"timeout_s": 7.0}}
    assert "timeout_s" in text(operator.get(SETTINGS))


def test_the_usual_things_have_fields(operator: Client, pair: Pair) -> None:
    """They change their places in the document and leave the rest; emptied fields take them away."""
    PutCertificate("shop", pair.chain, pair.key).run(SYSTEM)
    ConfigureService("shop", {"http": {"compression": ["gzip"]}}).run(SYSTEM)

    done = operator.post(
        SETTINGS,
        {
            "form": "usual",
            "usual-certificates": "shop",
            "usual-redirect_from_port": "18081",
            "usual-hosts": "shop.test\n*.shop.test",
            "usual-destinations": "shop=95",
            "usual-timeout_s": "2.5",
        },
    )

    assert done.status_code == 302
    assert Service.objects.get(name="shop").settings == {
        "front": {"tls": {"certificates": ["shop"], "redirect_from_port": 18081}},
        "http": {
            "compression": ["gzip"],
            "hosts": ["shop.test", "*.shop.test"],
            "destinations": [{"service": "shop", "weight": 95}],
            "timeout_s": 2.5,
        },
    }
    assert 'value="shop" selected' in text(operator.get(SETTINGS))
    operator.post(SETTINGS, {"form": "usual"})
    assert Service.objects.get(name="shop").settings == {"http": {"compression": ["gzip"]}}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("hosts", "a b/c", "is no host name"),
        ("destinations", "nobody=1", "no service is called nobody"),
        ("destinations", "shop", "is not SERVICE=WEIGHT"),
        ("timeout_s", "-1", "greater than or equal to 0"),
        ("redirect_from_port", "18088", "There is no TLS to send it to"),
    ],
)
def test_a_wrong_field_says_so_beside_it(operator: Client, field: str, value: str, said: str) -> None:
    """And nothing is changed."""
    answer = operator.post(SETTINGS, {"form": "usual", f"usual-{field}": value})

    assert said in text(answer)
    assert f'id="id_usual-{field}"' in text(answer)
    assert Service.objects.get(name="shop").settings == {}


def test_endpoints_come_and_go_on_the_page(operator: Client, viewer: Client) -> None:
    """Added, removed; a wrong one is a message; a viewer has no form."""
    url = "/services/shop/endpoint/"

    operator.post(url, {"endpoint": "db-1:8080", "verb": "add"})
    operator.post(url, {"endpoint": "web-2:8080", "verb": "remove"})
    refused = operator.post(url, {"endpoint": "nobody:1", "verb": "add"}, follow=True)

    found = [f"{e.host.name}:{e.port}" for e in Service.objects.get(name="shop").endpoints.all()]
    assert found == ["db-1:8080", "web-1:8080"]
    assert "Not done: no host is called nobody" in text(refused)
    assert "Another endpoint" not in text(viewer.get("/services/shop/"))
    assert viewer.post(url, {"endpoint": "web-2:8080", "verb": "add"}).status_code == 403
    assert viewer.get(SETTINGS).status_code == 403


def test_a_pool_needs_no_listener(operator: Client) -> None:
    """The page makes one, and says that other services lead to it."""
    fields = {"name": "canary", "protocol": "http", "listen": "", "endpoints": "db-1:8080"}

    made = operator.post("/services/new/", fields)

    assert made.status_code == 302
    assert Service.objects.get(name="canary").listen_port is None
    assert "http pool, led to by other services" in text(operator.get("/services/canary/"))
    assert "pool" in text(operator.get("/services/"))


def test_certificates_are_listed_kept_and_removed(operator: Client, viewer: Client, pair: Pair) -> None:
    """For whom, until when, used by whom; the key is on no page, not even beside an error."""
    assert "No certificate yet." in text(viewer.get("/certificates/"))
    wrong = operator.post("/certificates/new/", {"name": "shop", "chain": "x", "key": pair.key})
    assert "is no certificate in PEM" in text(wrong)
    assert pair.key.splitlines()[1] not in text(wrong)

    made = operator.post("/certificates/new/", {"name": "shop", "chain": pair.chain, "key": pair.key})
    ConfigureService("shop", {"front": {"tls": {"certificates": ["shop"]}}}).run(SYSTEM)
    page = text(viewer.get("/certificates/"))

    assert made.status_code == 302
    assert "shop.test" in page
    assert 'href="/services/shop/"' in page
    assert "Remove" not in page
    assert "Not done" in text(operator.post("/certificates/shop/remove/", follow=True))
    ConfigureService("shop", {}).run(SYSTEM)
    operator.post("/certificates/shop/remove/")
    assert not Certificate.objects.exists()


def test_an_api_key_is_shown_once(operator: Client, viewer: Client) -> None:
    """On the page that made it, which nobody keeps."""
    made = operator.post("/api-keys/new/", {"name": "mobile"})
    key = text(made).partition('<pre class="code">')[2].partition("</pre>")[0]

    assert len(key) >= 40
    assert "no-store" in made["cache-control"]
    assert "mobile" in text(viewer.get("/certificates/"))
    assert key not in text(operator.get("/certificates/"))
    operator.post("/api-keys/mobile/remove/")
    assert not ApiKey.objects.exists()


def test_the_schema_of_settings_is_in_the_apis(viewer: Client, project: Any) -> None:
    """Made of the types that check it: every part of a document is there by name."""
    schemas = json.loads((project / "docs/openapi.json").read_text())["components"]["schemas"]

    assert {"ServiceSettings", "ServiceFront", "ServiceHttp", "ServicePool"} <= set(schemas)
    assert schemas["ServiceSettings"]["properties"]["http"]["$ref"].endswith("/ServiceHttp") or (
        "ServiceHttp" in json.dumps(schemas["ServiceSettings"]["properties"]["http"])
    )
    assert '"type": "null"' not in json.dumps(schemas)


def test_certificates_are_exported_without_secrets(viewer: Client, pair: Pair) -> None:
    """What the list shows; of the key not a word, sealed or plain, and of the chain only that it is there."""
    PutCertificate("shop", pair.chain, pair.key).run(SYSTEM)
    kept = Certificate.objects.get()
    answers = [viewer.get(f"/lists/certificates/{form}/").getvalue().decode() for form in ("json", "csv")]
    (row,) = json.loads(answers[0])

    assert (row["name"], row["names"], row["has_chain"]) == ("shop", ["shop.test"], True)
    for answer in answers:
        assert kept.sealed_key not in answer
        assert "BEGIN" not in answer
    assert "/lists/certificates/csv/" in text(viewer.get("/certificates/"))
