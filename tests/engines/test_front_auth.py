"""Who may ask, through a real Envoy: tokens and keys."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from engine_backends import Backend
from envoy_rig import EnvoyRig, service
from front_rig import TellingBackend, answers_with, ask, having, pool

from console.engines.envoy import admin
from console.engines.target import ApiKey

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Backend], Awaitable[Backend]]


@pytest_asyncio.fixture(loop_scope="module")
async def first(serve: Serve) -> TellingBackend:
    made = TellingBackend("first")
    await serve(made)
    return made


class Signer:
    """Signs tokens as a provider does (RS256); jwks: its public key."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self._key.public_key().public_numbers()
        numbers = {name: _text(getattr(public, name)) for name in ("n", "e")}
        self.jwks = json.dumps({"keys": [{"kty": "RSA", "kid": issuer, "alg": "RS256", **numbers}]})

    def token(self, **claims: Any) -> str:
        said = {"iss": self.issuer, "sub": "ada", "exp": int(time.time()) + 600, **claims}
        kept = {name: value for name, value in said.items() if value is not None}
        head = {"alg": "RS256", "typ": "JWT", "kid": self.issuer}
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in (head, kept))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encoded(signature)}"


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _text(number: int) -> str:
    return _encoded(number.to_bytes((number.bit_length() + 7) // 8, "big"))


@pytest.fixture(scope="module")
def signers() -> dict[str, Signer]:
    return {name: Signer(f"https://{name}.test") for name in ("people", "robots")}


def _provider(name: str, signer: Signer, **more: Any) -> dict[str, Any]:
    return {"name": name, "issuer": signer.issuer, "jwks": {"text": signer.jwks}, **more}


async def test_only_good_tokens_open(
    rig: EnvoyRig, first: TellingBackend, signers: dict[str, Signer]
) -> None:
    """Signed by the provider, for this audience, not over, and with an end; the endpoint does not see it."""
    people = signers["people"]
    web = having(
        service("web", "http", first.endpoint()),
        http={
            "token_providers": [_provider("people", people, audiences=["shop"])],
            "jwt": ["people"],
            "routes": [{"match": {"path": "/open"}, "jwt": []}],
        },
    )
    await rig.publish(web)

    async def status(token: str | None, path: str = "/") -> int:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return (await ask(web, path, headers=headers)).status_code

    good = people.token(aud="shop")
    assert await status(good) == 200
    assert "authorization" not in first.asked[-1]["headers"]
    assert await status(None, "/open") == 200
    refused = {
        "none": None,
        "another audience": people.token(aud="bank"),
        "over": people.token(aud="shop", exp=int(time.time()) - 600),
        "without end": people.token(aud="shop", exp=None),
        "changed": good[:-4] + "AAAA",
        "of another": signers["robots"].token(aud="shop", iss=people.issuer),
    }
    found = {why: await status(token) for why, token in refused.items()}
    assert [why for why, code in found.items() if code not in (401, 403)] == []


async def test_any_of_several_providers_may_vouch(
    rig: EnvoyRig, first: TellingBackend, signers: dict[str, Signer]
) -> None:
    """Each route says whose tokens open it; a token may stand in a header of its own."""
    people, robots = signers["people"], signers["robots"]
    web = having(
        service("web", "http", first.endpoint()),
        http={
            "token_providers": [
                _provider("people", people),
                _provider("robots", robots, header="x-robot", forward=True),
            ],
            "jwt": ["people", "robots"],
            "routes": [{"match": {"prefix": "/robots"}, "jwt": ["robots"]}],
        },
    )
    await rig.publish(web)
    of_people = {"authorization": f"Bearer {people.token()}"}
    of_robots = {"x-robot": robots.token()}

    async def status(path: str, headers: dict[str, str]) -> int:
        return (await ask(web, path, headers=headers)).status_code

    assert [200, 200] == [await status("/", headers) for headers in (of_people, of_robots)]
    assert "x-robot" in first.asked[-1]["headers"]
    assert [401, 200] == [await status("/robots", headers) for headers in (of_people, of_robots)]


async def test_keys_may_be_asked_of_a_service(
    rig: EnvoyRig, serve: Serve, first: TellingBackend, signers: dict[str, Signer]
) -> None:
    """A provider's keys come from a path of a service, and are kept."""
    people = signers["people"]
    source = TellingBackend("keys")
    source.body = people.jwks
    await serve(source)
    keys = pool("keys", source.endpoint())
    provider = {
        "name": "people",
        "issuer": people.issuer,
        "jwks": {"service": keys.name, "path": "/keys.json"},
    }
    web = having(
        service("web", "http", first.endpoint()), http={"token_providers": [provider], "jwt": ["people"]}
    )
    await rig.publish(web, keys)

    assert await answers_with(200, web, headers={"authorization": f"Bearer {people.token()}"})
    for _ in range(5):
        assert (await ask(web, headers={"authorization": f"Bearer {people.token()}"})).status_code == 200
    assert {"/keys.json"} == {each["path"] for each in source.asked}
    assert len(source.asked) <= 2


async def test_a_key_opens_what_it_is_for(rig: EnvoyRig, first: TellingBackend) -> None:
    """Each route names its keys; the endpoint is told whose it was and not the key; the admin page has none."""
    keys = (ApiKey("ada", "a" * 40), ApiKey("bob", "b" * 40))
    web = having(
        service("web", "http", first.endpoint()),
        http={
            "api_keys": ["ada", "bob", "gone"],
            "routes": [
                {"match": {"prefix": "/ada"}, "api_keys": ["ada"]},
                {"match": {"prefix": "/open"}, "api_keys": []},
            ],
        },
    )
    await rig.publish(web, api_keys=keys)

    async def status(path: str, key: str | None) -> int:
        return (await ask(web, path, headers={} if key is None else {"x-api-key": key})).status_code

    assert await status("/", "a" * 40) == 200
    seen = first.asked[-1]["headers"]
    assert (seen["x-api-client"], "x-api-key" in seen) == ("ada", False)
    assert await status("/ada", "b" * 40) in (401, 403)
    assert [await status("/", key) for key in (None, "", "c" * 40)] == [401, 401, 401]
    assert await status("/open", None) == 200
    dump = (await admin.get(str(rig.envoy.admin_socket), "/config_dump?include_eds")).text
    assert web.name in dump
    assert "a" * 40 not in dump


async def test_a_client_cannot_say_who_it_is(rig: EnvoyRig, first: TellingBackend) -> None:
    """The header that names the key's owner is the engine's: a client's own is not believed."""
    web = having(
        service("web", "http", first.endpoint()),
        http={"api_keys": ["ada"], "routes": [{"match": {"prefix": "/open"}, "api_keys": []}]},
    )
    await rig.publish(web, api_keys=(ApiKey("ada", "a" * 40),))

    await ask(web, headers={"x-api-key": "a" * 40, "x-api-client": "root"})
    assert first.asked[-1]["headers"]["x-api-client"] == "ada"
    await ask(web, "/open", headers={"x-api-client": "root"})
    assert "x-api-client" not in first.asked[-1]["headers"]
