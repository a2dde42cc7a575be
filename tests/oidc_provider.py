"""A real OpenID provider on loopback, small and strict: discovery, authorization code with PKCE, id tokens signed with
RS256, userinfo. What a broken or hostile one would do is said by `claims`, `userinfo` and `signs_with`."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT_ID, CLIENT_SECRET = "steelyard", "a secret of the client"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider:
    """For the length of a block. person: the claims of who is logged in there."""

    def __init__(self) -> None:
        self.key = self.signs_with = new_key()
        self.person: dict[str, Any] = {"sub": "s-1", "preferred_username": "grace", "groups": ["ops"]}
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.discovered: dict[str, Any] = {}
        self.refuses = ""
        self.codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            **self.discovered,
        }

    def keys(self) -> dict[str, Any]:
        public = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": "k1", "alg": "RS256", "use": "sig"}]}

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser is sent: back, with a code. The person has agreed already."""
        assert (asked["client_id"], asked["response_type"]) == (CLIENT_ID, "code")
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split()
        if self.refuses:
            back = {"error": self.refuses, "state": asked["state"]}
        else:
            code = secrets.token_urlsafe(16)
            self.codes[code] = asked
            back = {"code": code, "state": asked["state"]}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def token(self, asked: dict[str, str]) -> dict[str, Any] | None:
        """None where the client, its code or its proof is not right."""
        was = self.codes.pop(asked.get("code", ""), None)
        if was is None or (asked.get("client_id"), asked.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return None
        proof = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(proof).rstrip(b"=").decode() != was["code_challenge"]:
            return None
        if asked.get("redirect_uri") != was["redirect_uri"]:
            return None
        now = int(time.time())
        said = {
            "iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 60, "nonce": was.get("nonce", ""),
            **self.person, **self.claims,
        }  # fmt: skip
        id_token = jwt.encode(said, self.signs_with, algorithm="RS256", headers={"kid": "k1"})
        return {
            "access_token": "of-this-person",
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": id_token,
        }


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked = {key: values[0] for key, values in parse_qs(url.query).items()}
            match url.path:
                case "/.well-known/openid-configuration":
                    self._say(200, provider.configuration())
                case "/keys":
                    self._say(200, provider.keys())
                case "/authorize":
                    self.send_response(302)
                    self.send_header("Location", provider.authorize(asked))
                    self.end_headers()
                case "/userinfo" if self.headers["Authorization"] == "Bearer of-this-person":
                    self._say(200, {**provider.person, **provider.userinfo})
                case _:
                    self._say(401, {"error": "unknown"})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer = provider.token({key: values[0] for key, values in parse_qs(body).items()})
            self._say(400 if answer is None else 200, answer or {"error": "invalid_grant"})

        def _say(self, status: int, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Nothing: the test says what matters."""

    return Handler
